"""Properties of pools and definitions that say how volumes and snapshots are made on ZFS."""

import re
import shlex
from collections.abc import Mapping

from orlop.errors import BadProperty

CREATE = "StorDriver/ZfscreateOptions"
TAKE = "StorDriver/ZfsSnapshotOptions"
DELETE_STRATEGY = "StorDriver/Zfs/DeleteStrategy"
ROLLBACK_STRATEGY = "StorDriver/Zfs/RollbackStrategy"
STRATEGIES = {
    DELETE_STRATEGY: ("Delete", "Rename", "Dynamic"),
    ROLLBACK_STRATEGY: ("Rollback", "Clone", "Dynamic"),
}
OPTIONS = frozenset({CREATE, TAKE, *STRATEGIES})
BLOCK = "volblocksize"
SMALLEST, LARGEST = 512, 1 << 20  # bytes of a block
# Properties that the driver sets itself, that would take a volume out of its hands, or need somebody at a keyboard.
OURS = {"volsize", "volmode", "refreservation", "reservation", "readonly", "mountpoint", "canmount", "snapdev", "type"}
KEYS = {"encryption", "keyformat", "keylocation", "pbkdf2iters"}
PROPERTY = re.compile(r"[a-z0-9][a-z0-9:._-]*=[^,\s]+")


def check(options: Mapping[str, str]) -> None:
    block_size(options)
    if BLOCK in (taken := _properties(options, TAKE)) or any(":" not in name for name in taken):
        raise BadProperty(f"{TAKE}: a snapshot takes user properties only, such as -o example:note=nightly")
    for name, allowed in STRATEGIES.items():
        if name in options and options[name].capitalize() not in allowed:
            raise BadProperty(f"{name} is one of {', '.join(allowed)}, not {options[name]!r}")


def strategy(options: Mapping[str, str], name: str) -> str:
    return options.get(name, "Dynamic").capitalize()


def block_size(options: Mapping[str, str]) -> int | None:
    """Bytes; None where the options do not say."""
    text = _properties(options, CREATE).get(BLOCK)
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)([kKmM]?)[bB]?", text)
    size = int(found[1]) << {"": 0, "k": 10, "m": 20}[found[2].lower()] if found else 0
    if not SMALLEST <= size <= LARGEST or size & (size - 1):
        raise BadProperty(f"{CREATE}: a block has 512 bytes to 1M, a power of two, not {text!r}")
    return size


def for_volume(options: Mapping[str, str]) -> list[str]:
    """Words for `zfs create` and `zfs clone`; the size of blocks is not among them."""
    return [w for name, value in _properties(options, CREATE).items() if name != BLOCK for w in _word(name, value)]


def for_snapshot(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in _properties(options, TAKE).items() for word in _word(name, value)]


def _word(name: str, value: str) -> tuple[str, str]:
    return "-o", f"{name}={value}"


def _properties(options: Mapping[str, str], key: str) -> dict[str, str]:
    """`-o name=value` and `-b size` as a table."""
    try:
        words = shlex.split(options.get(key, ""))
    except ValueError as error:
        raise BadProperty(f"{key} cannot be split into words: {error}") from None
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        flag, value = word[:2], word[2:] or (words.pop(0) if words else "")
        if flag == "-b" and value:
            value = f"{BLOCK}={value}"
        if flag not in ("-o", "-b") or not PROPERTY.fullmatch(value):
            raise BadProperty(
                f"{key} takes -o property=value and -b size only, not {word!r}",
                correction="Whether volumes are sparse is decided by the kind of pool: ZFS or ZFS_THIN.",
            )
        name, _, text = value.partition("=")
        _refuse(key, name)
        found[name] = text
    return found


def _refuse(key: str, name: str) -> None:
    if name in KEYS:
        raise BadProperty(
            f"{key} must not set {name}",
            correction="Encrypt the dataset that is the pool and have its key loaded at boot, or use the LUKS layer.",
        )
    if name in OURS or name.startswith("orlop:"):
        raise BadProperty(f"{key} must not set {name}: that is up to Orlop")
