"""Which data, which noise, which split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from search_spaces.errors import InputError, unknown_name
from trainables.data._noise import parse_noise


@dataclass(frozen=True)
class DataSpec:
    """The user's choice of data; the same spec always gives the same split and noise.

    Attributes:
        source: a named source such as `digits`, the path of a file or folder, or another address.
        noise: label noise: `none`, a rate, `symmetric:RATE` or `asymmetric:RATE`.
        seed: decides the split and the noise.
        options: how the source is to be read, such as `label_column`; the rest is guessed.

    Raises:
        InputError: a field has the wrong type or a value that is not allowed.
    """

    source: str
    noise: str = "none"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not self.source.strip():
            raise InputError(
                f"data source: expected a name or the path of a file, got {self.source!r}."
            )
        if not isinstance(self.noise, str):
            raise InputError(f"--noise: expected text, got {self.noise!r}.")
        parse_noise(self.noise)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"data seed: expected a whole number >= 0, got {self.seed!r}.")
        if not isinstance(self.options, Mapping):
            raise InputError(f"data options: expected a mapping, got {self.options!r}.")

    @property
    def noise_rate(self) -> float:
        """The probability that a label is flipped."""
        return parse_noise(self.noise).rate

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain values that YAML and JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataSpec:
        """The spec that `to_dict` wrote, or that a user wrote by hand in YAML.

        Raises:
            InputError: not a mapping, an unknown key, no source, or a value of the wrong type.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"data: expected a mapping with a 'source', got {values!r}.")
        allowed = [each.name for each in fields(cls)]
        for key in values:
            if key not in allowed:
                raise unknown_name("key in data", key, allowed)
        if "source" not in values:
            raise InputError(
                f"data: 'source' is missing; given: {', '.join(values) or 'nothing'}."
            )
        given = dict(values)
        # YAML reads an unquoted rate as a number.
        if type(given.get("noise")) in (int, float):
            given["noise"] = str(given["noise"])
        return cls(**given)
