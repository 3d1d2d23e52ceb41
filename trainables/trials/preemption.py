"""Notices that this node is about to be taken away, from Ray or the cloud."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from trainables.trials.cloud import Cloud, cloud_here

POLL_SECONDS = 2.0
REASON = "its node is about to be taken away"


class PreemptionNotice:
    """Asks in a thread, every few seconds, until there is a notice.

    Args:
        draining: whether Ray drains this node.
        cloud: whose metadata is asked as well.
        drain: has Ray drain this node, of which so many seconds are left. It is called when the
            cloud gives notice: nothing new begins here then, and all other processes know.
        poll: seconds between two questions.
    """

    def __init__(
        self,
        draining: Callable[[], bool],
        cloud: Cloud | None,
        drain: Callable[[int], object],
        poll: float = POLL_SECONDS,
    ) -> None:
        self._draining, self._cloud, self._drain, self._poll = draining, cloud, drain, poll
        self._given = threading.Event()
        threading.Thread(target=self._watch, name="preemption", daemon=True).start()

    @classmethod
    def on_ray(cls) -> PreemptionNotice:
        """The notice to the node of this Ray worker."""
        return cls(node_is_draining, cloud_here(), drain_node)

    def given(self) -> bool:
        """True if this node is about to be taken away."""
        return self._given.is_set()

    def _watch(self) -> None:
        silent = False
        while not self._given.is_set():
            try:
                self._ask()
                silent = False
            except Exception as error:
                # It is asked again; only the first of several silences is worth a line.
                if not silent:
                    print(f"no answer about preemption: {error}", file=sys.stderr, flush=True)
                silent = True
            time.sleep(self._poll)

    def _ask(self) -> None:
        if self._draining():
            self._given.set()
        elif self._cloud is not None and self._cloud.preempted():
            self._given.set()
            self._drain(self._cloud.grace_seconds)


# Ray offers nothing public for either; its own Train asks the first like this, and its command
# `ray drain-node` does the second.


def node_is_draining() -> bool:
    """True if Ray drains the node of this worker."""
    import ray
    from ray._private.state import state

    # Outside of Ray there is no node; to ask for its id would connect to whatever Ray there is.
    here = ray.get_runtime_context().get_node_id() if ray.is_initialized() else None
    return here is not None and here in state.get_draining_nodes()


def drain_node(seconds_left: int) -> None:
    """Has Ray drain the node of this worker: it places nothing new there."""
    import ray
    from ray.core.generated import autoscaler_pb2

    context = ray.get_runtime_context()
    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = int((time.time() + seconds_left) * 1000)
    client = ray._raylet.GcsClient(address=context.gcs_address)
    client.drain_node(context.get_node_id(), reason, REASON, deadline)
