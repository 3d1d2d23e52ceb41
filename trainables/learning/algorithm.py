"""The base of every algorithm of every scenario: declarations, and containers for state."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self, final

from torch import Tensor, nn
from torch.optim import Optimizer

from search_spaces import InputError, Part
from search_spaces.parts import hyperparameters
from trainables.learning.tensors import TensorExamples

Declaration = Literal["extra_information", "indivisible", "needs_whole_model"]


@dataclass(frozen=True)
class Algorithm(Part, ABC):
    """A method: hyperparameters as frozen fields, and containers for everything that changes.

    What it declares is read by `Scenario`, in the same way for all scenarios. `needs_column` is
    one of the declarations, see `Part`.

    Attributes:
        state: tensors on the training device, saved and restored with the run.
        networks: what is trained beside the model.
        optimizers: of those networks, or of tensors in `state`.
        extra_information: what the algorithm is told that the baseline is not, such as a clean
            set; None for most. A win with it is marked and never recommended.
        indivisible: why a batch cannot pass through the network in parts, or compiled, as the
            end of a sentence; None where it can.
        needs_whole_model: why it cannot train a model that is divided over workers, as the end
            of a sentence; None if it can.
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
        """Return why it cannot train a model on inputs of a shape, or None if it can.

        The reason is the end of a sentence. A search leaves out every algorithm that returns one.
        This may run the model, but leaves the model's state as it is.
        """
        return None

    def was_given(self, examples: TensorExamples) -> str | None:
        """Name what it learns from besides inputs and labels of all training examples.

        Such as a held-out set or a teacher, and what those cost. None for most. Reports and
        verdicts say it.
        """
        return None

    def refuse(self, why: str | None) -> None:
        """Raise an InputError if there is a reason why it cannot train the model it was given."""
        if why is not None:
            raise InputError(f"algorithm: '{self.part_name()}' cannot teach this model: {why}.")

    @final
    def fresh(self) -> Self:
        """Make a copy with the same hyperparameters and nothing in its containers."""
        inner: dict[str, Any] = {name: each.fresh() for name, each in self._inner()}
        return replace(self, **inner)

    @final
    def declared(self, what: Declaration) -> str | None:
        """Return a declaration of this algorithm and of those that it combines, or None."""
        own: list[str | None] = [getattr(self, what)]
        inner = [each.declared(what) for _, each in self._inner()]
        return "; ".join(dict.fromkeys(each for each in own + inner if each is not None)) or None

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes: what an algorithm prepared alike needs to go on."""
        return {
            "tensors": dict(self.state),
            "networks": {name: each.state_dict() for name, each in self.networks.items()},
            "optimizers": {name: each.state_dict() for name, each in self.optimizers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; tensors of optimizers stay the same objects."""
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

    def _inner(self) -> Iterator[tuple[str, Algorithm]]:
        """The algorithms among its hyperparameters, by field."""
        for each in hyperparameters(type(self)):
            if isinstance(value := getattr(self, each.name), Algorithm):
                yield each.name, value
