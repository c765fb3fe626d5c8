"""A web server in a thread of a test."""

from __future__ import annotations

import threading
from typing import Any

from waitress.server import create_server


class Serving:
    """Serves an application on a port of loopback, a free one unless it is named, until it is closed."""

    def __init__(self, application: Any, threads: int, port: int = 0) -> None:
        self._server = create_server(application, host="127.0.0.1", port=port, threads=threads)
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No socket is left; what is being answered has nobody to tell it to. Can be repeated."""
        if not self._thread.is_alive():
            return
        pulled = threading.Event()

        def close_sockets() -> None:
            """In the thread of the server, which ends without sockets. The one that woke it is among them, and a
            request that ends wakes it, too: until it is woken from here, nothing may be closed."""
            pulled.wait()
            self._server.asyncore.close_all(self._server._map, ignore_all=True)

        self._server.trigger.pull_trigger(close_sockets)
        pulled.set()
        self._thread.join()

    def end_requests(self) -> None:
        """Waits for what is being answered."""
        self._server.task_dispatcher.shutdown()
