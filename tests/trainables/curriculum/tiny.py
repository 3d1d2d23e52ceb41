"""What the contract suite needs to know of this scenario."""

from __future__ import annotations

HORIZONS = {"meta_weight_net": 10.0, "dds": 12.0}
