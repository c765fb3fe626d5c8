"""`orlop space-reporting ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orlop.cli.grammar import Menu

if TYPE_CHECKING:
    from orlop.cli.session import Session

MENU = Menu("space-reporting", help="How much space is used in the cluster.")


@MENU.verb("query", "qry", example="orlop space-reporting query")
def query(session: Session) -> None:
    """Show the report on used space."""
    report = session.client.space_report()
    if session.settings.machine_readable:
        session.show_raw()
        return
    session.say(report)
