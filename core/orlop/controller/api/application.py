"""The Flask application: every route, and what all answers have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, PathConverter

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.api import envelope
from orlop.controller.api.identity import authenticate
from orlop.controller.api.limits import LARGEST_BODY, Limits
from orlop.controller.api.paths import SLASH, Paths
from orlop.controller.api.requests import BadRequest, Call, Query, parse
from orlop.controller.api.routes import Route
from orlop.controller.api.site import Site
from orlop.controller.api.table import every_route
from orlop.controller.core import Core
from orlop.controller.error_reports import ErrorReports
from orlop.errors import OrlopError, Refused, UnknownDriver

log = logging.getLogger(__name__)
# What the client got wrong is told to the client; a report would help nobody.
OF_THE_CLIENT = (Refused, BadRequest, UnknownDriver)
Wsgi = Callable[..., Iterable[bytes]]

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Headers": "origin, content-type, accept, authorization",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS, HEAD",
}


class Name(BaseConverter):
    """One segment of a path; a `%2F` in it was kept apart from the slashes between segments."""

    def to_python(self, value: str) -> str:
        return value.replace(SLASH, "/")


class PropertyKey(PathConverter):
    """The rest of a path: keys have slashes, which not every client escapes."""

    def to_python(self, value: str) -> str:
        return value.replace(SLASH, "/")


CONVERTERS = {"volume_number": "int", "key": "key"}


def create_application(
    core: Core,
    reports: ErrorReports,
    threads: int = 64,
    config: wire.ControllerConfig | None = None,
) -> Flask:
    """`threads` is how many the server has; `config` is what clients are shown of the configuration."""
    application = Flask(__name__, static_folder=None)
    application.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    application.url_map.converters |= {"name": Name, "key": PropertyKey}
    application.url_map.merge_slashes = False
    site = Site(reports, Limits(threads), config or wire.ControllerConfig())
    for route in every_route():
        _add(application, core, site, route)
    application.before_request(_identify)
    application.after_request(_finish)
    application.register_error_handler(HTTPException, _http_error)
    application.register_error_handler(Exception, partial(_unexpected, site))
    core.hooks.routes(application)
    application.wsgi_app = Paths(application.wsgi_app)  # type: ignore[method-assign]
    return application


def _add(application: Flask, core: Core, site: Site, route: Route) -> None:
    rule = route.path
    for name in route.parameters:
        rule = rule.replace(f"{{{name}}}", f"<{CONVERTERS.get(name, 'name')}:{name}>")

    def view(**arguments: Any) -> Response:
        return _serve(core, site, route, arguments)

    application.add_url_rule(
        rule,
        endpoint=f"{route.method} {route.path}",
        view_func=view,
        methods=[route.method],
        provide_automatic_options=False,
        strict_slashes=False,
    )


def _serve(core: Core, site: Site, route: Route, arguments: dict[str, Any]) -> Response:
    references = route.references(arguments)
    try:
        body = parse(request.get_data(cache=False), route.body) if route.body is not None else None
        call = Call(core, site, Query(request.args), g.identity, body)
        if route.waits:
            with site.limits.command(), core.turn():
                result = route.handler(call, **arguments)
        else:
            result = route.handler(call, **arguments)
        return envelope.respond(result, route.status)
    except OrlopError as error:
        if error.code in route.absent:
            return envelope.respond(envelope.nothing_to_delete(error, route.about, references), route.status)
        report = "" if isinstance(error, OF_THE_CLIENT) else site.reports.write(error, _place())
        return envelope.refusal(error, route.operation, route.about, references, report)
    except HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - becomes an error report and an entry that names it
        report = site.reports.write(error, _place())
        log.error("%s: see error report %s", _place(), report)
        return envelope.unexpected(route.operation, route.about, references, report)


def _place() -> str:
    return f"{request.method} {request.path.replace(SLASH, '%2F')}"


def _identify() -> Response | None:
    try:
        g.identity = authenticate(request)
    except Refused as error:
        return envelope.refusal(error, 0, Subject.NONE, {}, "")
    return None


def _finish(response: Response) -> Response:
    response.headers.update(CORS)
    if response.is_streamed or "Content-Encoding" in response.headers or not envelope.reads_gzip():
        return response
    plain = response.get_data()
    if len(plain) >= envelope.COMPRESSED:
        response.set_data(envelope.pack(plain))
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    path = request.path.replace(SLASH, "%2F")
    match error:
        case NotFound():
            return envelope.failure(status, f"Path '{path}' not found on server.")
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            # What browsers ask before they send a request from another site.
            response = (
                Response(status=200)
                if request.method == "OPTIONS"
                else envelope.failure(status, f"Method {request.method} is not allowed for path '{path}'.")
            )
            response.headers["Allow"] = allowed
            return response
        case _:
            return envelope.failure(status, error.description or error.name)


def _unexpected(site: Site, error: Exception) -> Response:
    report = site.reports.write(error, _place())
    log.error("%s: see error report %s", _place(), report)
    return envelope.unexpected(0, Subject.NONE, {}, report)
