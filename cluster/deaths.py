"""Causes of actors' deaths, as far as Ray knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.connection import one_line

if TYPE_CHECKING:
    from ray.exceptions import RayActorError


@dataclass(frozen=True)
class Death:
    """The cause of an actor's death.

    Attributes:
        of_node: whether its node was lost, and not the actor alone.
        announced: whether the node had been given notice.
        words: how Ray puts it, in a line.
    """

    of_node: bool
    announced: bool
    words: str


def death_of(error: RayActorError) -> Death | None:
    """The cause of an actor's death; None while it is unknown.

    Its driver sees a broken connection at once, whatever broke it. That a node was lost is known
    about 15 seconds later, when it has missed enough of Ray's health checks.

    Args:
        error: what the actor's driver was told.
    """
    from ray._private.state import state
    from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo

    if error.preempted:
        return Death(True, True, "its node was taken away")
    told = state.actor_table(error.actor_id)
    if not told or told["State"] != "DEAD":
        return None
    context = told["DeathCause"].actor_died_error_context
    words = one_line(RuntimeError(context.error_message or str(told["DeathCause"])))[:300]
    if not context.HasField("node_death_info"):
        # Who ended it after the connection broke was Tune: that says nothing about the trial.
        killed = context.reason in (
            ActorDiedErrorContext.RAY_KILL,
            ActorDiedErrorContext.OUT_OF_SCOPE,
            ActorDiedErrorContext.REF_DELETED,
        )
        return Death(killed, False, words)
    preempted = NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED
    return Death(True, context.node_death_info.reason == preempted, words)
