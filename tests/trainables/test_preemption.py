"""A notice that a machine is taken away, from metadata servers on the loopback address."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from search_spaces import InputError
from trainables.trials.cloud import Cloud, cloud_here
from trainables.trials.clouds.aws import Aws
from trainables.trials.clouds.gcp import Gcp
from trainables.trials.preemption import PreemptionNotice


class Metadata(BaseHTTPRequestHandler):
    """Both clouds' metadata; EC2's only for whoever has the current token."""

    def do_PUT(self) -> None:
        asked = "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
        self._say(200 if asked and self.path == "/latest/api/token" else 400, self.server.token)

    def do_GET(self) -> None:
        preempted = self.server.preempted
        if self.path == "/latest/meta-data/spot/instance-action":
            if self.headers.get("X-aws-ec2-metadata-token") != self.server.token:
                self._say(401, "")
            else:
                self._say(200 if preempted else 404, '{"action": "terminate"}')
        elif self.path == "/computeMetadata/v1/instance/preempted":
            flavoured = self.headers.get("Metadata-Flavor") == "Google"
            self._say(200 if flavoured else 403, "TRUE" if preempted else "FALSE")
        else:
            self._say(404, "")

    def _say(self, code: int, body: str) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # nobody there; it must not be asked
    serving = HTTPServer(("127.0.0.1", 0), Metadata)
    serving.token, serving.preempted = "first", False
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


def cloud(kind: type[Any], server: Any) -> Cloud:
    return kind(f"http://127.0.0.1:{server.server_port}")


@pytest.mark.parametrize("kind", [Aws, Gcp])
def test_a_cloud_is_asked_as_it_wants_to_be(kind: type[Any], server: Any) -> None:
    here = cloud(kind, server)
    assert not here.preempted()
    server.preempted = True
    assert here.preempted()


def test_a_token_that_is_no_longer_good_is_replaced(server: Any) -> None:
    here = cloud(Aws, server)
    assert not here.preempted()
    server.token, server.preempted = "second", True
    with pytest.raises(OSError):
        here.preempted()
    assert here.preempted()


def until(condition: Callable[[], bool]) -> None:
    patience = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.01)


def test_on_the_clouds_notice_ray_drains_the_node(server: Any) -> None:
    drained: list[int] = []
    notice = PreemptionNotice(lambda: False, cloud(Gcp, server), drained.append, poll=0.01)
    time.sleep(0.1)
    assert not notice.given()
    server.preempted = True
    until(notice.given)
    until(lambda: bool(drained))
    assert drained == [30]


def test_a_node_that_ray_drains_needs_no_cloud_and_silence_is_no_notice(
    capfd: pytest.CaptureFixture[str],
) -> None:
    draining: list[bool] = []

    def ray() -> bool:
        if not draining:
            raise ConnectionError("no answer")
        return draining[0]

    notice = PreemptionNotice(ray, None, lambda seconds: None, poll=0.01)
    time.sleep(0.1)
    assert not notice.given()
    draining.append(True)
    until(notice.given)
    assert capfd.readouterr().err.count("no answer about preemption") == 1


def test_which_cloud_is_asked_is_said_by_the_environment() -> None:
    assert cloud_here({}) is None
    assert isinstance(cloud_here({"AUTOML_CL_SPOT": "gcp"}), Gcp)
    with pytest.raises(InputError, match="Did you mean 'aws'"):
        cloud_here({"AUTOML_CL_SPOT": "awss"})
