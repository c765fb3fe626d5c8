"""Routes of sites and of what is between them; all below /v1/orlop/."""

from __future__ import annotations

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import PAGED, Routes
from orlop.controller.usecases import sites

route = Routes("sites", Subject.CTRL_CONF)


@route("GET", "/v1/orlop/sites", answer=tuple[wire.Site, ...], query=PAGED)
def listed(call: Call) -> list[wire.Site]:
    """Sites with their nodes, what is set for them, and the space they have."""
    return call.query.page(sites.listed(call.core))


@route("PUT", "/v1/orlop/sites/{site}", body=wire.SiteModify)
def modify(call: Call, site: str) -> Answers:
    """Move nodes into a site or out of it; set what holds on its nodes and for connections inside of it."""
    return sites.modify(call.core, site, call.body)


@route("GET", "/v1/orlop/site-connections", answer=tuple[wire.SiteConnection, ...], query=PAGED)
def connections(call: Call) -> list[wire.SiteConnection]:
    return call.query.page(sites.connections(call.core))


@route("PUT", "/v1/orlop/site-connections/{site_a}/{site_b}", body=wire.SiteConnectionModify)
def modify_connection(call: Call, site_a: str, site_b: str) -> Answers:
    """Set DRBD options for all connections between nodes of two sites, in either order."""
    return sites.modify_connection(call.core, site_a, site_b, call.body)
