"""The learner of the curriculum scenario: supervised training around the five hooks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from trainables.batch_norm import share_batch_norm
from trainables.curriculum._recipe import Recipe
from trainables.flops import FlopCounter
from trainables.learner import Learner, State
from trainables.randomness import derive_seed, permutation, seed_cpu
from trainables.scoring import evaluating, logits_of
from trainables.tensors import TensorExamples, TensorView

cross_entropy = partial(F.cross_entropy, reduction="none")


class CurriculumLearner(Learner):
    """Trains one recipe; the algorithm's hooks decide on data, model and loss."""

    def __init__(self, recipe: Recipe, data: TensorView, seed: int, device: torch.device) -> None:
        super().__init__(data, seed, device)
        self.data = data
        self.recipe = recipe
        self.algorithm = replace(recipe.algorithm)  # a state of its own
        self.batch_size = min(recipe.training.batch_size, len(data.train))
        self.order = torch.empty(0, dtype=torch.int64, device=device)
        self.best: dict[str, Tensor] = {}
        self.best_accuracy = -1.0
        self._candidate = -1.0
        self.model = self._new_model()
        self.optimizer = recipe.optimizer.build(self.model.parameters())

    def _new_model(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            seed_cpu(derive_seed(self.seed, "initialisation"))
            model = self.recipe.model.build(self.data.input_shape, self.data.num_classes)
        return share_batch_norm(model.to(self.device), self.ranks)

    def measure_unit(self) -> int:
        model, batch = self._new_model(), min(64, len(self.data.train))
        inputs, labels = self.data.train.inputs[:batch], self.data.train.labels[:batch]
        with FlopCounter() as counter:
            F.cross_entropy(model(inputs), labels).backward()
        return counter.total * len(self.data.train) // batch

    def prepare(self) -> None:
        seed = derive_seed(self.seed, "algorithm")
        self.algorithm.data_prepare(self.data.train, seed)
        self.algorithm.model_prepare(self.model, self.data.train, seed)

    @property
    def steps_per_epoch(self) -> int:
        return len(self.data.train) // self.batch_size

    def open_epoch(self) -> None:
        if self.recipe.training.selection == "best" and self.epoch > 0:
            self._candidate = self._metrics(self.model)["accuracy"]
        admitted = self.algorithm.data_curriculum(self.data.train, self.model, self.progress)
        self.order = self._shuffled(admitted)
        self.model = self.algorithm.model_curriculum(self.model, self.progress)

    def epoch_paid(self) -> None:
        if self._candidate > self.best_accuracy:
            self.best_accuracy = self._candidate
            self.best = {k: v.clone() for k, v in self.model.state_dict().items()}

    def _shuffled(self, admitted: Tensor | None) -> Tensor:
        """The epoch's examples: those let in, shuffled, as often as it takes to fill the epoch."""
        count = len(self.data.train) if admitted is None else len(admitted)
        needed = self.steps_per_epoch * self.batch_size
        passes = [
            permutation(count, derive_seed(self.seed, "order", self.epoch, repeat))
            for repeat in range(-(-needed // count))
        ]
        places = torch.cat(passes)[:needed].to(self.device)
        return places if admitted is None else admitted[places]

    def step_kind(self) -> str:
        return self.algorithm.loss_phase(self.progress)

    def step(self) -> Tensor:
        start = self.step_in_epoch * self.batch_size
        indices = self.order[start : start + self.batch_size]
        inputs, labels = self.data.train.inputs[indices], self.data.train.labels[indices]
        key = derive_seed(self.seed, "augmentation", self.epoch, start)
        inputs = self.recipe.augmentation.apply(inputs, indices, key)
        self.model.train()
        own = self.model(inputs[self.ranks.share(len(indices))])
        outputs = self.ranks.gather(own, len(indices))
        loss = self.algorithm.loss_curriculum(cross_entropy, outputs, labels, indices, inputs)
        self.optimizer.zero_grad()
        loss.backward()
        self.ranks.sum_gradients(self.model.parameters())
        self.recipe.schedule.apply(self.optimizer, self.progress)
        self.optimizer.step()
        return loss

    def weights(self) -> dict[str, Tensor]:
        return self.best or self.model.state_dict()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        self.best = {}
        self.model.load_state_dict(weights)

    def measure(self) -> dict[str, float]:
        return self._metrics(partial(functional_call, self.model, self.weights()))

    def _metrics(self, forward: partial[Tensor] | nn.Module) -> dict[str, float]:
        with evaluating(self.model):
            logits = logits_of(forward, self.data.validation)
            labels = self.data.validation.labels
            accuracy = (logits.argmax(1) == labels).float().mean()
            return {
                "accuracy": accuracy.item(),
                "loss": F.cross_entropy(logits, labels).item(),
            }

    def item_scores(self, items: TensorExamples) -> Tensor:
        with evaluating(self.model):
            logits = logits_of(partial(functional_call, self.model, self.weights()), items)
        return (logits.argmax(1) == items.labels).double()

    def parts_state(self) -> State:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "algorithm": dict(self.algorithm.state),
            "order": self.order,
            "best": self.best,
            "best_accuracy": self.best_accuracy,
            "candidate": self._candidate,
        }

    def load_parts_state(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.algorithm.state.clear()
        self.algorithm.state.update(state["algorithm"])
        self.order = state["order"]
        self.best = dict(state["best"])
        self.best_accuracy, self._candidate = state["best_accuracy"], state["candidate"]
