"""Local-to-global learning (Cheng et al., CVPR 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from search_spaces import POSITIVE, POSITIVE_SHARE, Categorical, Float
from trainables.foundation.randomness import derive_seed, permutation
from trainables.learning.scoring import logits_at
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum
from trainables.scenarios.pacing import ALL_IN

FEWEST = 2


@dataclass(frozen=True)
class LocalToGlobal(Curriculum):
    """A few classes first, then more and more of them (Cheng et al., CVPR 2019).

    Cheng, Lian, Deng, Gao, Tan and Geng, "Local to Global Learning: Gradually Adding Classes for
    Training Deep Neural Networks", CVPR 2019. Only examples of the classes that are in take part,
    and only the logits of those classes are trained. The first classes are drawn; at each further
    interval come others: drawn too (`random`), or those of which the model is surest (`similar`)
    or least sure (`dissimilar`) which of the classes known so far they are, by the mean entropy
    of its answers over a class.

    The shares of the classes at first and at each interval, and the interval, a tenth of the
    training, are those of CurBench (20 of 200 epochs). CurML and CurBench begin the schedule of
    the learning rate anew with each addition; here it follows the progress of the whole training.
    A single class would teach nothing, so the first are at least two. Classes join wherever in a
    pass over the data their interval begins, and all of them are in for the last tenth of the
    training. The others are missing at first on purpose.
    """

    begins_with_some_classes: ClassVar[bool] = True

    start: Annotated[float, Float(0.1, 1.0), POSITIVE_SHARE] = 0.4
    growth: Annotated[float, Float(0.05, 1.0), POSITIVE] = 0.3
    interval: Annotated[float, Float(0.02, 0.3), POSITIVE_SHARE] = 0.1
    strategy: Annotated[str, Categorical(["random", "similar", "dissimilar"])] = "random"

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        present = examples.labels.unique()
        count = self.count(progress, len(present))
        if count == len(present):
            # Classes without an example are back, too: the loss is that of all logits.
            self.state.pop("known", None)
            self.state.pop("places", None)
            return None
        known = self.state.get("known", present[:0])
        if len(known) < count:
            known = self._with_more(known, present, count, examples, model, seed)
        return torch.isin(examples.labels, known).nonzero().squeeze(1)

    def count(self, progress: float, classes: int) -> int:
        """Number of classes that take part."""
        if progress >= ALL_IN:
            return classes
        share = self.start + self.growth * self._intervals(progress)
        return min(classes, max(FEWEST, round(share * classes)))

    def next_choice(self, progress: float) -> float:
        if progress >= ALL_IN or self.start + self.growth * self._intervals(progress) >= 1.0:
            return math.inf
        return min(ALL_IN, (self._intervals(progress) + 1) * self.interval)

    def _intervals(self, progress: float) -> int:
        return int(progress / self.interval + 1e-9)

    def _with_more(
        self,
        known: Tensor,
        present: Tensor,
        count: int,
        examples: TensorExamples,
        model: nn.Module,
        seed: int,
    ) -> Tensor:
        others = present[~torch.isin(present, known)]
        if len(known) and self.strategy != "random":
            doubt = self._entropy(others, known, examples, model)
            order = doubt.argsort(stable=True, descending=self.strategy == "dissimilar")
        else:
            order = permutation(len(others), derive_seed(seed, "classes")).to(others.device)
        known = torch.cat([known, others[order[: count - len(known)]]]).sort().values
        places = torch.zeros(int(present[-1]) + 1, dtype=torch.int64, device=known.device)
        places[known] = torch.arange(len(known), device=known.device)
        self.state["known"], self.state["places"] = known, places
        return known

    @staticmethod
    def _entropy(
        others: Tensor, known: Tensor, examples: TensorExamples, model: nn.Module
    ) -> Tensor:
        """The mean entropy of the answers among `known` classes over each of the `others`."""
        chosen = torch.isin(examples.labels, others).nonzero().squeeze(1)
        log = logits_at(model, examples, chosen)[:, known].double().log_softmax(1)
        entropies, labels = -(log.exp() * log).sum(1), examples.labels[chosen]
        return torch.stack([entropies[labels == other].mean() for other in others])

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        if "known" not in self.state:
            return criterion(outputs, labels).mean()
        known, places = self.state["known"], self.state["places"]
        return criterion(outputs[:, known], places[labels]).mean()
