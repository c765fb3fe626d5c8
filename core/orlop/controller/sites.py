"""Sites: nodes that are near each other, and what holds inside of one and between two. Pure.

A node is in the site that its property `Site` names, else in that of the controller's, else in none. What is set for a
site is kept with the controller's properties, under names that no user can set there by other roads.

It is more particular than what is set for the whole cluster, and less than everything else (`GLOBAL < Site < Node`,
`drbdmanage_policies.md` section 5). Between two nodes: resource connection, resource definition, node connection,
resource group, then the site or the pair of sites, then the controller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from orlop.codes import Fail
from orlop.controller.picture import Picture
from orlop.errors import BadName
from orlop.model import Node, key
from orlop.model.cluster import Properties

SITE = "Site"
INSIDE, BETWEEN = "Sites/", "SitePairs/"
CONNECTION = ("DrbdOptions/Net/", "DrbdOptions/PeerDevice/")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}")


def checked(name: str) -> str:
    """A name of a site; raises `BadName`."""
    if _NAME.fullmatch(name):
        return name
    raise BadName(
        f"{name!r} is not a valid site name",
        cause="It has 1 to 48 letters, digits, '_', '-' or '.', and begins with a letter or a digit.",
        correction="Choose another name.",
        code=Fail.INVLD_PROP,
    )


def site_of(picture: Picture, node: Node | None) -> str:
    """Empty where the node is in none."""
    own = node.props.get(SITE, "") if node else ""
    return own or picture.controller.props.get(SITE, "")


def nodes_of(picture: Picture) -> dict[str, list[Node]]:
    """By key of the site."""
    found: dict[str, list[Node]] = {}
    for _, node in sorted(picture.nodes.items()):
        if site := site_of(picture, node):
            found.setdefault(key(site), []).append(node)
    return found


def prefix(site: str, other: str = "") -> str:
    """Under which the properties of a site, or of a pair of sites in either order, are kept."""
    if not other:
        return f"{INSIDE}{key(site)}/"
    return f"{BETWEEN}{':'.join(sorted((key(site), key(other))))}/"


def kept(props: Properties, under: str) -> dict[str, str]:
    return {name.removeprefix(under): value for name, value in props.items() if name.startswith(under)}


def known(props: Properties, under: str) -> list[str]:
    """Sites or pairs for which anything is set, as they are kept."""
    found = (name.removeprefix(under).partition("/")[0] for name in props if name.startswith(under))
    return sorted(set(found))


def around(picture: Picture, node_name: str) -> Properties:
    """What the controller and the site of a node have to say; what concerns connections is decided by both ends."""
    props = picture.controller.props
    if not _any(props):
        return props
    site = site_of(picture, picture.node(node_name))
    return _over(props, (n for n in kept(props, prefix(site)).items() if not n[0].startswith(CONNECTION)))


def between(picture: Picture, one: str, other: str) -> Properties:
    """What the controller has to say of a connection, and the site of both ends, or the pair of their sites."""
    props = picture.controller.props
    if not _any(props):
        return props
    here, there = (site_of(picture, picture.node(node)) for node in (one, other))
    if not (here and there):
        return props
    return _over(props, kept(props, prefix(here) if key(here) == key(there) else prefix(here, there)).items())


def _any(props: Properties) -> bool:
    return any(name.startswith((INSIDE, BETWEEN)) for name in props)


def _over(props: Properties, more: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    return {**props, **dict(more)}
