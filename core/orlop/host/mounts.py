"""Learn of mounts when they happen: the kernel wakes whoever polls the table of mounts, proc(5)."""

import os
import select

TABLE = "/proc/self/mountinfo"
CHANGED = select.POLLPRI | select.POLLERR


class Mounts:
    """The table stays open: the kernel tells each open file once of every change. Other namespaces do not count."""

    def __init__(self) -> None:
        self._table: int | None = None

    def __del__(self) -> None:
        if self._table is not None:
            os.close(self._table)

    def changed(self, wait: float) -> bool:
        if self._table is None:
            self._table = os.open(TABLE, os.O_RDONLY | os.O_CLOEXEC)
        poll = select.poll()
        poll.register(self._table, CHANGED)
        return bool(poll.poll(wait * 1000))
