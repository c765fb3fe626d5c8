"""Make what pools stand on out of unused devices, and take it apart: one at a time, in the caller's thread.

The driver says which steps are left, again after every round, so that an attempt that was cut is finished by the next
one. That a device may be written to is proved here: it is among the unused ones right now, or was when this attempt
began, or bears the driver's own sign of an attempt that was cut; and nobody uses it. Whatever else a step names is
refused.
"""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from orlop.drivers import STORAGE, Drivers
from orlop.errors import DidNotConverge, OrlopError, Refused, WouldDestroy
from orlop.hooks import Hooks
from orlop.host import Host, execute
from orlop.model import NewBacking, WantedPool
from orlop.plugin import DeviceStorage, RequireUnused, Run, Step
from orlop.satellite import physical
from orlop.satellite.secrets import no_secret
from orlop.satellite.wiping import WipeRecord
from orlop.transport.messages import BackingOutcome

log = logging.getLogger(__name__)

ROUNDS = 10


class Backings:
    """`making` and `removing` never raise what was to be expected: it is in the outcome."""

    def __init__(self, host: Host, drivers: Drivers, hooks: Hooks, directory: str) -> None:
        """`directory` keeps what has to be known of an attempt after a crash."""
        self._host, self._drivers, self._hooks, self._directory = host, drivers, hooks, directory
        self._lock = threading.Lock()

    def make(self, backing: NewBacking, cluster: str) -> BackingOutcome:
        proved: set[str] = set()

        def left(driver: Any) -> list[Step]:
            steps: list[Step] = driver.make_backing(self._host, backing, cluster)
            if steps:
                proved.update(device.device for device in physical.unused(self._host))
                proved.update(driver.begun(self._host, backing, cluster))
                _require_proved(steps, backing, proved)
            return steps

        def guarded(steps: Sequence[Step]) -> list[Step]:
            first = [RequireUnused(device=device) for device in backing.devices if _names(steps, device)]
            return [*first, *steps]

        return self._carry_out(backing.provider, f"backing {backing.name}", left, guarded)

    def remove(self, pool: WantedPool, cluster: str) -> BackingOutcome:
        record = WipeRecord(self._host, self._directory, pool)

        def left(driver: Any) -> list[Step]:
            steps: list[Step] = driver.remove_backing(self._host, pool, cluster)
            if steps:
                record.begin(steps)
                return steps
            if not (steps := record.left()):
                record.end()
            return steps

        return self._carry_out(pool.provider, f"pool {pool.name}", left, list)

    def _carry_out(
        self,
        provider: str,
        what: str,
        left: Callable[[Any], list[Step]],
        guarded: Callable[[Sequence[Step]], list[Step]],
    ) -> BackingOutcome:
        with self._lock:
            steps: list[Step] = []
            doing = ""
            try:
                driver = self._driver(provider)
                for _ in range(ROUNDS):
                    steps = left(driver)
                    if not steps:
                        return BackingOutcome()
                    for step in guarded(steps):
                        doing = str(step)
                        execute(what, (step,), self._host, self._hooks, no_secret)
                    doing = ""
                raise DidNotConverge(f"after {ROUNDS} rounds there is still to do: {'; '.join(map(str, steps))}")
            except OrlopError as error:
                log.warning("%s: %s", what, error)
                told = str(error) + (f" {error.correction}" if error.correction else "")
                return BackingOutcome(problem=told, step=doing, left=tuple(map(str, steps)), code=error.code)

    def _driver(self, provider: str) -> Any:
        driver = self._drivers.load(STORAGE, provider)
        if not isinstance(driver, DeviceStorage):
            raise Refused(f"a pool of kind {provider} is not made of whole devices")
        missing = [name for name, path in self._host.programs(driver.programs).items() if path is None]
        if missing:
            raise Refused(f"not installed on this node: {', '.join(sorted(missing))}")
        return driver


def _require_proved(steps: Sequence[Step], backing: NewBacking, proved: Collection[str]) -> None:
    """Raises unless every device that is written to was seen unused and blank in this attempt."""
    doubtful = [device for device in backing.devices if device not in proved and _names(steps, device)]
    if doubtful:
        raise WouldDestroy(
            f"{', '.join(doubtful)}: not an unused, blank device of this node; it was left as it is.",
            correction="Name devices as 'orlop physical-storage list' shows them. One that is not needed any more is "
            "shown there once its content is wiped, for example with 'wipefs --all'.",
        )


def _names(steps: Sequence[Step], device: str) -> bool:
    return any(isinstance(step, Run) and device in step.argv for step in steps)
