"""Resource groups and volume groups."""

from __future__ import annotations

from orlop import model
from orlop.controller import wire
from orlop.controller.usecases.filters import FIELDS


def group(wanted: model.ResourceGroup) -> wire.ResourceGroup:
    return wire.ResourceGroup(
        name=wanted.name,
        description=wanted.description or None,
        props=wanted.props,
        select_filter=select_filter(wanted.select_filter),
        uuid=wanted.uuid,
        peer_slots=wanted.peer_slots,
    )


def select_filter(wanted: model.SelectFilter) -> wire.AutoSelectFilter:
    """Older clients read `storage_pool`, newer ones the list."""
    members = {name: getattr(wanted, field) for name, field in FIELDS.items()}
    return wire.AutoSelectFilter(storage_pool=next(iter(wanted.storage_pools), None), **members)


def volume_group(wanted: model.VolumeGroup) -> wire.VolumeGroup:
    return wire.VolumeGroup(
        volume_number=wanted.number, props=wanted.props, uuid=wanted.uuid, flags=tuple(sorted(wanted.flags))
    )


def volume_groups(of: model.ResourceGroup) -> list[wire.VolumeGroup]:
    return [volume_group(v) for v in sorted(of.volume_groups, key=lambda v: v.number)]
