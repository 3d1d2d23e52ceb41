from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from automl_cl.command import doctor
from automl_cl.command.doctor import GIB
from cluster.diagnosis import Finding

Check = Callable[..., Iterator[Finding]]


def found(check: Iterator[Finding], about: str) -> list[Finding]:
    return [finding for finding in check if finding.about == about]


def only(check: Iterator[Finding], about: str) -> Finding:
    (finding,) = found(check, about)
    assert bool(finding.remedy) == (finding.state != "ok"), "what is not ok has a remedy"
    return finding


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Control groups that say nothing."""
    monkeypatch.setattr(doctor, "CGROUP", tmp_path)
    return tmp_path


def test_this_checkout_has_what_it_needs() -> None:
    assert only(doctor.check_versions(), "versions").state == "ok"
    assert "torch" in only(doctor.check_versions(), "versions").what


@pytest.mark.parametrize(
    ("given", "words"),
    [("1.0.0", ["torch is 1.0.0", "torch>=2"]), (None, ["torch is missing", "torch>=2"])],
)
def test_a_package_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, given: str | None, words: list[str]
) -> None:
    real = doctor.version

    def version(name: str) -> str:
        if name != "torch":
            return real(name)
        if given is None:
            raise PackageNotFoundError(name)
        return given

    monkeypatch.setattr(doctor, "version", version)
    finding = only(doctor.check_versions(), "versions")
    assert finding.state == "problem"
    for word in words:
        assert word in finding.what
    assert "pip install 'torch>=" in finding.remedy


def test_other_versions_than_the_tested_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.version
    monkeypatch.setattr(doctor, "version", lambda n: "99.0" if n == "optuna" else real(n))
    finding = only(doctor.check_versions(), "tested versions")
    assert finding.state == "warning"
    assert "optuna 99.0 (tested: " in finding.what
    assert "constraints.txt" in finding.remedy


def test_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "distribution", absent)
    finding = only(doctor.check_installation(), "installation")
    assert (finding.state, "pip install" in finding.remedy) == ("problem", True)


def test_another_package_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"cluster": ["automl-cl", "cluster"], "automl_cl": ["automl-cl"]}
    monkeypatch.setattr(doctor, "packages_distributions", lambda: owners)
    finding = only(doctor.check_installation(), "package names")
    assert finding.state == "problem"
    assert "pip uninstall cluster" in finding.remedy


def test_a_container_that_allows_one_cpu(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert only(doctor.check_cpus(), "CPU") == Finding("CPU", "ok", "8 cores")
    (here / "cpu.max").write_text("100000 100000\n")
    finding = only(doctor.check_cpus(), "CPU")
    assert (finding.state, finding.what) == ("warning", "8 cores, limited to 1 by the container")


def test_threads_that_hold_for_every_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "16")
    finding = only(doctor.check_cpus(), "threads")
    assert "OMP_NUM_THREADS=16" in finding.what


@pytest.mark.parametrize(("load", "told"), [(0.4, 0), (2.0, 0), (7.5, 1)])
def test_other_programs_that_take_the_cores(
    monkeypatch: pytest.MonkeyPatch, load: float, told: int
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    findings = found(doctor.check_cpus(), "load")
    assert [finding.state for finding in findings] == ["warning"] * told
    assert all("7.5" in finding.what for finding in findings)


def test_a_driver_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> bool:
        import warnings

        warnings.warn("The NVIDIA driver on your system is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", unavailable)
    finding = only(doctor.check_gpus(), "GPU")
    assert finding.state == "problem"
    assert "too old" in finding.what


def test_gpus_one_of_which_is_full_and_one_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def ones(count: int, device: str) -> torch.Tensor:
        if device == "cuda:2":
            raise RuntimeError("CUDA error: no kernel image is available\nfor this device")
        return torch.zeros(count)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H200")
    free = {0: 100 * GIB, 1: GIB // 2}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 140 * GIB))
    monkeypatch.setattr(doctor, "torch", SimpleNamespace(ones=ones), raising=False)
    original = torch.ones
    monkeypatch.setattr(torch, "ones", ones)
    findings = found(doctor.check_gpus(), "GPU")
    monkeypatch.setattr(torch, "ones", original)
    assert [finding.state for finding in findings] == ["ok", "warning", "problem"]
    assert "100.0 of 140.0 GiB free" in findings[0].what
    assert "no kernel image is available for this device" in findings[2].what


@pytest.mark.parametrize(
    ("used", "state"), [(2 * GIB, "ok"), (9.5 * GIB, "problem"), (8 * GIB, "warning")]
)
def test_memory_of_a_container(here: Path, used: float, state: str) -> None:
    (here / "memory.max").write_text(f"{10 * GIB}")
    (here / "memory.current").write_text(f"{int(used)}")
    finding = found(doctor.check_memory(), "memory")[0]
    assert finding.state == state
    assert f"{10 - used / GIB:.1f} of 10.0 GiB free" in finding.what


def statvfs(free: float, total: float) -> Any:
    return lambda folder: SimpleNamespace(
        f_bavail=int(free), f_blocks=int(total), f_frsize=GIB // 1024
    )


@pytest.mark.parametrize(
    ("free", "state"), [(60, "ok"), (8, "warning"), (4, "problem"), (0.05, "problem")]
)
def test_a_disk_that_fills_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, state: str
) -> None:
    monkeypatch.setattr(os, "statvfs", statvfs(1024 * free, 1024 * 100))
    assert only(doctor.check_disk(tmp_path, "disk"), "disk").state == state


def test_a_place_for_runs(tmp_path: Path) -> None:
    assert only(doctor.check_storage(tmp_path / "not" / "yet"), "run folders").state == "ok"
    assert not list(tmp_path.iterdir()), "nothing is left there"


def test_a_file_where_runs_should_go(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("precious")
    finding = only(doctor.check_storage(tmp_path / "runs"), "run folders")
    assert (finding.state, "runs is a file" in finding.what) == ("problem", True)


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_storage_that_cannot_do_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, call, refuse)
    finding = only(doctor.check_storage(tmp_path), "run folders")
    assert finding.state == "problem"
    assert "Read-only file system" in finding.what


def test_the_command(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = command("doctor", "--no-ray")
    assert f"run folders      {tmp_path}" in outcome.out
    assert outcome.err == ""
    states = [line.split()[0] for line in outcome.out.splitlines() if line[:1].islower()]
    assert outcome.code == int("problem" in states)
    (tmp_path / "file").write_text("precious")
    outcome = command("doctor", "--no-ray", "--runs", "file", "--json")
    assert outcome.code == 1
    findings = json.loads(outcome.out)
    assert {"about", "state", "what", "remedy"} == set(findings[0])
    assert [f["about"] for f in findings if f["state"] == "problem"][-1:] == ["run folders"]


def test_the_sum_of_it() -> None:
    ok, warning = Finding("a", "ok", ""), Finding("b", "warning", "", "do")
    problem = Finding("c", "problem", "", "do")
    assert doctor.summary([ok]) == "nothing to mend"
    assert doctor.summary([ok, warning]) == "1 warning"
    assert doctor.summary([problem, ok, warning, problem]) == "2 problems, 1 warning"
