"""`orlop resource verify` and its like, and split brains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from orlop.cli import completion, options, times
from orlop.cli.sizes import shown
from orlop.cli.table import Cell, Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.grammar import Menu
    from orlop.cli.session import Session
    from orlop.client import Answer
    from orlop.client.controller_values import SplitBrain, SplitBrainSide

_PEER = click.option("--peer", help="Only with this node.", shell_complete=completion.NODES)
_WITH_PEER = {
    "verify": ("verify", "Compare all blocks with those of the other replicas; `volume list` shows what differs."),
    "invalidate": ("invalidate", "Throw the data on a node away and get it from another replica that is up to date."),
    "connect": ("connect", "Take back a disconnection, or begin a connection anew that DRBD gave up."),
    "disconnect": (
        "disconnect",
        "Keep a node apart from the other replicas until `connect`, whatever restarts meanwhile.",
    ),
    "pause-sync": ("pause_sync", "Stop synchronizing on a node until it is resumed or DRBD restarts there."),
    "resume-sync": ("resume_sync", "Go on with synchronizing."),
}
_ROLES = {
    "primary": ("make_primary", "Let a node use the device of a resource."),
    "secondary": ("make_secondary", "Take the device away again; refused while it is in use."),
}


class _Row(NamedTuple):
    number: int
    side: SplitBrainSide


def _size(kib: int | None) -> str:
    return "unknown" if kib is None else shown(kib)


_SIDES = Table(
    "split-brains",
    (
        Column("VolumeNr", lambda row: str(row.number), right=True),
        Column("Node", lambda row: row.side.node_name),
        Column("Connection", lambda row: Cell(row.side.connection or "Unknown", "red")),
        Column("Role", lambda row: row.side.role or "Unknown"),
        Column("Usage", lambda row: {True: "InUse", False: "Unused", None: "Unknown"}[row.side.in_use]),
        Column("State", lambda row: row.side.disk_state or "Unknown"),
        Column("ChangedSince", lambda row: _size(row.side.out_of_sync_kib), right=True),
        Column("Written", lambda row: _size(row.side.written_kib), right=True),
        Column("Generations", lambda row: " ".join(row.side.generations) or "unknown"),
    ),
)


def add_to(menu: Menu) -> None:
    for name, (call, text) in _WITH_PEER.items():
        menu.verb(name, example=f"orlop resource {name} alpha backups")(_with_peer(call, text))
    for name, (call, text) in _ROLES.items():
        menu.verb(name, example=f"orlop resource {name} alpha backups")(_role(call, text))
    menu.verb("split-brain", example="orlop resource split-brain backups")(split_brain)
    menu.verb(
        "resolve-split-brain",
        example="orlop resource resolve-split-brain backups --victim bravo --snapshot before_loss",
    )(resolve_split_brain)


def _with_peer(call: str, text: str) -> Callable[..., Answer]:
    @options.node()
    @options.resource()
    @_PEER
    def operate(session: Session, node: str, resource: str, peer: str | None) -> Answer:
        answer: Answer = getattr(session.client, call)(resource, node, peer)
        return answer

    operate.__doc__ = text
    return operate


def _role(call: str, text: str) -> Callable[..., Answer]:
    @options.node()
    @options.resource()
    def switch(session: Session, node: str, resource: str) -> Answer:
        answer: Answer = getattr(session.client, call)(resource, node)
        return answer

    switch.__doc__ = text
    return switch


@options.resource()
@options.listing(groups=False, show_props=None)
def split_brain(session: Session, resource: str, view: View) -> None:
    """Explain a split brain: who is in use, what each side has changed on its own, and what can be done."""
    found = session.client.split_brains([resource])
    if session.settings.machine_readable:
        session.show_raw()
        return
    if not found:
        session.say(f"No connection of {resource} was given up.")
    for each in found:
        session.say(_sentence(each))
        rows = [_Row(volume.volume_number, side) for volume in each.volumes for side in volume.sides]
        session.show(_SIDES, rows, view)
        for line in _advice(each):
            session.say(line)


def _sentence(found: SplitBrain) -> str:
    known = (
        "both have data that the other lacks"
        if found.certain
        else "whether both have data that the other lacks is not known"
    )
    since = f" Known here since {times.shown(found.since)}; it may be older." if found.since else ""
    return (
        f"{found.resource_name}: DRBD gave up the connection between {found.node_a} and {found.node_b}; {known}.{since}"
    )


def _advice(found: SplitBrain) -> Iterator[str]:
    yield (
        "ChangedSince is what was changed there since the two were last connected, Written what was written since the "
        "device was brought up. Equal generations are the same data."
    )
    for victim, survivor in ((found.node_a, found.node_b), (found.node_b, found.node_a)):
        users = {s.node_name for v in found.volumes for s in v.sides if s.in_use}
        close = f"close what uses it on {victim}, then " if victim in users else ""
        yield (
            f"To keep the data of {survivor} and lose what only {victim} has: {close}"
            f"orlop resource resolve-split-brain {found.resource_name} --victim {victim}"
        )


@options.resource()
@click.option(
    "--victim",
    required=True,
    help="The node that loses what it has and the others lack.",
    shell_complete=completion.NODES,
)
@click.option("--snapshot", help="Keep the victim's data in a snapshot of this name first.")
def resolve_split_brain(session: Session, resource: str, victim: str, snapshot: str | None) -> Answer:
    """End a split brain: the victim gives up its own changes and gets the data of the others. Refused while the
    victim is in use or another replica is not up to date. Repeat it if it was interrupted."""
    return session.client.resolve_split_brain(resource, victim, snapshot)
