"""The base of every curriculum: the five hooks of CurML, under their own names."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, final

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.learning.algorithm import Algorithm
from trainables.learning.short_training import RunUp, all_rows
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.order import FEWEST

Criterion = Callable[[Tensor, Tensor], Tensor]
cross_entropy: Criterion = partial(F.cross_entropy, reduction="none")


@dataclass(frozen=True)
class Curriculum(Algorithm):
    """A curriculum: hyperparameters as frozen fields; what changes in the containers.

    The hooks are those of CurML (Zhou et al., ACM MM 2022) and are called in this order:
    `data_prepare` and `model_prepare` once, `data_curriculum` and `model_curriculum` before each
    part of the training, `loss_curriculum` in each step. An algorithm overrides those that its
    paper is about; overriding none is the plain baseline.

    Choosing and letting in are two things. `data_curriculum` may measure, at a cost, and chooses
    examples in an order; `share` says before each step how many of them are let in. A part of the
    training ends with a pass over the data, which is as many steps as all examples take, however
    few are let in. It ends before that where `next_choice` or `pass_length` says so.

    What papers schedule by epochs is told as a share of the training here, called progress. It
    counts from the first step: what a teacher costs comes before.

    Networks and optimizers of its own are made in `model_prepare`.

    Attributes:
        begins_with_some_classes: whether its first examples lack some of the classes, on purpose.
        seen: what it is told of the run, such as the model; nothing that changes it.
    """

    options_in: ClassVar[str] = "trainables.scenarios.curriculum.algorithms"

    begins_with_some_classes: ClassVar[bool] = False

    seen: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        """Chooses the examples of the next part of the training.

        Args:
            examples: all training examples.
            model: as it stands; left as it is.
            progress: the share of the training that is over, 0 the first time.
            seed: for whatever is drawn; another one each time.

        Returns:
            Indices of the chosen examples in the order in which they are let in, int64 on their
            device, or None for all of them. One that is there twice is let in twice as often.
        """
        return None

    def share(self, progress: float) -> float:
        """The share of the chosen examples that is let in, in [0, 1]; asked before each step."""
        return 1.0

    def next_choice(self, progress: float) -> float:
        """The progress at which it has to choose anew after a choice at `progress`."""
        return math.inf

    def pass_length(self, total: int) -> int:
        """After how many examples it chooses anew, at most; as a rule after all `total`."""
        return total

    def run_up(self, examples: TensorExamples) -> RunUp:
        """Cost of the first `data_curriculum`, if it trains a teacher or scores all examples.

        A run that is too short to pay for it is refused before anything is trained.
        """
        return RunUp()

    @final
    def let_in(self, progress: float, total: int) -> int:
        """Number of the `total` chosen examples that are let in at a progress.

        Their share, but never fewer than 32, than a batch or than there are classes.
        """
        return self.enough(self.share(progress), total)

    @final
    def enough(self, share: float, total: int) -> int:
        """Number of examples in a share of `total`, with the minimum of `let_in`."""
        fewest = max(FEWEST, self.seen.get("fewest", 0))
        return min(total, max(fewest, round(share * total)))

    @final
    def measured_rows(self, examples: TensorExamples) -> Tensor:
        """Indices of the examples to measure in `data_curriculum`, int64 [m].

        All of them, as a rule. Where the next choice comes before a pass is over, it is half as
        many as are trained on until then: the next ones in turn, with every class among them.
        """
        rows: Tensor | None = self.seen.get("rows")
        return all_rows(examples) if rows is None else rows

    def tell(self, **seen: Any) -> None:
        """Tells it of the run, before it is asked for anything that depends on it.

        That is `fewest` examples to let in and `rows` to measure before a choice, and before each
        step its `progress`, the batch's `indices` and a `key`, the seed of what is drawn for it.
        """
        self.seen.update(seen)

    def model_curriculum(self, model: nn.Module, progress: float) -> nn.Module:
        """The model to train in the next part: the model itself, or one around it.

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

        Steps of one phase cost the same FLOPs, which are measured once. A phase lasts whole parts
        of the training: `progress` is that of the part's beginning.
        """
        return ""


@dataclass(frozen=True)
class DataCurriculum(Curriculum, ABC):
    """Decides which examples are let in, and leaves model and loss as they are."""


@dataclass(frozen=True)
class LossCurriculum(Curriculum, ABC):
    """Decides how much each example counts, and leaves data and model as they are."""
