"""File systems on new volumes: made once per incarnation, and only where nothing at all is found."""

import json
import re
from collections.abc import Callable

from orlop.errors import BadName, OrlopError, Refused, WouldDestroy
from orlop.model import FileSystem
from orlop.model.cluster import Value
from orlop.plugin import Probe, RemoveFile, Step, WriteFile, run

_WHO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Content(Value, frozen=True, kw_only=True):
    """What was found on a device about to be formatted, and the numbers of the wanted owner."""

    signatures: tuple[str, ...] = ()
    owner: str = ""  # "uid:gid", empty: nobody in particular


def look(probe: Probe, device: str, wanted: FileSystem) -> Content | str:
    """`wipefs` finds every signature at both ends, and unlike blkid it fails when it cannot read."""
    try:
        found = json.loads(probe.run(("wipefs", "--no-act", "--json", device)) or '{"signatures": []}')
        return Content(signatures=tuple(row["type"] for row in found["signatures"]), owner=_owner(probe, wanted))
    except OrlopError as error:
        return str(error)


def _owner(probe: Probe, wanted: FileSystem) -> str:
    """The group defaults to the user's own, the user to `nobody`, as clients know it."""
    if not wanted.user and not wanted.group:
        return ""
    user = _entry(probe, "passwd", wanted.user or "nobody")
    group = _entry(probe, "group", wanted.group)[2] if wanted.group else user[3]
    return f"{user[2]}:{group}"


def _entry(probe: Probe, table: str, name: str) -> list[str]:
    if not _WHO.fullmatch(name):
        raise BadName(f"{name!r} is not the name of a user or group")
    return probe.run(("getent", table, name)).strip().split(":")


def steps(wanted: FileSystem, device: str, content: Content, name: str) -> list[Step]:
    """What is left to do for a file system that the object does not record yet."""
    kind = wanted.kind
    if kind not in _MAKE:
        raise Refused(f"a file system of kind {kind!r} cannot be made; known: {', '.join(sorted(_MAKE))}")
    if content.signatures == (kind,):
        # Made before, by an attempt that did not live to record it: only a sound one counts.
        return [run(*_CHECK[kind], device)]
    if content.signatures:
        raise WouldDestroy(
            f"{device} of new volume {name} already carries {', '.join(content.signatures)}; it is not formatted",
            correction="Delete the volume and create it again.",
        )
    return _MAKE[kind](wanted, device, content.owner, name)


def _ext4(wanted: FileSystem, device: str, owner: str, name: str) -> list[Step]:
    # Discarding would give back the blocks that a thick volume has reserved.
    root = ("-E", f"nodiscard,root_owner={owner}") if owner else ("-E", "nodiscard")
    return [run("mkfs.ext4", "-q", *root, *wanted.options, device)]


def _xfs(wanted: FileSystem, device: str, owner: str, name: str) -> list[Step]:
    if not owner:
        return [run("mkfs.xfs", "-q", "-K", *wanted.options, device)]
    user, group = owner.split(":")
    prototype = f"/run/orlop-{name}.proto"
    return [
        WriteFile(path=prototype, content=f"boot\n0 0\nd--755 {user} {group}\n$\n"),
        run("mkfs.xfs", "-q", "-K", "-p", prototype, *wanted.options, device),
        RemoveFile(path=prototype),
    ]


_MAKE: dict[str, Callable[[FileSystem, str, str, str], list[Step]]] = {"ext4": _ext4, "xfs": _xfs}
_CHECK = {"ext4": ("fsck.ext4", "-f", "-n"), "xfs": ("xfs_repair", "-n")}
PROGRAMS = ("mkfs.ext4", "mkfs.xfs")
