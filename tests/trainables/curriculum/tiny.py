"""What is different about curricula in the contract suite's tiny problems."""

from __future__ import annotations

from typing import Any

# The contract's runs are 5 epochs long, and something has to be left of them for training.
CHANGES: dict[str, dict[str, Any]] = {
    "transfer_teacher": {"algorithm.transfer_teacher.scorer.epochs": 2},
    # There are 3 classes, so that 3 groups of them would be no curriculum.
    "coarse_to_fine": {"algorithm.coarse_to_fine.clusters": 2},
    # Whole epochs on 21 of 210 examples are little to learn from, and two epochs of scoring leave
    # little to stop and resume.
    "rl_teacher": {
        "algorithm.rl_teacher.bins": 3,
        "algorithm.rl_teacher.epsilon": 0.5,
        "algorithm.rl_teacher.scorer.self_taught.epochs": 1,
    },
}

ONLY = {"curriculum_by_smoothing": ("cnn",), "efficient_train": ("cnn",)}
HORIZONS = {"meta_weight_net": 10.0, "dds": 12.0}
