"""EfficientTrain (Wang et al., ICCV 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import Categorical, Formerly
from trainables.foundation.randomness import derive_seed, keyed_normal, keyed_uniform
from trainables.learning.scoring import evaluating
from trainables.learning.tensors import TensorExamples
from trainables.parts.views.image import OPERATIONS, operate
from trainables.scenarios.curriculum.curriculum import Curriculum

Augment = Callable[[Tensor], Tensor]

FIFTHS = 5
STAGES = ((0.6, 160 / 224), (0.8, 192 / 224))
"""Until this share of the training, this share of the images' height and width."""


def resolution(progress: float) -> float:
    """The share of height and width that is seen at a share of the training."""
    return next((share for until, share in STAGES if progress < until - 1e-9), 1.0)


def low_frequencies(images: Tensor, share: float) -> Tensor:
    """The images at `share` of their height and width, made of their lowest frequencies alone.

    The middle of the spectrum is cut out and transformed back at its own size; means are kept.

    Args:
        images: [batch, channels, height, width].
        share: in (0, 1].
    """
    sizes = images.shape[-2:]
    kept = [max(1, round(size * share)) for size in sizes]
    # There is no transform of numbers of 16 bits.
    whole = images if images.dtype in (torch.float32, torch.float64) else images.float()
    spectrum = torch.fft.fftshift(torch.fft.fft2(whole), dim=(-2, -1))
    for dim, size, small in zip((-2, -1), sizes, kept, strict=True):
        spectrum = spectrum.narrow(dim, size // 2 - small // 2, small)
    small_images = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1))).real
    return (small_images * (kept[0] * kept[1] / (sizes[0] * sizes[1]))).to(images.dtype)


def strength(progress: float) -> int:
    """The magnitude m of RandAugment, of 10, at a share of the training: 1, 3, 5, 7 and 9."""
    return 2 * min(int(progress * FIFTHS + 1e-9), FIFTHS - 1) + 1


def rand_augmented(images: Tensor, indices: Tensor, magnitude: int, key: int) -> Tensor:
    """Two operations on each image, each done half of the time: timm's `rand-mM-mstd0.5-inc1`.

    Args:
        images: [batch, channels, height, width].
        indices: of the examples, [batch]; each draws by its own and the key.
        magnitude: the mean of each image's, which has a standard deviation of 0.5, of 10.
        key: a seed, another one in each step.
    """
    for number in range(2):
        own = derive_seed(key, "operation", number)
        drawn = keyed_uniform(indices, own, 3)
        operation = (drawn[:, 0] * len(OPERATIONS)).long() * (drawn[:, 1] < 0.5)
        spread = 0.5 * keyed_normal(indices, derive_seed(own, "magnitude"), 1).squeeze(1)
        size = (magnitude + spread).clamp(0.0, 10.0) / 10.0
        signed = torch.where(drawn[:, 2] < 0.5, size, -size)
        images = operate(images, operation, signed).to(images.dtype)
    return images


class Staged(nn.Module):
    """A model that is given its images augmented, and their low frequencies as smaller images.

    Args:
        model: the model.
        share: of height and width.
        augment: changes images in training.
    """

    def __init__(self, model: nn.Module, share: float, augment: Augment | None) -> None:
        super().__init__()
        self.model, self.share, self.augment = model, share, augment

    def forward(self, images: Tensor) -> Tensor:
        """Compute the model's outputs for the images as this stage shows them."""
        if self.augment is not None and self.training:
            images = self.augment(images)
        if self.share < 1.0:
            images = low_frequencies(images, self.share)
        outputs: Tensor = self.model(images)
        return outputs


@dataclass(frozen=True)
class EfficientTrain(Curriculum):
    """Low frequencies first, as smaller images that cost less to train on.

    Wang, Yue, Lu, Liu, Zhong, Song and Huang, "EfficientTrain: Exploring Generalized Curriculum
    Learning for Training Visual Backbones", ICCV 2023, table 5: 160 of 224 pixels for three fifths
    of the training, 192 for one, all for one, here as shares of the images' own size. What a step
    costs falls with its number of pixels. Their RandAugment grows stronger with each fifth of the
    training, m = 1, 3, 5, 7, 9 of 10. It comes on top of the config's augmentation, with the
    operations that a whole batch can do at once, each image its own.
    """

    randaugment: Annotated[bool, Categorical([True, False]), Formerly(False)] = True

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 3

    @classmethod
    def unsuited(cls, model: nn.Module, input_shape: Sequence[int]) -> str | None:
        images = torch.zeros(2, *input_shape)
        return _refusal(model, images)

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        self.tell(ranks=examples.ranks)

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if "tried" not in self.state:
            # Tried before anything is trained, divided among the ranks like everything that costs.
            images = examples.inputs[:2][examples.ranks.share(min(2, len(examples)))]
            self.refuse(_refusal(model, images))
            self.state["tried"] = torch.ones((), dtype=torch.bool, device=examples.labels.device)
        return None

    def next_choice(self, progress: float) -> float:
        return (int(progress * FIFTHS + 1e-9) + 1) / FIFTHS

    def model_curriculum(self, model: nn.Module, progress: float) -> nn.Module:
        share = resolution(progress)
        if share == 1.0 and not self.randaugment:
            return model
        magnitude = strength(progress)
        augment = partial(self._augmented, magnitude) if self.randaugment else None
        return Staged(model, share, augment)

    def _augmented(self, magnitude: int, images: Tensor) -> Tensor:
        """The images of this rank's part of the batch, augmented."""
        part, indices = self.seen["ranks"].part, self.seen["indices"]
        own = indices if part is None else indices[part[0]]
        return rand_augmented(images, own, magnitude, self.seen["key"])

    def loss_phase(self, progress: float) -> str:
        return f"{resolution(progress):.0%} of height and width"


def _refusal(model: nn.Module, images: Tensor) -> str | None:
    """Return the reason that a model cannot take images of all stages' sizes, or None."""
    for _, share in STAGES:
        small = low_frequencies(images, share)
        try:
            with evaluating(model):
                model(small)
        except (RuntimeError, ValueError, AssertionError) as error:
            size = "x".join(map(str, small.shape[-2:]))
            reason = " ".join(str(error).split())[:150]
            return f"it takes no images of another size ({size}: {reason})"
    return None
