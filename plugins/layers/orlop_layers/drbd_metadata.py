"""What is on a device that the kernel does not have open: metadata of DRBD, none, or something that nobody guesses."""

import hashlib
import json

from orlop.errors import CannotRead, CommandFailed
from orlop.plugin import Probe, Step, run

JUST_CREATED = "0000000000000004"
NONE = "no valid meta data found"
OLD, NEW = "v08", "v09"


def current(probe: Probe, minor: int, device: str, old: bool) -> str | None:
    """Identifier of the current generation of the data; None where there is no metadata. Raises rather than guess."""
    at = ("drbdmeta", str(minor), OLD if old else NEW, device, "internal")
    try:
        told = probe.run((*at, "get-gi", *(() if old else ("--node-id", "0"))))
    except CommandFailed as error:
        if _has_none(probe, at):
            return None
        raise CannotRead(f"the metadata on {device} cannot be read: {error}") from error
    generation = told.strip().partition(":")[0].upper()
    if len(generation) != len(JUST_CREATED):
        raise CannotRead(f"the metadata on {device} makes no sense: {told[:200]!r}")
    return generation


def signatures(probe: Probe, device: str) -> tuple[str, ...]:
    """What a device seems to hold, at either end."""
    found = json.loads(probe.run(("wipefs", "--no-act", "--json", device)) or '{"signatures": []}')
    return tuple(row["type"] for row in found["signatures"])


def _has_none(probe: Probe, at: tuple[str, ...]) -> bool:
    """Only where the tool says so: that nothing could be read proves nothing."""
    try:
        probe.run((*at, "dump-md"))
    except CommandFailed as error:
        return NONE in str(error).lower()
    return False


def create(minor: int, device: str, old: bool, peer_slots: int) -> Step:
    """The tool takes what an opened LUKS device holds at first for data; what is blank was decided before."""
    slots = () if old else (str(peer_slots),)
    return run("drbdmeta", "--force", str(minor), OLD if old else NEW, device, "internal", "create-md", *slots)


def declare_first(minor: int, device: str, old: bool, uuid: str, peer_slots: int) -> list[Step]:
    """The data of this replica is good as it is, and every other one gets it from here."""
    generation = f"{int(hashlib.sha256(uuid.encode()).hexdigest()[:16], 16) & ~1:016X}"
    told = f"{generation}:0:0:0:1:1:0:0:0:0:0"
    at = ("drbdmeta", "--force", str(minor), OLD if old else NEW, device, "internal", "set-gi")
    if old:
        return [run(*at, told)]
    return [run(*at, "--node-id", str(node), told) for node in range(peer_slots + 1)]
