"""One virtual machine: the arguments of QEMU, its control socket, and its state on disk."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab import image
from tests.lab.keeper import Keeper
from trees import debian

PROGRAM = "qemu-system-x86_64"
MEMORY = 768  # MiB
AGENT_PORT, SATELLITE_PORT = 7777, 3367
PATIENCE = 180.0  # seconds for a boot under emulation on a busy machine
COMMAND_LINE = (
    "console=ttyS0 quiet loglevel=4 panic=-1 reboot=t mitigations=off nokaslr no5lvl audit=0 tsc=reliable "
    "random.trust_cpu=on net.ifnames=0 cryptomgr.notests raid=noautodetect 8250.nr_uarts=1"
)
SOURCE = Path(__file__)


class MachineError(Exception):
    """The virtual machine did not do what it had to."""


class State(NamedTuple):
    """A booted machine on disk."""

    memory: Path
    devices: Path


class Place(NamedTuple):
    """Where a machine lives: its folder, its loopback address on the host, the multicast group of its network."""

    folder: Path
    address: str
    group: str


class Machine:
    """Memory of a saved state is mapped privately: machines share what none of them has changed."""

    def __init__(self, keeper: Keeper, place: Place, booted: image.Image) -> None:
        self.keeper, self.place, self.image = keeper, place, booted
        self.pid: int | None = None
        place.folder.mkdir(exist_ok=True)

    @property
    def running(self) -> bool:
        return self.pid is not None and self.keeper.alive(self.pid)

    def boot(self, memory: Path | None = None) -> None:
        """From the kernel on; with `memory` that file holds the machine's, to be saved later."""
        kind = f"memory-backend-file,mem-path={memory},share=on" if memory else "memory-backend-ram"
        self._start(kind)

    def restore(self, state: State) -> None:
        """It stays paused until `resume`."""
        self._start(f"memory-backend-file,mem-path={state.memory},share=off", "-incoming", "defer")
        self._ignore_shared_memory()
        self.control("migrate-incoming", uri=f"exec:cat {shlex.quote(str(state.devices))}")
        self._await_status("paused")

    def save(self, state: State) -> None:
        """Ends the machine."""
        self._ignore_shared_memory()
        self.control("stop")
        self.control("migrate", uri=f"exec:cat > {shlex.quote(str(state.devices))}")
        self._await_status("postmigrate")
        self.kill()

    def resume(self) -> None:
        self.control("cont")

    def pause(self) -> None:
        self.control("stop")

    def kill(self) -> None:
        """As a loss of power: what the guest had written to its disks is in the host's page cache."""
        if self.pid is not None:
            self.keeper.kill(self.pid)
            self.pid = None

    def attach(self, unit: int, file: Path, serial: str, read_only: bool = False) -> None:
        """Raw and without a cache in QEMU's process: nothing that was written is lost with it."""
        self.control(
            "blockdev-add",
            **{"node-name": f"disk{unit}", "driver": "raw", "discard": "unmap"},
            file={"driver": "file", "filename": str(file), "discard": "unmap", "locking": "off"},
            cache={"no-flush": True},
            **{"read-only": read_only},
        )
        place = {"id": f"scsi{unit}", "bus": "scsi.0", "channel": 0, "scsi-id": 0, "lun": unit}
        self.control("device_add", driver="scsi-hd", drive=f"disk{unit}", serial=serial, **place)

    def detach(self, unit: int) -> None:
        """As if it was pulled out."""
        self.control("device_del", id=f"scsi{unit}")

    def cable(self, plugged: bool) -> None:
        self.control("set_link", name="cable", up=plugged)

    def control(self, command: str, **arguments: Any) -> Any:
        """One command of QEMU's control protocol; its answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.place.folder / "control"))
            with connection.makefile("rw") as stream:
                stream.readline()
                for name, values in (("qmp_capabilities", {}), (command, arguments)):
                    stream.write(json.dumps({"execute": name, "arguments": values}) + "\n")
                    stream.flush()
                    answer = self._answer(stream)
        if "error" in answer:
            raise MachineError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    @staticmethod
    def _answer(stream: Any) -> dict[str, Any]:
        for line in stream:
            answer: dict[str, Any] = json.loads(line)
            if "event" not in answer:
                return answer
        raise MachineError("the machine ended in the middle of a command")

    def said(self) -> str:
        """What QEMU itself complained of."""
        file = self.place.folder / "qemu.log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""

    def _ignore_shared_memory(self) -> None:
        self.control("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])

    def _await_status(self, wanted: str) -> None:
        until = time.monotonic() + PATIENCE
        while (found := self.control("query-status")["status"]) != wanted:
            if time.monotonic() > until:
                raise MachineError(f"the machine is {found}, not {wanted}; {self.said()}")
            time.sleep(0.01)

    def _start(self, memory: str, *more: str) -> None:
        (self.place.folder / "control").unlink(missing_ok=True)
        argv = [*_arguments(self.place, self.image), "-object", f"{memory},id=memory,size={MEMORY}M", *more]
        self.pid = self.keeper.start(argv, self.place.folder / "qemu.log")
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.control("query-status")
                return
            except (FileNotFoundError, ConnectionError):
                if not self.running or time.monotonic() > until:
                    raise MachineError(f"QEMU did not start: {self.said()}") from None
                time.sleep(0.01)


def _arguments(place: Place, booted: image.Image) -> list[str]:
    folder, address = place.folder, place.address
    forwards = ",".join(f"hostfwd=tcp:{address}:{port}-:{port}" for port in (AGENT_PORT, SATELLITE_PORT))
    files = {name: f"file,id={name},path={folder / name},append=on" for name in ("console", "satellite", "steps")}
    return [
        *(PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-no-reboot"),
        *("-M", "q35,usb=off,vmport=off,hpet=off,memory-backend=memory", "-m", str(MEMORY), "-smp", "1"),
        *("-accel", "tcg,thread=multi,tb-size=128", "-cpu", "max"),
        *("-kernel", str(booted.vmlinux), "-initrd", str(booted.initrd)),
        *("-append", f"{COMMAND_LINE} root=/dev/vda ro"),
        *("-qmp", f"unix:{folder / 'control'},server=on,wait=off"),
        *(argument for file in files.values() for argument in ("-chardev", file)),
        *("-serial", "chardev:console"),
        *("-device", "virtio-serial-pci", "-device", "virtio-rng-pci", "-device", "virtio-scsi-pci,id=scsi"),
        *("-device", "virtserialport,chardev=satellite,name=orlop.satellite"),
        *("-device", "virtserialport,chardev=steps,name=orlop.steps"),
        *("-drive", f"if=none,id=root,file={booted.root},format=raw,readonly=on"),
        *("-device", "virtio-blk-pci,drive=root"),
        *("-netdev", f"user,id=host,net=10.0.2.0/24,{forwards}"),
        *("-device", "virtio-net-pci,netdev=host,romfile=,mac=52:54:00:aa:00:01"),
        *("-netdev", f"socket,id=network,mcast={place.group},localaddr=127.0.0.1"),
        *("-device", "virtio-net-pci,netdev=network,id=cable,romfile=,mac=52:54:00:77:00:ff"),
    ]


def version() -> str:
    """QEMU's: a state can be restored by the same one only."""
    path = shutil.which(PROGRAM)
    return debian.run([path or PROGRAM, "--version"])
