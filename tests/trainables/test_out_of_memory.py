"""A refusal of memory: known by what allocators say, told with what the trial held, made good."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from trainables.learning.memory import OutOfMemory, bytes_asked_for, is_out_of_memory
from trainables.learning.tensors import TensorView
from trainables.parts.sections.computing import Computing
from trainables.trials.trial_run import RungReport, TrialRequest, TrialRun

CPU = torch.device("cpu")
WORDS = "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 79.10 GiB"
LEVELS = [1.0, 3.0, 6.0]


def test_the_cpus_own_refusal_is_known_with_what_was_asked_for() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**48, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
    assert bytes_asked_for(refused.value) == 2**48


@pytest.mark.parametrize(
    ("error", "known", "asked"),
    [
        (torch.OutOfMemoryError(WORDS), True, 3 * 2**29),
        (torch.OutOfMemoryError("Tried to allocate 20.00 MiB."), True, 20 * 2**20),
        (MemoryError(), True, None),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), True, None),
        (RuntimeError("CUDA error: out of memory"), True, None),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, None),
        (ValueError("out of memory"), False, None),
    ],
)
def test_what_says_that_there_was_not_enough(error: Exception, known: bool, asked: Any) -> None:
    assert is_out_of_memory(error) is known
    assert bytes_asked_for(error) == asked


@pytest.fixture
def request_of(make_config, tmp_path: Path) -> Any:
    def of(**fields: Any) -> TrialRequest:
        config = make_config("curriculum", "plain", changes={"training.batch_size": 64})
        folder = str(tmp_path / "trial")
        request = TrialRequest(7, "curriculum", config, 3, LEVELS, "prefix", folder)
        return replace(request, **fields)

    return of


def run_of(request: TrialRequest, vectors: Any) -> TrialRun:
    return TrialRun(request, TensorView.of(vectors, CPU), CPU)


def refuse_more_than(examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training passes through more examples at once are refused, as an allocator does it."""
    actual = nn.Flatten.forward

    def forward(self: nn.Flatten, inputs: torch.Tensor) -> torch.Tensor:
        if self.training and torch.is_grad_enabled() and len(inputs) > examples:
            raise torch.OutOfMemoryError(WORDS)
        return actual(self, inputs)

    monkeypatch.setattr(nn.Flatten, "forward", forward)


def test_it_is_reported_with_its_size(request_of, vectors, monkeypatch) -> None:
    run = run_of(request_of(), vectors)
    first = run.next_rung()
    refuse_more_than(32, monkeypatch)
    with pytest.raises(
        OutOfMemory, match=r"out of memory: [\d,]+ bytes held, 1,610,612,736"
    ) as it:
        run.next_rung()
    report = RungReport.of_error(request_of(from_rung=1, compute=first.compute), it.value)
    assert (report.status, report.rung) == ("out_of_memory", 1)
    assert report.memory >= first.memory > 0
    assert (report.asked, report.batch_size) == (3 * 2**29, 64)
    assert report.compute == first.compute
    assert report.whole is None


@pytest.mark.parametrize(
    ("algorithm", "ranks", "why"), [("dds", 1, "func"), ("plain", 2, "workers")]
)
def test_it_says_why_its_batches_cannot_be_in_parts(
    request_of, vectors, make_config, algorithm: str, ranks: int, why: str
) -> None:
    run = run_of(request_of(config=make_config("curriculum", algorithm)), vectors)
    run.learner  # noqa: B018
    run.ranks = SimpleNamespace(size=ranks)  # type: ignore[assignment]
    assert why in (run._out_of_memory(MemoryError()).whole or "")


def test_in_parts_it_goes_on_from_the_rung_before(request_of, vectors, monkeypatch) -> None:
    first = run_of(request_of(), vectors).next_rung()
    refuse_more_than(32, monkeypatch)
    request = request_of(from_rung=1, checkpoint=first.checkpoint, compute=first.compute)
    with pytest.raises(OutOfMemory):
        run_of(request, vectors).next_rung()
    config = Computing.of(request.config).divided(8).in_config(request.config)
    run = run_of(replace(request, config=config), vectors)
    reports = [run.next_rung(), run.next_rung()]
    assert [each.status for each in reports] == ["running", "done"]
    assert [each.rung for each in reports] == [1, 2]
    assert reports[-1].compute <= LEVELS[-1] * 1.2


def test_a_unit_of_compute_does_not_need_more_than_a_part(
    request_of, vectors, monkeypatch
) -> None:
    refuse_more_than(8, monkeypatch)
    request = request_of()
    with pytest.raises(OutOfMemory):
        run_of(request, vectors).next_rung()
    config = Computing.of(request.config).divided(8).in_config(request.config)
    assert run_of(replace(request, config=config), vectors).next_rung().status == "running"
