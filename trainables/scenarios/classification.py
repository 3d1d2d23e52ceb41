"""The common base of scenarios that train a classifier and judge it by accuracy."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.data import DataView
from trainables.learning.descent import DescentLearner, Sections
from trainables.learning.flops import FlopCounter
from trainables.learning.scoring import logits_of
from trainables.learning.tensors import TensorExamples, TensorView
from trainables.ranks.shared_layers import share_layers
from trainables.scenarios.scenario import Scenario

SMALL = 256


class ClassificationScenario(Scenario):
    """A scenario whose models are classifiers, compared by accuracy."""

    metric = "accuracy"
    mode = "max"

    def default_model(self, view: DataView) -> str:
        """A CNN for images of more than 256 values, else an MLP."""
        images = len(view.input_shape) == 3 and math.prod(view.input_shape) > SMALL
        return "cnn" if images else "mlp"


class ClassificationLearner(DescentLearner):
    """Trains a classifier of all classes; what a step is, subclasses say."""

    def __init__(
        self, recipe: Sections, data: TensorView, seed: int, device: torch.device
    ) -> None:
        self.data = data
        super().__init__(recipe, data, len(data.train), seed, device)

    def build(self) -> nn.Module:
        model = self.sections.model.build(self.data.input_shape, self.data.num_classes)
        return share_layers(model, self.ranks)

    def measure_unit(self) -> int:
        model = self.plain_model()
        batch = self.unit_batch(len(self.data.train), self.batch_size)
        inputs = self.data.train.inputs[:batch]
        # What the labels are does not change what a pass costs, and some may not be known.
        labels = torch.zeros(batch, dtype=torch.int64, device=self.device)
        with FlopCounter() as counter:
            F.cross_entropy(model(inputs), labels).backward()
        return counter.total * len(self.data.train) // batch

    def metrics_of(self, weights: dict[str, Tensor]) -> dict[str, float]:
        with self.answering(weights) as forward:
            logits = logits_of(forward, self.data.validation)
            labels = self.data.validation.labels
            accuracy = (logits.argmax(1) == labels).float().mean()
            return {
                "accuracy": accuracy.item(),
                "loss": F.cross_entropy(logits, labels).item(),
            }

    def merit_of(self, metrics: dict[str, float]) -> float:
        return metrics["accuracy"]

    def item_scores(self, items: TensorExamples) -> Tensor:
        with self.answering(self.weights()) as forward:
            logits = logits_of(forward, items)
        return (logits.argmax(1) == items.labels).double()
