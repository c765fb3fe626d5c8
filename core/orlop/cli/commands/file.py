"""`orlop file ...`"""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

import click

from orlop.cli import options
from orlop.cli.grammar import Menu
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("file", help="Files that satellites write for resources.")
_FILE = click.argument("file")
_FILES = Table("files", (Column("Path", lambda row: row.path),))


@MENU.verb("list", "l", example="orlop file list")
@options.listing(groups=False, show_props=None)
def list_files(session: Session, view: View) -> None:
    """List the files that the controller keeps."""
    from orlop.client.controller_values import ExternalFile
    from orlop.client.wire import path

    session.show(_FILES, session.client.read(list[ExternalFile], path("files")), view)


@MENU.verb("show", "s", example="orlop file show /etc/app.conf")
@_FILE
def show(session: Session, file: str) -> None:
    """Show what is in a file."""
    from orlop.client.controller_values import ExternalFile
    from orlop.client.wire import path

    found = session.client.read(ExternalFile, path("files", file))
    if session.settings.machine_readable:
        session.show_raw()
        return
    session.say(base64.b64decode(found.content).decode("utf-8", "replace"))


@MENU.verb("modify", "m", example="orlop file modify /etc/app.conf < app.conf")
@_FILE
def modify(session: Session, file: str) -> Answer:
    """Set what is in a file; it is read from standard input."""
    from orlop.client.wire import path

    content = base64.b64encode(sys.stdin.buffer.read()).decode()
    return session.client.command("PUT", path("files", file), {"path": file, "content": content})


@MENU.verb("delete", "d", example="orlop file delete /etc/app.conf")
@_FILE
def delete(session: Session, file: str) -> Answer:
    """Delete a file."""
    from orlop.client.wire import path

    return session.client.command("DELETE", path("files", file))


@MENU.verb("deploy", "dep", example="orlop file deploy /etc/app.conf backups")
@_FILE
@options.resource()
def deploy(session: Session, file: str, resource: str) -> Answer:
    """Let the nodes of a resource have a file."""
    from orlop.client.wire import path

    return session.client.command("POST", path("resource-definitions", resource, "files", file))


@MENU.verb("undeploy", "und", example="orlop file undeploy /etc/app.conf backups")
@_FILE
@options.resource()
def undeploy(session: Session, file: str, resource: str) -> Answer:
    """Let the nodes of a resource have a file no more."""
    from orlop.client.wire import path

    return session.client.command("DELETE", path("resource-definitions", resource, "files", file))
