"""What a command works with: the client, and the ways to print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from orlop.cli import exit_codes

if TYPE_CHECKING:
    from orlop.cli.table import Table, View
    from orlop.cli.transports import Watching
    from orlop.client import Answer, Client
    from orlop.client.controller_values import Plan


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The global options."""

    controllers: tuple[str, ...] = ()
    machine_readable: bool = False
    output_version: str = "v1"
    no_color: bool = False
    no_utf8: bool = False
    warn_as_error: bool = False
    curl: bool = False
    dry_run: bool = False
    verbose: bool = False
    timeout: float = 300.0
    user: str = ""
    password: str = ""
    token: str = ""
    certfile: str | None = None
    keyfile: str | None = None
    cafile: str | None = None
    allow_insecure_auth: bool = False

    def __repr__(self) -> str:
        return f"Settings(controllers={self.controllers!r})"


class Shown(Exception):  # noqa: N818 - not an error: the request was printed instead of sent
    """Ends a command whose further course depends on an answer that was not asked for."""


class Session:
    """One command's view of the world. `exit_code` is what the program will end with."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.exit_code = exit_codes.OK
        self.dry_run = self.settings.dry_run
        self._replayed: Path | None = None

    @cached_property
    def wire(self) -> Watching:
        """What carries the requests, and remembers the last reply for --machine-readable."""
        from orlop.cli.transports import Planning, Printing, Replaying, Watching
        from orlop.client import Http, Tls, addresses

        chosen = self.settings
        if self._replayed is not None:
            return Watching(Replaying(self._replayed))
        urls = addresses(chosen.controllers)
        if chosen.curl:
            return Watching(Printing(urls[0], chosen))
        tls = Tls(ca_file=chosen.cafile, cert_file=chosen.certfile, key_file=chosen.keyfile)
        http = Http(urls, chosen.timeout, tls, self._credentials())
        return Watching(Planning(http, self.show_plan) if self.dry_run or chosen.dry_run else http)

    @cached_property
    def client(self) -> Client:
        from orlop.client import Client

        return Client(transport=self.wire)

    def _credentials(self) -> Any:
        from orlop.client import Credentials

        chosen = self.settings
        if not (chosen.user or chosen.token):
            return None
        password = chosen.password
        if chosen.user and not password:
            password = click.prompt(f"Password of {chosen.user}", hide_input=True, err=True)
        return Credentials(user=chosen.user, password=password, token=chosen.token, insecure=chosen.allow_insecure_auth)

    def replay(self, path: Path | None) -> None:
        """Take the answer from a file instead of asking a controller."""
        self._replayed = path

    def each(self, names: Iterable[str], call: Callable[[str], Answer]) -> Answer:
        """Do the same to several objects; one that fails does not keep the others from being tried."""
        from orlop.client import Answer, ApiError

        answers = []
        for name in names:
            try:
                answers.append(call(name))
            except ApiError as error:
                if not error.entries:
                    raise
                answers.append(error.entries)
        return Answer.joined(answers)

    def report(self, answer: Answer) -> None:
        """Print an answer and set the exit code by it."""
        from orlop.cli import output

        if not len(answer) and (self.dry_run or self.settings.dry_run):
            return  # what would be done was shown as it was told
        if self.settings.machine_readable:
            output.json(output.entries_as(answer, self.settings.output_version))
        else:
            output.answer(answer, colour=self.colour)
        if answer.errors or (answer.warnings and self.settings.warn_as_error):
            self.exit_code = exit_codes.API_ERROR

    def show(self, table: Table, rows: Sequence[Any], view: View) -> None:
        """Print a list: as a table, or as the controller sent it."""
        if self.settings.machine_readable:
            self.show_raw(table.kind)
            return
        table.show(rows, view, utf8=self.utf8 and not view.pastable, colour=self.colour and not view.pastable)

    def show_raw(self, kind: str = "") -> None:
        """Print the last reply as JSON, wrapped in a list as LINSTOR's client does."""
        from orlop.cli import output

        data = msgspec.json.decode(self.wire.last)
        if self.settings.output_version == "v0":
            from orlop.cli.older_json import older

            data = older(kind, data)
        output.json([data])

    def show_plan(self, plan: Plan) -> None:
        """Print what one request of a dry run would do."""
        from orlop.cli import output, planned

        if self.settings.machine_readable:
            output.json(msgspec.to_builtins(plan))
        else:
            self.say(planned.text(plan))

    def say(self, text: str) -> None:
        click.echo(text)

    def finish(self) -> None:
        if self.settings.verbose and "wire" in self.__dict__:
            click.echo(f"answered by {self.wire.answered}", err=True)

    def missing(self, what: str) -> None:
        """Something that the command needs does not exist."""
        click.echo(f"orlop: {what}", err=True)
        self.exit_code = exit_codes.NOT_FOUND

    @property
    def colour(self) -> bool:
        return not self.settings.no_color and sys.stdout.isatty()

    @property
    def utf8(self) -> bool:
        return not self.settings.no_utf8 and sys.stdout.isatty()
