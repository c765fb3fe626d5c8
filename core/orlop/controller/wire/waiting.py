"""How long to wait for what, and how far it is."""

from __future__ import annotations

from typing import Annotated

import msgspec

from orlop.controller.wire.base import Body

LONGEST = 7 * 24 * 3600.0
HOLD = 60.0
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]
Held = Annotated[float, msgspec.Meta(ge=0, le=HOLD)]


class WaitRequest(Body, frozen=True, kw_only=True):
    """What is waited for: a resource, or one of its volumes; a size of a volume; a snapshot.

    `size_kib` 0 stands for the size that the volume is to have. Without a `policy` that of the resource definition,
    its group or the controller counts, else `all` (for a size `ratio=1`: every copy, in step or not). `timeout`:
    seconds that the client is still ready to wait; without it there is no end. `hold`: seconds after which it is
    answered how far it is; the client asks again.
    """

    resource: str
    volume_number: int | None = None
    size_kib: int | None = None
    snapshot: str | None = None
    policy: str | None = None
    timeout: Seconds | None = None
    hold: Held = 30.0


class WaitCondition(Body, frozen=True, kw_only=True):
    """One policy; `said` is how far it is, in words."""

    policy: str
    satisfied: bool
    said: str


class WaitMissing(Body, frozen=True, kw_only=True):
    """A copy that does not count yet. `stalled`: its node is away, or failed and will try again."""

    node_name: str
    volume_number: int
    reason: str
    stalled: bool


class WaitProgress(Body, frozen=True, kw_only=True):
    """`timed_out`: the time is over, and the policy is not satisfied. With both false the client asks again."""

    resource_name: str
    snapshot_name: str | None = None
    volume_number: int | None = None
    policy: str
    satisfied: bool
    timed_out: bool
    conditions: tuple[WaitCondition, ...] = ()
    missing: tuple[WaitMissing, ...] = ()
