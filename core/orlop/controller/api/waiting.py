"""Routes that answer when enough of something is there."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from flask import Response

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.events import STREAM, frame
from orlop.controller.api.requests import Call, parse
from orlop.controller.api.routes import Routes
from orlop.controller.usecases import wait_for
from orlop.controller.wait import drbdmanage
from orlop.errors import OrlopError

route = Routes("waiting", Subject.RSC)
QUERY = {
    "resource": str,
    "volume_number": int,
    "size_kib": int,
    "snapshot": str,
    "policy": str,
    "timeout": int,
}


@route("POST", "/v1/orlop/wait", body=wire.WaitRequest, answer=wire.WaitProgress, waits=False)
def wait(call: Call) -> wire.WaitProgress:
    """Wait until a policy is satisfied: a long poll, answered after `hold` seconds at the latest. It changes nothing.

    A policy that can never be satisfied, by the copies that are planned, is refused at once.
    """
    request: wire.WaitRequest = call.body
    asked = wait_for.question(call.core, request)
    if not request.hold or request.timeout == 0:  # it only looks
        return wait_for.wait(call.core, asked, request.timeout, 0.0)
    with call.site.limits.wait():
        return wait_for.wait(call.core, asked, request.timeout, request.hold)


@route("GET", "/v1/orlop/wait", answer=STREAM, query=QUERY)
def watch(call: Call) -> Response:
    """The same as a stream: `progress` now and after each change, and at the end `done`, with what the long poll
    answers, or `refused` with the entries of an error. Query parameters are the members of the long poll's body."""
    texts = {name: text for name in QUERY if (text := call.query.text(name))}
    request: wire.WaitRequest = parse(msgspec.json.encode(texts), wire.WaitRequest)
    core, limits = call.core, call.site.limits
    asked = wait_for.question(core, request)
    wait_for.look(core, asked)
    limits.open_stream()
    response = Response(_frames(call, asked, request.timeout), mimetype=STREAM, headers={"Cache-Control": "no-cache"})
    response.call_on_close(limits.close_stream)
    return response


def _frames(call: Call, asked: wait_for.Question, timeout: float | None) -> Iterator[bytes]:
    yield b": connected\n\n"
    try:
        for said in wait_for.changes(call.core, asked, timeout):
            if said is None:
                yield b": alive\n\n"
            else:
                yield frame("done" if said.satisfied or said.timed_out else "progress", said)
    except OrlopError as error:
        answers = Answers(0, Subject.RSC, RscDfn=asked.resource)
        answers.refused(error)
        yield frame("refused", tuple(answers))


@route(
    "POST",
    "/v1/orlop/drbdmanage/{plugin}",
    body=dict[str, str],
    answer=dict[str, str],
    query={"original": bool},
    waits=False,
)
def as_drbdmanage(call: Call, plugin: str) -> dict[str, str]:
    """DRBD Manage's wait plugins: `WaitForResource`, `WaitForSnapshot` and `WaitForVolumeSize`, with or without their
    path, its request keys and its answer keys. Never waits: the caller asks again until `result` or `timeout` is true.

    `original`: answers just as DRBD Manage did, oddities included.
    """
    keys = {name: value.strip() for name, value in call.body.items()}
    core = call.core
    now = core.clock.milliseconds() / 1000
    asked = drbdmanage.Asked(plugin.rpartition(".")[2], keys, now, call.query.flag("original"))
    return drbdmanage.answer(core.drivers, core.picture, core.reported, asked)
