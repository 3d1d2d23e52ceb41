"""Minimax curriculum learning (Zhou and Bilmes, ICLR 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import BELOW_ONE, NOT_NEGATIVE, POSITIVE_SHARE, Float
from trainables.learning.scoring import logits_at
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum
from trainables.scenarios.curriculum.order import every_class_first
from trainables.scenarios.curriculum.sampling import drawn, remember

EPISODES = 10
WARM_UP = 0.025
LEAST_LAM = 0.2


def centrality(features: Tensor) -> Tensor:
    """Similarity of each example to all, [n]: the row sums of F F^T, without that matrix.

    Args:
        features: F, [n, d].
    """
    # Without a matrix product: every rank does this for all examples, which must not count twice.
    return (features * features.sum(0)).sum(1)


@dataclass(frozen=True)
class Minimax(Curriculum):
    """Small, diverse subsets first, then larger, harder ones (Zhou and Bilmes, ICLR 2018).

    Zhou and Bilmes, "Minimax Curriculum Learning: Machine Teaching with Desirable Difficulties and
    Scheduled Diversity", ICLR 2018, in the form of their code and of CurML: an epoch draws its
    subset without replacement in proportion to loss + lam centrality, where centrality, an
    example's likeness to all others, stands in for the submodular diversity. Loss and centrality
    are both divided by their sums, else one of them would not count.

    The training has 10 episodes (CurML: of 20 epochs in 200). From one to the next the subset
    grows from a share `start` by a ninth of the rest, so that the last has all data (CurML's ends
    at 91 %), and lam falls to (1 - gamma) lam, not below 0.2. An episode begins by measuring all
    losses and centralities under the model as it stands, by a forward pass, or where it is shorter
    than a pass those of half as many examples as it trains on; after that an example's loss is the
    one it last had in training. Features are the class probabilities, which are never negative and
    which every model has. In the first fortieth of the training (CurML: 5 epochs) all examples
    take part. A subset has an example of each class.
    """

    start: Annotated[float, Float(0.05, 1.0), POSITIVE_SHARE] = 0.1
    lam: Annotated[float, Float(0.2, 10.0, log=True), NOT_NEGATIVE] = 1.0
    gamma: Annotated[float, Float(0.0, 0.5), BELOW_ONE] = 0.1

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        blank = torch.zeros(len(examples), device=examples.labels.device)
        self.state["losses"] = blank
        self.state["episode"] = torch.full((), -1, device=blank.device)

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if self.share(progress) == 1.0:
            return None
        episode = _episode(progress)
        if self.state["episode"] != episode:
            self._measure(model, examples)
            self.state["episode"].fill_(episode)
        rows = self.state["rows"]
        order = rows[drawn(self.weights(episode).log(), len(rows), seed)]
        return every_class_first(order, examples.labels)

    def share(self, progress: float) -> float:
        if progress < WARM_UP:
            return 1.0
        over = _episode(progress) / (EPISODES - 1)
        return 1.0 if over == 1.0 else self.start + over * (1.0 - self.start)

    def next_choice(self, progress: float) -> float:
        if self.start == 1.0:
            return math.inf
        return WARM_UP if progress < WARM_UP else (_episode(progress) + 1) / EPISODES

    def weights(self, episode: int) -> Tensor:
        """Weights by which the measured examples are drawn, [m]."""
        lam = max(self.lam * (1.0 - self.gamma) ** episode, LEAST_LAM)
        losses = self.state["losses"][self.state["rows"]].double()
        central = self.state["centrality"].double()
        tiny = torch.finfo(losses.dtype).tiny
        return losses / losses.sum().clamp_min(tiny) + lam * central / central.sum()

    def _measure(self, model: nn.Module, examples: TensorExamples) -> None:
        rows = self.measured_rows(examples)
        logits, labels = logits_at(model, examples, rows), examples.labels[rows]
        losses = F.cross_entropy(logits, labels, reduction="none")
        self.state["losses"] = self.state["losses"].index_copy(0, rows, losses)
        self.state["centrality"], self.state["rows"] = centrality(logits.softmax(1)), rows

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        losses = criterion(outputs, labels)
        remember(self.state["losses"], indices, losses.detach())
        return losses.mean()


def _episode(progress: float) -> int:
    # A quotient such as 0.3 / 0.1 is less than the whole number that is meant.
    return min(EPISODES - 1, int(progress * EPISODES + 1e-9))
