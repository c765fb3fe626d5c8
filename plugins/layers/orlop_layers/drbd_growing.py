"""Growing takes place on one node, where it is in use or else on the one with the lowest id; the others follow.

DRBD 8.4 grows only where it is primary: a resource that nobody uses is made so for that moment. And while no peer is
connected, also where there is none, it keeps the size that was agreed on, unless it is told that a peer has the space.
"""

from orlop.model import WantedDrbd
from orlop.plugin import RemoveFile, Step, WriteFile, run
from orlop_layers.drbd_files import Note, lent_of, note_of
from orlop_layers.drbd_seen import Resource
from orlop_layers.drbd_split import between

COMPARING = ("WFBitMapS", "WFBitMapT")


def grow(
    resource: Resource, number: int, drbd: WantedDrbd, wanted: int, nine: bool, nodes: frozenset[int]
) -> list[Step]:
    """`nodes`: ids that the note of the resource holds."""
    device = resource.devices.get(number)
    if device is None or not drbd.grow or device.size is None or device.size >= wanted or drbd.replica.diskless:
        return []
    connections = between(drbd.replica, resource)
    diskful = [peer for peer in drbd.replica.peers if not peer.diskless]
    parts = [connections[peer.node].volumes.get(number) for peer in diskful if peer.node in connections]
    if any(part is not None and part.replication in COMPARING for part in parts):
        return [] if nine else _met_again(resource.name, nodes)
    established = [part for part in parts if part is not None and part.replication == "Established"]
    if len(established) < len(diskful):
        return []  # refused by DRBD; the end of a synchronization is told
    alone = ["--", "--assume-peer-has-space"] if not (nine or diskful) else []
    resize = run("drbdadm", *alone, "resize", f"{resource.name}/{number}")
    if resource.role == "Primary":
        return [resize]
    if any(peer.node in connections and connections[peer.node].role == "Primary" for peer in diskful):
        return []
    if not all(drbd.replica.node_id < peer.node_id for peer in diskful):
        return []
    if nine:
        return [resize]
    return [*lend(resource), resize, *_returned(resource.name)]


def lend(resource: Resource) -> list[Step]:
    """Primary for no user; the note has it given back, whatever is cut meanwhile."""
    if resource.role == "Primary":
        return []
    return [WriteFile(path=lent_of(resource.name), content=""), run("drbdadm", "primary", resource.name)]


def give_back(resource: Resource) -> list[Step]:
    """What was cut, or failed, while a resource was primary for no user. A loss of power has made it secondary."""
    if resource.role == "Primary":
        return _returned(resource.name)
    return [RemoveFile(path=lent_of(resource.name))]


def _met_again(resource: str, nodes: frozenset[int]) -> list[Step]:
    """Nodes of DRBD 8.4 that meet while only what is below has grown may take the larger size on one side only. Then
    their bitmaps do not fit, and both wait for each other for good; when they meet once more, both have that size.
    The note no longer says that all is done: that connects them again, whatever is cut here.
    """
    return [WriteFile(path=note_of(resource), content=Note(nodes=nodes).text), run("drbdadm", "disconnect", resource)]


def _returned(resource: str) -> list[Step]:
    return [run("drbdadm", "secondary", resource), RemoveFile(path=lent_of(resource))]
