"""What the contract suite needs to know of this scenario: its tiny data, and tests it replaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from trainables.data import DataView, Examples
from trainables.scenarios.continual.settings import Settings, stream_view
from trainables.scenarios.continual.stream import StreamView

SETTINGS = Settings(tasks=2, memory=20, hpo_protocol="oracle_stream")
# Tasks have half of the examples, and which weights count is not a choice.
SECTIONS: dict[str, Any] = {
    setting: {"training": {"batch_size": 16}} for setting in ("adamw", "sgd", "cnn")
}
CLASSES = 4
OWN = {"tasks": 2, "memory": 20, "hpo_protocol": "oracle_stream"}
# Contract tests that make sense for plain classification only, and what stands for them here.
INSTEAD = {
    "test_it_learns": "forgetting is what happens: see continual/test_learning.py",
}


def of(view: DataView, settings: Settings = SETTINGS) -> DataView:
    """The view as a stream: each class in two halves, so that there are classes to divide."""

    def halved(part: Examples) -> Examples:
        return Examples(part.inputs, part.labels * 2 + np.arange(len(part)) % 2)

    if isinstance(view, StreamView):
        return view
    halves = replace(
        view,
        train=halved(view.train),
        validation=halved(view.validation),
        classes=tuple(f"{name}{half}" for name in view.classes for half in (1, 2)),
    )
    return stream_view(halves, settings, seed=0)
