"""The parts of a training, from one choice of examples to the next, planned step by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainables.foundation.randomness import derive_seed, permutation, shuffled_passes
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Curriculum
from trainables.scenarios.curriculum.order import FEWEST, number_of_classes, with_every_class


def growing_passes(counts: Sequence[int], batch: int, seed: int) -> Tensor:
    """Places in shuffled passes over what is let in, which may be more or less at each step.

    A pass is over when all that is let in has had its turn. What joins in the middle of a pass
    takes part in the rest of it; what leaves has no turn any more.

    Args:
        counts: how many are let in, by step.
        batch: places wanted for each step.
        seed: decides the order.

    Returns:
        Places below the step's count, int64 [len(counts) * batch], on the CPU.
    """
    rng = np.random.default_rng(seed)
    found = np.empty((len(counts), batch), dtype=np.int64)
    waiting = np.empty(max(counts), dtype=np.int64)
    left = known = 0
    for step, count in enumerate(counts):
        if count < known:
            stay = waiting[:left][waiting[:left] < count]
            left = len(stay)
            waiting[:left] = stay
        else:
            waiting[left : left + count - known] = np.arange(known, count)
            left += count - known
        known, filled = count, 0
        while filled < batch:
            if left == 0:
                waiting[:count], left = np.arange(count), count
            taken = rng.choice(left, min(batch - filled, left), replace=False)
            found[step, filled : filled + len(taken)] = waiting[taken]
            filled += len(taken)
            left = _without(waiting, left, taken)
    return torch.from_numpy(found.reshape(-1))


def _without(waiting: np.ndarray, left: int, taken: np.ndarray) -> int:
    """Fills the places that were taken with the last that were not; returns how many are left."""
    rest = left - len(taken)
    last = np.ones(left - rest, dtype=bool)
    last[taken[taken >= rest] - rest] = False
    waiting[taken[taken < rest]] = waiting[rest:left][last]
    return rest


MEASURED = 0.5
"""Of the examples trained on until the next choice, how many are measured in a short run."""


@dataclass(frozen=True)
class Pace:
    """The progress of the next step, and its increase with each step.

    Attributes:
        progress: of the next step, in [0, 1].
        step: what a step adds to it.
    """

    progress: float
    step: float

    def steps(self, until: float, most: int) -> int:
        """Steps from here that begin below a progress; at least 1, at most `most`."""
        # A quotient such as 0.3 / 0.1 is less than the whole number that is meant.
        needed = math.ceil((until - self.progress) / self.step - 1e-9) if until < 1.0 else most
        return max(1, min(most, needed))

    def after(self, steps: int) -> float:
        """The progress of a later step, and 1 of the last one that there is room for."""
        progress = self.progress + steps * self.step
        return 1.0 if progress + 2.0 * self.step > 1.0 + 1e-9 else progress


class Parts:
    """Plans what each step of a part of the training is on.

    Args:
        curriculum: decides on the examples.
        examples: all training examples.
        batch_size: examples in a step.
        seed: decides the order.
    """

    def __init__(
        self, curriculum: Curriculum, examples: TensorExamples, batch_size: int, seed: int
    ) -> None:
        self.curriculum, self.examples = curriculum, examples
        self.batch_size, self.seed = batch_size, seed
        self.steps_in_pass = len(examples) // batch_size
        self.fewest = max(FEWEST, batch_size, number_of_classes(examples.labels))

    def tell_rows(self, taken: int, progress: float, passes_left: float, seed: int) -> None:
        """Tells the curriculum which examples are enough to measure for its next choice.

        Args:
            taken: steps that are over.
            progress: the share of the training that is over.
            passes_left: how many passes over the data are as long as the whole training.
            seed: for what is drawn.
        """
        total, labels = len(self.examples), self.examples.labels
        passes = (self.curriculum.next_choice(progress) - progress) * passes_left
        rows = None
        if passes < 1.0 - 1e-9:
            wanted = min(total, max(self.fewest, math.ceil(MEASURED * passes * total)))
            rows = self._in_turn(taken, wanted).to(labels.device)
            rows = with_every_class(rows, labels, derive_seed(seed, "rows"))
        self.curriculum.tell(rows=rows)
        self.tell_fewest()

    def tell_fewest(self) -> None:
        """Tells the curriculum how many examples it has to let in at least."""
        self.curriculum.tell(fewest=self.fewest)

    def plan(
        self, chosen: Tensor | None, chosen_at: float, taken: int, pace: Pace, number: int
    ) -> Tensor:
        """The examples of the steps until the next choice, in order, [steps * batch size].

        Args:
            chosen: what `data_curriculum` returned.
            chosen_at: the progress that it was told, before it was paid for.
            taken: steps that are over.
            pace: of the steps to come.
            number: the part's.
        """
        total, batch = len(self.examples), self.batch_size
        length = -(-self.curriculum.pass_length(total) // batch)
        most = min(self.steps_in_pass - taken % self.steps_in_pass, max(1, length))
        # If the next choice is due already, so much was paid for this one, a step comes between.
        due = self.curriculum.next_choice(chosen_at) <= pace.progress
        until = pace.progress if due else self.curriculum.next_choice(pace.progress)
        steps = pace.steps(until, most)
        device = self.examples.labels.device
        if chosen is None:
            return self._in_turn(taken, steps * batch).to(device)
        counts = [self.curriculum.let_in(pace.after(step), len(chosen)) for step in range(steps)]
        if min(counts) == max(counts):
            places = shuffled_passes(counts[0], steps * batch, self.seed, "order", number)
        else:
            places = growing_passes(counts, batch, derive_seed(self.seed, "order", number))
        return chosen[places.to(device)]

    def _in_turn(self, taken: int, needed: int) -> Tensor:
        """The examples that plain training has next: the rest of its pass, then another's."""
        number, at = divmod(taken, self.steps_in_pass)
        size = self.batch_size
        rest = self._pass(number)[at * size : self.steps_in_pass * size]
        if needed <= len(rest):
            return rest[:needed]
        return torch.cat([rest, self._pass(number + 1)])[:needed]

    def _pass(self, number: int) -> Tensor:
        return permutation(len(self.examples), derive_seed(self.seed, "order", number, 0))
