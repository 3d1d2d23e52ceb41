"""A head of Ray as `ray start --head` starts it, which asks for a token."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Head:
    """Its address, an environment that holds its token, and its life."""

    def __init__(self, folder: Path, protected: bool = True) -> None:
        token = folder / "token"
        token.write_text("0123456789abcdef" * 4)
        self.environment = {**os.environ, "RAY_AUTH_TOKEN_PATH": str(token)}
        self.environment.pop("RAY_AUTH_MODE", None)
        self._mode = "token" if protected else "disabled"
        self.address = f"127.0.0.1:{free_port()}"
        self.start()

    def start(self) -> None:
        """Starts it; whoever joins has to wait until it is up."""
        ray = Path(sys.executable).parent / "ray"
        port = self.address.split(":")[1]
        arguments = ("--head", "--port", port, "--num-cpus", "2", "--block")
        memory = ("--object-store-memory", "100000000", "--include-dashboard", "false")
        self._process = subprocess.Popen(
            [str(ray), "start", *arguments, *memory],
            env={**self.environment, "RAY_AUTH_MODE": self._mode},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Ends all of its processes as the kernel would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Head]:
    started = Head(tmp_path)
    yield started
    started.kill()
