"""What all bodies share."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Properties = Mapping[str, str]


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A JSON object."""


class PropertiesModify(Body, frozen=True, kw_only=True):
    """Applied in this order: override, then delete, then whole namespaces."""

    override_props: Properties = {}
    delete_props: tuple[str, ...] = ()
    delete_namespaces: tuple[str, ...] = ()


class EffectiveProperty(Body, frozen=True, kw_only=True):
    type: str
    value: str
    descr: str | None = None
    other: tuple[PropertyWithDescription, ...] = ()


class PropertyWithDescription(Body, frozen=True, kw_only=True):
    type: str
    value: str
    descr: str | None = None
