"""What happens to the words of a command before click reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click


class Maybe(click.Option):
    """An option whose value may be left out; then it is `alone`."""

    def __init__(self, *args: Any, alone: str, **more: Any) -> None:
        more.update(is_flag=False, flag_value=alone)
        super().__init__(*args, **more)


@dataclass
class _Run:
    """A greedy option and the words that follow it."""

    option: str
    words: list[str] = field(default_factory=list)

    def spread(self) -> list[str]:
        """`-n a b` becomes `-n a -n b`; without words the option gets an empty one."""
        return [part for word in self.words or [""] for part in (self.option, word)]


@dataclass
class _Reader:
    options: dict[str, click.Option]
    ctx: click.Context
    out: list[str | _Run] = field(default_factory=list)
    positional: int = 0

    def read(self, args: Sequence[str]) -> None:
        rest = list(args)
        while rest:
            word = rest.pop(0)
            if word == "--":
                self.out += [word, *rest]
                self.positional += len(rest)
                return
            self._one(word, rest)

    def _one(self, word: str, rest: list[str]) -> None:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name = self._whole(name)
        option = self.options.get(name)
        if option is None:
            self.positional += not _is_option(word)
            self.out.append(word)
        elif equals:
            self.out.append(f"{name}={value}")
        elif option.multiple:
            run = _Run(name)
            while rest and not _is_option(rest[0]):
                run.words.append(rest.pop(0))
            self.out.append(run)
        else:
            self.out.append(name)
            if (
                not (option.is_flag or option.count)
                and rest
                and not (isinstance(option, Maybe) and _is_option(rest[0]))
            ):
                self.out.append(rest.pop(0))

    def _whole(self, name: str) -> str:
        """The only long option that begins so."""
        if not name.startswith("--") or name in self.options:
            return name
        found = sorted(each for each in self.options if each.startswith(name))
        if len({id(self.options[each]) for each in found}) > 1:
            self.ctx.fail(f"{name} is ambiguous; it may be {', '.join(found)}.")
        return found[0] if found else name

    def give_back(self, least: int) -> None:
        """A greedy option that took the words the command itself needs hands its last ones over."""
        for place in range(len(self.out) - 1, -1, -1):
            run = self.out[place]
            missing = least - self.positional
            if missing <= 0:
                return
            if isinstance(run, _Run) and len(run.words) > missing:
                self.out[place + 1 : place + 1] = run.words[-missing:]
                del run.words[-missing:]
                self.positional = least


def expand(args: Sequence[str], options: Sequence[click.Option], least: int, ctx: click.Context) -> list[str]:
    """Spell out shortened options and greedy ones, so that `least` words are left for the command."""
    by_name = {name: option for option in options for name in (*option.opts, *option.secondary_opts)}
    by_name |= {name: click.Option(["--help"], is_flag=True) for name in ctx.help_option_names}
    reader = _Reader(by_name, ctx)
    reader.read(args)
    reader.give_back(least)
    return [part for piece in reader.out for part in (piece.spread() if isinstance(piece, _Run) else [piece])]


def _is_option(word: str) -> bool:
    return word.startswith("-") and len(word) > 1
