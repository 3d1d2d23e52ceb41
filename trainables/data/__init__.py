"""Labelled data for the learners: loaded once, split once, the test part sealed.

A source is one module of `sources`, found by its place. `load_view` gives training and
validation examples and nothing of the test; `open_test` is the only door to the test, and it is
logged before it opens.
"""

from trainables.data.class_split import (
    ClassSplit,
    ClassView,
    SealedClasses,
    hashes_of_classes,
    load_class_view,
    open_test_classes,
)
from trainables.data.groups import class_groups
from trainables.data.loading import OpeningLog, hashes_of, load_view, open_test
from trainables.data.options import flag_of
from trainables.data.registry import carried_over, data_sources, located
from trainables.data.spec import DataSpec, readable
from trainables.data.split import class_balanced
from trainables.data.view import DataView, Examples

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
