"""EfficientTrain (Wang et al., ICCV 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.curriculum._curriculum import Curriculum
from trainables.scoring import evaluating
from trainables.tensors import TensorExamples

STAGES = ((0.6, 160 / 224), (0.8, 192 / 224))
"""Until this share of the training, this share of the images' height and width."""


def resolution(progress: float) -> float:
    """The share of height and width that is seen at a share of the training."""
    return next((share for until, share in STAGES if progress < until), 1.0)


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


class AtLowResolution(nn.Module):
    """A model that is given its images' low frequencies only, as smaller images."""

    def __init__(self, model: nn.Module, share: float) -> None:
        super().__init__()
        self.model, self.share = model, share

    def forward(self, images: Tensor) -> Tensor:
        """What the model returns for the smaller images."""
        outputs: Tensor = self.model(low_frequencies(images, self.share))
        return outputs


@dataclass(frozen=True)
class EfficientTrain(Curriculum):
    """Low frequencies first, as smaller images that cost less to train on.

    Wang, Yue, Lu, Liu, Zhong, Song and Huang, "EfficientTrain: Exploring Generalized Curriculum
    Learning for Training Visual Backbones", ICCV 2023, table 5: 160 of 224 pixels for three fifths
    of the training, 192 for one, all for one, here as shares of the images' own size. What a step
    costs falls with its number of pixels. Their RandAugment, whose strength grows from stage to
    stage, is left out: an augmentation is a choice of its own here, the same at all times.
    """

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 3

    @classmethod
    def unsuited(cls, model: nn.Module, input_shape: Sequence[int]) -> str | None:
        images = torch.zeros(2, *input_shape)
        return _refusal(model, images)

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if "tried" not in self.state:
            # Tried before anything is trained, divided among the ranks like everything that costs.
            images = examples.inputs[:2][examples.ranks.share(min(2, len(examples)))]
            self.refuse(_refusal(model, images))
            self.state["tried"] = torch.ones((), dtype=torch.bool, device=examples.labels.device)
        return None

    def model_curriculum(self, model: nn.Module, progress: float) -> nn.Module:
        share = resolution(progress)
        return model if share == 1.0 else AtLowResolution(model, share)

    def loss_phase(self, progress: float) -> str:
        return f"{resolution(progress):.0%} of height and width"


def _refusal(model: nn.Module, images: Tensor) -> str | None:
    """Why a model does not take images at all stages' sizes, or None if it does."""
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
