"""The way a network is computed: number format, memory layout, compilation, a batch in parts.

None of it is searched. It changes results a little, so it is a section of the config: what a
verdict was about is what a tuned config computes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

from search_spaces import (
    Categorical,
    Config,
    InputError,
    Int,
    Part,
    Within,
    from_config,
    to_config,
)

SECTION = "computing"
MOST_PARTS = 1024


@dataclass(frozen=True)
class Computing(Part):
    """The way a network is computed; chosen once, never searched.

    `precision` bfloat16 runs the network's passes under autocast: weights, optimizer, losses and
    whatever is kept of examples stay float32. `channels_last` lays convolutions' weights and
    images out channel by channel. `compile` compiles the passes that train: `always`, or with
    `auto` where a run is of at least `compile_from` steps of the baseline, and so wins back what
    compiling takes. `micro_batches` above 1 passes a batch through the network in so many parts,
    each computed once more on the way back, so that the activations of one part are held at a
    time; the loss is that of the whole batch. It costs another forward pass, and batch
    normalisation then goes by the parts.
    """

    kind: ClassVar[str] = SECTION
    optional: ClassVar[bool] = True

    precision: Annotated[str, Within(Categorical(["float32", "bfloat16"]))] = "float32"
    channels_last: Annotated[bool, Within(Categorical([False, True]))] = False
    compile: Annotated[str, Within(Categorical(["never", "auto", "always"]))] = "never"
    compile_from: Annotated[int, Within(Int(1, 10**9))] = 20_000
    micro_batches: Annotated[int, Within(Int(1, MOST_PARTS))] = 1

    @classmethod
    def of(cls, config: Config) -> Self:
        """That of a whole config, which may leave it out."""
        if SECTION not in config:
            return cls()
        computing: Self = from_config(cls, config[SECTION], SECTION)
        return computing

    def in_config(self, config: Config) -> Config:
        """A whole config with this in it."""
        rest = {name: section for name, section in config.items() if name != SECTION}
        return rest if self == type(self)() else {**rest, SECTION: to_config(self)}

    def divided(self, parts: int) -> Self:
        """The same with a batch in so many times as many parts."""
        return replace(self, micro_batches=min(self.micro_batches * parts, MOST_PARTS))

    def pays_to_compile(self, steps: float) -> bool:
        """True if a run of so many steps is compiled."""
        if self.micro_batches > 1:
            return False  # it is after memory, not speed
        return self.compile == "always" or (self.compile == "auto" and steps >= self.compile_from)

    def require_divisible(self, why_not: str | None, algorithm: str) -> None:
        """Refuses parts of a batch to an algorithm that cannot have them.

        Raises:
            InputError: if it is to have them.
        """
        if why_not is not None and self.micro_batches > 1:
            raise InputError(
                f"{SECTION}.micro_batches: got {self.micro_batches}, but '{algorithm}' needs the "
                f"whole batch at once: {why_not}."
            )
