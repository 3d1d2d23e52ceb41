"""Fine-tuning: the plain baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from torch import Tensor

from search_spaces import Categorical
from trainables.scenarios.continual.continual import Continual, cross_entropy
from trainables.scenarios.continual.network import GrowingNetwork


@final
@dataclass(frozen=True)
class FineTuning(Continual):
    """Fine-tuning (as in van de Ven et al., Nature MI 2022): no protection from forgetting.

    Each task is trained on as if it were the only one, with cross-entropy over the logits of all
    classes seen so far, or over those of the current task alone. With the second the heads of
    earlier tasks are left as they are, which forgets much less.
    """

    stability: ClassVar[frozenset[str]] = frozenset({"logits"})

    logits: Annotated[str, Categorical(["all", "current"])] = "all"

    def loss(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network, inputs, labels, self.logits)
