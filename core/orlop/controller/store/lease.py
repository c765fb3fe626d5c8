"""Which of several controllers may be active: a row with a holder and an end on the database's clock."""

import time
from collections.abc import Callable

from sqlalchemy import Engine, text

# Milliseconds since 1970 by the database's own clock.
NOW = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    "mysql": "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS SIGNED)",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}


class Lease:
    """`held` turns false at half time by this process's own clock, before anybody else can get the lease."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._now = NOW["mysql" if engine.dialect.name == "mariadb" else engine.dialect.name]
        self._holder = ""
        self._seconds = 0.0
        self._until = float("-inf")

    @property
    def held(self) -> bool:
        return self._clock() < self._until

    def acquire(self, holder: str, seconds: float) -> bool:
        """Take the lease if it is free, over, or this holder's already."""
        asked = self._clock()  # before the question: the answer may take its time
        taken = self._update(
            f"holder = :holder, expires = {self._now} + :length",
            f"holder = '' OR holder = :holder OR expires < {self._now}",
            holder=holder,
            length=round(seconds * 1000),
        )
        if taken:
            self._holder, self._seconds = holder, seconds
            self._until = asked + seconds / 2
        return taken

    def renew(self) -> bool:
        """False when the lease ran out and somebody else has it, or was never held."""
        if not self._holder:
            return False
        asked = self._clock()
        renewed = self._update(
            f"expires = {self._now} + :length",
            "holder = :holder",
            holder=self._holder,
            length=round(self._seconds * 1000),
        )
        self._until = asked + self._seconds / 2 if renewed else float("-inf")
        return renewed

    def release(self) -> None:
        self._until = float("-inf")
        if self._holder:
            self._update("holder = '', expires = 0", "holder = :holder", holder=self._holder)
            self._holder = ""

    def _update(self, change: str, condition: str, **values: object) -> bool:
        statement = text(f"UPDATE lease SET {change} WHERE id = 1 AND ({condition})")
        with self._engine.begin() as connection:
            return connection.execute(statement, values).rowcount == 1
