"""DRBD 8.4 on simulated nodes and the network between them, as far as our layer uses it.

Metadata outlives a power loss, what the kernel knows does not. Outputs are those that were recorded
(`tests/recorded/drbdsetup-*`). A synchronization takes two looks: one sees it going on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy

from orlop.errors import CommandFailed
from orlop.testing import drbd8_metadata, drbd8_sync
from orlop.testing.disk import Disk, SimulatedFile
from orlop.testing.drbd8_model import Resource, Volume
from orlop.testing.drbd_metadata import fits
from orlop.testing.drbd_network import Listened, SimulatedNetwork

DIRECTORY = "/var/lib/orlop/drbd"
Program = Callable[[Disk, tuple[str, ...]], str]


class SimulatedDrbd(Listened):
    """One node. `metadata` is found by the file that the backing device shows."""

    def __init__(self, name: str, network: SimulatedNetwork) -> None:
        self.name, self.network = name, network
        self.resources: dict[str, Resource] = {}
        self._metadata: drbd8_metadata.Kept = {}
        network.nodes[name] = self

    def programs(self) -> Mapping[str, Program]:
        return {"drbdadm": self.drbdadm, "drbdsetup": self.drbdsetup, "drbdmeta": self.drbdmeta}

    def write(self, name: str, number: int, at: int, data: bytes) -> bool:
        """As a user of the device; False while I/O is suspended here: whoever writes has to wait."""
        resource = self.resources[name]
        if resource.held:
            return False
        self.network.settle()
        peer = self._peer(resource) if resource.state == "Connected" else None
        for end in (resource, peer):
            volume = end.volumes.get(number) if end else None
            if volume is not None:
                volume.file.blocks[at] = data
                volume.written += 1
        return True

    def copied(self, source: SimulatedFile, target: SimulatedFile) -> None:
        """Metadata is part of what a device holds, at its end."""
        if source.inode in self._metadata and source.size == target.size:
            self._metadata[target.inode] = deepcopy(self._metadata[source.inode])

    def power_loss(self) -> None:
        for resource in self.resources.values():
            if resource.role == "Primary":
                self._new_generation(resource)
        self.resources.clear()

    # -- what happens by itself -----------------------------------------------------------------------------------

    def meet(self) -> None:
        return

    def judge(self) -> None:
        return

    def progress(self) -> None:
        for resource in list(self.resources.values()):
            self._connect(resource)

    def _peer(self, resource: Resource) -> Resource | None:
        """The other end of a connection, if it waits for this one."""
        for node in self.network.nodes.values():
            other = node.resources.get(resource.name) if isinstance(node, SimulatedDrbd) else None
            if other is None or not self.network.reaches(self.name, node.name):
                continue
            if (other.local, other.remote) == (resource.remote, resource.local) and other.secret == resource.secret:
                return other
        return None

    def _connect(self, resource: Resource) -> None:
        if resource.state == "StandAlone":
            return
        peer = self._peer(resource)
        if peer is None or peer.state == "StandAlone":
            if resource.state == "Connected":
                self._disconnected(resource)
            resource.state = "Connecting"
        elif resource.state != "Connected" or peer.state != "Connected":
            drbd8_sync.handshake(resource, peer)
        else:
            drbd8_sync.replicate(resource, peer)

    def _disconnected(self, resource: Resource) -> None:
        for volume in resource.volumes.values():
            volume.replication = "Off"
        if resource.role == "Primary":
            self._new_generation(resource)

    def _new_generation(self, resource: Resource) -> None:
        for volume in resource.volumes.values():
            if volume.metadata.base is not None:
                continue  # changes are noted since an earlier one already
            volume.metadata.base = dict(volume.file.blocks)
            volume.metadata.history.append(volume.metadata.generation)
            volume.metadata.generation = self.network.new_generation()

    # -- drbdmeta -----------------------------------------------------------------------------------------------

    def drbdmeta(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        argv, arguments = ("drbdmeta", *arguments), tuple(a for a in arguments if a != "--force")
        if len(arguments) < 5:
            raise CommandFailed(argv, 20, "USAGE: drbdmeta DEVICE FORMAT [FORMAT ARGS...] COMMAND")
        _, _, device, where, command, *rest = arguments
        if any(device in (v.backing, v.apart) for v in self._volumes()):
            raise CommandFailed(argv, 20, f"open({device}) failed: Device or resource busy")
        return drbd8_metadata.run(self._metadata, disk.content(device), where, command, tuple(rest), argv)

    # -- drbdadm ------------------------------------------------------------------------------------------------

    def drbdadm(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        match arguments:
            case ("--version",):
                return "DRBDADM_BUILDTAG=simulated\nDRBD_KERNEL_VERSION_CODE=0x08040b\nDRBDADM_VERSION=9.22.0\n"
            case ("-c", path, "sh-nop"):
                disk.get(path)
            case ("adjust", name):
                self._adjust(disk, name)
            case ("disconnect", name):
                self._disconnect(self.resources[name])
            case ("connect", name) | ("--", "--discard-my-data", "connect", name):
                resource = self.resources[name]
                if resource.state != "StandAlone":
                    raise CommandFailed(("drbdadm", *arguments), 10, "Device has a net-config (use disconnect first)")
                resource.state, resource.discards = "Connecting", len(arguments) > 2
            case ("verify" | "invalidate" | "pause-sync" | "resume-sync" | "get-gi" as verb, which):
                return self._of_volumes(verb, which)
            case ("primary" | "secondary" as role, name):
                self._switch(disk, self.resources[name], role.capitalize())
            case ("resize", volume) | ("--", "--assume-peer-has-space", "resize", volume):
                self._resize(volume, len(arguments) > 2)
            case _:
                raise CommandFailed(("drbdadm", *arguments), 1, "not known to the simulated drbdadm")
        self.network.settle()
        return ""

    def _disconnect(self, resource: Resource) -> None:
        if resource.state == "Connected":
            self._disconnected(resource)
            peer = self._peer(resource)
            if peer is not None and peer.state == "Connected":
                self._disconnected(peer)
                peer.state = "Connecting"
        resource.state = "StandAlone"

    def _of_volumes(self, verb: str, which: str) -> str:
        name, _, number = which.partition("/")
        resource = self.resources[name]
        self.network.settle()
        peer = self._peer(resource) if resource.state == "Connected" else None
        for each, volume in resource.volumes.items():
            if number in ("", str(each)):
                told = self._of_volume(verb, resource, volume, peer.volumes.get(each) if peer else None)
        self.network.settle()
        return told

    @staticmethod
    def _of_volume(verb: str, resource: Resource, volume: Volume, there: Volume | None) -> str:
        def failed(status: int, why: str) -> CommandFailed:
            return CommandFailed(("drbdsetup-84", verb, str(volume.minor)), status, f"{volume.minor}: {why}")

        if verb == "get-gi":
            return drbd8_metadata.generations(volume.metadata)
        if verb in ("pause-sync", "resume-sync"):
            volume.paused = verb == "pause-sync"
        elif there is None:
            raise failed(17, "State change failed: (-15) Need a connection to start verify or resync")
        elif verb == "verify":
            if not resource.verifies:
                raise failed(17, "State change failed: (-14) Need a verify algorithm to start online verify")
            volume.replication, there.replication, volume.looks = "VerifyS", "VerifyT", 2
        else:
            there.replication, volume.replication = "SyncSource", "SyncTarget"
            volume.disk, volume.metadata.good, there.looks = "Inconsistent", False, 2
        return ""

    def _adjust(self, disk: Disk, name: str) -> None:
        text = disk.get(f"{DIRECTORY}/{name}.res").text
        hosts = dict(re.findall(r'on "([^"]+)" \{(.*?)\n    \}', text, re.DOTALL))
        own = hosts.pop(self.name)
        resource = self.resources.setdefault(name, Resource(name, disk))
        for number, inside in re.findall(r"volume (\d+) \{(.*?)\n        \}", own, re.DOTALL):
            self._attach(disk, resource, int(number), inside)
        ends = (_found(r"address ipv4 (\S+);", own), _found(r"address ipv4 (\S+);", next(iter(hosts.values()))))
        secret = _found(r"shared-secret (\S+);", text)
        resource.verifies = "verify-alg " in text
        if (resource.local, resource.remote, resource.secret) != (*ends, secret) or resource.state == "StandAlone":
            self._disconnect(resource)
            resource.local, resource.remote, resource.secret = *ends, secret
            resource.state = "Connecting"

    def _attach(self, disk: Disk, resource: Resource, number: int, inside: str) -> None:
        minor, backing = int(_found(r"minor (\d+);", inside)), _found(r'disk "([^"]+)";', inside)
        if number in resource.volumes:
            return
        file, apart = disk.content(backing), _found(r'meta-disk "?([^";]+)"?;', inside)
        room = disk.content(apart) if apart != "internal" else None
        metadata = self._metadata.get((room or file).inode)
        if metadata is None or not fits(metadata, file.size, room is not None):
            raise CommandFailed(("drbdadm", "adjust", resource.name), 1, "No valid meta data found")
        volume = Volume(minor, backing, file, metadata, "UpToDate" if metadata.good else "Inconsistent", room=room)
        if room is not None:
            volume.apart = apart
            disk.used[apart] = (f"held by drbd{minor}",)
        metadata.size, metadata.unclean = metadata.size or volume.capacity, True
        resource.volumes[number] = volume
        disk.used[backing] = (f"held by drbd{minor}",)

    def _switch(self, disk: Disk, resource: Resource, role: str) -> None:
        self.network.settle()
        for volume in resource.volumes.values():
            device = f"/dev/drbd{volume.minor}"
            if role == "Primary" and volume.disk != "UpToDate":
                raise CommandFailed(("drbdadm", "primary", resource.name), 17, "Need access to UpToDate data")
            if role == "Secondary" and disk.used.get(device):
                raise CommandFailed(("drbdadm", "secondary", resource.name), 11, "Device is held open by someone")
            if role == "Primary":
                disk.opened[device] = volume.file
            else:
                disk.opened.pop(device, None)
        if role == "Primary" and resource.role != "Primary" and resource.state != "Connected":
            self._new_generation(resource)
        resource.role = role

    def _resize(self, which: str, forced: bool) -> None:
        """Without a peer the size stays that which was agreed on, and that is no error."""
        name, _, number = which.partition("/")
        resource = self.resources[name]
        peer = self._peer(resource) if resource.state == "Connected" else None
        if "Primary" not in (resource.role, peer.role if peer else ""):
            raise CommandFailed(("drbdadm", "resize", which), 10, "Failure: (131) Need one Primary node to resize.")
        ends = [r.volumes[int(number)] for r in (resource, peer) if r is not None]
        agreed = min(each.capacity for each in ends) if peer or forced else ends[0].metadata.size
        for end in ends:
            end.metadata.size = agreed
            end.metadata.end = end.file.size

    # -- drbdsetup ----------------------------------------------------------------------------------------------

    def drbdsetup(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        match arguments:
            case ("events2", "--now", "--statistics"):
                self.network.settle()
                return "".join(f"exists {line}\n" for line in (*self._events(), "-"))
            case ("show",):
                return "".join(
                    f'        device\t\t\tminor {v.minor};\n        disk\t\t\t"{v.backing}";\n'
                    + (f'        meta-disk\t\t\t"{v.apart}";\n' if v.apart else "        meta-disk\t\t\tinternal;\n")
                    for v in self._volumes()
                )
            case ("down", name):
                self._down(disk, name)
            case ("suspend-io" | "resume-io" as what, minor):
                self._suspend(int(minor), what == "suspend-io")
            case ("detach" | "del-minor", minor):
                self._detach(disk, int(minor))
            case _:
                raise CommandFailed(("drbdsetup", *arguments), 20, "not known to the simulated drbdsetup")
        return ""

    def _suspend(self, minor: int, suspend: bool) -> None:
        """The resource as a whole; going on lifts whatever it is suspended for."""
        for resource in self.resources.values():
            if any(v.minor == minor for v in resource.volumes.values()):
                resource.held = resource.held | {"user"} if suspend else set()
                resource.stuck = resource.stuck or (suspend and resource.role == "Primary")

    def _down(self, disk: Disk, name: str) -> None:
        resource = self.resources.get(name)
        for volume in resource.volumes.values() if resource else ():
            if disk.used.get(f"/dev/drbd{volume.minor}"):
                raise CommandFailed(("drbdsetup", "down", name), 11, "Device is held open by someone")
            self._release(disk, volume)
        self.resources.pop(name, None)

    def _detach(self, disk: Disk, minor: int) -> None:
        for resource in self.resources.values():
            for number, volume in list(resource.volumes.items()):
                if volume.minor == minor:
                    self._release(disk, volume)
                    del resource.volumes[number]

    @staticmethod
    def _release(disk: Disk, volume: Volume) -> None:
        disk.opened.pop(f"/dev/drbd{volume.minor}", None)
        disk.used.pop(volume.backing, None)
        disk.used.pop(volume.apart, None)

    def _volumes(self) -> Iterator[Volume]:
        for resource in self.resources.values():
            yield from resource.volumes.values()

    def _events(self) -> Iterator[str]:
        for resource in self.resources.values():
            name = f"name:{resource.name}"
            peer = self._peer(resource) if resource.state == "Connected" else None
            role = peer.role if peer else "Unknown"
            held = ",".join(sorted(resource.held)) or "no"
            yield f"resource {name} role:{resource.role} suspended:{held} write-ordering:flush"
            named = "" if resource.state == "StandAlone" else " conn-name:peer"
            yield f"connection {name} peer-node-id:0{named} connection:{resource.state} role:{role} congested:no"
            for number, volume in resource.volumes.items():
                size = volume.metadata.size // 1024
                seen = f"disk:{volume.disk} size:{size} read:0 written:{volume.written}"
                yield f"device {name} volume:{number} minor:{volume.minor} {seen}"
                there = peer.volumes.get(number) if peer else None
                disk, replication = (there.disk, volume.replication) if there else ("DUnknown", "Off")
                yield (
                    f"peer-device {name} peer-node-id:0{named} volume:{number} replication:{replication} "
                    f"peer-disk:{disk} resync-suspended:{'user' if volume.paused else 'no'} "
                    f"out-of-sync:{volume.out_of_sync >> 10}"
                )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise CommandFailed(("drbdadm",), 10, f"Parse error: {pattern} expected")
    return found[1]
