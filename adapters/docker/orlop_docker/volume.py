"""Volumes as the cluster keeps them: a resource definition with one volume, and what only Docker knows in `Aux/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from orlop.client.values import Resource, ResourceDefinition
from orlop.model import sizes
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop_docker import names, options
from orlop_docker.options import VolumeOptions

NAME = "Aux/Docker/Name"
DRIVER = "Aux/Docker/Driver"  # under whose name engines know it; two names for one volume confuse them
OPTIONS = "Aux/Docker/Options"
CREATED = "Aux/Docker/CreatedAt"  # there once the volume is complete
TYPE, MKFS = "FileSystem/Type", "FileSystem/MkfsParams"


class DockerVolume(Value, frozen=True, kw_only=True):
    """`created`: RFC 3339, empty while it is being made; then nobody but a repeated Create sees it."""

    name: str
    resource: str
    driver: str = "orlop"
    created: str = ""
    size: int = 0  # KiB
    file_system: str = ""
    options: VolumeOptions = VolumeOptions()

    @property
    def complete(self) -> bool:
        return bool(self.created)


def named(definition: ResourceDefinition) -> DockerVolume | None:
    """None for a resource that is no volume of Docker, such as a copy of one that was made with other tools."""
    name = definition.props.get(NAME, "")
    if not name or definition.name != names.resource_name(name) or "DELETE" in definition.flags:
        return None
    volumes = definition.volume_definitions
    return DockerVolume(
        name=name,
        resource=definition.name,
        driver=definition.props.get(DRIVER) or "orlop",
        created=definition.props.get(CREATED, ""),
        size=volumes[0].size_kib if volumes else 0,
        file_system=definition.props.get(TYPE, ""),
        options=options.volume_options(recorded(definition), {}),
    )


def recorded(definition: ResourceDefinition) -> dict[str, str]:
    """The options that it was made with, the defaults of that day included."""
    return decoded(definition.props.get(OPTIONS) or "{}", dict[str, str])


def marks(volume: str, driver: str, settings: VolumeOptions) -> dict[str, str]:
    """Properties by which a definition is that of a volume."""
    return {NAME: volume, DRIVER: driver, OPTIONS: written(settings)}


def properties(volume: str, driver: str, settings: VolumeOptions) -> dict[str, str]:
    """Of the definition of a new volume."""
    wanted = marks(volume, driver, settings) | {TYPE: settings.file_system}
    return wanted | ({MKFS: settings.mkfs_options} if settings.mkfs_options else {})


def written(settings: VolumeOptions) -> str:
    return msgspec.json.encode(dict(settings.settings)).decode()


def status(volume: DockerVolume, replicas: Iterable[Resource], snapshots: Iterable[str]) -> Mapping[str, Any]:
    """What `docker volume inspect` shows."""
    here = sorted(replicas, key=lambda each: each.node_name)
    copies = {each.node_name: _state(each) for each in here if not diskless(each)}
    bad = {node: state for node, state in copies.items() if state not in ("UpToDate", "Created")}
    return {
        "Resource": volume.resource,
        "Size": sizes.shown(volume.size),
        "FileSystem": volume.file_system,
        "Replicas": copies,
        "Diskless": [each.node_name for each in here if diskless(each)],
        "InUse": users(here),
        "State": "degraded" if bad or not copies else "ok",
        "Snapshots": sorted(snapshots),
    }


def users(replicas: Iterable[Resource]) -> list[str]:
    """Nodes on which the volume is in use."""
    return [each.node_name for each in replicas if each.state.in_use]


def diskless(resource: Resource) -> bool:
    return bool({"DISKLESS", "DRBD_DISKLESS", "NVME_INITIATOR", "TIE_BREAKER"} & set(resource.flags))


def _state(resource: Resource) -> str:
    return next((volume.state.disk_state or "Unknown" for volume in resource.volumes), "Unknown")
