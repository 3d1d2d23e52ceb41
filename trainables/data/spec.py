"""Which data, which noise, which imbalance, which labels are clean, which split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from search_spaces.errors import InputError, unknown_name
from trainables.data.extra_columns import NOISY
from trainables.data.labels.imbalance import parse_imbalance
from trainables.data.labels.noise import noise_of_before, parse_noise
from trainables.data.labels.noise_map import checked_map


@dataclass(frozen=True)
class DataSpec:
    """The user's choice of data; the same spec always gives the same split and noise.

    Attributes:
        source: a named source such as `digits`, the path of a file or folder, or another address.
        noise: label noise: `none`, a rate, `symmetric:RATE`, `pair_flip:RATE`, `asymmetric:RATE`
            or `column:NAME`; the option `noisy_label_column` says the last as well.
        seed: decides the split, the noise, and which examples stay or are clean.
        options: how the source is to be read, such as `label_column`; the rest is guessed.
        noise_map: what classes become under asymmetric noise, by name; else it is found.
        imbalance: of the training part: `none`, `long_tail:RATIO` or `step:RATIO`.
        clean: how many training examples keep their true labels in spite of the noise, or, below
            1, which share; as many of each class as possible.
        clean_validation: whether all validation examples do.

    Raises:
        InputError: a field has the wrong type or a value that is not allowed.
    """

    source: str
    noise: str = "none"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    noise_map: Mapping[str, str] = field(default_factory=dict)
    imbalance: str = "none"
    clean: float = 0
    clean_validation: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not self.source.strip():
            raise InputError(
                f"data source: expected a name or the path of a file, got {self.source!r}."
            )
        for name in ("noise", "imbalance"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"--{name}: expected text, got {getattr(self, name)!r}.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"data seed: expected a whole number >= 0, got {self.seed!r}.")
        if not isinstance(self.options, Mapping):
            raise InputError(f"data options: expected a mapping, got {self.options!r}.")
        parse_imbalance(self.imbalance)
        self._check_noise()
        self._check_clean()

    def _check_noise(self) -> None:
        noise = parse_noise(self.noise)
        column = self.options.get(NOISY)
        if column is not None and noise and noise.column != column:
            raise InputError(
                f"--noise '{self.noise}': the labels are read from column '{column}' already "
                f"({NOISY}); give one of them."
            )
        if column is not None:
            object.__setattr__(self, "noise", f"column:{column}")
            parse_noise(self.noise)
        object.__setattr__(self, "noise_map", checked_map(self.noise_map))
        if self.noise_map and not noise.mapped:
            raise InputError(
                f"--noise-map is for --noise asymmetric:RATE alone, got --noise {self.noise}."
            )

    def _check_clean(self) -> None:
        clean = self.clean
        right = isinstance(clean, int | float) and not isinstance(clean, bool)
        if not right or not 0 <= clean < math.inf or (clean > 1 and clean != int(clean)):
            raise InputError(
                f"--clean: got {clean!r}, expected a whole number of training examples, or a "
                "share of them below 1."
            )
        if clean == int(clean):
            object.__setattr__(self, "clean", int(clean))
        if not isinstance(self.clean_validation, bool):
            raise InputError(
                f"--clean-validation: got {self.clean_validation!r}, expected true or false."
            )
        if (self.clean or self.clean_validation) and not parse_noise(self.noise):
            given = f"--clean {self.clean}" if self.clean else "--clean-validation"
            raise InputError(
                f"{given}: without --noise every label is as it comes; give --noise, or leave it "
                "out."
            )

    def refuse_changes(self, why: str) -> None:
        """Refuses noise and imbalance where they mean nothing.

        Raises:
            InputError: for whichever is given.
        """
        for name in ("noise", "imbalance"):
            if getattr(self, name) != "none":
                raise InputError(f"--{name}: got '{getattr(self, name)}'; {why}.")

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
        return cls(**readable(values))


def readable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with their noise as text of this version.

    YAML reads an unquoted rate as a number; and settings without a `noise_map` are those of a
    version whose asymmetric noise had none.
    """
    given = dict(values)
    if type(given.get("noise")) in (int, float):
        given["noise"] = str(given["noise"])
    if "noise_map" not in given and isinstance(given.get("noise"), str):
        given["noise"] = noise_of_before(given["noise"])
    return given
