"""Objects of a pool that an administrator has named: made the storage of a volume, or removed.

What bears another mark than the one that was named, is in use, or belongs to what this node was told of, is left as it
is. The driver says which steps are left, again after every round, so that what was cut is finished by asking again.
"""

import logging
from collections.abc import Iterable

from orlop.drivers import LAYER, Drivers
from orlop.errors import CannotRead, DidNotConverge, OrlopError, Refused, WouldDestroy
from orlop.hooks import Hooks
from orlop.host import Host, execute
from orlop.model import BackingObject, WantedPool, WantedResource, WantedSnapshot, WantedVolume, objects_of
from orlop.plugin import Imports, Step, TakesObjects
from orlop.satellite.observe import observe
from orlop.satellite.secrets import no_secret
from orlop.transport.messages import ObjectTaken, TakeObject

log = logging.getLogger(__name__)

ROUNDS = 6


class Objects:
    """`taken` raises nothing that was to be expected: it is in the outcome."""

    def __init__(self, host: Host, drivers: Drivers, hooks: Hooks) -> None:
        self._host, self._drivers, self._hooks = host, drivers, hooks

    def taken(self, order: TakeObject, pools: Iterable[WantedPool], known: Iterable[WantedResource]) -> ObjectTaken:
        pool = next((p for p in pools if p.name == order.object.pool), None)
        done: list[str] = []
        steps: list[Step] = []
        found: BackingObject | None = None
        try:
            if pool is None:
                raise Refused(f"this node was not told of a storage pool named {order.object.pool}")
            _refuse_known(order, list(known))
            for _ in range(ROUNDS):
                driver = self._driver(pool, order.fence.cluster)
                found, steps = _left(driver, order)
                if order.only_look or not steps:
                    facts = self._facts(driver, found, order) if order.only_look else {}
                    return ObjectTaken(found=found, left=tuple(map(str, steps)), done=tuple(done), facts=facts)
                for step in steps:
                    execute(f"object {order.object.name}", (step,), self._host, self._hooks, no_secret)
                    done.append(str(step))
                steps = []
            raise DidNotConverge(f"after {ROUNDS} rounds {order.object.name} is not as it was to be")
        except OrlopError as error:
            log.warning("object %s of pool %s: %s", order.object.name, order.object.pool, error)
            told = f"{str(error).rstrip('.')}. {error.correction}" if error.correction else str(error)
            left = tuple(map(str, steps))
            return ObjectTaken(problem=told, left=left, code=error.code, found=found, done=tuple(done))

    def _facts(self, driver: TakesObjects, found: BackingObject | None, order: TakeObject) -> dict[str, str]:
        """What the layers above storage find on the object, with which it is to be brought up as it was."""
        facts: dict[str, str] = {}
        for level in order.volume.levels[:-1] if order.volume and found else ():
            layer = self._drivers.load(LAYER, level.layer)
            if not isinstance(layer, Imports):
                raise Refused(f"layer {level.layer} does not know how to go on with what others made")
            device = driver.device_of(found) if found else None
            if device is None:
                raise Refused(f"{order.object.name} is closed: open it, so that it can be looked at")
            facts |= layer.left_behind(self._host, device)
        return facts

    def _driver(self, pool: WantedPool, cluster: str) -> TakesObjects:
        seen = observe(self._host, self._drivers, (pool,), [], cluster)
        driver = seen.driver(pool.name)
        if problem := seen.problem(pool.name):
            raise CannotRead(problem)
        if not isinstance(driver, TakesObjects):
            raise Refused(f"objects in pools of kind {pool.provider} can be neither adopted nor removed by name")
        return driver


def _left(driver: TakesObjects, order: TakeObject) -> tuple[BackingObject | None, list[Step]]:
    """The object as it is now, and what is left to do with it."""
    wanted, volume = order.object, order.volume
    there = driver.found(wanted.pool, wanted.name)
    if volume is None:
        if there is None:
            return None, []
        _require_named(there, wanted, order.mark)
        return there, driver.discard(there, order.mark)
    taken = driver.found(wanted.pool, volume.name)
    ours = taken is not None and (taken.cluster, taken.uuid) == (order.fence.cluster, volume.uuid)
    if ours and (there is None or wanted.name == volume.name):
        return taken, []
    if there is None:
        raise Refused(f"there is no {wanted.name} in pool {wanted.pool}")
    _require_named(there, wanted, volume.uuid)
    return there, driver.adopt(there, volume)


def _require_named(there: BackingObject, wanted: BackingObject, own: str) -> None:
    """Raises unless the object bears exactly the mark that was named, or already the one of this very order."""
    if there.uuid in (wanted.uuid, own or wanted.uuid):
        return
    bears = f"bears the mark {there.uuid} of cluster {there.cluster or 'unknown'}" if there.uuid else "bears no mark"
    named = f"the mark {wanted.uuid} was named" if wanted.uuid else "none was named"
    raise WouldDestroy(f"{there.name} in pool {there.pool} {bears}, and {named}; it was left as it is")


def _refuse_known(order: TakeObject, known: list[WantedResource]) -> None:
    """Raises for what this node was told of: that is no orphan, whatever name it has now."""
    for resource in known:
        volumes = [each for volume in resource.volumes for each in objects_of(volume)]
        items: tuple[WantedVolume | WantedSnapshot, ...] = (*volumes, *resource.snapshots)
        for item in items:
            if item.pool != order.object.pool:
                continue
            same = order.object.name == item.name and order.object.uuid in ("", item.uuid)
            if same or (order.object.uuid and order.object.uuid in _marks(item)):
                raise Refused(f"{order.object.name} in pool {order.object.pool} belongs to {resource.name}")
            if order.volume is not None and order.volume.name == item.name:
                raise Refused(f"the name {item.name} in pool {order.object.pool} is taken by {resource.name}")


def _marks(item: WantedVolume | WantedSnapshot) -> tuple[str | None, ...]:
    return (item.uuid, item.replaces, item.source) if isinstance(item, WantedVolume) else (item.uuid,)
