"""A bandit that chooses what to train on (Matiisen et al., IEEE TNNLS 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import POSITIVE_SHARE, SHARE, Categorical, Float, Int, Only, Within
from trainables.curriculum._curriculum import DataCurriculum
from trainables.randomness import derive_seed, keyed_uniform, permutation
from trainables.scorers import Scorer
from trainables.scorers.self_taught import SelfTaught
from trainables.scoring import logits_at
from trainables.tensors import TensorExamples

PROBES = 100


def slopes(scores: Tensor) -> Tensor:
    """The slope of the least-squares line through equally spaced scores; [t, tasks] to [tasks]."""
    times = torch.arange(len(scores), device=scores.device, dtype=scores.dtype)
    centred = (times - times.mean())[:, None]
    return (centred * scores).sum(0) / centred.square().sum()


@dataclass(frozen=True)
class RLTeacher(DataCurriculum):
    """A bandit trains on what is being learnt or lost (Matiisen et al., IEEE TNNLS 2019).

    Matiisen, Oliver, Cohen and Schulman, "Teacher-Student Curriculum Learning", IEEE TNNLS 2019
    (arXiv 1707.00183), in the form that they use for supervised tasks: before each epoch the
    accuracy in every task is measured, and the teacher says in which shares the epoch's examples
    come from the tasks: 1 - epsilon from the one with the greatest |Q| (from all alike, as long as
    nothing is known), epsilon from all. Q is

    - `online`: an average of the rise in accuracy since the last epoch, at the rate alpha,
    - `naive`: of the slope of the last `window` accuracies, once in so many epochs,
    - `window`: the slope of the last `window` accuracies,
    - `sampling`: one of the last `window` rises, drawn for each task.

    Tasks are equally large bins of the training examples, from easy to hard by a scorer (CurML
    takes blocks of the order in the file, which mean nothing). Accuracy is measured on at most 100
    training examples of each bin, and paid for. An epsilon of 1 chooses nothing.
    """

    scorer: Scorer = SelfTaught()
    policy: Annotated[str, Categorical(["online", "naive", "window", "sampling"])] = "online"
    bins: Annotated[int, Int(2, 20), Within(Int(2, 1_000_000))] = 10
    epsilon: Annotated[float, Float(0.01, 1.0, log=True), SHARE] = 0.01
    alpha: Annotated[
        float, Float(0.01, 1.0, log=True), POSITIVE_SHARE, Only(policy=("online", "naive"))
    ] = 0.1
    window: Annotated[
        int, Int(2, 20), Within(Int(2, 1_000_000)), Only(policy=("naive", "window", "sampling"))
    ] = 10

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if self.epsilon == 1.0:
            return None
        if "order" not in self.state:
            self._prepare(self.scorer.difficulty(examples, model, seed))
        self._observe(self.accuracies(examples, model))
        return self._mixed(self.shares(self.values(seed)), seed)

    def _prepare(self, difficulty: Tensor) -> None:
        self.state["order"] = difficulty.argsort(stable=True)
        bins = min(self.bins, len(difficulty))
        blank = torch.zeros(bins, dtype=torch.float64, device=difficulty.device)
        self.state["average"], self.state["scores"] = blank, blank.new_zeros(0, bins)

    def tasks(self) -> tuple[Tensor, ...]:
        """The examples of each bin, from the easiest."""
        return self.state["order"].tensor_split(len(self.state["average"]))

    def accuracies(self, examples: TensorExamples, model: nn.Module) -> Tensor:
        """The model's accuracy in each bin, [bins], on examples spread evenly over it."""
        probes = [task[:: -(-len(task) // PROBES)] for task in self.tasks()]
        chosen = torch.cat(probes)
        predicted = logits_at(model, examples, chosen).argmax(1)
        right = (predicted == examples.labels[chosen]).double()
        return torch.stack([each.mean() for each in right.split([len(each) for each in probes])])

    def _observe(self, accuracies: Tensor) -> None:
        """Takes down what each bin's accuracy is now, and what averages follow from it."""
        scores = torch.cat([self.state["scores"], accuracies[None]])
        if self.policy == "naive":
            # The average stays as it is for a whole window, and so does the choice.
            over = len(scores) > self.window
            if over:
                self._average(slopes(scores[1:]))
            self.state["scores"] = scores[-1:] if over else scores
            return
        if self.policy == "online" and len(scores) > 1:
            self._average(scores[-1] - scores[-2])
        self.state["scores"] = scores[-self.window - 1 :]

    def _average(self, reward: Tensor) -> None:
        self.state["average"] = self.state["average"].lerp(reward, self.alpha)

    def values(self, seed: int) -> Tensor:
        """Q of each bin, [bins]."""
        scores = self.state["scores"]
        if self.policy in ("online", "naive"):
            return self.state["average"]
        if len(scores) < 2:
            return torch.ones_like(scores[0])
        if self.policy == "window":
            return slopes(scores[-self.window :])
        rises = scores.diff(dim=0)
        bins = torch.arange(rises.shape[1], device=rises.device)
        drawn = keyed_uniform(bins, derive_seed(seed, "rises"), 1).double() * len(rises)
        return rises.gather(0, drawn.long().T)[0]

    def shares(self, values: Tensor) -> Tensor:
        """The share of the epoch that comes from each bin, [bins]."""
        greatest = values.abs() == values.abs().max()
        return self.epsilon / len(values) + (1.0 - self.epsilon) * greatest / greatest.sum()

    def _mixed(self, shares: Tensor, seed: int) -> Tensor:
        """As many examples as there are, of each bin its share; a bin is gone through in turns."""
        ends = (shares.cumsum(0) * len(self.state["order"])).round().long().tolist()
        chosen = []
        for number, (task, end) in enumerate(zip(self.tasks(), ends, strict=True)):
            order = permutation(len(task), derive_seed(seed, "bin", number)).to(task.device)
            count = end - (ends[number - 1] if number else 0)
            chosen.append(task[order[torch.arange(count, device=task.device) % len(task)]])
        return torch.cat(chosen)

    def was_given(self, examples: TensorExamples) -> str | None:
        return self.scorer.was_given()
