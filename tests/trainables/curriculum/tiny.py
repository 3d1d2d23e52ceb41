"""What is different about curricula in the contract suite's tiny problems."""

from __future__ import annotations

CHANGES = {
    # Whole epochs on 21 of 210 examples are little to learn from, and two epochs of scoring leave
    # little to stop and resume.
    "rl_teacher": {
        "algorithm.rl_teacher.bins": 3,
        "algorithm.rl_teacher.epsilon": 0.5,
        "algorithm.rl_teacher.scorer.self_taught.epochs": 1,
    },
}
