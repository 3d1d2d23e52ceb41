"""What a trial is lost to decides whether it may go on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.exceptions import ActorUnavailableError, RayTaskError

from automl_cl.engine import lost_trials as losses_module
from automl_cl.engine.lost_trials import Losses
from automl_cl.engine.session import Session
from automl_cl.run.journal import Journal
from cluster import Death
from trainables.trials.trial_run import RungReport, TrialRequest

from .happened import happened

REQUEST = TrialRequest(4, "curriculum", {}, 0, [1.0], "prefix", "checkpoints/000004", 1000)
BROKEN = ActorUnavailableError("socket closed", bytes(16))
PROCESS = Death(of_node=False, announced=False, words="its worker process has died")
NODE = Death(of_node=True, announced=False, words="its node has died")
SPOT = Death(of_node=True, announced=True, words="its node was taken away")


class Told:
    """A session, as far as losses go."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str, str]] = []
        self.tracebacks: list[str | None] = []

    def lost(self, number: int, reason: str, cause: str, traceback: str | None) -> None:
        self.told.append((number, reason, cause))
        self.tracebacks.append(traceback)


def losses(told: Told, deaths: list[Death | None], left: Any = None) -> Losses:
    return Losses(cast(Session, told), lambda request: left, lambda error: deaths.pop(0))


@pytest.mark.parametrize(
    ("death", "cause"), [(PROCESS, "crashed"), (NODE, "node lost"), (SPOT, "preempted")]
)
def test_a_process_a_node_and_a_notice_are_told_apart(death: Death, cause: str) -> None:
    told = Told()
    losses(told, [death]).note(REQUEST, BROKEN)
    assert told.told == [(4, death.words, cause)]


def test_until_ray_knows_nothing_is_said() -> None:
    told = Told()
    lost = losses(told, [None, None, NODE])
    lost.note(REQUEST, BROKEN)
    lost.settle()
    assert (told.told, lost.unclear) == ([], 1)
    lost.settle()
    lost.settle()
    assert (told.told, lost.unclear) == ([(4, NODE.words, "node lost")], 0)


def test_what_is_never_known_counts_as_the_trials_own(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    lost = losses(told, [None, None])
    lost.note(REQUEST, BROKEN)
    monkeypatch.setattr(losses_module, "PATIENCE", -1.0)
    lost.settle()
    assert told.told == [(4, str(BROKEN), "crashed")]


def test_what_a_process_left_behind_goes_first() -> None:
    told = Told()
    losses(told, [], ("hung", "no progress for 9 s")).note(REQUEST, BROKEN)
    assert told.told == [(4, "no progress for 9 s", "hung")]


def test_what_an_actor_raises_is_its_own() -> None:
    told = Told()
    error = RayTaskError("step", "Traceback:\n  …\nValueError: no", ValueError("no"))
    losses(told, []).note(REQUEST, error)
    assert told.told[0][2] == "crashed"
    assert "ValueError: no" in told.told[0][1]
    assert told.tracebacks == [str(error)] and "Traceback" in str(error)


def lose(session: Session, cause: str, times: int) -> Any:
    """Has the first trial lost so many times, and gives it back."""
    for _ in range(times):
        request = session.ask()
        assert request is not None and request.number == 0
        session.lost(0, cause, cause, f"{cause}, and all about it")
    return session.table.trials[0]


@pytest.mark.parametrize(
    ("cause", "most", "reason"),
    [
        ("crashed", 3, "lost its process 3 times: crashed"),
        ("hung", 2, "hung"),
        ("node lost", 20, "lost its process 20 times: node lost"),
    ],
)
def test_a_trial_fails_after_so_many_losses_of_a_kind(
    fake_session: Session, cause: str, most: int, reason: str
) -> None:
    assert lose(fake_session, cause, most - 1).status == "running"
    trial = lose(fake_session, cause, 1)
    assert (trial.status, trial.reason) == ("failed", reason)
    kept = fake_session.folder.traceback_of(0)
    assert kept.read_text() == f"{cause}, and all about it"


def test_notices_count_for_nothing_and_every_attempt_is_another(fake_session: Session) -> None:
    attempts = set()
    for _ in range(25):
        request = fake_session.ask()
        assert request is not None and request.number == 0
        attempts.add(request.attempt)
        fake_session.lost(0, "", "preempted")
    lose(fake_session, "crashed", 2)
    lose(fake_session, "hung", 1)
    trial = fake_session.table.trials[0]
    assert len(attempts) == 25
    assert (trial.status, trial.lost) == ("running", 28)
    assert trial.losses == {"preempted": 25, "crashed": 2, "hung": 1}


def test_a_journal_from_before_causes_were_told_counts_as_it_did(
    fake_session: Session, tmp_path: Path
) -> None:
    fake_session.ask()
    fake_session.write(happened("lost"))
    assert fake_session.table.trials[0].losses == {"crashed": 1}


@pytest.mark.parametrize("status", ["preempted", "hung"])
def test_a_trial_that_is_given_back_goes_on_from_what_it_has_saved(
    fake_session: Session, status: str
) -> None:
    request = fake_session.ask()
    assert request is not None
    saved = Path(request.folder) / "0001000-inside-0.pt"
    saved.parent.mkdir(parents=True)
    saved.touch()
    assert not fake_session.report(RungReport.without_work(request, status, "because"))
    assert saved.exists()
    again = fake_session.ask()
    assert again is not None
    assert (again.number, again.from_rung) == (0, 0)
    assert again.attempt != request.attempt
    assert fake_session.table.trials[0].losses == {status: 1}


def test_a_trial_that_the_user_ended_is_not_gone_on_with(fake_session: Session) -> None:
    request = fake_session.ask()
    assert request is not None
    fake_session.close_search()
    assert not fake_session.report(RungReport.without_work(request, "preempted", "because"))
    trial = fake_session.table.trials[0]
    assert (trial.status, trial.losses) == ("stopped", {})


@pytest.fixture
def fake_session(tmp_path: Path) -> Any:
    from automl_cl.run.folder import RunFolder
    from automl_cl.spec.search_spec import SearchSpec
    from search_spaces import Space, narrowed
    from trainables.scenarios.scenario import load_scenario

    scenario = load_scenario("curriculum")
    space = narrowed(Space.of(scenario.recipe), {"model": "mlp", "algorithm": ["plain"]})
    spec, folder = SearchSpec("curriculum", "digits", trials=5), RunFolder(tmp_path)
    with Journal.create(folder.journal) as journal:
        journal.append(happened("search", spec=spec.to_dict()))
        yield Session(spec, folder, journal, scenario, space)


def test_a_search_that_is_over_does_not_wait_for_a_node() -> None:
    from automl_cl.engine.tune_adapters import SessionScheduler

    asked: list[bool] = []
    waiting = SimpleNamespace(status="PENDING", trial_id="a")
    tune = SimpleNamespace(
        get_live_trials=lambda: [waiting], request_stop_experiment=lambda: asked.append(True)
    )
    session = cast(Session, SimpleNamespace(over=True))
    scheduler = SessionScheduler(session, Losses(session))
    scheduler.on_trial_add(tune, cast(Any, waiting))
    assert scheduler.choose_trial_to_run(tune) is None
    assert asked
