"""Differentiable data selection (Wang, Pham et al., ICML 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import POSITIVE, Categorical, Float, Formerly, Int, Within
from trainables.foundation.randomness import derive_seed
from trainables.learning.short_training import RunUp, all_rows, told, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion
from trainables.scenarios.curriculum.meta import MetaCurriculum
from trainables.scenarios.curriculum.weight_network import WeightNetwork, weight_network

RATE = 0.01
"""Of the moving average of rewards, in the authors' code."""


@dataclass(frozen=True)
class DDS(MetaCurriculum):
    """A scorer network is rewarded for examples whose gradient agrees with a meta set's.

    Wang, Pham, Michel, Anastasopoulos, Carbonell and Neubig, "Optimizing Data Usage via
    Differentiable Rewards", ICML 2020, algorithm 1: the scorer, a network like the model, gives a
    distribution p over the batch, by which examples are weighed; reward_i = <grad l_i(theta),
    grad L(theta')> after a step to theta' on those weights, and the scorer climbs the mean of
    (reward_i - b) log p_i (REINFORCE). The reward is computed exactly where they take a
    difference. That step is one of SGD at `virtual_lr` rather than of the model's optimizer. A
    step costs about five of the baseline's.

    The baseline b is that of the authors' code, a moving average of the rewards at the rate 0.01;
    the paper's algorithm has none (`baseline: none`). Their scorer sees inputs alone, as here by
    default, so it cannot see that a label is flipped; `sees: inputs_and_labels` is ours. Their
    scorer starts from a network that was trained elsewhere; `trained_epochs` trains one on the
    same examples, which the run pays for, and 0 starts anew.
    """

    lr: Annotated[float, Float(1e-5, 1e-1, log=True), POSITIVE] = 1e-4
    virtual_lr: Annotated[float, Float(1e-3, 1.0, log=True), POSITIVE] = 0.1
    sees: Annotated[str, Categorical(["inputs", "inputs_and_labels"]), Formerly("inputs")] = (
        "inputs"
    )
    baseline: Annotated[str, Categorical(["moving_average", "none"]), Formerly("none")] = (
        "moving_average"
    )
    trained_epochs: Annotated[int, Int(0, 3), Within(Int(0, 1_000_000)), Formerly(0)] = 0

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        super().model_prepare(model, examples, seed)
        own = derive_seed(seed, "scorer")
        scorer = weight_network(model, examples, own, self.sees == "inputs_and_labels")
        self.networks["scorer"] = scorer
        self.optimizers["scorer"] = torch.optim.Adam(scorer.parameters(), lr=self.lr, fused=True)
        if self.baseline == "moving_average":
            self.state["baseline"] = torch.zeros_like(scorer.head.bias.detach()[0])

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if self.trained_epochs and "trained_scorer" not in self.state:
            scorer = self.networks["scorer"]
            assert isinstance(scorer, WeightNetwork)
            body = scorer.body
            rows = self.state.get("trained", all_rows(examples))
            trained = trained_copy(body, examples, rows, self.trained_epochs, seed)
            body.load_state_dict(trained.state_dict())
            self.state["trained_scorer"] = torch.ones((), device=rows.device)
        return super().data_curriculum(examples, model, progress, seed)

    def run_up(self, examples: TensorExamples) -> RunUp:
        trained_on = 1.0 - self.held_out_of(examples) / len(examples)
        return RunUp(self.trained_epochs * trained_on)

    def was_given(self, examples: TensorExamples) -> str | None:
        given = super().was_given(examples)
        if not self.trained_epochs:
            return given
        return f"{given}; a scorer that starts from a network {told(self.trained_epochs)}"

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        scorer, optimizer = self.networks["scorer"].train(), self.optimizers["scorer"]
        ranks = self.seen["examples"].ranks
        batch = torch.arange(len(labels), device=labels.device)
        scores = ranks.divided(lambda own: scorer(inputs[own], labels[own]), batch)
        log_p = torch.log_softmax(scores, 0)
        p = log_p.detach().exp()
        # A step on the sum of p_i l_i, so n p_i of their mean.
        reward = self.agreement(criterion, inputs, labels, (self.virtual_lr, len(p) * p))
        optimizer.zero_grad()
        (-(self._above_baseline(reward) * log_p).mean()).backward()
        ranks.sum_gradients(scorer.parameters())
        optimizer.step()
        return (p * criterion(outputs, labels)).sum()

    def _above_baseline(self, reward: Tensor) -> Tensor:
        if self.baseline == "none":
            return reward
        self.state["baseline"] = self.state["baseline"].lerp(reward.mean(), RATE)
        return reward - self.state["baseline"]
