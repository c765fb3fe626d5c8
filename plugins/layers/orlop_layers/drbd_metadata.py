"""What is on a device that the kernel does not have open: metadata of DRBD, none, or something that nobody guesses."""

import hashlib
import json

from orlop.errors import CannotRead, CommandFailed
from orlop.plugin import Probe, Step, run

JUST_CREATED = "0000000000000004"
DISPLACED = "displaced"  # in place of a generation: power was lost between growing the device and moving its end
NONE, UNCLEAN = "no valid meta data found", "please apply-al first"


def current(probe: Probe, minor: int, device: str) -> str | None:
    """Identifier of the current generation of the data; None where there is no metadata. Raises rather than guess."""
    try:
        told = probe.run((*_at(minor, device), "get-gi"))
    except CommandFailed as error:
        return _elsewhere(probe, minor, device, error)
    generation = told.strip().partition(":")[0].upper()
    if len(generation) != len(JUST_CREATED):
        raise CannotRead(f"the metadata on {device} makes no sense: {told[:200]!r}")
    return generation


def _elsewhere(probe: Probe, minor: int, device: str, failure: CommandFailed) -> str | None:
    """Only where the tool says that there is none, there is none: that nothing could be read proves nothing.

    Unlike the other command this one also looks where the end of the device was when it was last open.
    """
    try:
        probe.run((*_at(minor, device), "dump-md"))
    except CommandFailed as error:
        if NONE in str(error).lower():
            return None
        if UNCLEAN not in str(error).lower():
            raise CannotRead(f"the metadata on {device} cannot be read: {failure}; {error}") from error
    return DISPLACED


def signatures(probe: Probe, device: str) -> tuple[str, ...]:
    """What a device seems to hold, at either end."""
    found = json.loads(probe.run(("wipefs", "--no-act", "--json", device)) or '{"signatures": []}')
    return tuple(row["type"] for row in found["signatures"])


def create(minor: int, device: str) -> Step:
    """The tool takes what an opened LUKS device holds at first for data; what is blank was decided before."""
    return run("drbdmeta", "--force", *_at(minor, device)[1:], "create-md")


def declare_first(minor: int, device: str, uuid: str) -> Step:
    """The data of this replica is good as it is, and every other one gets it from here."""
    generation = f"{int(hashlib.sha256(uuid.encode()).hexdigest()[:16], 16) & ~1:016X}"
    told = f"{generation}:0:0:0:1:1:0:0:0:0:0"
    return run("drbdmeta", "--force", *_at(minor, device)[1:], "set-gi", told)


def move(minor: int, device: str) -> Step:
    """The metadata of a device that grew while it was not open, to its new end; it is looked for where it was."""
    return run(*_at(minor, device), "check-resize")


def _at(minor: int, device: str) -> tuple[str, ...]:
    return ("drbdmeta", str(minor), "v08", device, "internal")


def place(minor: int) -> str:
    """Where the tools note how large the device below was when it was last open."""
    return f"/var/lib/drbd/drbd-minor-{minor}.lkbd"
