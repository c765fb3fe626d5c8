"""Routes beyond the common API, all below /v1/orlop/."""

from __future__ import annotations

from typing import Any

from orlop import codes
from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.openapi import document
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import HERE, PAGED, Routes
from orlop.controller.usecases import insight, lookup
from orlop.errors import Refused

route = Routes("orlop")


@route(
    "POST",
    "/v1/orlop/nodes/{node}/join-command",
    answer=wire.JoinCommand,
    about=Subject.NODE,
    waits=False,
    unplanned=HERE,
)
def join_command(call: Call, node: str) -> wire.JoinCommand:
    """A command with a token that works once; run it on the node to make it join."""
    found = lookup.node(call.core.picture, node)
    if call.core.enrolment is None:
        raise Refused("This controller does not let nodes join.", correction="Start it with an enrolment port.")
    ticket = call.core.enrolment.join_command(found.name)
    return wire.JoinCommand(command=ticket.command, token=ticket.token, expires_at=ticket.expires_at)


@route("GET", "/v1/orlop/orphans", answer=tuple[wire.Orphan, ...], query={"nodes": list, **PAGED})
def orphans(call: Call) -> list[wire.Orphan]:
    """Objects in pools that look like ours and that nothing here refers to; they are never touched."""
    return call.query.page(insight.orphans(call.core, call.query.keys("nodes")))


@route("GET", "/v1/orlop/jobs", answer=tuple[wire.Job, ...], query={"resources": list, **PAGED})
def jobs(call: Call) -> list[wire.Job]:
    """Work on several nodes that outlives a request."""
    return call.query.page(insight.jobs(call.core.picture, call.query.keys("resources")))


@route("GET", "/v1/orlop/differences", answer=tuple[wire.Difference, ...], query={"nodes": list, **PAGED})
def differences(call: Call) -> list[wire.Difference]:
    """Where what satellites report is not what is wanted."""
    return call.query.page(insight.differences(call.core, call.query.keys("nodes")))


@route("POST", "/v1/orlop/accept-restore", about=Subject.CTRL_CONF, unplanned=HERE)
def accept_restore(call: Call) -> Answers:
    """Go on with a restored database: satellites obey it again."""
    if call.core.accept_restore is None:
        raise Refused("This controller cannot accept a restored database.")
    call.core.accept_restore()
    answers = Answers(codes.MODIFY, Subject.CTRL_CONF)
    answers.success("The database is accepted: satellites obey this controller again.", codes.MODIFIED)
    return answers


@route("GET", "/v1/orlop/openapi.json", answer=dict[str, Any])
def openapi(call: Call) -> dict[str, Any]:
    from orlop.controller.api.table import every_route

    return document(every_route())
