"""Why replicas go where they go: Orlop's own part of the API."""

from __future__ import annotations

from orlop.controller.wire.base import Body
from orlop.controller.wire.groups import AutoSelectFilter


class ExplainPlacement(Body, frozen=True, kw_only=True):
    """What is to be explained; the filter is merged with that of the resource group.

    `volume_sizes` (KiB) are those of a resource that would be spawned from a group.
    """

    select_filter: AutoSelectFilter | None = None
    volume_sizes: tuple[int, ...] = ()


class ExplainedPool(Body, frozen=True, kw_only=True):
    """`reasons` speak against the pool, `note` says why it was not chosen although nothing does.

    `score` is the sum of `points`; `rank` counts from 1, and only the best pool of each node has one.
    """

    storage_pool_name: str
    provider_kind: str
    free_kib: int
    promised_kib: int
    chosen: bool = False
    rank: int | None = None
    score: float | None = None
    points: dict[str, float] = {}
    reasons: tuple[str, ...] = ()
    note: str | None = None


class ExplainedNode(Body, frozen=True, kw_only=True):
    """`reasons` speak against the node with all its pools; `replica`: it has one already."""

    node_name: str
    replica: bool = False
    reasons: tuple[str, ...] = ()
    pools: tuple[ExplainedPool, ...] = ()


class PlacementChange(Body, frozen=True, kw_only=True):
    """One way to make it succeed; all steps are needed. `request`: it is enough to ask for something else."""

    steps: tuple[str, ...]
    request: bool = False


class PlacementExplanation(Body, frozen=True, kw_only=True):
    """What a placement would do now. `complete`: every possible choice was considered."""

    possible: bool
    summary: str
    wanted: int
    size_kib: int  # that each replica takes from its pool
    policy: str
    layer_stack: tuple[str, ...]
    select_filter: AutoSelectFilter
    complete: bool
    changes: tuple[PlacementChange, ...] = ()
    nodes: tuple[ExplainedNode, ...] = ()


class FreeSpace(Body, frozen=True, kw_only=True):
    """`free_kib` is what the pools could take of one volume on each of `redundancy` nodes, `max_volume_size_kib` what
    the user of that volume would have of it; `available_kib` is what volumes of that redundancy could take altogether.
    """

    redundancy: int
    layer_stack: tuple[str, ...]
    max_volume_size_kib: int
    free_kib: int
    available_kib: int
    total_kib: int
    node_names: tuple[str, ...] = ()
