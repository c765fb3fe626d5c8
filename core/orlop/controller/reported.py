"""What the satellites last said. Memory only, refilled by them; what was not reported yet is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orlop.model import BackingObject, NodeInfo, ReportedPool, ReportedResource, key
from orlop.transport.messages import Report

AWAY = 3  # attempts to reach a node in vain, one every few seconds


class Status(StrEnum):
    """Connection states of a node, spelled as clients know them."""

    OFFLINE = "OFFLINE"
    CONNECTED = "CONNECTED"
    ONLINE = "ONLINE"
    VERSION_MISMATCH = "VERSION_MISMATCH"
    FULL_SYNC_FAILED = "FULL_SYNC_FAILED"
    AUTHENTICATION_ERROR = "AUTHENTICATION_ERROR"
    UNKNOWN = "UNKNOWN"
    HOSTNAME_MISMATCH = "HOSTNAME_MISMATCH"
    OTHER_CONTROLLER = "OTHER_CONTROLLER"
    AUTHENTICATED = "AUTHENTICATED"
    NO_STLT_CONN = "NO_STLT_CONN"


class NodeReport:
    """One node. Written by its link only; every field is replaced, never changed in place."""

    __slots__ = (
        *("attempts", "info", "looked", "orphans", "passed_over"),
        *("pools", "problem", "required", "resources", "status"),
    )

    def __init__(self) -> None:
        self.status = Status.OFFLINE
        self.problem = ""  # why it is not online, one sentence
        self.attempts = 0  # to reach it since it was last connected
        self.info: NodeInfo | None = None
        self.resources: dict[str, ReportedResource] = {}
        self.pools: dict[str, ReportedPool] = {}
        self.orphans: tuple[BackingObject, ...] = ()
        self.looked = 0  # number of the last look that was asked for and is over
        self.passed_over: frozenset[str] = frozenset()  # keys of resources that this look has still to see
        self.required: dict[str, int] = {}  # resource key -> revision in which the node's share last changed

    def absorb(self, report: Report) -> None:
        for resource in report.resources:
            self.resources[key(resource.name)] = resource
        for pool in report.pools:
            self.pools[key(pool.name)] = pool
        if report.orphans is not None:
            self.orphans = report.orphans
        if report.info is not None:
            self.info = report.info
        self.looked, self.passed_over = report.looked, frozenset(report.passed_over)

    def has_seen(self, name: str, look: int) -> bool:
        """Whether the look of that number, or a later one, has seen the resource."""
        return self.looked >= look and key(name) not in self.passed_over

    def forget(self) -> None:
        """After a reconnect everything is unknown until it is reported again."""
        self.resources, self.pools, self.orphans, self.looked = {}, {}, (), 0
        self.passed_over = frozenset()


class Reported:
    """All nodes."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeReport] = {}

    def node(self, name: str) -> NodeReport:
        found = self.nodes.get(key(name))
        if found is None:
            found = self.nodes.setdefault(key(name), NodeReport())
        return found

    def online(self, name: str) -> bool:
        found = self.nodes.get(key(name))
        return found is not None and found.status is Status.ONLINE

    def away(self, name: str) -> bool:
        """Whether a node is known to be away, which is more than that it has not been heard of."""
        return self.node(name).attempts >= AWAY

    def pool(self, node: str, pool: str) -> ReportedPool | None:
        found = self.nodes.get(key(node))
        return found.pools.get(key(pool)) if found else None

    def resource(self, node: str, name: str) -> ReportedResource | None:
        """The last report, however old its revision; None while unknown or the node is away."""
        found = self.nodes.get(key(node))
        if found is None or found.status not in (Status.ONLINE, Status.CONNECTED):
            return None
        return found.resources.get(key(name))

    def current(self, node: str, name: str) -> ReportedResource | None:
        """The report about what the node was last told of the resource; None while it is working on it."""
        report = self.resource(node, name)
        if report is None:
            return None
        return report if report.revision >= self.nodes[key(node)].required.get(key(name), 0) else None

    def currents(self, nodes: set[str], name: str) -> Mapping[str, ReportedResource]:
        """Current reports by key of the node."""
        found = {node: self.current(node, name) for node in nodes}
        return {node: report for node, report in found.items() if report is not None}
