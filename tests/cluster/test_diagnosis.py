from __future__ import annotations

import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import diagnosis
from cluster.connection import make_token
from cluster.diagnosis import check_cluster, check_local_ray, check_token

FOUND = {
    "seconds": 2.0,
    "python": "3.11.7",
    "ray": "2.60.0",
    "nodes": 2,
    "cpus": 8.0,
    "gpus": 1.0,
    "dashboard": None,
}


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(**found: Any) -> None:
        monkeypatch.setattr(diagnosis, "_probed", lambda address: found)

    return put


@pytest.fixture
def dashboard() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_address_where_nothing_is() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        (finding,) = check_cluster(address)
    assert finding.state == "problem"
    assert f"no Ray cluster answered at {address}" in finding.what
    assert "ray status" in finding.remedy


@pytest.mark.ray
@pytest.mark.slow
def test_ray_starts_here() -> None:
    (finding,) = check_local_ray()
    assert finding.state in ("ok", "warning"), finding
    assert "runs a task" in finding.what


def test_ray_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], timeout: float, **settings: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    (finding,) = check_local_ray()
    assert (finding.state, finding.what) == ("problem", "no answer within 90 s")


def test_a_probe_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.CompletedProcess([], -6, "", "Fatal: no file handles\n")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **settings: ended)
    (finding,) = check_local_ray()
    assert finding.state == "problem"
    assert "no file handles" in finding.what


def test_a_cluster_of_another_version(probed: Callable[..., None]) -> None:
    probed(error="Version mismatch: Ray: 2.9.0 Python: 3.10.1")
    (finding,) = check_cluster("head:6379")
    assert finding.state == "problem"
    assert "install the cluster's versions" in finding.remedy


def test_a_cluster_of_another_python(
    probed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis.platform, "python_version", lambda: "3.11.9")
    probed(**FOUND)
    states = [finding.state for finding in check_cluster("head:6379")]
    assert states == ["ok", "warning", "warning"], "Python, and no dashboard"


def test_the_dashboard_of_a_cluster(
    probed: Callable[..., None], dashboard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis.platform, "python_version", lambda: "3.11.7")
    probed(**{**FOUND, "dashboard": dashboard})
    there = list(check_cluster("head:6379"))[-1]
    assert (there.about, there.state) == ("Ray dashboard", "ok"), "it refuses, so it is there"
    probed(**{**FOUND, "dashboard": "127.0.0.1:1"})
    gone = list(check_cluster("head:6379"))[-1]
    assert gone.state == "warning"


@pytest.mark.parametrize(
    ("variables", "state", "word"),
    [
        ({}, "ok", "none"),
        ({"RAY_AUTH_MODE": "token"}, "problem", "there is none"),
        ({"RAY_AUTH_TOKEN": "secret"}, "ok", "RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}, "problem", "/nowhere/token"),
    ],
)
def test_tokens(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: dict[str, str],
    state: str,
    word: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (finding,) = check_token()
    assert finding.state == state
    assert word in finding.what
    assert "secret" not in finding.what


@pytest.mark.parametrize("named", [False, True])
def test_a_token_that_others_may_read_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    token = tmp_path / ".ray" / "auth_token"
    if named:
        token = tmp_path / "mine"
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    token.parent.mkdir(exist_ok=True)
    token.write_text("secret")
    for mode, state in ((0o644, "warning"), (0o640, "warning"), (0o600, "ok"), (0o400, "ok")):
        token.chmod(mode)
        (finding,) = check_token()
        assert finding.state == state, oct(mode)
        if state == "warning":
            assert finding.remedy == f"chmod 600 {token}"


def test_the_token_of_an_own_ray_is_for_its_user_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    token, before = tmp_path / ".ray" / "auth_token", os.umask(0)
    try:
        for name, value in (("RAY_AUTH_TOKEN", "secret"), ("RAY_AUTH_MODE", "disabled")):
            with monkeypatch.context() as patch:
                patch.setenv(name, value)
                make_token()
            assert not token.exists()
        make_token()
        assert token.stat().st_mode & 0o777 == 0o600
        assert token.parent.stat().st_mode & 0o777 == 0o700
        content = token.read_text()
        assert len(content) == 64
        make_token()
        assert token.read_text() == content, "it is nobody else's to replace"
        assert [each.name for each in token.parent.iterdir()] == ["auth_token"]
    finally:
        os.umask(before)
