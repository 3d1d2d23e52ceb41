"""Events as a test tells them: what it does not care about is filled in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_cl.run.events import Event, from_plain, plain
from automl_cl.run.journal import read_events
from automl_cl.run.journal_seal import Chain

VERDICT: dict[str, Any] = {
    "metric": "accuracy",
    "mode": "max",
    "seeds": [1],
    "items": 10,
    "openings": 1,
    "level": 0.05,
    "exploratory": False,
    "smallest_detectable_effect_in_sd": 3.3,
    "recommended": "baseline",
    "reason": "Nothing beats it.",
    "baseline": {"trial": 0, "algorithm": "plain", "config": {}, "values": [0.5], "mean": 0.5},
    "challenger": None,
    "secondaries": [],
}
COMPARED = {**VERDICT["baseline"], "difference": 0.0, "ci95": [-0.1, 0.1], "p_value": 0.5}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "search": {"spec": {"trials": 5}, "space": "space", "data": "data", "versions": {}},
    "start": {"pid": 1},
    "ask": {
        "stage": "search",
        "arm": "plain",
        "config": {"optimizer": {"lr": 0.1}},
        "point": {"optimizer.lr": 0.1},
        "origin": "default",
        "source": None,
        "seed": 3,
        "levels": [1.0, 3.0],
        "uncompared": True,
    },
    "rung": {
        "number": 0,
        "rung": 0,
        "level": 1.0,
        "value": 0.5,
        "metrics": {"accuracy": 0.5},
        "compute": 1.25,
        "seconds": 2.0,
        "checkpoint": None,
        "weights": None,
        "decision": "continue",
    },
    "end": {"number": 0, "status": "failed", "reason": "boom", "compute": 2.0, "weights": None},
    "lost": {"number": 0, "reason": "its actor died"},
    "plan": {
        "baseline": 0,
        "challenger": None,
        "secondaries": [],
        "opening": 1,
        "seeds": [1],
        "budget": 5,
    },
    "close": {"budget": 5, "asked": 9},
    "warm_start": {"points": {}, "tasks": 0, "same_data": False, "words": "nothing"},
    "out_of_memory": {
        "number": 0,
        "rung": 0,
        "reason": "refused",
        "memory": 10,
        "asked": 5,
        "batch_size": 64,
        "config": {},
    },
    "promote": {"number": 0},
    "problem": {
        "metric": "accuracy",
        "mode": "max",
        "baseline": "plain",
        "secondary": {},
        "notes": [],
        "arms": {"plain": {"information": None, "coordinates": {}}},
        "space": {},
        "whole_space": {},
    },
    "open_test": {"fingerprint": "data", "opening": 1},
}


def happened(kind: str, time: float = 0.0, **fields: Any) -> Event:
    """An event with these fields."""
    defaults = _DEFAULTS.get(kind, {})
    return from_plain({"seq": 0, "time": time, "event": kind, **defaults, **fields})


def sealed(told: list[dict[str, Any]]) -> bytes:
    """The content of a journal that tells this, whether it makes sense or not."""
    chain, lines = Chain(), []
    for each in told:
        line, chain = chain.sealed(json.dumps(each).encode())
        lines.append(line + b"\n")
    return b"".join(lines)


def rewrite(journal: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes a journal's events as somebody would who knows its checksums."""
    told = [plain(event) for event in read_events(journal)]
    for each in told:
        change(each)
    journal.write_bytes(sealed(told))
