"""A run and its history on S3, without Ray: the same as on a disk, and every command on it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from automl_cl.engine import driver
from automl_cl.engine.driver import SearchResult
from automl_cl.engine.session import Session
from automl_cl.history.reading import read_history
from automl_cl.results.dashboard import export_studies
from automl_cl.run.events import Event
from automl_cl.run.journal import read_events
from automl_cl.spec.search_spec import SearchSpec
from trainables.foundation.storage import (
    RemotePath,
    StorageError,
    names,
    place,
    reading,
    stop_requested,
)
from trainables.trials.trial_run import RungReport

from ..conftest import SMALL, Command, Refused, toy, train_here, train_until, without_ray
from .conftest import BUCKET, SECRET, Server

RUN, HISTORY = f"s3://{BUCKET}/runs/one", f"s3://{BUCKET}/runs/history"
SECRETS = ["RAY_AUTH_TOKEN", "HF_TOKEN"]
FILES = ["search.yaml", "trials.parquet", "verdict.json", "tuned.yaml", "report.html"]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> SearchSpec:
    data = tmp_path_factory.mktemp("data") / "toy.npz"
    np.savez(data, **toy())
    return SearchSpec("curriculum", str(data), space=SMALL, trials=4, max_epochs=2.0, seeds=3)


def start(spec: SearchSpec, run: object, train: Callable[..., None] = train_here) -> SearchResult:
    with without_ray(train):
        return driver.start(spec, str(run))


@pytest.fixture(scope="module")
def run(s3: Server, spec: SearchSpec, tmp_path_factory: pytest.TempPathFactory) -> RemotePath:
    """A search that was cut in its first trial, and resumed with nothing but the URI."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SECRETS:
            patch.setenv(name, SECRET)
        start(spec, RUN, train_until(1))
    found = place(RUN)
    assert isinstance(found, RemotePath)
    assert any(each.path.endswith("-rung-1.pt") for each in found.entries(recursive=True))
    before = [event for event in read_events(found / "journal") if event.kind != "end"]
    with pytest.MonkeyPatch.context() as patch, without_ray(train_here):
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        driver.resume(RUN)
    assert read_events(found / "journal")[: len(before)] == before
    return found


def table(trials: RemotePath | Path) -> list[dict[str, Any]]:
    with reading(trials) as file:
        return pq.read_table(file).drop(["seconds"]).to_pylist()


def test_it_is_what_it_would_be_on_a_disk(
    run: RemotePath, spec: SearchSpec, tmp_path: Path
) -> None:
    start(spec, tmp_path / "run")
    assert table(run / "trials.parquet") == table(tmp_path / "run" / "trials.parquet")
    assert (run / "verdict.json").read_text() == (tmp_path / "run" / "verdict.json").read_text()
    there, here = names(run), [each.name for each in (tmp_path / "run").iterdir()]
    assert {*FILES, "journal", "checkpoints", "tensorboard"} <= {*there}
    assert names(run / "tensorboard") == names(tmp_path / "run" / "tensorboard")
    assert all(len(names(run / "tensorboard" / each)) == 1 for each in names(run / "tensorboard"))
    weights = {each.name for each in (tmp_path / "run").rglob("*.safetensors")}
    objects = {each.base_name for each in run.entries(recursive=True)}
    assert {name.split("-")[1] for name in weights} <= {n.split("-")[-1] for n in objects}
    assert not [name for name in objects if name.endswith(".pt")], "nobody can ask for these"
    assert not names(run / "journal.lock") and ".stop" not in there and here


def test_its_history_is_beside_it_and_warms_up_others(
    run: RemotePath, spec: SearchSpec, command: Command
) -> None:
    searched = [event for event in read_events(run / "journal") if event.kind == "ask"]
    kept = [event for event in searched if event.stage != "verdict"]
    assert len(read_history(place(HISTORY), pytest.fail)) == len(kept)
    outcome = command("history", HISTORY)
    assert outcome.code == 0 and "1 search, 1 task" in outcome.out
    warm = replace(spec, warm_start=HISTORY, history=f"s3://{BUCKET}/warm/history")
    start(warm, f"s3://{BUCKET}/warm/run", lambda *args: None)
    events = read_events(place(f"s3://{BUCKET}/warm/run/journal"))
    (told,) = (event for event in events if event.kind == "warm_start")
    assert told.tasks == 1 and HISTORY in told.words


def test_every_command_takes_its_address(
    run: RemotePath, command: Command, tmp_path: Path
) -> None:
    outcome = command("report", RUN)
    assert outcome.code == 0 and outcome.out.strip() == f"{RUN}/report.html", outcome
    outcome = command("export", RUN, "--to", "tuned.yaml", "--weights")
    assert outcome.code == 0, outcome
    assert (tmp_path / "tuned.yaml").read_text() == (run / "tuned.yaml").read_text()
    assert (tmp_path / "tuned.safetensors").stat().st_size > 0
    outcome = command("train", f"{RUN}/tuned.yaml", "--output", "trained")
    assert outcome.code == 0 and (tmp_path / "trained" / "weights.safetensors").exists(), outcome
    for _ in range(2):
        outcome = command("dashboard", RUN, "--export-only")
        assert outcome.out == f"written: {RUN}/optuna.jsonl\n" and (run / "optuna.jsonl").is_file()
    assert export_studies(RUN).exists(), "the dashboard reads it here"
    outcome = command("doctor", "--no-ray", "--runs", f"s3://{BUCKET}/runs")
    assert f"s3://{BUCKET}/runs: write, read, list, remove work" in outcome.out
    with without_ray(lambda *args: None):
        outcome = command("fork", RUN, "--output", f"s3://{BUCKET}/forked/run", "--trials", "1")
    assert f"go on with: automl-cl resume s3://{BUCKET}/forked/run" in outcome.err
    first = read_events(place(f"s3://{BUCKET}/forked/run/journal"))[0]
    assert first.fork["run"] == RUN


BAD = [
    ("s3://no-such-bucket/run", ["--output", "there is no such bucket"]),
    ("s3://KEY:HIDDEN@bucket/run", ["--output", "no credentials", "environment"]),
    ("s3://bucket/run?secret_key=HIDDEN", ["--output", "no credentials"]),
    ("s4://bucket/run", ["--output", "'s4'", "allowed: s3, gs"]),
    ("s3://bucket", ["--output", "expected a folder in it"]),
    ("s3:///run", ["--output", "the bucket is missing"]),
    ("s3://bucket/run?nonsense=1", ["nonsense"]),
    ("s3://bucket/run?endpoint_override=http://127.0.0.1:1", ["--output", "no connection"]),
    (RUN, ["--output", "not empty"]),
]


@pytest.mark.parametrize(("output", "words"), BAD)
def test_a_bad_address_is_told_before_anything_is_trained(
    run: RemotePath, refused: Refused, output: str, words: list[str]
) -> None:
    refused("search", "curriculum", "--data", "digits", "--output", output, words=words)


def test_bad_addresses_of_other_options(run: RemotePath, refused: Refused) -> None:
    search = ["search", "curriculum", "--data", "digits", "--output", f"s3://{BUCKET}/new"]
    missing = "s3://no-such-bucket/history"
    refused(*search, "--history", missing, words=["--history", "no such bucket"])
    refused(*search, "--warm-start", missing, words=["--warm-start", "there is no history"])
    refused("resume", f"s3://{BUCKET}/nothing", words=["there is no such folder"])
    refused("resume", f"s3://{BUCKET}/runs", words=["not a run folder", "search.yaml"])
    refused("report", "s3://A:B@bucket/run", words=["run folder", "no credentials"])
    refused("train", f"s3://{BUCKET}/no.yaml", words=["cannot read", "it is not there"])


def test_no_permission_is_told_in_one_line(
    run: RemotePath, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: RemotePath, content: bytes, patient: bool = True) -> None:
        path._ask(lambda *_: (_ for _ in ()).throw(OSError("AWS Error ACCESS_DENIED during Put")))

    monkeypatch.setattr(RemotePath, "write_bytes", denied)
    arguments = ["search", "curriculum", "--data", "digits", "--output", f"s3://{BUCKET}/new"]
    refused(*arguments, words=["--output", "access is denied"])


def test_missing_data_is_told_on_resuming_elsewhere(
    s3: Server, spec: SearchSpec, refused: Refused, tmp_path: Path
) -> None:
    data = tmp_path / "gone.npz"
    np.savez(data, **toy())
    start(replace(spec, data=str(data)), f"s3://{BUCKET}/gone/run", lambda *args: None)
    data.unlink()
    refused("resume", f"s3://{BUCKET}/gone/run", words=[str(data), "there is no"])


def test_the_secret_is_nowhere(run: RemotePath) -> None:
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
    root = RemotePath(run.scheme, run.host, "")
    for each in root.entries(recursive=True):
        if each.is_file:
            content = (root / each.path.partition("/")[2]).read_bytes()
            assert SECRET.encode() not in content, each.path


def test_a_bucket_that_vanishes_ends_the_search_with_a_line(s3: Server, spec: SearchSpec) -> None:
    address = f"s3://{BUCKET}/vanishing/run"
    written: list[Event] = []

    def train(session: Session, *others: Any) -> None:
        train_until(1)(session, *others)
        written.extend(session.journal.events)
        session.stopping = False
        s3.lose_everything()
        train_here(session, *others)

    words = f"no such bucket .then go on with: automl-cl resume {address}"
    try:
        with pytest.raises(StorageError, match=words):
            start(spec, address, train)
    finally:
        s3.make_bucket()
    assert written[-1].kind == "rung"


def test_a_trial_that_could_not_write_is_not_taken_down(s3: Server, spec: SearchSpec) -> None:
    address = f"s3://{BUCKET}/refused/run"

    def train(session: Session, *others: Any) -> None:
        request = session.ask()
        assert request is not None
        lost = StorageError(errno.EIO, "access is denied", request.folder)
        session.report(RungReport.of_error(request, raised(lost)))

    with pytest.raises(
        StorageError, match=r"a trial says: .*access is denied.*go on with"
    ) as said:
        start(spec, address, train)
    assert said.value.filename == address
    assert read_events(place(f"{address}/journal"))[-1].kind == "ask"


def raised(error: StorageError) -> StorageError:
    with suppress(StorageError):
        raise error
    return error


def test_an_interruption_reaches_workers_and_is_forgotten_on_resuming(
    s3: Server, spec: SearchSpec
) -> None:
    address = f"s3://{BUCKET}/interrupted/run"
    asked: list[bool] = []

    def train(session: Session, *others: Any) -> None:
        worker = stop_requested(str(session.folder.stop_file))
        asked.append(worker())
        session.interrupt()
        asked.extend([worker(), stop_requested(str(session.folder.stop_file))()])

    start(spec, address, train)
    assert asked == [False, False, True], "a worker asks every 2 seconds at most"
    with without_ray(lambda session, *_: asked.append(session.folder.stop_file.exists())):
        driver.resume(address)
    assert not asked[-1]


def test_damaged_weights_are_trained_again_and_nothing_is_opened_twice(
    spec: SearchSpec, s3: Server
) -> None:
    address = f"s3://{BUCKET}/damaged/run"
    start(spec, address)
    run = place(address)
    assert isinstance(run, RemotePath)
    undisturbed = (run / "verdict.json").read_text()
    happened = read_events(run / "journal")
    opened = next(each.seq for each in happened if each.kind == "open_test")
    for each in (run / "journal").entries(recursive=True):
        if each.is_file and int(each.path.rsplit("/", 2)[1]) >= opened:
            (run / "journal" / each.path.rsplit("/", 2)[1] / each.base_name).unlink()
    files = [run / "checkpoints" / e.path.rpartition("/checkpoints/")[2]
             for e in (run / "checkpoints").entries(recursive=True) if e.is_file]  # fmt: skip
    one, other, third, *_ = sorted(files, key=str)
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0][:-8])
    third.unlink()
    said: list[str] = []
    with without_ray(train_here):
        driver.resume(address, announce=said.append)
    assert (run / "verdict.json").read_text() == undisturbed
    assert len(said) == 1 and "trained again" in said[0]
    kinds = [each.kind for each in read_events(run / "journal")]
    assert (kinds.count("damaged"), kinds.count("open_test")) == (3, 1)
