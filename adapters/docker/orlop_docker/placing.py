"""How many copies a new volume gets, of which layers, and where: decided from values."""

from __future__ import annotations

from collections.abc import Iterable

from orlop.client import SelectFilter
from orlop.client.values import Node, ResourceGroup
from orlop.errors import Refused
from orlop.model import key
from orlop_docker.options import DEFAULT_REPLICAS, VolumeOptions

DRBD, LUKS, STORAGE = "DRBD", "LUKS", "STORAGE"
DEFAULT_GROUP = "DfltRscGrp"


def stack(options: VolumeOptions, group: ResourceGroup, nodes: Iterable[Node]) -> tuple[str, ...]:
    """Top first: what is asked for, else what the group says, else DRBD where a node has it, as the controller does."""
    usual = (DRBD, STORAGE) if any(DRBD in node.resource_layers for node in nodes) else (STORAGE,)
    layers = options.layers or tuple(layer.upper() for layer in group.select_filter.layer_stack or ()) or usual
    if options.encrypted and LUKS not in layers:
        layers = (*layers[:-1], LUKS, layers[-1])
    return layers


def require_known(options: VolumeOptions, nodes: Iterable[Node]) -> None:
    """Raises `Refused` for nodes that there are not."""
    known = {key(node.name): node.name for node in nodes}
    unknown = [name for name in options.nodes if key(name) not in known]
    if unknown:
        raise Refused(
            f"there is no node {' and no node '.join(unknown)}",
            correction=f"There are {', '.join(sorted(known.values())) or 'none'}.",
        )


def select(
    options: VolumeOptions, group: ResourceGroup, layers: tuple[str, ...], here: str | None = None
) -> SelectFilter:
    """One copy `here` rather than elsewhere: it is where it will be used first, and where it may be used at all.

    Raises `Refused` where several copies would not be copies of each other.
    """
    preferred = [] if here is None or group.select_filter.preferred_node_list else [here]
    count = _count(options, group, DRBD in layers)
    if count > 1 and DRBD not in layers:
        raise Refused(
            f"{count} copies were asked for, but the layers {', '.join(layers).lower()} do not replicate: what is "
            "written to one copy would be missing in the others",
            correction="Ask for replicas=1 or one node, or use a cluster with DRBD (layers=drbd,storage).",
        )
    return SelectFilter(
        place_count=count,
        node_name_list=list(options.nodes) or None,
        storage_pool_list=[options.storage_pool] if options.storage_pool else None,
        layer_stack=list(layers),
        preferred_node_list=preferred or None,
    )


def _count(options: VolumeOptions, group: ResourceGroup, replicates: bool) -> int:
    """Named nodes get a copy each, whatever `replicas` says."""
    if options.nodes:
        return len(options.nodes)
    wanted = options.replicas or (group.select_filter.place_count if options.group else None)
    return wanted or (DEFAULT_REPLICAS if replicates else 1)
