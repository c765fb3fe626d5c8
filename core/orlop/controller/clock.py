"""The real clock."""

import time


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def milliseconds(self) -> int:
        return time.time_ns() // 1_000_000
