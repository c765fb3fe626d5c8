"""The tree of layers of a resource, and what each layer says about a volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from orlop import model
from orlop.controller import wire
from orlop.controller.api.views import drbd
from orlop.controller.api.views.states import disk_state
from orlop.controller.diskless import LAYER
from orlop.model import KIB, Presence, ReportedLevel, ReportedVolume

DATA, METADATA = "", ".meta"  # suffixes of the path that holds the data, and of the one that holds metadata


class Seen(NamedTuple):
    """One volume at one level: wanted, its size in bytes there, and what was reported of the volume and the level."""

    volume: model.Volume
    size: int
    report: ReportedVolume | None
    level: ReportedLevel | None
    below: ReportedLevel | None
    state: str | None
    minor: int | None = None

    @property
    def metadata(self) -> Seen | None:
        """The topmost level of what its metadata is kept on."""
        found = metadata(self.volume, self.report)
        return found[0][1] if found else None

    @property
    def facts(self) -> Mapping[str, str]:
        """What the replicating layer said."""
        return drbd.facts(self.report)

    @property
    def device(self) -> str | None:
        return self.level.device if self.level else None

    @property
    def backing(self) -> str | None:
        return self.below.device if self.below else None

    @property
    def allocated(self) -> int | None:
        return self.report.allocated // KIB if self.report and self.report.allocated is not None else None

    @property
    def is_open(self) -> bool:
        return self.level is not None and self.level.presence is Presence.READY


def _storage(seen: Seen) -> wire.StorageVolume:
    return wire.StorageVolume(
        volume_number=seen.volume.number,
        device_path=seen.device,
        allocated_size_kib=seen.allocated,
        usable_size_kib=seen.size // KIB,
        disk_state=seen.state,
    )


def _luks(seen: Seen) -> wire.LUKSVolume:
    return wire.LUKSVolume(
        volume_number=seen.volume.number,
        device_path=seen.device,
        allocated_size_kib=seen.allocated,
        usable_size_kib=seen.size // KIB,
        disk_state=seen.state,
        backing_device=seen.backing,
        opened=seen.is_open,
    )


def _nvme(seen: Seen) -> wire.NVMEVolume:
    return wire.NVMEVolume(
        volume_number=seen.volume.number,
        device_path=seen.device,
        backing_device=seen.device if seen.volume.levels[-1].layer == "STORAGE" else None,
        allocated_size_kib=seen.allocated,
        usable_size_kib=seen.size // KIB,
        disk_state=seen.state,
    )


def _drbd(seen: Seen) -> wire.DrbdVolume:
    return wire.DrbdVolume(
        drbd_volume_definition=wire.DrbdVolumeDefinition(volume_number=seen.volume.number, minor_number=seen.minor),
        device_path=seen.device or f"/dev/drbd{seen.minor}",
        backing_device=seen.facts.get("backing"),
        meta_disk=seen.metadata.device if seen.metadata else "internal",
        ext_meta_stor_pool=seen.volume.metadata.pool if seen.volume.metadata else None,
        allocated_size_kib=seen.allocated,
        usable_size_kib=seen.size // KIB,
        disk_state=seen.state,
    )


Levels = list[tuple[str, Seen]]  # (layer, what is seen there), top first
VOLUME: dict[str, Callable[[Seen], object]] = {"STORAGE": _storage, "LUKS": _luks, "NVME": _nvme, "DRBD": _drbd}


def levels(volume: model.Volume, report: ReportedVolume | None, minor: int | None = None) -> Levels:
    state = disk_state(volume, report)
    seen = {level.layer: level for level in report.levels} if report else {}
    below = [seen.get(level.layer) for level in volume.levels[1:]] + [None]
    return [
        (
            level.layer,
            Seen(volume, level.size, report, _level(seen, level.layer, report, place == 0), under, state, minor),
        )
        for place, (level, under) in enumerate(zip(volume.levels, below, strict=True))
    ]


def metadata(volume: model.Volume, report: ReportedVolume | None) -> Levels:
    """What a volume's metadata is kept on, where that is apart; what it takes from its pool is what it is to have."""
    own = volume.metadata
    if own is None:
        return []
    seen = {level.layer: level for level in report.metadata} if report else {}
    below = [seen.get(level.layer) for level in own.levels[1:]] + [None]
    whole = replace(report, allocated=own.levels[-1].size if seen else None) if report else None
    return [
        (level.layer, Seen(volume, level.size, whole, seen.get(level.layer), under, None))
        for level, under in zip(own.levels, below, strict=True)
    ]


def _level(
    seen: Mapping[str, ReportedLevel], layer: str, report: ReportedVolume | None, top: bool
) -> ReportedLevel | None:
    """Satellites of older versions report the top device only."""
    if layer in seen or report is None or not top:
        return seen.get(layer)
    return ReportedLevel(layer=layer, presence=report.presence, device=report.device, size=report.size)


def volume_layers(found: Levels) -> tuple[wire.VolumeLayer, ...]:
    return tuple(
        wire.VolumeLayer(type=layer, data=VOLUME[layer](seen) if layer in VOLUME else None) for layer, seen in found
    )


def tree(
    definition: model.ResourceDefinition, resource: model.Resource, volumes: list[Levels]
) -> wire.ResourceLayer | None:
    """The root is the topmost layer; a layer the wire has no payload for bears only its name."""
    layers = resource.layers or definition.layers
    if resource.diskless and LAYER in layers:  # there is nothing in between
        layers = (LAYER, "STORAGE")
    below: tuple[wire.ResourceLayer, ...] = ()
    apart = [metadata(seen.volume, seen.report) for (_, seen), *_ in volumes if seen.volume.metadata is not None]
    for layer in reversed(layers):
        if layer == layers[0]:
            below += _path(layers[1:], apart)
        data = tuple(VOLUME[layer](seen) for v in volumes for at, seen in v if at == layer) if layer in VOLUME else ()
        found = _node(layer, DATA, data, below)
        if found.drbd is not None:
            found = replace(
                found,
                drbd=drbd.resource(definition, resource, volumes[0][0][1].report if volumes else None, found.drbd),
            )
        below = (found,)
    return below[0] if below else None


def _path(layers: tuple[str, ...], apart: list[Levels]) -> tuple[wire.ResourceLayer, ...]:
    """Of the metadata of those volumes that have it apart."""
    below: tuple[wire.ResourceLayer, ...] = ()
    for layer in reversed(layers) if apart else ():
        data = tuple(VOLUME[layer](seen) for v in apart for at, seen in v if at == layer) if layer in VOLUME else ()
        below = (_node(layer, METADATA, data, below),)
    return below


def _node(
    layer: str, suffix: str, data: tuple[object, ...], children: tuple[wire.ResourceLayer, ...]
) -> wire.ResourceLayer:
    node = {"type": layer, "resource_name_suffix": suffix, "children": children}
    match layer:
        case "STORAGE":
            return wire.ResourceLayer(**node, storage=wire.StorageResource(storage_volumes=data))  # type: ignore[arg-type]
        case "LUKS":
            return wire.ResourceLayer(**node, luks=wire.LUKSResource(luks_volumes=data))  # type: ignore[arg-type]
        case "NVME":
            return wire.ResourceLayer(**node, nvme=wire.NVMEResource(nvme_volumes=data))  # type: ignore[arg-type]
        case "DRBD":
            return wire.ResourceLayer(**node, drbd=wire.DrbdResource(drbd_volumes=data))  # type: ignore[arg-type]
        case _:
            return wire.ResourceLayer(**node)  # type: ignore[arg-type]
