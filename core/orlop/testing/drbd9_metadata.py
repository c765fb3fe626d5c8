"""`drbdmeta` for the metadata of DRBD 9."""

from __future__ import annotations

from orlop.errors import CommandFailed
from orlop.testing.disk import SimulatedFile
from orlop.testing.drbd9_generations import NODE_IDS, NONE
from orlop.testing.drbd9_model import Metadata
from orlop.testing.drbd_metadata import APART, require

NO_SLOTS = "Could not parse the number of peers"
Kept = dict[int, Metadata]


def run(kept: Kept, file: SimulatedFile, where: str, command: str, rest: tuple[str, ...], argv: tuple[str, ...]) -> str:
    """`kept` by the file that the device shows; `where` on it."""
    if command == "create-md":
        if not rest or not rest[0].isdecimal() or not 1 <= int(rest[0]) < NODE_IDS:
            raise CommandFailed(argv, 20, NO_SLOTS)
        kept[file.inode] = Metadata(max_peers=int(rest[0]), end=file.size, apart=where == APART)
        return "Writing meta data...\nNew drbd meta data block successfully created.\n"
    found = require(kept.get(file.inode), file.size, where == APART, command, argv)
    match command, rest:
        case "get-gi", ("--node-id", number):
            return generations(found, int(number))
        case "set-gi", ("--node-id", number, told):
            _set(found, int(number), told)
            return f"\nPrevious {generations(found, int(number))}\n"
        case "dump-md", ():
            return dump(found)
        case "read-dev-uuid", ():
            return f"{found.device_uuid}\n"
        case "write-dev-uuid", (uuid,):
            found.device_uuid = f"{int(uuid, 16):016X}"
        case (("apply-al" | "check-resize"), ()):
            pass
        case "wipe-md", ():
            del kept[file.inode]
        case _:
            raise CommandFailed(argv, 20, "not known to the simulated drbdmeta")
    return ""


def generations(found: Metadata, node_id: int) -> str:
    """Current, bitmap and two of history, then twelve flags, the last five of them of that peer."""
    history = [*found.generations.history, NONE, NONE][:2]
    slot = found.slots.get(node_id)
    flags = [found.consistent, found.up_to_date, False, found.crashed, not found.hot, False, False]
    flags += [False, bool(slot and slot.outdated), False, bool(slot and slot.bits.whole), slot is not None]
    words = (found.generations.current, found.generations.towards(node_id), *history)
    return ":".join((*words, *(str(int(flag)) for flag in flags))) + "\n"


def _set(found: Metadata, node_id: int, told: str) -> None:
    """Fields that are empty or missing stay as they are."""
    fields = dict(enumerate(told.split(":")))
    known = found.generations
    known.current = _hex(fields.get(0, ""), known.current)
    known.bitmap[node_id] = _hex(fields.get(1, ""), known.towards(node_id))
    history = [*known.history, NONE, NONE]
    history[:2] = [_hex(fields.get(2, ""), history[0]), _hex(fields.get(3, ""), history[1])]
    known.history = [generation for generation in history if generation != NONE]
    found.consistent = fields.get(4, "") == "1" or (not fields.get(4) and found.consistent)
    found.up_to_date = fields.get(5, "") == "1" or (not fields.get(5) and found.up_to_date)


def _hex(word: str, before: str) -> str:
    return f"{int(word, 16):016X}" if word else before


def dump(found: Metadata) -> str:
    lines = [
        "# DRBD meta data dump",
        'version "v09";',
        f"max-peers {found.max_peers};",
        f"node-id {-1 if found.node_id is None else found.node_id};",
        f"current-uuid 0x{found.generations.current};",
        "flags 0x%08x;" % (found.consistent | found.up_to_date << 1),
        f"la-size-sect {found.size // 512};",
    ]
    for node_id in range(NODE_IDS):
        lines += [
            f"peer[{node_id}] {{",
            f"    bitmap-uuid 0x{found.generations.towards(node_id)};",
            "    flags 0x00000000;",
            "}",
        ]
    return "\n".join([*lines, ""])
