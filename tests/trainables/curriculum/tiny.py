"""What is different about tiny problems of curricula."""

from __future__ import annotations

from typing import Any

# The contract's runs are 5 epochs long, and something has to be left of them for training.
CHANGES: dict[str, dict[str, Any]] = {
    "transfer_teacher": {"algorithm.transfer_teacher.scorer.epochs": 2},
}
