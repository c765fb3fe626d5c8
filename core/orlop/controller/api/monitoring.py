"""Routes for those who watch the controller: health, metrics, and a page for whoever comes by."""

from __future__ import annotations

from flask import Response
from prometheus_client import CollectorRegistry, generate_latest

from orlop.controller.api.metrics import Metrics
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes

route = Routes("monitoring")
TEXT = "text/plain"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
SWITCHES = {"resource": bool, "storage_pools": bool, "error_reports": bool}

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Orlop</title></head>
<body><h1>Orlop</h1><p>This is the controller of an Orlop cluster. Its REST API begins at
<a href="/v1/controller/version">/v1</a>; it is described in <a href="/v1/orlop/openapi.json">OpenAPI</a>.</p>
</body></html>
"""


@route("GET", "/health", answer=TEXT)
def health(call: Call) -> Response:
    """200 and nothing when all is well, else 500 and the reasons."""
    problems = []
    if call.core.suspended:
        problems.append(f"The controller only observes: {call.core.suspended}")
    problems += [f"Rows of resource definition '{name}' make no sense" for name in sorted(call.core.blocked)]
    return Response("\n".join(problems), 500 if problems else 200, mimetype=TEXT)


@route("GET", "/metrics", answer=TEXT, query=SWITCHES)
def metrics(call: Call) -> Response:
    query, site = call.query, call.site
    registry = CollectorRegistry()
    registry.register(
        Metrics(
            call.core,
            site.scrapes,
            resources=query.flag("resource", absent=True),
            pools=query.flag("storage_pools", absent=True),
            error_reports=len(site.reports) if query.flag("error_reports", absent=True) else None,
        )
    )
    return Response(generate_latest(registry), content_type=METRICS)


@route("GET", "/", answer="text/html")
def page(call: Call) -> Response:
    return Response(PAGE, mimetype="text/html")
