"""Experience replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import torch
from torch import Tensor

from search_spaces import POSITIVE, Categorical, Float
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.continual.continual import Continual, cross_entropy
from trainables.scenarios.continual.network import GrowingNetwork


@final
@dataclass(frozen=True)
class ExperienceReplay(Continual):
    """Experience replay (Chaudhry et al., arXiv 1902.10486): stored examples join each batch.

    Each step minimises the mean cross-entropy over B_n and B_M together (algorithm 1): the task's
    batch and one drawn from memory, `replay` times as large. Every example is offered to memory
    once, when its task ends, so that what is replayed is always of earlier tasks. Memory is filled
    by `reservoir` sampling (Vitter, 1985), so that each example so far is in it with the same
    probability, or `balanced`, with the same number of each class.
    """

    stability: ClassVar[frozenset[str]] = frozenset({"replay", "selection"})

    replay: Annotated[float, Float(0.25, 4.0, log=True), POSITIVE] = 1.0
    selection: Annotated[str, Categorical(["reservoir", "balanced"])] = "reservoir"

    def replayed(self, labels: Tensor) -> TensorExamples | None:
        stored = len(self.state.get("labels", ()))
        if not stored:
            return None
        size = max(1, round(self.replay * len(labels)))
        drawn = torch.randint(stored, (size,), device=labels.device)
        return TensorExamples(self.state["inputs"][drawn], self.state["labels"][drawn])

    def loss(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network, inputs, labels, "all")

    def end_task(self, network: GrowingNetwork, task: TensorExamples, memory: int) -> None:
        if memory == 0:
            return
        seen = self.state.get("seen", torch.zeros((), dtype=torch.int64))
        inputs = torch.cat([self.state.get("inputs", task.inputs[:0]), task.inputs])
        labels = torch.cat([self.state.get("labels", task.labels[:0]), task.labels])
        if self.selection == "reservoir":
            kept = reservoir(len(labels) - len(task), len(task), int(seen), memory)
        else:
            kept = balanced(labels, memory)
        kept = kept.to(labels.device)
        self.state.update(inputs=inputs[kept], labels=labels[kept], seen=seen + len(task))


def reservoir(stored: int, offered: int, seen: int, memory: int) -> Tensor:
    """Reservoir sampling: which of the stored and, after them, the offered items are kept.

    The n-th item ever offered (from 0) takes place j, drawn from 0 to n, if memory has that place.
    """
    places = list(range(stored))
    ordinals = torch.arange(seen, seen + offered)
    draws = (torch.rand(offered, dtype=torch.float64) * (ordinals + 1)).long().tolist()
    for item, place in enumerate(draws, start=stored):
        if len(places) < memory:
            places.append(item)
        elif place < memory:
            places[place] = item
    return torch.tensor(places)


def balanced(labels: Tensor, memory: int) -> Tensor:
    """Items chosen at random, as many of each class as memory has room for."""
    order = torch.randperm(len(labels)).to(labels.device)
    classes = labels.unique()
    share = memory // len(classes)
    return torch.cat([order[labels[order] == label][:share] for label in classes])
