"""Explained placements: a sentence, a table of all pools, and what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orlop.cli.sizes import shown
from orlop.cli.table import Cell, Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client.controller_values import ExplainedNode, ExplainedPool, PlacementExplanation


class _Row(NamedTuple):
    node: ExplainedNode
    pool: ExplainedPool | None


def _verdict(row: _Row) -> Cell:
    if row.pool is not None and row.pool.chosen:
        return Cell("chosen", "green")
    if row.node.reasons or row.pool is None or row.pool.reasons:
        return Cell("excluded", "red")
    return Cell("possible", "yellow")


def _why(row: _Row) -> str:
    if row.pool is None:
        return "\n".join(row.node.reasons) or "it has no storage pool"
    told = [*row.node.reasons, *row.pool.reasons]
    return "\n".join(told) or row.pool.note


def _points(row: _Row) -> str:
    return "\n".join(f"{name} {value:.3g}" for name, value in row.pool.points.items()) if row.pool else ""


PLACES = Table(
    "placement",
    (
        Column("Node", lambda row: Cell(row.node.node_name, "green" if row.node.replica else "")),
        Column("Replica", lambda row: "yes" if row.node.replica else ""),
        Column("StoragePool", lambda row: row.pool.storage_pool_name if row.pool else ""),
        Column("Free", lambda row: shown(row.pool.free_kib) if row.pool else "", right=True),
        Column("Rank", lambda row: str(row.pool.rank or "") if row.pool else "", right=True),
        Column(
            "Score",
            lambda row: f"{row.pool.score:.3f}" if row.pool and row.pool.score is not None else "",
            right=True,
        ),
        Column("Points", _points),
        Column("Verdict", _verdict),
        Column("Why", _why),
    ),
)


def show(session: Session, found: PlacementExplanation, view: View) -> None:
    if session.settings.machine_readable:
        session.show_raw()
        return
    session.say(found.summary)
    session.say(f"Policy: {found.policy}; each replica takes {shown(found.size_kib)} from its pool.")
    if not found.complete:
        session.say("There are too many possibilities for all of them to be tried: a better one may exist.")
    rows = [_Row(node, pool) for node in found.nodes for pool in node.pools or (None,)]
    session.show(PLACES, rows, view)
    for number, change in enumerate(found.changes):
        start = "The smallest change that would make it succeed" if number == 0 else "Or"
        session.say(f"{start}: {' and '.join(change.steps)}.")
