"""What drivers of storage and layers heed: the object that decides an option, and whether it could be obeyed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orlop.controller import sites
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.drivers import LAYER, STORAGE, Drivers
from orlop.errors import BadProperty, Refused, UnknownDriver
from orlop.model import ResourceDefinition, StoragePool, Volume, key

BOTTOM = "STORAGE"

# Objects that are asked for an option; a driver's own options may be set on each of them.
KINDS = frozenset(
    {
        Kind.CONTROLLER,
        Kind.NODE,
        Kind.STORAGE_POOL,
        Kind.RESOURCE_GROUP,
        Kind.VOLUME_GROUP,
        Kind.RESOURCE_DEFINITION,
        Kind.VOLUME_DEFINITION,
        Kind.RESOURCE,
        Kind.VOLUME,
    }
)


def of_volume(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, node: str, pool: str, number: int
) -> Mapping[str, str]:
    """Effective values of what the pool's driver heeds, for one replica of a volume or a snapshot of it."""
    found = picture.pool(node, pool)
    return _values(_heeded(drivers, STORAGE, found.provider), picture, definition, found, number) if found else {}


def of_level(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, node: str, volume: Volume, layer: str
) -> Mapping[str, str]:
    """Effective values of what one level of a replica's stack heeds."""
    if layer == BOTTOM:
        return of_volume(drivers, picture, definition, node, volume.pool, volume.number)
    found = picture.pool(node, volume.pool)
    return _values(_heeded(drivers, LAYER, layer), picture, definition, found, volume.number) if found else {}


def _values(
    wanted: frozenset[str], picture: Picture, definition: ResourceDefinition, pool: StoragePool, number: int
) -> Mapping[str, str]:
    if not wanted:
        return {}
    objects = _objects(picture, definition, pool, number)
    values = ((name, effective(name, objects)) for name in sorted(wanted))
    return {name: value.value for name, value in values if value is not None}


def refuse(drivers: Drivers, picture: Picture, definition: ResourceDefinition, node: str, volume: Volume) -> None:
    """Raises where the pool's driver or a layer could not obey what is in force for a volume that is to be made."""
    pool = picture.pool(node, volume.pool)
    for layer in (level.layer for level in volume.levels):
        in_force = of_level(drivers, picture, definition, node, volume, layer)
        if not in_force or pool is None:
            continue
        driver = drivers.load(STORAGE, pool.provider) if layer == BOTTOM else drivers.load(LAYER, layer)
        try:
            driver.check_options(in_force)
        except BadProperty as error:
            raise Refused(
                f"Volume {volume.number} of '{definition.name}' cannot be made in storage pool '{volume.pool}' on "
                f"node '{node}': {error.message}",
                cause=error.cause,
                details="In force there: " + ", ".join(f"{name}={value}" for name, value in in_force.items()) + ".",
                correction=error.correction or "Change or delete the property, or use another pool.",
                code=error.code,
            ) from error


def heeded_by_any(drivers: Drivers) -> frozenset[str]:
    """Every option of every installed driver and layer."""
    return frozenset(
        name for kind in (STORAGE, LAYER) for driver in drivers.all(kind).values() for name in driver.options
    )


def check(drivers: Drivers, props: Mapping[str, str], changed: Iterable[str], provider: str = "") -> None:
    """Raises `BadProperty` for values of changed options that no driver, or not the layer, could obey.

    `provider` is the kind of the pool that has the properties. Anywhere else one driver that can obey is enough: the
    pools below may be of several kinds, and what does not suit one is told when a volume is to be made there.
    """
    for layer in drivers.all(LAYER).values():
        if not layer.options.isdisjoint(changed) and (error := _problem(layer, props)) is not None:
            raise error
    concerned = [d for d in _candidates(drivers, provider) if not d.options.isdisjoint(changed)]
    problems = [error for driver in concerned if (error := _problem(driver, props)) is not None]
    if problems and len(problems) == len(concerned):
        raise problems[0]


def _candidates(drivers: Drivers, provider: str) -> list[Any]:
    return [drivers.load(STORAGE, provider)] if provider else list(drivers.all(STORAGE).values())


def _problem(driver: Any, props: Mapping[str, str]) -> BadProperty | None:
    try:
        driver.check_options({name: value for name, value in props.items() if name in driver.options})
    except BadProperty as error:
        return error
    return None


def _heeded(drivers: Drivers, namespace: str, name: str) -> frozenset[str]:
    try:
        return frozenset(drivers.load(namespace, name).options)
    except UnknownDriver:  # the pool or volume is older than the removal of its driver: nothing is made there
        return frozenset()


def _objects(picture: Picture, definition: ResourceDefinition, pool: StoragePool, number: int) -> dict[Kind, Source]:
    node = picture.node(pool.node)
    group = picture.group(definition.group)
    resource = next((r for r in definition.resources if key(r.node) == key(pool.node)), None)
    volume = next((v for v in resource.volumes if v.number == number), None) if resource else None
    of = next((v for v in definition.volume_definitions if v.number == number), None)
    volume_group = next((v for v in group.volume_groups if v.number == number), None) if group else None
    return {
        Kind.VOLUME: Source(str(number), volume.props if volume else {}),
        Kind.RESOURCE: Source(pool.node, resource.props if resource else {}),
        Kind.STORAGE_POOL: Source(pool.name, pool.props),
        Kind.NODE: Source(pool.node, node.props if node else {}),
        Kind.VOLUME_DEFINITION: Source(str(number), of.props if of else {}),
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.VOLUME_GROUP: Source(str(number), volume_group.props if volume_group else {}),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.CONTROLLER: Source("", sites.around(picture, pool.node)),
    }
