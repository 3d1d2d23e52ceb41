"""Connecting to Ray: a local instance of our own, or a cluster that is already there."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError

REACH_SECONDS = 5.0
"""Seconds that a cluster at a given address may take to answer."""
TOKEN = Path("~/.ray/auth_token")
"""The file of Ray's token, unless the environment names another."""


@contextmanager
def connect(
    address: str | None = None,
    *,
    cpus: int | None = None,
    verbose: bool = False,
    packages: Sequence[str] = (),
    object_store_memory: int | None = None,
    dashboard: bool = False,
) -> Iterator[None]:
    """Connects to Ray, and on leaving disconnects and stops what was started here.

    A connection that this process already has is used as it is and left open.

    Args:
        address: Of a running cluster (``host:port``, ``ray://host:port`` or ``auto``); None or
            ``local`` starts an instance on this machine.
        cpus: CPUs of a local instance; all of the machine's by default.
        verbose: Let Ray's own messages and its workers' output through to the terminal.
        packages: Import names of the packages to ship to the nodes of a running cluster.
        dashboard: Start the dashboard of a local instance; on the loopback address only, as all
            that listens of a local instance.
        object_store_memory: Bytes of a local instance's object store; Ray's choice by default.

    Raises:
        ClusterError: The cluster cannot be reached or refuses the connection.
    """
    if not verbose:
        # Read when Ray is imported and inherited by the processes that it starts.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        yield
        return
    quiet = {
        "log_to_driver": verbose,
        "logging_level": logging.INFO if verbose else logging.ERROR,
    }
    try:
        if address is None or address == "local":
            _start_local(cpus, object_store_memory, dashboard, quiet)
        else:
            _join(address, packages, quiet)
        yield
    finally:
        ray.shutdown()


def _start_local(
    cpus: int | None, object_store_memory: int | None, dashboard: bool, quiet: dict[str, Any]
) -> None:
    import ray

    if cpus is not None and cpus < 1:
        raise ClusterError(f"a local Ray needs at least 1 CPU, not {cpus}")
    make_token()
    try:
        with _loopback_only():
            ray.init(
                address="local",
                num_cpus=cpus,
                object_store_memory=object_store_memory,
                include_dashboard=dashboard,
                job_config=_imports_as_here(),
                **quiet,
            )
    except (Exception, SystemExit) as error:
        raise ClusterError(f"Ray did not start on this machine: {one_line(error)}") from error


def _imports_as_here() -> Any:
    """A job whose workers look for modules where this process does.

    Ray puts the working directory in front of their `sys.path`: a file there that is called like a
    library, in a run folder of somebody else say, would be run in its place. Where this process
    looks there too, as it does for code that the user named, the workers go on doing so.
    """
    from ray.job_config import JobConfig

    class AsHere(JobConfig):
        def _runtime_env_has_working_dir(self) -> bool:
            return True  # then Ray adds nothing to their `sys.path` by itself

    looked_in = {os.path.abspath(place) for place in sys.path}
    script = os.path.dirname(os.path.realpath(sys.argv[0] if sys.argv else ""))
    places = [each for each in dict.fromkeys((script, os.getcwd())) if each in looked_in]
    return AsHere(_py_driver_sys_path=places)


@contextmanager
def _loopback_only() -> Iterator[None]:
    """Has all servers of a Ray that is started meanwhile listen on the loopback address alone.

    On Linux they would listen on all addresses, since other nodes could join. Ray can do without,
    and does on macOS and Windows; for Linux it has this switch, read when it is imported and by
    the processes that it starts. (An address in `ray.init` would be replaced by the machine's.)
    """
    from ray._private import ray_constants

    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    before, variable = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(name)
    ray_constants.ENABLE_RAY_CLUSTER, os.environ[name] = False, "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        if variable is None:
            del os.environ[name]
        else:
            os.environ[name] = variable


def _join(address: str, packages: Sequence[str], quiet: dict[str, Any]) -> None:
    import ray

    shipped = {
        "py_modules": [str(package_folder(name)) for name in packages],
        "excludes": ["**/__pycache__"],
    }
    require_reachable(address, REACH_SECONDS)
    if asks_for_token(address):
        use_token()
    try:
        ray.init(address=address, runtime_env=shipped if packages else None, **quiet)
    # A cluster that goes away while Ray connects ends in the process's own termination handler.
    except (Exception, SystemExit) as error:
        raise ClusterError(f"no connection to Ray at {address}: {one_line(error)}") from error


def make_token() -> None:
    """Makes the token that a Ray of our own is going to ask for, if there is none.

    Ray would make it by itself, but for everybody on this machine to read.
    """
    given = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if given or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    token = TOKEN.expanduser()
    draft = token.with_name(f".{token.name}.{secrets.token_hex(4)}")
    with suppress(OSError):  # there is one; or Ray is to say why there can be none
        token.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            os.link(draft, token)  # whole, and in the place of no other
        finally:
            draft.unlink()


def use_token() -> None:
    """Turns Ray's token authentication on if there is a token here.

    Ray does so by itself for instances that it starts or finds, but not for an address that it is
    given, and offers nothing public for it once it has been imported.
    """
    from ray._private.authentication import authentication_token_setup as setup

    setup.logger.setLevel(logging.ERROR)  # it warns that it is on
    setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def asks_for_token(address: str) -> bool:
    """True if the head at an address lets only those in who have its token.

    With a token where none is asked for, Ray works at first: but we would refuse the head's own
    calls, and it would take us for dead. Where it cannot be seen, it counts as asked for.
    """
    if ":" not in address or "://" in address or os.environ.get("RAY_USE_TLS") == "1":
        return True
    import grpc  # type: ignore[import-untyped]

    with grpc.insecure_channel(address) as channel:
        # A question without content, as bytes: whether these nodes, none, are alive.
        ask = channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")
        try:
            ask(b"", timeout=REACH_SECONDS)
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.UNAUTHENTICATED)
    return False


def require_reachable(address: str, seconds: float) -> None:
    """Refuses an address where nothing speaks Ray's protocol; Ray itself would try for 81 s.

    Addresses that are not ``[ray://]host:port`` are left to Ray, which judges them at once, and so
    are encrypted ones.

    Raises:
        ClusterError: Nothing answered in time.
    """
    scheme, separator, target = address.rpartition("://")
    if (
        (separator and scheme != "ray")
        or ":" not in target
        or os.environ.get("RAY_USE_TLS") == "1"
    ):
        return
    import grpc

    with grpc.insecure_channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError:
            raise ClusterError(
                f"no Ray cluster answered at {address} within {seconds:g} s"
            ) from None


def package_folder(name: str) -> Path:
    """The folder of an importable top-level package, found without importing it.

    Raises:
        ClusterError: There is no such package here.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ClusterError(f"cannot ship '{name}' to the cluster: there is no such package here")
    return Path(spec.submodule_search_locations[0]).resolve()


def one_line(error: BaseException) -> str:
    """The message of an error, or its name if it has none."""
    text = " ".join(str(error).split())
    return text if text and not isinstance(error, SystemExit) else type(error).__name__
