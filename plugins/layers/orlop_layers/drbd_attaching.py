"""Whether the volumes of a resource are as they should be, and whether its connections are in the way of a disk."""

from collections.abc import Iterable

from orlop.codes import Fail
from orlop.errors import Refused
from orlop_layers.drbd_config import Member
from orlop_layers.drbd_seen import CLOSED, Connection, Resource
from orlop_layers.drbd_version import Version


def is_up(resource: Resource | None, member: Member) -> bool:
    device = resource.devices.get(member.number) if resource else None
    return device is not None and (member.skipped or (device.disk in CLOSED) == (member.below is None))


def apart(resource: Resource | None, members: Iterable[Member], version: Version) -> bool:
    """Whether connections have to go for a moment. Raises where they cannot: data that is in use comes through them.

    Where DRBD mostly ends attaching a disk beside connections, they stay if they may be missed: in use here, or while
    somebody is behind or away, so that those who are left may need this node's vote.
    """
    if resource is None or not version.nine:
        return False
    there = [m for m in members if m.below is not None and m.number in resource.devices]
    if all(is_up(resource, member) for member in there):
        return False
    if not any(connection.state == "Connected" for connection in resource.connections):
        return False
    if not version.attaches_alone:
        return resource.role != "Primary" and all(map(_is_in_step, resource.connections))
    if resource.role == "Primary":
        raise Refused(
            f"{resource.name} is in use here, and DRBD {version} attaches no disk to a device that is connected",
            correction=f"Use {resource.name} on another node until it has its disk here.",
            code=Fail.IN_USE,
        )
    return True


def _is_in_step(connection: Connection) -> bool:
    disks = {part.disk for part in connection.volumes.values()}
    return connection.state == "Connected" and disks <= {"UpToDate", "Diskless"}
