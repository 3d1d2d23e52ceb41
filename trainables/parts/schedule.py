"""The base of every learning-rate schedule: a function of progress, with no state of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch

from search_spaces import Part


class Schedule(Part, ABC):
    """The learning rate (and perhaps the momentum) as a function of progress in [0, 1]."""

    kind: ClassVar[str] = "schedule"
    options_in: ClassVar[str] = "trainables.parts.schedules"

    @abstractmethod
    def factor(self, progress: float) -> float:
        """The factor of the learning rate."""

    def momentum(self, progress: float) -> float | None:
        """The momentum (beta1 of the Adam family), or None where it stays as it is."""
        return None

    def apply(self, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Sets every parameter group as it must be at this progress."""
        factor, momentum = self.factor(progress), self.momentum(progress)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor
            if momentum is None:
                continue
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = momentum


class ScheduleOverSteps(torch.optim.lr_scheduler.LRScheduler):
    """A schedule as a torch scheduler, for a training loop that counts steps.

    Args:
        optimizer: the optimizer that it moves.
        schedule: the schedule.
        steps: how many optimizer steps the whole run takes.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule, steps: int) -> None:
        self.schedule, self.steps = schedule, steps
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        self.schedule.apply(self.optimizer, min(self.last_epoch / self.steps, 1.0))
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        # Plain values only, so that `torch.load` reads them back with `weights_only=True`.
        return {key: value for key, value in super().state_dict().items() if key != "schedule"}
