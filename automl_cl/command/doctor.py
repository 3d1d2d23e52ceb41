"""`automl-cl doctor`: is everything here that a search needs, and what to do about what is not."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distribution,
    packages_distributions,
    version,
)
from pathlib import Path

from cluster.diagnosis import (
    OK,
    PROBLEM,
    WARNING,
    Finding,
    check_cluster,
    check_local_ray,
    check_token,
)
from search_spaces.errors import InputError
from trainables.foundation.storage import Place, RemotePath, require_writable

NAME = "automl-cl"
PACKAGES = ("automl_cl", "trainables", "search_spaces", "cluster")
ROOT = Path(__file__).parents[2]
GIB = 2**30
CGROUP = Path("/sys/fs/cgroup")
# Ray kills workers, and refuses objects, above these shares of memory and of disk.
FULLEST = 0.95


def diagnose(runs: Place, address: str | None, ray: bool) -> Iterator[Finding]:
    """Makes all checks, one after the other.

    Args:
        runs: where run folders go.
        address: of a Ray cluster to look at as well.
        ray: whether to look at Ray, which takes some seconds.
    """
    yield from check_installation()
    yield from check_versions()
    yield from check_cpus()
    yield from check_gpus()
    yield from check_memory()
    yield from check_disk(Path(os.environ.get("RAY_TMPDIR") or "/tmp"), "disk of Ray")
    yield from check_storage(runs)
    if not ray:
        return
    yield from check_token()
    yield from check_local_ray()
    if address is not None:
        yield from check_cluster(address)


def check_installation() -> Iterator[Finding]:
    """Where the code comes from, its command, and that its package names are its own."""
    try:
        mine = distribution(NAME)
    except PackageNotFoundError:
        remedy = "in the checkout: pip install -c constraints.txt -e ."
        yield Finding("installation", PROBLEM, f"{NAME} is not installed: {ROOT}", remedy)
        return
    source = _editable_source(mine)
    kind = f"version {mine.version}, " + ("editable, " if source else "") + f"from {ROOT}"
    if source is not None and Path(source).resolve() != ROOT:
        remedy = "unset PYTHONPATH, or leave the folder, unless that is meant"
        yield Finding("installation", WARNING, f"{kind}, but {source} is installed", remedy)
    else:
        yield Finding("installation", OK, kind)
    command = Path(sys.executable).with_name(NAME)
    if not command.exists():
        remedy = "install again: pip install -c constraints.txt -e ."
        yield Finding("command", PROBLEM, f"there is no {command}", remedy)
    elif shutil.which(NAME) != str(command):
        remedy = f"put {command.parent} first in PATH, or activate its environment"
        yield Finding("command", WARNING, f"{command} is not what `{NAME}` calls", remedy)
    else:
        yield Finding("command", OK, str(command))
    owners = packages_distributions()
    for name in PACKAGES:
        others = sorted({each for each in owners.get(name, []) if each != NAME})
        if others:
            remedy = f"pip uninstall {' '.join(others)}, or use an environment of its own"
            yield Finding("package names", PROBLEM, f"'{name}' is also of {others[0]}", remedy)


def _editable_source(mine: Distribution) -> str | None:
    text = mine.read_text("direct_url.json")
    origin = json.loads(text) if text else {}
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return str(origin["url"]).removeprefix("file://")


def check_versions() -> Iterator[Finding]:
    """Python and the packages, against what the project asks for and what it was tested with."""
    from packaging.requirements import Requirement

    yield Finding("Python", OK, f"{platform.python_version()}, {sys.executable}")
    try:
        required = [Requirement(each) for each in distribution(NAME).requires or []]
    except PackageNotFoundError:
        return
    wrong = False
    needed = [r for r in required if r.marker is None or r.marker.evaluate({"extra": ""})]
    for each in needed:
        found = _version(each.name)
        if found is None or not each.specifier.contains(found, prereleases=True):
            wrong = True
            what = "is missing" if found is None else f"is {found}"
            remedy = f"pip install '{each.name}{each.specifier}'"
            yield Finding("versions", PROBLEM, f"{each.name} {what}: {each} is needed", remedy)
    if not wrong:
        names = ("torch", "ray", "optuna", "numpy")
        yield Finding("versions", OK, ", ".join(f"{name} {_version(name)}" for name in names))
    yield from _check_against_tested({each.name.lower() for each in needed})


def _check_against_tested(names: set[str]) -> Iterator[Finding]:
    file = ROOT / "constraints.txt"
    if not file.is_file():
        return
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)", file.read_text(), re.MULTILINE))
    other = [
        f"{name} {_version(name)} (tested: {tested[name]})"
        for name in sorted(names & set(tested))
        # A build such as 2.13.0+cpu is that version.
        if (_version(name) or "").partition("+")[0] != tested[name]
    ]
    if other:
        remedy = f"for the tested ones: pip install -c {file} -e {ROOT}"
        yield Finding("tested versions", WARNING, ", ".join(other), remedy)
    else:
        yield Finding("tested versions", OK, "the same as in constraints.txt")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_cpus() -> Iterator[Finding]:
    """Cores, what of them this process may use, and threads."""
    cores, usable = os.cpu_count() or 1, len(os.sched_getaffinity(0))
    quota = _cpu_quota()
    words = f"{cores} cores" + (f", {usable} of them ours" if usable < cores else "")
    if quota is not None and quota < usable:
        words += f", limited to {quota:g} by the container"
    if min(usable, quota or usable) < 2:
        yield Finding("CPU", WARNING, words, "with one core one trial runs at a time")
    else:
        yield Finding("CPU", OK, words)
    if usable < cores:
        remedy = "start Ray yourself with --num-cpus, and give its --address"
        yield Finding("CPU", WARNING, f"Ray counts all {cores} cores, whoever uses them", remedy)
    load = os.getloadavg()[0]
    if load > usable:
        words = f"{load:.1f} processes want {usable} cores"
        remedy = "end other programs: Ray's workers give way to them (niceness 15), trials starve"
        yield Finding("load", WARNING, words, remedy)
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads is not None:
        remedy = "unset it: without it each trial takes as many threads as it has CPUs"
        yield Finding("threads", WARNING, f"OMP_NUM_THREADS={threads} holds for trials", remedy)


def _cpu_quota() -> float | None:
    """CPUs that the control group allows."""
    limit = _read(CGROUP / "cpu.max").split()
    if len(limit) == 2 and limit[0] != "max":
        return int(limit[0]) / int(limit[1])
    quota = _read(CGROUP / "cpu/cpu.cfs_quota_us")
    period = _read(CGROUP / "cpu/cpu.cfs_period_us")
    return int(quota) / int(period) if quota and period and int(quota) > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def check_gpus() -> Iterator[Finding]:
    """GPUs that torch can use; none is fine."""
    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    driver = Path("/proc/driver/nvidia/version").exists()
    if count == 0 and said:
        remedy = "update the driver, or install the torch build for it: pytorch.org/get-started"
        yield Finding("GPU", PROBLEM, " ".join(str(said[0].message).split())[:200], remedy)
    elif count == 0 and driver and torch.version.cuda is None:
        remedy = "to use it install a CUDA build: pytorch.org/get-started"
        words = f"there is an NVIDIA driver, but torch {torch.__version__} is for the CPU only"
        yield Finding("GPU", WARNING, words, remedy)
    elif count == 0:
        yield Finding("GPU", OK, "none; searches run on the CPU")
    for index in range(count):
        yield _gpu(index)


def _gpu(index: int) -> Finding:
    import torch

    name = torch.cuda.get_device_name(index)
    try:
        torch.ones(8, device=f"cuda:{index}").sum().item()
        free, total = torch.cuda.mem_get_info(index)
    except RuntimeError as error:
        said = " ".join(str(error).split())[:160]
        remedy = "is it in use or in error (nvidia-smi)? does this torch build support it?"
        return Finding("GPU", PROBLEM, f"{index}: {name} cannot be used: {said}", remedy)
    words = f"{index}: {name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if free < min(GIB, total / 4):
        return Finding("GPU", WARNING, words, "see with nvidia-smi who uses it")
    return Finding("GPU", OK, f"{words}; use it with --gpus-per-trial")


def check_memory() -> Iterator[Finding]:
    """Free memory, and shared memory for Ray's objects."""
    free, total = _memory()
    words = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"
    remedy = f"end other programs; Ray kills trials when {FULLEST:.0%} are used"
    state = PROBLEM if free < max(GIB, (1 - FULLEST) * total) else WARNING
    enough = free >= max(3 * GIB, 2 * (1 - FULLEST) * total)
    yield Finding("memory", OK, words) if enough else Finding("memory", state, words, remedy)
    shared = Path("/dev/shm")
    if shared.is_dir():
        room = _free(shared)[0]
        words = f"{room / GIB:.1f} GiB free in /dev/shm"
        remedy = "more of it (docker run --shm-size=4g), or Ray keeps objects on disk"
        few = room < GIB
        yield Finding("memory", WARNING if few else OK, words, remedy if few else "")


def _memory() -> tuple[int, int]:
    """Bytes free and in all, of the machine or of what the control group allows."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", _read(Path("/proc/meminfo")), re.MULTILINE))
    total, free = int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024
    limit, used = _read(CGROUP / "memory.max"), _read(CGROUP / "memory.current")
    if limit.isdigit() and used.isdigit() and int(limit) < total:
        return min(free, int(limit) - int(used)), int(limit)
    return free, total


def check_disk(folder: Path, about: str) -> Iterator[Finding]:
    """Free space where something is written."""
    try:
        free, total = _free(folder)
    except OSError as error:
        yield Finding(about, PROBLEM, f"{folder}: {error.strerror}", "make the folder")
        return
    words = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free at {folder}"
    if free < max(0.1 * GIB, (1 - FULLEST) * total):
        remedy = f"make room: Ray takes a disk for full at {FULLEST:.0%}"
        yield Finding(about, PROBLEM, words, remedy)
    elif free < max(2 * GIB, 2 * (1 - FULLEST) * total):
        yield Finding(about, WARNING, words, "make room: checkpoints and logs need some")
    else:
        yield Finding(about, OK, words)


def _free(folder: Path) -> tuple[int, int]:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def check_storage(runs: Place) -> Iterator[Finding]:
    """Whether a run folder could be made and kept there: write, fsync, rename, lock."""
    about = "run folders"
    if isinstance(runs, RemotePath):
        yield _check_remote(runs, about)
        return
    place = next((each for each in (runs, *runs.absolute().parents) if each.exists()), Path("/"))
    if not place.is_dir():
        yield Finding(about, PROBLEM, f"{place} is a file", "give another folder with --runs")
        return
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix=".automl-cl-", dir=place) as folder:
            _write_sync_rename_lock(Path(folder))
    except OSError as error:
        remedy = f"make {place} writable for you, or give another folder (--output of a search)"
        yield Finding(about, PROBLEM, f"cannot write to {place}: {error.strerror}", remedy)
        return
    seconds = time.monotonic() - begun
    words = f"{place.absolute()}: write, sync, rename and lock work ({1000 * seconds:.0f} ms)"
    remedy = "a local disk is faster: every event of a search is written through to disk"
    slow = seconds > 0.5
    yield Finding(about, WARNING if slow else OK, words, remedy if slow else "")
    yield from check_disk(place, "disk of runs")


def _check_remote(runs: RemotePath, about: str) -> Finding:
    begun = time.monotonic()
    try:
        require_writable(runs, "--runs")
    except InputError as error:
        remedy = "are address and credentials right, as the environment has them here?"
        return Finding(about, PROBLEM, str(error).removeprefix("--runs: "), remedy)
    milliseconds = 1000 * (time.monotonic() - begun)
    return Finding(about, OK, f"{runs}: write, read, list, remove work ({milliseconds:.0f} ms)")


def _write_sync_rename_lock(folder: Path) -> None:
    with (folder / "first").open("wb") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (folder / "first").rename(folder / "second")


def summary(findings: Iterable[Finding]) -> str:
    """How many problems and warnings there are."""
    states = [each.state for each in findings]
    counts = [
        f"{states.count(state)} {state}{'' if states.count(state) == 1 else 's'}"
        for state in (PROBLEM, WARNING)
        if state in states
    ]
    return ", ".join(counts) if counts else "nothing to mend"
