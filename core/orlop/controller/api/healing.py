"""Routes of replicas that move: plans, maintenance, balancing, rebalancing, jobs; all below /v1/orlop/."""

from __future__ import annotations

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes
from orlop.controller.usecases import evacuation, healing, jobs, maintenance, rebalance
from orlop.errors import Refused

route = Routes("healing", Subject.NODE)
NODE = "/v1/orlop/nodes/{node}"


@route("PUT", f"{NODE}/maintenance", body=wire.Maintenance)
def switch_maintenance(call: Call, node: str) -> Answers:
    """Begin or end maintenance: what would be done there by itself, or because of it, is not done meanwhile."""
    return maintenance.switch(call.core, node, call.body.enabled)


@route("GET", f"{NODE}/evacuation", answer=wire.MovePlan, query={"target": list, "do_not_target": list})
def evacuation_plan(call: Call, node: str) -> wire.MovePlan:
    """What an evacuation of the node would do now."""
    targets, avoided = tuple(call.query.texts("target")), tuple(call.query.texts("do_not_target"))
    found = evacuation.plan(call.core, node, targets, avoided)
    return rebalance.as_wire(found)


@route("GET", "/v1/orlop/rebalance", answer=wire.MovePlan, query={"storage_pools": list, "threshold": str})
def rebalance_plan(call: Call) -> wire.MovePlan:
    """Which replicas would move so that the pools of each name and kind are equally full, and how full they are."""
    pools, text = tuple(call.query.texts("storage_pools")), call.query.text("threshold")
    try:
        threshold = float(text) if text else None
    except ValueError:
        raise Refused(f"A threshold is a number of percent, not '{text}'.") from None
    return rebalance.shown(call.core, rebalance.plan(call.core, pools, threshold), pools)


@route("POST", "/v1/orlop/rebalance", body=wire.Rebalance)
def start_rebalance(call: Call) -> Answers:
    """Have them moved, a few at a time."""
    return rebalance.start(call.core, call.body)


@route("DELETE", "/v1/orlop/rebalance")
def cancel_rebalance(call: Call) -> Answers:
    """End a rebalancing: what has not begun does not, what has begun is undone where that is safe."""
    return rebalance.cancel(call.core)


@route("GET", "/v1/orlop/balance", answer=wire.MovePlan, query={"resource_group": str})
def balance_plan(call: Call) -> wire.MovePlan:
    """Which replicas would be made or removed so that there are as many as the groups ask for."""
    return rebalance.as_wire(healing.balance_plan(call.core, call.query.text("resource_group") or None))


@route("POST", "/v1/orlop/balance", body=wire.Balance, about=Subject.RSC_GRP)
def balance(call: Call) -> Answers:
    """Have that done now, a few replicas at a time, instead of waiting for the next time it is done anyway."""
    return healing.balance_now(call.core, call.body.resource_group or None)


@route("DELETE", "/v1/orlop/jobs/{job}", about=Subject.RSC)
def cancel_job(call: Call, job: str) -> Answers:
    """End the move of a replica."""
    return jobs.cancel(call.core, job)
