"""Hard targets: the loss of a view against labels that a model gave, where it was sure of them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def confident(probabilities: Tensor, threshold: Tensor | float) -> Tensor:
    """1(max p ≥ τ): whether each answer [batch, classes] is sure enough; bool [batch]."""
    return probabilities.amax(1) >= threshold


def masked_cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """1/μB Σ mask_i H(label_i, logits_i): a mean over all examples, the masked ones as zeros."""
    return (F.cross_entropy(logits, labels, reduction="none") * mask).mean()
