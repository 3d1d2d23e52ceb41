"""Labelled data for the learners: loaded once, split once, the test part sealed.

A source is one module of this package, found by its place. `load_view` gives training and
validation examples and nothing of the test; `open_test` is the only door to the test, and it is
logged before it opens.
"""

from trainables.data._classes import (
    ClassSplit,
    ClassView,
    SealedClasses,
    hashes_of_classes,
    load_class_view,
    open_test_classes,
)
from trainables.data._examples import DataView, Examples
from trainables.data._groups import class_groups
from trainables.data._loading import OpeningLog, hashes_of, load_view, open_test
from trainables.data._options import flag_of
from trainables.data._registry import carried_over, data_sources, located
from trainables.data._spec import DataSpec, readable
from trainables.data._split import class_balanced

__all__ = [
    "ClassSplit",
    "ClassView",
    "DataSpec",
    "DataView",
    "Examples",
    "OpeningLog",
    "SealedClasses",
    "carried_over",
    "class_balanced",
    "class_groups",
    "data_sources",
    "flag_of",
    "hashes_of",
    "hashes_of_classes",
    "load_class_view",
    "load_view",
    "located",
    "open_test",
    "open_test_classes",
    "readable",
]
