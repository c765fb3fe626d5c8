"""Lists as tables: which columns there are is data, how they are drawn is here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import click

_WIDE = 10_000  # into a pipe nothing is cut or folded


class Cell(NamedTuple):
    """A text and its colour."""

    text: str
    colour: str = ""


class Column(NamedTuple):
    title: str
    cell: Callable[[Any], str | Cell]
    right: bool = False


class View(NamedTuple):
    """How one list is wanted."""

    pastable: bool = False
    groupby: tuple[str, ...] | None = None
    show_props: tuple[str, ...] | None = None


class Table(NamedTuple):
    """A kind of list. `group_names` are other spellings that --groupby takes."""

    kind: str
    columns: tuple[Column, ...]
    props: Callable[[Any], Mapping[str, str]] = lambda row: row.props
    group_names: Mapping[str, str] = {}

    def wanted_columns(self, view: View) -> list[Column]:
        """The columns, and one for each property that is to be shown: `key` or `key=Title`."""
        return [*self.columns, *(self._property(each) for each in view.show_props or ())]

    def _property(self, wanted: str) -> Column:
        key, _, title = wanted.partition("=")
        return Column(title or key, lambda row: self.props(row).get(key, ""))

    def show(self, rows: Sequence[Any], view: View, utf8: bool, colour: bool) -> None:
        columns = self.wanted_columns(view)
        lines = [[_cell(column.cell(row)) for column in columns] for row in rows]
        places = self._places(columns, view.groupby or ())
        if places:
            lines.sort(key=lambda line: [line[place].text for place in places])
        draw(columns, lines, utf8, colour, sections=places)

    def _places(self, columns: Sequence[Column], wanted: Sequence[str]) -> list[int]:
        known = {_plain(column.title): place for place, column in enumerate(columns)}
        known |= {_plain(name): known[_plain(title)] for name, title in self.group_names.items()}
        unknown = [name for name in wanted if _plain(name) not in known]
        if unknown:
            names = ", ".join(column.title for column in columns)
            raise click.UsageError(f"there is no column {unknown[0]!r} to group by; there are {names}.")
        return [known[_plain(name)] for name in wanted]


def draw(
    columns: Sequence[Column], lines: Sequence[Sequence[Cell]], utf8: bool, colour: bool, sections: Sequence[int] = ()
) -> None:
    """Draw a table on stdout; a rule parts rows that differ in the columns `sections`."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(
        width=None if sys.stdout.isatty() else _WIDE, no_color=not colour, highlight=False, markup=False, emoji=False
    )
    drawn = RichTable(box=box.ROUNDED if utf8 else box.ASCII, header_style="bold" if colour else "")
    for column in columns:
        drawn.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    before: list[str] | None = None
    for line in lines:
        group = [line[place].text for place in sections]
        if before is not None and group != before:
            drawn.add_section()
        before = group
        drawn.add_row(*(Text(cell.text, style=cell.colour if colour else "") for cell in line))
    console.print(drawn)


def _cell(value: str | Cell) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def _plain(name: str) -> str:
    """Case, blanks and signs do not matter in the name of a column."""
    return "".join(char for char in name.lower() if char.isalnum())
