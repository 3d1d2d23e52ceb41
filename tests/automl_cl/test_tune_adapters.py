from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from automl_cl.engine.session import Session


class Controller:
    """Tune's, as a scheduler sees it: what it keeps of trials that have ended is not asked for."""

    def __init__(self, live: list[Any]) -> None:
        self.live = live

    def get_live_trials(self) -> set[Any]:
        return set(self.live)


class TuneTrial(SimpleNamespace):
    __hash__ = object.__hash__


def test_trials_begin_in_the_order_in_which_they_were_asked_for() -> None:
    from automl_cl.engine.lost_trials import Losses
    from automl_cl.engine.tune_adapters import SessionScheduler

    session = cast(Session, SimpleNamespace(over=False))
    scheduler = SessionScheduler(session, Losses(session))
    trials = [TuneTrial(trial_id=f"{9 - n}", status="PENDING") for n in range(6)]
    controller = Controller(list(trials))
    for trial in trials:
        scheduler.on_trial_add(controller, trial)  # type: ignore[arg-type]
    trials[0].status = "RUNNING"
    controller.live.remove(trials[1])
    begun = []
    while (chosen := scheduler.choose_trial_to_run(controller)) is not None:
        chosen.status = "RUNNING"
        begun.append(chosen)
    assert begun == trials[2:]


def test_nothing_new_begins_in_the_slot_of_a_loss_that_is_not_clear_yet() -> None:
    from automl_cl.engine.lost_trials import Losses
    from automl_cl.engine.tune_adapters import SessionSearcher

    asked: list[int] = []
    session = SimpleNamespace(
        heed=lambda: None, ask=lambda: asked.append(1), finished=False, revision=0
    )
    losses = SimpleNamespace(unclear=1, settle=lambda: None)
    searcher = SessionSearcher(cast(Session, session), cast(Losses, losses), lambda: 1)
    assert searcher.suggest("a") is None and not asked
    losses.unclear = 0
    assert searcher.suggest("a") is not None and asked
