"""The shape of the language: groups with aliases and unique prefixes, commands with greedy options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from orlop.cli.kinds import Kind
from orlop.cli.words import expand

DRY_RUN = "--dry-run"
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Later(NamedTuple):
    """A group whose module is imported when somebody uses it."""

    module: str
    aliases: tuple[str, ...]
    help: str
    attribute: str = "MENU"


class Many(click.Option):
    """An option that takes all words up to the next option: `-n alpha bravo`, also `-n alpha -n bravo`.

    The value is None when it was not given, and an empty tuple when it was given without words.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        more.setdefault("metavar", "WORD...")
        more["multiple"] = True
        super().__init__(*args, **more)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        words = super().process_value(ctx, value)
        return tuple(word for word in words if word != "") if words else None


class Words(Kind):
    """Words parted by commas: `drbd,luks,storage`."""

    name = "a,b,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(word.strip() for word in value.split(",") if word.strip())


WORDS = Words()


def _literal(args: list[str]) -> list[str]:
    """What is one word with a space in it is no option, even if it begins like one: `set-property ... "-o a=b"`."""
    for index, word in enumerate(args):
        if word == "--":
            return args
        first, space, _ = word.partition(" ")
        is_value = index > 0 and args[index - 1].startswith("-")
        if word.startswith("-") and space and "=" not in first and not is_value:
            return [*args[:index], "--", *args[index:]]
    return args


class Verb(click.Command):
    """A command: one paragraph of help, its options, an example.

    `least` says how many words besides options it needs; a greedy option leaves that many.
    """

    def __init__(
        self, *args: Any, example: str = "", least: Callable[[Sequence[str]], int] | None = None, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.example = example
        self._least = least

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        if not ctx.resilient_parsing:
            args = self._without_dry_run(ctx, args)
            args = expand(_literal(args), options, self._least(args) if self._least else self._required(), ctx)
        return super().parse_args(ctx, args)

    def _without_dry_run(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Every command knows it, but for those that have an option of that name themselves. Only in full: no other
        option's beginning becomes ambiguous by it."""
        from orlop.cli.session import Session

        before = args[: args.index("--")] if "--" in args else args
        if DRY_RUN not in before or any(DRY_RUN in param.opts for param in self.params):
            return args
        ctx.ensure_object(Session).dry_run = True
        at = before.index(DRY_RUN)
        return [*args[:at], *args[at + 1 :]]

    def _required(self) -> int:
        return sum(max(param.nargs, 1) for param in self.params if isinstance(param, click.Argument) and param.required)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.example:
            with formatter.section("Example"):
                for line in self.example.splitlines():
                    formatter.write_text(line)

    def invoke(self, ctx: click.Context) -> Any:
        """A command that returns an answer has it reported."""
        from orlop.cli.session import Session

        answer = super().invoke(ctx)
        if answer is not None:
            ctx.ensure_object(Session).report(answer)
        return None


class Menu(click.Group):
    """A level of the grammar. Commands are found by name, by alias, or by the only name with that beginning."""

    def __init__(self, *args: Any, later: dict[str, Later] | None = None, **more: Any) -> None:
        more.setdefault("context_settings", HELP)
        super().__init__(*args, **more)
        self._later = later or {}
        self._aliases = {alias: name for name, each in self._later.items() for alias in each.aliases}

    def verb(
        self, name: str, *aliases: str, example: str, least: Callable[[Sequence[str]], int] | None = None, **more: Any
    ) -> Callable[[Callable[..., Any]], Verb]:
        """Make a function a command of this menu; it gets the session as its first argument."""

        def made(function: Callable[..., Any]) -> Verb:
            kind: type[Verb] = more.pop("cls", Verb)
            wanted = click.command(name, cls=kind, context_settings=HELP, example=example, least=least, **more)
            command = wanted(_with_session(function))
            self.add_command(command)
            self.alias(name, *aliases)
            return command

        return made

    def menu(self, name: str, *aliases: str, help: str) -> Menu:
        """A menu below this one."""
        below = Menu(name, help=help)
        self.add_command(below)
        self.alias(name, *aliases)
        return below

    def alias(self, name: str, *aliases: str) -> None:
        self._aliases.update(dict.fromkeys(aliases, name))

    def aliases_of(self, name: str) -> list[str]:
        return [alias for alias, target in self._aliases.items() if target == name]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in self._names() if name not in self._later or self._later[name].help]

    def _names(self) -> list[str]:
        return sorted({*self.commands, *self._later})

    def candidates(self, word: str) -> list[str]:
        """The names that `word` may stand for."""
        names = self._names()
        if word in names:
            return [word]
        if word in self._aliases:
            return [self._aliases[word]]
        return [name for name in names if name.startswith(word)] if word else []

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self.candidates(cmd_name)
        if len(found) != 1:
            return None
        name = found[0]
        if name in self._later and name not in self.commands:
            self.add_command(_imported(self._later[name]), name)
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        found = self.candidates(word)
        if len(found) > 1 and not ctx.resilient_parsing:
            ctx.fail(f"{word!r} is ambiguous; it may be {_listed(found)}.")
        if not found and not ctx.resilient_parsing and not word.startswith("-"):
            ctx.fail(f"there is no command {word!r}; there are {_listed(self.list_commands(ctx))}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            aliases = ", ".join(self.aliases_of(name))
            rows.append((f"{name} ({aliases})" if aliases else name, self._line(ctx, name)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _line(self, ctx: click.Context, name: str) -> str:
        """One line of help, without importing the module of a group that is not used."""
        if name in self._later:
            return self._later[name].help
        command = self.get_command(ctx, name)
        return command.get_short_help_str(80) if command else ""


def _imported(later: Later) -> click.Command:
    command: click.Command = getattr(import_module(later.module), later.attribute)
    return command


def _with_session(function: Callable[..., Any]) -> Callable[..., Any]:
    from functools import update_wrapper

    def called(*args: Any, **more: Any) -> Any:
        from orlop.cli.session import Session

        return function(click.get_current_context().ensure_object(Session), *args, **more)

    return update_wrapper(called, function)


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
