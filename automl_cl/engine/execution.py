"""A session's trainings on Ray Tune, and its verdict on the sealed test."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from automl_cl.engine.session import Session
from automl_cl.run import events
from automl_cl.run.events import Plan, Status
from automl_cl.run.trial import SEARCH, VERDICT
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.preparation import Prepared
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.stages import (
    VerdictImpossible,
    came_to_nothing,
    contestants,
    verdict_trials,
    without_broken_secondaries,
)
from automl_cl.verdict.judge import Scores, judge
from cluster import TrialResources, most_workers
from cluster.object_store import room_for
from trainables.foundation.temporary import temporary_folder
from trainables.parts.sections.computing import Computing
from trainables.trials.item_scores import Trained, score_items

if TYPE_CHECKING:
    from trainables.trials.group.worker_group import GroupResources

# Of each trained model, the metric of each test item: [models, items].
Scorer = Callable[[list[Trained], Any], NDArray[np.float64]]

# Ray reads its settings when it is imported, so it is imported once they are made: in functions.
# Tune's own files, logs and checks are off: the journal is the truth.
TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # the searcher knows how many to ask for
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


def train(session: Session, prepared: Prepared, slots: int | Callable[[], int]) -> None:
    """Runs all of a session's trainings in warm trial actors.

    Args:
        session: what asks for them.
        prepared: what it is about.
        slots: how many run at once, or what says so whenever it is asked.

    Raises:
        VerdictImpossible: if the session finds that no verdict can come of it.
    """
    os.environ.update(TUNE_SETTINGS)
    from ray import tune

    from automl_cl.engine.lost_trials import Losses
    from automl_cl.engine.tune_adapters import SessionScheduler, SessionSearcher
    from trainables.trials.trial_actor import TrialActor

    # Which trials were lost, and why, the session says; that Tune's own state, which is not the
    # truth, could not be saved is no news.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    spec, resources = prepared.spec, trial_resources(prepared.spec)
    losses, at_once = Losses(session), slots if callable(slots) else lambda: slots
    with room_for("the data"):
        actor = tune.with_parameters(
            TrialActor,
            scenario=spec.scenario,
            view=prepared.view,
            device=device_of(spec),
            stop_file=str(session.folder.stop_file),
            group=_group(resources, at_once(), spec.shard_model),
        )
    gpus = 0.0 if resources.grouped else resources.gpus
    with temporary_folder("tune") as storage:
        tuner = tune.Tuner(
            tune.with_resources(actor, {"cpu": resources.driver_cpus, "gpu": gpus}),
            tune_config=tune.TuneConfig(
                search_alg=SessionSearcher(session, losses, at_once),
                scheduler=SessionScheduler(session, losses),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(storage),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        )
        tuner.fit()
    if resources.grouped:
        _clear_away()
    if session.error is not None:
        raise session.error


def trial_resources(spec: SearchSpec) -> TrialResources:
    """What a trial of a search occupies."""
    return TrialResources(spec.cpus_per_trial, spec.gpus_per_trial, *spec.workers)


def _group(resources: TrialResources, slots: int, sharded: bool) -> GroupResources | None:
    """The group of workers that a trial has, if it has several."""
    if not resources.grouped:
        return None
    from trainables.trials.group.worker_group import GroupResources

    most = most_workers(resources, slots)
    each = resources.worker_cpus, resources.worker_gpus
    return GroupResources(resources.workers, most, *each, sharded)


def _clear_away() -> None:
    """Gives back what dead groups held, which scoring needs; a driver far away cannot itself."""
    import ray

    from trainables.trials.placement import remove_orphans

    ray.get(ray.remote(remove_orphans).options(num_cpus=0).remote())


def device_of(spec: SearchSpec) -> str:
    """Where a trial trains. A Ray worker without a GPU of its own may still see one."""
    return "cuda" if spec.gpus_per_trial > 0 else "cpu"


def conclude(session: Session, prepared: Prepared, slots: int) -> None:
    """Opens the sealed test for the session's plan and writes the verdict down.

    See `judge_plan`.

    Raises:
        VerdictImpossible: if the baseline or the challenger has no weights.
    """
    judge_plan(session, prepared, partial(_scored, prepared, slots))


def judge_plan(session: Session, prepared: Prepared, score: Scorer) -> None:
    """Opens the sealed test, has the plan's models scored on it, and writes the verdict down.

    Secondaries of which a training came to nothing are left out, and the verdict says so.

    All weights are checked before the test is opened, and again as they are read. If any are not
    what their training left, there is no verdict yet: the session then has trainings to do again.

    Raises:
        VerdictImpossible: if the baseline or the challenger has no weights.
    """
    table, made = session.table, session.table.plan
    assert made is not None
    if table.verdict_of(made) is not None:
        return
    plan = without_broken_secondaries(table, made)
    if session.distrust(plan):
        return
    trained = _trained(session, plan)
    test = prepared.scenario.open_test(
        prepared.data, prepared.settings, session, prepared.view.fingerprint
    )
    try:
        rows = score(trained, test)
    except Exception:
        if session.distrust(plan):  # they were damaged in between
            return
        raise
    count = len(plan.seeds)
    scores: Scores = {
        number: rows[index * count : (index + 1) * count]
        for index, number in enumerate(contestants(plan))
    }
    parts = prepared.scenario.parts_of_test(prepared.view, test)
    given = {
        number: prepared.scenario.was_given(table.trials[number].config, prepared.view)
        for number in contestants(plan)
    }
    verdict = judge(plan, scores, table, prepared.scenario, parts, given)
    verdict["notes"] = [
        *prepared.view.conditions,
        *prepared.scenario.notes(prepared.view, prepared.model),
        *_never_tried(session),
        *_warm_started(table),
        *_in_parts(table, contestants(plan)),
        *_ended_early(table),
        *_trained_otherwise(table, plan),
    ]
    session.write(events.Verdict(plan=made, verdict=verdict))


def _never_tried(session: Session) -> list[str]:
    """Says which algorithms the verdict says nothing about, since the search was too short."""
    missed = [arm for arm in session.arms if arm not in session.table.arms]
    if not missed:
        return []
    count = f"{len(missed)} of {len(session.arms)} algorithms"
    return [f"{count} had no trial, and nothing is said about them: {', '.join(missed)}."]


def _warm_started(table: TrialTable) -> list[str]:
    """Says so if configs came from earlier searches, this data's own above all."""
    if table.warm_start is None or not table.warm_start.tasks:
        return []
    words = table.warm_start.words
    own = " The same split of this data is among them, by its validation values alone."
    return [f"{words[0].upper()}{words[1:]}.{own if table.warm_start.same_data else ''}"]


def _in_parts(table: TrialTable, numbers: Sequence[int]) -> list[str]:
    """Says whose batches did not fit into memory, as that changes what is computed a little."""
    found = []
    for number in numbers:
        trial = table.trials[number]
        parts = Computing.of(trial.config).micro_batches
        if parts > 1:
            found.append(
                f"Batches of {trial.arm} (trial {number}) were computed in {parts} parts to save "
                "memory: batch normalisation goes by the parts, and each pass costs one more."
            )
    return found


def _ended_early(table: TrialTable) -> list[str]:
    """Says so if the search did not have all of its trials."""
    if table.closed is None:
        return []
    searched = table.of_stage(SEARCH)
    finished = sum(trial.status == Status.DONE for trial in searched)
    return [
        f"The user ended the search after {len(searched)} of {table.closed.asked} trials, "
        f"{finished} of them finished."
    ]


def _trained_otherwise(table: TrialTable, plan: Plan) -> list[str]:
    """Says so if the verdict is on other weights than there were when the test was opened.

    What config and seed give is the same again on a CPU, and is not wholly so on a GPU.
    """
    mine = {t.number for number in contestants(plan) for t in verdict_trials(table, plan, number)}
    count = len(mine.intersection(table.other_when_open))
    if not count:
        return []
    return [
        f"The weights of {count} verdict trainings were lost after the test was opened; trained "
        "again from the same config and seed they came out a little otherwise, as they may on "
        "other hardware, so the verdict is on others than there were at the opening."
    ]


def _trained(session: Session, plan: Plan) -> list[Trained]:
    """The models of a plan, contestant by contestant, seed by seed."""
    table, found = session.table, []
    for number in contestants(plan):
        mine = verdict_trials(table, plan, number)
        if any(trial.weights is None for trial in mine):
            broken = [trial.number for trial in mine if trial.is_broken]
            raise VerdictImpossible(came_to_nothing(mine, VERDICT), broken)
        for trial in mine:
            weights = session.folder.checkpoint(trial.number, trial.weights or "")
            digest = trial.rungs[-1].digest
            found.append(Trained(trial.config, trial.seed, str(weights), digest))
    return found


def _scored(
    prepared: Prepared, slots: int, trained: list[Trained], test: Any
) -> NDArray[np.float64]:
    """Each model's metric on each test item, [models, items], computed on the cluster."""
    import ray

    spec, each = prepared.spec, trial_resources(prepared.spec)
    # A model that workers had to divide may be larger than one GPU.
    gpus, device = (0.0, "cpu") if spec.shard_model else (each.worker_gpus, device_of(spec))
    task = ray.remote(score_items).options(num_cpus=each.worker_cpus, num_gpus=gpus)
    with room_for("data and test"):
        view, items = ray.put(prepared.view), ray.put(test)
    size = -(-len(trained) // slots)
    parts = [
        task.remote(spec.scenario, trained[i : i + size], view, items, device)
        for i in range(0, len(trained), size)
    ]
    rows: NDArray[np.float64] = np.concatenate(ray.get(parts))
    return rows
