"""The plugin as a whole: client, driver and sockets, wired together."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from orlop.errors import OrlopError
from orlop.host import LocalHost
from orlop.listener import Listener
from orlop_docker import server
from orlop_docker.configuration import Configuration
from orlop_docker.driver import Driver
from orlop_docker.mounting import Mounting
from orlop_docker.protocol import Application
from orlop_docker.references import References

log = logging.getLogger(__name__)
TIME_OUT = 90.0  # seconds for a program; an engine waits 120 for a mount


class Running:
    """`open` or `listen`, then `start`, `look` from time to time, `stop`."""

    def __init__(self, settings: Configuration) -> None:
        host = LocalHost(time_out=TIME_OUT)
        mounting = Mounting(host, settings.root)
        references = References(Path(settings.root) / "mounts.json", mounting.table())
        self._client = settings.client()
        self._driver = Driver(self._client, mounting, references, settings.node or host.name(), settings.defaults)
        self._listeners: list[Listener] = []
        self._own: list[Path] = []

    def open(self, paths: Iterable[Path]) -> None:
        """The sockets of systemd, if it has opened any, else these."""
        sockets = server.inherited()
        for path in paths if not sockets else ():
            sockets.append(server.unix_socket(path))
            self._own.append(path)
        for each in sockets:
            self._listeners.append(server.listener(Application(self._driver, server.driver_name(each)), each))
            log.info("serving %s", each.getsockname())

    def listen(self, address: str, port: int, driver: str, cert: Path, key: Path, ca: Path) -> None:
        tls = server.with_certificates(cert, key, ca)
        self._listeners.append(server.listener(Application(self._driver, driver), (address, port), tls))

    def start(self) -> None:
        for listener in self._listeners:
            listener.start()

    def look(self) -> None:
        if not all(listener.running for listener in self._listeners):
            raise OrlopError("a socket is not served any more; the log says why")
        self._driver.look()

    def stop(self) -> None:
        for listener in self._listeners:
            listener.stop()
        for path in self._own:
            path.unlink(missing_ok=True)
        self._client.close()
