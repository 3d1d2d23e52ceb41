"""One finished trial as the history keeps it, and as a row of its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from automl_cl.history.schema import SCHEMA_VERSION
from automl_cl.run.events import Decision, Stage, Status
from automl_cl.run.trial import Rung, Trial
from search_spaces import Config, Point

_AS_JSON = ("settings", "coordinates", "config", "point", "versions")
FINISHED = ("done", "stopped", "failed", "diverged", "infeasible")


@dataclass(frozen=True)
class Record:
    """A finished trial with what its search was about; see `schema.arrow_schema` for each field.

    Attributes:
        rungs: (level, value, compute) each.
        ended: in UTC.
    """

    search: str
    number: int
    stage: str
    scenario: str
    settings: Mapping[str, Any]
    metric: str
    mode: str
    data: str
    fingerprint: str
    features: Mapping[str, Any]
    sample: tuple[int, ...]
    algorithm: str
    space: str
    coordinates: Mapping[str, str]
    config: Config
    point: Point
    rungs: tuple[tuple[float, float, float], ...]
    value: float | None
    compute: float
    cap: float
    fidelity: str
    seed: int
    status: str
    origin: str
    source: int | None
    versions: Mapping[str, str]
    ended: datetime

    @property
    def task(self) -> tuple[str, str, float]:
        """The key of comparable values: data with split and noise, settings, cap."""
        return self.fingerprint, _canonical(self.settings), self.cap

    def row(self) -> dict[str, Any]:
        """The record as a row of plain values."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        found |= {name: _canonical(found[name]) for name in _AS_JSON}
        names = ("level", "value", "compute")
        found["rungs"] = [dict(zip(names, rung, strict=True)) for rung in self.rungs]
        found["sample"] = list(self.sample)
        return {"schema_version": SCHEMA_VERSION, **found}

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Record:
        """The record of a row.

        Raises:
            ValueError: if what should be JSON is not.
            KeyError, TypeError: if something is missing.
        """
        given = {each.name: row[each.name] for each in fields(cls)}
        given |= {name: json.loads(given[name]) for name in _AS_JSON}
        given["sample"] = tuple(given["sample"] or ())
        given["rungs"] = tuple((r["level"], r["value"], r["compute"]) for r in given["rungs"])
        given["ended"] = given["ended"].astimezone(UTC)
        return cls(**given)

    def trial(self, point: Point) -> Trial:
        """The record as a trial of a table, at a point of the present space."""
        rungs = [Rung(*rung, {}, None, Decision.CONTINUE) for rung in self.rungs]
        return Trial(
            number=self.number,
            stage=Stage(self.stage),
            arm=self.algorithm,
            config=self.config,
            point=point,
            origin=self.origin,
            source=self.source,
            seed=self.seed,
            levels=[rung.level for rung in rungs] or [self.cap],
            status=Status(self.status),
            compute=self.compute,
            rungs=rungs,
        )


def space_hash(coordinates: Mapping[str, str]) -> str:
    """16 hex digits that differ for other coordinates of an arm."""
    return hashlib.sha256(_canonical(coordinates).encode()).hexdigest()[:16]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
