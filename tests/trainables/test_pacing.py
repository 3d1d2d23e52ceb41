from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import options
from trainables.pacing import Pacing
from trainables.pacing.exponential import Exponential
from trainables.pacing.linear import Linear
from trainables.pacing.root import Root
from trainables.pacing.step import Step

every_pacing = pytest.mark.parametrize("name", options(Pacing))
starts = st.floats(0.0, 1.0)
ends = st.floats(0.05, 1.0)
ROUNDING = 1e-9


@every_pacing
@given(start=starts, full_at=ends, progress=st.lists(st.floats(0.0, 1.0), min_size=2))
def test_shares_lie_in_range_and_never_fall(
    name: str, start: float, full_at: float, progress: list[float]
) -> None:
    pacing = options(Pacing)[name](start=start, full_at=full_at)
    shares = [pacing.share(at) for at in sorted(progress)]
    assert all(start - ROUNDING <= share <= 1.0 for share in shares)
    assert all(later >= earlier - ROUNDING for earlier, later in pairwise(shares))


@every_pacing
@given(start=starts, full_at=ends, beyond=st.floats(0.0, 1.0))
def test_it_starts_at_its_start_and_ends_with_everything(
    name: str, start: float, full_at: float, beyond: float
) -> None:
    pacing = options(Pacing)[name](start=start, full_at=full_at)
    assert pacing.share(0.0) == pytest.approx(start, abs=ROUNDING)
    assert pacing.share(full_at) == 1.0
    assert pacing.share(min(1.0, full_at + beyond)) == 1.0


@given(start=starts, full_at=ends, power=st.floats(1.0, 10.0), progress=st.floats(0.0, 1.0))
def test_a_root_of_any_power_is_a_pacing(start, full_at, power, progress) -> None:
    pacing = Root(start=start, full_at=full_at, power=power)
    assert start - ROUNDING <= pacing.share(progress) <= 1.0
    assert pacing.share(0.0) == pytest.approx(start, abs=ROUNDING)


# All with b = 0.2 and a = 0.5, a quarter and half of the way there.
@pytest.mark.parametrize(
    ("pacing", "quarter", "half"),
    [
        # 0.2 + 0.8 t
        (Linear(0.2, 0.5), 0.4, 0.6),
        # 0.2 + 0.8 (e^(10 t) - 1) / (e^10 - 1); e^2.5 = 12.1825, e^5 = 148.4132, e^10 = 22026.47
        (Exponential(0.2, 0.5), 0.2 + 0.8 * 11.1825 / 22025.47, 0.2 + 0.8 * 147.4132 / 22025.47),
        # (0.04 + 0.96 t)^(1/2)
        (Root(0.2, 0.5, power=2.0), math.sqrt(0.28), math.sqrt(0.52)),
        # (0.008 + 0.992 t)^(1/3): the exponent is 1/p, not 1/2 as in CurML.
        (Root(0.2, 0.5, power=3.0), 0.256 ** (1 / 3), 0.504 ** (1 / 3)),
        (Step(0.2, 0.5), 0.2, 0.2),
    ],
    ids=["linear", "exponential", "root2", "root3", "step"],
)
def test_points_by_hand(pacing: Pacing, quarter: float, half: float) -> None:
    found = [pacing.share(0.125), pacing.share(0.25)]
    assert found == pytest.approx([quarter, half], abs=1e-6)


def test_every_pacing_has_points_by_hand() -> None:
    assert set(options(Pacing)) == {"linear", "exponential", "root", "step"}


def test_a_root_of_power_one_is_linear() -> None:
    for progress in (0.0, 0.1, 0.3, 0.49, 0.5, 0.9):
        expected = Linear(0.3, 0.5).share(progress)
        assert Root(0.3, 0.5, power=1.0).share(progress) == pytest.approx(expected)
