from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from search_spaces import options
from trainables.parts.schedule import Schedule, ScheduleOverSteps
from trainables.parts.schedules.constant import Constant
from trainables.parts.schedules.cosine import Cosine
from trainables.parts.schedules.one_cycle import OneCycle

LR = 0.4
every_schedule = pytest.mark.parametrize("name", options(Schedule))


def optimizer_of(kind: str, parameter: torch.Tensor | None = None) -> torch.optim.Optimizer:
    parameters = [torch.nn.Parameter(torch.ones(3) if parameter is None else parameter)]
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=LR, momentum=0.9)
    if kind == "plain sgd":
        return torch.optim.SGD(parameters, lr=LR)
    return torch.optim.AdamW(parameters, lr=LR, betas=(0.9, 0.99))


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Constant(), {0.0: 1.0, 0.5: 1.0, 1.0: 1.0}),
        # (1 + cos(pi t)) / 2
        (Cosine(), {0.0: 1.0, 0.25: 0.853553, 0.5: 0.5, 1.0: 0.0}),
        # Up to 0.2 linearly; at 0.6 half of the cosine is over.
        (Cosine(warmup=0.2), {0.0: 0.0, 0.05: 0.25, 0.2: 1.0, 0.6: 0.5, 1.0: 0.0}),
        # Half way up: (1/25 + 1) / 2; half way down, at 0.3 + 0.35: (1 + 1/250000) / 2.
        (OneCycle(), {0.0: 0.04, 0.15: 0.52, 0.3: 1.0, 0.65: 0.500002, 1.0: 4e-6}),
    ],
    ids=["constant", "cosine", "warmup", "one_cycle"],
)
def test_factors_by_hand(schedule: Schedule, factors: dict[float, float]) -> None:
    found = {progress: schedule.factor(progress) for progress in factors}
    assert found == pytest.approx(factors, abs=1e-6)


@every_schedule
def test_factors_are_finite_and_between_zero_and_one(name: str) -> None:
    schedule = options(Schedule)[name]()
    for step in range(1001):
        assert 0.0 <= schedule.factor(step / 1000) <= 1.0 + 1e-12


def test_one_cycle_moves_momentum_against_the_rate() -> None:
    schedule = OneCycle(rise=0.4)
    found = [schedule.momentum(at) for at in (0.0, 0.2, 0.4, 0.7, 1.0)]
    assert found == pytest.approx([0.95, 0.9, 0.85, 0.9, 0.95])


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("rise", [0.1, 0.3, 0.5])
def test_one_cycle_is_torchs(kind: str, rise: float) -> None:
    total = 101
    ours, theirs = optimizer_of(kind), optimizer_of(kind)
    # torch's peak is at step pct_start x total - 1 of 0 .. total - 1; ours at the share `rise`.
    torchs = OneCycleLR(theirs, LR, total_steps=total, pct_start=(rise * (total - 1) + 1) / total)
    for step in range(total):
        OneCycle(rise).apply(ours, step / (total - 1))
        mine, other = ours.param_groups[0], theirs.param_groups[0]
        assert mine["lr"] == pytest.approx(other["lr"], rel=1e-9)
        momentum = "momentum" if kind == "sgd" else "betas"
        assert mine[momentum] == pytest.approx(other[momentum], rel=1e-9)
        theirs.step()
        if step < total - 1:
            torchs.step()


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_only_schedules_that_move_the_momentum_touch_it(kind: str) -> None:
    optimizer = optimizer_of(kind)
    before = copy.deepcopy(optimizer.param_groups[0])
    Cosine().apply(optimizer, 0.5)
    after = optimizer.param_groups[0]
    assert after["lr"] == pytest.approx(LR / 2)
    assert all(after[key] == before[key] for key in before if key not in ("lr", "params"))


def test_the_second_moment_stays_when_betas_move() -> None:
    optimizer = optimizer_of("adamw")
    OneCycle().apply(optimizer, 0.3)
    assert optimizer.param_groups[0]["betas"] == pytest.approx((0.85, 0.99))


def test_a_schedule_scales_each_groups_own_rate_and_forgets_nothing() -> None:
    optimizer = optimizer_of("plain sgd")
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.02})
    for progress in (0.0, 0.9, 0.5):  # back and forth: it has no state
        Cosine().apply(optimizer, progress)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([LR / 2, 0.01])


def rates_and_weights(optimizer, scheduler, steps: int) -> list[tuple[float, list[float]]]:
    found = []
    for _ in range(steps):
        parameter = optimizer.param_groups[0]["params"][0]
        rate = optimizer.param_groups[0]["lr"]
        optimizer.zero_grad()
        (parameter**2).sum().backward()
        optimizer.step()
        scheduler.step()
        found.append((rate, parameter.detach().tolist()))
    return found


@every_schedule
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_over_steps_it_drives_a_loop_and_resumes(name: str, kind: str, tmp_path: Path) -> None:
    schedule = options(Schedule)[name]()
    optimizer = optimizer_of(kind)
    scheduler = ScheduleOverSteps(optimizer, schedule, steps=10)
    first = rates_and_weights(optimizer, scheduler, 4)
    parameter = optimizer.param_groups[0]["params"][0].detach().clone()
    saved = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    torch.save(saved, tmp_path / "state.pt")
    rest = rates_and_weights(optimizer, scheduler, 6)
    # Step i of n runs at progress i / n.
    expected = [LR * schedule.factor(step / 10) for step in range(10)]
    assert [rate for rate, _ in first + rest] == pytest.approx(expected)
    assert scheduler.get_last_lr() == pytest.approx([LR * schedule.factor(1.0)])

    optimizer = optimizer_of(kind, parameter)
    scheduler = ScheduleOverSteps(optimizer, schedule, steps=10)
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    optimizer.load_state_dict(loaded["optimizer"])
    scheduler.load_state_dict(loaded["scheduler"])
    assert rates_and_weights(optimizer, scheduler, 6) == rest
    assert scheduler.schedule == schedule


def test_over_steps_it_stays_at_its_end() -> None:
    optimizer = optimizer_of("plain sgd")
    scheduler = ScheduleOverSteps(optimizer, Cosine(), steps=3)
    rates_and_weights(optimizer, scheduler, 7)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0)
