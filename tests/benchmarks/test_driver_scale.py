"""The driver's clock runs with the search it is of."""

from __future__ import annotations

from itertools import pairwise

from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import SearchSpec
from benchmarks.driver_scale import in_process, per_result


def test_a_search_without_training_is_timed_trial_by_trial() -> None:
    spec = SearchSpec("curriculum", "digits", space={"algorithm": ["plain"]}, trials=12)
    clocks = in_process(prepare(spec), board=True)
    # Trials that were paused may go on after the last one has begun.
    assert [each.trials for each in clocks[:12]] == list(range(1, 13))
    assert {each.trials for each in clocks[12:]} <= {12}
    assert all(a.cpu < b.cpu and a.results < b.results for a, b in pairwise(clocks))
    cpu, wall, results = per_result(clocks, 2, 12)
    assert 0 < cpu and 0 < wall
    assert results == clocks[-1].results - clocks[1].results >= 10
