"""Self-paced learning (Kumar, Packer and Koller, NIPS 2010)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import Categorical
from trainables.curriculum._curriculum import Criterion, Curriculum
from trainables.curriculum._paced import admitted
from trainables.pacing import Pacing
from trainables.pacing.linear import Linear
from trainables.scoring import losses_of
from trainables.tensors import TensorExamples


def weights(kind: str, losses: Tensor, threshold: Tensor) -> Tensor:
    """How much examples that were let in count, given their losses now; [batch], in [0, 1].

    With lambda the threshold: hard 1 (Kumar et al., eq. 4); linear 1 - l/lambda and logistic
    (1 + e^-lambda) / (1 + e^(l - lambda)) (Jiang et al., ACM MM 2014; Xu et al., IJCAI 2015).
    """
    if kind == "linear":
        # Losses of examples that are learned by heart are exactly 0, and so may be lambda.
        tiny = torch.finfo(threshold.dtype).tiny
        return (1.0 - losses / threshold.clamp_min(tiny)).clamp(0.0, 1.0)
    if kind == "logistic":
        return (1.0 + torch.exp(-threshold)) / (1.0 + torch.exp(losses - threshold))
    return torch.ones_like(losses)


@dataclass(frozen=True)
class SelfPaced(Curriculum):
    """Before each epoch the examples with the least current loss are let in, ever more of them.

    Kumar, Packer and Koller, "Self-Paced Learning for Latent Variable Models", NIPS 2010, with the
    share let in paced directly, as in CurML, in place of their 1/K: the threshold lambda is the
    loss of the last example let in. Scoring costs a forward pass over all examples an epoch.
    """

    pacing: Pacing = Linear(start=0.0, full_at=0.5)
    weighting: Annotated[str, Categorical(["hard", "linear", "logistic"])] = "hard"

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        count = admitted(self.pacing, progress, len(examples))
        if count == len(examples) and self.weighting == "hard":
            return None
        losses = losses_of(model, examples)
        easiest = losses.argsort(stable=True)[:count]
        self.state["threshold"] = losses[easiest[-1]]
        return easiest

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        losses = criterion(outputs, labels)
        if self.weighting == "hard":
            return losses.mean()
        return (weights(self.weighting, losses.detach(), self.state["threshold"]) * losses).mean()
