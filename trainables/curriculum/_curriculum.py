"""What every curriculum is: the five hooks of CurML, under their own names."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.algorithm import Algorithm
from trainables.tensors import TensorExamples

Criterion = Callable[[Tensor, Tensor], Tensor]
cross_entropy: Criterion = partial(F.cross_entropy, reduction="none")


@dataclass(frozen=True)
class Curriculum(Algorithm):
    """A curriculum: hyperparameters as frozen fields; what changes in the three containers.

    The hooks are those of CurML (Zhou et al., ACM MM 2022) and are called in this order:
    `data_prepare` and `model_prepare` once, `data_curriculum` and `model_curriculum` before each
    epoch, `loss_curriculum` in each step. An algorithm overrides those that its paper is about;
    overriding none is the plain baseline. An epoch is as many steps as one pass over all examples
    takes, however few of them are let in. What papers schedule by epochs is told as a share of
    the training here, called progress.

    Networks and optimizers of its own are made in `model_prepare`.
    """

    def data_prepare(self, examples: TensorExamples, seed: int) -> None:
        """Sees the training examples, before there is a model."""

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        """Sees the model before its first step; may add to it, but neither train nor run it.

        It is called again when a run is resumed, before the state is put back. What costs compute
        belongs in the first `data_curriculum`. Parameters added to the model are trained by its
        optimizer, and buffers are saved and exported with its weights.
        """

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        """Chooses the examples of the next epoch.

        Args:
            examples: all training examples.
            model: as it stands; left as it is.
            progress: the share of the training that is over, 0 the first time.
            seed: for whatever is drawn; another one each epoch.

        Returns:
            Indices of the examples let in, int64 on their device, or None for all of them. One
            that is there twice is let in twice as often.
        """
        return None

    def model_curriculum(self, model: nn.Module, progress: float) -> nn.Module:
        """The model to train in the next epoch: the model itself, or one around it.

        What is evaluated and exported is the model itself. Depends on nothing but the arguments
        and `state`: a run that is resumed calls it again.
        """
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

        Steps of one phase cost the same FLOPs, which are measured once. A phase lasts whole
        epochs: `progress` is that of the epoch's beginning.
        """
        return ""


@dataclass(frozen=True)
class DataCurriculum(Curriculum, ABC):
    """Decides which examples are let in, and leaves model and loss as they are."""


@dataclass(frozen=True)
class LossCurriculum(Curriculum, ABC):
    """Decides how much each example counts, and leaves data and model as they are."""
