"""A bandit that chooses what to train on (Matiisen et al., IEEE TNNLS 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import (
    POSITIVE,
    POSITIVE_SHARE,
    SHARE,
    Categorical,
    Float,
    Formerly,
    Int,
    Only,
    Within,
)
from trainables.foundation.randomness import derive_seed, keyed_uniform, permutation
from trainables.learning.scoring import logits_at
from trainables.learning.short_training import RunUp
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import DataCurriculum
from trainables.scenarios.curriculum.order import order_of
from trainables.scenarios.scorer import Scorer
from trainables.scenarios.scorers.self_taught import SelfTaught

FEWEST_PROBES, MOST_PROBES = 5, 100
"""On how many examples of a bin accuracy is measured."""


def slopes(scores: Tensor) -> Tensor:
    """The slope of the least-squares line through equally spaced scores; [t, tasks] to [tasks]."""
    times = torch.arange(len(scores), device=scores.device, dtype=scores.dtype)
    centred = (times - times.mean())[:, None]
    return (centred * scores).sum(0) / centred.square().sum()


@dataclass(frozen=True)
class RLTeacher(DataCurriculum):
    """A bandit prefers tasks being learnt or forgotten (Matiisen et al., IEEE TNNLS 2019).

    Matiisen, Oliver, Cohen and Schulman, "Teacher-Student Curriculum Learning", IEEE TNNLS 2019
    (arXiv 1707.00183), in the form that they use for supervised tasks: before each decision the
    accuracy in every task is measured, and the teacher says in which shares the next examples come
    from the tasks. A decision is for as many examples as a task has, one of `bins` parts of the
    data (as in CurML and CurBench, which train one pass over one block). By `epsilon_greedy`
    1 - epsilon of them come from the task with the greatest |Q| (from all alike, as long as
    nothing is known), epsilon from all; by `boltzmann` they come in proportion to
    exp(|Q| / temperature).
    The authors' scripts have epsilon 0.1 and temperature 0.0004; an epsilon of 0.01 is the default
    of a constructor that they never use, and what CurML has. Q is

    - `online`: an average of the rise in accuracy since the last decision, at the rate alpha,
    - `naive`: of the slope of the last `window` accuracies, once in so many decisions,
    - `window`: the slope of the last `window` accuracies,
    - `sampling`: one of the last `window` rises, drawn for each task.

    Tasks are equally large bins of the training examples, from easy to hard by a scorer (CurML
    takes blocks of the order in the file, which mean nothing). The first decision takes from all
    alike; after that a class may be missing for a while, as it may be from a bin. Accuracy is
    measured on half as many training examples as a decision is for, but at least 5 and at most 100
    of each bin, and paid for. An epsilon of 1 chooses nothing.
    """

    scorer: Scorer = SelfTaught()
    policy: Annotated[str, Categorical(["online", "naive", "window", "sampling"])] = "online"
    bins: Annotated[int, Int(2, 20), Within(Int(2, 1_000_000))] = 10
    exploration: Annotated[
        str, Categorical(["epsilon_greedy", "boltzmann"]), Formerly("epsilon_greedy")
    ] = "epsilon_greedy"
    epsilon: Annotated[
        float, Float(0.01, 1.0, log=True), SHARE, Only(exploration="epsilon_greedy")
    ] = 0.1
    temperature: Annotated[
        float,
        Float(1e-4, 0.1, log=True),
        POSITIVE,
        Only(exploration="boltzmann"),
        Formerly(0.0004),
    ] = 0.0004
    alpha: Annotated[
        float, Float(0.01, 1.0, log=True), POSITIVE_SHARE, Only(policy=("online", "naive"))
    ] = 0.1
    window: Annotated[
        int, Int(2, 20), Within(Int(2, 1_000_000)), Only(policy=("naive", "window", "sampling"))
    ] = 10

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if self._chooses_nothing():
            return None
        if "order" not in self.state:
            difficulty = self.scorer.difficulty(examples, model, seed)
            self._prepare(order_of(difficulty, None, seed))
        self._observe(self.accuracies(examples, model))
        return self._mixed(self.shares(self.values(seed)), seed)

    def pass_length(self, total: int) -> int:
        return total if self._chooses_nothing() else -(-total // min(self.bins, total))

    def run_up(self, examples: TensorExamples) -> RunUp:
        return RunUp() if self._chooses_nothing() else self.scorer.run_up()

    def _chooses_nothing(self) -> bool:
        return self.exploration == "epsilon_greedy" and self.epsilon == 1.0

    def _prepare(self, order: Tensor) -> None:
        self.state["order"] = order
        bins = min(self.bins, len(order))
        blank = torch.zeros(bins, dtype=torch.float64, device=order.device)
        self.state["average"], self.state["scores"] = blank, blank.new_zeros(0, bins)

    def tasks(self) -> tuple[Tensor, ...]:
        """The examples of each bin, from the easiest."""
        return self.state["order"].tensor_split(len(self.state["average"]))

    def accuracies(self, examples: TensorExamples, model: nn.Module) -> Tensor:
        """The model's accuracy in each bin, [bins], on examples spread evenly over it."""
        tasks = self.tasks()
        wanted = len(examples) // len(tasks) // 2 // len(tasks)
        most = min(MOST_PROBES, max(FEWEST_PROBES, wanted))
        probes = [task[:: -(-len(task) // most)] for task in tasks]
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
        """The share of the next examples that comes from each bin, [bins]."""
        if self.exploration == "boltzmann":
            return (values.abs() / self.temperature).softmax(0)
        greatest = values.abs() == values.abs().max()
        return self.epsilon / len(values) + (1.0 - self.epsilon) * greatest / greatest.sum()

    def _mixed(self, shares: Tensor, seed: int) -> Tensor:
        """As many examples as a bin has, of each bin its share; a bin is gone through in turns."""
        total = self.pass_length(len(self.state["order"]))
        ends = (shares.cumsum(0) * total).round().long().tolist()
        chosen = []
        for number, (task, end) in enumerate(zip(self.tasks(), ends, strict=True)):
            order = permutation(len(task), derive_seed(seed, "bin", number)).to(task.device)
            count = end - (ends[number - 1] if number else 0)
            chosen.append(task[order[torch.arange(count, device=task.device) % len(task)]])
        return torch.cat(chosen)

    def was_given(self, examples: TensorExamples) -> str | None:
        return self.scorer.was_given()
