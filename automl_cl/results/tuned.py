"""A tuned config: the exported result of a search, and what can be done with it anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cl.run.folder import write_whole
from search_spaces import (
    Config,
    InputError,
    Part,
    from_config,
    parse_yaml,
    read_yaml,
    to_yaml,
    unknown_name,
)
from trainables.data import DataSpec, DataView, carried_over, flag_of
from trainables.foundation.storage import Place, RemotePath
from trainables.foundation.user_code import Code, code_in, guarded, refuse_code
from trainables.scenarios.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import torch
    from torch.nn import Parameter

    from automl_cl.run.trial_table import TrialTable
    from automl_cl.spec.preparation import Prepared
    from automl_cl.verdict.judge import Verdict
    from trainables.learning.learner import Learner
    from trainables.parts.schedule import ScheduleOverSteps

FORMAT = 1
TUNED = "the tuned config"
HOW = "--trust-code, or trust_code=True in Python"


@dataclass(frozen=True)
class Fitted:
    """A model trained from a tuned config.

    Attributes:
        learner: the trained learner.
        view: the data that it was trained on.
        metrics: its metrics on the validation examples.
        compute: what it cost, in epochs of the plain baseline.
    """

    learner: Learner
    view: DataView
    metrics: dict[str, float]
    compute: float


@dataclass(frozen=True)
class Tuned:
    """The result of a search, and all that is needed to use it without the search.

    Attributes:
        scenario: the kind of problem.
        config: the recommended config.
        data: source, noise, seed and settings of the data that it was found on.
        shape: of that data: `classes` (1 for regression) and `input_shape`.
        verdict: the verdict in short.
        versions: of the software that found it.
        automl_cl: the version of this file's format.
        trusted: whether code that it names may run; it is not part of the file.
    """

    scenario: str
    config: Config
    data: dict[str, Any]
    shape: dict[str, Any]
    verdict: dict[str, Any]
    versions: dict[str, str]
    automl_cl: int = field(default=FORMAT)
    trusted: bool = field(default=True, repr=False, compare=False)

    @classmethod
    def of_search(
        cls, prepared: Prepared, table: TrialTable, verdict: Verdict, versions: dict[str, str]
    ) -> Tuned:
        """The tuned config that a verdict recommends."""
        winner, challenger = verdict[verdict["recommended"]], verdict["challenger"]
        short = {key: verdict[key] for key in ("recommended", "reason", "metric", "openings")}
        short |= {"algorithm": winner["algorithm"], "mean": winner["mean"]}
        if challenger is not None:
            short |= {key: challenger[key] for key in ("difference", "ci95", "p_value")}
        if winner.get("was_given") is not None:
            short["was_given"] = winner["was_given"]
        view = prepared.view
        return cls(
            scenario=prepared.spec.scenario,
            config=winner["config"],
            data=prepared.data.to_dict()
            | {"settings": dict(prepared.spec.settings), "fingerprint": view.fingerprint},
            shape={"classes": view.num_classes, "input_shape": list(view.input_shape)},
            verdict=short,
            versions=versions,
        )

    def write(self, path: Path) -> None:
        """Writes the tuned config as YAML, whole or not at all."""
        given = {name: getattr(self, name) for name in reversed(_written())}
        write_whole(path, to_yaml(given))

    @classmethod
    def read(cls, path: Place, trust_code: bool = False) -> Tuned:
        """Reads a tuned config.

        Args:
            path: the file.
            trust_code: lets the code run that it names, by `MODULE:FUNCTION` for data or model.

        Raises:
            InputError: if the file is not one, or something in it is missing or wrong.
        """
        given = read_yaml(path) if isinstance(path, Path) else _read_remote(path)
        names = _written()
        if not isinstance(given, dict):
            raise InputError(f"{path} is not a tuned config: it holds no mapping.")
        # Another format may well have other keys, so it is told first.
        version = given.get("automl_cl", FORMAT)
        if type(version) is not int or version != FORMAT:
            raise InputError(f"{path}: automl_cl: got {version!r}, this version reads {FORMAT}.")
        for name in given:
            if name not in names:
                raise unknown_name(f"key in {path}", name, names)
        for name in names:
            if name not in given:
                raise InputError(f"{path} is not a whole tuned config: '{name}' is missing.")
        tuned = cls(**given, trusted=trust_code)
        try:
            tuned._check()
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return tuned

    def _check(self) -> None:
        self._recipe()
        for name in ("data", "shape", "verdict", "versions"):
            if not isinstance(getattr(self, name), dict):
                raise InputError(f"{name}: got {getattr(self, name)!r}, expected a mapping.")
        if self.data:
            self._data_spec()
        if not isinstance(self.data.get("fingerprint", ""), str):
            raise InputError(f"data.fingerprint: got {self.data['fingerprint']!r}, expected text.")
        classes, lengths = self.shape.get("classes"), self.shape.get("input_shape")
        if type(classes) is not int or classes < 1:
            raise InputError(f"shape.classes: got {classes!r}, expected a whole number from 1.")
        if not isinstance(lengths, list) or not all(type(n) is int and n > 0 for n in lengths):
            raise InputError(
                f"shape.input_shape: got {lengths!r}, expected a list of whole numbers from 1."
            )

    def recipe(self) -> Any:
        """The config as typed parts: `recipe().algorithm`, `recipe().optimizer`, ...

        Raises:
            InputError: if its model is code, which is not trusted.
        """
        if not self.trusted:
            refuse_code(code_in(self.config), TUNED, HOW)
        return self._recipe()

    def _recipe(self) -> Any:
        return from_config(self._scenario().recipe, self.config)

    @contextmanager
    def _guarded(self, source: str | None, options: Mapping[str, Any] | None) -> Iterator[None]:
        """Has no code run but what is trusted, or what the caller named as other data."""
        named = [] if source is None else [Code(source, (options or {}).get("folder", ""))]
        with guarded(TUNED, self.trusted, named, HOW):
            yield

    def _scenario(self) -> Scenario:
        return load_scenario(self.scenario)

    def optimizer(self, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """The tuned optimizer of somebody's own parameters."""
        optimizer: torch.optim.Optimizer = self._recipe().optimizer.build(parameters)
        return optimizer

    def schedule(self, optimizer: torch.optim.Optimizer, steps: int) -> ScheduleOverSteps:
        """The tuned schedule of an optimizer, as a torch scheduler over `steps` steps."""
        from trainables.parts.schedule import ScheduleOverSteps

        return ScheduleOverSteps(optimizer, self._recipe().schedule, steps)

    def curriculum(self) -> Part:
        """The tuned algorithm, new and ready for `data_prepare`."""
        algorithm: Part = self._recipe().algorithm
        return algorithm

    def view(
        self, source: str | None = None, options: Mapping[str, Any] | None = None
    ) -> DataView:
        """The data it was found on, or, from another source, clean data split the same way.

        Args:
            source: other data. It is read as the data it was found on, if it is of that kind: the
                same columns, categories and classes.
            options: how the other data is to be read where that differs.

        Raises:
            InputError: if the data cannot be read, or is not what it was found on, or its code is
                not trusted.
        """
        with self._guarded(source, options):
            return self._view(source, options)

    def _view(self, source: str | None, options: Mapping[str, Any] | None) -> DataView:
        if source is not None:
            spec = DataSpec(
                source, seed=self.data.get("seed", 0), options=self._carried(source, options or {})
            )
            return self._scenario().load(spec, self._settings(source))
        if options:
            given = ", ".join(map(flag_of, options))
            raise InputError(f"{given}: how data is read can be said of other data only: --data.")
        view = self._scenario().load(self._data_spec(), self._settings(self.data["source"]))
        found_on = self.data.get("fingerprint", view.fingerprint)
        if view.fingerprint != found_on:
            raise InputError(
                f"the data '{self.data['source']}' is not what the config was found on: "
                f"fingerprint {view.fingerprint}, then {found_on}; name it as other data."
            )
        return view

    def _carried(self, source: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """How other data is read: as what it was found on, but for the given."""
        if source in self._scenario().own_data():
            return dict(given)
        return carried_over(self._data_spec() if self.data else None, given, source)

    def _data_spec(self) -> DataSpec:
        """What data it was found on, as the user would say it."""
        other = ("fingerprint", "settings")
        return DataSpec.from_dict({k: v for k, v in self.data.items() if k not in other})

    def _settings(self, source: str) -> Any:
        return self._scenario().with_settings(self.data.get("settings", {}), source)

    def fit(
        self,
        source: str | None = None,
        seed: int = 0,
        device: str = "cpu",
        options: Mapping[str, Any] | None = None,
    ) -> Fitted:
        """Trains the config from scratch, here, without Ray.

        Args:
            source: a data source's name, a file or another address; None for the data it was
                found on.
            seed: decides initialisation, order and augmentation.
            device: where to train.
            options: how other data is to be read, as for `view`.

        Raises:
            InputError: if the data cannot be read, a part of the config does not suit it, the
                training diverges, or code of data or model is not trusted.
        """
        with self._guarded(source, options):
            return self._fit(source, seed, device, options)

    def _fit(
        self, source: str | None, seed: int, device: str, options: Mapping[str, Any] | None
    ) -> Fitted:
        import torch

        recipe = self.recipe()
        place, view = torch.device(device), self._view(source, options)
        _require_suitable(recipe, view)
        self._scenario().check_model(recipe.model, view)
        self._scenario().require_suited(self.config, view)
        data = self._scenario().on_device(view, place)
        learner = self._scenario().learner(self.config, data, seed, place)
        horizon = self.config["training"]["epochs"]
        learner.begin(horizon)
        learner.advance(horizon)
        if learner.diverged:
            raise InputError("the training diverged: the loss was no longer a finite number.")
        return Fitted(learner, view, learner.evaluate(), learner.compute)


def _written() -> list[str]:
    """The fields that the file has."""
    return [each.name for each in dataclasses.fields(Tuned) if each.name != "trusted"]


def _read_remote(path: RemotePath) -> Any:
    try:
        return parse_yaml(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read {path}: {reason}.") from error


def _require_suitable(recipe: Any, view: DataView, path: str = "config") -> None:
    """Refuses data whose inputs or columns some part of a recipe cannot be used on."""
    for each in dataclasses.fields(recipe):
        part = getattr(recipe, each.name)
        if not isinstance(part, Part):
            continue
        if not part.suits(view.input_shape):
            raise InputError(
                f"{path}.{each.name}: '{part.part_name()}' does not suit data '{view.name}', "
                f"whose inputs have shape {list(view.input_shape)}."
            )
        if part.needs_column is not None and (missing := part.lacks(view.train.columns)):
            raise InputError(
                f"{path}.{each.name}: '{part.part_name()}' does not suit data '{view.name}': "
                f"{missing}."
            )
        _require_suitable(part, view, f"{path}.{each.name}")
