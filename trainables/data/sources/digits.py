"""The digits that ship with scikit-learn."""

from __future__ import annotations

from typing import final

from trainables.data.source import RawData, RawExamples, Source

# Which digits Patrini et al. (CVPR 2017) flip to which on MNIST.
SIMILAR_DIGITS = {"2": "7", "3": "8", "5": "6", "6": "5", "7": "1"}


@final
class Digits(Source):
    """Handwritten digits, 1,797 images of 8x8 pixels in 10 classes; ships with scikit-learn."""

    def load(self) -> RawData:
        from sklearn.datasets import load_digits

        digits = load_digits()
        return RawData(
            RawExamples(digits.images, digits.target, "digits, inputs", "digits, labels"),
            similar_classes=SIMILAR_DIGITS,
            mirror_keeps_class=False,
        )
