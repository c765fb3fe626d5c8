"""Which policy requests wait for by themselves: properties of resource definitions, groups and the controller.

They are Orlop's own, beyond the keys of the common API. They replace waiting for every node that has work to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.wait.expressions import FORM, check, parse
from orlop.drivers import Drivers
from orlop.errors import BadProperty, OrlopError
from orlop.model import ResourceDefinition
from orlop.model.cluster import Value

PREFIX = "Orlop/WaitFor/"
RESOURCE, SIZE, SNAPSHOT = PREFIX + "Resource", PREFIX + "Size", PREFIX + "Snapshot"  # policies
TIMEOUT = PREFIX + "Timeout"  # seconds


class Preset(Value, frozen=True, kw_only=True):
    """`origin`: the object that decides, in words."""

    policy: str
    origin: str
    seconds: float | None


def preset(picture: Picture, definition: ResourceDefinition, name: str) -> Preset | None:
    """None where nobody set one. `name` is one of the policies."""
    group = picture.group(definition.group)
    objects = {
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }
    found, timeout = effective(name, objects), effective(TIMEOUT, objects)
    if found is None:
        return None
    of = f" '{found.origin_name}'" if found.origin_name else ""
    return Preset(
        policy=found.value,
        origin=f"{found.origin_kind.words}{of}",
        seconds=float(timeout.value) if timeout else None,
    )


def check_values(drivers: Drivers, props: Mapping[str, str], changed: Iterable[str]) -> None:
    """Raises `BadProperty` for a policy that cannot be read, is not installed or does not take its argument."""
    for name in {RESOURCE, SIZE, SNAPSHOT} & set(changed):
        try:
            check(drivers, parse(props[name]))
        except OrlopError as error:
            raise BadProperty(
                f"Invalid value '{props[name]}' of property '{name}'.",
                cause=error.message,
                details=f"It has to be {FORM}.",
                correction=error.correction,
            ) from error
