"""Omniglot's background set as a data set of its own."""

from __future__ import annotations

from typing import final

from trainables.data.omniglot import load_part
from trainables.data.source import RawData, Source


@final
class OmniglotBackground(Source):
    """Omniglot's background set, 19,280 images of 964 characters of 30 alphabets, 20 each.

    Of each character's 20 drawings 12 train, 4 validate and 4 are the test. The archive is that of
    `omniglot`; no class and no image is also in the other set.
    """

    def load(self) -> RawData:
        return load_part("bg")
