"""The NVMe target of a simulated node's kernel: a tree in configfs that refuses what the real one refuses."""

from __future__ import annotations

from uuid import uuid4

from orlop.errors import NodeError, WouldDestroy
from orlop.plugin import KernelStep, MakeDirectory, MakeLink, RemoveDirectory, RemoveLink, WriteAttribute
from orlop.testing.disk import Disk, SimulatedFile

NVMET = "/sys/kernel/config/nvmet"
PLACE = ("addr_adrfam", "addr_trtype", "addr_traddr", "addr_trsvcid")


class SimulatedTarget:
    """What is below `NVMET`. Gone after a loss of power, as everything in the kernel's memory."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.directories: set[str] = set()
        self.attributes: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.sizes: dict[str, int] = {}  # of enabled namespaces, as the kernel knows them

    def load(self) -> None:
        if not self.directories:
            self.directories |= {NVMET, *(f"{NVMET}/{name}" for name in ("subsystems", "ports", "hosts"))}

    def power_loss(self) -> None:
        for entries in (self.directories, self.attributes, self.links, self.sizes):
            entries.clear()

    def texts(self) -> dict[str, str]:
        readable = {path: f"{text}\n" for path, text in self.attributes.items() if not path.endswith("revalidate_size")}
        return {**dict.fromkeys(self.directories, ""), **readable, **self.links}

    def change(self, step: KernelStep) -> None:
        match step:
            case MakeDirectory(path=path):
                self._make(path)
            case WriteAttribute(path=path, text=text):
                self._write(path, text)
            case MakeLink(path=path, target=target):
                self._link(path, target)
            case RemoveLink(path=path):
                self.links.pop(path, None)
            case RemoveDirectory():
                self._remove(step)

    # -- looked at by hosts ---------------------------------------------------------------------------------------

    def content(self, address: str, port: str, subsystem: str, host: str) -> SimulatedFile | None:
        """What a host is shown; None while it is not let in."""
        at = f"{NVMET}/subsystems/{subsystem}"
        if not any(f"{path}/subsystems/{subsystem}" in self.links for path in self.listening(address, port)):
            return None
        if f"{at}/allowed_hosts/{host}" not in self.links and self.attributes[f"{at}/attr_allow_any_host"] != "1":
            return None
        namespace = f"{at}/namespaces/1"
        device = self.attributes.get(f"{namespace}/device_path", "")
        enabled = self.attributes.get(f"{namespace}/enable") == "1" and self._disk.is_block_device(device)
        return self._disk.content(device) if enabled else None

    def listening(self, address: str, port: str) -> list[str]:
        """The ports that are open there."""
        opened = [path for path in self._below(f"{NVMET}/ports") if self._below(f"{path}/subsystems")]
        return [path for path in opened if self._place(path)[2:] == (address, port)]

    def looked_at(self, subsystem: str) -> tuple[str, int]:
        """Uuid and size of the namespace; who asks for the size has the kernel look at the device again."""
        namespace = f"{NVMET}/subsystems/{subsystem}/namespaces/1"
        self._revalidate(namespace)
        return self.attributes[f"{namespace}/device_uuid"], self.sizes[namespace]

    # -- changed through configfs ---------------------------------------------------------------------------------

    def _make(self, path: str) -> None:
        if path in self.directories:
            return
        folder, _, _ = path.rpartition("/")
        if folder not in self.directories:
            raise NodeError(f"could not make {path}: No such file or directory")
        self.directories.add(path)
        match path.removeprefix(f"{NVMET}/").split("/"):
            case ["subsystems", _]:
                self.directories |= {f"{path}/allowed_hosts", f"{path}/namespaces"}
                self.attributes |= {f"{path}/attr_serial": uuid4().hex[:20], f"{path}/attr_allow_any_host": "0"}
            case ["subsystems", _, "namespaces", _]:
                first = {"device_path": "(null)", "device_uuid": str(uuid4()), "enable": "0", "revalidate_size": ""}
                self.attributes |= {f"{path}/{name}": text for name, text in first.items()}
            case ["ports", _]:
                self.directories.add(f"{path}/subsystems")
                self.attributes |= {f"{path}/{name}": "" for name in PLACE} | {f"{path}/addr_adrfam": "pcie"}

    def _write(self, path: str, text: str) -> None:
        if path not in self.attributes:
            raise NodeError(f"could not write {text} to {path}: No such file or directory")
        folder, _, name = path.rpartition("/")
        if name == "revalidate_size":
            self._revalidate(folder)
            return
        if self.attributes[path] == text:
            return
        self._refuse(folder, name, text)
        self.attributes[path] = text
        if name == "enable":
            self._revalidate(folder) if text == "1" else self.sizes.pop(folder, None)

    def _refuse(self, folder: str, name: str, text: str) -> None:
        why = ""
        if name in PLACE and self._below(f"{folder}/subsystems"):
            why = "Permission denied"
        elif name in ("device_path", "device_uuid") and self.attributes[f"{folder}/enable"] == "1":
            why = "Device or resource busy"
        elif name == "enable" and text == "1":
            device = self.attributes[f"{folder}/device_path"]
            missing = "Invalid argument" if device == "(null)" else "No such file or directory"
            why = "" if self._disk.is_block_device(device) else missing
        elif name == "attr_allow_any_host" and text == "1" and self._below(f"{folder}/allowed_hosts"):
            why = "Invalid argument"
        if why:
            raise NodeError(f"could not write {text} to {folder}/{name}: {why}")

    def _revalidate(self, namespace: str) -> None:
        device = self.attributes[f"{namespace}/device_path"]
        if self._disk.is_block_device(device):
            self.sizes[namespace] = self._disk.size(device)

    def _link(self, path: str, target: str) -> None:
        if self.links.get(path, target) != target:
            raise WouldDestroy(f"{path} is something else already; it was left as it is")
        folder, _, _ = path.rpartition("/")
        if target not in self.directories or folder not in self.directories:
            raise NodeError(f"could not link {path} to {target}: No such file or directory")
        if folder.startswith(f"{NVMET}/ports/"):
            self._open(folder.removesuffix("/subsystems"))
        self.links[path] = target

    def _open(self, port: str) -> None:
        place = self._place(port)
        if not all(place):
            raise NodeError(f"could not open {port}: Invalid argument")
        others = [p for p in self._below(f"{NVMET}/ports") if p != port and self._below(f"{p}/subsystems")]
        if any(self._place(other)[2:] == place[2:] for other in others):
            raise NodeError(f"could not open {port}: Address already in use")

    def _place(self, port: str) -> tuple[str, ...]:
        return tuple(self.attributes[f"{port}/{name}"] for name in PLACE)

    def _below(self, folder: str) -> list[str]:
        entries = (*self.directories, *self.links)
        return [path for path in entries if path.rpartition("/")[0] == folder]

    def _remove(self, step: RemoveDirectory) -> None:
        path = step.path
        if path not in self.directories:
            return
        inside = [f"{path}/{name}" for name in ("subsystems", "namespaces", "allowed_hosts")]
        why = "Directory not empty" if any(self._below(folder) for folder in inside) else ""
        why = "Device or resource busy" if path in self.links.values() else why
        if why and not step.unless_used:
            raise NodeError(f"could not {step}: {why}")
        if why:
            return
        self.directories = {each for each in self.directories if each != path and not each.startswith(f"{path}/")}
        self.attributes = {each: text for each, text in self.attributes.items() if not each.startswith(f"{path}/")}
        self.sizes.pop(path, None)
