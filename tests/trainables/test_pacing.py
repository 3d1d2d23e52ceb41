from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import InputError, from_config, options
from search_spaces.parts import field_types
from trainables.scenarios.pacing import Pacing, StagedPacing
from trainables.scenarios.pacings.baby_step import BabySteps
from trainables.scenarios.pacings.exponential import Exponential
from trainables.scenarios.pacings.fixed_exponential import FixedExponential
from trainables.scenarios.pacings.geometric import Geometric
from trainables.scenarios.pacings.linear import Linear
from trainables.scenarios.pacings.logarithmic import Logarithmic
from trainables.scenarios.pacings.polynomial import Polynomial
from trainables.scenarios.pacings.root import Root
from trainables.scenarios.pacings.step import Step

every_pacing = pytest.mark.parametrize("name", options(Pacing))
ROUNDING = 1e-9


def drawn(data: st.DataObject, name: str) -> Any:
    """Any pacing of a name that a search can draw: all its fields anywhere in their ranges."""
    cls = options(Pacing)[name]
    ranges = {field: kind.allowed for field, kind in field_types(cls).items()}
    return cls(**{field: data.draw(st.floats(it.low, it.high)) for field, it in ranges.items()})


def first_of(pacing: Any) -> float:
    """What is let in at progress 0: `start`, of Baby Step with the first portion."""
    return min(1.0, pacing.start + getattr(pacing, "grow", 0.0))


@every_pacing
@given(data=st.data(), progress=st.lists(st.floats(0.0, 1.0), min_size=2))
def test_shares_lie_in_range_and_never_fall(name: str, data: Any, progress: list[float]) -> None:
    pacing = drawn(data, name)
    shares = [pacing.share(at) for at in sorted(progress)]
    assert all(first_of(pacing) - ROUNDING <= share <= 1.0 for share in shares)
    assert all(later >= earlier - ROUNDING for earlier, later in pairwise(shares))


@every_pacing
@given(data=st.data(), beyond=st.floats(0.0, 1.0))
def test_it_starts_at_its_start_and_ends_with_everything(
    name: str, data: Any, beyond: float
) -> None:
    pacing = drawn(data, name)
    assert pacing.share(0.0) == pytest.approx(first_of(pacing), abs=ROUNDING)
    assert pacing.share(1.0) == 1.0
    full_at = getattr(pacing, "full_at", 1.0)
    assert pacing.share(full_at) == 1.0
    assert pacing.share(min(1.0, full_at + beyond)) == 1.0


# All with b = 0.2 and a = 0.5, a quarter and half of the way there.
POINTS = [
    # 0.2 + 0.8 t
    (Linear(0.2, 0.5), 0.4, 0.6),
    # 0.2 + 0.8 (e^(10 t) - 1) / (e^10 - 1); e^2.5 = 12.1825, e^5 = 148.4132, e^10 = 22026.47
    (Exponential(0.2, 0.5), 0.2 + 0.8 * 11.1825 / 22025.47, 0.2 + 0.8 * 147.4132 / 22025.47),
    # (0.04 + 0.96 t)^(1/2)
    (Root(0.2, 0.5, power=2.0), math.sqrt(0.28), math.sqrt(0.52)),
    # (0.008 + 0.992 t)^(1/3): the exponent is 1/p, not 1/2 as in CurML.
    (Root(0.2, 0.5, power=3.0), 0.256 ** (1 / 3), 0.504 ** (1 / 3)),
    (Step(0.2, 0.5), 0.2, 0.2),
    # 0.2 + 0.8 t^2: 0.2 + 0.8 / 16, 0.2 + 0.8 / 4
    (Polynomial(0.2, 0.5, power=2.0), 0.25, 0.4),
    # 0.2 + 0.8 t^(1/2), Wu's root: 0.2 + 0.8 x 0.5, 0.2 + 0.8 x 0.70710678
    (Polynomial(0.2, 0.5, power=0.5), 0.6, 0.76568542),
    # 0.2 + 0.8 (1 + 0.1 ln(t + 0.0000454)); ln 0.2500454 = -1.3861128, ln 0.5000454 = -0.6930564
    (Logarithmic(0.2, 0.5), 0.2 + 0.8 * 0.86138872, 0.2 + 0.8 * 0.93069436),
    # 0.2^(1 - t): 0.2^0.75 = e^(0.75 x -1.6094379), 0.2^0.5
    (Geometric(0.2, 0.5), 0.29906976, 0.44721360),
    # At progress 0.125 and 0.25 with steps of 0.05: floor 2 and 5. 0.04 x 1.9^2 = 0.04 x 3.61,
    # 0.04 x 1.9^5 = 0.04 x 24.76099
    (FixedExponential(0.04, increase=1.9, step=0.05), 0.1444, 0.9904396),
    # With stages of 0.1: floor 1 and 2, so two and three portions of 0.15 on 0.1.
    (BabySteps(0.1, grow=0.15, interval=0.1), 0.4, 0.55),
]


@pytest.mark.parametrize(("pacing", "quarter", "half"), POINTS)
def test_points_by_hand(pacing: Pacing, quarter: float, half: float) -> None:
    found = [pacing.share(0.125), pacing.share(0.25)]
    assert found == pytest.approx([quarter, half], abs=1e-6)


def test_every_pacing_has_points_by_hand() -> None:
    assert {point[0].part_name() for point in POINTS} == set(options(Pacing))


@every_pacing
@given(data=st.data())
def test_between_jumps_a_pacing_of_stages_stands_still(name: str, data: Any) -> None:
    pacing = drawn(data, name)
    jumps = [0.0, *pacing.jumps()]
    assert len(jumps) > 1 and jumps == sorted(set(jumps)) and jumps[-1] <= 1.0
    if isinstance(pacing, StagedPacing):
        for before, jump in pairwise(jumps):
            assert pacing.share(max(before, jump - 1e-6)) == pacing.share(before)


def test_a_root_or_polynomial_of_power_one_is_linear() -> None:
    for progress in (0.0, 0.1, 0.3, 0.49, 0.5, 0.9):
        expected = Linear(0.3, 0.5).share(progress)
        assert Root(0.3, 0.5, power=1.0).share(progress) == pytest.approx(expected)
        assert Polynomial(0.3, 0.5, power=1.0).share(progress) == pytest.approx(expected)


def test_the_published_baby_steps_add_a_tenth_of_the_data_every_tenth_of_the_training() -> None:
    # Ten stages; a stage begins exactly where its multiple of the interval is, whatever 0.3 / 0.1
    # is in floating point (2.9999999999999996).
    begins = [BabySteps().share(stage / 10) for stage in range(10)]
    assert begins == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert BabySteps().share(0.0999) == pytest.approx(0.1)
    assert BabySteps(start=0.25, grow=0.5, interval=0.5).share(0.5) == 1.0, "1.25 is everything"


def test_the_published_fixed_exponential_lets_everything_in_after_six_steps() -> None:
    # 0.04, 0.076, 0.1444, 0.27436, 0.521284, 0.9904396, then 1.88 and so 1.
    steps = [0.04, 0.076, 0.1444, 0.27436, 0.521284, 0.9904396, 1.0, 1.0]
    found = [FixedExponential().share(k * 0.0286) for k in range(8)]
    assert found == pytest.approx(steps)


@pytest.mark.parametrize("name", ["geometric", "fixed_exponential"])
def test_what_cannot_grow_from_nothing_refuses_to_start_there(name: str) -> None:
    # CurML's geometric pacing takes log2(0) at its own default and raises ValueError.
    fields = {field: 0.5 for field in field_types(options(Pacing)[name])}
    fields |= {"increase": 2.0} if "increase" in fields else {}
    with pytest.raises(InputError, match=r"pacing\.start: got 0\.0, expected .* above 0 and"):
        from_config(Pacing, {"name": name, **fields, "start": 0.0}, "pacing")
