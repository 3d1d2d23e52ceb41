"""A whole search in one process, without Ray: the product's session, learners and verdict.

One training after another, as a search with one slot. A search of small trials costs little more
than its trainings, so that dozens of searches can be had as one sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl_cl.engine.driver import first_event
from automl_cl.engine.execution import judge_plan
from automl_cl.engine.session import Session
from automl_cl.run.events import Plan
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.verdict.judge import Scores, Verdict
from trainables.learning.learner import DeviceData
from trainables.trials.item_scores import Trained, score_items
from trainables.trials.trial_run import TrialRun

CPU = torch.device("cpu")


def one_thread() -> None:
    """Gives this process one thread, as a worker process is begun with."""
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Searched:
    """What a search came to.

    Attributes:
        table: all trials.
        verdict: the product's.
        plan: who was put to the test.
        scores: by search trial, the metric of each test item under each seed, [seeds, items].
    """

    table: TrialTable
    verdict: Verdict
    plan: Plan
    scores: Scores


def search(
    spec: SearchSpec,
    folder: Path,
    prepared_by: Callable[[SearchSpec], Prepared] = prepare,
    device: torch.device = CPU,
) -> Searched:
    """Carries out a search, its confirmation and its verdict.

    Args:
        spec: the search.
        folder: where journal and checkpoints go; made here.
        prepared_by: loads what the spec names.
        device: where everything is trained.
    """
    prepared = prepared_by(spec)
    folder.mkdir(parents=True)
    run_folder = RunFolder(folder)
    scored: list[NDArray[np.float64]] = []

    def score(trained: list[Trained], test: Any) -> NDArray[np.float64]:
        scored.append(score_items(spec.scenario, trained, prepared.view, test, device.type))
        return scored[-1]

    with Journal.create(run_folder.journal) as journal:
        journal.append(first_event(prepared))
        session = Session(spec, run_folder, journal, prepared.scenario, prepared.space)
        train(session, prepared.scenario.on_device(prepared.view, device), device)
        judge_plan(session, prepared, score)
        plan = session.table.plan
    assert plan is not None
    judged = session.table.verdict_of(plan)
    assert judged is not None
    return Searched(session.table, judged.verdict, plan, _by_trial(plan, scored[0]))


def train(session: Session, data: DeviceData, device: torch.device = CPU) -> None:
    """Carries out all of a session's trainings; whatever one of them raises is raised."""
    while (request := session.ask()) is not None:
        run = TrialRun(request, data, device)
        while session.report(run.next_rung()):
            pass
    if not session.complete:
        raise RuntimeError("the session has nothing more to begin and is not complete")


def _by_trial(plan: Plan, rows: NDArray[np.float64]) -> Scores:
    from automl_cl.strategy.stages import contestants

    numbers, seeds = contestants(plan), len(plan.seeds)
    return {n: rows[i * seeds : (i + 1) * seeds] for i, n in enumerate(numbers)}
