"""Arguments and options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click

from orlop.cli import completion
from orlop.cli.grammar import WORDS, Many
from orlop.cli.table import View

Decorated = Callable[..., Any]
Decorator = Callable[[Decorated], Decorated]


def stacked(*decorators: Decorator) -> Decorator:
    """Several decorators as one, the first outermost."""

    def decorate(function: Decorated) -> Decorated:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def node(name: str = "node", **more: Any) -> Decorator:
    return click.argument(name, shell_complete=completion.NODES, **more)


def nodes(**more: Any) -> Decorator:
    return click.argument("nodes", nargs=-1, required=True, shell_complete=completion.NODES, **more)


def resource(name: str = "resource", **more: Any) -> Decorator:
    return click.argument(name, shell_complete=completion.RESOURCES, **more)


def pool(name: str = "pool", **more: Any) -> Decorator:
    return click.argument(name, shell_complete=completion.POOLS, **more)


def group(name: str = "group", **more: Any) -> Decorator:
    return click.argument(name, shell_complete=completion.GROUPS, **more)


def number(name: str = "number", **more: Any) -> Decorator:
    return click.argument(name, type=int, shell_complete=completion.VOLUMES, **more)


def many(*names: str, help: str, **more: Any) -> Decorator:
    return click.option(*names, cls=Many, help=help, **more)


def layers(*names: str, help: str = "Layers from top to bottom, for example drbd,luks,storage.") -> Decorator:
    return click.option(*(names or ("-l", "--layer-list")), "layers", type=WORDS, help=help)


def on_nodes() -> Decorator:
    return many("-n", "--nodes", help="Only these nodes.", shell_complete=completion.NODES)


def of_resources(*names: str) -> Decorator:
    names = names or ("-r", "--resources")
    return many(*names, "resources", help="Only these resources.", shell_complete=completion.RESOURCES)


def in_pools() -> Decorator:
    return many("-s", "--storage-pools", "pools", help="Only these storage pools.", shell_complete=completion.POOLS)


def with_props() -> Decorator:
    return many("--props", help="Only objects with these properties: KEY or KEY=VALUE.")


def not_waiting() -> Decorator:
    """Accepted because scripts say it; the controller answers when the satellites are done, or away."""
    return click.option("--async", "asynchronous", is_flag=True, hidden=True, expose_value=False)


pastable = click.option("-p", "--pastable", is_flag=True, help="A plain table, for pasting into a text.")


def listing(*, groups: bool = True, show_props: tuple[str, ...] | None = ("-s", "--show-props")) -> Decorator:
    """The options of a list; they reach the command as `view`."""

    def decorate(function: Decorated) -> Decorated:
        def called(
            *args: Any,
            pastable: bool,
            groupby: tuple[str, ...] | None = None,
            show_props: tuple[str, ...] | None = None,
            from_file: Path | None = None,
            **more: Any,
        ) -> Any:
            session = args[0]
            if from_file:
                session.replay(from_file)
            return function(*args, view=View(pastable, groupby, show_props), **more)

        update_wrapper(called, function)
        from_file = click.option(
            "--from-file", type=click.Path(path_type=Path), help="Show a saved JSON answer; - for standard input."
        )
        wanted: list[Decorator] = [pastable]
        if groups:
            wanted.append(many("-g", "--groupby", help="Sort and part the rows by these columns."))
        if show_props:
            wanted.append(many(*show_props, help="Add columns with these properties: KEY or KEY=TITLE."))
        return stacked(*wanted, from_file)(called)

    return decorate


def pairs(words: tuple[str, ...] | None) -> dict[str, str]:
    """`FROM=TO` words as a mapping."""
    found = dict(word.partition("=")[::2] for word in words or ())
    bad = next((key for key, value in found.items() if not (key and value)), None)
    if bad is not None:
        raise click.UsageError(f"{bad!r} is not of the form FROM=TO.")
    return found
