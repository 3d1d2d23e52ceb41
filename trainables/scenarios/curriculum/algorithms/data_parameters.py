"""Data parameters (Saxena, Tuzel and DeCoste, NeurIPS 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import NOT_NEGATIVE, Categorical, Float, Formerly, Only
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion, LossCurriculum

MOMENTUM = 0.9
WIDEST = math.log(20.0)
DECAYS = [0.0, 1e-8, 1e-6, 1e-4]
ALONE, JOINED = 1.0, 0.001
"""The temperature that an example begins with, by itself and beside one of its class."""


@dataclass(frozen=True)
class DataParameters(LossCurriculum):
    """Logits divided by a learnt temperature of each example and each class.

    Saxena, Tuzel and DeCoste, "Data Parameters: A New Family of Parameters for Learning a
    Differentiable Curriculum", NeurIPS 2019: logits / (exp(d_i) + exp(c_y)). Both are learnt in
    the logarithm by SGD with momentum 0.9 that moves only what the batch has touched, and what
    was moved is kept within +-log 20. Without classes all temperatures begin at 1 (as in
    CurBench), so that the first step is the baseline's; with them, classes at 1 and examples at
    0.001 (as in the paper). A wrong label's temperature grows, which flattens its loss.

    An example is touched once an epoch. The published rate of 0.1 is for hundreds of epochs; for
    the tens that a run has here the default is 10 (docs/results/ranges.md).

    Weight decay pulls the logarithms towards 0. It is 0 by default, as in the authors' CIFAR
    scripts; CurML's example has 1e-4 for classes and 1e-8 for examples.
    """

    lr: Annotated[float, Float(1e-2, 100.0, log=True), NOT_NEGATIVE] = 10.0
    class_parameters: Annotated[bool, Categorical([False, True])] = False
    class_lr: Annotated[
        float, Float(1e-3, 10.0, log=True), NOT_NEGATIVE, Only(class_parameters=True)
    ] = 0.1
    weight_decay: Annotated[float, Categorical(DECAYS), NOT_NEGATIVE, Formerly(0.0)] = 0.0
    class_weight_decay: Annotated[
        float, Categorical(DECAYS), NOT_NEGATIVE, Only(class_parameters=True), Formerly(0.0)
    ] = 0.0

    def data_prepare(self, examples: TensorExamples, seed: int) -> None:
        device, start = examples.labels.device, JOINED if self.class_parameters else ALONE
        self._begin("data", torch.full((len(examples),), math.log(start), device=device))

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        if self.class_parameters:
            count, device = int(examples.labels.max()) + 1, examples.labels.device
            self._begin("class", torch.zeros(count, device=device))

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        touched = {"data": (indices, self.lr, self.weight_decay)}
        if self.class_parameters:
            touched["class"] = labels, self.class_lr, self.class_weight_decay
        logs = {name: self.state[name].detach().requires_grad_() for name in touched}
        temperature = sum(logs[name][places].exp() for name, (places, *_) in touched.items())
        assert isinstance(temperature, Tensor)
        of_logs = criterion(outputs.detach() / temperature[:, None], labels).mean()
        gradients = torch.autograd.grad(of_logs, list(logs.values()))
        for (name, (places, lr, decay)), of in zip(touched.items(), gradients, strict=True):
            self._descend(name, of + decay * self.state[name], places, lr)
        return criterion(outputs / temperature.detach()[:, None], labels).mean()

    def _begin(self, name: str, logs: Tensor) -> None:
        self.state[name], self.state[f"{name}_momentum"] = logs, torch.zeros_like(logs)

    def _descend(self, name: str, gradient: Tensor, places: Tensor, lr: float) -> None:
        """SGD with momentum on the parameters at some places; the others do not drift on."""
        here = torch.zeros_like(gradient, dtype=torch.bool).index_fill(0, places, True)
        old, logs = self.state[f"{name}_momentum"], self.state[name]
        momentum = torch.where(here, MOMENTUM * old + gradient, old)
        moved = (logs - lr * momentum).clamp(-WIDEST, WIDEST)
        self.state[f"{name}_momentum"], self.state[name] = momentum, torch.where(here, moved, logs)
