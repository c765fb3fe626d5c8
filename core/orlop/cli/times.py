"""Times as people write and read them. On the wire they are milliseconds since 1970."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

from orlop.cli.kinds import Kind

_AGO = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?", re.IGNORECASE)


def milliseconds(text: str, now: datetime | None = None) -> int:
    """`3d`, `1d10h`, `90m` are that long ago; a bare number is days; anything else an ISO date or time."""
    written = f"{text}d" if text.isdigit() else text
    ago = _AGO.fullmatch(written)
    if ago and any(ago.groups()):
        days, hours, minutes = (int(part or 0) for part in ago.groups())
        then = (now or datetime.now()) - timedelta(days=days, hours=hours, minutes=minutes)
    else:
        then = datetime.fromisoformat(text)
    return int(then.timestamp()) * 1000


def shown(stamp: int | None) -> str:
    """Local time, to the second."""
    return f"{datetime.fromtimestamp(stamp / 1000):%Y-%m-%d %H:%M:%S}" if stamp else ""


class Moment(Kind):
    """A moment in the past; the value is milliseconds since 1970."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return milliseconds(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write 3d, 1d10h, 90m or 2026-01-31T12:00.", param, ctx)


MOMENT = Moment()
