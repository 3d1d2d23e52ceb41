"""Omniglot, its evaluation set being the official test."""

from __future__ import annotations

from dataclasses import replace
from typing import final

from trainables.data.omniglot import load_both
from trainables.data.source import RawData, Source
from trainables.data.vinyals import vinyals_split


@final
class Omniglot(Source):
    """Omniglot, 32,460 images of 28x28 pixels, 1,623 characters of 50 alphabets, 20 each.

    Classes are called ALPHABET/CHARACTER. The official test is the evaluation set (20 alphabets,
    659 characters), whose classes the background set (30 alphabets, 964 characters) does not have:
    it is for scenarios that split by class, which may take Vinyals' split of both. The archive
    `omniglot_28.npz` (bg_x, bg_y, bg_classnames and ev_x, ev_y, ev_classnames) is looked for in
    $AUTOML_CL_DATA/omniglot, data/omniglot and ../shared/data/omniglot.
    """

    def load(self) -> RawData:
        return replace(load_both(), class_split=vinyals_split())
