"""Checks of Ray on this machine, each with a remedy."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.connection import TOKEN

OK, WARNING, PROBLEM = "ok", "warning", "problem"
PROBE_SECONDS = 90.0
SLOW_START = 30.0


@dataclass(frozen=True)
class Finding:
    """The finding of one check.

    Attributes:
        about: what was looked at.
        state: `ok`, `warning` or `problem`.
        what: what was found, in a line.
        remedy: what to do about it; empty if it is ok.
    """

    about: str
    state: str
    what: str
    remedy: str = ""


def check_local_ray() -> Iterator[Finding]:
    """Check that Ray starts on this machine and runs a task."""
    found = _probed(None)
    if "error" in found:
        remedy = "look into /tmp/ray/session_latest/logs, and at memory and disk above"
        yield Finding("Ray here", PROBLEM, found["error"], remedy)
        return
    words = f"starts in {found['seconds']:.1f} s and runs a task on {found['cpus']:g} CPUs"
    words += f" and {found['gpus']:g} GPUs" if found["gpus"] else ""
    if found["seconds"] > SLOW_START:
        remedy = "is the machine busy with something else, or its disk slow?"
        yield Finding("Ray here", WARNING, words, remedy)
    else:
        yield Finding("Ray here", OK, words)


def check_cluster(address: str) -> Iterator[Finding]:
    """Check that a running Ray lets us join, and report its resources and dashboard."""
    about, found = f"Ray at {address}", _probed(address)
    if "error" in found:
        yield Finding(about, PROBLEM, found["error"], _remedy(found["error"]))
        return
    words = f"{found['nodes']} nodes, {found['cpus']:g} CPUs, {found['gpus']:g} GPUs"
    yield Finding(about, OK, f"{words}; Ray {found['ray']}, Python {found['python']}")
    if found["python"] != platform.python_version():
        yield Finding(
            about,
            WARNING,
            f"its Python is {found['python']} and ours {platform.python_version()}",
            "use the same version on both sides",
        )
    yield from _check_dashboard(found["dashboard"])


def check_token() -> Iterator[Finding]:
    """Check for a token, for clusters that ask for one."""
    places = {"RAY_AUTH_TOKEN": None, "RAY_AUTH_TOKEN_PATH": os.environ.get("RAY_AUTH_TOKEN_PATH")}
    given = next((name for name in places if os.environ.get(name)), None)
    home = TOKEN.expanduser()
    wanted = os.environ.get("RAY_AUTH_MODE") == "token"
    path = places.get(given or "")
    if path is not None and not os.access(path, os.R_OK):
        remedy = "correct the path, or unset RAY_AUTH_TOKEN_PATH"
        yield Finding("Ray token", PROBLEM, f"{given} names {path}, which cannot be read", remedy)
    elif given is not None or os.access(home, os.R_OK):
        file = home if given is None else path
        if file is not None and (mode := os.stat(file).st_mode & 0o777) & 0o077:
            what = f"others on this machine may read {file} (mode {mode:o})"
            yield Finding("Ray token", WARNING, what, f"chmod 600 {file}")
        else:
            yield Finding("Ray token", OK, f"from {given or home}")
    elif wanted:
        remedy = f"put the cluster's token into {home} or RAY_AUTH_TOKEN"
        yield Finding("Ray token", PROBLEM, "RAY_AUTH_MODE=token, but there is none", remedy)
    else:
        yield Finding("Ray token", OK, "none; only clusters that ask for one need it")


def _check_dashboard(url: str | None) -> Iterator[Finding]:
    remedy = "start the head with --include-dashboard=true; `automl-cl submit` needs it"
    if not url:
        yield Finding("Ray dashboard", WARNING, "the cluster has none", remedy)
        return
    address = url if url.startswith("http") else f"http://{url}"
    try:
        with urllib.request.urlopen(address, timeout=3.0):
            pass
    except urllib.error.HTTPError:
        pass  # it is there, and asks for a token
    except OSError as error:
        yield Finding("Ray dashboard", WARNING, f"{address} does not answer: {error}", remedy)
        return
    yield Finding("Ray dashboard", OK, address)


def _probed(address: str | None) -> dict[str, Any]:
    """Probe in a separate process: Ray can hang, and its output stays out of ours."""
    command = [sys.executable, "-m", "cluster.probe", *([address] if address else [])]
    here = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {PROBE_SECONDS:.0f} s"}
    lines = ended.stdout.splitlines()
    if ended.returncode == 0 and lines:
        found: dict[str, Any] = json.loads(lines[-1])
        return found
    said = (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]
    return {"error": f"the attempt ended with: {said}"}


def _remedy(error: str) -> str:
    if "mismatch" in error.lower():
        return "install the cluster's versions of Ray and Python here, or ours there"
    if "token" in error.lower() or "auth" in error.lower():
        return "put the cluster's token into ~/.ray/auth_token or RAY_AUTH_TOKEN"
    return "is the cluster up, its port right and open? `ray status` on its head tells"
