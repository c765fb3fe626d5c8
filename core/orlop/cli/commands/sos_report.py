"""`orlop sos-report ...`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orlop.cli import options
from orlop.cli.grammar import Menu
from orlop.cli.times import MOMENT

if TYPE_CHECKING:
    from orlop.cli.options import Decorator
    from orlop.cli.session import Session
    from orlop.client import Answer
    from orlop.client.wire import Query

MENU = Menu("sos-report", help="Collect logs and states of the cluster in one archive.")
_CHOICE: list[Decorator] = [
    click.option("-s", "--since", type=MOMENT, help="Logs not before: 3d, 1d10h, or a date."),
    options.on_nodes(),
    options.of_resources(),
    options.many("-e", "--exclude-nodes", "exclude", help="Not these nodes."),
    click.option("--no-controller", is_flag=True, help="Without the controller."),
]


def _query(since: int | None, nodes: object, resources: object, exclude: object, no_controller: bool) -> Query:
    from orlop.client.wire import query

    more = {"include-ctrl": not no_controller}
    return query(nodes=nodes, rscs=resources, exclude=exclude, since=since, **more)


@MENU.verb("create", "c", example="orlop sos-report create --since 3d")
@options.stacked(*_CHOICE)
def create(session: Session, **choice: Any) -> Answer:
    """Make an archive on the controller's disk and say where it is."""
    from orlop.client.wire import path

    return session.client.command("GET", path("sos-report"), query=_query(**choice))


@MENU.verb("download", "dl", example="orlop sos-report download /tmp/report.tar.gz")
@click.argument("target", type=click.Path(path_type=Path), default=Path("sos-report.tar.gz"))
@options.stacked(*_CHOICE)
def download(session: Session, target: Path, **choice: Any) -> None:
    """Make an archive and save it here."""
    from orlop.client.wire import path

    content = session.client.download(path("sos-report", "download"), _query(**choice))
    target.write_bytes(content)
    session.say(f"saved as {target}")
