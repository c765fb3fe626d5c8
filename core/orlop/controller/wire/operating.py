"""What administrators have done with replicated resources, and how a split brain is explained."""

from __future__ import annotations

from orlop.controller.wire.base import Body


class ReplicaOperation(Body, frozen=True, kw_only=True):
    """Without a peer all of them are meant."""

    peer: str = ""


class SplitBrainSide(Body, frozen=True, kw_only=True):
    """One volume on one of two nodes; KiB. What is not known is absent.

    `out_of_sync_kib` was changed here since the two were last connected. `generations` are identifiers of the data:
    the present one, the one since which changes are noted, and earlier ones.
    """

    node_name: str
    connection: str | None = None
    role: str | None = None
    in_use: bool | None = None
    disk_state: str | None = None
    generations: tuple[str, ...] = ()
    out_of_sync_kib: int | None = None
    written_kib: int | None = None


class SplitBrainVolume(Body, frozen=True, kw_only=True):
    volume_number: int
    sides: tuple[SplitBrainSide, ...] = ()


class SplitBrain(Body, frozen=True, kw_only=True):
    """A connection that DRBD gave up. `certain`: both sides are known to have data that the other lacks.

    `since`, in milliseconds, is when this controller first knew of it; it may have happened before.
    """

    resource_name: str
    node_a: str
    node_b: str
    certain: bool
    since: int | None = None
    volumes: tuple[SplitBrainVolume, ...] = ()


class ResolveSplitBrain(Body, frozen=True, kw_only=True):
    """What the victim has and others lack is lost. With `snapshot` a snapshot of that name is taken of it before."""

    victim: str
    snapshot: str = ""
