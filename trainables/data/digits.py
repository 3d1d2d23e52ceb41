"""The digits that ship with scikit-learn."""

from __future__ import annotations

from typing import final

from trainables.data._source import RawData, RawExamples, Source


@final
class Digits(Source):
    """Handwritten digits, 1,797 images of 8x8 pixels in 10 classes; ships with scikit-learn."""

    def load(self) -> RawData:
        from sklearn.datasets import load_digits

        digits = load_digits()
        return RawData(
            RawExamples(digits.images, digits.target, "digits, inputs", "digits, labels")
        )
