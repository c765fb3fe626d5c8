"""Rounds of looking and acting, and what is said of them.

`look` picks the resources that are due, observes once for all of them and says what to carry out; `carry_out` may run
in any thread. A resource is in one pair of hands at a time, and is looked at again after it was worked on.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from orlop.drivers import Drivers
from orlop.errors import Cancelled, NodeError, OrlopError
from orlop.hooks import Hooks
from orlop.host import Copying, Host, execute
from orlop.model import ReportedResource, WantedPool, WantedResource, key
from orlop.plugin import KeepsRemnants, Step
from orlop.satellite import file_systems, report
from orlop.satellite.converge import Course
from orlop.satellite.fence import FenceKeeper
from orlop.satellite.holding import Holding
from orlop.satellite.observe import Observation, observe
from orlop.satellite.outbox import Outbox
from orlop.satellite.plan import Part, plan, with_contents
from orlop.satellite.secrets import SecretKeeper, no_secret
from orlop.satellite.task import NEVER, NOW, Job, Task

log = logging.getLogger(__name__)

BACK_OFF = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0, 86400.0)  # seconds
LOOK_EVERY = 10.0  # seconds between looks at free space, users and everything that should have stayed as it was


class Rounds:
    """`changed` guards all state and is notified whenever there is something new to do or to report."""

    def __init__(
        self,
        *,
        host: Host,
        drivers: Drivers,
        hooks: Hooks,
        directory: str,
        run: str,
        secret: Callable[[str], bytes] = no_secret,
        look_every: float = LOOK_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changed = threading.Condition()
        self._host, self._drivers, self._hooks = host, drivers, hooks
        self._secrets = SecretKeeper(secret)
        self._fence = FenceKeeper(host, directory)
        self._tasks: dict[str, Task] = {}
        self._busy: set[str] = set()
        self._pools: tuple[WantedPool, ...] = ()
        self._users: dict[str, tuple[str, ...]] | None = None
        self._look_at = NEVER
        self._asked = 0  # number of the look that the controller asked for last
        self._outbox = Outbox(run)
        self._look_every = look_every
        self._holding = Holding(host, drivers, hooks, directory, clock)

    # -- work -------------------------------------------------------------------------------------

    def due(self) -> float:
        """When there is something to do next: `NOW`, a moment, or `NEVER`."""
        with self.changed:
            idle = [task.due for name, task in self._tasks.items() if name not in self._busy]
            return min([self._look_at, self._holding.due, *idle])

    def work(self, now: float) -> None:
        """One round, start to end, in the caller's thread."""
        for job in self.look(now):
            self.carry_out(job)

    def look(self, now: float) -> list[Job]:
        """Observe once for everything that is due; report what is finished, return what is to be carried out.

        Only one thread looks.
        """
        self._tend()
        with self.changed:
            everything, in_hand = now >= self._look_at, frozenset(self._busy)
            picked = self._pick(now)
            idle = self._idle() if everything else []
            pools, asked = self._pools, self._asked
            if everything:  # whoever asks from here on, while this look goes on, gets another one
                self._look_at = now + self._look_every
        if not picked and not everything:
            return []
        try:
            jobs = self._round(picked, idle, pools, everything, now)
        except Exception:
            with self.changed:
                for task in picked:
                    self._release(task, now + BACK_OFF[0])
            raise
        if everything:
            with self.changed:
                self._outbox.looked(asked, in_hand)
                self.changed.notify_all()
        return jobs

    def _tend(self) -> None:
        """Before anything else: a look may take long, and I/O that is held back must not wait for it."""
        with self.changed:
            orders = {name: task.wanted for name, task in self._tasks.items()}
            busy = set(self._busy)
        news, told = self._holding.tend(orders, busy), False
        with self.changed:
            for name, task in self._tasks.items():
                if name not in news and not task.stands:
                    continue
                task.stands, told = False, True
                said = self._outbox.said(name) if task.due == NEVER and name not in self._busy else None
                if said is None:
                    task.due = NOW
                else:
                    self._say(msgspec.structs.replace(said, revision=task.wanted.revision))
            if told:
                self.changed.notify_all()

    def carry_out(self, job: Job) -> None:
        task, course = job.task, job.course
        copying = Copying(cancelled=lambda: not self._current(task))

        def act(steps: Sequence[Step]) -> None:
            execute(course.wanted.name, steps, self._host, self._hooks, self._secrets, copying)

        try:
            course.carry_out(job.parts, act)
        except Cancelled as reason:
            log.info("%s", reason)
        finally:
            with self.changed:
                self._release(task, NOW)

    # -- a round ----------------------------------------------------------------------------------

    def _pick(self, now: float) -> list[Task]:
        picked = [task for name, task in self._tasks.items() if task.due <= now and name not in self._busy]
        self._busy.update(key(task.wanted.name) for task in picked)
        return picked

    def _idle(self) -> list[Task]:
        return [task for name, task in self._tasks.items() if name not in self._busy and task.looked]

    def _round(
        self, picked: list[Task], idle: list[Task], pools: tuple[WantedPool, ...], everything: bool, now: float
    ) -> list[Job]:
        problems: dict[str, str] = {}
        wanted = [task.wanted for task in (*picked, *idle)]
        seen = self._observe(pools, wanted)
        if self._mark(pools, seen, problems):
            seen = self._observe(pools, wanted)
        if everything:
            self._remove_remnants(seen)
        users = self._look_for_users() if everything else None
        due = [task.wanted for task in picked]
        seen = with_contents(seen, lambda device, system: file_systems.look(self._host, device, system), due)
        planned = [(task, *self._next(task, seen)) for task in picked]
        checked = [(task, *_check(task, seen, users)) for task in idle]
        with self.changed:
            self._report_pools(pools, seen, problems)
            freed = frozenset(self._users or ()).difference(users) if users is not None else frozenset()
            if everything:
                self._users = users
                self._secrets.keep(task.wanted for task in self._tasks.values())
            for task, parts, said in checked:
                self._checked(task, parts, said, freed)
            jobs = [Job(*item) for item in planned if self._keep(*item, seen, now)]
            if everything or not self._outbox.is_synced:
                self._finish_sync(pools, seen)
            self.changed.notify_all()
        return jobs

    def _observe(self, pools: tuple[WantedPool, ...], wanted: list[WantedResource]) -> Observation:
        return observe(self._host, self._drivers, pools, wanted, self._fence.cluster)

    def _look_for_users(self) -> dict[str, tuple[str, ...]] | None:
        try:
            return dict(self._host.users())
        except NodeError as error:
            log.warning("it cannot be told what is in use: %s", error)
            return None

    def _mark(self, pools: tuple[WantedPool, ...], seen: Observation, problems: dict[str, str]) -> bool:
        """Put our mark on new pools; returns whether anything was tried."""
        tried = False
        for pool in pools:
            if not pool.new or pool.name not in seen.drivers:
                continue
            try:
                if steps := seen.drivers[pool.name].mark_pool(pool):
                    tried = True
                    execute(f"pool {pool.name}", steps, self._host, self._hooks, self._secrets)
            except OrlopError as error:
                problems[pool.name] = str(error)
        return tried

    def _remove_remnants(self, seen: Observation) -> None:
        for pool, driver in seen.drivers.items():
            if not isinstance(driver, KeepsRemnants):
                continue
            try:
                execute(f"pool {pool}", driver.remnants(pool), self._host, self._hooks, self._secrets)
            except OrlopError as error:
                log.warning("what was removed from pool %s is still there: %s", pool, error)

    def _next(self, task: Task, seen: Observation) -> tuple[Course, tuple[Part, ...]]:
        course = task.course or Course(self._holding.allowed(task.wanted))
        parts, task.lacking = self._secrets.sort(course, course.left(seen))
        return course, parts

    def _keep(self, task: Task, course: Course, parts: tuple[Part, ...], seen: Observation, now: float) -> bool:
        """Whether there is something to carry out; otherwise the attempt is over and is reported."""
        if not self._current(task):
            self._release(task, NOW)
            return False
        task.course = course
        if parts:
            if not self._outbox.is_synced:  # a long copy must not keep the rest of the node unknown
                task.looked = True
                self._say(course.outcome(seen, self._users))
            else:
                self._say_use(course.outcome(seen, self._users))
            return True
        task.looked = True
        if task.lacking and not course.failed:  # they are on their way; the next look follows their arrival
            self._say(course.outcome(seen, self._users))
            self._outbox.bump()
            self._release(task, NEVER if self._secrets.lacks(task.lacking) else NOW)
            return False
        task.course, task.refused = None, course.refused
        for device in course.opened(seen):
            if self._users is not None:
                self._users.pop(device, None)  # an earlier volume may have had a device of this name
        said = course.outcome(seen, self._users)
        task.wanted = report.without_new(task.wanted, said)
        self._say(said)
        if said.settled:
            task.failures = 0
            self._release(task, NEVER)
        else:
            self._release(task, now + BACK_OFF[min(task.failures, len(BACK_OFF) - 1)])
            task.failures += 1
        return False

    def _checked(self, task: Task, parts: tuple[Part, ...], said: ReportedResource, freed: frozenset[str]) -> None:
        """What should have stayed as it was: if not, it is worked on; a failed one keeps waiting for its turn, which
        comes at once when a device of it is not in use any more, when what was in the way of planning is not there,
        and when nothing is left to do, as after a pool was away for a while."""
        if not self._current(task):
            return
        again = any(part.steps or part.problem for part in parts)
        if not again and (task.due == NEVER or said.settled):
            self._say(said)
            if task.due != NEVER:
                task.due = NOW
            return
        cleared = any(part.key in task.refused and not part.problem for part in parts)
        if task.due == NEVER or cleared or any(volume.device in freed for volume in said.volumes):
            task.due = NOW
        self._say_use(said)

    def _say_use(self, seen: ReportedResource) -> None:
        """Whoever asked for a look wants to know who uses what, whatever is left to do."""
        if (said := self._outbox.said(seen.name)) is not None:
            self._outbox.resource(report.with_use(said, seen))

    def _say(self, said: ReportedResource) -> None:
        self._outbox.resource(self._holding.told(said))

    def _current(self, task: Task) -> bool:
        with self.changed:
            return self._tasks.get(key(task.wanted.name)) is task

    def _release(self, task: Task, due: float) -> None:
        task.due = due
        name = key(task.wanted.name)
        self._busy.discard(name)
        if name in self._outbox.passed_over:
            self._look_at = NOW
        self.changed.notify_all()

    def _report_pools(self, pools: tuple[WantedPool, ...], seen: Observation, problems: Mapping[str, str]) -> None:
        if pools is self._pools:
            for pool in pools:
                self._outbox.pool(report.pool(pool, seen, problems.get(pool.name, "")))

    def _finish_sync(self, pools: tuple[WantedPool, ...], seen: Observation) -> None:
        """Orphans can be told, and the `Sync` is over, once everything was looked at."""
        if pools is not self._pools or not all(task.looked for task in self._tasks.values()):
            return
        self._outbox.orphans(report.orphans([task.wanted for task in self._tasks.values()], seen))
        self._outbox.synced()


def _check(task: Task, seen: Observation, users: report.Users | None) -> tuple[tuple[Part, ...], ReportedResource]:
    return plan(task.wanted, seen), report.resource(task.wanted, seen, users, {}, ())
