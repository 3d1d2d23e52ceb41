from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

from trainables.foundation.storage import RemotePath, _file_system, place

BUCKET = "bucket"
SECRET = "a-secret-key-that-nobody-may-see"


class Server:
    """Moto's S3 server in a process of its own, and the environment that leads to it."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        patience = time.monotonic() + 120
        while not self.make_bucket():
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < patience, "the server does not answer"
            time.sleep(0.1)

    def make_bucket(self) -> bool:
        return self._ask(f"/{BUCKET}", "PUT")

    def lose_everything(self) -> None:
        assert self._ask("/moto-api/reset", "POST")

    def _ask(self, path: str, method: str) -> bool:
        request = urllib.request.Request(f"{self.address}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    before = dict(os.environ)
    server = Server()
    os.environ.update(server.environment)
    _file_system.cache_clear()
    yield server
    server.stop()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def bucket(s3: Server, request: pytest.FixtureRequest) -> RemotePath:
    """A folder of the bucket for one test."""
    found = place(f"s3://{BUCKET}/{request.node.name.partition('[')[0]}")
    assert isinstance(found, RemotePath)
    return found
