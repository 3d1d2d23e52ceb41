"""Supervised training on the labelled examples alone: the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch.nn.functional as F
from torch import Tensor

from search_spaces import Categorical, Override
from trainables.parts.view import without_strong
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.networks import Networks
from trainables.scenarios.semi_supervised.semi_supervised import SemiSupervised


@dataclass(frozen=True)
class Supervised(SemiSupervised):
    """Cross-entropy on the labelled examples, and nothing else.

    What Oliver et al. ("Realistic Evaluation of Deep Semi-Supervised Learning Algorithms",
    NeurIPS 2018) ask for: a baseline as well tuned as the methods. So it may average weights,
    and train on the strong view, which others must not win by having to themselves.
    """

    overrides: ClassVar[tuple[Override, ...]] = without_strong(view="weak")

    view: Annotated[str, Categorical(["weak", "strong"])] = "weak"

    def labelled_loss(self, batch: Batch, labels: Tensor, networks: Networks) -> Tensor:
        inputs = batch.strong() if self.view == "strong" else batch.weak()
        return F.cross_entropy(networks.logits(inputs), labels)
