"""cryptsetup and dm-crypt in memory. What lies on the device below is never what was written to the mapping."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, MutableMapping
from typing import NamedTuple

import msgspec

from orlop.errors import CommandFailed
from orlop.model.decoding import decoded
from orlop.testing.disk import BLOCK, Disk, SimulatedFile

KIND = "crypto_LUKS"
HEADER = 16 * 1024 * 1024
VERSION = "2.6.1"
FLAGS = {
    *("--batch-mode", "--allow-discards", "--dump-json-metadata", "--version"),
    *("--perf-same_cpu_crypt", "--perf-submit_from_crypt_cpus"),
}
_numbers = itertools.count(1)


class Header(msgspec.Struct):
    """Lies in the first block of the device, and so is in every copy of it. `slots`: what each key is, hashed."""

    uuid: str
    label: str
    volume_key: str
    slots: dict[str, str] = {}


class Blocks(MutableMapping[int, bytes]):
    """The blocks behind the header, encrypted."""

    def __init__(self, below: SimulatedFile, key: str) -> None:
        self._below, self._key = below, key

    def __getitem__(self, at: int) -> bytes:
        return self._mixed(at, self._below.blocks[at + HEADER])

    def __setitem__(self, at: int, data: bytes) -> None:
        self._below.blocks[at + HEADER] = self._mixed(at, data)

    def __delitem__(self, at: int) -> None:
        del self._below.blocks[at + HEADER]

    def __iter__(self) -> Iterator[int]:
        return (at - HEADER for at in list(self._below.blocks) if at >= HEADER)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _mixed(self, at: int, data: bytes) -> bytes:
        stream = hashlib.shake_256(f"{self._key}/{at}".encode()).digest(BLOCK)
        whole = int.from_bytes(data.ljust(BLOCK, b"\0"), "big") ^ int.from_bytes(stream, "big")
        return whole.to_bytes(BLOCK, "big")


class Mapping(SimulatedFile):
    """An open volume. Its signatures are kept with the volume key, which every copy of the volume shares."""

    def __init__(self, below: SimulatedFile, device: str, header: Header, size: int, flags: tuple[str, ...]) -> None:
        self.below, self.device, self.header, self.flags = below, device, header, flags
        super().__init__(inode=below.inode, size=size, blocks=Blocks(below, header.volume_key))  # type: ignore[arg-type]
        self.signatures = _SIGNATURES.setdefault(header.volume_key, [])

    def __setattr__(self, name: str, value: object) -> None:
        """Room is taken below."""
        if name == "allocated":
            self.below.allocated = max(self.below.allocated, int(str(value)))
        super().__setattr__(name, value)


_SIGNATURES: dict[str, list[str]] = {}


class Call(NamedTuple):
    argv: tuple[str, ...]
    verb: str
    options: dict[str, str]
    flags: tuple[str, ...]
    words: tuple[str, ...]
    keys: tuple[str, ...]  # lines of stdin

    def fail(self, status: int, message: str) -> CommandFailed:
        return CommandFailed(self.argv, status, message)


def header_of(file: SimulatedFile) -> Header | None:
    if KIND not in file.signatures or 0 not in file.blocks:
        return None
    return decoded(file.blocks[0].rstrip(b"\0"), Header)


def cryptsetup(disk: Disk, arguments: tuple[str, ...], stdin: bytes) -> str:
    if arguments == ("--version",):
        return f"cryptsetup {VERSION} flags: UDEV BLKID KEYRING KERNEL_CAPI \n"
    call = _parsed(arguments, stdin)
    if call.verb not in _VERBS:
        raise call.fail(1, f"{call.verb} is not known to the simulated cryptsetup")
    return _VERBS[call.verb](disk, call) or ""


def half_formatted(disk: Disk, arguments: tuple[str, ...], stdin: bytes) -> None:
    """What power leaves that is lost in the middle: luksFormat writes the header first and the key after it."""
    call = _parsed(arguments, stdin)
    if call.verb == "luksFormat":
        _format(disk, call)
        file = disk.content(call.words[0])
        header = _header(call, file)
        header.slots.clear()
        _write(file, header)


def _parsed(arguments: tuple[str, ...], stdin: bytes) -> Call:
    options: dict[str, str] = {}
    flags, words = [], []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in FLAGS:
            flags.append(word)
        elif word.startswith("--"):
            options[word] = left.pop(0)
        else:
            words.append(word)
    keys = tuple(stdin.decode().splitlines())
    return Call(("cryptsetup", *arguments), words[0], options, tuple(flags), tuple(words[1:]), keys)


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _header(call: Call, file: SimulatedFile) -> Header:
    header = header_of(file)
    if header is None:
        raise call.fail(1, f"Device {call.words[0]} is not a valid LUKS device.")
    return header


def _write(file: SimulatedFile, header: Header) -> None:
    file.blocks[0] = msgspec.json.encode(header).ljust(BLOCK, b"\0")


def _unlock(call: Call, header: Header, key: str) -> None:
    wanted = call.options.get("--key-slot") if call.verb == "open" else None
    slots = {n: held for n, held in header.slots.items() if wanted in (None, n)}
    if _hashed(key) not in slots.values():
        raise call.fail(2, "No key available with this passphrase.")


def _format(disk: Disk, call: Call) -> None:
    (device,) = call.words
    file = disk.content(device)
    before = header_of(file)
    if disk.used.get(device):
        raise call.fail(5, f"Cannot use device {device} which is in use (already mapped or mounted).")
    if before is None and (file.blocks or file.signatures) or before is not None and before.slots:
        disk.destroyed.append(device)
    if call.options["--offset"] != str(HEADER // 512) or call.options["--type"] != "luks2":
        raise call.fail(1, "not known to the simulated luksFormat")
    file.signatures[:] = [KIND]
    slots = {call.options["--key-slot"]: _hashed(call.keys[0])}
    names = (call.options["--uuid"], call.options["--label"])
    _write(file, Header(*names, _hashed(f"volume key {next(_numbers)}"), slots))


def _open(disk: Disk, call: Call) -> None:
    device, name = call.words
    file, path = disk.content(device), f"/dev/mapper/{name}"
    header = _header(call, file)
    if path in disk.opened:
        raise call.fail(5, f"Device {name} already exists.")
    if disk.used.get(device):
        raise call.fail(5, f"Cannot use device {device} which is in use (already mapped or mounted).")
    _unlock(call, header, call.keys[0])
    disk.opened[path] = Mapping(file, device, header, _size(disk, device) - HEADER, call.flags)
    disk.use(device, f"held by {name}")


def _size(disk: Disk, device: str) -> int:
    return disk.loops[device].size if device in disk.loops else disk.content(device).size


def _mapping(disk: Disk, call: Call) -> tuple[str, Mapping]:
    path = f"/dev/mapper/{call.words[0]}"
    mapping = disk.opened.get(path)
    if not isinstance(mapping, Mapping):
        raise call.fail(4, f"Device {call.words[0]} is not active.")
    return path, mapping


def _close(disk: Disk, call: Call) -> None:
    path, mapping = _mapping(disk, call)
    if disk.used.get(path):
        raise call.fail(5, f"Device {call.words[0]} is still in use.")
    del disk.opened[path]
    held = f"held by {call.words[0]}"
    left = tuple(user for user in disk.used.get(mapping.device, ()) if user != held)
    disk.release(mapping.device)
    if left:
        disk.used[mapping.device] = left


def _resize(disk: Disk, call: Call) -> None:
    _, mapping = _mapping(disk, call)
    header = _header(call, mapping.below)
    if not call.keys or _hashed(call.keys[0]) not in header.slots.values():
        raise call.fail(2, "No key available with this passphrase.")
    mapping.size = _size(disk, mapping.device) - HEADER


def _add_key(disk: Disk, call: Call) -> None:
    file = disk.content(call.words[0])
    header = _header(call, file)
    old, new = call.keys
    _unlock(call, header, old)
    slot = call.options["--key-slot"]
    if slot in header.slots:
        raise call.fail(1, f"Key slot {slot} is full, please select another one.")
    header.slots[slot] = _hashed(new)
    _write(file, header)


def _kill_slot(disk: Disk, call: Call) -> None:
    device, slot = call.words
    file = disk.content(device)
    header = _header(call, file)
    if slot not in header.slots:
        raise call.fail(1, f"Keyslot {slot} is not active.")
    if _hashed(call.keys[0]) not in [held for n, held in header.slots.items() if n != slot]:
        raise call.fail(2, "No key available with this passphrase.")
    del header.slots[slot]
    _write(file, header)


def _uuid(disk: Disk, call: Call) -> None:
    file = disk.content(call.words[0])
    header = _header(call, file)
    header.uuid = call.options["--uuid"]
    _write(file, header)


def _erase(disk: Disk, call: Call) -> None:
    file = disk.content(call.words[0])
    header = _header(call, file)
    header.slots.clear()
    _write(file, header)


def _dump(disk: Disk, call: Call) -> str:
    header = _header(call, disk.content(call.words[0]))
    return json.dumps({"keyslots": {slot: {"type": "luks2"} for slot in header.slots}, "tokens": {}}, indent=2)


_VERBS = {
    **{"luksFormat": _format, "open": _open, "close": _close, "resize": _resize, "luksAddKey": _add_key},
    **{"luksKillSlot": _kill_slot, "luksUUID": _uuid, "erase": _erase, "luksDump": _dump},
}


def dmsetup(disk: Disk, arguments: tuple[str, ...]) -> str:
    found = {path: file for path, file in list(disk.opened.items()) if isinstance(file, Mapping)}
    match arguments:
        case ("--version",):
            return "Library version:   1.02.185 (2022-05-18)\nDriver version:    4.47.0\n"
        case ("info", "--columns", "--noheadings", "--separator", "|", "--options", "name,uuid"):
            lines = [f"{p[12:]}|CRYPT-LUKS2-{f.header.uuid.replace('-', '')}-{p[12:]}" for p, f in found.items()]
        case ("table", "--target", "crypt"):
            table = "crypt aes-xts-plain64 :64:logon:cryptsetup:{} 0 7:0 32768"
            lines = [f"{p[12:]}: 0 {f.size // 512} {table.format(f.header.uuid)}" for p, f in found.items()]
        case _:
            raise CommandFailed(("dmsetup", *arguments), 1, "not known to the simulated dmsetup")
    return "\n".join(lines or ["No devices found"]) + "\n"
