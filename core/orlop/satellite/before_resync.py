"""What DRBD runs before it makes data here inconsistent by a synchronization, and after that has finished.

    python -m orlop.satellite.before_resync take FOLDER      (DRBD_RESOURCE, DRBD_VOLUME in the environment)
    python -m orlop.satellite.before_resync remove FOLDER
    python -m orlop.satellite.before_resync remove-kept FILE

A snapshot is taken of the backing volume, so that there is something to go back to if the other node is lost
meanwhile. Nobody is asked: the satellite may not run, the controller may be away. What may be done lies in FOLDER, and
was put there by an order of the controller; nothing else is touched. A snapshot that is still there holds data from
before an earlier synchronization that never finished: it is kept, for what is on the volume now is worth less.

It has to start fast: DRBD waits for it.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from orlop.drivers import STORAGE, one
from orlop.errors import CannotRead, DidNotConverge, NodeError, OrlopError
from orlop.hooks import Hooks
from orlop.host import Host, LocalHost, execute
from orlop.model import Presence
from orlop.model.decoding import decoded
from orlop.model.keeping import Keeping, Kept
from orlop.plugin import RemoveFile, Step, StorageDriver, WriteFile
from orlop.plugin.keeping import REMOVE_KEPT, TAKE, keeping_of, kept_of

ROUNDS = 4  # looks at the pool
Said = TypeVar("Said", Keeping, Kept)
Find = Callable[[str, str], Any]  # a driver by the group of its entry point and its name


def main() -> None:
    sys.exit(carried_out(LocalHost(), one, sys.argv[1:], os.environ))


def carried_out(host: Host, find: Find, arguments: list[str], environment: Mapping[str, str]) -> int:
    """The exit code: DRBD begins no synchronization where that of `take` is not 0."""
    action, path = arguments
    if action == REMOVE_KEPT:
        return _remove(host, find, path)
    code = 0
    for number in environment.get("DRBD_VOLUME", "").split():
        keeping = _read(host, keeping_of(path, environment["DRBD_RESOURCE"], int(number)), Keeping)
        if keeping is not None:  # else the controller has not allowed it, or not any more
            kept = kept_of(path, keeping.snapshot)
            code |= _take(host, find, keeping, kept) if action == TAKE else _remove(host, find, kept)
    return code


def _read(host: Host, path: str, kind: type[Said]) -> Said | None:
    """None also for what makes no sense: files appear whole."""
    text = host.read(path)
    try:
        return decoded(text, kind) if text else None
    except msgspec.DecodeError as error:
        print(f"{path} cannot be understood: {error}", file=sys.stderr, flush=True)
        return None


def _take(host: Host, find: Find, keeping: Keeping, at: str) -> int:
    name = keeping.snapshot.name
    try:
        _note(host, at, Kept(keeping=keeping))
        for _ in range(ROUNDS):
            driver = _look(host, find, keeping)
            if driver.snapshot_presence(keeping.snapshot) is Presence.READY:
                print(f"{name}: the data is kept as it was before the synchronization", flush=True)
                return 0
            steps = driver.take_snapshot(keeping.snapshot)
            if not steps:
                raise CannotRead(f"{name} cannot be taken: something else bears its name")
            _act(host, keeping, steps)
        raise DidNotConverge(f"{name} was not taken after {ROUNDS} attempts")
    except OrlopError as error:
        print(f"{name}: no snapshot before the synchronization: {error}", file=sys.stderr, flush=True)
        _note(host, at, Kept(keeping=keeping, problem=str(error)))
        return int(keeping.required)


def _remove(host: Host, find: Find, at: str) -> int:
    kept = _read(host, at, Kept)
    if kept is None:
        return 0
    keeping, problem = kept.keeping, ""
    snapshot = msgspec.structs.replace(keeping.snapshot, wanted=False, new=False)
    for _ in range(ROUNDS):
        try:
            steps = _look(host, find, keeping).remove_snapshot(snapshot)
            _act(host, keeping, steps or [RemoveFile(path=at)])
        except OrlopError as error:  # DRBD and the satellite may both have it removed: only the next look tells
            problem = str(error)
            continue
        if not steps:
            return 0
    print(f"{snapshot.name}: what was kept is still there: {problem}", file=sys.stderr, flush=True)
    return 1


def _look(host: Host, find: Find, keeping: Keeping) -> StorageDriver:
    pool = keeping.pool
    driver: StorageDriver = find(STORAGE, pool.provider).observe(host, (pool,), keeping.cluster)
    if problem := driver.pool_problem(pool.name):
        raise NodeError(problem)
    return driver


def _note(host: Host, at: str, kept: Kept) -> None:
    _act(host, kept.keeping, [WriteFile(path=at, content=msgspec.json.encode(kept).decode())])


def _act(host: Host, keeping: Keeping, steps: list[Step]) -> None:
    execute(keeping.snapshot.resource, steps, host, Hooks(), _no_secret)


def _no_secret(name: str) -> bytes:
    raise NodeError(f"secret {name!r} is not known here")


if __name__ == "__main__":
    main()
