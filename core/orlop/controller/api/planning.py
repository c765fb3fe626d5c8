"""The route that says what another request would do.

It is a route of its own, not a header of the request that is planned: a controller that does not know it answers that
there is no such path, and does nothing.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import msgspec
from flask import current_app
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.paths import routed
from orlop.controller.api.requests import BadRequest, Call, Query, parse
from orlop.controller.api.routes import HERE, READS, Route, Routes
from orlop.controller.rehearsal import Rehearsal
from orlop.controller.usecases import planning
from orlop.errors import OrlopError, Refused

route = Routes("planning")


@route("POST", "/v1/orlop/plan", body=wire.PlanRequest, answer=wire.Plan, unplanned=HERE)
def plan(call: Call) -> wire.Plan:
    """What a request would change, and which commands each node would run. Nothing is changed."""
    asked: wire.PlanRequest = call.body
    target = urlsplit(asked.path)
    found, arguments = _matched(asked.method.upper(), target.path)
    core = Rehearsal(call.core)
    body = parse(msgspec.json.encode(asked.body), found.body) if found.body is not None else None
    query = Query(MultiDict(parse_qsl(target.query, keep_blank_values=True)))
    try:
        answers = found.handler(Call(core, call.site, query, call.identity, body), **arguments)
    except OrlopError as error:
        if error.code not in found.absent:
            raise
        return wire.Plan(messages=(error.message,))
    return planning.plan(call.core, core, answers if isinstance(answers, Answers) else ())


def _matched(method: str, path: str) -> tuple[Route, dict[str, object]]:
    """The route that would serve the request; raises where there is none, or nothing to plan."""
    from orlop.controller.api.table import every_route

    try:
        endpoint, arguments = current_app.url_map.bind("").match(routed(path), method=method)
    except HTTPException:
        raise BadRequest(f"there is no {method} {path}") from None
    found = next((each for each in every_route() if f"{each.method} {each.path}" == endpoint), None)
    reason = ""
    if found is None:
        reason = "a plugin serves it"
    elif found.method in READS:
        reason = "it changes nothing"
    if reason or found is None or found.unplanned:
        raise Refused(
            f"What {method} {path} would do cannot be told before it is done.",
            cause=f"Why: {reason or (found.unplanned if found else '')}.",
            code=Fail.INVLD_REQUEST,
        )
    return found, dict(arguments)
