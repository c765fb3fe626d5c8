"""What DRBD says of a resource and its volumes, in the words of the common API."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from orlop import model
from orlop.controller import wire
from orlop.controller.diskless import ADDING, CLIENT, JOINING, REMOVING, is_diskless
from orlop.controller.replicas import peers
from orlop.controller.replication import LAYER
from orlop.model import ReportedVolume

CONNECTED = "Connected"
UNKNOWN = "Unknown"


def facts(report: ReportedVolume | None) -> Mapping[str, str]:
    """Empty while nothing is known."""
    return next((level.facts for level in report.levels if level.layer == LAYER), {}) if report else {}


def resource(
    definition: model.ResourceDefinition,
    of: model.Resource,
    report: ReportedVolume | None,
    found: wire.DrbdResource,
) -> wire.DrbdResource:
    """`report` is about any of the volumes: they have their connections in common."""
    said = facts(report)
    return replace(
        found,
        drbd_resource_definition=wire.DrbdResourceDefinitionLayer(
            resource_name_suffix="",
            peer_slots=of.peer_slots,
            al_stripes=1,
            al_stripe_size_kib=32,
            transport_type="IP",
            down=False,
        ),
        flags=_flags(of),
        promotion_score=int(score) if (score := said.get("promotion_score", "")).isdecimal() else None,
        may_promote=said["may_promote"] == "yes" if "may_promote" in said else None,
        node_id=of.node_id,
        tcp_ports=of.ports,
        peer_slots=of.peer_slots,
        al_stripes=1,
        al_size=32,
        connections={peer.node: _connection(said, peer.node) for peer in connected(definition, of)} if said else {},
    )


def _flags(of: model.Resource) -> tuple[str, ...]:
    found = {"DISKLESS"} if of.diskless else set()
    return tuple(sorted(found | (of.flags & {CLIENT, ADDING, JOINING, REMOVING})))


def _connection(said: Mapping[str, str], peer: str) -> wire.DrbdConnection:
    state = said.get(f"peer/{peer}/connection", UNKNOWN)
    return wire.DrbdConnection(connected=state == CONNECTED, message=state)


def connected(definition: model.ResourceDefinition, of: model.Resource) -> list[model.Resource]:
    """The peers it has a connection to: two without a disk have nothing to tell each other."""
    return [peer for peer in peers(definition, of) if not (is_diskless(of) and is_diskless(peer))]


def replication_states(
    definition: model.ResourceDefinition, of: model.Resource, report: ReportedVolume | None
) -> dict[str, wire.ReplicationState]:
    said = facts(report)
    found = {}
    for peer in connected(definition, of):
        if state := said.get(f"peer/{peer.node}/replication"):
            differs = int(said.get(f"peer/{peer.node}/out_of_sync", "0")) or None
            done = _share(said.get(f"peer/{peer.node}/synced", ""))
            found[peer.node] = wire.ReplicationState(
                replication_state=state, done_percentage=done, out_of_sync_kib=differs
            )
    return found


def _share(percent: str) -> float | None:
    try:
        return float(percent)
    except ValueError:
        return None
