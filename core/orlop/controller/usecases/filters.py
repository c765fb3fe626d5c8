"""Filters for placement: from what clients send to what is wanted, and a group's below a request's."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET

from orlop.codes import Fail
from orlop.controller import wire
from orlop.errors import Refused
from orlop.model import SelectFilter

# Member of AutoSelectFilter -> field of SelectFilter. `storage_pool` is the older spelling of a list of one.
FIELDS = {
    "place_count": "place_count",
    "additional_place_count": "additional_place_count",
    "node_name_list": "node_names",
    "storage_pool_list": "storage_pools",
    "storage_pool_diskless_list": "storage_pools_diskless",
    "not_place_with_rsc": "not_place_with_resources",
    "not_place_with_rsc_regex": "not_place_with_resources_regex",
    "replicas_on_same": "replicas_on_same",
    "replicas_on_different": "replicas_on_different",
    "x_replicas_on_different_map": "x_replicas_on_different",
    "layer_stack": "layers",
    "provider_list": "providers",
    "diskless_on_remaining": "diskless_on_remaining",
    "diskless_type": "diskless_type",
    "overprovision": "overprovision",
    "port_count": "port_count",
    "placement_policy": "placement_policy",
    "site_list": "sites",
    "most_per_site": "most_per_site",
    "least_per_site": "least_per_site",
    "preferred_node_list": "preferred_nodes",
}
UPPER = ("layers", "providers")
PER_SITE = ("most_per_site", "least_per_site")


def asked(body: wire.AutoSelectFilter | None) -> SelectFilter:
    """The filter of a request; what it leaves out is unset."""
    return SelectFilter() if body is None else changed(SelectFilter(), body)


def merged(request: SelectFilter, group: SelectFilter) -> SelectFilter:
    """Field by field: what the request sets, else what the group sets; lists are not joined."""
    values = {
        name: getattr(request, name) if getattr(request, name) not in (None, (), {}) else getattr(group, name)
        for name in SelectFilter.__struct_fields__
    }
    return SelectFilter(**values)


def changed(current: SelectFilter, body: wire.AutoSelectFilter | wire.AutoSelectFilterModify) -> SelectFilter:
    """`current` with what `body` sets. Raises `Refused` for what cannot be meant."""
    sent = {field: getattr(body, name) for name, field in FIELDS.items()}
    given = {field: value for field, value in sent.items() if value is not UNSET and value is not None}
    if body.storage_pool and not given.get("storage_pools"):
        given["storage_pools"] = (body.storage_pool,)
    if given.get("placement_policy") == "":
        given["placement_policy"] = None
    for field in PER_SITE:
        if given.get(field) == 0:
            given[field] = None  # as it was before anybody asked for it
    for field in UPPER:
        if field in given:
            given[field] = tuple(text.upper() for text in given[field])
    _check(given)
    after = msgspec.structs.replace(current, **given)
    if after.most_per_site and (after.least_per_site or 0) > after.most_per_site:
        raise Refused(
            f"A site cannot have {after.least_per_site} replicas at least and {after.most_per_site} at most.",
            code=Fail.INVLD_PLACE_COUNT,
        )
    return after


def _check(given: dict[str, Any]) -> None:
    for field in PER_SITE:
        if not 0 <= (given.get(field) or 0) <= 1000:
            raise Refused(f"{field} must be 0 to 1000, not {given[field]}.", code=Fail.INVLD_PLACE_COUNT)
    for field in ("place_count", "additional_place_count"):
        if not 0 <= given.get(field, 0) <= 1000:
            raise Refused(f"{field} must be 0 to 1000, not {given[field]}.", code=Fail.INVLD_PLACE_COUNT)
    try:
        re.compile(given.get("not_place_with_resources_regex", ""))
    except re.error as error:
        raise Refused(f"not_place_with_rsc_regex is no regular expression: {error}", code=Fail.INVLD_CONF) from None
    for name, count in given.get("x_replicas_on_different", {}).items():
        if count < 1:
            raise Refused(f"x_replicas_on_different_map: '{name}' must be 1 at least.", code=Fail.INVLD_PLACE_COUNT)
