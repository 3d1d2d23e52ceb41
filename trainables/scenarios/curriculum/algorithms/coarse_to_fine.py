"""Coarse-to-fine curriculum learning (Stretcu et al., 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import COUNT, Int, Within
from trainables.learning.scoring import evaluating, logits_of
from trainables.learning.short_training import RunUp, all_rows, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.affinity import affinity_levels, confusion
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum


def coarse_logits(logits: Tensor, cluster_of: Tensor, clusters: int) -> Tensor:
    """Logits whose softmax gives each cluster the probabilities of its classes together.

    Args:
        logits: [batch, classes].
        cluster_of: the cluster of each class, [classes].
        clusters: how many there are, none of them empty.
    """
    places = cluster_of.expand_as(logits)
    lowest = logits.new_full((len(logits), clusters), -torch.inf)
    top = lowest.scatter_reduce(1, places, logits.detach(), "amax")
    parts = (logits - top.gather(1, places)).exp()
    return top + torch.zeros_like(top).scatter_add(1, places, parts).log()


@dataclass(frozen=True)
class CoarseToFine(Curriculum):
    """Groups of easily confused classes first, then the classes (Stretcu et al., 2021).

    Stretcu, Platanios, Mitchell and Poczos, "Coarse-to-Fine Curriculum Learning", 2021,
    arXiv 2106.04072. A teacher, here a copy of the model trained on all examples for
    some epochs of the run's own compute, tells which classes are confused: the distance of two is
    1 less the mean share of one that is taken for the other. Affinity clustering makes of that a
    hierarchy with `clusters` groups at the top. Its levels are trained from coarse to fine, each
    for a part of the training in proportion to its number of labels, as in CurML.

    The probability of a group is the sum of those of its classes. So one head serves all levels,
    where the paper puts a new one on what has been learnt at each level: nothing is thrown away,
    and any model will do (CurML's asks for one with an attribute `layer1`). With no more classes
    than `clusters` this is the plain baseline.
    """

    clusters: Annotated[int, Int(2, 10), Within(Int(2, 1_000_000))] = 3
    teacher_epochs: Annotated[int, Int(1, 3), COUNT] = 2

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if "levels" not in self.state:
            if self._is_plain(examples):
                return None
            self.state["levels"] = self._hierarchy(examples, model, seed)
        levels, ends = self.state["levels"], self._ends()
        number = min(sum(end <= progress + 1e-9 for end in ends), len(ends) - 1)
        # What is in it says how many groups there are, without asking the device in each step.
        self.state["sizes"] = levels[number].bincount()
        self.state["cluster_of"] = levels[number]
        return None

    def next_choice(self, progress: float) -> float:
        later = [end for end in self._ends()[:-1] if end > progress + 1e-9]
        return later[0] if later else math.inf

    def run_up(self, examples: TensorExamples) -> RunUp:
        return RunUp() if self._is_plain(examples) else RunUp(self.teacher_epochs, 1)

    def _is_plain(self, examples: TensorExamples) -> bool:
        return int(examples.labels.max()) + 1 <= self.clusters

    def _ends(self) -> list[float]:
        """The progress at which each level ends; none before there are levels."""
        if "levels" not in self.state:
            return []
        counts = (self.state["levels"].amax(1) + 1).tolist()
        return [end / sum(counts) for end in accumulate(counts)]

    def _hierarchy(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        """The label of each class on each level, from coarse to fine; [levels, classes]."""
        teacher = trained_copy(model, examples, all_rows(examples), self.teacher_epochs, seed)
        with evaluating(teacher):
            logits = logits_of(teacher, examples)
        shares = confusion(logits.argmax(1), examples.labels, logits.shape[1])
        levels = affinity_levels(1.0 - (shares + shares.T) / 2.0, self.clusters)
        return torch.from_numpy(np.stack(levels[::-1])).to(examples.labels.device)

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        clusters = len(self.state["sizes"]) if "sizes" in self.state else outputs.shape[1]
        if clusters == outputs.shape[1]:
            return criterion(outputs, labels).mean()
        cluster_of = self.state["cluster_of"]
        return criterion(coarse_logits(outputs, cluster_of, clusters), cluster_of[labels]).mean()

    def was_given(self, examples: TensorExamples) -> str | None:
        return f"a teacher: the same model after {self.teacher_epochs} epochs on the training data"
