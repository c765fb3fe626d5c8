"""Declarations of routes. What is declared here serves requests and makes the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller.answers import Entry

Handler = Callable[..., Any]
Envelope = tuple[Entry, ...]
PAGED: Mapping[str, type] = {"offset": int, "limit": int}
OPERATIONS = {"POST": codes.CREATE, "PUT": codes.MODIFY, "PATCH": codes.MODIFY, "DELETE": codes.DELETE}
READS = ("GET", "OPTIONS")

# Why a route cannot be planned.
AT_ONCE = "a node carries it out at once, by what it finds then"
HERE = "it concerns the controller itself, not what is wanted of the cluster"

# Path parameter -> the reference by which entries name such an object.
REFERENCES = {
    "node": "Node",
    "resource": "RscDfn",
    "volume_number": "VlmNr",
    "storagepool": "StorPool",
    "resource_group": "RscGrp",
    "snapshot": "Snapshot",
    "netinterface": "NetIf",
    "node_a": "FirstNode",
    "node_b": "SecondNode",
    "instance": "KVS",
}


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handler: Handler
    tag: str
    body: Any = None
    answer: Any = Envelope  # a type, or the media type of what is not JSON
    status: int = 200
    query: Mapping[str, type] = field(default_factory=dict)
    about: Subject = Subject.NONE
    absent: frozenset[Fail] = frozenset()  # what may be missing for a DELETE that then has nothing to do
    unplanned: str = ""  # why a dry run could not tell what it does; empty: it can
    waits: bool = False  # may wait for satellites, thus needs one of the limited places

    @property
    def parameters(self) -> list[str]:
        """Names in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def operation(self) -> int:
        return OPERATIONS.get(self.method, 0)

    def references(self, arguments: Mapping[str, object]) -> dict[str, str]:
        return {REFERENCES[name]: str(value) for name, value in arguments.items() if name in REFERENCES}


class Routes:
    """The routes of one kind of object: `@route("POST", "/v1/nodes", body=wire.Node, status=201)`."""

    def __init__(self, tag: str, about: Subject = Subject.NONE) -> None:
        self.tag = tag
        self.about = about
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def __call__(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        answer: Any = Envelope,
        status: int = 200,
        query: Mapping[str, type] | None = None,
        about: Subject | None = None,
        absent: frozenset[Fail] = frozenset(),
        waits: bool | None = None,
        unplanned: str = "",
    ) -> Callable[[Handler], Handler]:
        """`waits`: by default every command does. `unplanned`: for what has effects beyond the core and its picture."""

        def declare(handler: Handler) -> Handler:
            self._routes.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,
                    tag=self.tag,
                    body=body,
                    answer=answer,
                    status=status,
                    query=query or {},
                    about=self.about if about is None else about,
                    absent=absent,
                    unplanned=unplanned,
                    waits=method not in READS if waits is None else waits,
                )
            )
            return handler

        return declare
