"""A search from a file, here and as a job of a cluster, and what is shipped with it."""

from __future__ import annotations

import http.server
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl_cl.command.cli import app
from automl_cl.command.submission import SPEC, Job, package, shipped_with
from automl_cl.spec.asked import search_spec
from automl_cl.spec.search_spec import SearchSpec
from cluster import ClusterError
from cluster.jobs import follow, require_jobs
from search_spaces import InputError

TOKEN = "0123456789abcdef" * 4
SEARCH = """
scenario: curriculum
data: digits
trials: 2
max_epochs: 1
seeds: 3
settings: {}
space: {algorithm: [superloss], training.batch_size: 64}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, with a search in it and a file beside it."""
    (tmp_path / "outside.csv").write_text("a,label\n1,x\n")
    place = tmp_path / "work"
    place.mkdir()
    (place / "search.yaml").write_text(SEARCH)
    (place / "my.csv").write_text("a,label\n1,x\n")
    monkeypatch.chdir(place)
    return place


def asked(*arguments: str) -> SearchSpec:
    """What `automl-cl search` would run."""
    from typer.main import get_command

    from automl_cl.command.cli import _given

    command = get_command(app).commands["search"]  # type: ignore[attr-defined]
    context = command.make_context("search", list(arguments))
    return search_spec(context.params, _given(context))


def packed(folder: Path, ship: tuple[Path, ...] = (), **settings: Any) -> Job:
    spec = SearchSpec(**{"scenario": "curriculum", "data": "digits", **settings})
    return package(spec, folder, ship, None)


# A search from a file.


def test_a_file_is_the_search_and_options_go_before_it(folder: Path) -> None:
    spec = asked("--from", "search.yaml")
    assert spec == SearchSpec.read(folder / "search.yaml")
    changed = asked(
        "--from", "search.yaml", "--trials", "7", "--seed", "0", "--objective", "compute"
    )
    assert (changed.trials, changed.objectives) == (7, ("compute",))
    assert (changed.seeds, changed.space) == (spec.seeds, spec.space)


def test_an_option_with_its_default_value_goes_before_the_file_too(folder: Path) -> None:
    assert asked("--from", "search.yaml", "--trials", "100").trials == 100


def test_what_search_writes_can_be_run_again(folder: Path) -> None:
    spec = asked("curriculum", "--data", "my.csv", "--label-column", "label", "--clean", "0.1")
    spec.write(folder / "written.yaml")
    assert asked("--from", "written.yaml") == spec


def test_settings_and_data_options_are_joined(folder: Path) -> None:
    given = {"settings": {"labels": 50}, "data_options": {"label_column": "a", "missing": "mean"}}
    SearchSpec("semi_supervised", "my.csv", **given).write(folder / "s.yaml")  # type: ignore[arg-type]
    spec = asked("--from", "s.yaml", "--set", "unlabelled=9", "--label-column", "b")
    assert spec.settings == {"labels": 50, "unlabelled": 9}
    assert spec.data_options == {"label_column": "b", "missing": "mean"}
    other = asked("--from", "s.yaml", "--data", "digits")
    assert (other.data, other.data_options) == ("digits", {})


def test_neither_file_nor_data_is_refused() -> None:
    with pytest.raises(InputError, match=r"--from SEARCH\.yaml"):
        asked("curriculum")
    with pytest.raises(InputError, match=r"--from SEARCH\.yaml"):
        asked("--data", "digits")


# What is shipped.


@pytest.mark.parametrize("name", ["my.csv", "./my.csv", "{here}/my.csv", "../work/my.csv"])
def test_data_in_the_working_folder_is_shipped(folder: Path, name: str) -> None:
    job = packed(folder, data=name.format(here=folder))
    assert (job.spec.data, job.files) == ("my.csv", (Path("my.csv"),))
    with shipped_with(job) as shipped:
        assert (shipped / "my.csv").read_text() == (folder / "my.csv").read_text()
        assert SearchSpec.read(shipped / SPEC) == job.spec
        assert (shipped / "automl_cl" / "command" / "cli.py").is_file()
        assert not list(shipped.rglob("__pycache__"))
        top = {path.name for path in shipped.iterdir()}
    assert top == {"automl_cl", "trainables", "search_spaces", "cluster", "my.csv", SPEC}
    assert not shipped.exists()


OUTSIDE: list[tuple[str, dict[str, Any]]] = [
    ("data", {"data": "../outside.csv"}),
    ("data", {"data": "{parent}/outside.csv"}),
    ("data", {"data": "/etc/passwd"}),
    ("data", {"data": "~/.ssh"}),
    ("data", {"data": "link.csv"}),
    ("data", {"data": "linked"}),
    ("data", {"data": "hf:../images"}),
    ("model", {"model": "hf:/models/one"}),
    ("warm_start", {"warm_start": "../history"}),
    ("settings.backbone", {"settings": {"backbone": "/weights.safetensors"}}),
    ("data_options.folder", {"data_options": {"folder": "/somewhere"}}),
    ("space.a", {"space": {"a": ["../outside.csv"]}}),
]


@pytest.mark.parametrize(("where", "settings"), OUTSIDE, ids=lambda each: str(each)[:40])
def test_a_path_that_leaves_the_working_folder_is_refused(
    folder: Path, where: str, settings: dict[str, Any]
) -> None:
    (folder / "link.csv").symlink_to(folder.parent / "outside.csv")
    (folder / "linked").mkdir()
    (folder / "linked" / "a.csv").symlink_to(folder.parent / "outside.csv")
    settings = {
        name: value.format(parent=folder.parent) if isinstance(value, str) else value
        for name, value in settings.items()
    }
    with pytest.raises(InputError) as refused:
        packed(folder, **settings)
    said = str(refused.value)
    assert said.startswith(f"{where}: ") and "outside the working folder" in said
    assert "\n" not in said


def test_what_is_named_besides_must_be_in_the_folder_and_there(folder: Path) -> None:
    with pytest.raises(InputError, match=r"--ship: .*outside"):
        packed(folder, (Path("../outside.csv"),))
    with pytest.raises(InputError, match=r"--ship: .*no such"):
        packed(folder, (Path("nowhere"),))
    with pytest.raises(InputError, match="not all of it"):
        packed(folder, (Path("."),))
    (folder / "more").mkdir()
    (folder / "more" / ".gitignore").write_text("*")
    (folder / "more" / "a.txt").write_text("a")
    with shipped_with(packed(folder, (Path("more"),))) as shipped:
        assert [path.name for path in (shipped / "more").iterdir()] == ["a.txt"]


def test_own_modules_are_shipped_and_installed_ones_are_not(folder: Path) -> None:
    (folder / "mine.py").write_text("def data(): ...\n")
    job = packed(folder, data="mine:data", model="torch.nn:Linear")
    assert job.files == (Path("mine.py"),)
    found_here = packed(folder, data="mine:data", data_options={"folder": str(folder)})
    assert found_here.spec.data_options == {"folder": "."}


def test_a_history_elsewhere_is_refused_and_the_output_must_be_whole(folder: Path) -> None:
    with pytest.raises(InputError, match="history: "):
        packed(folder, history="my_history")
    spec = SearchSpec("curriculum", "digits")
    with pytest.raises(InputError, match="--output: got 'runs/x'"):
        package(spec, folder, (), "runs/x")


def test_places_at_uris_stay_as_they_are(folder: Path) -> None:
    (folder / "s3:").mkdir()  # for this a path would be taken
    runs = "s3://bucket/runs"
    job = packed(folder, history=f"{runs}/history", warm_start=f"{runs}/old")
    assert (job.spec.history, job.spec.warm_start) == (f"{runs}/history", f"{runs}/old")
    assert job.files == packed(folder).files
    spec = SearchSpec("curriculum", "digits")
    assert package(spec, folder, (), f"{runs}/one").command.endswith(f"--output {runs}/one")
    with pytest.raises(InputError, match=r"--output: .* no credentials"):
        package(spec, folder, (), "s3://KEY:SECRET@bucket/one")
    for name in ("history", "warm_start"):
        with pytest.raises(InputError, match="no credentials") as refused:
            packed(folder, **{name: "s3://KEY:HIDDEN@bucket/one"})
        assert "HIDDEN" not in str(refused.value)


def test_the_shell_sees_one_word(folder: Path) -> None:
    spec = SearchSpec("curriculum", "digits")
    odd = package(spec, folder, (), "/shared/a b; touch c")
    assert shlex.split(odd.command)[-1] == "/shared/a b; touch c"
    assert '--output "$HOME"/automl-cl-runs/' in packed(folder).command
    assert package(spec, folder, (), "~/x").command.endswith('"$HOME"/x')


# Where it is sent.


@pytest.mark.parametrize(
    "address", ["auto", "127.0.0.1:8265", "ray://h:1", "http://", "http://a:b"]
)
def test_what_is_no_http_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match="expected http://HOST:PORT"):
        require_jobs(address)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OtherServer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other_server() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), OtherServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_an_address_where_no_dashboard_is_is_refused_soon(
    folder: Path, other_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.jobs.REACH_SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(ClusterError, match="no Ray dashboard answered"):
        require_jobs(f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(ClusterError, match="is no Ray dashboard"):
        require_jobs(f"http://127.0.0.1:{other_server}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(ClusterError, match="no Ray dashboard answered"):
            require_jobs(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert time.monotonic() - begun < 5


def test_what_speaks_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def babble(server: socket.socket) -> None:
        with server.accept()[0] as asked_by:
            asked_by.recv(1000)
            asked_by.sendall(b"\x00\x00\x12\x04 not http\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=babble, args=(server,), daemon=True).start()
        with pytest.raises(ClusterError, match="no Ray dashboard answered"):
            require_jobs(f"http://127.0.0.1:{server.getsockname()[1]}")


class Cut:
    """A client whose connection is cut once in the middle of the log."""

    def __init__(self, status: str, exit_code: int | None) -> None:
        self.status, self.driver_exit_code, self.calls = status, exit_code, 0

    async def tail_job_logs(self, _: str) -> Any:
        self.calls += 1
        yield "one\n"
        if self.calls == 1:
            raise RuntimeError("WebSocket connection closed unexpectedly")
        yield "two\n"

    def get_job_status(self, _: str) -> Any:
        from ray.job_submission import JobStatus

        return JobStatus("RUNNING" if self.calls == 1 else self.status)

    def get_job_info(self, _: str) -> Cut:
        return self


@pytest.mark.parametrize(
    ("status", "exit_code", "code"),
    [("SUCCEEDED", 0, 0), ("FAILED", 2, 2), ("FAILED", None, 1), ("STOPPED", None, 1)],
)
def test_the_log_is_shown_once_and_the_code_is_the_jobs(
    monkeypatch: pytest.MonkeyPatch, status: str, exit_code: int | None, code: int
) -> None:
    monkeypatch.setattr("cluster.jobs.POLL_SECONDS", 0.01)
    shown: list[str] = []
    assert follow(Cut(status, exit_code), "job", shown.append) == code
    assert "".join(shown) == "one\ntwo\n"


# On a real head that asks for a token.


@pytest.fixture
def head(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a head's dashboard, and an environment with its token and its home."""
    (tmp_path / "token").write_text(TOKEN)
    scripts = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HOME": str(tmp_path),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    environment.pop("RAY_AUTH_MODE", None)
    ports = [str(unused_port()), str(unused_port())]
    options = ["--num-cpus=2", "--object-store-memory=100000000", "--include-dashboard=true"]
    started = subprocess.Popen(
        [scripts / "ray", "start", "--head", "--block", *options, "--dashboard-host=127.0.0.1",
         f"--port={ports[0]}", f"--dashboard-port={ports[1]}"],
        env={**environment, "RAY_AUTH_MODE": "token"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    yield f"http://127.0.0.1:{ports[1]}", environment
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


@pytest.mark.ray
@pytest.mark.slow
def test_a_search_runs_as_a_job_and_the_token_stays_where_it_is(
    folder: Path, head: tuple[str, dict[str, str]]
) -> None:
    address, environment = head
    command = ["submit", "search.yaml", "--address", address, "--trials", "3"]
    ended = automl_cl(environment, *command, "--output", str(folder.parent / "runs" / "one"))
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert ended.stdout.startswith("submitted: raysubmit_")
    assert "tuned config:" in ended.stdout
    run = folder.parent / "runs" / "one"
    for name in ("tuned.yaml", "verdict.json", "report.html", "journal.jsonl"):
        assert (run / name).is_file()
    assert SearchSpec.read(run / "search.yaml").trials == 3
    assert list((folder.parent / "runs" / "history").rglob("*.parquet"))
    holding = [path for path in (folder.parent / "runs").rglob("*") if path.is_file()]
    assert len(holding) > 8
    assert not [path for path in holding if TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in said
    wrong = {**environment, "RAY_AUTH_TOKEN": "f" * 64}
    refused = automl_cl(wrong, *command)
    assert refused.returncode == 2 and "did not take the token" in refused.stderr
    assert refused.stderr.count("\n") == 1


def automl_cl(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """The command; for `submit`, as soon as the head answers."""
    root = str(Path(__file__).parents[2])
    for _ in range(20):
        ended = subprocess.run(
            [sys.executable, "-m", "automl_cl", *command],
            env={**environment, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if "no Ray dashboard answered" not in ended.stderr:
            break
        time.sleep(1.0)
    return ended
