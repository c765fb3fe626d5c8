"""Which value of a property counts for a resource, and what it hides."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from orlop import model
from orlop.controller import wire
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.model import key

SHORT = {kind: kind.value for kind in Kind}
WORDS = {kind: kind.words.capitalize() for kind in Kind}


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
    group, node, of = around.group, around.node, definition.name
    own = [(Kind.RESOURCE, of, resource.props), (Kind.RESOURCE_DEFINITION, of, definition.props)]
    if group:
        own.append((Kind.RESOURCE_GROUP, group.name, group.props))
    names = {name for _, _, props in own for name in props}
    if not names:
        return {}
    sources = {kind: Source(name, props) for kind, name, props in own}
    if node:
        sources[Kind.NODE] = Source(node.name, node.props)
    sources[Kind.CONTROLLER] = Source("", around.controller.props)
    found = {}
    for name in sorted(names):
        present = tuple([(kind, source.props[name]) for kind, source in sources.items() if name in source.props])
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
    return wire.PropertyWithDescription(type=SHORT[kind], value=source.props[name], descr=WORDS[kind] + of)
