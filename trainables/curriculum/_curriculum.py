"""What every curriculum is: the five hooks of CurML, under their own names."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from search_spaces import InputError, Part
from trainables.tensors import TensorExamples

Criterion = Callable[[Tensor, Tensor], Tensor]
cross_entropy: Criterion = partial(F.cross_entropy, reduction="none")


@dataclass(frozen=True)
class Curriculum(Part):
    """A curriculum: hyperparameters as frozen fields; what changes in the three containers.

    The hooks are those of CurML (Zhou et al., ACM MM 2022) and are called in this order:
    `data_prepare` and `model_prepare` once, `data_curriculum` and `model_curriculum` before each
    epoch, `loss_curriculum` in each step. An algorithm overrides those that its paper is about;
    overriding none is the plain baseline. An epoch is as many steps as one pass over all examples
    takes, however few of them are let in. What papers schedule by epochs is told as a share of
    the training here, called progress.

    Attributes:
        state: tensors on the training device.
        networks: what is trained beside the model; made in `model_prepare`.
        optimizers: of those networks or of tensors in `state`; made in `model_prepare`.
        extra_information: what the algorithm is told that the baseline is not, such as a clean
            set; None for most. A win with it is marked and never recommended.
        indivisible: why a batch cannot pass through the network in parts, or compiled, as the
            end of a sentence; None where it can.
        needs_whole_model: why it cannot teach a model that is divided over workers, as the end of
            a sentence; None if it can.
    """

    kind: ClassVar[str] = "algorithm"
    extra_information: ClassVar[str | None] = None
    indivisible: ClassVar[str | None] = None
    needs_whole_model: ClassVar[str | None] = None

    state: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)
    networks: dict[str, nn.Module] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    optimizers: dict[str, Optimizer] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def unsuited(cls, model: nn.Module, input_shape: Sequence[int]) -> str | None:
        """Why it cannot teach a model on inputs of a shape, as the end of a sentence, or None.

        A search leaves out who cannot. Unlike the hooks it may run the model, whose state it
        leaves as it is.
        """
        return None

    def refuse(self, why: str | None) -> None:
        """Raises an InputError if there is a reason why it cannot teach the model it was given."""
        if why is not None:
            raise InputError(f"algorithm: '{self.part_name()}' cannot teach this model: {why}.")

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

    def was_given(self, examples: TensorExamples) -> str | None:
        """What it learns from besides inputs and labels of all training examples, for reports.

        Such as a held-out set or a teacher, and what those cost. None for most.
        """
        return None

    def state_dict(self) -> dict[str, Any]:
        """All that changes: what a curriculum prepared alike needs to go on."""
        return {
            "tensors": dict(self.state),
            "networks": {name: each.state_dict() for name, each in self.networks.items()},
            "optimizers": {name: each.state_dict() for name, each in self.optimizers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave; tensors of optimizers stay the same objects."""
        held = self._in_optimizers()
        for name in set(self.state) - held:
            del self.state[name]
        for name, value in state["tensors"].items():
            if name in held:
                self.state[name].data.copy_(value)
            else:
                self.state[name] = value
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])

    def _in_optimizers(self) -> set[str]:
        """Names of the tensors in `state` that are trained."""
        groups = [group for each in self.optimizers.values() for group in each.param_groups]
        trained = {id(parameter) for group in groups for parameter in group["params"]}
        return {name for name, value in self.state.items() if id(value) in trained}


@dataclass(frozen=True)
class DataCurriculum(Curriculum, ABC):
    """Decides which examples are let in, and leaves model and loss as they are."""


@dataclass(frozen=True)
class LossCurriculum(Curriculum, ABC):
    """Decides how much each example counts, and leaves data and model as they are."""
