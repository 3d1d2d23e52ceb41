"""Journals whose lines are sealed as they should be, and make no sense."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from automl_cl.run.events import plain
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.journal_seal import Chain
from search_spaces import InputError

from .conftest import Refused
from .happened import COMPARED, VERDICT, happened, sealed

Told = list[dict[str, Any]]


def story() -> Told:
    """A journal of every kind of event."""
    plan = happened("plan", baseline=0, challenger=1)
    entry = {**COMPARED, "trial": 1, "algorithm": "superloss"}
    fork = {"run": "runs/other", "openings": 0, "given": {}, "trials": []}
    told = [
        happened("search", run="0" * 16, fork=fork),
        happened("warm_start", points={"plain": [{"optimizer.lr": 0.1}]}),
        happened("start"),
        happened("problem"),
        happened("ask", number=0),
        happened("ask", number=1, arm="superloss"),
        happened("rung", decision="paused", checkpoint="a.pt", digest="1" * 64),
        happened("lost", number=1),
        happened("out_of_memory", number=1),
        happened("promote"),
        happened("rung", rung=1, level=3.0, decision="done", weights="a", model_size=5),
        happened("end", number=1, memory=7),
        happened("extend", trials=9, time_limit=5.0),
        happened("close", budget=2, asked=9),
        happened("ask", number=2, stage="verdict", source=0, levels=[3.0]),
        happened("rung", number=2, decision="done", weights="w.safetensors", digest="2" * 64),
        happened("damaged", number=2, what="it is missing", weights="w.safetensors"),
        plan,
        happened("open_test"),
    ]
    found = [{**plain(event), "seq": seq} for seq, event in enumerate(told)]
    verdict = plain(happened("verdict", plan=found[-2], verdict={**VERDICT, "challenger": entry}))
    return [*found, {**verdict, "seq": len(found)}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def refusal(path: Path, told: Told, readers: Sequence[Any] = (read_events, Journal.open)) -> str:
    """How a journal that tells this is refused: for reading and for going on, unchanged."""
    content = sealed(told)
    path.write_bytes(content)
    said = []
    for read in readers:
        with pytest.raises(InputError) as raised:
            read(path)
        said.append(str(raised.value))
    assert path.read_bytes() == content
    assert len(set(said)) == 1 and "\n" not in said[0]
    return said[0]


def test_the_story_itself_makes_sense(path: Path) -> None:
    path.write_bytes(sealed(story()))
    happened_kinds = {event.kind for event in read_events(path)}
    from automl_cl.run import events

    kinds = {each.kind for each in vars(events).values() if getattr(each, "kind", "")}
    assert happened_kinds == kinds, "this test is of every kind"
    with Journal.open(path) as journal:
        assert len(journal.events) == len(story())


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something is told in an event, but for what only people read or configs hold."""
    for name, each in value.items():
        if name in ("event", "config", "point", "spec", "versions", "given", "space"):
            continue
        if path and name in ("seq", "time"):
            continue
        yield (*path, name)
        if isinstance(each, dict) and name in ("plan", "fork"):
            yield from places(each, (*path, name))


def changed(told: Told, index: int, where: tuple[Any, ...], value: Any) -> Told:
    """The same, but for one value; `...` for none at all."""
    copy: Told = json.loads(json.dumps(told))
    inner: Any = copy[index]
    for name in where[:-1]:
        inner = inner[name]
    if value is ...:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return copy


def test_a_value_of_another_type_is_told_with_its_line_and_name(path: Path) -> None:
    told, count = story(), 0
    for index, event in enumerate(told):
        for where in places(event):
            for value in ([1], {"a": [None]}, "?", -1, 1.5, True, [[{}]]):
                try:
                    said = refusal(path, changed(told, index, where, value), [read_events])
                except pytest.fail.Exception:
                    continue  # it may be that, as a text may be any text
                count += 1
                line = int(said.split()[1])
                assert line > index, (where, value, said)
                assert line > index + 1 or str(where[0]) in said, (where, value, said)
    assert count > 350


def test_a_missing_field_is_told_with_its_line_and_name(path: Path) -> None:
    told, count = story(), 0
    for index, event in enumerate(told):
        for where in places(event):
            try:
                said = refusal(path, changed(told, index, where, ...), [read_events])
            except pytest.fail.Exception:
                continue  # earlier versions did not have it
            count += 1
            assert said.startswith(f"line {index + 1} of {path} "), (where, said)
            assert str(where[-1]) in said, (where, said)
    assert count > 90


def test_a_field_that_there_is_not_is_told(path: Path) -> None:
    told = story()
    for index in range(len(told)):
        said = refusal(path, changed(told, index, ("numbr",), 3))
        assert f"line {index + 1} of" in said and "numbr: there is no such field" in said


@pytest.mark.parametrize(
    ("index", "change", "words"),
    [
        (2, {"event": "strat"}, "there is no event 'strat'; did you mean 'start'?"),
        (2, {"event": "from a later version"}, "there is no event 'from a later version'"),
        (2, {"event": 7}, "there is no event 7"),
        (2, {"event": "search"}, "event 'search'"),
        (2, {"seq": 7}, "has seq 7 where 2 is due"),
        (4, {"number": 1}, "number: expected 0, the next, got 1"),
        (4, {"levels": []}, "levels: expected rising numbers"),
        (4, {"levels": [3.0, 1.0]}, "levels: expected rising numbers"),
        (4, {"stage": "verdict"}, "source: got None in the stage 'verdict'"),
        (4, {"stage": "serach"}, "stage: expected one of search, confirm, verdict"),
        (6, {"number": 99}, "number: there is no trial 99 so far"),
        (6, {"number": -1}, "number: expected at least 0, got -1"),
        (6, {"rung": 1}, "rung: expected 0, got 1"),
        (6, {"value": "0.9"}, "value: expected a number, got '0.9'"),
        (6, {"metrics": {"accuracy": "high"}}, "metrics.accuracy: expected a number"),
        (6, {"decision": "go on"}, "decision: expected one of continue, paused, stopped, done"),
        (7, {"number": 2}, "there is no trial 2 so far"),
        (9, {"number": 1}, "trial 1 is running, not paused"),
        (11, {"number": 0}, "trial 0 has ended, done"),
        (11, {"status": "done"}, "status: expected one of stopped, failed"),
        (14, {"source": 1000}, "source: 1000 is no trial of the search"),
        (16, {"weights": "others"}, "weights: trial 2 has no weights of this name"),
        (17, {"baseline": 2}, "2 is no trial of the search"),
        (17, {"challenger": 50}, "50 is no trial of the search"),
        (19, {"plan": {}}, "plan.baseline: it is missing"),
        (19, {"verdict": {}}, "verdict.metric: it is missing"),
        (0, {"fork": {"run": "", "openings": 1, "given": {}, "trials": [{}]}}, "trials[0].number"),
        (0, {"spec": {"trials": "many"}}, "spec.trials: expected a whole number, got 'many'"),
    ],
)
def test_what_cannot_have_happened_is_told(
    path: Path, index: int, change: dict[str, Any], words: str
) -> None:
    told = story()
    told[index] |= change
    said = refusal(path, told)
    assert said.startswith(f"line {index + 1} of {path} ")
    assert words in said


def test_a_line_of_another_run_does_not_fit(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    one, two = story(), story()
    two[0]["run"] = "1" * 16
    path.write_bytes(sealed(one))
    other.write_bytes(sealed(two))
    mine = path.read_bytes().splitlines(keepends=True)
    for index, line in enumerate(other.read_bytes().splitlines(keepends=True)[1:], 1):
        path.write_bytes(b"".join([*mine[:index], line, *mine[index + 1 :]]))
        with pytest.raises(InputError, match=rf"line {index + 1} of .*, or of another run"):
            read_events(path)


@pytest.mark.parametrize(
    "content", [b"[1]", b"7", b'"a"', b"null", b'{"a": NaN}', b"{", b"[" * 9999]
)
def test_a_sealed_line_that_tells_nothing(path: Path, content: bytes) -> None:
    line, _ = Chain().sealed(content + b" " if not content.endswith(b"}") else content)
    path.write_bytes(line + b"\n")
    for read in (read_events, Journal.open):
        with pytest.raises(InputError, match="line 1 of"):
            read(path)  # type: ignore[operator]


@pytest.mark.parametrize("verb", ["resume", "report", "dashboard", "fork", "export"])
def test_every_command_refuses_it_in_one_line(
    refused: Refused, run_folder: Path, verb: str
) -> None:
    journal = run_folder / "journal.jsonl"
    told = [plain(event) for event in read_events(journal)]
    next(each for each in told if each["event"] == "rung")["number"] = 99
    journal.write_bytes(sealed(told))
    more: dict[str, list[str]] = {"export": ["--to", "x.yaml"], "dashboard": ["--export-only"]}
    line = 1 + next(i for i, each in enumerate(told) if each.get("number") == 99)
    refused(verb, run_folder, *more.get(verb, []), words=[f"line {line} of", "trial 99"])
    assert not os.path.exists("x.yaml")


def test_what_a_session_may_not_write_is_not_written(
    path: Path, write_npz: Callable[..., Path]
) -> None:
    from automl_cl.engine.session import Session
    from automl_cl.run.folder import RunFolder
    from automl_cl.spec.search_spec import SearchSpec
    from search_spaces import Space
    from trainables.scenarios.scenario import load_scenario

    scenario, spec = load_scenario("curriculum"), SearchSpec("curriculum", "digits")
    with Journal.create(path) as journal:
        journal.append(happened("search", spec=spec.to_dict()))
        space = Space.of(scenario.recipe)
        session = Session(spec, RunFolder(path.parent), journal, scenario, space)
        before = path.read_bytes()
        with pytest.raises(ValueError, match="there is no trial 4 so far"):
            session.write(happened("lost", number=4))
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("challenger", "ci95"), "..", "verdict.challenger.ci95: expected a list"),
        (("challenger", "ci95"), [0.1], "expected 2 members"),
        (("challenger", "difference"), None, "verdict.challenger.difference"),
        (("challenger", "p_value"), ..., "verdict.challenger.p_value: it is missing"),
        (("challenger", "was_given"), [1], "verdict.challenger.was_given"),
        (("challenger",), None, "there is no challenger to recommend"),
        (("challenger", "trial"), 99, "99 is no trial of the search"),
        (("challenger", "algorithm"), "plain", "trial 1 is of superloss, not 'plain'"),
        (("level",), "5 %", "verdict.level: expected a number"),
        (("parts",), {"of class 3": 7}, "parts.of class 3: trial 0 has none"),
        (("left_out",), [{"role": "judge"}], "verdict.left_out[0]"),
        (("notes",), "all well", "verdict.notes: expected a list"),
    ],
)
def test_what_is_read_of_a_verdict_is_checked(
    path: Path, where: tuple[str, ...], value: Any, said: str
) -> None:
    told = story()
    told[-1]["verdict"]["recommended"] = "challenger"
    assert said in refusal(path, changed(told, -1, ("verdict", *where), value))


SPACE = {
    "optimizer": {
        "default": "sgd",
        "options": {
            "sgd": {"lr": {"low": 0.1, "high": 1.0, "log": True, "default": 0.1}},
            "adam": {"beta": {"choices": [0.9, 0.99], "default": 0.9}},
        },
    },
    "epochs": 3.0,
}
LR = ("optimizer", "options", "sgd", "lr")


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("space", *LR, "low"), "0.1", "expected a number, got '0.1'"),
        (("whole_space", *LR, "high"), None, "expected a number, got None"),
        (("space", *LR, "log"), 1, "expected true or false"),
        (
            ("space", "optimizer", "options"),
            ["sgd"],
            "space.optimizer.options: expected a mapping",
        ),
        (("space", "optimizer", "options", "adam", "beta", "choices"), 0.9, "expected a list"),
        (("whole_space", *LR), ..., "space.optimizer.sgd.lr: the whole space has no such part"),
        (("whole_space", "optimizer"), "sgd", "the whole space has no such part"),
        (("whole_space",), {}, "space.optimizer: the whole space has no such part"),
        (("arms", "plain", "coordinates"), {"lr": "0.1"}, "is no distribution of Optuna"),
        (("arms", "plain", "coordinates"), {"lr": '{"name": "x"}'}, "plain.coordinates.lr"),
    ],
)
def test_what_is_told_of_the_space_is_checked(
    path: Path, where: tuple[str, ...], value: Any, said: str
) -> None:
    told = story()
    told[3] |= {"space": SPACE, "whole_space": SPACE}
    path.write_bytes(sealed(json.loads(json.dumps(told))))
    read_events(path)
    assert said in refusal(path, changed(told, 3, where, value))
