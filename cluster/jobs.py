"""Jobs of a running cluster, by Ray's Job API: what is behind `automl-cl submit`."""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.connection import REACH_SECONDS, one_line, use_token
from cluster.errors import ClusterError

FORM = "http://HOST:PORT of the head's dashboard, such as http://127.0.0.1:8265"
POLL_SECONDS = 1.0
_CHATTY = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
# Ray would take these instead of the address that it is given.
_OVERRIDING = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")


def require_jobs(address: str) -> Any:
    """A client of the jobs at an address.

    Raises:
        ClusterError: It is no http address, no Ray dashboard answers there in time, or it does not
            let us in.
    """
    try:
        parts = urlsplit(address)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise ClusterError(f"--address: got '{address}', expected {FORM}")
    address = address.rstrip("/")
    _require_answer(address)
    use_token()
    from ray.job_submission import JobSubmissionClient

    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    with _without(_OVERRIDING), _refusals(address):
        return JobSubmissionClient(address)


def submit_job(client: Any, folder: Path, command: str) -> str:
    """Ships a folder, starts a shell command in it, and returns the job's id.

    Nothing of our environment goes with it, the token least of all: jobs can be read by all who
    may see the dashboard.

    Raises:
        ClusterError: The cluster refuses it.
    """
    with _refusals("the cluster"):
        number: str = client.submit_job(
            entrypoint=command, runtime_env={"working_dir": str(folder)}
        )
        return number


def follow(client: Any, number: str, show: Callable[[str], object]) -> int:
    """Hands on a job's log as it grows, until the job ends.

    Returns:
        The exit code of the job's command: 0 if it succeeded, else never 0.

    Raises:
        ClusterError: The job cannot be asked about any more.
    """
    shown = 0
    with _refusals(f"job {number}"):
        while True:
            shown = asyncio.run(_tail(client, number, show, shown))
            status = client.get_job_status(number)
            if status.is_terminal():
                break
            time.sleep(POLL_SECONDS)  # the connection was cut: go on where it was
        info = client.get_job_info(number)
    if status.value == "SUCCEEDED":
        return 0
    return int(info.driver_exit_code or 1)


async def _tail(client: Any, number: str, show: Callable[[str], object], shown: int) -> int:
    """Shows what of the log was not shown yet; returns how many characters were by its end."""
    position = 0
    try:
        async for text in client.tail_job_logs(number):
            show(text[max(0, shown - position) :])
            position += len(text)
    except (RuntimeError, OSError):
        pass  # whether the job or only the connection has ended, its status tells
    return max(shown, position)


def _require_answer(address: str) -> None:
    silent = f"no Ray dashboard answered at {address} within {REACH_SECONDS:g} s"
    try:
        with urllib.request.urlopen(f"{address}/api/version", timeout=REACH_SECONDS) as answer:
            ours = b"ray_version" in answer.read(10_000)
    except urllib.error.HTTPError as error:
        ours = error.code in (401, 403)  # it asks for the token
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ClusterError(f"{silent} ({one_line(error)})") from None
    if not ours:
        raise ClusterError(f"what answers at {address} is no Ray dashboard; expected {FORM}")


@contextmanager
def _refusals(where: str) -> Iterator[None]:
    """An error of Ray's client in one line."""
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError:
        raise ClusterError(
            f"{where} did not take the token: put the cluster's into ~/.ray/auth_token or "
            "RAY_AUTH_TOKEN"
        ) from None
    except (RuntimeError, OSError, ValueError) as error:
        raise ClusterError(f"{where}: {one_line(error)[:500]}") from error


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
