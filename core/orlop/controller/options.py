"""What the drivers of storage heed: the object that decides each option, and whether the driver could obey it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.drivers import STORAGE, Drivers
from orlop.errors import BadProperty, Refused, UnknownDriver
from orlop.model import ResourceDefinition, StoragePool, key

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
    wanted = _heeded(drivers, found.provider) if found else frozenset[str]()
    if not found or not wanted:
        return {}
    objects = _objects(picture, definition, found, number)
    values = ((name, effective(name, objects)) for name in sorted(wanted))
    return {name: value.value for name, value in values if value is not None}


def refuse(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, node: str, pool: str, number: int
) -> None:
    """Raises where the pool's driver could not obey what is in force for a volume that is to be made."""
    if options := of_volume(drivers, picture, definition, node, pool, number):
        found = picture.pool(node, pool)
        assert found is not None
        try:
            drivers.load(STORAGE, found.provider).check_options(options)
        except BadProperty as error:
            raise Refused(
                f"Volume {number} of '{definition.name}' cannot be made in storage pool '{pool}' on node '{node}': "
                f"{error.message}",
                cause=error.cause,
                details="In force there: " + ", ".join(f"{name}={value}" for name, value in options.items()) + ".",
                correction=error.correction or "Change or delete the property, or use another pool.",
                code=error.code,
            ) from error


def heeded_by_any(drivers: Drivers) -> frozenset[str]:
    """Every option of every installed driver."""
    return frozenset(name for driver in drivers.all(STORAGE).values() for name in driver.options)


def check(drivers: Drivers, props: Mapping[str, str], changed: Iterable[str], provider: str = "") -> None:
    """Raises `BadProperty` for values of changed options that no driver could obey.

    `provider` is the kind of the pool that has the properties. Anywhere else one driver that can obey is enough: the
    pools below may be of several kinds, and what does not suit one is told when a volume is to be made there.
    """
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


def _heeded(drivers: Drivers, provider: str) -> frozenset[str]:
    try:
        return frozenset(drivers.load(STORAGE, provider).options)
    except UnknownDriver:  # the pool is older than the removal of its driver: nothing is made there
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
        Kind.CONTROLLER: Source("", picture.controller.props),
    }
