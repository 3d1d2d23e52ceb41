"""What every curriculum is: the five hooks of CurML, under their own names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from search_spaces import Part
from trainables.tensors import TensorExamples

Criterion = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Curriculum(Part):
    """A curriculum: hyperparameters as frozen fields, everything that changes in `state`.

    The hooks are those of CurML (Zhou et al., ACM MM 2022) and are called in this order:
    `data_prepare` and `model_prepare` once, `data_curriculum` and `model_curriculum` before each
    epoch, `loss_curriculum` in each step. An algorithm overrides those that its paper is about;
    overriding none is the plain baseline. An epoch is as many steps as one pass over all examples
    takes, however few of them are let in.

    Attributes:
        state: tensors on the training device, saved and restored with the run as they are.
        extra_information: what the algorithm is told that the baseline is not, such as a clean
            set; None for most. A win with it is marked and never recommended.
    """

    kind: ClassVar[str] = "algorithm"
    extra_information: ClassVar[str | None] = None

    state: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def data_prepare(self, examples: TensorExamples, seed: int) -> None:
        """Sees the training examples, before there is a model."""

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        """Sees the model before its first step; may add to it, but not train it."""

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float
    ) -> Tensor | None:
        """Chooses the examples of the next epoch.

        Returns:
            Indices of the examples let in, int64 on their device, or None for all of them.
        """
        return None

    def model_curriculum(self, model: nn.Module, progress: float) -> nn.Module:
        """The model to train in the next epoch."""
        return model

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        """The loss of one batch, a scalar.

        Args:
            criterion: the loss of each example, [batch], from outputs and labels.
            outputs: logits, [batch, classes].
            labels: [batch].
            indices: of the batch's examples among the training examples, [batch].
            inputs: [batch, ...], augmented as the model saw them.
        """
        return criterion(outputs, labels).mean()

    def loss_phase(self, progress: float) -> str:
        """Names the kind of step; an algorithm whose steps change what they compute overrides it.

        Steps of one phase cost the same FLOPs, which are measured once.
        """
        return ""
