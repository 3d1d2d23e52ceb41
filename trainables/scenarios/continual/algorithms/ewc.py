"""Elastic weight consolidation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad, vmap

from search_spaces import COUNT, NOT_NEGATIVE, Categorical, Float, Int
from trainables.learning.scoring import evaluating
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.continual.continual import Continual, cross_entropy
from trainables.scenarios.continual.network import GrowingNetwork

CHUNK = 64


@final
@dataclass(frozen=True)
class EWC(Continual):
    """EWC (Kirkpatrick et al., PNAS 2017): a penalty holds weights that earlier tasks need.

    The loss is L(θ) + Σ_i strength/2 F_i (θ_i - θ*_i)² (equation 3). F_i is the diagonal of the
    Fisher information, the mean over examples of the squared gradient of log p(y | x): of each
    example by itself, not of a batch. `labels` takes y from the data (the empirical Fisher) or
    draws it from the model. Of several tasks the sum of quadratics is kept as the one quadratic
    that it is: F = Σ F_t, θ* = Σ F_t θ*_t / F, which differs from it by a constant.
    """

    stability: ClassVar[frozenset[str]] = frozenset({"strength", "labels", "samples", "logits"})

    strength: Annotated[float, Float(0.1, 1e5, log=True), NOT_NEGATIVE] = 100.0
    labels: Annotated[str, Categorical(["data", "model"])] = "data"
    samples: Annotated[int, Int(16, 4096, log=True), COUNT] = 256
    logits: Annotated[str, Categorical(["all", "current"])] = "all"

    def loss(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network, inputs, labels, self.logits)

    def penalty(self, network: GrowingNetwork) -> Tensor | None:
        """Equation 3's second term, once a task is over."""
        if not self.state:
            return None
        terms = [
            (self.state[f"fisher {name}"] * (value - self.state[f"anchor {name}"]).square()).sum()
            for name, value in network.named_parameters()
            if f"fisher {name}" in self.state
        ]
        return self.strength / 2 * torch.stack(terms).sum()

    def end_task(self, network: GrowingNetwork, task: TensorExamples, memory: int) -> None:
        chosen = torch.randperm(len(task))[: self.samples].to(task.labels.device)
        fisher = self.fisher(network, task.inputs[chosen], task.labels[chosen])
        for name, value in network.named_parameters():
            anchor, new = value.detach().clone(), fisher[name]
            before = self.state.get(f"fisher {name}", torch.zeros_like(new))
            total, old = before + new, self.state.get(f"anchor {name}", anchor)
            share = torch.where(total > 0, new / total, 1.0)
            self.state[f"fisher {name}"] = total
            self.state[f"anchor {name}"] = old + share * (anchor - old)

    def fisher(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The diagonal Fisher information by parameter, from per-sample gradients."""
        values = {name: value.detach() for name, value in network.named_parameters()}
        buffers = dict(network.named_buffers())

        def negative_log_likelihood(
            parameters: dict[str, Tensor], one: Tensor, label: Tensor
        ) -> Tensor:
            logits = functional_call(network, (parameters, buffers), (one[None],))
            return F.cross_entropy(logits, label[None])

        def in_chunks(inputs: Tensor) -> Tensor:
            return torch.cat([network(some) for some in inputs.split(CHUNK)])

        per_sample = vmap(grad(negative_log_likelihood), in_dims=(None, 0, 0))
        total = {name: torch.zeros_like(value) for name, value in values.items()}
        own = network.ranks.share(len(inputs))
        with evaluating(network):
            if self.labels == "model":
                logits = network.ranks.divided(in_chunks, inputs)
                labels = torch.multinomial(logits.softmax(1), 1).squeeze(1)
            parts = (whole[own].split(CHUNK) for whole in (inputs, labels))
            for some, their in zip(*parts, strict=True):
                for name, gradients in per_sample(values, some, their).items():
                    total[name] += gradients.square().sum(0)
        sums = network.ranks.sum_of_each(list(total.values()))
        return {name: each / len(inputs) for name, each in zip(total, sums, strict=True)}
