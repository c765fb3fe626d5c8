"""Routes of DRBD Proxy."""

from __future__ import annotations

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes
from orlop.controller.usecases import drbd_proxy

route = Routes("DRBD proxy", Subject.RSC_CONN)
PROXY = "/v1/resource-definitions/{resource}/drbd-proxy"


@route("PUT", PROXY, body=wire.DrbdProxyModify)
def modify(call: Call, resource: str) -> Answers:
    return drbd_proxy.modify(call.core, resource, call.body)


@route("POST", f"{PROXY}/enable/{{node_a}}/{{node_b}}", body=wire.DrbdProxyEnable)
def enable(call: Call, resource: str, node_a: str, node_b: str) -> Answers:
    return drbd_proxy.enable(call.core, resource, node_a, node_b, call.body)


@route("POST", f"{PROXY}/disable/{{node_a}}/{{node_b}}")
def disable(call: Call, resource: str, node_a: str, node_b: str) -> Answers:
    return drbd_proxy.disable(call.core, resource, node_a, node_b)
