from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import (
    EventMultiplexer,
)
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.api_pb2 import (
    STATUS_FAILURE,
    STATUS_SUCCESS,
    ColParams,
    ListSessionGroupsRequest,
)
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler as ListSessionGroups
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard import SummaryWriter

from automl_cl.results.tensorboard_log import Board, flat
from automl_cl.run.journal import read_events
from automl_cl.run.trial import SEARCH, Trial
from automl_cl.run.trial_table import TrialTable, replayed

STARTS = "_hparams_/session_start_info"


@pytest.fixture
def table(finished_run: Path) -> TrialTable:
    return replayed(read_events(finished_run / "journal.jsonl"))


def log_of(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def state_of(folder: Path) -> dict[Path, tuple[int, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_each_search_trial_has_a_log_named_after_it(finished_run: Path, table: TrialTable) -> None:
    searched = table.of_stage(SEARCH)
    names = {path.name for path in (finished_run / "tensorboard").iterdir()}
    assert names == {f"{trial.number:06d}-{trial.arm}" for trial in searched}
    assert len(searched) == 7


def test_values_can_be_read_back(finished_run: Path, table: TrialTable) -> None:
    for trial in table.of_stage(SEARCH):
        log = log_of(finished_run / "tensorboard" / f"{trial.number:06d}-{trial.arm}")
        for name in ("accuracy", "loss"):
            values = [event.value for event in log.Scalars(f"validation/{name}")]
            assert values == pytest.approx([rung.metrics[name] for rung in trial.rungs])


def test_hyperparameters_can_be_read_back(finished_run: Path, table: TrialTable) -> None:
    for trial in table.of_stage(SEARCH):
        log = log_of(finished_run / "tensorboard" / f"{trial.number:06d}-{trial.arm}")
        content = log.PluginTagToContent("hparams")[STARTS]
        given = HParamsPluginData.FromString(content).session_start_info.hparams
        read = {name: getattr(each, each.WhichOneof("kind")) for name, each in given.items()}
        assert read == flat(trial.config)
        assert read["algorithm.name"] == trial.arm


def asked_of_tensorboard(folder: Path) -> tuple[Any, Any]:
    """What TensorBoard's own HParams page is told: its columns, and its rows."""
    events = EventMultiplexer().AddRunsFromDirectory(str(folder))
    events.Reload()
    provider = MultiplexerDataProvider(events, str(folder))
    backend = Context(TBContext(data_provider=provider, logdir=str(folder), multiplexer=events))
    request = RequestContext()
    metadata = backend.hparams_metadata(request, "")
    columns = backend.experiment_from_metadata(request, "", True, metadata, {})
    asked = ListSessionGroupsRequest(
        start_index=0,
        slice_size=100,
        allowed_statuses=[STATUS_SUCCESS, STATUS_FAILURE],
        col_params=[
            *(ColParams(metric=each.name) for each in columns.metric_infos),
            *(ColParams(hparam=each.name) for each in columns.hparam_infos),
        ],
    )
    rows = ListSessionGroups(request, backend, "", asked).run()
    return columns, rows


def test_tensorboard_shows_every_hyperparameter_of_every_algorithm(
    finished_run: Path, table: TrialTable
) -> None:
    columns, rows = asked_of_tensorboard(finished_run / "tensorboard")
    searched = table.of_stage(SEARCH)
    names = {name for trial in searched for name in flat(trial.config)}
    assert {"algorithm.lam", "algorithm.pacing.start"} <= names  # of two algorithms
    assert {each.name for each in columns.hparam_infos} == names
    tags = {each.name.tag for each in columns.metric_infos}
    assert tags == {"validation/accuracy", "validation/loss"}
    assert rows.total_size == len(searched) == 7
    told = {}
    for group in rows.session_groups:
        values = {each.name.tag: each.value for each in group.metric_values}
        told[group.sessions[0].name] = values["validation/accuracy"]
    assert told == pytest.approx({f"{t.number:06d}-{t.arm}": t.rungs[-1].value for t in searched})


def test_a_failed_trial_is_a_failure_to_tensorboard(tmp_path: Path, table: TrialTable) -> None:
    table.trials[2].status = "diverged"
    Board(tmp_path / "tensorboard", table).write_missing()
    _, rows = asked_of_tensorboard(tmp_path / "tensorboard")
    failed = [
        group.sessions[0].name
        for group in rows.session_groups
        if group.sessions[0].status == STATUS_FAILURE
    ]
    assert failed == [f"000002-{table.trials[2].arm}"]


def test_rungs_within_one_epoch_keep_their_order(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(levels=[0.1, 0.3, 1.2, 5.6], values=[0.1, 0.2, 0.3, 0.4])
    assert trial.steps == [0, 1, 2, 6]


def test_a_config_becomes_one_level_of_dotted_names() -> None:
    config = {"optimizer": {"name": "sgd", "lr": 0.1}, "model": {"part": {"width": 8}}}
    assert flat(config) == {"optimizer.name": "sgd", "optimizer.lr": 0.1, "model.part.width": 8}


def test_a_log_is_written_once(run_folder: Path, table: TrialTable) -> None:
    before = state_of(run_folder / "tensorboard")
    board = Board(run_folder / "tensorboard", table)
    board.write_missing()
    for event in read_events(run_folder / "journal.jsonl"):
        board.observe(event)
    assert state_of(run_folder / "tensorboard") == before


def test_what_an_earlier_driver_did_not_get_to_is_written(
    tmp_path: Path, table: TrialTable, finished_run: Path
) -> None:
    Board(tmp_path / "tensorboard", table).write_missing()
    found = {path.name for path in (tmp_path / "tensorboard").iterdir()}
    assert found == {path.name for path in (finished_run / "tensorboard").iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["tensorboard"]


def test_a_running_trial_has_no_log_yet(tmp_path: Path, table: TrialTable) -> None:
    for trial in table.trials[1:]:
        trial.status = "running"
    Board(tmp_path / "tensorboard", table).write_missing()
    assert [path.name for path in (tmp_path / "tensorboard").iterdir()] == ["000000-plain"]


def test_a_log_that_was_cut_short_is_written_anew(
    tmp_path: Path, table: TrialTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    board = Board(tmp_path / "tensorboard", table)
    with monkeypatch.context() as patch:
        patch.setattr(SummaryWriter, "add_scalar", interrupted)
        with pytest.raises(KeyboardInterrupt):
            board.write_missing()
    board.write_missing()
    for folder in (tmp_path / "tensorboard").iterdir():
        assert log_of(folder).Tags()["scalars"] == ["validation/accuracy", "validation/loss"]
