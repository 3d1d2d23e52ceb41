"""Minimax curriculum learning (Zhou and Bilmes, ICLR 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import BELOW_ONE, NOT_NEGATIVE, POSITIVE_SHARE, Float
from trainables.curriculum._curriculum import Criterion, Curriculum
from trainables.curriculum._sampling import count_of, drawn, remember
from trainables.scoring import evaluating, logits_of
from trainables.tensors import TensorExamples

EPISODES = 10
WARM_UP = 0.025
LEAST_LAM = 0.2


def centrality(features: Tensor) -> Tensor:
    """How alike each example is to all, [n]: the row sums of F F^T, without that matrix.

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
    grows from a share `start` by a tenth of the rest, and lam falls to (1 - gamma) lam, not below
    0.2. At its first epoch an episode measures all losses and centralities under the model as it
    stands, by a forward pass; after that an example's loss is the one it last had in training.
    Features are the class probabilities, which are never negative and which every model has. In
    the first fortieth of the training (CurML: 5 epochs) all examples take part.
    """

    start: Annotated[float, Float(0.05, 1.0), POSITIVE_SHARE] = 0.1
    lam: Annotated[float, Float(0.2, 10.0, log=True), NOT_NEGATIVE] = 1.0
    gamma: Annotated[float, Float(0.0, 0.5), BELOW_ONE] = 0.1

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        blank = torch.zeros(len(examples), device=examples.labels.device)
        self.state["losses"], self.state["centrality"] = blank, blank.clone()
        self.state["episode"] = torch.full((), -1, device=blank.device)

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        episode = int(progress * EPISODES)
        count = count_of(self.share(episode), len(examples))
        if progress < WARM_UP or count == len(examples):
            return None
        if self.state["episode"] != episode:
            self._measure(model, examples)
            self.state["episode"].fill_(episode)
        return drawn(self.weights(episode).log(), count, seed)

    def share(self, episode: int) -> float:
        """The share of the data that an epoch draws."""
        return self.start + episode * (1.0 - self.start) / EPISODES

    def weights(self, episode: int) -> Tensor:
        """What each example is drawn in proportion to, [n]."""
        lam = max(self.lam * (1.0 - self.gamma) ** episode, LEAST_LAM)
        losses, central = self.state["losses"].double(), self.state["centrality"].double()
        tiny = torch.finfo(losses.dtype).tiny
        return losses / losses.sum().clamp_min(tiny) + lam * central / central.sum()

    def _measure(self, model: nn.Module, examples: TensorExamples) -> None:
        with evaluating(model):
            logits = logits_of(model, examples)
        self.state["losses"] = F.cross_entropy(logits, examples.labels, reduction="none")
        self.state["centrality"] = centrality(logits.softmax(1))

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
