"""Routes that count, for clients that read lists page by page."""

from __future__ import annotations

from orlop.controller import wire
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes

route = Routes("statistics")


@route("GET", "/v1/stats/nodes", answer=wire.NodeStats)
def nodes(call: Call) -> wire.NodeStats:
    return wire.NodeStats(count=len(call.core.picture.nodes))


@route("GET", "/v1/stats/storage-pools", answer=wire.StoragePoolStats)
def pools(call: Call) -> wire.StoragePoolStats:
    return wire.StoragePoolStats(count=len(call.core.picture.pools))


@route("GET", "/v1/stats/resource-groups", answer=wire.ResourceGroupStats)
def groups(call: Call) -> wire.ResourceGroupStats:
    return wire.ResourceGroupStats(count=len(call.core.picture.groups))


@route("GET", "/v1/stats/resource-definitions", answer=wire.ResourceDefinitionStats)
def definitions(call: Call) -> wire.ResourceDefinitionStats:
    return wire.ResourceDefinitionStats(count=len(call.core.picture.definitions))


@route("GET", "/v1/stats/resources", answer=wire.ResourceStats)
def resources(call: Call) -> wire.ResourceStats:
    return wire.ResourceStats(count=sum(len(d.resources) for d in call.core.picture.definitions.values()))


@route("GET", "/v1/stats/error-reports", answer=wire.ErrorReportStats)
def error_reports(call: Call) -> wire.ErrorReportStats:
    return wire.ErrorReportStats(count=len(call.site.reports))
