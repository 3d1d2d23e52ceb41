"""Data that a function of the user's own loads."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError, unknown_name
from trainables.data.extra_columns import DIFFICULTY, NOISY, ExtraColumns
from trainables.data.joined import with_validation
from trainables.data.labels.unlabelled import without_labels
from trainables.data.options import flag_of, option, text
from trainables.data.source import RawData, RawExamples, Source
from trainables.foundation.user_code import ADDRESSES, UserFunction, is_address

_PAIRS = (("x", "y"), ("x_val", "y_val"), ("x_test", "y_test"))
_UNLABELLED = "x_unlabelled"
_KEYS = (*(key for pair in _PAIRS for key in pair), _UNLABELLED, "classes")
_EXTRAS = {NOISY: "noisy_labels", DIFFICULTY: "difficulty"}
_EXPECTED = (
    "(x, y), or a dict or dataclass with x, y and perhaps x_test, y_test, x_val, y_val, "
    "x_unlabelled and classes"
)


@dataclass(frozen=True)
class PlaceOptions(ExtraColumns):
    """Where the module is, and what else its function returns."""

    folder: str = option(
        "", text, "the folder to import the module from; found if not given", carried=False
    )


@final
class ModuleFunction(Source):
    """What a function of your own returns: --data MODULE:FUNCTION, such as my_data:load.

    The function is called without arguments and returns (x, y), or a dict or dataclass with x, y
    and, if there are, x_test and y_test (the sealed test), x_val and y_val (which join the rest
    if there is a test, else are it), x_unlabelled, classes (the name of class i), and
    arrays of noisy labels or difficulties under the names that options tell. x is
    [n, features], or images [n, height, width], [n, channels, height, width] or
    [n, height, width, channels]; y is [n], whole numbers or strings. Whatever NumPy makes an array
    of will do, CPU tensors of torch too. The module is looked for in the working directory and on
    PYTHONPATH. The function is called more than once, and must return the same each time.
    """

    takes = (PlaceOptions,)
    last_resort = True

    @classmethod
    def addresses(cls) -> str:
        return ADDRESSES

    @classmethod
    def claims(cls, address: str) -> bool:
        return is_address(address)

    @property
    def name(self) -> str:
        return self.address

    def load(self) -> RawData:
        function = UserFunction(self.address, self._chosen(PlaceOptions).folder, "--data")
        options = self._chosen(PlaceOptions)
        where, extras = f"--data {self.address}", options.extra_names()
        data, again = (_read(function(), where, extras) for _ in range(2))
        if _digest(data) != _digest(again):
            raise InputError(
                f"--data {self.address}: returned other data when it was called a second time; "
                "what it draws at random needs a seed, or the split would mean nothing."
            )
        chosen = {**vars(options), "folder": function.folder}
        return dataclasses.replace(
            data, options={name: given for name, given in chosen.items() if given}
        )


def _read(returned: Any, where: str, extras: Mapping[str, str]) -> RawData:
    given = _as_mapping(returned, where)
    allowed = [*_KEYS, *extras.values()]
    for key in given:
        if key not in allowed:
            raise unknown_name(f"key in what {where} returned:", key, allowed)
    values = {key: value for key, value in given.items() if value is not None}
    for inputs, labels in _PAIRS:
        for key, partner in ((inputs, labels), (labels, inputs)):
            if key not in values and (partner in values or key == "x"):
                raise InputError(f"{where} returned no '{key}'; expected {_EXPECTED}.")
    classes, more = values.get("classes"), dict[str, Any]()
    for option_name, key in extras.items():
        if key not in values:
            raise unknown_name(
                f"key of what {where} returned, for {flag_of(option_name)}:", key, values
            )
        field = _EXTRAS[option_name]
        more |= {field: _array(values[key], f"{where}, {key}"), f"{field}_name": f"{where}, {key}"}
    train, validation, test = (
        _examples(values, *pair, where) if pair[0] in values else None for pair in _PAIRS
    )
    assert train is not None  # it was required above
    train, notes = dataclasses.replace(train, **more), tuple[str, ...]()
    if more and validation and test:
        notes, validation = (f"x_val and y_val are not used: there is no {min(extras)}",), None
    train, test, joins = with_validation(train, validation, test, "x_val and y_val")
    return RawData(
        train,
        test,
        None if classes is None else _class_names(classes, values["y"], where),
        notes=(*notes, *joins),
        unlabelled=_unlabelled(values, where),
    )


def _unlabelled(values: Mapping[str, Any], where: str) -> RawExamples | None:
    if _UNLABELLED not in values:
        return None
    name = f"{where}, {_UNLABELLED}"
    return without_labels(_array(values[_UNLABELLED], name), name)


def _as_mapping(returned: Any, where: str) -> dict[str, Any]:
    if isinstance(returned, Mapping):
        return {str(key): value for key, value in returned.items()}
    if dataclasses.is_dataclass(returned) and not isinstance(returned, type):
        return {each.name: getattr(returned, each.name) for each in dataclasses.fields(returned)}
    if isinstance(returned, tuple | list) and len(returned) == 2:
        return {"x": returned[0], "y": returned[1]}
    kind = type(returned).__name__
    if isinstance(returned, tuple | list):
        kind = f"a {kind} of {len(returned)}"
    raise InputError(f"{where} returned {kind}; expected {_EXPECTED}.")


def _examples(values: Mapping[str, Any], inputs: str, labels: str, where: str) -> RawExamples:
    return RawExamples(
        _array(values[inputs], f"{where}, {inputs}"),
        _array(values[labels], f"{where}, {labels}"),
        f"{where}, {inputs}",
        f"{where}, {labels}",
    )


def _array(value: Any, where: str) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{where}: no array can be made of it: {reason}") from error
    if array.dtype.kind == "O" and array.ndim == 1 and all(isinstance(v, str) for v in array):
        return array.astype(np.str_)  # how pandas keeps text
    if array.dtype.kind == "O":
        raise InputError(f"{where}: expected numbers, got objects such as {type(value).__name__}.")
    return array


def _class_names(classes: Any, labels: Any, where: str) -> tuple[str, ...] | None:
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise InputError(f"{where}, classes: expected a list of names, got {classes!r}.")
    if _array(labels, f"{where}, y").dtype.kind not in "iu":
        raise InputError(f"{where}, classes: name classes of labels that are whole numbers only.")
    return tuple(classes)


def _digest(data: RawData) -> str:
    digest = hashlib.sha256()
    for part in (data.examples, data.official_test, data.unlabelled):
        arrays = () if part is None else (part.inputs, part.labels)
        more = () if part is None else (part.noisy_labels, part.difficulty)
        for array in (*arrays, *(each for each in more if each is not None)):
            digest.update(f"{array.dtype.str} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
