"""The keys with which DRBD Manage's wait plugins were asked and answered. Pure; the time comes with the question.

Where they were odd, Orlop answers sensibly: `volnr` counts, `redundancy` means copies that are up to date, what is
satisfied when the time is over counts as satisfied, and what can never be satisfied is refused. `original` brings the
old answers back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from orlop.codes import Fail
from orlop.controller.picture import Picture
from orlop.controller.reported import Reported
from orlop.controller.wait import known
from orlop.controller.wait.expressions import AnyOf, Policy, check
from orlop.controller.wait.outcome import judge
from orlop.drivers import Drivers
from orlop.errors import NotFound, Refused
from orlop.model import KIB, ResourceDefinition, key
from orlop.plugin import Awaited

RESOURCE, SNAPSHOT, SIZE = "WaitForResource", "WaitForSnapshot", "WaitForVolumeSize"
MANDATORY = {RESOURCE: ("resource",), SNAPSHOT: ("resource", "snapshot"), SIZE: ("resource", "volnr", "req_size")}
POLICIES = ("ratio", "count", "redundancy")  # in the order in which they are tried


class Asked(NamedTuple):
    """`keys` as they were sent; `now` in seconds since 1970."""

    plugin: str
    keys: Mapping[str, str]
    now: float
    original: bool = False

    def text(self, name: str) -> str:
        return self.keys.get(name, "")


def answer(drivers: Drivers, picture: Picture, reported: Reported, asked: Asked) -> dict[str, str]:
    """`result` and `timeout`, "true" or "false", and the `policy` that was satisfied or else tried last."""
    _check(asked)
    definition = picture.definition(asked.text("resource"))
    if definition is None:
        raise _missing(f"Resource '{asked.text('resource')}' not found.", Fail.NOT_FOUND_RSC_DFN)
    over = _is_over(asked)
    if asked.original:
        return _original(picture, reported, definition, asked, over)
    policies = _policies(asked)
    expression = AnyOf(parts=policies)
    check(drivers, expression)
    outcome = judge(drivers, expression, _awaited(picture, reported, definition, asked))
    if outcome.never:
        raise _invalid(f"The wait policy '{expression}' can never be satisfied: {outcome.never}.")
    policy = "size" if asked.plugin == SIZE else outcome.decided_by.name
    return {"result": _text(outcome.satisfied), "timeout": _text(over and not outcome.satisfied), "policy": policy}


def _check(asked: Asked) -> None:
    if asked.plugin not in MANDATORY:
        raise Refused(
            f"There is no plugin '{asked.plugin}'.",
            details="DRBD Manage: DM_EPLUGIN",
            correction=f"Use one of: {', '.join(MANDATORY)}.",
            code=Fail.INVLD_REQUEST,
        )
    lacking = [name for name in MANDATORY[asked.plugin] if not asked.text(name)]
    if lacking:
        raise _invalid(f"'{asked.plugin}' needs a value for: {', '.join(lacking)}.")


def _is_over(asked: Asked) -> bool:
    """Only with both a start and a timeout there is an end."""
    start, timeout = asked.text("starttime"), asked.text("timeout")
    return bool(start and timeout) and asked.now >= _number(start, "starttime") + _number(timeout, "timeout")


def _policies(asked: Asked) -> tuple[Policy, ...]:
    if asked.plugin == SIZE:
        return (Policy(name="ratio", argument="1"),)  # every copy, in step or not
    found = tuple(Policy(name=name, argument=asked.text(name)) for name in POLICIES if asked.text(name))
    if not found:
        raise Refused(
            f"'{asked.plugin}' was asked without a policy.",
            details="DRBD Manage: DM_ENOTIMPL",
            correction=f"Give one of: {', '.join(POLICIES)}.",
            code=Fail.INVLD_REQUEST,
        )
    return found


def _awaited(
    picture: Picture, reported: Reported, definition: ResourceDefinition, asked: Asked, effective: bool = True
) -> list[Awaited]:
    """`effective`: a volume number says that only this volume counts."""
    if asked.plugin == SNAPSHOT:
        name = asked.text("snapshot")
        snapshot = next((s for s in definition.snapshots if key(s.name) == key(name)), None)
        if snapshot is None:
            raise _missing(f"Snapshot '{name}' of '{definition.name}' not found.", Fail.NOT_FOUND_SNAPSHOT)
        return known.of_snapshot(picture, reported, definition, snapshot)
    number = asked.text("volnr")
    chosen = int(_number(number, "volnr")) if number and effective else None
    if asked.plugin == SIZE and chosen is not None:
        size = int(_number(asked.text("req_size"), "req_size")) * KIB
        return known.of_size(picture, reported, definition, chosen, size)
    return known.of_resource(picture, reported, definition, chosen)


def _original(
    picture: Picture, reported: Reported, definition: ResourceDefinition, asked: Asked, over: bool
) -> dict[str, str]:
    """The time comes first, all volumes count, and a number that can never be reached is only never reached."""
    if over:
        return {"result": "false", "timeout": "true"}
    if asked.plugin == SIZE:
        return _sized(picture, reported, definition, asked)
    policies = _policies(asked)
    volumes = _awaited(picture, reported, definition, asked, effective=False)
    if [v.volume for v in volumes] != list(range(len(volumes))):
        raise _missing(f"The volumes of '{definition.name}' are not numbered from 0 on without a gap.")
    planned = min(len(volume.copies) for volume in volumes)
    deployed = min(sum(copy.done for copy in volume.copies) for volume in volumes)
    for policy in policies:
        if policy.name == "redundancy":
            raise _invalid("The policy 'redundancy' was never made in DRBD Manage.")
        wanted = _number(policy.argument, policy.name)
        if deployed >= (planned * wanted if policy.name == "ratio" else wanted):
            return {"result": "true", "timeout": "false", "policy": policy.name}
    return {"result": "false", "timeout": "false", "policy": policies[-1].name}


def _sized(picture: Picture, reported: Reported, definition: ResourceDefinition, asked: Asked) -> dict[str, str]:
    """A size that nobody asked the volume to have is only never reached."""
    wanted = _number(asked.text("req_size"), "req_size") * KIB
    number = int(_number(asked.text("volnr"), "volnr"))
    of = next((v for v in definition.volume_definitions if v.number == number), None)
    copies = [c for v in known.of_size(picture, reported, definition, number) for c in v.copies]
    reached = of is not None and of.size >= wanted and all(c.done for c in copies)
    return {"result": _text(reached), "timeout": "false", "policy": "size"}


def _number(text: str, name: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < 1 << 62:  # also False where it is no number
        raise _invalid(f"'{text}' is no value of '{name}'.")
    return found


def _text(value: bool) -> str:
    return "true" if value else "false"


def _invalid(message: str) -> Refused:
    return Refused(message, details="DRBD Manage: DM_EINVAL", code=Fail.INVLD_REQUEST)


def _missing(message: str, code: Fail = Fail.NOT_FOUND_RSC) -> NotFound:
    return NotFound(message, details="DRBD Manage: DM_ENOENT (101)", code=code)
