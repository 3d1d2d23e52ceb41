"""What the contract suite needs to know of this scenario."""

from __future__ import annotations

ONLY = {"curriculum_by_smoothing": ("cnn",), "efficient_train": ("cnn",)}
HORIZONS = {"meta_weight_net": 10.0, "dds": 12.0}
