"""A disk with a GPT for a simulated node, and the programs that read and change it, as the real ones answer."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orlop.errors import CommandFailed
from orlop.testing import SimulatedHost
from orlop.testing.disk import Disk, SimulatedFile

SECTOR = 512
FIRST = 34
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

Row = dict[str, Any]
Program = Callable[[Disk, tuple[str, ...]], str]


def with_version(program: Program) -> Program:
    """A node is asked for the version of everything that a driver needs."""

    def answer(disk: Disk, arguments: tuple[str, ...]) -> str:
        return f"{program.__name__} 1.0\n" if arguments == ("--version",) else program(disk, arguments)

    return answer


@dataclass
class Entry:
    start: int  # sectors, as everything here
    end: int
    type: str = LINUX
    uuid: str = "00000000-0000-4000-8000-000000000000"
    name: str = ""
    bits: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        return self.end - self.start + 1


class PartitionedDisk:
    """The table and what is written at each place outlive a power loss; what the kernel shows does not."""

    def __init__(self, host: SimulatedHost, path: str = "/dev/sda", sectors: int = 1 << 21, label: str = "gpt") -> None:
        self.path, self.sectors, self.label = path, sectors, label
        self.entries: dict[int, Entry] = {}
        self.contents: dict[int, SimulatedFile] = {}  # by first sector: a new partition finds what was there
        self.opened = host.disk.opened
        self._lsblk, self._wipefs = host.installed["lsblk"], host.installed["wipefs"]
        host.installed |= {"lsblk": self.lsblk, "wipefs": self.wipefs}
        for program in (self.sfdisk, self.sgdisk, self.partx):
            host.installed[program.__name__] = with_version(program)

    def node(self, number: int) -> str:
        return f"{self.path}{number}"

    def sfdisk(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        option, path = arguments
        assert option == "--json", arguments
        self._need(path, ("sfdisk", *arguments))
        if not self.label:
            raise CommandFailed(
                ("sfdisk", *arguments), 1, f"sfdisk: {path}: does not contain a recognized partition table"
            )
        rows = [self._row(number, entry) for number, entry in sorted(self.entries.items())]
        table = {"label": self.label, "device": path, "unit": "sectors", "firstlba": FIRST}
        table |= {"lastlba": self.sectors - FIRST, "sectorsize": SECTOR} | ({"partitions": rows} if rows else {})
        return json.dumps({"partitiontable": table})

    def _row(self, number: int, entry: Entry) -> Row:
        row: Row = {"node": self.node(number), "start": entry.start, "size": entry.size}
        row |= {"type": entry.type.upper(), "uuid": entry.uuid.upper()}
        row |= {"name": entry.name} if entry.name else {}
        return row | ({"attrs": f"GUID:{','.join(map(str, sorted(entry.bits)))}"} if entry.bits else {})

    def sgdisk(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        """All of it or nothing: the table is written once, at the end."""
        *options, path = arguments
        self._need(path, ("sgdisk", *arguments))
        entries = {number: Entry(**{**vars(entry), "bits": set(entry.bits)}) for number, entry in self.entries.items()}
        try:
            for option in options:
                self._change(entries, *option.removeprefix("--").split("=", 1))
        except ValueError as error:
            raise CommandFailed(("sgdisk", *arguments), 4, f"{error}\nError encountered; not saving changes.") from None
        self.entries = entries
        return "The operation has completed successfully.\n"

    def _change(self, entries: dict[int, Entry], option: str, value: str) -> None:
        if option == "set-alignment":
            return
        first, _, rest = value.partition(":")
        number = int(first)
        if option == "new":
            self._add(entries, number, *map(int, rest.split(":")))
        elif number not in entries:
            raise ValueError(f"Partition {number} does not exist")
        elif option == "delete":
            del entries[number]
        elif option == "attributes":
            verb, bit = rest.split(":")
            {"set": entries[number].bits.add, "clear": entries[number].bits.discard}[verb](int(bit))
        else:
            name = {"typecode": "type", "partition-guid": "uuid", "change-name": "name"}[option]
            setattr(entries[number], name, rest)

    def _add(self, entries: dict[int, Entry], number: int, start: int, end: int) -> None:
        fits = FIRST <= start <= end <= self.sectors - FIRST
        if number in entries or not fits or any(e.start <= end and start <= e.end for e in entries.values()):
            raise ValueError(f"Could not create partition {number} from {start} to {end}")
        entries[number] = Entry(start, end)

    def partx(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        verb, option, number, path = arguments
        assert option == "--nr", arguments
        self._need(path, ("partx", *arguments))
        node, entry = self.node(int(number)), self.entries.get(int(number))
        if verb == "--delete":
            if node in disk.used:
                raise CommandFailed(("partx", *arguments), 1, f"partx: {path}: error deleting partition {number}")
            disk.opened.pop(node, None)
        elif entry is not None:
            content = self.contents.setdefault(entry.start, SimulatedFile(inode=entry.start))
            content.size = entry.size * SECTOR
            disk.opened[node] = content
        return ""

    def lsblk(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        if arguments[-1] != self.path or "PATH,START,SIZE,TYPE" not in arguments:
            return self._lsblk(disk, arguments)
        rows: list[Row] = [{"path": self.path, "start": None, "size": self.sectors * SECTOR, "type": "disk"}]
        places = {id(content): start for start, content in self.contents.items()}
        for node in sorted(disk.opened, key=lambda one: (len(one), one)):
            if re.fullmatch(re.escape(self.path) + r"\d+", node):
                content = disk.opened[node]
                rows.append({"path": node, "start": places[id(content)], "size": content.size, "type": "part"})
        return json.dumps({"blockdevices": rows})

    def wipefs(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        """The one that every simulated node has only lists."""
        if "--all" not in arguments:
            return self._wipefs(disk, arguments)
        disk.content(arguments[-1]).signatures.clear()
        return ""

    def _need(self, path: str, argv: tuple[str, ...]) -> None:
        if path != self.path:
            raise CommandFailed(argv, 1, f"{argv[0]}: cannot open {path}: No such file or directory")
