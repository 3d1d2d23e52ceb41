"""Curricula that learn weights from a meta set: how each example's gradient agrees with it.

After a virtual step theta' = theta - (alpha / n) sum_i w_i grad l_i(theta), the derivative of the
meta loss L(theta') with respect to w_i is -(alpha / n) <grad l_i(theta), grad L(theta')>. All
those products are one derivative, of the losses along grad L(theta'), which forward mode gives in
one pass: no graph is differentiated twice, and nothing is computed example by example.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _NormBase

from search_spaces import Float, InputError, Within
from trainables.foundation.randomness import permutation
from trainables.learning.tensors import TensorExamples
from trainables.ranks.batch_norm import SharedBatchNorm
from trainables.ranks.ranks import Ranks
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum

Weights = dict[str, Tensor]
Losses = Callable[[Weights], Tensor]


def held_out(labels: Tensor, share: float, seed: int) -> Tensor:
    """Indices of a share of the examples, as many of each class, in a random order.

    A class gives at most half of its examples, so that all are still trained on.
    """
    order = permutation(len(labels), seed).to(labels.device)
    shuffled, counts = labels[order], labels.bincount()
    each = -(-round(share * len(labels)) // int((counts > 0).sum()))
    grouped, starts = shuffled.argsort(stable=True), counts.cumsum(0) - counts
    place = torch.empty_like(order)
    place[grouped] = torch.arange(len(order), device=order.device) - starts[shuffled[grouped]]
    return order[place < (counts // 2).clamp_max(each)[shuffled]]


def known_clean(examples: TensorExamples) -> Tensor | None:
    """Indices of the examples that the data's column `clean` vouches for, or None."""
    clean = examples.columns.get("clean")
    if clean is None or clean.dtype != torch.bool or not clean.any():
        return None
    return clean.nonzero().squeeze(1)


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """The model with its dropout off, batch normalisation as it is; modes are put back after."""
    modules = list(model.modules())
    was_training = [module.training for module in modules]
    for module in modules:
        module.training &= isinstance(module, _NormBase | SharedBatchNorm)
    try:
        # Of the kernels for attention this one alone has a forward-mode derivative.
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for module, training in zip(modules, was_training, strict=True):
            module.training = training


def losses_with(model: nn.Module, criterion: Criterion, inputs: Tensor, labels: Tensor) -> Losses:
    """The losses [batch] as a function of the model's weights, whose buffers stay as they are."""

    def losses(weights: Weights) -> Tensor:
        # Batch normalisation writes into its running statistics, here into copies.
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        return criterion(functional_call(model, {**buffers, **weights}, (inputs,)), labels)

    return losses


def gradient(losses: Losses, weights: Weights, of_each: Tensor, ranks: Ranks) -> Weights:
    """The gradient of the sum of losses that count `of_each`, over all ranks' losses."""
    leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    # By the tape: torch.func's reverse mode gives the same at twice the overhead on small models.
    own = torch.autograd.grad(
        losses(leaves), list(leaves.values()), of_each, materialize_grads=True
    )
    return dict(zip(leaves, ranks.sum_of_each(own), strict=True))


@dataclass(frozen=True)
class MetaCurriculum(Curriculum, ABC):
    """Has a meta set, by which it judges what training on an example does.

    It is a class-balanced part of the training examples, which are then not trained on. Where the
    data has a column `clean`, it is the examples known to be clean instead, which are trained on
    as well. Either is used unaugmented, in turn, a batch as large as that of the training.

    The passes besides the training's own leave dropout out and normalise by their batches, and
    change no running statistics.
    """

    indivisible: ClassVar[str | None] = "torch.func differentiates its losses in forward mode"
    needs_whole_model: ClassVar[str | None] = "it differentiates along all weights at once"

    meta_share: Annotated[float, Within(Float(0.01, 0.5))] = 0.1

    @classmethod
    def unsuited(cls, model: nn.Module, input_shape: Sequence[int]) -> str | None:
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            return "its recurrent layers have no forward-mode derivative in PyTorch"
        return None

    def data_prepare(self, examples: TensorExamples, seed: int) -> None:
        chosen = known_clean(examples)
        if chosen is None:
            chosen = held_out(examples.labels, self.meta_share, seed)
            trained = torch.ones_like(examples.labels, dtype=torch.bool)
            self.state["trained"] = trained.index_fill(0, chosen, False).nonzero().squeeze(1)
        else:
            chosen = chosen[permutation(len(chosen), seed).to(chosen.device)]
        if len(chosen) == 0:
            raise InputError(
                f"algorithm: '{self.part_name()}' needs a meta set, but no class has two of the "
                f"{len(examples)} training examples; give it more data."
            )
        self.state["meta"] = chosen
        self.state["used"] = torch.zeros((), dtype=torch.int64, device=chosen.device)

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        self.refuse(self.unsuited(model, examples.inputs.shape[1:]))
        self.tell(model=model, examples=examples)

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        return self.state.get("trained")

    def was_given(self, examples: TensorExamples) -> str | None:
        clean = known_clean(examples)
        if clean is not None:
            return f"a meta set of {len(clean)} examples known to be clean, trained on as well"
        return (
            f"a meta set of {self.held_out_of(examples)} training examples, held out from training"
        )

    def held_out_of(self, examples: TensorExamples) -> int:
        """Number of examples that are not trained on."""
        if known_clean(examples) is not None:
            return 0
        return len(held_out(examples.labels, self.meta_share, 0))

    def meta_batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the next `size` examples of the meta set, or of all it has."""
        meta, examples = self.state["meta"], self.seen["examples"]
        size = min(size, len(meta))
        places = (self.state["used"] + torch.arange(size, device=meta.device)) % len(meta)
        self.state["used"] = (self.state["used"] + size) % len(meta)
        return examples.inputs[meta[places]], examples.labels[meta[places]]

    def agreement(
        self,
        criterion: Criterion,
        inputs: Tensor,
        labels: Tensor,
        step: tuple[float, Tensor] | None = None,
    ) -> Tensor:
        """<grad l_i(theta), grad L(theta')> of each example of a batch, [batch].

        Args:
            criterion: the loss of each example.
            inputs: [batch, ...].
            labels: [batch].
            step: learning rate and weights [batch] of the virtual step from theta to theta'; None
                for theta' = theta.
        """
        model: nn.Module = self.seen["model"]
        ranks: Ranks = self.seen["examples"].ranks
        here = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
        meta_inputs, meta_labels = self.meta_batch(len(labels))
        own, of_meta = ranks.share(len(labels)), ranks.share(len(meta_labels))
        with without_dropout(model):
            losses = losses_with(model, criterion, inputs[own], labels[own])
            there = here
            if step is not None:
                lr, weights = step
                descent = gradient(losses, here, weights[own] * (lr / len(labels)), ranks)
                there = {name: here[name] - descent[name] for name in here}
            meta = losses_with(model, criterion, meta_inputs[of_meta], meta_labels[of_meta])
            share = torch.full_like(meta_labels[of_meta], 1, dtype=inputs.dtype)
            direction = gradient(meta, there, share / len(meta_labels), ranks)
            products = jvp(losses, (here,), (direction,))[1]
        return ranks.gather(products, len(labels))
