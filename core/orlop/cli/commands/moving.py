"""`orlop node rebalance`, `orlop node maintenance ...`, and how plans are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import options
from orlop.cli.sizes import shown
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.grammar import Menu
    from orlop.cli.session import Session
    from orlop.client import Answer
    from orlop.client.moving_values import MovePlan

DRY_RUN = click.option("--dry-run", is_flag=True, help="Only show what would be done.")
_MOVES = Table(
    "moves",
    (
        Column("Resource", lambda row: row.resource_name),
        Column("Why", lambda row: row.kind),
        Column("From", lambda row: row.source),
        Column("To", lambda row: row.target),
        Column("StoragePool", lambda row: row.storage_pool),
        Column("Size", lambda row: "" if row.size_kib is None else shown(row.size_kib), right=True),
    ),
)
_SPREADS = Table(
    "spreads",
    (
        Column("StoragePool", lambda row: row.storage_pool),
        Column("Kind", lambda row: row.provider_kind),
        Column("Pools", lambda row: str(row.pools), right=True),
        Column("Mean", lambda row: f"{row.mean:.1f} %", right=True),
        Column("EmptiestFullest", lambda row: f"{row.emptiest:.1f} - {row.fullest:.1f} %", right=True),
        Column("Then", lambda row: f"{row.emptiest_then:.1f} - {row.fullest_then:.1f} %", right=True),
    ),
)


def show(session: Session, plan: MovePlan) -> None:
    """A plan, and what it leaves where it is with the reasons."""
    if session.settings.machine_readable:
        session.show_raw()
        return
    if plan.moves:
        session.show(_MOVES, list(plan.moves), View())
        session.say(f"{len(plan.moves)} moves, {shown(plan.size_kib)} to copy.")
    else:
        session.say("Nothing would move.")
    if plan.spreads:
        session.show(_SPREADS, list(plan.spreads), View())
    for each in plan.staying:
        where = f" on node {each.node_name}" if each.node_name else ""
        session.say(f"{each.resource_name}{where} stays as it is: {each.cause}")
        if each.correction:
            session.say(f"  {each.correction}")


def add_to(menu: Menu) -> None:
    menu.verb("rebalance", example="orlop node rebalance --dry-run\norlop node rebalance --concurrent 2")(rebalance)
    maintenance = menu.menu(
        "maintenance", help="Keep automatisms from a node that is worked on: nothing is moved because of it."
    )
    maintenance.verb("on", example="orlop node maintenance on bravo")(begin)
    maintenance.verb("off", example="orlop node maintenance off bravo")(end)


@options.in_pools()
@click.option(
    "--threshold", type=click.FloatRange(0, 100), help="Percent that a pool may differ from the mean.  [default: 5]"
)
@click.option(
    "--concurrent",
    type=click.IntRange(1, 1000),
    help="How many replicas are filled at the same time.  [default: property Orlop/ConcurrentSyncs, or 4]",
)
@DRY_RUN
@click.option("--cancel", is_flag=True, help="End a rebalancing that is under way.")
def rebalance(
    session: Session,
    pools: tuple[str, ...] | None,
    threshold: float | None,
    concurrent: int | None,
    dry_run: bool,
    cancel: bool,
) -> Answer | None:
    """Move replicas until the pools of each name and kind are about equally full, for example after nodes were added.
    No replica goes before the one in its place is up to date, and none that is in use moves. The command returns at
    once; see `job list`."""
    if cancel:
        return session.client.cancel_rebalance()
    if dry_run:
        show(session, session.client.rebalance_plan(pools or (), threshold))
        return None
    return session.client.rebalance(pools or (), threshold, concurrent)


@options.nodes()
def begin(session: Session, nodes: tuple[str, ...]) -> Answer:
    """Begin maintenance: nothing is placed, moved, balanced or evicted on these nodes by itself, and none of their
    resources is given a replica elsewhere because they are away."""
    return session.each(nodes, lambda node: session.client.switch_maintenance(node, True))


@options.nodes()
def end(session: Session, nodes: tuple[str, ...]) -> Answer:
    """End maintenance."""
    return session.each(nodes, lambda node: session.client.switch_maintenance(node, False))
