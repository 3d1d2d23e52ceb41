"""Ray's placement groups: what is left of dead ones, and what room there is for new ones."""

from __future__ import annotations

from collections.abc import Mapping

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group

ROUNDING = 1e-6


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


def room_for(bundle: Mapping[str, float], at_most: int) -> int:
    """Number of such bundles that fit the free resources of the nodes now.

    Counted and not tried: Ray 2.60 may keep what it is reserving just while a placement group is
    removed again, and then for good.
    """
    from ray._private.state import available_resources_per_node

    fitting = [
        min(int(free.get(kind, 0.0) / amount + ROUNDING) for kind, amount in bundle.items())
        for free in available_resources_per_node().values()
    ]
    return min(at_most, sum(fitting))
