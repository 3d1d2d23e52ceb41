"""Tiny problems: 3-way 1-shot tasks of classes that are clouds, or faint patterns."""

from __future__ import annotations

import numpy as np

from trainables.data import Examples
from trainables.meta_learning._settings import Settings
from trainables.meta_learning._views import FewShotView

OWN = {"ways": 2, "shots": 1, "queries": 4, "validation_episodes": 40, "test_episodes": 10}
CHANCE = 1 / 2
CLASSES = 20
EACH = 15


def view_of(centres: np.ndarray, noise: float, seed: int) -> FewShotView:
    """Classes that are clouds about `centres`; the last five validate."""
    rng, count = np.random.default_rng(seed), len(centres)
    labels = np.repeat(np.arange(count), EACH)
    inputs = centres[labels] + noise * rng.normal(size=(len(labels), *centres.shape[1:]))
    known = labels < count - 5
    return FewShotView(
        train=Examples(inputs[known].astype(np.float32), labels[known]),
        validation=Examples(inputs[~known].astype(np.float32), labels[~known] - (count - 5)),
        classes=tuple(f"class{i}" for i in range(count - 5)),
        name="tiny",
        fingerprint="0" * 16,
        mean=np.zeros(1),
        scale=np.ones(1),
        validation_classes=tuple("vwxyz"),
        split="made up",
        settings=Settings(**OWN),
    )


def _views() -> dict[str, FewShotView]:
    rng = np.random.default_rng(0)
    vectors = view_of(rng.choice([-1.5, 1.5], size=(25, 6)), 0.3, 1)
    images = view_of(rng.choice([-1.5, 1.5], size=(25, 1, 6, 6)), 0.3, 2)
    return {"adamw": vectors, "sgd": images, "cnn": images}


VIEWS = _views()
# Networks wide enough that a step of any algorithm costs a few steps of the plain one, not many.
SECTIONS = {
    "adamw": {"model": {"name": "mlp", "mlp": {"width": 128, "dropout": 0.1}}},
    "sgd": {"model": {"name": "mlp", "mlp": {"width": 128, "dropout": 0.1}}},
    "cnn": {"model": {"name": "cnn", "cnn": {"width": 32, "blocks": 1}}},
}
CHANGES = {
    "lstm_learner": {"algorithm.lstm_learner.hidden": 32},
    "maml": {"algorithm.maml.inner_lr": 0.1},
    "protonet": {"algorithm.protonet.ways": 5},
}
