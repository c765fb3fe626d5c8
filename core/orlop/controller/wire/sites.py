"""Sites and pairs of sites."""

from __future__ import annotations

from orlop.controller.wire.base import Body, Properties, PropertiesModify


class Site(Body, frozen=True, kw_only=True):
    """Sizes in KiB, of all pools of its nodes that are known; thin pools count what they have."""

    name: str
    node_names: tuple[str, ...] = ()
    props: Properties = {}
    free_kib: int = 0
    total_kib: int = 0


class SiteConnection(Body, frozen=True, kw_only=True):
    site_a: str
    site_b: str
    props: Properties = {}


class SiteModify(PropertiesModify, frozen=True, kw_only=True):
    """`add_nodes` come into the site, from wherever they were; `remove_nodes` are in none afterwards."""

    add_nodes: tuple[str, ...] = ()
    remove_nodes: tuple[str, ...] = ()


class SiteConnectionModify(PropertiesModify, frozen=True, kw_only=True):
    pass
