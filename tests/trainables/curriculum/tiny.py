"""What is different about curricula in the contract suite's tiny problems."""

from __future__ import annotations

from typing import Any

# The contract's runs are 3 epochs long at least, and half of that is to be left for training.
CHANGES: dict[str, dict[str, Any]] = {
    "easy_to_hard": {"algorithm.easy_to_hard.scorer.self_taught.epochs": 1},
    "anti_curriculum": {"algorithm.anti_curriculum.scorer.self_taught.epochs": 1},
    "transfer_teacher": {"algorithm.transfer_teacher.scorer.epochs": 1},
    "adaptive": {"algorithm.adaptive.teacher_epochs": 1},
    # There are 3 classes, so that 3 groups of them would be no curriculum.
    "coarse_to_fine": {
        "algorithm.coarse_to_fine.clusters": 2,
        "algorithm.coarse_to_fine.teacher_epochs": 1,
    },
    # Whole parts on 21 of 210 examples are little to learn from.
    "rl_teacher": {
        "algorithm.rl_teacher.bins": 3,
        "algorithm.rl_teacher.epsilon": 0.5,
        "algorithm.rl_teacher.scorer.self_taught.epochs": 1,
    },
}

ONLY = {"curriculum_by_smoothing": ("cnn",), "efficient_train": ("cnn",)}
# Of the last two all scorers are tried, and all that choose examples.
HORIZONS = {"meta_weight_net": 10.0, "dds": 12.0, "anti_curriculum": 7.0, "combined": 7.0}
