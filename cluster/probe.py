"""Connects to Ray, runs one task and prints what it found: `python -m cluster.probe [ADDRESS]`."""

from __future__ import annotations

import json
import platform
import sys
import time
from typing import Any

from cluster.connection import connect
from cluster.errors import ClusterError

OBJECT_STORE = 100_000_000


def probe(address: str | None) -> dict[str, Any]:
    """The state of a cluster: nodes, versions, the dashboard, and the time to answer."""
    begun = time.monotonic()
    with connect(address, object_store_memory=None if address else OBJECT_STORE):
        import ray
        from ray._private.worker import get_dashboard_url

        connected = time.monotonic() - begun
        version: Any = ray.remote(platform.python_version)
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return {
            "seconds": connected,
            "python": ray.get(version.options(num_cpus=0).remote(), timeout=60),
            "ray": ray.__version__,
            "nodes": len(alive),
            "cpus": sum(node.get("CPU", 0.0) for node in alive),
            "gpus": sum(node.get("GPU", 0.0) for node in alive),
            "dashboard": get_dashboard_url(),
        }


def main() -> None:
    """Prints the answer as JSON, or the reason why there is none."""
    try:
        found = probe(sys.argv[1] if len(sys.argv) > 1 else None)
    except ClusterError as error:
        found = {"error": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
