"""Volumes as wait policies see them, written as a line of states."""

from orlop.drivers import Drivers
from orlop.plugin import Awaited, Copy

DRIVERS = Drivers.installed()
STATES = {
    "U": {"done": True, "up_to_date": True},  # up to date
    "N": {"done": True, "up_to_date": True, "quorum": False, "problem": "no quorum"},
    "I": {"done": True, "problem": "Inconsistent"},
    "c": {"problem": "being created"},
    "a": {"problem": "the node is away", "stalled": True},
    "f": {"problem": "failed: no space", "stalled": True},
    "t": {"done": True},  # a tiebreaker that is connected
    "x": {"problem": "connected to no other replica"},  # one that is not
}
NAMES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf")


def awaited(line, volume=0, replicated=True):
    """`"UIa+t"`: three copies, up to date, inconsistent, and on a node that is away; and a tiebreaker."""
    copies, _, voters = line.partition("+")
    names = iter(NAMES)
    return Awaited(
        volume=volume,
        copies=tuple(Copy(node=next(names), **STATES[state]) for state in copies),
        voters=tuple(Copy(node=next(names), **STATES[state]) for state in voters),
        replicated=replicated,
    )
