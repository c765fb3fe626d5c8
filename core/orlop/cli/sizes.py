"""Sizes on the command line; see `orlop.model.sizes`."""

from typing import Any

import click

from orlop.cli.kinds import Kind
from orlop.model.sizes import UNITS, kib, shown

__all__ = ["SIZE", "UNITS", "Size", "kib", "shown"]


class Size(Kind):
    """A size; the value is KiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return kib(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


SIZE = Size()
