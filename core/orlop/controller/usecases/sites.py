"""Sites: which nodes are in them, what is set for them, how much space they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import options, sites, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import Draft
from orlop.controller.properties import Kind
from orlop.controller.usecases import lookup
from orlop.controller.usecases.property_changes import changed
from orlop.drivers import Drivers
from orlop.errors import BadProperty, Refused
from orlop.model import KIB, Node, key

SECTIONS = tuple(f"DrbdOptions/{section}/" for section in ("Disk", "Handlers", "Net", "PeerDevice", "Resource"))
OWN = "Aux/"
Refusal = Callable[[Drivers, str], None]


def listed(core: Core) -> list[wire.Site]:
    """Sites that have a node or a property, by name."""
    picture = core.picture
    nodes = sites.nodes_of(picture)
    props = picture.controller.props
    found = []
    for name in sorted({*nodes, *sites.known(props, sites.INSIDE)}):
        of = nodes.get(name, [])
        spelt = next((sites.site_of(picture, node) for node in of), name)
        free, total = _space(core, of)
        found.append(
            wire.Site(
                name=spelt,
                node_names=tuple(node.name for node in of),
                props=sites.kept(props, sites.prefix(name)),
                free_kib=free // KIB,
                total_kib=total // KIB,
            )
        )
    return found


def connections(core: Core) -> list[wire.SiteConnection]:
    """Pairs of sites for which anything is set."""
    props = core.picture.controller.props
    pairs = [pair.split(":", 1) for pair in sites.known(props, sites.BETWEEN)]
    return [
        wire.SiteConnection(site_a=one, site_b=other, props=sites.kept(props, sites.prefix(one, other)))
        for one, other in pairs
    ]


def _space(core: Core, nodes: list[Node]) -> tuple[int, int]:
    free = total = 0
    for pool in core.picture.pools.values():
        if any(key(pool.node) == key(node.name) for node in nodes):
            seen = core.reported.pool(pool.node, pool.name)
            if seen is not None and seen.capacity is not None:
                free, total = free + seen.capacity.free, total + seen.capacity.total
    return free, total


def modify(core: Core, name: str, body: wire.SiteModify) -> Answers:
    """A site needs not be made: it is there as soon as a node is in it or something is set for it."""
    sites.checked(name)
    answers = Answers(codes.MODIFY, Subject.CTRL_CONF)
    answers.success(f"Site '{name}' is modified.", codes.MODIFIED)
    with core.change() as draft:
        _set(core.drivers, draft, answers, sites.prefix(name), body, _refuse_unfit)
        for node_name in body.add_nodes:
            node = lookup.node(draft, node_name)
            draft.put(replace(node, props={**node.props, sites.SITE: name}))
            answers.info(f"Node '{node.name}' is in site '{name}'.", Node=node.name)
        for node_name in body.remove_nodes:
            node = lookup.node(draft, node_name)
            if key(node.props.get(sites.SITE, "")) != key(name):
                raise Refused(
                    f"Node '{node.name}' is not in site '{name}' by a property of its own.", code=Fail.INVLD_PROP
                )
            left = {each: value for each, value in node.props.items() if each != sites.SITE}
            draft.put(replace(node, props=left))
            answers.info(f"Node '{node.name}' is taken out of site '{name}'.", Node=node.name)
    return answers


def modify_connection(core: Core, one: str, other: str, body: wire.SiteConnectionModify) -> Answers:
    """What holds for every connection between a node of the one site and a node of the other."""
    if key(sites.checked(one)) == key(sites.checked(other)):
        raise Refused(
            f"Site '{one}' has no connection to itself.",
            correction=f"Set it for the site: orlop site drbd-options {one} ...",
            code=Fail.INVLD_PROP,
        )
    answers = Answers(codes.MODIFY, Subject.CTRL_CONF)
    answers.success(f"The connection of sites '{one}' and '{other}' is modified.", codes.MODIFIED)
    with core.change() as draft:
        _set(core.drivers, draft, answers, sites.prefix(one, other), body, _refuse_no_connection)
    return answers


def _set(
    drivers: Drivers,
    draft: Draft,
    answers: Answers,
    prefix: str,
    body: wire.PropertiesModify,
    refuse: Refusal,
) -> None:
    for name in body.override_props:
        refuse(drivers, name)
    controller = draft.controller
    before = sites.kept(controller.props, prefix)
    after = changed(drivers, answers, Kind.CONTROLLER, before, body)
    others: Mapping[str, str] = {n: value for n, value in controller.props.items() if not n.startswith(prefix)}
    props = {**others, **{f"{prefix}{name}": value for name, value in after.items()}}
    if props != controller.props:
        draft.put(replace(controller, props=props))


def _refuse_unfit(drivers: Drivers, name: str) -> None:
    if not name.startswith((*SECTIONS, OWN)) and name not in options.heeded_by_any(drivers):
        raise BadProperty(
            f"Property {name!r} cannot be set for a site",
            correction="For a site count DRBD's options, those of storage drivers and layers, and keys below Aux/.",
        )


def _refuse_no_connection(drivers: Drivers, name: str) -> None:
    if not name.startswith((*sites.CONNECTION, OWN)):
        raise BadProperty(
            f"Property {name!r} cannot be set for a pair of sites",
            correction=f"Between sites count {' and '.join(f'{each}*' for each in sites.CONNECTION)}.",
        )
