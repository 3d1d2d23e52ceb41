"""Views of vectors: noise, and features that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from search_spaces import BELOW_ONE, NOT_NEGATIVE, Float
from trainables.foundation.randomness import derive_seed, keyed_normal, keyed_uniform
from trainables.parts.view import Views


@dataclass(frozen=True)
class VectorViews(Views):
    """Gaussian noise, in the strong view more of it, and features left out.

    Noise on the inputs is the perturbation of the Γ-model (Rasmus et al., NeurIPS 2015); leaving
    features out is SCARF's corruption (Bahri et al., ICLR 2022) with the mean in their place,
    which is 0 since inputs are standardised.
    """

    of_strong_alone: ClassVar[tuple[str, ...]] = ("strong_noise", "left_out")

    weak_noise: Annotated[float, Float(0.01, 0.3, log=True), NOT_NEGATIVE] = 0.05
    strong_noise: Annotated[float, Float(0.05, 1.0, log=True), NOT_NEGATIVE] = 0.3
    left_out: Annotated[float, Float(0.0, 0.5), BELOW_ONE] = 0.2

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 1

    def weak(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        return inputs + self.weak_noise * keyed_normal(indices, key, inputs.shape[1])

    def strong(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        features = inputs.shape[1]
        noise = keyed_normal(indices, derive_seed(key, "noise"), features)
        kept = keyed_uniform(indices, derive_seed(key, "left out"), features) >= self.left_out
        return (inputs + self.strong_noise * noise) * kept
