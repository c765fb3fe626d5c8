"""`orlop space-reporting ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import completion, options
from orlop.cli.grammar import Menu
from orlop.cli.sizes import shown

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


@MENU.verb("free-space", "fs", example="orlop space-reporting free-space --redundancy 3")
@click.option("-r", "--redundancy", type=click.IntRange(min=1), default=1, show_default=True, help="Replicas.")
@options.many("-n", "--nodes", help="Only these nodes.", shell_complete=completion.NODES)
@options.many("-s", "--storage-pools", help="Only pools of these names.", shell_complete=completion.POOLS)
@click.option("--resource-group", "group", help="By the rules of this resource group.")
def free_space(
    session: Session,
    redundancy: int,
    nodes: tuple[str, ...] | None,
    storage_pools: tuple[str, ...] | None,
    group: str | None,
) -> None:
    """Show how large a single volume could be that is kept so many times, and where it would go."""
    found = session.client.free_space(redundancy, nodes or (), storage_pools or (), group)
    if session.settings.machine_readable:
        session.show_raw()
        return
    session.say(f"Largest volume kept {redundancy} times: {shown(found.max_volume_size_kib)}")
    session.say(
        f"It takes {shown(found.free_kib)} on {', '.join(found.node_names)} (layers {', '.join(found.layer_stack)})."
    )
    session.say(f"Volumes of that kind could take altogether: {shown(found.available_kib)}")
    session.say(f"Size of all pools: {shown(found.total_kib)}")
