"""Tiny problems: 2-way tasks of classes that differ in a few directions out of many."""

from __future__ import annotations

import numpy as np

from trainables.data import Examples
from trainables.scenarios.meta_learning.settings import Settings
from trainables.scenarios.meta_learning.views import FewShotView

OWN = {"ways": 2, "shots": 2, "queries": 4, "validation_episodes": 20, "test_episodes": 10}
CHANCE = 1 / 2
CLASSES = 20
EACH = 16
# A recurrent learner takes thousands of episodes, and MAML on a CNN hundreds, before they show
# anything: too many for a test of every setting. `test_lstm_learner.py` and `test_maml.py` do it.
LEARNS_ELSEWHERE = {
    *(("lstm_learner", setting) for setting in ("adamw", "sgd", "cnn")),
    ("maml", "cnn"),
}


def view_of(shape: tuple[int, ...], seed: int) -> FewShotView:
    """Classes about centres on a circle, in noise that is wide in other directions."""
    rng, count = np.random.default_rng(seed), 25
    labels, size = np.repeat(np.arange(count), EACH), int(np.prod(shape))
    angles = rng.permutation(count) * 2 * np.pi / count
    plane, _ = np.linalg.qr(rng.normal(size=(size, 4)))
    spread = np.array([0.2, 0.2, 1.5, 1.5])
    points = spread * rng.normal(size=(len(labels), 4))
    points[:, :2] += 2.0 * np.stack([np.cos(angles), np.sin(angles)], 1)[labels]
    inputs = (points @ plane.T).reshape(-1, *shape)
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
        turned_classes=False,
        settings=Settings(**OWN),
    )


def _views() -> dict[str, FewShotView]:
    vectors, images = view_of((6,), 1), view_of((1, 6, 6), 2)
    return {"adamw": vectors, "sgd": images, "cnn": images}


VIEWS = _views()
# Networks wide enough that a step of any algorithm costs a few steps of the plain one, not many.
SECTIONS = {
    "adamw": {"model": {"name": "mlp", "mlp": {"width": 128, "dropout": 0.1}}},
    "sgd": {
        "model": {"name": "mlp", "mlp": {"width": 128, "dropout": 0.1}},
        "optimizer": {"name": "sgd", "sgd": {"lr": 0.02, "nesterov": True}},
    },
    "cnn": {"model": {"name": "cnn", "cnn": {"width": 64, "blocks": 1}}},
}
CHANGES = {
    "lstm_learner": {"algorithm.lstm_learner.hidden": 32},
    "maml": {"algorithm.maml.inner_lr": 0.2},
    "protonet": {"algorithm.protonet.ways": 5},
}
