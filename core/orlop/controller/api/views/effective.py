"""Which value of a property counts for a resource, and what it hides."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from orlop import model
from orlop.controller import wire
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.model import key

# The kinds of object that decide, told by their place here: to hash a member of an enum takes longer than the rest.
KINDS = (Kind.RESOURCE, Kind.RESOURCE_DEFINITION, Kind.RESOURCE_GROUP, Kind.NODE, Kind.CONTROLLER)
SHORT = tuple(kind.value for kind in KINDS)
WORDS = tuple(kind.words.capitalize() for kind in KINDS)
Present = tuple[tuple[int, str], ...]  # (place of the kind, value)


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
    sources = [(0, of, resource.props), (1, of, definition.props)]
    if group:
        sources.append((2, group.name, group.props))
    names = {name for _, _, props in sources for name in props}
    if not names:
        return {}
    if node:
        sources.append((3, node.name, node.props))
    sources.append((4, "", around.controller.props))
    owners = {place: owner for place, owner, _ in sources}
    found = {}
    for name in sorted(names):
        present = tuple([(place, props[name]) for place, _, props in sources if name in props])
        said = [_said(place, owners[place], value) for place, value in _order(name, present)]
        if said:
            first = said[0]
            found[name] = wire.EffectiveProperty(
                type=first.type, value=first.value, descr=first.descr, other=tuple(said[1:])
            )
    return found


@lru_cache(maxsize=20_000)
def _order(name: str, present: Present) -> Present:
    """Whose value counts first. The same few values occur on thousands of resources."""
    found = effective(name, {KINDS[place]: Source("", {name: value}) for place, value in present})
    if found is None:
        return ()
    return tuple((KINDS.index(one.origin_kind), one.value) for one in (found, *found.shadowed))


def _said(place: int, owner: str, value: str) -> wire.PropertyWithDescription:
    of = f" ({owner})" if owner else ""
    return wire.PropertyWithDescription(type=SHORT[place], value=value, descr=WORDS[place] + of)
