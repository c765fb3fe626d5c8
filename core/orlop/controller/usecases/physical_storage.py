"""Unused block devices of the nodes, and what pools stand on that is made of them."""

from __future__ import annotations

import os
from typing import Any

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import orders, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.usecases import lookup, pools
from orlop.drivers import STORAGE
from orlop.errors import Refused, TransportError
from orlop.model import NewBacking, Node, StoragePool, WantedPool
from orlop.plugin import DeviceStorage
from orlop.transport.messages import BackingOutcome, PhysicalDevice

BACKING = "StorDriver/StorPoolName"


def devices(core: Core, node_name: str) -> list[wire.PhysicalStorageNode]:
    """Of one node; refused while it is away."""
    node = lookup.node(core.picture, node_name)
    try:
        answered = _unused(core, node)
    except TransportError as error:
        raise _away(node, "its devices cannot be listed", error) from error
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


def _unused(core: Core, node: Node) -> tuple[PhysicalDevice, ...]:
    """Its devices without anything on them; raises `TransportError` while it is away."""
    return core.asked(node.name, lambda links: links.physical_storage(node.name), changes=False)


def alike(core: Core) -> list[wire.PhysicalStorage]:
    """Of all nodes that answer, devices of the same size and kind together."""
    found: dict[tuple[int, bool], dict[str, list[PhysicalDevice]]] = {}
    for name in sorted(core.picture.nodes):
        node = core.picture.nodes[name]
        if not core.reported.online(node.name):
            continue
        try:
            answered = _unused(core, node)
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


def _device(found: PhysicalDevice) -> wire.PhysicalStorageDevice:
    return wire.PhysicalStorageDevice(
        device=found.device, model=found.model or None, serial=found.serial or None, wwn=found.wwn or None
    )


# -- making ---------------------------------------------------------------------------------------------------


def create(core: Core, node_name: str, body: wire.PhysicalStorageCreate) -> Answers:
    """Makes the backing on the node, then the storage pool if one is asked for; a pool that fails is undone with it.

    The same request again finishes what was cut.
    """
    node = lookup.node(core.picture, node_name)
    driver = _driver(core, body.provider_kind)
    backing = _backing(driver, body)
    props = driver.backing_props(backing)
    wanted = _pool(body, props) if body.with_storage_pool else None
    if wanted is not None:
        pools.new(core, core.picture, node, wanted)  # what is wrong with it is told before anything is made
    answers = Answers(codes.CREATE, Subject.PHYSICAL_DEVICE, Node=node.name)
    _obeyed(node, f"'{props[BACKING]}' could not be made", _asked(core, node, backing))
    answers.success(f"'{props[BACKING]}' is made of {', '.join(backing.devices)} on node '{node.name}'.", codes.CREATED)
    if wanted is not None:
        _register(core, node, wanted, answers)
    return answers


def _driver(core: Core, kind: str) -> Any:
    driver = core.drivers.load(STORAGE, kind)
    if not isinstance(driver, DeviceStorage):
        raise Refused(
            f"A pool of kind {driver.kind} needs no devices of its own.",
            correction="Create it with 'orlop storage-pool create' and the place it should use.",
            code=Fail.INVLD_PROVIDER,
        )
    return driver


def _backing(driver: Any, body: wire.PhysicalStorageCreate) -> NewBacking:
    asked = {"VDO": body.vdo_enable, "the locking of self-encrypting devices": body.sed}
    for what, wanted in asked.items():
        if wanted:
            raise Refused(f"Not part of this version: {what}.", code=Fail.INVLD_REQUEST)
    found = [_path(text) for text in body.device_paths]
    if not found or len(set(found)) != len(found):
        raise Refused(
            "The request has to name one device or more, each of them once.",
            correction="See 'orlop physical-storage list'.",
            code=Fail.INVLD_REQUEST,
        )
    given = {
        "pvcreate": body.pv_create_arguments,
        "vgcreate": body.vg_create_arguments,
        "lvcreate": body.lv_create_arguments,
        "zpool": body.zpool_create_arguments,
    }
    return NewBacking(
        provider=driver.kind,
        name=body.pool_name or f"linstor_{os.path.basename(found[0])}",
        devices=tuple(found),
        raid_level=body.raid_level,
        arguments={program: words for program, words in given.items() if words},
    )


def _path(text: str) -> str:
    if not text.startswith("/dev/") or {"", ".", ".."} & set(text.split("/")[1:]) or not text.isprintable():
        raise Refused(
            f"{text!r} is not the path of a device.",
            correction="Name devices as 'orlop physical-storage list' shows them, for example /dev/sdb.",
            code=Fail.INVLD_REQUEST,
        )
    return text


def _pool(body: wire.PhysicalStorageCreate, props: Any) -> wire.StoragePool:
    asked = body.with_storage_pool
    assert asked is not None
    return wire.StoragePool(
        storage_pool_name=asked.name or "",
        provider_kind=body.provider_kind,
        props={**asked.props, **props},
        shared_space=asked.shared_space,
        external_locking=asked.external_locking,
    )


def _asked(core: Core, node: Node, backing: NewBacking) -> BackingOutcome:
    try:
        return core.asked(node.name, lambda links: links.make_backing(node.name, backing))
    except TransportError as error:
        raise _away(node, "nothing can be made there", error) from error


def _obeyed(node: Node, what: str, outcome: BackingOutcome) -> None:
    """Raises what the satellite said went wrong."""
    if outcome.problem:
        raise Refused(
            f"{what} on node '{node.name}': {outcome.problem}",
            cause=f"The step that failed: {outcome.step}" if outcome.step else "",
            details="Steps that were left:\n" + "\n".join(outcome.left) if outcome.left else "",
            correction="The same request again goes on where it ended." if outcome.step else "",
            code=_fail(outcome.code),
        )


def _fail(code: int) -> Fail:
    """A newer satellite may know codes that this controller does not."""
    return Fail(code) if code in Fail.__members__.values() else Fail.UNKNOWN_ERROR


def _away(node: Node, what: str, error: TransportError) -> Refused:
    away = "is not connected" in error.message or "cannot be reached" in error.message
    return Refused(
        f"Node '{node.name}' is not connected: {what}." if away else f"Node '{node.name}': {what}.",
        cause=error.message,
        correction=error.correction or f"Start the satellite on '{node.name}'.",
        code=Fail.NOT_CONNECTED,
    )


def _register(core: Core, node: Node, wanted: wire.StoragePool, answers: Answers) -> None:
    try:
        made = pools.create(core, node.name, wanted)
    except Refused as error:
        answers.refused(error)
        return
    answers.extend(made)
    pool = core.picture.pool(node.name, wanted.storage_pool_name)
    if made.failed and pool is not None:
        try:
            answers.extend(remove(core, node.name, pool.name))
        except Refused as error:
            answers.refused(error)


# -- removing -------------------------------------------------------------------------------------------------


def remove(core: Core, node_name: str, pool_name: str) -> Answers:
    """Unregister an empty pool, take its backing apart if it was made here, and wipe its devices.

    Nothing can be placed in it from the first moment; a pool whose backing could not be removed is registered again.
    """
    with core.change() as draft:
        pool = lookup.pool(draft, node_name, pool_name)
        node = lookup.node(draft, pool.node)
        _driver(core, pool.provider)
        pools.require_unused(draft, pool, "be taken apart")
        draft.remove(pool)
    answers = Answers(codes.DELETE, Subject.PHYSICAL_DEVICE, Node=pool.node, StorPool=pool.name)
    try:
        _wipe(core, node, orders.wanted_pool(pool))
    except Refused:
        _put_back(core, pool)
        raise
    answers.success(
        f"Storage pool '{pool.name}' on node '{pool.node}' is deleted, its backing "
        f"'{pool.props.get(BACKING, '')}' taken apart and its devices wiped.",
        codes.DELETED,
    )
    return answers


def remove_backing(core: Core, node_name: str, provider: str, backing: str) -> Answers:
    """The same for a backing that is no pool any more."""
    node = lookup.node(core.picture, node_name)
    driver = _driver(core, provider)
    props = driver.check_pool({BACKING: backing})
    for other in core.picture.pools.values():
        if other.node == node.name and other.props.get(BACKING) == props.get(BACKING):
            raise Refused(
                f"'{backing}' on node '{node.name}' is the place of storage pool '{other.name}'.",
                correction=f"orlop physical-storage delete-device-pool {node.name} {other.name}",
                code=Fail.IN_USE,
            )
    answers = Answers(codes.DELETE, Subject.PHYSICAL_DEVICE, Node=node.name)
    _wipe(core, node, WantedPool(name=backing, uuid="", provider=driver.kind, props=props))
    answers.success(f"'{backing}' on node '{node.name}' is taken apart and its devices wiped.", codes.DELETED)
    return answers


def _wipe(core: Core, node: Node, pool: WantedPool) -> None:
    try:
        outcome = core.asked(node.name, lambda links: links.remove_backing(node.name, pool))
    except TransportError as error:
        raise _away(node, "nothing can be taken apart there", error) from error
    _obeyed(node, f"'{pool.props.get(BACKING, pool.name)}' could not be taken apart", outcome)


def _put_back(core: Core, pool: StoragePool) -> None:
    with core.change() as draft:
        if draft.node(pool.node) is not None and draft.pool(pool.node, pool.name) is None:
            draft.put(replace(pool))
