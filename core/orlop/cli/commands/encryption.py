"""`orlop encryption ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli.asking import secret
from orlop.cli.grammar import Menu

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("encryption", help="The master passphrase, which protects the keys of encrypted volumes.")


@MENU.verb("create-passphrase", "cp", example="orlop encryption create-passphrase")
@click.option("-p", "--passphrase", help="Better left out: it is asked for, or read from standard input.")
def create(session: Session, passphrase: str | None) -> Answer:
    """Set the first master passphrase. Keep it: without it encrypted volumes cannot be opened."""
    return session.client.create_passphrase(secret("New master passphrase", passphrase, twice=True))


@MENU.verb("enter-passphrase", "ep", example="orlop encryption enter-passphrase")
@click.option("-p", "--passphrase", help="Better left out: it is asked for, or read from standard input.")
def enter(session: Session, passphrase: str | None) -> Answer:
    """Unlock the keys after a start of the controller."""
    return session.client.enter_passphrase(secret("Master passphrase", passphrase))


@MENU.verb("modify-passphrase", "mp", example="orlop encryption modify-passphrase")
@click.option("--old-passphrase", help="Better left out: it is asked for, or read from standard input.")
@click.option("--new-passphrase", help="Better left out: it is asked for, or read from standard input.")
def modify(session: Session, old_passphrase: str | None, new_passphrase: str | None) -> Answer:
    """Change the master passphrase."""
    old = secret("Present master passphrase", old_passphrase)
    return session.client.modify_passphrase(old, secret("New master passphrase", new_passphrase, twice=True))


@MENU.verb("status", "st", example="orlop encryption status")
def status(session: Session) -> None:
    """Show whether there is a master passphrase and whether the keys are unlocked."""
    found = session.client.passphrase_status()
    if session.settings.machine_readable:
        session.show_raw()
        return
    session.say(found)
