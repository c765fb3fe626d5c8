"""The controller's heart: the one place where what is wanted changes and where reports arrive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar
from uuid import uuid4

import msgspec

from orlop.controller import (
    cloning,
    dependents,
    joining,
    learnt,
    orders,
    snapshotting,
    split_brain,
    volume_keys,
    voting,
)
from orlop.controller.contracts import Clock, Commits, Enrolment, Links, Waiter
from orlop.controller.events import Events
from orlop.controller.key_ring import COST, KeyRing
from orlop.controller.picture import Aggregate, Change, Draft, Picture
from orlop.controller.placement import Cluster, Standings
from orlop.controller.progress import advance, made
from orlop.controller.publishing import publish
from orlop.controller.replication import replicated
from orlop.controller.reported import Reported, Status
from orlop.controller.store import NotActive, OutcomeUnknown
from orlop.controller.turns import Turns
from orlop.drivers import Drivers
from orlop.errors import Refused, TransportError
from orlop.hooks import Hooks
from orlop.model import ResourceDefinition, key
from orlop.transport.messages import Fence, Report, Secrets

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Known = TypeVar("Known", bound=Aggregate)

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
        self._turns = Turns()

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
            publish(self, before, changes)
            self.events.published(self.picture, self.reported, changes)
        self._waiter.notify()

    def _write(self, changes: list[Change], sequence: int) -> None:
        try:
            self._store.commit(changes, sequence)
        except (NotActive, OutcomeUnknown) as error:
            self.suspend(str(error))
            self._fail(str(error))
            raise

    # -- reports ----------------------------------------------------------------------------------------------

    def on_report(self, node: str, report: Report) -> None:
        """A satellite said something. What follows from it is committed before anybody who waits is told."""
        self.reported.node(node).absorb(report)
        names = {key(r.name) for r in report.resources}
        self._learn(lambda picture: learnt.of_pools(picture, node, report.pools))
        self._learn(lambda picture: learnt.of_node(picture, node, report.info))
        self._learn(lambda picture: learnt.of_replicas(picture, self.reported, node, names))
        self.settle(names)
        self._notice_splits(names)
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

    def _learn(self, noticed: Callable[[Picture], list[Known]]) -> list[Known]:
        """What was noticed goes into the picture, and is looked for again there: others may have been quicker."""
        if self.suspended or not noticed(self.picture):
            return []
        with self.change() as draft:
            found = noticed(draft)
            for after in found:
                draft.put(after)
        return found

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

        given_up = self._learn(unfinished)
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
        with self._turns.resting():
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

    def turn(self) -> AbstractContextManager[None]:
        """Taken by a command while it computes, not while it waits."""
        return self._turns.taken()

    # -- waiting ----------------------------------------------------------------------------------------------

    def wait(self, done: Callable[[], Result | None], seconds: float = WAIT) -> Result | None:
        """Wait without any lock until `done` has a result; None when the time is over."""
        with self._turns.resting():
            return self._waiter.wait(done, seconds)
