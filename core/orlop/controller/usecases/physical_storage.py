"""Unused block devices of the nodes."""

from __future__ import annotations

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.usecases import lookup
from orlop.drivers import STORAGE
from orlop.errors import Refused, TransportError
from orlop.transport.messages import PhysicalDevice


def devices(core: Core, node_name: str) -> list[wire.PhysicalStorageNode]:
    """Of one node; refused while it is away."""
    node = lookup.node(core.picture, node_name)
    try:
        answered = core.physical_storage(node.name)
    except TransportError as error:
        raise Refused(
            f"Node '{node.name}' is not connected: its devices cannot be listed.",
            cause=error.message,
            correction=f"Start the satellite on '{node.name}'.",
            code=Fail.NOT_CONNECTED,
        ) from error
    return [
        wire.PhysicalStorageNode(
            size=d.size,
            rotational=d.rotational,
            device=d.device,
            model=d.model or None,
            serial=d.serial or None,
            wwn=d.wwn or None,
        )
        for d in sorted(answered, key=lambda d: d.device)
    ]


def alike(core: Core) -> list[wire.PhysicalStorage]:
    """Of all nodes that answer, devices of the same size and kind together."""
    found: dict[tuple[int, bool], dict[str, list[PhysicalDevice]]] = {}
    for name in sorted(core.picture.nodes):
        node = core.picture.nodes[name]
        if not core.reported.online(node.name):
            continue
        try:
            answered = core.physical_storage(node.name)
        except TransportError:  # it went away just now, as others that are not asked
            continue
        for device in answered:
            found.setdefault((device.size, device.rotational), {}).setdefault(node.name, []).append(device)
    return [
        wire.PhysicalStorage(
            size=size,
            rotational=rotational,
            nodes={node: tuple(map(_device, devices)) for node, devices in found[size, rotational].items()},
        )
        for size, rotational in sorted(found)
    ]


def create(core: Core, node_name: str, body: wire.PhysicalStorageCreate) -> Answers:
    """Always refused: no installed driver makes its backing from whole devices."""
    lookup.node(core.picture, node_name)
    driver = core.drivers.load(STORAGE, body.provider_kind)
    raise Refused(
        f"A pool of kind {driver.kind} needs no devices of its own.",
        correction="Create it with 'orlop storage-pool create' and the place it should use.",
        code=Fail.INVLD_PROVIDER,
    )


def _device(found: PhysicalDevice) -> wire.PhysicalStorageDevice:
    return wire.PhysicalStorageDevice(
        device=found.device, model=found.model or None, serial=found.serial or None, wwn=found.wwn or None
    )
