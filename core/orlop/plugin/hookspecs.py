"""Every hook. A hook asks all plugins about an event; to pick one by name, use a driver.

A hook is called once per event and plugin. `veto` hooks stop the work with a reason; all others only watch,
and an error they raise is logged, never fatal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from orlop.model import StoragePool
from orlop.plugin.steps import Step

PROJECT = "orlop"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def orlop_preselect_placement(size: int, pools: Sequence[StoragePool]) -> Sequence[StoragePool] | None:
    """Say which of the pools may take replicas of `size` bytes at all, or return None for all of them.

    Called once per placement, with the pools that no rule excludes. What several plugins leave is what counts.
    """


@hookspec
def orlop_veto_placement(size: int, pool: StoragePool) -> str | None:
    """Say why `pool` must not take a replica of `size` bytes, or return None. Called in the controller."""


@hookspec
def orlop_weigh_placement(size: int, pool: StoragePool) -> float | None:
    """Points to add to (or, negative, take from) a candidate; most free space counts 0 to 1."""


@hookspec
def orlop_step_started(resource: str, step: Step) -> None:
    """A satellite is about to execute a step."""


@hookspec
def orlop_step_done(resource: str, step: Step, error: Exception | None) -> None:
    """A satellite executed a step, or failed to."""


@hookspec
def orlop_resource_ready(resource: str, node: str) -> None:
    """The controller saw a new resource become ready on a node."""


@hookspec
def orlop_resource_split_brain(resource: str, nodes: tuple[str, str]) -> None:
    """The controller saw that DRBD gave up the connection of two nodes, as far as is known because both have writes
    that the other lacks. Called once, and again after a restart of the controller while it lasts.
    """


@hookspec
def orlop_node_facts(name: str) -> Mapping[str, str] | None:
    """Facts about the node a satellite runs on, shown as `Satellite/<key>` in `orlop node info`."""


@hookspec
def orlop_routes(application: Any) -> None:
    """Add REST routes to the controller's Flask application, below `/v1/orlop/`."""


@hookspec
def orlop_commands(group: Any) -> None:
    """Add commands to the `orlop` command line (a click group)."""
