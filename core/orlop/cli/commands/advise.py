"""`orlop advise ...`: what an administrator should look at. Worked out here from the lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from orlop.cli import options, states
from orlop.cli.grammar import Menu
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client.values import Resource


class Advice(NamedTuple):
    kind: str
    resource: str
    issue: str
    remedy: str


MENU = Menu("advise", help="Find resources that need attention, and say what would help.")
_KINDS = (
    *("split-brain", "single-replica", "pot-split-brain", "diskless-in-use"),
    *("too-few-replicas", "too-many-replicas", "no-tiebreaker"),
)
_ADVICE = Table(
    "advice",
    (
        Column("Resource", lambda row: row.resource),
        Column("Issue", lambda row: row.issue),
        Column("Possible fix", lambda row: row.remedy),
    ),
)
_FILTER = options.many("-f", "--filter", "kinds", help=f"Only these: {', '.join(_KINDS)}.")


def advice(name: str, replicas: Sequence[Resource], wanted: int | None) -> Iterator[Advice]:
    """What there is to say about a resource; `wanted` is the place count of its group."""
    diskful = [row for row in replicas if "DISKLESS" not in row.flags]
    drbd = any(row.layer_object.drbd for row in replicas)
    if len(diskful) == 1:
        remedy = f"orlop resource-definition auto-place {name} --place-count 2"
        yield Advice("single-replica", name, "There is one replica only.", remedy)
    if drbd and len(diskful) == 2 and len(replicas) == 2:
        remedy = f"orlop resource-definition auto-place {name} --place-count +1 --drbd-diskless"
        yield Advice("pot-split-brain", name, "Two replicas without a third vote can split.", remedy)
        yield Advice("no-tiebreaker", name, "There is no tiebreaker.", remedy)
    for row in replicas:
        if "DISKLESS" in row.flags and row.state.in_use:
            remedy = f"orlop resource toggle-disk {row.node_name} {name}"
            yield Advice("diskless-in-use", name, f"It is in use on {row.node_name} without a disk there.", remedy)
    if wanted is not None and len(diskful) < wanted:
        remedy = f"orlop resource-definition auto-place {name} --place-count {wanted}"
        yield Advice("too-few-replicas", name, f"There are {len(diskful)} replicas, {wanted} are wanted.", remedy)
    if wanted is not None and len(diskful) > wanted:
        remedy = f"orlop resource delete {diskful[-1].node_name} {name}"
        yield Advice("too-many-replicas", name, f"There are {len(diskful)} replicas, {wanted} are wanted.", remedy)


def _all_advice(session: Session, resources: tuple[str, ...] | None, node: str | None) -> list[Advice]:
    """With a node as if it were away."""
    groups = {group.name: group.select_filter.place_count for group in session.client.resource_groups()}
    definitions = session.client.resource_definitions(resources or ())
    rows = session.client.resources(resources or ())
    found = list(_split(session, rows))
    for each in definitions:
        replicas = [row for row in rows if row.name == each.name]
        if node is not None and all(row.node_name != node for row in replicas):
            continue
        left = [row for row in replicas if row.node_name != node]
        if left or node is None:
            found += advice(each.name, left, groups.get(each.resource_group_name))
        else:
            found.append(Advice("single-replica", each.name, f"It is on {node} only.", "Place another replica first."))
    return found


def _split(session: Session, rows: Sequence[Resource]) -> Iterator[Advice]:
    """Asked for only where a connection was given up."""
    names = sorted({row.name for row in rows if states.given_up(row)})
    for each in session.client.split_brains(names) if names else ():
        issue = f"{each.node_a} and {each.node_b} do not replicate any more: " + (
            "a split brain." if each.certain else "the connection was given up."
        )
        yield Advice("split-brain", each.resource_name, issue, f"orlop resource split-brain {each.resource_name}")


def _show(session: Session, found: list[Advice], kinds: tuple[str, ...] | None, view: View) -> None:
    from orlop.cli import output

    unknown = [kind for kind in kinds or () if kind not in _KINDS]
    if unknown:
        raise click.UsageError(f"there is no filter {unknown[0]!r}; there are {', '.join(_KINDS)}.")
    rows = [row for row in found if not kinds or row.kind in kinds]
    if session.settings.machine_readable:
        output.json([row._asdict() for row in rows])
        return
    session.show(_ADVICE, rows, view)


@MENU.verb("resource", "r", example="orlop advise resource --filter single-replica")
@_FILTER
@options.of_resources()
@options.listing(groups=False, show_props=None)
def advise_resource(
    session: Session, kinds: tuple[str, ...] | None, resources: tuple[str, ...] | None, view: View
) -> None:
    """List resources with too few or too many replicas, without a third vote, or in use without a disk."""
    _show(session, _all_advice(session, resources, None), kinds, view)


@MENU.verb("maintenance", "m", example="orlop advise maintenance alpha")
@options.node()
@_FILTER
@options.of_resources()
@options.listing(groups=False, show_props=None)
def advise_maintenance(
    session: Session, node: str, kinds: tuple[str, ...] | None, resources: tuple[str, ...] | None, view: View
) -> None:
    """List what would be amiss if a node were away: look here before you switch it off."""
    _show(session, _all_advice(session, resources, node), kinds, view)
