import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import ClusterError, TrialResources, concurrency, connect
from cluster.connection import package_folder, require_reachable

STORE = 100_000_000


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def test_importing_the_package_imports_neither_ray_nor_torch() -> None:
    finished = run_python("import cluster, sys; print({'ray', 'torch'} & set(sys.modules))")
    assert finished.stdout.strip() == "set()"


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_an_unreachable_address_is_refused_in_one_line_and_soon() -> None:
    address = f"127.0.0.1:{unused_port()}"
    start = time.monotonic()
    with pytest.raises(ClusterError) as refused, connect(address):
        pass
    assert time.monotonic() - start < 20
    assert address in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unreachable_ray_client_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.connection.REACH_SECONDS", 0.5)
    address = f"ray://127.0.0.1:{unused_port()}"
    with pytest.raises(ClusterError, match=address), connect(address):
        pass


@pytest.fixture
def silent_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_a_server_that_is_not_ray_is_refused_in_time(silent_server: int) -> None:
    start = time.monotonic()
    with pytest.raises(ClusterError, match="no Ray cluster answered"):
        require_reachable(f"127.0.0.1:{silent_server}", 1.0)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("address", ["nonsense", "nonsense://host:1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ClusterError) as refused, connect(address):
        pass
    assert address in str(refused.value)
    assert "\n" not in str(refused.value)


def test_packages_are_found_by_their_import_names() -> None:
    folder = package_folder("cluster")
    assert folder.is_absolute()
    assert (folder / "connection.py").is_file()


@pytest.mark.parametrize("name", ["no_such_package", "contextlib"])
def test_what_is_no_package_cannot_be_shipped(name: str) -> None:
    with pytest.raises(ClusterError, match=f"cannot ship '{name}'"):
        package_folder(name)


@pytest.mark.ray
def test_a_local_ray_counts_its_slots_and_is_gone_afterwards(
    capfd: pytest.CaptureFixture[str],
) -> None:
    import ray

    with connect(cpus=2, object_store_memory=STORE):
        assert concurrency(TrialResources(1, 0, 1)) == 2
        assert concurrency(TrialResources(2, 0, 2)) == 1
        with pytest.raises(ClusterError, match="4 CPUs but the largest node has 2"):
            concurrency(TrialResources(4, 0, 1))
        with connect():
            assert ray.cluster_resources()["CPU"] == 2
        assert ray.is_initialized()
    assert not ray.is_initialized()
    assert capfd.readouterr() == ("", "")


HEAD = f"""
import ray, sys
context = ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False,
                   logging_level="ERROR", object_store_memory={STORE})
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def running_cluster(tmp_path: Path) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-c", HEAD],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as head:
        assert head.stdout is not None
        yield head.stdout.readline().strip()
        assert head.poll() is None, "leaving the connection must not stop the cluster"
        head.communicate("")


@pytest.mark.ray
def test_a_running_cluster_is_joined_with_the_packages_and_left_running(
    running_cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    package = tmp_path / "shipped" / "only_here"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("answer = 42\n")

    def answer() -> int:
        import only_here  # type: ignore[import-not-found]

        return only_here.answer

    with monkeypatch.context() as here:
        here.syspath_prepend(package.parent)
        with connect(running_cluster, packages=["only_here"]):
            assert ray.get(ray.remote(answer).remote(), timeout=60) == 42
            assert concurrency(TrialResources(1, 0, 1)) == 1
    assert not ray.is_initialized()
    with connect(running_cluster):
        assert ray.cluster_resources()["CPU"] == 1


SHADOWED = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv[1])

import ray
from cluster import connect

def where() -> str:
    import colorsys
    return colorsys.__file__

with connect(cpus=1, object_store_memory={STORE}):
    print(ray.get(ray.remote(where).remote()))
"""


@pytest.mark.ray
def test_a_file_in_the_working_directory_takes_no_librarys_place_in_a_worker(
    tmp_path: Path,
) -> None:
    (tmp_path / "colorsys.py").write_text("")
    script = tmp_path.parent / f"{tmp_path.name}.py"
    script.write_text(SHADOWED)

    def imported(*looked_in: str) -> str:
        command = [sys.executable, str(script), *looked_in]
        run = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=True
        )
        return run.stdout.strip()

    assert not imported().startswith(str(tmp_path))
    assert imported(str(tmp_path)).startswith(str(tmp_path)), "as the driver does, if it does"
