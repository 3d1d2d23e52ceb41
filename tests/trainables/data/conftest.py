from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WriteNpz = Callable[..., str]


@pytest.fixture
def write_npz(tmp_path: Path) -> WriteNpz:
    """Writes arrays to an archive and returns its path, as a user would type it."""

    def write(name: str = "toy.npz", **arrays: Any) -> str:
        path = tmp_path / name
        np.savez(path, **arrays)
        return str(path)

    return write


@pytest.fixture
def toy_arrays() -> dict[str, np.ndarray]:
    """100 vectors whose first feature is their row number; 3 classes of 50, 30 and 20."""
    inputs = np.random.default_rng(0).normal(size=(100, 4))
    inputs[:, 0] = np.arange(100)
    return {"x": inputs, "y": np.repeat([0, 1, 2], [50, 30, 20])}


class CountingLog:
    """A log that remembers what was recorded."""

    def __init__(self) -> None:
        self.fingerprints: list[str] = []

    def record_opening(self, fingerprint: str) -> int:
        self.fingerprints.append(fingerprint)
        return len(self.fingerprints)


@pytest.fixture
def log() -> CountingLog:
    return CountingLog()
