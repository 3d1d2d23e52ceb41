"""A recurrent learner (Hochreiter, Younger and Conwell, ICANN 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

import torch
from torch import Tensor, nn

from search_spaces import COUNT, Int
from trainables.parts.model import Model
from trainables.scenarios.meta_learning.episodes import Episodes, Labelled, Tasks
from trainables.scenarios.meta_learning.meta_learner import MetaLearner, TrainingStep
from trainables.scenarios.meta_learning.networks import over_examples
from trainables.scenarios.meta_learning.problems import Problem

EMBEDDING = 64
State = tuple[Tensor, Tensor]


@final
@dataclass(frozen=True)
class LSTMLearner(MetaLearner):
    """An LSTM that reads a task as a sequence and learns in its state; no gradients at test.

    Hochreiter, Younger and Conwell, "Learning to Learn Using Gradient Descent", ICANN 2001. The
    support is read one example a step, each with its target; a query is one more step after it,
    from the same state, with zeros for a target, and its output is the prediction (the sequence of
    Mishra et al., "A Simple Neural Attentive Meta-Learner", ICLR 2018). The loss is that of the
    queries.

    Hochreiter et al. and Santoro et al. (ICML 2016) show y_(t-1) beside x_t, so that each step
    can be asked for its own y_t. With one shot nothing but the order tells y_t, and binding a
    target to the input before it is slow to learn: 56,000 tasks of Omniglot left it at chance.
    """

    hidden: Annotated[int, Int(32, 512, log=True), COUNT] = 200

    def build(self, model: Model, tasks: Tasks) -> nn.Module:
        encoder = model.build(tasks.input_shape, EMBEDDING)
        return SequenceNetwork(encoder, tasks.problem.outputs, self.hidden)

    def loss(self, network: nn.Module, step: TrainingStep) -> Tensor:
        problem = step.tasks.problem

        def losses(episodes: Episodes) -> Tensor:
            support, query = episodes.support, episodes.query
            outputs = self.predict(network, problem, support, query.inputs, None)
            return problem.losses(outputs, query.targets).mean(1)

        return step.over_episodes(losses)

    def predict(
        self,
        network: nn.Module,
        problem: Problem,
        support: Labelled,
        inputs: Tensor,
        context: Tensor | None,
    ) -> Tensor:
        outputs: Tensor = network(support.inputs, problem.encode(support.targets), inputs)
        return outputs


@final
class SequenceNetwork(nn.Module):
    """An encoder, an LSTM cell (Hochreiter and Schmidhuber, 1997; forget bias 1) and outputs."""

    def __init__(self, encoder: nn.Module, outputs: int, hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.gates = nn.Linear(EMBEDDING + outputs + hidden, 4 * hidden)
        self.output = nn.Linear(hidden, outputs)
        self.hidden = hidden

    def forward(self, support: Tensor, targets: Tensor, queries: Tensor) -> Tensor:
        """Outputs for each query, [tasks, queries, outputs].

        Args:
            support: [tasks, shots, ...].
            targets: of the support, encoded, [tasks, shots, outputs].
            queries: [tasks, queries, ...].
        """
        known, unknown = over_examples(self.encoder, torch.cat([support, queries], 1)).split(
            [support.shape[1], queries.shape[1]], 1
        )
        zeros = known.new_zeros(len(known), self.hidden)
        state = (zeros, zeros)
        for here, target in zip(known.unbind(1), targets.unbind(1), strict=True):
            state = self._cell(torch.cat([here, target], 1), state)
        across = (-1, unknown.shape[1], -1)
        hidden, memory = (each[:, None].expand(across) for each in state)
        none = targets.new_zeros(*unknown.shape[:2], targets.shape[2])
        last, _ = self._cell(torch.cat([unknown, none], 2), (hidden, memory))
        return self.output(last)

    def _cell(self, inputs: Tensor, state: State) -> State:
        hidden, memory = state
        write, keep, candidate, read = self.gates(torch.cat([inputs, hidden], -1)).chunk(4, -1)
        memory = torch.sigmoid(keep + 1.0) * memory + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(read) * torch.tanh(memory), memory
