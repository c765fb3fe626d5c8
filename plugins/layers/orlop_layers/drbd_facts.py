"""What the controller is told of a replicated volume beside its presence and size."""

from collections.abc import Mapping

from orlop.model import WantedReplica
from orlop_layers import drbd_split
from orlop_layers.drbd_seen import Device, PeerDevice, Resource


def facts(
    resource: Resource, number: int, device: Device, replica: WantedReplica, split: drbd_split.Generations
) -> dict[str, str]:
    found = {
        "in_use": "yes" if resource.role == "Primary" else "no",
        "role": resource.role,
        "disk": device.disk,
        "quorum": device.quorum,
        "client": device.client,
        "may_promote": resource.may_promote,
        "promotion_score": resource.promotion_score,
        "suspended": "yes" if resource.suspended else "",
    }
    for peer, connection in drbd_split.between(replica, resource).items():
        found[f"peer/{peer}/connection"] = connection.state
        found[f"peer/{peer}/role"] = connection.role
        if part := connection.volumes.get(number):
            found |= {f"peer/{peer}/{name}": value for name, value in _part(part).items()}
        if told := split.get((resource.name, number, peer)):
            found[f"peer/{peer}/generations"] = told
            found["written"] = str(device.written)
    return {name: value for name, value in found.items() if value}


def _part(part: PeerDevice) -> Mapping[str, str]:
    return {
        "replication": part.replication,
        "disk": part.disk,
        "synced": part.done,
        "out_of_sync": str(part.out_of_sync),
        "paused": "yes" if part.paused else "",
    }
