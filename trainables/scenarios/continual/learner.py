"""The learner of the continual scenario: one task after another, each with its share."""

from __future__ import annotations

from functools import partial
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from trainables.foundation.randomness import derive_seed, permutation
from trainables.learning.flops import FlopCounter
from trainables.learning.learner import Learner, State
from trainables.learning.passes import compile_passes, computed
from trainables.learning.scoring import evaluating, logits_of
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.continual.metrics import forgetting, incremental_accuracy
from trainables.scenarios.continual.network import GrowingNetwork
from trainables.scenarios.continual.recipe import Recipe
from trainables.scenarios.continual.stream import Stream, StreamData


class ContinualLearner(Learner):
    """Trains one recipe on a stream.

    A task's share of the horizon is that of its examples: what the same number of passes over
    each costs, for which nothing need be known of later tasks. A task's last step is its end: what
    the algorithm does then (and one validation pass, for the accuracy matrix) is measured
    beforehand and set aside, so training goes on while a step and the end still fit. Then the
    network grows a head and the next task has a new optimizer and a schedule of its own.

    Inputs are standardised by the statistics of the backbone's data, or of the first task's.
    """

    def __init__(self, recipe: Recipe, data: StreamData, seed: int, device: torch.device) -> None:
        super().__init__(data, seed, device)
        self.data = data
        self.recipe = recipe
        self.micro_batches = recipe.computing.micro_batches
        self._restart()

    def _restart(self) -> None:
        self.algorithm = self.recipe.algorithm.fresh()
        self.stream = Stream(self.data, self.seed)
        self.until = [0, *accumulate(self.stream.counts(self.data.train))]
        self.network = self._make_it_compute(self._new_network())
        self.matrix = torch.zeros(0, self.stream.tasks, dtype=torch.float64)
        self.order = torch.empty(0, dtype=torch.int64, device=self.device)
        self._enter(0)

    def _new_network(self) -> GrowingNetwork:
        shape = self.data.input_shape
        network = GrowingNetwork.of(self.recipe.model, shape, self.seed, self.ranks)
        start = self.data.backbone
        if start is not None:
            network.backbone.load_state_dict(start.weights)
            network.standardise(start.mean[0], start.scale[0])
        return network.to(self.device)

    def _make_it_compute(self, network: GrowingNetwork) -> GrowingNetwork:
        """The backbone as the recipe wants it computed; heads are small."""
        whole = self.why_whole(self.algorithm.declared("indivisible"))
        computing = self.recipe.computing
        computing.require_divisible(whole, self.algorithm.part_name())
        computed(network.backbone, computing)
        batch = min(self.recipe.training.batch_size, len(self.data.train))
        epochs = self.horizon / self.unit if self.unit else 0.0
        if whole is None and computing.pays_to_compile(epochs * (len(self.data.train) // batch)):
            compile_passes(network.backbone)
        return network

    def _enter(self, task: int) -> None:
        """Begins a task: a head, its examples, an optimizer."""
        self.task = task
        while len(self.network.heads) <= task:
            self.network.grow(self.stream.sizes[len(self.network.heads)])
        self.task_examples = self.stream.train(task)
        if task == 0 and self.data.backbone is None:
            self.network.standardise_like(self.task_examples.inputs, self.data.kept)
        self.network.to(self.device)
        self.examples = self.algorithm.examples_of(self.task_examples)
        self.batch_size = min(self.recipe.training.batch_size, len(self.examples))
        self.optimizer = self.algorithm.optimizer(self.network, self.recipe.optimizer)

    def measure_unit(self) -> int:
        network, train = self._new_network(), self.data.train
        network.grow(self.data.num_classes)
        network.to(self.device)
        batch = self.unit_batch(len(train), self.recipe.training.batch_size)
        with FlopCounter() as counter:
            F.cross_entropy(network(train.inputs[:batch]), train.labels[:batch]).backward()
        return counter.total * len(train) // batch

    def prepare(self) -> None:
        self._restart()

    @property
    def finished(self) -> bool:
        return self.task == self.stream.tasks

    @property
    def steps_per_epoch(self) -> int:
        return len(self.examples) // self.batch_size

    def open_epoch(self) -> None:
        seed = derive_seed(self.seed, "order", self.epoch)
        self.order = permutation(len(self.examples), seed).to(self.device)

    def epoch_paid(self) -> None:
        """An opening finds nothing that has to wait."""

    def step_kind(self) -> str:
        return f"end {self.task}" if self._task_is_over() else f"train {self.task}"

    def _share(self) -> tuple[int, int, int]:
        """The start of the task's share, the end of its training, and the cost of a step."""
        before, after = self.until[self.task : self.task + 2]
        begins, ends = (self.horizon * count // self.until[-1] for count in (before, after))
        ending = self.flops_of(f"end {self.task}", ContinualLearner._end_task)
        training = self.flops_of(f"train {self.task}", ContinualLearner._train)
        return begins, ends - ending, training

    def _task_is_over(self) -> bool:
        _, ends, training = self._share()
        return self.spent + training > ends

    @property
    def task_progress(self) -> float:
        """The spent part of the task's share, in [0, 1]. Schedules follow it."""
        begins, ends, _ = self._share()
        return min(max((self.spent - begins) / max(ends - begins, 1), 0.0), 1.0)

    def step(self) -> Tensor:
        if not self._task_is_over():
            self.recipe.schedule.apply(self.optimizer, self.task_progress)
            return self._train()
        self._end_task()
        if self.task + 1 < self.stream.tasks:
            self._enter(self.task + 1)
        else:
            self.task += 1
        self.end_epoch()
        return torch.zeros((), device=self.device)

    def _train(self) -> Tensor:
        inputs, labels = self._batch()
        self.network.train()
        loss = self.algorithm.loss(self.network, inputs, labels)
        penalty = self.algorithm.penalty(self.network)
        # Not the optimizer's: old gradients of what it leaves alone would be summed again.
        self.network.zero_grad()
        loss.backward()
        self.ranks.sum_gradients(self.network.parameters())
        if penalty is not None:
            penalty.backward()
            loss = loss + penalty
        self.optimizer.step()
        return loss

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the step, with what is replayed, all of it augmented."""
        start = self.step_in_epoch * self.batch_size
        indices = self.order[start : start + self.batch_size]
        inputs, labels = self.examples.inputs[indices], self.examples.labels[indices]
        replayed = self.algorithm.replayed(labels)
        if replayed is not None:
            inputs = torch.cat([inputs, replayed.inputs])
            labels = torch.cat([labels, replayed.labels])
            # Numbers that no example of the task has: each draws an augmentation of its own.
            others = torch.arange(len(replayed), device=indices.device) + len(self.examples)
            indices = torch.cat([indices, others])
        key = derive_seed(self.seed, "augmentation", self.epoch, start)
        return self.recipe.augmentation.apply(inputs, indices, key), labels

    def _end_task(self) -> None:
        self.algorithm.end_task(self.network, self.task_examples, self.data.memory)
        row = torch.zeros(1, self.stream.tasks, dtype=torch.float64)
        for task, (logits, labels) in enumerate(self._answers(self.task + 1)):
            row[0, task] = (logits.argmax(1) == labels).double().mean().item()
        self.matrix = torch.cat([self.matrix, row])

    def _answers(self, tasks: int) -> list[tuple[Tensor, Tensor]]:
        """Logits and labels on the validation examples of each of the first tasks."""
        forward = partial(functional_call, self.network, self.weights())
        parts = [self.stream.validation(task) for task in range(tasks)]
        with evaluating(self.network):
            return [(logits_of(forward, part), part.labels) for part in parts]

    def weights(self) -> dict[str, Tensor]:
        return self.algorithm.deployed(self.network)

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        heads = sum(name.startswith("heads.") and name.endswith(".weight") for name in weights)
        self._restart()
        self._enter(heads - 1)
        self.network.load_state_dict(weights)

    def measure(self) -> dict[str, float]:
        seen = min(self.task + 1, self.stream.tasks)
        answers = self._answers(seen)
        logits, labels = (torch.cat(parts) for parts in zip(*answers, strict=True))
        sizes = self.stream.counts(self.data.validation)
        # A run that ends before the stream does has wrong answers for what it never came to.
        counted = self.stream.tasks if self._out_of_compute() else seen
        right = labels[logits.argmax(1) == labels]
        accuracy = len(right) / sum(sizes[:counted])
        return {
            "last_accuracy": accuracy,
            "loss": F.cross_entropy(logits, labels).item(),
            **self._accuracy_on_unseen(right, counted),
            **self._stream_metrics(accuracy, torch.tensor(sizes, dtype=torch.float64)),
        }

    def _accuracy_on_unseen(self, right: Tensor, counted: int) -> dict[str, float]:
        """Accuracy on the classes that the search never saw, if it saw others."""
        searched = [each for task in self.data.seen for each in task]
        if not searched:
            return {}
        places = self.stream.places(torch.tensor(searched, device=self.device))
        labels = [self.stream.validation(task).labels for task in range(counted)]
        of_them, in_all = (int((~torch.isin(p, places)).sum()) for p in (right, torch.cat(labels)))
        return {"accuracy_on_unseen_classes": of_them / in_all} if in_all else {}

    def _out_of_compute(self) -> bool:
        if self.finished or not self._opened:
            return False
        return self.spent + self._flops_of_next_step() > self.horizon

    def _stream_metrics(self, accuracy: float, sizes: Tensor) -> dict[str, float]:
        """Inc-Acc, forgetting and the accuracy matrix, of the tasks that are over."""
        if not len(self.matrix):
            return {"incremental_accuracy": accuracy, "forgetting": 0.0}
        found = {
            "incremental_accuracy": incremental_accuracy(self.matrix, sizes),
            "forgetting": forgetting(self.matrix),
        }
        for after, row in enumerate(self.matrix.tolist(), start=1):
            for on, value in enumerate(row[:after], start=1):
                found[f"accuracy_after_{after}_on_{on}"] = value
        return found

    def item_scores(self, items: TensorExamples) -> Tensor:
        with evaluating(self.network):
            logits = logits_of(partial(functional_call, self.network, self.weights()), items)
        return (logits.argmax(1) == self.stream.places(items.labels)).double()

    def parts_state(self) -> State:
        return {
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "algorithm": self.algorithm.state_dict(),
            "order": self.order,
            "task": self.task,
            "matrix": self.matrix,
            "until": self.until,
        }

    def load_parts_state(self, state: State) -> None:
        self._restart()
        self.until = list(state["until"])
        # Before the task is entered for its state; after it for networks made in entering it.
        self.algorithm.load_state_dict(state["algorithm"])
        self._enter(min(state["task"], self.stream.tasks - 1))
        self.algorithm.load_state_dict(state["algorithm"])
        self.task, self.matrix, self.order = state["task"], state["matrix"], state["order"]
        self.network.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
