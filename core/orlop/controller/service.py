"""The controller as a whole: store, core, links, enrolment and the REST server, wired together."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from waitress.server import create_server

from orlop.controller.api import create_application
from orlop.controller.clock import SystemClock
from orlop.controller.cluster_key import ClusterKeys
from orlop.controller.condition_waiter import ConditionWaiter
from orlop.controller.core import Core
from orlop.controller.enrolment import Enrolment
from orlop.controller.error_reports import ErrorReports
from orlop.controller.link import Channel
from orlop.controller.links import ThreadedLinks
from orlop.controller.looking import Looking
from orlop.controller.restored import accept
from orlop.controller.standby import Standby
from orlop.controller.store import Activation, Store
from orlop.controller.usecases import cloning, encryption, votes
from orlop.controller.usecases.auto_diskful import AutoDiskful
from orlop.controller.usecases.healing import Healing
from orlop.drivers import Drivers
from orlop.errors import TransportError
from orlop.hooks import Hooks
from orlop.listener import cannot_listen
from orlop.model import Node
from orlop.transport.channel import Channel as SatelliteChannel
from orlop.transport.messages import Fence

log = logging.getLogger(__name__)

THREADS = 128  # of the REST server; waiting requests and event streams take at most half of them
SATELLITE_PORTS = {"PLAIN": 3366, "SSL": 3367}
AUTOMATISMS = 10.0  # seconds between looks at what nobody asked for
M_ARENA_MAX = -8  # mallopt(3)
ARENAS = 2


class Settings(NamedTuple):
    """Where the controller keeps its things and where it listens."""

    database: str
    state_directory: Path
    address: str = "127.0.0.1"
    port: int = 3370
    enrolment_address: str = "127.0.0.1"
    enrolment_port: int = 3371
    advertised: str | None = None  # how nodes reach the enrolment port, if not by enrolment_address
    key_store: str = "systemd"  # the driver that is asked for the master passphrase


class Service:
    """`start`, `serve`, `close`. Everything it opened is closed again, in reverse order."""

    def __init__(self, settings: Settings) -> None:
        self.failure = ""  # why it ended by itself
        self._settings = settings
        self._opened = contextlib.ExitStack()

    def start(self) -> None:
        """Ready to serve when this returns; with a database server, only after every other controller is gone."""
        few_arenas()
        settings = self._settings
        settings.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = self._opened.enter_context(Store.open(settings.database))
        if not settings.database.startswith("sqlite"):
            standby = Standby(store.lease(), f"{socket.gethostname()} process {os.getpid()}", self.fail)
            self._opened.callback(standby.stop)
            standby.wait_for_turn()
        activation = store.activate()
        loaded = store.load()
        for problem in loaded.problems:
            log.error("a row makes no sense and was left out: %s", problem)
        self._keys = ClusterKeys.open(settings.state_directory, activation.cluster, may_make=not loaded.picture.nodes)
        clock = SystemClock()
        core = Core(
            store,
            loaded.picture,
            fence_of(activation),
            Drivers.installed(),
            Hooks.installed(),
            clock,
            ConditionWaiter(clock),
            loaded.blocked,
            self.fail,
        )
        core.abandon_snapshots()
        encryption.unlock_from(core, settings.key_store)
        links = ThreadedLinks(core, self.dial)
        core.links = links
        core.accept_restore = lambda: accept(core, store, links)
        core.enrolment = enrolment = Enrolment(
            self._keys,
            settings.state_directory,
            address=settings.enrolment_address,
            port=settings.enrolment_port,
            advertised=settings.advertised,
        )
        reports = ErrorReports(settings.state_directory / "error-reports", clock)
        try:
            self._server = create_server(
                create_application(core, reports, threads=THREADS),
                host=settings.address,
                port=settings.port,
                threads=THREADS,
                connection_limit=2000,
                channel_timeout=300,
                clear_untrusted_proxy_headers=True,
                asyncore_use_poll=True,
                ident=None,
            )
        except OSError as error:
            raise cannot_listen(settings.address, settings.port, error) from error
        self._opened.callback(self._server.close)
        enrolment.start()
        self._opened.callback(enrolment.stop)
        links.start()
        self._opened.callback(links.stop)
        looking = Looking(automatisms(core), AUTOMATISMS, "automatisms")
        looking.start()
        self._opened.callback(looking.stop)
        gc.freeze()  # what was loaded stays; collecting garbage need not look at it again and again
        gc.set_threshold(20_000)  # a request makes thousands of values and leaves hardly any cycle behind

    def dial(self, node: Node, fence: Fence) -> Channel:
        """The connection to a satellite over the node's active interface; raises `TransportError`."""
        interface = next((i for i in node.interfaces if i.active), None)
        if interface is None:
            raise TransportError(
                f"node {node.name} has no active net interface",
                correction=f"orlop node interface modify {node.name} INTERFACE --active",
            )
        encryption = interface.encryption or "PLAIN"
        return SatelliteChannel(
            node.name,
            interface.address,
            interface.port or SATELLITE_PORTS[encryption],
            key=self._keys.identity.key,
            fence=fence,
            tls=self._keys.tls if encryption == "SSL" else None,
        )

    def serve(self) -> None:
        """Until a signal handler raises SystemExit or `fail` was called."""
        with contextlib.suppress(SystemExit):
            self._server.run()

    def fail(self, reason: str) -> None:
        """The controller must not go on: what it knows may not be what the database holds. Ends the process."""
        self.failure = self.failure or reason
        log.critical("ending: %s", reason)
        os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        self._opened.close()


def automatisms(core: Core) -> Callable[[], None]:
    """What is to be called again and again."""
    auto_diskful, healing = AutoDiskful(core), Healing(core)

    def look() -> None:
        cloning.look(core)
        votes.look(core)
        auto_diskful.look()
        healing.look()

    return look


def fence_of(activation: Activation) -> Fence:
    return Fence(cluster=activation.cluster, term=activation.term, nonce=activation.nonce)


def few_arenas() -> None:
    """glibc gives every thread a heap of its own and never joins them; big lists would stay in memory 64 times."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
    threading.stack_size(512 * 1024)
    sys.setswitchinterval(0.0003)  # seconds; a small answer must not wait 5 ms for each of many busy threads
