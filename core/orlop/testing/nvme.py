"""NVMe over fabrics of a simulated node: its target, and the connections that nvme-cli makes to others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import NAMESPACE_DNS, uuid5

from orlop.errors import CommandFailed, NodeError
from orlop.plugin import AwaitEntry, KernelStep
from orlop.testing.disk import Disk, SimulatedFile
from orlop.testing.nvmet import NVMET, SimulatedTarget

CLASS = "/sys/class/nvme-subsystem"
HOST_NQN = "/etc/nvme/hostnqn"
VERSION = "2.3"


@dataclass
class Fabric:
    """The network between some nodes."""

    nodes: list[SimulatedNvme] = field(default_factory=list)


@dataclass
class Controller:
    """One connection, live or trying to become so again."""

    subsystem: str
    address: str
    port: str
    host: str
    patience: float
    lost: float | None = None  # since when the target does not answer


class SimulatedNvme:
    """`connections` is what nvme-cli made; `target` what other nodes can reach."""

    def __init__(self, disk: Disk, name: str, clock: Callable[[], float], fabric: Fabric | None = None) -> None:
        self.target = SimulatedTarget(disk)
        self.modules: set[str] = set()
        self.connections: dict[str, Controller] = {}  # by name, nvme0...
        self._disk, self._clock = disk, clock
        self._fabric = fabric or Fabric()
        self._fabric.nodes.append(self)
        self._numbers: dict[str, int] = {}  # by subsystem
        self._namespaces: dict[str, tuple[str, int]] = {}  # uuid and size by subsystem, as this node knows them
        disk.make_folder("/etc/nvme")
        text = f"nqn.2014-08.org.nvmexpress:uuid:{uuid5(NAMESPACE_DNS, name)}\n"
        disk.put(HOST_NQN, SimulatedFile(inode=0, text=text))

    def power_loss(self) -> None:
        """Also of what the disk did not lose by itself."""
        self.target.power_loss()
        self.modules.clear()
        self.connections.clear()
        self._numbers.clear()
        self._namespaces.clear()

    def programs(self) -> dict[str, Callable[[Disk, tuple[str, ...]], str]]:
        return {"nvme": self._nvme, "modprobe": self._modprobe, "blockdev": _blockdev}

    def change(self, step: KernelStep) -> None:
        if isinstance(step, AwaitEntry):
            there = self.texts((step.path,)).get(step.path)
            if there is None or (step.other_than and there.strip() == step.other_than):
                raise NodeError(f"{step.path} did not change in 15 s")
        else:
            self.target.change(step)

    # -- what the kernel shows ------------------------------------------------------------------------------------

    def texts(self, patterns: tuple[str, ...]) -> dict[str, str]:
        self._refresh()
        everything = {**self.target.texts(), **self._sysfs(), HOST_NQN: self._disk.get(HOST_NQN).text}
        everything |= {f"/sys/module/{name}": "" for name in self.modules}
        fitting = re.compile("|".join(re.escape(p).replace(r"\*", "[^/]*") for p in patterns))
        return {path: text for path, text in everything.items() if fitting.fullmatch(path)}

    def _sysfs(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, connection in self.connections.items():
            number = self._numbers[connection.subsystem]
            at = f"{CLASS}/nvme-subsys{number}"
            found[f"{at}/subsysnqn"] = f"{connection.subsystem}\n"
            found[f"{at}/{name}/state"] = "live\n" if connection.lost is None else "connecting\n"
            found[f"{at}/{name}/transport"] = "tcp\n"
            found[f"{at}/{name}/address"] = f"traddr={connection.address},trsvcid={connection.port}\n"
            if connection.subsystem in self._namespaces:
                uuid, size = self._namespaces[connection.subsystem]
                found[f"{at}/nvme{number}n1/size"] = f"{size // 512}\n"
                found[f"/sys/class/block/nvme{number}n1/size"] = f"{size // 512}\n"
                found[f"/dev/disk/by-id/nvme-uuid.{uuid}"] = f"../../nvme{number}n1"
        return found

    def _refresh(self) -> None:
        """What the kernel does by itself: try again, give up after a while."""
        for name, connection in list(self.connections.items()):
            if (found := self._find(connection)) is not None:
                connection.lost = None
                self._disk.opened[self.device(connection.subsystem)] = found[1]
                continue
            if connection.lost is None:
                connection.lost = self._clock()
            if self._clock() - connection.lost > connection.patience:
                self._drop(name)

    def _find(self, connection: Controller) -> tuple[SimulatedTarget, SimulatedFile] | None:
        for node in self._fabric.nodes:
            where = (connection.address, connection.port, connection.subsystem, connection.host)
            if (content := node.target.content(*where)) is not None:
                return node.target, content
        return None

    def device(self, subsystem: str) -> str:
        return f"/dev/nvme{self._numbers[subsystem]}n1"

    def _drop(self, name: str) -> None:
        subsystem = self.connections.pop(name).subsystem
        if all(other.subsystem != subsystem for other in self.connections.values()):
            self._disk.opened.pop(self.device(subsystem), None)
            self._namespaces.pop(subsystem, None)
            del self._numbers[subsystem]

    # -- programs -------------------------------------------------------------------------------------------------

    def _modprobe(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        for name in arguments:
            if not name.startswith("-"):
                self.modules.add(name)
        if "nvmet" in self.modules:
            self.target.load()
        return ""

    def _nvme(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        named = dict(text.removeprefix("--").partition("=")[::2] for text in arguments if text.startswith("--"))
        match arguments:
            case ("--version",):
                return f"nvme version {VERSION} (git {VERSION})\n"
            case ("connect", *_):
                return self._connect(named)
            case ("disconnect", *_):
                return self._disconnect(named["nqn"])
            case ("ns-rescan", device):
                return self._rescan(device.removeprefix("/dev/"))
        raise CommandFailed(("nvme", *arguments), 1, "not known to the simulated nvme")

    def _connect(self, named: dict[str, str]) -> str:
        made = Controller(
            named["nqn"], named["traddr"], named["trsvcid"], named["hostnqn"], float(named["ctrl-loss-tmo"])
        )
        if f"nvme_{named['transport']}" not in self.modules:
            raise NodeError("Failed to open /dev/nvme-fabrics: No such file or directory")
        if (found := self._find(made)) is None:
            answers = any(node.target.listening(made.address, made.port) for node in self._fabric.nodes)
            why = "failed to write to nvme-fabrics device" if answers else "connection refused"
            raise NodeError(f"could not add new controller: {why}")
        name = next(free for n in range(1 << 16) if (free := f"nvme{n}") not in self.connections)
        self.connections[name] = made
        used = set(self._numbers.values())
        self._numbers.setdefault(made.subsystem, next(n for n in range(1 << 16) if n not in used))
        self._namespaces[made.subsystem] = found[0].looked_at(made.subsystem)
        self._disk.opened[self.device(made.subsystem)] = found[1]
        return ""

    def _disconnect(self, subsystem: str) -> str:
        gone = [name for name, connection in self.connections.items() if connection.subsystem == subsystem]
        for name in gone:
            self._drop(name)
        return f"NQN:{subsystem} disconnected {len(gone)} controller(s)\n"

    def _rescan(self, name: str) -> str:
        connection = self.connections.get(name)
        if connection is None or (found := self._find(connection)) is None:
            raise NodeError(f"/dev/{name}: No such file or directory")
        self._namespaces[connection.subsystem] = found[0].looked_at(connection.subsystem)
        return ""


def _blockdev(disk: Disk, arguments: tuple[str, ...]) -> str:
    return "".join(f"{disk.size(device)}\n" for device in arguments if device != "--getsize64")


__all__ = ["NVMET", "Fabric", "SimulatedNvme"]
