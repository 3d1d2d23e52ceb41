"""A recurrent learner (Hochreiter, Younger and Conwell, ICANN 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

import torch
from torch import Tensor, nn

from search_spaces import Int
from trainables.meta_learning._episodes import Labelled, Tasks
from trainables.meta_learning._meta_learner import MetaLearner, TrainingStep
from trainables.meta_learning._networks import over_examples
from trainables.meta_learning._problems import Problem
from trainables.models import Model

EMBEDDING = 64
State = tuple[Tensor, Tensor]


@final
@dataclass(frozen=True)
class LSTMLearner(MetaLearner):
    """An LSTM that reads a task as a sequence and learns in its state; no gradients at test.

    Hochreiter, Younger and Conwell, "Learning to Learn Using Gradient Descent", ICANN 2001, in
    the set-up of Santoro et al., "Meta-Learning with Memory-Augmented Neural Networks", ICML 2016
    (section 3.1; their LSTM, without the memory): step t sees the input x_t and the target
    y_(t-1), and has to say y_t. Each query is one more step after the support, from the same
    state. The loss is over all steps, support and queries.
    """

    hidden: Annotated[int, Int(32, 512, log=True)] = 200

    def build(self, model: Model, tasks: Tasks) -> nn.Module:
        encoder = model.build(tasks.input_shape, EMBEDDING)
        return SequenceNetwork(encoder, tasks.problem.outputs, self.hidden)

    def loss(self, network: nn.Module, step: TrainingStep) -> Tensor:
        problem, episodes = step.tasks.problem, step.episodes()
        support, query = episodes.support, episodes.query
        outputs = network(support.inputs, problem.encode(support.targets), query.inputs)
        targets = torch.cat([support.targets, query.targets], 1)
        return problem.losses(outputs, targets).mean()

    def predict(
        self,
        network: nn.Module,
        problem: Problem,
        support: Labelled,
        inputs: Tensor,
        context: Tensor | None,
    ) -> Tensor:
        outputs: Tensor = network(support.inputs, problem.encode(support.targets), inputs)
        return outputs[:, support.inputs.shape[1] :]


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
        """Outputs at each support step and then at each query, [tasks, steps, outputs].

        Args:
            support: [tasks, shots, ...].
            targets: of the support, encoded, [tasks, shots, outputs].
            queries: [tasks, queries, ...].
        """
        known, unknown = over_examples(self.encoder, torch.cat([support, queries], 1)).split(
            [support.shape[1], queries.shape[1]], 1
        )
        zeros = known.new_zeros(len(known), self.hidden)
        state, previous, steps = (zeros, zeros), torch.zeros_like(targets[:, 0]), []
        for here, target in zip(known.unbind(1), targets.unbind(1), strict=True):
            state = self._cell(torch.cat([here, previous], 1), state)
            steps.append(state[0])
            previous = target
        across = (-1, unknown.shape[1], -1)
        shared = tuple(each[:, None].expand(across) for each in (previous, *state))
        last, _ = self._cell(torch.cat([unknown, shared[0]], 2), (shared[1], shared[2]))
        return self.output(torch.cat([torch.stack(steps, 1), last], 1))

    def _cell(self, inputs: Tensor, state: State) -> State:
        hidden, memory = state
        write, keep, candidate, read = self.gates(torch.cat([inputs, hidden], -1)).chunk(4, -1)
        memory = torch.sigmoid(keep + 1.0) * memory + torch.sigmoid(write) * torch.tanh(candidate)
        return torch.sigmoid(read) * torch.tanh(memory), memory
