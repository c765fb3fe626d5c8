"""States as words and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orlop.cli import sizes
from orlop.cli.table import Cell

if TYPE_CHECKING:
    from orlop.client.values import Node, Resource, Snapshot, StoragePool, Volume

_GOOD = frozenset({"UpToDate", "Created", "Attached", "Diskless", "TieBreaker", "Ok", "InUse"})
_BAD = frozenset({"Inconsistent", "Failed", "DELETING", "Error"})
LOCKED = "LOCKED"
STANDALONE = "StandAlone"
_NODES = {"ONLINE": ("Online", "green"), "OFFLINE": ("OFFLINE", "red"), "CONNECTED": ("Connected", "yellow")}


def node(row: Node) -> Cell:
    if row.type == "AUXILIARY":
        return Cell("")
    text, colour = _NODES.get(row.connection_status, (row.connection_status, "red"))
    for flag in ("DELETE", "EVICTED", "EVACUATE", "MAINTENANCE"):
        if flag in row.flags:
            return Cell(f"{text} ({'EVACUATING' if flag == 'EVACUATE' else flag})", "yellow")
    return Cell(text, colour)


def pool(row: StoragePool) -> Cell:
    if any(entry.is_error for entry in row.reports):
        return Cell("Error", "red")
    if any(entry.is_warning for entry in row.reports):
        return Cell("Warning", "yellow")
    return Cell("Ok", "green")


def flags(row_flags: Sequence[str], otherwise: str = "ok") -> Cell:
    """The state of a definition: whether it is being deleted, or locked against that."""
    if "DELETE" in row_flags:
        return Cell("DELETING", "red")
    return Cell(f"{otherwise}, locked" if LOCKED in row_flags else otherwise, "green")


def volume(row: Volume, resource_flags: Sequence[str]) -> Cell:
    if "DELETE" in resource_flags or "DRBD_DELETE" in resource_flags:
        return Cell("DELETING", "red")
    if "INACTIVE" in resource_flags:
        return Cell("INACTIVE", "yellow")
    state = row.state.disk_state or "Unknown"  # nothing is reported while the node is away
    if state == "DUnknown":
        state = "Unknown"
    if state == "Diskless":
        if "DISKLESS" not in resource_flags:
            return Cell(state, "red")  # the disk was lost, nobody took it away
        state = "TieBreaker" if "TIE_BREAKER" in resource_flags else state
    prefix = "Resizing, " if "RESIZE" in row.flags else ""
    return Cell(prefix + state, "green" if state in _GOOD else "red" if state in _BAD else "yellow")


def resource(row: Resource) -> Cell:
    """The first state among the volumes that is not good, else the state of the first."""
    if "DELETE" in row.flags or "DRBD_DELETE" in row.flags:
        return Cell("DELETING", "red")
    if "INACTIVE" in row.flags:
        return Cell("INACTIVE", "yellow")
    cells = [volume(each, row.flags) for each in row.volumes]
    if not cells:
        return Cell("Unknown" if row.state.in_use is None else "Created", "")
    cell = next((each for each in cells if each.colour != "green"), cells[0])
    return Cell(f"{cell.text}, Evacuating", "yellow") if "EVACUATE" in row.flags else cell


def usage(row: Resource) -> Cell:
    if row.state.in_use is None:
        return Cell("")
    return Cell("InUse", "green") if row.state.in_use else Cell("Unused")


def connections(row: Resource) -> Cell:
    """Connections that do not stand, by their state."""
    drbd = row.layer_object.drbd
    if drbd is None:
        return Cell("Ok" if row.state.in_use is not None else "")
    broken: dict[str, list[str]] = {}
    for peer, connection in drbd.connections.items():
        if not connection.connected:
            broken.setdefault(connection.message or "Unknown", []).append(peer)
    if not broken:
        return Cell("Ok")
    return Cell(",".join(f"{state}({','.join(peers)})" for state, peers in broken.items()), "red")


def given_up(row: Resource) -> bool:
    """Whether DRBD does not try any more to connect it with some other replica."""
    drbd = row.layer_object.drbd
    return drbd is not None and any(each.message == STANDALONE for each in drbd.connections.values())


def faulty(row: Resource) -> bool:
    return resource(row).colour != "green" or connections(row).colour == "red"


def replication(row: Volume) -> Cell:
    """How far each peer is, where it is not simply in step."""
    states = row.state.replication_states
    if not states:
        return Cell("")
    parts = []
    for peer, state in states.items():
        if state.replication_state == "Established" and not state.out_of_sync_kib:
            continue
        done = state.done_percentage
        differs = f", {sizes.shown(state.out_of_sync_kib)} differ" if state.out_of_sync_kib else ""
        parts.append(f"{peer}: {state.replication_state}" + ("" if done is None else f"({done:.2f}%)") + differs)
    if parts:
        return Cell(", ".join(parts), "yellow")
    return Cell(f"Established({len(states)})", "green")


def snapshot(row: Snapshot) -> Cell:
    for flag, cell in (
        ("DELETE", Cell("DELETING", "red")),
        ("FAILED_DEPLOYMENT", Cell("Failed", "red")),
        ("FAILED_DISCONNECT", Cell("Satellite disconnected", "red")),
        ("SUCCESSFUL", Cell("Successful", "green")),
    ):
        if flag in row.flags:
            return cell._replace(text=f"{cell.text}, locked") if LOCKED in row.flags else cell
    return Cell("Incomplete", "yellow")
