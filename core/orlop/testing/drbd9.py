"""DRBD 9 on simulated nodes: generation identifiers, quorum, connections and synchronization as the user's guide has
them, behind the words and answers of the real tools (`tests/recorded`).

Metadata outlives a power loss, what the kernel knows does not. A synchronization takes two looks: one sees it going on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy

from orlop.errors import CommandFailed
from orlop.testing import (
    drbd9_adjust,
    drbd9_commands,
    drbd9_links,
    drbd9_metadata,
    drbd9_reports,
    drbd9_states,
    drbd9_sync,
)
from orlop.testing.disk import Disk, SimulatedFile
from orlop.testing.drbd9_config import Configured, Tools, configured
from orlop.testing.drbd9_io import used
from orlop.testing.drbd9_model import Device, Metadata, Resource
from orlop.testing.drbd_network import Listened, SimulatedNetwork

Program = Callable[[Disk, tuple[str, ...]], str]


class SimulatedDrbd9(Listened):
    """One node. `metadata` is kept by the file that the backing device shows; `tools`: of drbd-utils."""

    def __init__(self, name: str, network: SimulatedNetwork, disk: Disk) -> None:
        self.name = name
        self.network = network
        self.disk = disk
        self.kernel: Tools = (9, 2, 13)
        self.tools: Tools = (9, 22, 0)
        self.negotiates = 0  # looks that a disk takes which is attached while there are connections
        self.resources: dict[str, Resource] = {}
        self.metadata: drbd9_metadata.Kept = {}
        network.nodes[name] = self

    def programs(self) -> Mapping[str, Program]:
        return {"drbdadm": self.drbdadm, "drbdsetup": self.drbdsetup, "drbdmeta": self.drbdmeta}

    def power_loss(self) -> None:
        for resource in self.resources.values():
            for device in resource.devices.values():
                if device.metadata is not None:
                    device.metadata.crashed = device.metadata.crashed or resource.role == "Primary"
        self.resources.clear()

    # -- what happens by itself -----------------------------------------------------------------------------------

    def meet(self) -> None:
        for resource in self.resources.values():
            there = [n.resources[resource.name] for n in self._reached() if resource.name in n.resources]
            drbd9_links.meet(resource, there)

    def judge(self) -> None:
        for resource in self.resources.values():
            drbd9_states.judge(resource, self.network.new_generation)
            self._follow_users(resource)
            for connection in resource.connections.values():
                drbd9_links.meet_again(resource, connection)

    def progress(self) -> None:
        for resource in self.resources.values():
            drbd9_sync.progress(resource)
            for device in resource.devices.values():
                device.negotiating = max(0, device.negotiating - 1)
                if not device.negotiating and device.disk == "Negotiating" and not resource.attaches_alone:
                    drbd9_adjust.negotiated(resource, device)

    def _reached(self) -> list[SimulatedDrbd9]:
        nodes = [node for node in self.network.nodes.values() if isinstance(node, SimulatedDrbd9)]
        return [node for node in nodes if self.network.reaches(self.name, node.name)]

    @staticmethod
    def _follow_users(resource: Resource) -> None:
        """A device that somebody opens is primary meanwhile."""
        if resource.automatic and not used(resource):
            drbd9_states.demote(resource)
        elif used(resource) and resource.role == "Secondary" and drbd9_states.may_open(resource):
            drbd9_states.promote(resource, automatic=True)

    # -- tools ----------------------------------------------------------------------------------------------------

    def drbdadm(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        said = self._drbdadm(disk, _verb_first(arguments))
        self.network.settle()
        return said

    def _drbdadm(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        match arguments:
            case ("--version",):
                return _version(self.kernel, self.tools)
            case ("-c", path, "sh-nop"):
                configured(path, disk.get(path).text, self.name, self.tools)
                return ""
            case (verb, name) if verb in drbd9_commands.TOLD:
                return drbd9_commands.TOLD[verb](self, name)
            case (verb, name) if verb in drbd9_commands.PLAIN:
                drbd9_commands.PLAIN[verb](self, name)
                return ""
            case (verb, *options, name) if verb in drbd9_commands.WITH_OPTIONS:
                return drbd9_commands.WITH_OPTIONS[verb](self, name, tuple(options)) or ""
            case _:
                raise CommandFailed(("drbdadm", *arguments), 1, "not known to the simulated drbdadm")

    def drbdsetup(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        match arguments:
            case ("events2", "--now", *options):
                self.network.settle()
                found = self._events("--statistics" in options)
                return "".join(f"exists {line}\n" for line in (*found, "-"))
            case ("show", "--json") | ("show", _, "--json"):
                return drbd9_reports.show_json(self._named(arguments[1:-1]))
            case ("show", *names):
                return "".join(drbd9_reports.show(resource) for resource in self._named(names))
            case ("status", *words) if "--json" in words:
                self.network.settle()
                return drbd9_reports.status_json(self._named([w for w in words if not w.startswith("--")]))
            case ("get-gi", name, peer, number):
                metadata = self.resource(name).devices[int(number)].metadata
                return drbd9_metadata.generations(metadata, int(peer)) if metadata else ""
            case ("status", *names):
                self.network.settle()
                told = [drbd9_reports.status(resource) for resource in self._named(names)]
                return "".join(told) or "# No currently configured DRBD found.\n"
            case ("xml-help", section) if section in drbd9_commands.XML_HELP:
                return drbd9_commands.xml_help(section)
            case _:
                self._drbdsetup(arguments)
                self.network.settle()
        return ""

    def _drbdsetup(self, arguments: tuple[str, ...]) -> None:
        match arguments:
            case ("down", name):
                drbd9_commands.down(self, name)
            case ("detach", minor):
                drbd9_adjust.detach(*self._device(minor))
            case ("detach", minor, "--diskless") | ("detach", "--diskless", minor):
                drbd9_adjust.detach(*self._device(minor), diskless=True)
            case ("del-minor", minor):
                drbd9_adjust.remove_minor(*self._device(minor))
            case ("del-peer", name, node_id):
                drbd9_adjust.remove_peer(self.resource(name), int(node_id))
            case ("forget-peer", name, node_id):
                drbd9_commands.forget(self.resource(name), int(node_id))
            case ("suspend-io" | "resume-io" as verb, minor):
                drbd9_commands.suspend(self, self._device(minor)[0], verb == "suspend-io")
            case ("primary" | "secondary" as verb, name):
                drbd9_commands.role(self, verb, name)
            case _:
                raise CommandFailed(("drbdsetup", *arguments), 20, "not known to the simulated drbdsetup")

    def drbdmeta(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        argv, arguments = ("drbdmeta", *arguments), tuple(a for a in arguments if a != "--force")
        if len(arguments) < 5:
            raise CommandFailed(argv, 20, "USAGE: drbdmeta DEVICE FORMAT [FORMAT ARGS...] COMMAND")
        _, form, device, where, command, *rest = arguments
        if form != "v09":
            raise CommandFailed(argv, 20, f"'{form}' is not known to the simulated drbdmeta of DRBD 9")
        if any(device in (d.backing, d.apart) for r in self.resources.values() for d in r.devices.values()):
            raise CommandFailed(argv, 20, f"open({device}) failed: Device or resource busy")
        return drbd9_metadata.run(self.metadata, disk.content(device), where, command, tuple(rest), argv)

    # -- finding --------------------------------------------------------------------------------------------------

    def resource(self, name: str) -> Resource:
        if name not in self.resources:
            raise CommandFailed(("drbdsetup",), 10, f"{name}: Failure: (158) Unknown resource")
        return self.resources[name]

    def configured(self, name: str) -> Configured:
        return drbd9_adjust.read(self.disk, name, self.name, self.tools)

    def copied(self, source: SimulatedFile, target: SimulatedFile) -> None:
        """Metadata is part of what a device holds, at its end."""
        if source.inode in self.metadata and source.size == target.size:
            self.metadata[target.inode] = deepcopy(self.metadata[source.inode])

    def find_metadata(self, file: SimulatedFile) -> Metadata | None:
        return self.metadata.get(file.inode)

    def _named(self, names: tuple[str, ...] | list[str]) -> list[Resource]:
        return [self.resource(name) for name in names] or list(self.resources.values())

    def _device(self, minor: str) -> tuple[Resource, Device]:
        for resource in self.resources.values():
            for device in resource.devices.values():
                if str(device.minor) == minor:
                    return resource, device
        raise CommandFailed(("drbdsetup",), 10, f"{minor}: Failure: (127) Device minor not allocated")

    def _events(self, statistics: bool = True) -> Iterator[str]:
        for resource in self.resources.values():
            yield from drbd9_reports.events(resource, statistics)


def _verb_first(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Options may stand before the verb as well, and after `--`."""
    words = [word for word in arguments if word not in ("--", "-vvv")]
    options = [word for word in words if word.startswith("--")]
    plain = [word for word in words if not word.startswith("--")]
    return (*plain[:1], *options, *plain[1:])


def _version(kernel: Tools, tools: Tools) -> str:
    words = {"DRBDADM_BUILDTAG": "simulated", "DRBDADM_API_VERSION": "2"}
    for name, version in (("DRBD_KERNEL_VERSION", kernel), ("DRBDADM_VERSION", tools)):
        words[f"{name}_CODE"] = f"0x{version[0] << 16 | version[1] << 8 | version[2]:06x}"
        words[name] = ".".join(map(str, version))
    return "".join(f"{name}={value}\n" for name, value in words.items())
