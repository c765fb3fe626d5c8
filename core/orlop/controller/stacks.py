"""Layer stacks and the sizes of their levels. Pure; the layers' own rules come from their drivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from orlop.codes import Fail
from orlop.controller import options
from orlop.controller.picture import Picture
from orlop.controller.reported import Reported
from orlop.drivers import LAYER, STORAGE, Drivers
from orlop.errors import Refused
from orlop.model import KIB, Level, ReportedPool, ResourceDefinition, StoragePool, VolumeDefinition, key
from orlop.model.cluster import Properties

DEFAULT = ("DRBD", "STORAGE")
GRANULARITY = "StorDriver/internal/AllocationGranularity"
SMALLEST = 4 * KIB


def default_stack(drivers: Drivers, reported: Reported) -> tuple[str, ...]:
    """What a definition gets when nobody names a stack: the usual layers, as far as any node can use them."""
    installed = {name.upper() for name in drivers.names(LAYER)}
    informed = [node.info for node in reported.nodes.values() if node.info is not None]
    usable = {support.name for info in informed for support in info.layers if support.usable} | {DEFAULT[-1]}
    return tuple(layer for layer in DEFAULT if layer in installed & usable)


def checked_stack(drivers: Drivers, layers: Iterable[str]) -> tuple[str, ...]:
    """`layers`, top first, in canonical spelling and with STORAGE at the bottom; raises `Refused`."""
    stack = [layer.upper() for layer in layers]
    if not stack or stack[-1] != "STORAGE":
        stack.append("STORAGE")
    installed = {name.upper() for name in drivers.names(LAYER)}
    for layer in stack:
        if layer not in installed:
            raise Refused(
                f"There is no layer '{layer}'",
                cause=drivers.broken.get(f"{LAYER} {layer.lower()}", ""),
                details=f"Installed layers: {', '.join(sorted(installed))}.",
                correction="Use installed layers, or install the distribution that brings this one.",
                code=Fail.INVLD_LAYER_KIND,
            )
    for above, below in zip(stack, stack[1:], strict=False):
        if below not in drivers.load(LAYER, above).above:
            raise Refused(
                f"Layer {above} cannot stand on {below}",
                correction="The order is DRBD, NVME, LUKS, STORAGE from top to bottom; leave out what you do not need.",
                code=Fail.INVLD_LAYER_STACK,
            )
    if len(set(stack)) != len(stack):
        raise Refused("A layer stack names each layer once", code=Fail.INVLD_LAYER_STACK)
    return tuple(stack)


def replicates(drivers: Drivers, layers: Iterable[str]) -> bool:
    """Whether the replicas of a volume hold the same data."""
    return any(drivers.load(LAYER, layer).replicates for layer in layers)


def levels(
    drivers: Drivers, layers: tuple[str, ...], size: int, granularity: int, props: Mapping[str, str]
) -> tuple[Level, ...]:
    """Sizes from the top: what each level must offer so that the user gets `size` bytes."""
    found = []
    for layer in layers[:-1]:
        found.append(Level(layer=layer, size=size))
        size = drivers.load(LAYER, layer).size_below(size, props)
    return aligned((*found, Level(layer=layers[-1], size=size)), granularity)


def aligned(of: tuple[Level, ...], granularity: int) -> tuple[Level, ...]:
    """With the storage level a multiple of what is handed out at once."""
    lowest = of[-1]
    return (*of[:-1], Level(layer=lowest.layer, size=-(-lowest.size // granularity) * granularity))


def granularity(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, number: int, pools: Iterable[tuple[str, str]]
) -> int:
    """The coarsest of some pools (node, pool), so that replicas of a volume on different backends are equally large."""
    found = [SMALLEST]
    for node, name in pools:
        pool = picture.pool(node, name)
        if pool is not None:
            heeded = options.of_volume(drivers, picture, definition, node, name, number)
            found += [drivers.load(STORAGE, pool.provider).granularity({**pool.props, **heeded}), noted(pool.props)]
    return max(found)


def noted(props: Properties) -> int:
    """Bytes: the extent a pool was last seen to have, or the one that replicas of a volume were aligned to."""
    text = props.get(GRANULARITY, "")
    return int(text) * KIB if text.isdecimal() else 0


def with_noted(props: Properties, granularity: int) -> Properties:
    """As the common API shows it: in KiB, never set by users."""
    return {**props, GRANULARITY: str(-(-granularity // KIB))}


def noticed(pool: StoragePool, seen: ReportedPool) -> StoragePool:
    """The pool as it is to be kept after a report about it; the same object when that says nothing new."""
    if pool.new and seen.marked:
        pool = msgspec.structs.replace(pool, new=False)
    if seen.extent > SMALLEST and seen.extent != noted(pool.props):
        pool = msgspec.structs.replace(pool, props=with_noted(pool.props, seen.extent))
    elif 0 < seen.extent <= SMALLEST and GRANULARITY in pool.props:
        pool = msgspec.structs.replace(pool, props=without_noted(pool.props))
    return pool


def without_noted(props: Properties) -> Properties:
    return {name: value for name, value in props.items() if name != GRANULARITY}


def existing_levels(
    definition: ResourceDefinition, number: int, layers: tuple[str, ...], apart: bool = False
) -> tuple[Level, ...] | None:
    """The sizes replicas of a volume already have that keep their metadata in the same way, `apart` or not; sizes of
    existing volumes are never computed again.

    One on its way out does not count: it does not grow with the others.
    """
    for resource in definition.resources:
        for volume in resource.volumes:
            if resource.deleting or "DELETE" in volume.flags or (volume.metadata is not None) != apart:
                continue
            if volume.number == number and tuple(level.layer for level in volume.levels) == layers:
                return volume.levels
    return None


def levels_beside(
    drivers: Drivers,
    definition: ResourceDefinition,
    number: int,
    layers: tuple[str, ...],
    props: Mapping[str, str],
    apart: bool,
) -> tuple[Level, ...] | None:
    """The sizes of a new replica of a volume that has some already; None where it has none.

    Next to some that keep their metadata in the other way, it offers all that those do, which may be more than was
    asked for: storage is handed out in units.
    """
    found = existing_levels(definition, number, layers, apart)
    other = None if found is not None else existing_levels(definition, number, layers, not apart)
    if other is None or apart:
        return found or other
    return (other[0], *levels(drivers, layers, other[-1].size, SMALLEST, props)[1:])


def levels_of_new(
    drivers: Drivers,
    definition: ResourceDefinition,
    of: VolumeDefinition,
    layers: tuple[str, ...],
    props: Mapping[str, str],
    apart: bool,
) -> tuple[Level, ...]:
    """The sizes of a new replica of a volume, not yet rounded up to what its pool hands out at once."""
    there = levels_beside(drivers, definition, of.number, layers, props, apart)
    return there or levels(drivers, layers, of.size, SMALLEST, props)


def refuse_backing_name(drivers: Drivers, picture: Picture, name: str, node: str, pool: str) -> None:
    """Raises where the pool's technology reserves the name that the volume's object would get."""
    found = picture.pool(node, pool)
    if found is None:
        return
    why = drivers.load(STORAGE, found.provider).refuse_name(name)
    if why:
        raise Refused(f"'{name}' cannot be made in pool '{pool}' on {node}: {why}", code=Fail.INVLD_RSC_NAME)


def volume_definition_of(definition: ResourceDefinition, number: int) -> VolumeDefinition | None:
    return next((v for v in definition.volume_definitions if v.number == number), None)


def same_node(one: str, other: str) -> bool:
    return key(one) == key(other)
