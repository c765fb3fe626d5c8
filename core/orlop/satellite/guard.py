"""The process that lets suspended I/O go on if the satellite does not: `python -m orlop.satellite.guard`.

It is started before anything is suspended and outlives the satellite. It ends when the note that it watches over is
gone, or when time is up and it has let go.
"""

import logging
import sys
import time
from collections.abc import Callable

from orlop.drivers import LAYER, Drivers
from orlop.errors import OrlopError
from orlop.hooks import Hooks
from orlop.host import Host, LocalHost, execute
from orlop.plugin import HoldsWrites
from orlop.satellite.holding import let_go, read
from orlop.satellite.secrets import no_secret

log = logging.getLogger(__name__)
LOOK_EVERY = 1.0  # seconds


def is_over(host: Host, drivers: Drivers, directory: str, resource: str, hold: str, clock: Callable[[], float]) -> bool:
    """One look; True when there is nothing left to watch over. Raises what a program says."""
    note = read(host, directory, resource)
    if note is None or note.hold != hold:
        return True
    layer = drivers.load(LAYER, note.layer)
    if clock() < note.until or not isinstance(layer, HoldsWrites):
        return False
    log.warning("I/O of %s was suspended for too long: it goes on", resource)
    return let_go(host, layer, directory, note, lambda steps: execute(resource, steps, host, Hooks(), no_secret))


def main(directory: str, resource: str, hold: str) -> None:
    host, drivers = LocalHost(), Drivers.installed()
    print("ready", flush=True)
    while True:
        try:
            if is_over(host, drivers, directory, resource, hold, time.monotonic):
                return
        except OrlopError:
            log.exception("I/O of %s is still suspended", resource)
        time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
