"""What users of a simulated DRBD device read and write, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import SupportsIndex

from orlop.errors import NodeError
from orlop.testing.disk import BLOCK, SimulatedFile
from orlop.testing.drbd9_model import Device, Resource, Suspended
from orlop.testing.drbd9_states import accessible, follows, promote
from orlop.testing.drbd9_sync import put


class Access:
    """One device of one node, as its users have it. `look` has the node see who is reached now."""

    def __init__(self, resource: Resource, device: Device, look: Callable[[], None]) -> None:
        self.resource, self.device, self._look = resource, device, look

    def write(self, at: int, data: bytes | None) -> None:
        """Comes back when every node that is reached has it. Raises what the user would see."""
        self._opened(lambda: self._write(at, data))

    def sign(self, signatures: Iterable[str]) -> None:
        """What `wipefs` would find, as part of the first block."""
        found = list(signatures)

        def act() -> None:
            for place, below in self._write(0, self.readable().blocks.get(0)):
                place.disk.content(below).signatures[:] = found

        self._opened(act)

    def readable(self) -> SimulatedFile:
        """Where the data is good: here, or on a peer."""
        if self.device.disk == "UpToDate":
            return self.resource.disk.content(self.device.backing)
        for _, part, other, there in self.resource.far(self.device.number):
            if part.replication != "Off" and there.disk == "UpToDate":
                return other.disk.content(there.backing)
        raise NodeError(f"/dev/drbd{self.device.minor}: Input/output error")

    def _opened(self, act: Callable[[], object]) -> None:
        self._look()
        if self.resource.role == "Secondary":
            if self.resource.option("auto-promote") != "yes":
                raise NodeError(f"/dev/drbd{self.device.minor}: Wrong medium type")
            promote(self.resource, automatic=True)
        self.resource.opened += 1
        try:
            self._look()
            act()
        finally:
            self.resource.opened -= 1
            self._look()

    def _write(self, at: int, data: bytes | None) -> list[tuple[Resource, str]]:
        """Gives who has it, and on which device below."""
        self._require_writable()
        members: list[tuple[Resource, Device]] = [
            (other, there) for _, part, other, there in self.resource.far(self.device.number) if follows(part, there)
        ]
        if self.device.has_data:
            members.append((self.resource, self.device))
        reached = {member.node_id for member, _ in members}
        for member, there in members:
            assert there.metadata is not None
            put(member.disk, there.backing, at, data)
            there.metadata.wrote(at, reached)
            there.written += BLOCK
        return [(member, there.backing) for member, there in members]

    def _require_writable(self) -> None:
        for reason in suspended(self.resource):
            raise Suspended(f"/dev/drbd{self.device.minor} does not answer: {reason}")
        if self.resource.lost_quorum or not accessible(self.resource, self.device):
            raise NodeError(f"/dev/drbd{self.device.minor}: Input/output error")


def suspended(resource: Resource) -> tuple[str, ...]:
    """Why requests wait, in DRBD's words."""
    primary = resource.role == "Primary"
    no_data = not all(accessible(resource, device) for device in resource.devices.values())
    reasons = {
        "user": resource.suspended_by_user,
        "no-data": primary and no_data and resource.option("on-no-data-accessible") == "suspend-io",
        "quorum": primary and resource.lost_quorum and resource.option("on-no-quorum") == "suspend-io",
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def used(resource: Resource) -> bool:
    """Whether somebody has it open."""
    users = (resource.disk.used.get(f"/dev/drbd{device.minor}") for device in resource.devices.values())
    return resource.opened > 0 or any(users)


class Blocks(MutableMapping[int, bytes]):
    def __init__(self, access: Access) -> None:
        self._access = access

    def __getitem__(self, at: int) -> bytes:
        return self._access.readable().blocks[at]

    def __setitem__(self, at: int, data: bytes) -> None:
        self._access.write(at, data)

    def __delitem__(self, at: int) -> None:
        self._access.write(at, None)

    def __iter__(self) -> Iterator[int]:
        file = self._access.device.file
        size = file.size if file else 0
        return (at for at in list(self._access.readable().blocks) if at < size)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Signatures(list[str]):
    """Only ever replaced as a whole."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    def __setitem__(self, key: SupportsIndex | slice, value: object) -> None:
        assert isinstance(value, Iterable)
        self._access.sign(str(signature) for signature in value)

    def clear(self) -> None:
        self._access.sign(())

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._access.readable().signatures))

    def __getitem__(self, key: SupportsIndex | slice) -> str | list[str]:  # type: ignore[override]
        return list(self)[key]

    def __len__(self) -> int:
        return len(self._access.readable().signatures)


class DeviceFile(SimulatedFile):
    """What /dev/drbd<minor> shows. Its room is taken below."""

    def __init__(self, access: Access, size: int) -> None:
        super().__init__(inode=-access.device.minor, size=size, allocated=size, blocks=Blocks(access))  # type: ignore[arg-type]
        self.signatures = Signatures(access)
