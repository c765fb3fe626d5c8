"""What was reported, numbered, so that a long poll gets exactly what changed since its last one."""

from typing import TypeVar

import msgspec

from orlop.model import (
    BackingObject,
    NodeInfo,
    ReportedPool,
    ReportedResource,
    ReportedSnapshot,
    ReportedVolume,
    key,
)
from orlop.transport.messages import Report

Item = TypeVar("Item", ReportedVolume, ReportedSnapshot)
SLACK = 16 * 1024 * 1024  # bytes of space that may come and go without a word


class Outbox:
    """Not thread-safe: the node uses it under its lock. `number` rises with every change."""

    def __init__(self, run: str) -> None:
        self.number = 0
        self._run = run
        self._looked = 0
        self._passed_over: frozenset[str] = frozenset()
        self._synced = False
        self._resources: dict[str, tuple[int, ReportedResource]] = {}
        self._pools: dict[str, tuple[int, ReportedPool]] = {}
        self._orphans: tuple[int, tuple[BackingObject, ...]] | None = None
        self._info: tuple[int, NodeInfo] | None = None

    def clear(self) -> None:
        """Forget what was said: after a `Sync` everything is said again."""
        self._synced, self._orphans, self._info, self._looked = False, None, None, 0
        self._passed_over = frozenset()
        self._resources.clear()
        self._pools.clear()

    def resource(self, report: ReportedResource) -> None:
        name = key(report.name)
        if name not in self._resources or _noticeable(self._resources[name][1], report):
            self._resources[name] = (self._next(), report)

    def said(self, name: str) -> ReportedResource | None:
        """What was reported last of a resource."""
        found = self._resources.get(key(name))
        return found[1] if found else None

    def forget(self, name: str) -> None:
        self._resources.pop(key(name), None)

    def pool(self, report: ReportedPool) -> None:
        known = self._pools.get(report.name)
        if known is None or _pool_noticeable(known[1], report):
            self._pools[report.name] = (self._next(), report)

    def keep_pools(self, names: set[str]) -> None:
        self._pools = {name: said for name, said in self._pools.items() if name in names}

    def orphans(self, found: tuple[BackingObject, ...]) -> None:
        if self._orphans is None or self._orphans[1] != found:
            self._orphans = (self._next(), found)

    def info(self, info: NodeInfo) -> None:
        if self._info is None or self._info[1] != info:
            self._info = (self._next(), info)

    def looked(self, asked: int, in_hand: frozenset[str]) -> None:
        """A look is over that saw all but what was `in_hand`. Where nobody asked anew, only what the one that was
        asked for has passed over still counts."""
        passed_over = in_hand if asked != self._looked else in_hand & self._passed_over
        if (asked, passed_over) != (self._looked, self._passed_over):
            self._looked, self._passed_over = asked, passed_over
            self._next()

    @property
    def passed_over(self) -> frozenset[str]:
        """Keys of the resources that the last look asked for did not see, nor one after it."""
        return self._passed_over

    def bump(self) -> None:
        """Something is to be told that is not kept here."""
        self._next()

    @property
    def is_synced(self) -> bool:
        return self._synced

    def synced(self) -> None:
        if not self._synced:
            self._synced = True
            self._next()

    def after(self, number: int) -> Report:
        """A number from the future belongs to an earlier run: everything is said."""
        if number > self.number:
            number = 0
        return Report(
            run=self._run,
            number=self.number,
            synced=self._synced,
            resources=tuple(said for at, said in self._resources.values() if at > number),
            pools=tuple(said for at, said in self._pools.values() if at > number),
            orphans=self._orphans[1] if self._orphans and self._orphans[0] > number else None,
            info=self._info[1] if self._info and self._info[0] > number else None,
            looked=self._looked,
            passed_over=tuple(sorted(self._passed_over)),
        )

    def _next(self) -> int:
        self.number += 1
        return self.number


def _near(before: int | None, after: int | None) -> bool:
    if before is None or after is None:
        return before == after
    return abs(after - before) <= max(SLACK, before // 100)


def _noticeable(before: ReportedResource, after: ReportedResource) -> bool:
    """Space that a thin volume takes changes all the time; alone it is worth a report only in larger steps."""
    if _without_space(before) != _without_space(after):
        return True
    return any(not _near(old, new) for old, new in zip(_space(before), _space(after), strict=True))


def _space(report: ReportedResource) -> list[int | None]:
    return [v.allocated for v in report.volumes] + [s.allocated for s in report.snapshots]


def _without_space(report: ReportedResource) -> ReportedResource:
    def bare(items: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(msgspec.structs.replace(item, allocated=None) for item in items)

    return msgspec.structs.replace(report, volumes=bare(report.volumes), snapshots=bare(report.snapshots))


def _pool_noticeable(before: ReportedPool, after: ReportedPool) -> bool:
    old, new = before.capacity, after.capacity
    if old is None or new is None or old.total != new.total or not _near(old.free, new.free):
        return before != after
    return msgspec.structs.replace(before, capacity=None) != msgspec.structs.replace(after, capacity=None)
