"""The request for a trial: what its worker is told, made from spec, table and run folder."""

from __future__ import annotations

from automl_cl.run.folder import RunFolder
from automl_cl.run.trial import VERDICT, Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.search_spec import SearchSpec
from trainables.trials.trial_run import TrialRequest


def attempt_of(table: TrialTable, trial: Trial) -> int:
    """Tells apart those who ever worked on a trial.

    A worker that is left over from an earlier start or a lost actor must not be taken for the one
    that works on it now.
    """
    return table.starts * 1000 + trial.lost + trial.damaged


def request_for(
    trial: Trial, table: TrialTable, spec: SearchSpec, folder: RunFolder, run: str
) -> TrialRequest:
    """The request for a trial to go on from its last rung.

    Args:
        trial: what is to be trained.
        table: all trials.
        spec: the search.
        folder: its run folder.
        run: identifies the run.
    """
    # A verdict needs all of its trainings; what it is about has kept within the limits.
    limited = trial.stage != VERDICT
    last = trial.rungs[-1] if trial.rungs else None
    noted = None if last is None else last.checkpoint
    return TrialRequest(
        number=trial.number,
        scenario=spec.scenario,
        config=trial.config,
        seed=trial.seed,
        levels=trial.levels,
        fidelity=spec.fidelity,
        folder=str(folder.of_trial(trial.number)),
        attempt=attempt_of(table, trial),
        from_rung=len(trial.rungs),
        checkpoint=None if noted is None else str(folder.checkpoint(trial.number, noted)),
        digest=None if last is None else last.digest,
        run=run,
        compute=trial.compute,
        keep_weights=trial.stage == VERDICT,
        searching=trial.stage != VERDICT,
        max_compute=spec.max_compute if limited else None,
        max_memory=spec.max_memory if limited else None,
        hang_seconds=spec.hang_seconds,
    )
