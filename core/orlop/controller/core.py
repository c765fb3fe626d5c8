"""The controller's heart: the one place where what is wanted changes and where reports arrive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import uuid4

import msgspec

from orlop.controller import (
    cloning,
    dependents,
    drbd_versions,
    joining,
    learnt,
    nvme,
    orders,
    snapshotting,
    split_brain,
    stacks,
    volume_keys,
    voting,
)
from orlop.controller.contracts import Clock, Commits, Enrolment, Links, Waiter
from orlop.controller.events import Events
from orlop.controller.key_ring import COST, KeyRing
from orlop.controller.picture import Aggregate, Change, Draft, Picture
from orlop.controller.placement import Cluster, Standings
from orlop.controller.progress import advance, made
from orlop.controller.replication import replicated
from orlop.controller.reported import Reported, Status
from orlop.controller.store import NotActive, OutcomeUnknown
from orlop.drivers import Drivers
from orlop.errors import Refused, TransportError
from orlop.hooks import Hooks
from orlop.model import (
    Controller,
    Node,
    NodeConnection,
    ResourceDefinition,
    ResourceGroup,
    StoragePool,
    key,
)
from orlop.transport.messages import (
    Fence,
    Report,
    Secrets,
)

log = logging.getLogger(__name__)
Result = TypeVar("Result")

SURROUNDING = (Controller, Node, NodeConnection, ResourceGroup)  # their properties hold for what is below them
TURNS = 2  # commands that compute at the same time
WAIT = 120.0  # seconds a request waits for satellites before it answers that the work goes on


class Core:
    """Everything a use case needs. One per controller process, passed to whoever uses it; no globals."""

    def __init__(
        self,
        store: Commits,
        picture: Picture,
        fence: Fence,
        drivers: Drivers,
        hooks: Hooks,
        clock: Clock,
        waiter: Waiter,
        blocked: frozenset[str] = frozenset(),
        fail: Callable[[str], None] = lambda reason: None,
        key_cost: int = COST,
    ) -> None:
        """`fail` ends the process: called when it cannot be known any more what the database holds.

        `key_cost` is that of deriving a key from the master passphrase.
        """
        self.picture = picture
        self.reported = Reported()
        self.drivers = drivers
        self.hooks = hooks
        self.clock = clock
        self.standings = Standings()
        self.events = Events()
        self.splits = split_brain.Splits()
        self.key_ring = KeyRing(key_cost)
        self.blocked = blocked  # keys of definitions whose rows made no sense: their names stay taken
        self.suspended = ""  # why only observing is allowed: a restored database, a newer controller
        self.highest_term = fence.term  # that any satellite ever answered with
        self.links: Links | None = None
        self.enrolment: Enrolment | None = None
        self.accept_restore: Callable[[], None] | None = None
        self._fence = fence
        self._store = store
        self._fail = fail
        self._waiter = waiter
        self._writer = threading.RLock()
        self._unsettled: set[str] = set()
        self._unsettled_lock = threading.Lock()
        self._turns = threading.Semaphore(TURNS)
        self._mine = threading.local()

    @property
    def fence(self) -> Fence:
        return msgspec.structs.replace(self._fence, sequence=self.picture.sequence)

    def new_uuid(self) -> str:
        return str(uuid4())

    # -- changing ---------------------------------------------------------------------------------------------

    @contextmanager
    def change(self) -> Iterator[Draft]:
        """A draft under the writer lock; committed and published at the end, dropped on any error.

        No satellite call, no hook and no sleep may happen inside.
        """
        with self._writer:
            if self.suspended:
                raise Refused(
                    "the controller only observes",
                    cause=self.suspended,
                    correction="See 'orlop controller differences', then 'orlop controller accept-restore'.",
                )
            draft = Draft(self.picture)
            yield draft
            voting.touch(Cluster(draft, self.reported, self.drivers), draft)
            dependents.touch(self.drivers, self.picture, draft)
            changes = draft.changes
            if not changes:
                return
            draft.sequence += 1
            self._write(changes, draft.sequence)
            before, self.picture = self.picture, draft.freeze()
            self._publish(before, changes)
        self._waiter.notify()

    def _write(self, changes: list[Change], sequence: int) -> None:
        try:
            self._store.commit(changes, sequence)
        except (NotActive, OutcomeUnknown) as error:
            self.suspend(str(error))
            self._fail(str(error))
            raise

    def _publish(self, before: Picture, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change.before or change.after, ResourceDefinition):
                self._publish_definition(before, change)
            elif change.kind is Node:
                self._publish_node(change)
            elif change.kind is StoragePool and self.links:
                self.links.pools_changed(change.key[0])
            if change.kind in SURROUNDING:
                self._publish_around(before, change)
        self.events.published(self.picture, self.reported, changes)

    def _publish_around(self, before: Picture, change: Change) -> None:
        """Options of replicated resources are in force at once, whichever object they are set on."""
        old, new = change.before, change.after
        if all(getattr(old, name, None) == getattr(new, name, None) for name in ("props", "interfaces")):
            return
        for name, definition in self.picture.definitions.items():
            if replicated(definition) and before.definitions.get(name) is definition:
                self._publish_definition(before, Change(ResourceDefinition, (name,), definition, definition))

    def _publish_definition(self, before: Picture, change: Change) -> None:
        old, new = change.before, change.after
        assert old is None or isinstance(old, ResourceDefinition)
        assert new is None or isinstance(new, ResourceDefinition)
        nodes = (orders.nodes_of(old) if old else set()) | (orders.nodes_of(new) if new else set())
        for node in nodes:
            then = orders.wanted_resource(self.drivers, before, old, node) if old else None
            now = orders.wanted_resource(self.drivers, self.picture, new, node) if new else None
            if now is None:
                self.reported.node(node).required.pop(change.key[0], None)
            if orders.same_order(then, now):
                continue
            urgent = orders.asks_for_more(then, now)
            if now is not None and urgent:
                self.reported.node(node).required[change.key[0]] = now.revision
            if self.links:
                self.links.changed(node, change.key[0], urgent)

    def _publish_node(self, change: Change) -> None:
        old, new = change.before, change.after
        assert old is None or isinstance(old, Node)
        assert new is None or isinstance(new, Node)
        if new is None and old is not None:
            if self.links:
                self.links.drop(old)
            self.reported.nodes.pop(change.key[0], None)
        elif new is not None and self.links and (old is None or old.interfaces != new.interfaces):
            self.links.watch(new)

    # -- reports ----------------------------------------------------------------------------------------------

    def on_report(self, node: str, report: Report) -> None:
        """A satellite said something. What follows from it is committed before anybody who waits is told."""
        self.reported.node(node).absorb(report)
        self._note_pools(node, report)
        self._note_node(node, report)
        self._note_replicas(node, {key(r.name) for r in report.resources})
        self.settle({key(r.name) for r in report.resources})
        self._notice_splits({key(r.name) for r in report.resources})
        for resource in report.resources:
            self.events.resource_changed(resource.name)
        if self.links:
            for initiator, name in dependents.to_try_again(self.picture, self.reported, node, report):
                self.links.changed(initiator, name, True)  # the order may be the old one: it is tried again at once
        self._waiter.notify()

    def _notice_splits(self, names: Iterable[str]) -> None:
        for name in names:
            if (definition := self.picture.definitions.get(name)) is None or not replicated(definition):
                continue
            found = split_brain.splits(definition, self.reported.currents(orders.nodes_of(definition), name))
            for nodes in self.splits.noticed(name, found, self.clock.milliseconds()):
                log.error("split brain of %s between %s and %s", definition.name, *nodes)
                self.hooks.resource_split_brain(definition.name, nodes)

    def settle(self, names: Iterable[str]) -> None:
        """Advance some definitions (keys) as far as the current reports allow; committed when this returns.

        Whoever gets the writer lock first does the work of all who wait for it, in one transaction.
        """
        due = [name for name in names if self._next(self.picture, name)]
        if not due or self.suspended:
            return
        with self._unsettled_lock:
            self._unsettled.update(due)
        with self._writer:
            with self._unsettled_lock:
                drained, self._unsettled = self._unsettled, set()
            if not drained:
                return
            before = self.picture
            try:
                with self.change() as draft:
                    self._advance(draft, drained)
            except BaseException:
                with self._unsettled_lock:
                    self._unsettled |= drained
                raise
            after = self.picture
        for name in drained:
            for resource in made(before.definitions.get(name), after.definitions.get(name)):
                self.hooks.resource_ready(after.definitions[name].name, resource.node)

    def pending(self, name: str) -> bool:
        """Whether the current reports about a definition lead to a change that is not committed yet."""
        return self._next(self.picture, key(name)) is not None

    def _advance(self, draft: Draft, names: set[str]) -> None:
        left = sorted(names)
        while left:
            step = self._next(draft, name := left.pop())
            if step is None:
                continue
            before, after = step
            if after is None:
                draft.remove(before)
            else:
                draft.put(after)
            left += [name, *snapshotting.companions(before), *cloning.companions(before)]

    def _next(self, picture: Picture, name: str) -> tuple[ResourceDefinition, ResourceDefinition | None] | None:
        definition = picture.definitions.get(name)
        if definition is None:
            return None
        after = advance(definition, self.reported.currents(orders.nodes_of(definition), name))
        if after is not None:
            after = cloning.released(snapshotting.released(after, picture.definitions), picture.definitions)
            after = joining.advanced(self.reported, after)
        return None if after is definition else (definition, after)

    def _note_pools(self, node: str, report: Report) -> None:
        """What has to be known of a pool while its node is away: that it bears our mark, and its extent."""

        def noticed(picture: Picture) -> list[StoragePool]:
            found = [(picture.pool(node, seen.name), seen) for seen in report.pools]
            pairs = [(pool, stacks.noticed(pool, seen)) for pool, seen in found if pool and seen.uuid == pool.uuid]
            return [after for before, after in pairs if after is not before]

        if self.suspended or not noticed(self.picture):
            return
        with self.change() as draft:
            for pool in noticed(draft):
                draft.put(pool)

    def _note_node(self, node: str, report: Report) -> None:
        """What has to be known of a node while it is away: by which name NVMe targets let it in, which DRBD it has."""

        def noticed(found: Node) -> Node:
            return drbd_versions.noticed(nvme.noticed(found, report.info), report.info)

        found = self.picture.node(node)
        if self.suspended or found is None or noticed(found) is found:
            return
        with self.change() as draft:
            if (current := draft.node(node)) is not None:
                draft.put(noticed(current))

    def _note_replicas(self, node: str, names: set[str]) -> None:
        """Ports that turned out to be taken, and disks that DRBD goes on without."""

        def noticed(picture: Picture) -> list[Aggregate]:
            current = {name: self.reported.current(node, name) for name in names}
            return learnt.noticed(picture, node, {name: report for name, report in current.items() if report})

        if self.suspended or not noticed(self.picture):
            return
        with self.change() as draft:
            for after in noticed(draft):
                draft.put(after)

    def on_status(self, node: str, status: Status, problem: str = "") -> None:
        """A link saw its node come or go."""
        report = self.reported.node(node)
        if (report.status, report.problem) == (status, problem):
            return
        report.problem = problem
        before, report.status = report.status, status
        if before is not status:
            if before is Status.ONLINE:
                self.abandon_snapshots(node)
            log.info("node %s is %s%s", node, status, f": {problem}" if problem else "")
        found = self.picture.node(node)
        if found:
            self.events.node_status(found, before, status)
        self._waiter.notify()

    def abandon_snapshots(self, node: str | None = None) -> None:
        """A snapshot that was not complete when a node (or this controller) went away never will be."""

        def unfinished(picture: Picture) -> list[ResourceDefinition]:
            definitions = picture.definitions_on(node) if node else picture.definitions.values()
            found = [(d, snapshotting.abandoned(d, node)) for d in definitions if d.snapshots]
            return [after for before, after in found if after is not before]

        if self.suspended or not unfinished(self.picture):
            return
        with self.change() as draft:
            given_up = unfinished(draft)
            for definition in given_up:
                draft.put(definition)
        self.settle({name for definition in given_up for name in snapshotting.companions(definition)})

    def suspend(self, reason: str, term: int = 0) -> None:
        """From now on only observe: another controller is or was active, or the database was restored."""
        self.highest_term = max(self.highest_term, term)
        if not self.suspended:
            log.error("only observing from now on: %s", reason)
        self.suspended = reason
        self._waiter.notify()

    def resume(self, fence: Fence, sequence: int) -> None:
        """An administrator accepted the picture: `fence` is the new activation, `sequence` above all known ones."""
        with self._writer:
            self.suspended = ""
            self._fence = fence
            draft = Draft(self.picture)
            draft.sequence = sequence
            self._write([], sequence)
            self.picture = draft.freeze()

    def asked(self, node: str, ask: Callable[[Links], Result], changes: bool = True) -> Result:
        """What the satellite of a node answers; raises `TransportError` when it is away.

        `changes`: it is told to do something, which a controller that only observes does not.
        """
        if changes and self.suspended:
            raise Refused("the controller only observes", cause=self.suspended)
        if self.links is None:
            raise TransportError(f"node {node} is not connected")
        with self._resting():
            return ask(self.links)

    def secrets_for(self, node: str, names: Iterable[str]) -> Secrets:
        """Keys for steps of a node, as far as it has a part in their volumes and the controller is unlocked."""
        keys = volume_keys.on_node(self.picture, node)
        known: dict[str, bytes] = {}
        refused: dict[str, str] = {}
        for name in names:
            try:
                if name not in keys:
                    raise Refused(f"no volume of node {node} has the key {name}")
                known[name] = self.key_ring.reveal(keys[name])
            except Refused as error:
                refused[name] = f"{error} {error.correction}".strip()
        return Secrets(fence=self.fence, known=known, refused=refused)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Taken by a command while it computes, not while it waits: many at once would only keep reads waiting."""
        with self._turns:
            self._mine.held = True
            try:
                yield
            finally:
                self._mine.held = False

    @contextmanager
    def _resting(self) -> Iterator[None]:
        """Whoever waits for somebody else gives the turn away meanwhile."""
        if not getattr(self._mine, "held", False):
            yield
            return
        self._turns.release()
        try:
            yield
        finally:
            self._turns.acquire()

    # -- waiting ----------------------------------------------------------------------------------------------

    def wait(self, done: Callable[[], Result | None], seconds: float = WAIT) -> Result | None:
        """Wait without any lock until `done` has a result; None when the time is over."""
        with self._resting():
            return self._waiter.wait(done, seconds)
