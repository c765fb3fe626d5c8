"""Which policy requests wait for by themselves: properties of resource definitions, groups and the controller.

They are Orlop's own, beyond the keys of the common API. They replace waiting for every node that has work to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orlop.codes import Fail
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.replication import LAYER
from orlop.controller.wait.expressions import FORM, check, parse
from orlop.controller.wait.outcome import beyond
from orlop.drivers import Drivers
from orlop.errors import BadProperty, OrlopError, Refused
from orlop.model import ResourceDefinition, ResourceGroup
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


def refuse_unsatisfiable(drivers: Drivers, group: ResourceGroup, before: ResourceGroup | None = None) -> None:
    """Raises `Refused` for a policy of a group that as many copies as the group asks for can never satisfy.

    `before`: the group as it was; what does not change is not judged. A group that asks for no number, or for some
    more each time, has no limit.
    """
    rule = group.select_filter
    if not rule.place_count or rule.additional_place_count is not None:
        return
    resized = before is not None and _extent(before) != _extent(group)
    for name in (RESOURCE, SIZE, SNAPSHOT):
        text = group.props.get(name)
        if text is None or not (resized or before is None or before.props.get(name) != text):
            continue
        why = beyond(drivers, parse(text), rule.place_count, not rule.layers or LAYER in rule.layers)
        if why:
            raise Refused(
                f"The wait policy '{text}' can never be satisfied by what resource group '{group.name}' asks for.",
                cause=f"{why}.",
                details=f"The place count of the group is {rule.place_count}; the policy is its property '{name}'.",
                correction="Ask for less, or for more copies, or change both with the same request. A resource "
                "definition that is to have more copies than its group asks for can have a policy of its own.",
                code=Fail.INVLD_PLACE_COUNT if resized else Fail.INVLD_PROP,
            )


def _extent(group: ResourceGroup) -> tuple[object, ...]:
    """What says how many copies there will be, and of what."""
    rule = group.select_filter
    return rule.place_count, rule.additional_place_count, rule.layers
