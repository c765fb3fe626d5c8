"""Replicas that move: plans, and what is asked for. KiB and percent."""

from __future__ import annotations

from orlop.controller.wire.base import Body


class Move(Body, frozen=True, kw_only=True):
    """One replica's way: without `target` it only goes, without `source` it only comes; names of nodes."""

    resource_name: str
    kind: str
    source: str | None = None
    target: str | None = None
    storage_pool: str | None = None
    size_kib: int | None = None


class Staying(Body, frozen=True, kw_only=True):
    """What is left as it is, and why; without `node_name` it is no single replica that is meant."""

    resource_name: str
    node_name: str | None = None
    cause: str = ""
    correction: str = ""


class Spread(Body, frozen=True, kw_only=True):
    """How full the pools of one name and kind are, now and when all moves are done; percent of what they have."""

    storage_pool: str
    provider_kind: str
    pools: int
    emptiest: float
    mean: float
    fullest: float
    emptiest_then: float
    fullest_then: float


class MovePlan(Body, frozen=True, kw_only=True):
    """What would be done now; nothing of it is."""

    moves: tuple[Move, ...] = ()
    staying: tuple[Staying, ...] = ()
    spreads: tuple[Spread, ...] = ()
    size_kib: int = 0


class Maintenance(Body, frozen=True, kw_only=True):
    enabled: bool


class Rebalance(Body, frozen=True, kw_only=True):
    """`threshold` is how many percent of a pool it may differ from the mean; `concurrent` how many replicas are filled
    at the same time, all other moves included."""

    storage_pools: tuple[str, ...] = ()
    threshold: float | None = None
    concurrent: int | None = None


class Balance(Body, frozen=True, kw_only=True):
    """Without a group all of them."""

    resource_group: str = ""
