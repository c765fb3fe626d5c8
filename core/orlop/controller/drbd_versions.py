"""Which DRBD the nodes have, and what a resource on them may be like. Pure.

DRBD 8.4 knows two replicas, both with a disk; DRBD 9 knows up to 32, with or without, and counts votes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.diskless import is_diskless
from orlop.controller.picture import Picture
from orlop.controller.replication import LAYER
from orlop.errors import Refused
from orlop.model import Node, NodeInfo, Resource, ResourceDefinition

VERSION = "Satellite/Drbd/Version"  # of a node, as its satellite told it last
MOST_OF_8 = 2  # replicas of a resource
TIEBREAKERS = (9, 0, 19)  # since when a node without a disk breaks ties
FORM = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}")


def noticed(node: Node, info: NodeInfo | None) -> Node:
    """The node as it is to be kept after it told about itself; the same object when that is nothing new."""
    told = next((s.version for s in info.layers if s.name == LAYER and s.usable), "") if info else ""
    if node.props.get(VERSION) == told or not FORM.fullmatch(told):
        return node
    return replace(node, props={**node.props, VERSION: told})


def version(picture: Picture, node: str) -> tuple[int, ...]:
    """Empty while the node has not told."""
    found = picture.node(node)
    text = found.props.get(VERSION, "") if found else ""
    return tuple(int(part) for part in text.split(".")) if FORM.fullmatch(text) else ()


def all_at_least(picture: Picture, nodes: Iterable[str], least: tuple[int, ...] = (9,)) -> bool:
    """Whether every one is known to have that version or a later one; what is not known is not."""
    return all(version(picture, node) >= least for node in nodes)


def refuse_impossible(picture: Picture, definition: ResourceDefinition) -> None:
    """Raises for replicas that the DRBD of their nodes cannot have, alone or together."""
    replicas = [r for r in definition.resources if r.node_id is not None]
    nodes = sorted(r.node for r in replicas)
    if all_at_least(picture, nodes):
        return
    modern = [node for node in nodes if all_at_least(picture, [node])]
    if modern:
        raise Refused(
            f"'{definition.name}' cannot have replicas on {' and '.join(_with_versions(picture, nodes))}: DRBD 9 and "
            "older ones do not work together in one resource.",
            correction="Choose nodes that have DRBD 9, all of them; 'orlop node info' shows what each one has.",
            code=Fail.STLT_DOES_NOT_SUPPORT_LAYER,
        )
    _refuse_of_8(picture, definition, replicas)


def is_full_of_8(picture: Picture, nodes: Iterable[str], another: str) -> bool:
    """Whether these nodes have all the replicas that the DRBD of all of them, and of another node, knows."""
    nodes = list(nodes)
    return len(nodes) >= MOST_OF_8 and all(() < version(picture, node) < (9,) for node in (*nodes, another))


def _refuse_of_8(picture: Picture, definition: ResourceDefinition, replicas: list[Resource]) -> None:
    nodes = sorted(r.node for r in replicas)
    for resource in replicas:
        if is_diskless(resource):
            refuse_diskless(picture, definition, resource.node)
    if len(nodes) > MOST_OF_8:
        raise Refused(
            f"'{definition.name}' cannot have {len(nodes)} replicas: DRBD 8.4 knows two.",
            details=f"They would be on {', '.join(_with_versions(picture, nodes))}.",
            correction="Delete a replica first; it counts until every node has let go of it. With DRBD 9 on all of "
            "these nodes there can be more.",
            code=Fail.STLT_DOES_NOT_SUPPORT_LAYER,
        )


def refuse_diskless(picture: Picture, definition: ResourceDefinition, node: str) -> None:
    """Raises unless a replica on the node may be without a disk."""
    has = version(picture, node)
    if has >= (9,):
        return
    why = f"DRBD {'.'.join(map(str, has[:2]))} has no" if has else "it has not told that its DRBD has"
    raise Refused(
        f"'{definition.name}' cannot be diskless on node '{node}': {why} diskless clients.",
        correction="Create it with a storage pool, or use nodes with DRBD 9.",
        code=Fail.STLT_DOES_NOT_SUPPORT_LAYER,
    )


def _with_versions(picture: Picture, nodes: Iterable[str]) -> list[str]:
    told = [(node, ".".join(map(str, version(picture, node)))) for node in nodes]
    return [f"{node} (DRBD {version})" if version else f"{node} (DRBD unknown)" for node, version in told]
