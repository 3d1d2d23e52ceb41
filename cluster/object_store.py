"""Ray's object store: what is said when there is no room in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import ClusterError


@contextmanager
def room_for(what: str) -> Iterator[None]:
    """Says in one line that something did not fit, neither into the store nor on Ray's disk.

    Args:
        what: what is put there.

    Raises:
        ClusterError: It did not fit.
    """
    from ray.exceptions import ObjectStoreFullError, OutOfDiskError

    try:
        yield
    except (ObjectStoreFullError, OutOfDiskError) as error:
        raise ClusterError(
            f"Ray's object store has no room for {what}, and neither has its disk: make room in "
            "/dev/shm and /tmp (or where RAY_TMPDIR points), or start Ray yourself with a larger "
            "--object-store-memory and give its --address"
        ) from error
