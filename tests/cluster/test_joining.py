"""Joining a cluster that was started elsewhere, as `ray start --head` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

JOIN = """
import sys
from cluster import TrialResources, concurrency, connect
with connect(sys.argv[1], packages=("search_spaces",)):
    import ray
    print("slots", concurrency(TrialResources(1.0, 0.0, 1)))
    name = ray.remote(lambda: __import__("search_spaces").__name__)
    print("shipped", ray.get(name.remote()))
print("left", ray.is_initialized())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def head(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A head that asks for a token; its address, and an environment that holds the token."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef" * 4)
    environment = {**os.environ, "RAY_AUTH_TOKEN_PATH": str(token)}
    environment.pop("RAY_AUTH_MODE", None)
    address = f"127.0.0.1:{free_port()}"
    ray = Path(sys.executable).parent / "ray"
    arguments = ("--head", "--port", address.split(":")[1], "--num-cpus", "2", "--block")
    memory = ("--object-store-memory", "100000000", "--include-dashboard", "false")
    started = subprocess.Popen(
        [str(ray), "start", *arguments, *memory],
        env={**environment, "RAY_AUTH_MODE": "token"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield address, environment
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def test_a_token_protected_head_is_joined(head: tuple[str, dict[str, str]]) -> None:
    address, environment = head
    for _ in range(6):  # until the head is up: each attempt waits for it
        joined = subprocess.run(
            [sys.executable, "-c", JOIN, address],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if joined.returncode == 0:
            break
    assert joined.returncode == 0, joined.stderr
    assert "slots 2" in joined.stdout
    assert "shipped search_spaces" in joined.stdout
    assert "left False" in joined.stdout
