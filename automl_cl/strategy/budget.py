"""How much of a search's budget is spent: a pure function of table and time."""

from __future__ import annotations

from automl_cl.run.trial import SEARCH
from automl_cl.run.trial_table import TrialTable


def spent_of_limits(table: TrialTable, now: float) -> float:
    """What is spent of the limit on time or on compute, whichever is nearer."""
    shares = [0.0]
    if table.time_limit is not None:
        shares.append(table.searched_for(now) / table.time_limit)
    if table.total_compute is not None:
        shares.append(table.search_compute() / table.total_compute)
    return max(shares)


def out_of_budget(table: TrialTable, now: float) -> bool:
    """Whether the search has used up its time or its compute."""
    return spent_of_limits(table, now) > 1.0


def spent(table: TrialTable, now: float) -> float:
    """The share of the search's budget that is spent, of whatever ends it first."""
    before = table.taken_over
    own = max(1, table.budget - before)
    begun = (len(table.of_stage(SEARCH)) - before) / own
    return min(1.0, max(begun, spent_of_limits(table, now)))


def trials_left(table: TrialTable) -> int:
    """How many search trials may still begin."""
    return table.budget - len(table.of_stage(SEARCH))
