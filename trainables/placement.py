"""Ray's placement groups: what is left of dead ones, and how much room there is for new ones."""

from __future__ import annotations

import time
from collections.abc import Mapping

import ray
from ray.util.placement_group import (
    PlacementGroup,
    placement_group,
    remove_placement_group,
)


def remove_orphans() -> int:
    """Removes the placement groups of this job that were made by actors which are dead.

    Ray keeps a placement group, and all that is reserved for it, until both the actor that made it
    and the whole job are gone, so one whose actor was killed would be kept for all of a search.
    Ray Train asks the dashboard about such actors, which may not be there.

    Returns:
        How many there were.
    """
    from ray._private.state import state
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData

    job = ray.get_runtime_context().get_job_id()
    found = 0
    for row in state._connect_and_get_accessor().get_placement_group_table():
        each = PlacementGroupTableData.FromString(row)
        # The driver's own, such as Tune's, name no actor.
        by_actor = not ray.ActorID(each.creator_actor_id).is_nil()
        orphaned = by_actor and each.creator_actor_dead and each.creator_job_id.hex() == job
        if orphaned and each.state != PlacementGroupTableData.REMOVED:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(each.placement_group_id)))
            found += 1
    return found


def room_for(bundle: Mapping[str, float], at_most: int, seconds: float) -> int:
    """For how many such bundles Ray finds room at once now; it is not kept.

    Args:
        bundle: resources of each.
        at_most: as many are tried.
        seconds: how long Ray may take to place them.
    """
    there = ray.cluster_resources()
    most = [int(there.get(kind, 0.0) / amount) for kind, amount in bundle.items()]
    tried = [placement_group([dict(bundle)]) for _ in range(min(at_most, *most))]
    until = time.monotonic() + seconds
    try:
        return sum(each.wait(max(0.0, until - time.monotonic())) for each in tried)
    finally:
        for each in tried:
            remove_placement_group(each)
