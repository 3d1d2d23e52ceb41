"""Forks: a new search that starts from what another one has found.

What it takes over stands in the first event of its own journal, so that it needs the other's
folder no more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from automl_cl.run.events import Status, beginning
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.run.trial import SEARCH, Trial
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.spec.preparation import Prepared
from automl_cl.spec.search_spec import SearchSpec, edited_settings, spec_of
from automl_cl.spec.trust import code_of_run, code_of_spec
from search_spaces import InputError, Space, as_today, encode
from trainables.foundation.seeds import derive_seed
from trainables.foundation.storage import Place
from trainables.foundation.user_code import refuse_code
from trainables.parts.sections.computing import Computing

PAUSED = "it was paused in the search that this one was forked from"
NO_RESULT = (Status.RUNNING, Status.FAILED)


@dataclass(frozen=True)
class Fork:
    """What a search is forked from.

    Attributes:
        run: the other's run folder.
        spec: of the new search.
        table: the other's trials.
        fingerprint: of the other's data.
        given: the settings by which the new search is to differ.
        notes: sentences that are said before it begins.
    """

    run: Place
    spec: SearchSpec
    table: TrialTable
    fingerprint: str
    given: dict[str, Any]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: str | Place, given: dict[str, Any], trust_code: bool = False) -> Fork:
        """A fork of a run.

        Args:
            run: its folder; the search may have ended or not.
            given: settings of the new search; the others are as they were, but for the seed, of
                which a new one is drawn.
            trust_code: lets the code run that the run folder and `given` name.

        Raises:
            InputError: if it is no run folder, a setting is not allowed, or it names code that is
                not trusted.
        """
        folder = RunFolder.existing(run)
        events = read_events(folder.journal)
        old = spec_of(events, folder)
        split = old.seed if old.split_seed is None else old.split_seed
        table = replayed(events)
        # With the old seed it would draw again what the other one has drawn.
        fresh = derive_seed(old.seed, "fork", len(table.trials)) % 2**31
        new = replace(old, **{"seed": fresh, **given})
        given = {name: getattr(new, name) for name in given}
        new = replace(new, split_seed=None if new.seed == split else split)
        if not trust_code:
            refuse_code([*code_of_run(old, events), *code_of_spec(new)], str(folder))
        notes = _about_edits(edited_settings(events, folder), folder)
        return cls(folder.place, new, table, beginning(events).data, given, notes)

    def taken_over(self, prepared: Prepared) -> dict[str, Any]:
        """What the new search's first event holds of the old one.

        Raises:
            InputError: if the data is not what it was, or nothing can be taken over.
        """
        if prepared.view.fingerprint != self.fingerprint:
            raise InputError(
                f"the data '{self.spec.data}' is not what it was in {self.run}: fingerprint "
                f"{prepared.view.fingerprint}, then {self.fingerprint}."
            )
        known: list[Trial] = []
        for trial in self.table.of_stage(SEARCH):
            taken = _taken(trial, len(known), prepared)
            if taken is not None:
                known.append(taken)
        if not known:
            raise InputError(
                f"there is nothing to fork in {self.run}: none of its "
                f"{len(self.table.of_stage(SEARCH))} search trials has a result that lies in the "
                "new search; begin one of its own."
            )
        return {
            "run": str(self.run),
            "openings": self.table.openings,
            "given": {k: list(v) if isinstance(v, tuple) else v for k, v in self.given.items()},
            "trials": [asdict(trial) for trial in known],
        }


def _about_edits(edited: list[str], folder: RunFolder) -> tuple[str, ...]:
    if not edited:
        return ()
    what = f"{folder.shown(folder.spec)} has been edited ({', '.join(edited)})"
    return (f"{what}; the fork goes by what {folder} was begun with, and by the options given.",)


def _taken(trial: Trial, number: int, prepared: Prepared) -> Trial | None:
    """A trial as the new search knows it; None if it is none of its own or has no result."""
    space, spec = prepared.space, prepared.spec
    trial = replace(trial, config=as_today(prepared.scenario.recipe, trial.config))
    if trial.status in NO_RESULT or not _lies_in(space, trial):
        return None
    status, reason = trial.status, trial.reason
    if status == Status.PAUSED:
        status, reason = Status.STOPPED, PAUSED
    excess = _excess(trial, spec)
    if excess is not None:
        status, reason = Status.INFEASIBLE, excess
    elif status == Status.INFEASIBLE or (spec.max_memory is not None and trial.memory is None):
        return None  # it was stopped by another limit, or is of unknown size: to be tried again
    arm = space.only("algorithm", trial.arm)
    return replace(
        trial,
        number=number,
        forked=trial.number,
        point=encode(arm, trial.config),
        origin="default" if trial.config == arm.default() else "fork",
        status=status,
        reason=reason,
        weights=None,
        losses={},
        rungs=[replace(rung, checkpoint=None) for rung in trial.rungs],
    )


def _lies_in(space: Space, trial: Trial) -> bool:
    """True if a trial is one of a space, but for being divided for want of memory."""
    config = trial.config
    if trial.out_of_memory:
        asked = Computing.of(space.default()).micro_batches
        config = replace(Computing.of(config), micro_batches=asked).in_config(config)
    return space.contains(config)


def _excess(trial: Trial, spec: SearchSpec) -> str | None:
    """By what a trial of the old search goes beyond a limit of the new one."""
    if spec.max_compute is not None and trial.compute > spec.max_compute:
        return f"compute {trial.compute:.4g} epochs, at most {spec.max_compute:g} allowed"
    if spec.max_memory is not None and (trial.memory or 0) > spec.max_memory:
        return f"memory {trial.memory:,} bytes, at most {spec.max_memory:,} allowed"
    return None
