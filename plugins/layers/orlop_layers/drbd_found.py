"""Metadata that somebody else's DRBD left on a device, read to bring the replica up again as one of ours."""

import re

from orlop.errors import CannotRead, CommandFailed, Refused
from orlop.model import KIB
from orlop.plugin import Probe
from orlop_layers.drbd_metadata import JUST_CREATED, NONE, UNCLEAN, Place

SECTOR = 512
UNUSED_MINOR = (1 << 20) - 1  # the tools want one; that no device has it is seen when they look
NODE_ID, SLOTS = re.compile(r"^node-id (-?\d+);", re.MULTILINE), re.compile(r"^max-peers (\d+);", re.MULTILINE)
SIZE = re.compile(r"^la-size-sect (\d+);", re.MULTILINE)
# Fields of get-gi, after four generations: consistent and up to date; then, by format, what is set in use.
GOOD, IN_USE = slice(4, 6), {"8": (6, 7, 8, 10), "9": (6, 7)}


def facts(probe: Probe, device: str, minor: int, nine: bool) -> dict[str, str]:
    """`format` (8 or 9), `size` in bytes, `generation`, and for format 9 `node_id` and `slots`.

    Raises where there is no metadata of the node's own format at the end of the device, or the data is not known to be
    good: only a replica that was taken down in order can be brought up as it was. Otherwise flags are left of its use:
    primary, crashed primary, and in format 8 also connected and in the middle of marking everything as out of sync.
    """
    form, place = "9" if nine else "8", Place(minor=minor, device=device, nine=nine)
    text = _dump(probe, place)
    node_id = int(_number(NODE_ID, text, device)) if nine else 0
    if node_id < 0:
        raise Refused(f"{device} has metadata of DRBD that was never brought up")
    place = Place(minor=minor, device=device, nine=nine, node_id=node_id)
    asked = ("get-gi", "--node-id", str(node_id)) if nine else ("get-gi",)
    fields = probe.run((*place.reading(asked[0]), *asked[1:])).strip().upper().split(":")
    if len(fields) <= max(IN_USE[form]) or len(fields[0]) != len(JUST_CREATED):
        raise CannotRead(f"the metadata on {device} makes no sense: {':'.join(fields)[:200]!r}")
    if any(fields[at] != "0" for at in IN_USE[form]):
        raise Refused(
            f"the metadata on {device} is of a replica that was not taken down in order",
            correction="Bring the resource up by hand, wait until it is UpToDate, and take it down again.",
        )
    if fields[GOOD] != ["1", "1"] or fields[0] == JUST_CREATED:
        raise Refused(
            f"the data on {device} is not known to be up to date",
            correction="Bring the resource up by hand, wait until it is UpToDate, and take it down again.",
        )
    found = {"format": form, "generation": _generation(fields[0])}
    found["size"] = str(int(_number(SIZE, text, device)) * SECTOR // KIB * KIB)
    return found | ({"node_id": str(node_id), "slots": _number(SLOTS, text, device)} if nine else {})


def _dump(probe: Probe, place: Place) -> str:
    """Also where the tool calls it unclean, which it does of all that the kernel has had open: drbdadm reads the
    activity log into the bitmap before it attaches a device. Only the bitmap is not told right, and nobody asks for it.
    """
    try:
        return probe.run(place.reading("dump-md"))
    except CommandFailed as error:
        if UNCLEAN in str(error).lower():  # not sooner: it also looks at a device that is in use
            return probe.run(place.reading_unclean("dump-md"))
        if NONE in str(error).lower():
            own = "DRBD 9" if place.nine else "DRBD 8.4"
            raise Refused(
                f"{place.device} has no metadata of {own} at its end",
                correction="Import it without DRBD if that is right; older metadata is converted by drbdadm create-md.",
            ) from error
        if "busy" in str(error).lower():
            raise Refused(
                f"{place.device} is in use", correction="Take the resource down on every node first: drbdadm down NAME."
            ) from error
        raise CannotRead(f"the metadata on {place.device} cannot be read: {error}") from error


def _number(pattern: re.Pattern[str], text: str, device: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise CannotRead(f"the metadata on {device} does not tell {pattern.pattern.split()[0].lstrip('^')}")
    return found[1]


def _generation(word: str) -> str:
    """The lowest bit only tells that the replica was primary."""
    return f"{int(word, 16) & ~1:016X}"
