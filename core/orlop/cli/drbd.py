"""`drbd-options` and its relatives: one option of the command line for every option of DRBD.

The options are data: `drbd_options.txt` has one line each, with section, name, kind, least and largest value.
A kind is a list of words, `number`, `text`, or `size:` with the unit that DRBD counts in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from orlop.cli.grammar import Menu, Verb
from orlop.cli.kinds import Kind
from orlop.cli.options import Decorator, stacked
from orlop.cli.sizes import UNITS

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer, Changes

EVERYWHERE = ("Disk", "Handlers", "Net", "PeerDevice", "Resource")
CONNECTION = ("Net", "PeerDevice")
VOLUME = ("Disk",)
_BYTES = {"B": 1, "KiB": 1024, "sectors": 512}


class DrbdOption(NamedTuple):
    section: str
    name: str
    kind: str
    least: str = ""
    most: str = ""

    @property
    def key(self) -> str:
        return f"DrbdOptions/{self.section}/{self.name}"

    @property
    def words(self) -> tuple[str, ...]:
        """How it is written on the command line; the first spelling is shown."""
        if self.section == "Handlers":
            return (f"handler-{self.name}",)
        return (self.name, "drbd-timeout") if self.name == "timeout" else (self.name,)

    @property
    def help(self) -> str:
        if self.kind.startswith("size:"):
            return f"From {self.least} to {self.most} {self.kind[5:]}; also a size with a unit."
        return f"From {self.least} to {self.most}." if self.kind == "number" else "See drbd.conf(5)."

    def type(self) -> Kind | None:
        if self.kind.startswith("size:"):
            return _Amount(_BYTES[self.kind[5:]])
        if self.kind == "number":
            return click.INT
        if self.kind == "text" or self.kind.startswith("number|"):
            return click.STRING
        return click.Choice(self.kind.split("|"), case_sensitive=self.kind != "yes|no")


class _Amount(Kind):
    """A number in DRBD's own unit, or a size with a unit that is converted to it."""

    name = "size"

    def __init__(self, unit: int) -> None:
        self._unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        unit = text[len(digits) :].lower()
        if not digits.strip().isdigit() or (unit and unit not in UNITS):
            self.fail(f"{value!r} is not a size; write a number, or a number and a unit such as k or MiB.", param, ctx)
        return str(-(-Fraction(int(digits) * UNITS[unit]) // self._unit)) if unit else digits.strip()


@cache
def table() -> tuple[DrbdOption, ...]:
    lines = Path(__file__).with_name("drbd_options.txt").read_text(encoding="ascii").splitlines()
    return tuple(DrbdOption(*line.split()) for line in lines)


def options_of(sections: Sequence[str]) -> list[DrbdOption]:
    """`bitmap` is a peer-device option that can also be set on volumes."""
    return [
        option
        for option in table()
        if option.section in sections or (option.name == "bitmap" and tuple(sections) == VOLUME)
    ]


class DrbdVerb(Verb):
    """Its hundred options are made only when it is used."""

    sections: Sequence[str] = ()

    @cached_property
    def _drbd(self) -> list[click.Parameter]:
        made: list[click.Parameter] = []
        for place, option in enumerate(options_of(self.sections)):
            words = [f"--{word}" for word in option.words]
            unset = [f"--unset-{word}" for word in option.words]
            made.append(click.Option([*words, f"set_{place}"], type=option.type(), help=option.help))
            made.append(click.Option([*unset, f"unset_{place}"], is_flag=True, hidden=True))
        return made

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *self._drbd]


def changes_in(sections: Sequence[str], given: dict[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What to set and what to unset; takes its members out of `given`."""
    override: dict[str, str] = {}
    delete: list[str] = []
    for place, option in enumerate(options_of(sections)):
        value = given.pop(f"set_{place}")
        if given.pop(f"unset_{place}"):
            delete.append(option.key)
        elif value is not None:
            override[option.key] = str(value)
    return override, tuple(delete)


def add_drbd_options(
    menu: Menu,
    names: Sequence[str],
    sections: Sequence[str],
    what: str,
    arguments: list[Decorator],
    change: Callable[..., Answer],
    example: str,
) -> None:
    """`change(client, changes, **names)` changes the properties of the object."""

    @menu_command(menu, names, sections, what, example)
    @stacked(*arguments)
    def drbd_options(session: Session, **given: Any) -> Answer:
        from orlop.client import Changes

        override, delete = changes_in(sections, given)
        if not override and not delete:
            raise click.UsageError("give at least one option to set or, with --unset- before its name, to unset.")
        changes: Changes = Changes(override=override, delete=delete)
        return change(session.client, changes, **given)


def menu_command(
    menu: Menu, names: Sequence[str], sections: Sequence[str], what: str, example: str
) -> Callable[[Callable[..., Any]], Verb]:
    """Make a command with DRBD options; the first name is shown, the others are aliases."""
    help = f"Set DRBD options of {what}. To unset one, write --unset- before its name, for example --unset-protocol."

    def made(function: Callable[..., Any]) -> Verb:
        kind = type("DrbdVerb", (DrbdVerb,), {"sections": tuple(sections)})
        return menu.verb(names[0], *names[1:], example=example, cls=kind, help=help)(function)

    return made
