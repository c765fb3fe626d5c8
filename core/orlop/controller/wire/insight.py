"""What Orlop tells beyond the common API."""

from __future__ import annotations

from orlop.controller.wire.base import Body


class JoinCommand(Body, frozen=True, kw_only=True):
    """The command asks for the token; `expires_at` in milliseconds."""

    command: str
    token: str
    expires_at: int


class Orphan(Body, frozen=True, kw_only=True):
    """Size in KiB; `uuid` and `cluster` as the object bears them, absent where it bears none."""

    node_name: str
    storage_pool_name: str
    name: str
    uuid: str | None = None
    cluster: str | None = None
    size_kib: int | None = None
    purpose: str | None = None  # absent where nobody knows what it is there for


class Job(Body, frozen=True, kw_only=True):
    """`created` in milliseconds. `source` and `target` are the nodes of a replica that moves."""

    resource_name: str
    uuid: str
    kind: str
    state: str
    created: int
    source: str | None = None
    target: str | None = None
    problem: str | None = None


class Difference(Body, frozen=True, kw_only=True):
    """One volume or snapshot that is not as wanted; `wanted` and `found` are words for people."""

    node_name: str
    resource_name: str
    volume_number: int | None = None
    snapshot_name: str | None = None
    wanted: str
    found: str
    problem: str | None = None
