"""Routes that explain placements; all below /v1/orlop/."""

from __future__ import annotations

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes
from orlop.controller.api.views import placing as view
from orlop.controller.usecases import explaining, free_space
from orlop.model import SelectFilter

route = Routes("placement", Subject.RSC)


@route(
    "POST",
    "/v1/orlop/resource-definitions/{resource}/explain-placement",
    body=wire.ExplainPlacement,
    answer=wire.PlacementExplanation,
    waits=False,
)
def of_definition(call: Call, resource: str) -> wire.PlacementExplanation:
    """Where missing replicas would go, or why there are none; of a resource that has all, why they are there."""
    return view.explanation(explaining.definition(call.core, resource, call.body))


@route(
    "POST",
    "/v1/orlop/resource-groups/{resource_group}/explain-placement",
    body=wire.ExplainPlacement,
    answer=wire.PlacementExplanation,
    waits=False,
)
def of_group(call: Call, resource_group: str) -> wire.PlacementExplanation:
    """Where a resource that is spawned from the group would go."""
    return view.explanation(explaining.group(call.core, resource_group, call.body))


@route(
    "GET",
    "/v1/orlop/free-space",
    answer=wire.FreeSpace,
    query={"redundancy": int, "nodes": list, "storage_pools": list, "resource_group": str},
)
def free(call: Call) -> wire.FreeSpace:
    """The largest single volume that fits so many times, on these nodes and pools or by the rules of a group."""
    query = call.query
    rule = SelectFilter(node_names=tuple(query.texts("nodes")), storage_pools=tuple(query.texts("storage_pools")))
    redundancy = query.number("redundancy") if query.text("redundancy") else 1
    return free_space.free(call.core, redundancy, rule, query.text("resource_group"))
