"""I/O of a replicated resource held back for a moment, on every node of it.

DRBD suspends a resource as a whole, whichever of its minors is named. It has one command to go on, which lifts what
DRBD itself holds back, too (for want of a quorum or of data): it is not used while there is any such reason.

8.4 never answers requests that were under way when it was suspended: going on lets new ones through only. It forgets
what it waited for when it goes on without a connection. So, where there are such requests, the connection goes first
and is made again at the end: the peer gets what was written meanwhile by a short synchronization. Seen on real nodes.
With several volumes the first one lets all of them go on, and the next `resume-io` has waited for good for what was
under way on its own: such a resource is not held back while it is used.
"""

from collections.abc import Mapping

from orlop.errors import CannotRead
from orlop.plugin import ASKED, Flow, Probe, RemoveFile, Step, WriteFile, run
from orlop_layers.drbd_files import parted_of

WORDS: Mapping[str, str] = {"user": ASKED}  # DRBD's word for it
TWO_USERS = "with DRBD 8.4 the I/O of a resource that is primary on both nodes cannot be held back"
SEVERAL = "with DRBD 8.4 the I/O of a resource with several volumes cannot be held back while it is used"
UNDER_WAY = ("lower-pending", "pending", "unacked")  # requests that a disk or a peer has not answered yet
ASKED_FOR = "upper-pending"  # requests that their user has no answer to; suspended, new ones are not let in
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
        parted = probe.read(parted_of(resource)) is not None
        return _flow(probe.run(("drbdsetup", "events2", "--now", "--statistics")), resource, parted)

    @classmethod
    def hold(cls, flow: Flow) -> list[Step]:
        return [run("drbdsetup", "suspend-io", flow.devices[0])]

    @classmethod
    def part(cls, flow: Flow) -> list[Step]:
        """Never of two that are both in use: each would go on with data of its own."""
        if not (flow.unanswered and flow.connected) or flow.obstacle == TWO_USERS:
            return []
        return [WriteFile(path=parted_of(flow.resource), content=""), run("drbdadm", "disconnect", flow.resource)]

    @classmethod
    def resume(cls, flow: Flow) -> list[Step]:
        """Each volume: one that lost its peer meanwhile begins a new generation by that, which has to be before it
        meets the peer again.
        """
        each: list[Step] = [run("drbdsetup", "resume-io", device) for device in flow.devices]
        if not flow.parted:
            return each
        again = [run("drbdadm", "adjust", flow.resource)] if flow.devices and not flow.connected else []
        return [*each, *again, RemoveFile(path=parted_of(flow.resource))]


def _flow(events: str, resource: str, parted: bool) -> Flow:
    found = [fields for fields in map(_parsed, filter(str.strip, events.splitlines())) if fields["name"] == resource]
    old = any(f["kind"] == "resource" and "may_promote" not in f for f in found)
    used = any(f["kind"] == "resource" and f.get("role") == "Primary" for f in found)
    by_peer = any(f["kind"] == "connection" and f.get("role") == "Primary" for f in found)
    reasons = {r for f in found for r in f.get("suspended", "no").split(",") if f["kind"] == "resource"} - {"no"}
    traces = [
        f"{f['kind']} {(f.get('peer-node-id', ''), f.get('volume', ''))}: {[f.get(n, '') for n in TRACED[f['kind']]]}"
        for f in found
        if f["kind"] in TRACED
    ]
    devices = tuple(map(str, sorted(int(f["minor"]) for f in found if f["kind"] == "device")))
    several = SEVERAL if len(devices) > 1 else ""
    return Flow(
        resource=resource,
        devices=devices,
        held=frozenset(WORDS.get(reason, reason) for reason in reasons),
        obstacle="" if not (old and used) else TWO_USERS if by_peer else several,
        under_way=any(f.get(name, "0") != "0" for f in found for name in UNDER_WAY),
        trace="\n".join(sorted(traces)),
        unanswered=old and used and any(f.get(ASKED_FOR, "0") != "0" for f in found),
        connected=any(f["kind"] == "connection" and f.get("connection") != "StandAlone" for f in found),
        parted=parted,
    )


def _parsed(line: str) -> Mapping[str, str]:
    words = line.split()
    if len(words) < 2 or words[0] != "exists":
        raise CannotRead(f"drbdsetup said something that is not known: {line[:200]!r}")
    pairs = (word.partition(":") for word in words[2:])
    return {"name": "", **{name: value for name, _, value in pairs}, "kind": words[1]}
