"""Resources and their volumes."""

from __future__ import annotations

from typing import NamedTuple

from orlop import model
from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Entry
from orlop.controller.api.views import drbd, layers
from orlop.controller.api.views.effective import Surroundings, properties, surroundings
from orlop.controller.api.views.entries import problem
from orlop.controller.api.views.states import DISKLESS, in_use, not_seen
from orlop.controller.diskless import CLIENT
from orlop.controller.learnt import PORT_TAKEN
from orlop.controller.picture import Picture
from orlop.controller.progress import reported_volume
from orlop.model import KIB, ReportedResource, key

DISKLESS_POOL = "DfltDisklessStorPool"
NO_STORAGE = "DISKLESS"


class Replica(NamedTuple):
    """All that one resource's JSON is made from."""

    definition: model.ResourceDefinition
    resource: model.Resource
    report: ReportedResource | None
    pools: tuple[model.StoragePool | None, ...]  # of each volume
    around: Surroundings


def replica(
    picture: Picture, definition: model.ResourceDefinition, resource: model.Resource, report: ReportedResource | None
) -> Replica:
    at = key(resource.node)
    return Replica(
        definition,
        resource,
        report,
        tuple(picture.pools.get((at, key(v.pool))) for v in resource.volumes),
        surroundings(picture, definition, resource),
    )


def resource(of: Replica) -> wire.Resource:
    """Without volumes."""
    return wire.Resource(
        name=of.definition.name,
        node_name=of.resource.node,
        props=of.resource.props,
        flags=_flags(of.resource),
        layer_object=_tree(of, _levels(of)),
        state=_state(of),
        uuid=of.resource.uuid,
        create_timestamp=of.resource.created,
    )


def with_volumes(of: Replica) -> wire.ResourceWithVolumes:
    levels = _levels(of)
    shared = next((pool.shared_space for pool in of.pools if pool and pool.shared_space), None)
    return wire.ResourceWithVolumes(
        name=of.definition.name,
        node_name=of.resource.node,
        props=of.resource.props,
        effective_props=properties(of.definition, of.resource, of.around),
        flags=_flags(of.resource),
        layer_object=_tree(of, levels),
        state=_state(of),
        uuid=of.resource.uuid,
        create_timestamp=of.resource.created,
        volumes=tuple(_volumes(of, levels)),
        shared_name=shared,
    )


def _flags(resource: model.Resource) -> tuple[str, ...]:
    """Those that clients know; that one has no vote is told with the layer."""
    return tuple(sorted(resource.flags - {CLIENT}))


def volumes(of: Replica) -> list[wire.Volume]:
    return _volumes(of, _levels(of))


def _levels(of: Replica) -> list[layers.Levels]:
    """Of each volume."""
    minors = {v.number: v.minor for v in of.definition.volume_definitions}
    return [layers.levels(v, reported_volume(of.report, v.uuid), minors.get(v.number)) for v in of.resource.volumes]


def _volumes(of: Replica, levels: list[layers.Levels]) -> list[wire.Volume]:
    if not of.resource.volumes and of.resource.diskless:
        return [_diskless(v) for v in of.definition.volume_definitions]
    return [_volume(of, place, levels[place], pool) for place, pool in enumerate(of.pools)]


def _volume(of: Replica, place: int, levels: layers.Levels, pool: model.StoragePool | None) -> wire.Volume:
    top = levels[0][1]
    volume, seen = top.volume, top.report
    return wire.Volume(
        volume_number=volume.number,
        storage_pool_name=volume.pool,
        provider_kind=pool.provider if pool else NO_STORAGE if of.resource.diskless else "",
        device_path=top.device,
        allocated_size_kib=top.allocated,
        usable_size_kib=(seen.size if seen and seen.size is not None else top.size) // KIB,
        props=volume.props,
        flags=tuple(sorted(volume.flags)),
        state=_volume_state(of, top),
        layer_data_list=layers.volume_layers(levels),
        uuid=volume.uuid,
        reports=_reports(of, seen, place),
    )


def _volume_state(of: Replica, top: layers.Seen) -> wire.VolumeState | None:
    if not top.state:
        return None
    return wire.VolumeState(
        disk_state=top.state,
        replication_states=drbd.replication_states(of.definition, of.resource, top.report),
    )


def _diskless(volume: model.VolumeDefinition) -> wire.Volume:
    return wire.Volume(
        volume_number=volume.number,
        storage_pool_name=DISKLESS_POOL,
        provider_kind=NO_STORAGE,
        allocated_size_kib=0,
        usable_size_kib=volume.size // KIB,
        state=wire.VolumeState(disk_state=DISKLESS),
    )


def _reports(of: Replica, seen: model.ReportedVolume | None, place: int) -> tuple[Entry, ...]:
    """A volume's own problem; what is wrong with the resource as a whole is told at its first volume."""
    own = seen.problem if seen else ""
    whole = of.report.problem if of.report and place == 0 else ""
    hint = ""
    if seen and not_seen(seen):
        at = f"{of.resource.node} {of.resource.volumes[place].pool}"
        hint = f"See 'orlop storage-pool list'. If its pool is gone for good: orlop storage-pool lost {at}"
    found = [text for text in dict.fromkeys((own, whole)) if text]
    code = Fail.PORT_BLOCKED_DRBD_ADJUST if PORT_TAKEN in drbd.facts(seen) else Fail.UNKNOWN_ERROR
    return tuple(problem(text, code, Subject.VLM, hint) for text in found)


def _tree(of: Replica, levels: list[layers.Levels]) -> wire.ResourceLayer | None:
    return layers.tree(of.definition, of.resource, levels)


def _state(of: Replica) -> wire.ResourceState | None:
    use = in_use(of.report)
    return None if use is None else wire.ResourceState(in_use=use)
