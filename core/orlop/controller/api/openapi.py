"""The OpenAPI 3.1 document, made from the declarations that also serve."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

import orlop
from orlop.controller.api.routes import Envelope, Route

REFERENCE = "#/components/schemas/{name}"
QUERY_SCHEMAS: dict[type, dict[str, Any]] = {
    int: {"type": "integer", "minimum": 0},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    list: {"type": "array", "items": {"type": "string"}},
}
JSON = "application/json"


def document(routes: Iterable[Route]) -> dict[str, Any]:
    found = list(routes)
    types = list(dict.fromkeys(t for r in found for t in (r.body, r.answer) if t is not None and not _is_media(t)))
    types.append(Envelope)
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    by_type = dict(zip(map(str, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orlop",
            "version": orlop.__version__,
            "description": "REST API of the Orlop controller. Sizes are KiB, times milliseconds since 1970.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _is_media(answer: Any) -> bool:
    return isinstance(answer, str)


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [route.tag],
        "operationId": f"{route.method.lower()} {route.path}",
        "parameters": [*map(_path_parameter, route.parameters), *map(_query_parameter, route.query.items())],
        "responses": {
            str(route.status): {"description": "Success", "content": _content(route.answer, schemas)},
            "default": {"description": "What stood in the way", "content": _content(Envelope, schemas)},
        },
    }
    if text := inspect.getdoc(route.handler):
        operation["description"] = text
    if route.body is not None:
        operation["requestBody"] = {"content": _content(route.body, schemas)}
    return operation


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string"}}} if _is_media(kind) else {JSON: {"schema": schemas[str(kind)]}}


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 0} if name == "volume_number" else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(parameter: tuple[str, type]) -> dict[str, Any]:
    name, kind = parameter
    return {"name": name, "in": "query", "required": False, "schema": QUERY_SCHEMAS[kind]}
