"""One active controller among several on a database server: wait for the lease, keep it, end when it is lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from orlop.controller.store import Lease

log = logging.getLogger(__name__)

SECONDS = 15.0  # a lease; its holder stops by itself at half of it
PAUSE = 2.0  # between attempts to get or renew it


class Standby:
    """`lost` is called once, with a sentence, when the lease could not be kept."""

    def __init__(self, lease: Lease, holder: str, lost: Callable[[str], None], seconds: float = SECONDS) -> None:
        self._lease, self._holder, self._lost, self._seconds = lease, holder, lost, seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def wait_for_turn(self) -> None:
        """Returns when this controller may become active; from then on the lease is renewed."""
        waited = False
        while not self._lease.acquire(self._holder, self._seconds):
            if not waited:
                log.info("another controller is active; standing by")
                waited = True
            self._stopped.wait(PAUSE)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(self._seconds)
            self._lease.release()

    def _keep(self) -> None:
        while not self._stopped.wait(PAUSE):
            try:
                kept = self._lease.renew()
            except SQLAlchemyError as error:
                log.warning("the lease of the active controller could not be renewed: %s", error)
                kept = self._lease.held
            if not kept or not self._lease.held:
                self._lost("the lease of the active controller was lost; another controller may take over")
                return
