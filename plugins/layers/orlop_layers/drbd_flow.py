"""I/O of a replicated resource held back for a moment, on every node of it.

DRBD suspends a resource as a whole, whichever of its minors is named. It has one command to go on, which lifts what
DRBD itself holds back, too (for want of a quorum or of data): it is not used while there is any such reason.
"""

from collections.abc import Mapping

from orlop.errors import CannotRead
from orlop.plugin import ASKED, Flow, Probe, Step, run

WORDS: Mapping[str, str] = {"user": ASKED}  # DRBD's word for it
# Seen on real nodes: what was under way when 8.4 suspended is never answered, also after it resumed.
LOSES_REQUESTS = "DRBD 8.4 cannot hold the I/O of a resource back that is primary: make it secondary everywhere first"
UNDER_WAY = ("lower-pending", "pending", "unacked")  # requests that a disk or a peer has not answered yet
# `written` counts what is written to the disk here, whoever sent it.
TRACED: Mapping[str, tuple[str, ...]] = {
    "connection": ("connection",),
    "device": ("disk", "written"),
    "peer-device": ("replication", "peer-disk", "sent", "received"),
}


class HoldsDrbd:
    """The part of the layer that is asked between the looks at everything."""

    __slots__ = ()

    @classmethod
    def flow(cls, probe: Probe, resource: str) -> Flow:
        return _flow(probe.run(("drbdsetup", "events2", "--now", "--statistics")), resource)

    @classmethod
    def hold(cls, flow: Flow) -> list[Step]:
        return [run("drbdsetup", "suspend-io", flow.devices[0])]

    @classmethod
    def resume(cls, flow: Flow) -> list[Step]:
        """Each volume: one that lost its peer meanwhile begins a new generation by that."""
        return [run("drbdsetup", "resume-io", device) for device in flow.devices]


def _flow(events: str, resource: str) -> Flow:
    minors: list[int] = []
    held: frozenset[str] = frozenset()
    under_way, obstacle = False, ""
    traces: list[str] = []
    for line in filter(str.strip, events.splitlines()):
        words = line.split()
        if len(words) < 2 or words[0] != "exists":
            raise CannotRead(f"drbdsetup said something that is not known: {line[:200]!r}")
        pairs = (word.partition(":") for word in words[2:])
        kind, fields = words[1], {name: value for name, _, value in pairs}
        if fields.get("name") != resource:
            continue
        if kind == "resource":
            reasons = set(fields.get("suspended", "no").split(",")) - {"no"}
            held = frozenset(WORDS.get(reason, reason) for reason in reasons)
            obstacle = LOSES_REQUESTS if "may_promote" not in fields and fields.get("role") == "Primary" else ""
        if kind == "device":
            minors.append(int(fields["minor"]))
        under_way = under_way or any(fields.get(name, "0") != "0" for name in UNDER_WAY)
        if kind in TRACED:
            at = (fields.get("peer-node-id", ""), fields.get("volume", ""))
            traces.append(f"{kind} {at}: {[fields.get(name, '') for name in TRACED[kind]]}")
    devices = tuple(map(str, sorted(minors)))
    return Flow(devices=devices, held=held, obstacle=obstacle, under_way=under_way, trace="\n".join(sorted(traces)))
