"""Which value of a property counts for a resource, and what it hides."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from orlop import model
from orlop.controller import wire
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.model import key

OWN = (Kind.RESOURCE, Kind.RESOURCE_DEFINITION, Kind.RESOURCE_GROUP)


class Surroundings(NamedTuple):
    """The objects besides its definition that decide properties of a resource."""

    group: model.ResourceGroup | None
    node: model.Node | None
    controller: model.Controller


def surroundings(picture: Picture, definition: model.ResourceDefinition, resource: model.Resource) -> Surroundings:
    return Surroundings(
        picture.groups.get(key(definition.group)), picture.nodes.get(key(resource.node)), picture.controller
    )


def properties(
    definition: model.ResourceDefinition, resource: model.Resource, around: Surroundings
) -> dict[str, wire.EffectiveProperty]:
    """Only keys that the resource, its definition or its group sets: what is set on the node or the controller
    alone is the same for every resource there, and would make up most of a long list.
    """
    group, node = around.group, around.node
    sources = {
        Kind.RESOURCE: Source(definition.name, resource.props),
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(group.name, group.props) if group else Source("", {}),
        Kind.NODE: Source(node.name, node.props) if node else Source("", {}),
        Kind.CONTROLLER: Source("", around.controller.props),
    }
    found = {}
    for name in sorted({name for kind in OWN for name in sources[kind].props}):
        present = tuple((kind, source.props[name]) for kind, source in sources.items() if name in source.props)
        said = [_said(kind, sources[kind], name) for kind in _order(name, present)]
        if said:
            first = said[0]
            found[name] = wire.EffectiveProperty(
                type=first.type, value=first.value, descr=first.descr, other=tuple(said[1:])
            )
    return found


@lru_cache(maxsize=20_000)
def _order(name: str, present: tuple[tuple[Kind, str], ...]) -> tuple[Kind, ...]:
    """Kinds of object by whose value counts first. The same few values occur on thousands of resources."""
    found = effective(name, {kind: Source("", {name: value}) for kind, value in present})
    return (found.origin_kind, *(hidden.origin_kind for hidden in found.shadowed)) if found else ()


def _said(kind: Kind, source: Source, name: str) -> wire.PropertyWithDescription:
    of = f" ({source.name})" if source.name else ""
    return wire.PropertyWithDescription(type=kind.value, value=source.props[name], descr=kind.words.capitalize() + of)
