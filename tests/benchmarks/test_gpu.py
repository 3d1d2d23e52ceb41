"""The benchmark of a GPU where there is none, and its loops on the CPU."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import pytest
import torch

from benchmarks.gpu import Baseline, measure, speeds, where_time_goes
from benchmarks.hand_written import LOOPS
from benchmarks.measure import table
from trainables.parts.sections.computing import Computing
from trainables.scenarios.scenario import scenario_names

CPU = torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_without_a_gpu_nothing_is_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    found = measure(argparse.Namespace(device="cuda", quick=True, rounds=1))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("No GPU here")
    assert {each.value for each in found} == {None}
    assert {each.met for each in found} == {None}
    assert "| not measured |" in table(found)
    json.dumps([asdict(each) for each in found], allow_nan=False)


def test_every_scenario_has_a_loop_to_compare_with() -> None:
    assert sorted(LOOPS) == scenario_names()


@pytest.mark.parametrize("scenario", sorted(LOOPS))
def test_both_train_the_same_number_of_images(scenario: str) -> None:
    torch.set_num_threads(1)
    baseline = Baseline(scenario, CPU, 32, 400, 1.0, Computing())
    assert baseline.steps > 1
    ours, hand, share = speeds(baseline, scenario, 1)
    assert ours.value > 0 and hand.value > 0
    assert share.value == pytest.approx(ours.value / hand.value)
    model = baseline._model()
    before = [each.detach().clone() for each in model.parameters()]
    LOOPS[scenario](baseline.data, model, baseline.options, 4)
    assert any(not torch.equal(*each) for each in zip(model.parameters(), before, strict=True))


def test_the_shares_of_time_are_of_the_whole() -> None:
    torch.set_num_threads(1)
    found = where_time_goes(Baseline("curriculum", CPU, 32, 300, 1.0, Computing()))
    assert sum(each.value for each in found) == pytest.approx(1.0)
    assert all(each.value >= 0 for each in found)
