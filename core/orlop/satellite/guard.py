"""The process that lets suspended I/O go on if the satellite does not: `python -m orlop.satellite.guard NOTE HOLD`.

It is started before anything is suspended and outlives the satellite. It ends when the note that it watches over is
gone or is about another hold, or when time is up and it has let go. What that takes is imported only then: while it
starts, other nodes may be suspended already.
"""

import json
import sys
import time
import traceback

LOOK_EVERY = 1.0  # seconds


def until(path: str, hold: str) -> float | None:
    """When time is up; None when there is nothing to watch over."""
    try:
        with open(path, encoding="utf-8") as file:
            note = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return float(note["until"]) if note["hold"] == hold else None


def main(path: str, hold: str) -> None:
    print("ready", flush=True)
    while watched(path, hold):
        time.sleep(LOOK_EVERY)


def watched(path: str, hold: str) -> bool:
    """Whether there is still something to watch over. After any error, for I/O may be suspended: yes."""
    try:
        if (end := until(path, hold)) is None:
            return False
        if time.monotonic() >= end:
            from orlop.satellite.holding import let_go_of_expired

            let_go_of_expired(path, hold)
    except Exception:  # noqa: BLE001 - whatever it is, nobody else would let go
        traceback.print_exc()
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
