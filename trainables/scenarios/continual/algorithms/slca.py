"""Slow learner with classifier alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import COUNT, POSITIVE, SHARE, Float, Int, Within
from trainables.learning.scoring import evaluating
from trainables.learning.tensors import TensorExamples
from trainables.parts.optimizer import Optimizer
from trainables.scenarios.continual.continual import Continual, cross_entropy
from trainables.scenarios.continual.network import GrowingNetwork

RIDGE = 1e-4


@final
@dataclass(frozen=True)
class SLCA(Continual):
    """SLCA (Zhang et al., ICCV 2023): a slow backbone, and heads aligned on remembered statistics.

    Slow learner (section 3.2): the backbone's learning rate is `slow` times that of the newest
    head; the loss is over the current task's logits and earlier heads stay as they are. The
    authors' backbone normalises each input alone. Ours may have batch normalisation, whose
    statistics would move at full speed: they stand still from the first task on, with a
    pre-trained backbone, or else from the second.
    Classifier alignment (section 3.3): of each class the mean and covariance of its features are
    kept. After each task but the first all heads are trained on `samples` features a class and
    epoch, drawn from these Gaussians, in batches of `samples`. The loss is the cross-entropy of
    logits H / (n τ), n being the mean over tasks of the norm of each task's logits. Aligned heads
    answer; the next task starts from the unaligned ones. As in the authors' code a class's mean
    shrinks with its age, by s + (1 - s)(t_c + 1) / (t + 1).

    Optimizer and batch size are the authors' (GengDavid/SLCA); they divide the rate by ten in the
    last tenth of a task, for which there is no schedule here.
    """

    published: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4},
        "training": {"batch_size": 128},
    }
    stability: ClassVar[frozenset[str]] = frozenset(
        {"alignment_epochs", "alignment_lr", "samples", "temperature", "shrinkage"}
    )

    slow: Annotated[float, Float(1e-3, 1.0, log=True), SHARE] = 0.01
    alignment_epochs: Annotated[int, Int(0, 20), Within(Int(0, 1_000_000))] = 5
    alignment_lr: Annotated[float, Float(1e-3, 0.1, log=True), POSITIVE] = 0.01
    samples: Annotated[int, Int(8, 512, log=True), COUNT] = 256
    temperature: Annotated[float, Float(0.02, 0.5, log=True), POSITIVE] = 0.1
    shrinkage: Annotated[float, Float(0.8, 1.0), SHARE] = 0.9

    def optimizer(self, network: GrowingNetwork, chosen: Optimizer) -> torch.optim.Optimizer:
        network.hold_statistics()
        optimizer = chosen.build(network.backbone.parameters())
        optimizer.param_groups[0]["lr"] *= self.slow
        optimizer.add_param_group({"params": list(network.heads[-1].parameters())})
        return optimizer

    def loss(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network, inputs, labels, "current")

    def end_task(self, network: GrowingNetwork, task: TensorExamples, memory: int) -> None:
        self._remember(network, task)
        if network.known and self.alignment_epochs:
            self._align(network)

    def _remember(self, network: GrowingNetwork, task: TensorExamples) -> None:
        """Keeps mean [classes, d] and covariance [classes, d, d] of the new classes' features."""
        with evaluating(network):
            own = torch.cat([network.embed(some) for some in task.own_inputs()])
        features = task.ranks.gather(own, len(task)).double()
        ridge = RIDGE * torch.eye(network.features, device=features.device)

        def statistics(classes: Tensor) -> Tensor:
            """Mean, and below it the covariance, of each class, [classes, 1 + d, d]."""
            found = [features.new_zeros(0, 1 + len(ridge), len(ridge)).float()]
            for label in classes.tolist():
                own = features[task.labels == label]
                spread = own.T.cov(correction=min(1, len(own) - 1))
                covariance = spread.float().view_as(ridge) + ridge
                found.append(torch.cat([own.mean(0, keepdim=True).float(), covariance])[None])
            return torch.cat(found)

        classes = torch.arange(network.known, network.known + network.sizes[-1])
        new = task.ranks.divided(statistics, classes)
        for name, values in (("mean", new[:, 0]), ("covariance", new[:, 1:])):
            self.state[name] = torch.cat([self.state.get(name, values[:0]), values])

    def _align(self, network: GrowingNetwork) -> None:
        """Trains copies of the heads (section 3.3, equation 4) and keeps them in `state`."""
        sizes, device, ranks = network.sizes, self.state["mean"].device, network.ranks
        heads = [
            (head.weight.detach().clone().requires_grad_(), head.bias.detach().clone())
            for head in network.heads
            if isinstance(head, nn.Linear)
        ]
        leaves = [leaf.requires_grad_() for head in heads for leaf in head]
        optimizer = torch.optim.SGD(
            leaves, self.alignment_lr, momentum=0.9, weight_decay=5e-4, fused=True
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.alignment_epochs)
        means = self.state["mean"] * self._shrinkage_of(sizes)
        own = ranks.share(len(means))
        roots = self._roots(own)
        labels = torch.arange(len(means), device=device).repeat_interleave(self.samples)
        for _ in range(self.alignment_epochs):
            noise = torch.randn(len(means), self.samples, means.shape[1], device=device)
            drawn = means[own, None] + noise[own] @ roots.mT
            features = ranks.gather(drawn, len(means)).flatten(0, 1)
            for batch in torch.randperm(len(labels), device=device).split(self.samples):
                logits = ranks.divided(partial(_answers, heads), features[batch]).split(sizes, 1)
                optimizer.zero_grad()
                F.cross_entropy(normalised(logits, self.temperature), labels[batch]).backward()
                ranks.sum_gradients(leaves)
                optimizer.step()
            schedule.step()
        for index, (weight, bias) in enumerate(heads):
            self.state[f"heads.{index}.weight"] = weight.detach()
            self.state[f"heads.{index}.bias"] = bias.detach()

    def _shrinkage_of(self, sizes: list[int]) -> Tensor:
        """Factors of the classes' means, [classes, 1]."""
        tasks = torch.arange(1, len(sizes) + 1, device=self.state["mean"].device) / len(sizes)
        counts = torch.tensor(sizes, device=tasks.device)
        factors = self.shrinkage + (1 - self.shrinkage) * tasks
        return factors.repeat_interleave(counts)[:, None]

    def _roots(self, classes: slice) -> Tensor:
        """L with L Lᵀ = covariance of some classes."""
        # Without checks: features that are no longer numbers must not raise.
        return torch.linalg.cholesky_ex(self.state["covariance"][classes]).L

    def deployed(self, network: GrowingNetwork) -> dict[str, Tensor]:
        weights = network.state_dict()
        if f"heads.{len(network.heads) - 1}.weight" not in self.state:
            return weights  # the newest task is not over yet
        return weights | {k: v for k, v in self.state.items() if k.startswith("heads.")}


def _answers(heads: Sequence[tuple[Tensor, Tensor]], features: Tensor) -> Tensor:
    """Logits [batch, classes so far] of weights and biases."""
    return torch.cat([F.linear(features, *head) for head in heads], dim=1)


def normalised(logits: Sequence[Tensor], temperature: float) -> Tensor:
    """Logits of each task, put together and divided by their mean norm and the temperature."""
    norms = torch.stack([task.norm(dim=1) + 1e-7 for task in logits])
    return torch.cat(list(logits), dim=1) / (norms.mean(0)[:, None] * temperature)
