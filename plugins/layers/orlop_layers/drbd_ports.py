"""Whether somebody else listens where DRBD should: it would try again and again, and tell nobody.

Only where a resource has no connection at all. DRBD's own sockets are in the kernel's list, too; no process has them.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from orlop.errors import CannotRead
from orlop.model import WantedReplica
from orlop.plugin import Probe
from orlop_layers.drbd_seen import Resource

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
HOLDERS = "/proc/*/fd/*"
LISTENING = "0A"
_ROW = re.compile(r"^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2})(?: +\S+){5} +(\d+)", re.MULTILINE)


class Listener(NamedTuple):
    address: str
    port: int
    inode: str


def taken(probe: Probe, replicas: Iterable[tuple[Resource, WantedReplica]]) -> Mapping[str, int]:
    """By resource: the port on which a process of this node listens in its place."""
    waiting = {
        resource.name: replica
        for resource, replica in replicas
        if resource.connections and not any(c.state == "Connected" for c in resource.connections)
    }
    listeners = [each for path in TABLES for each in listening(probe.read(path) or "")] if waiting else []
    found = {
        name: [each for each in listeners if each.port == replica.port and _meets(each.address, replica.address)]
        for name, replica in waiting.items()
    }
    if not any(found.values()):
        return {}
    try:
        held = set(probe.texts(HOLDERS).values())
    except CannotRead:  # where even root may not see what other processes have, nothing is told
        return {}
    return {
        name: waiting[name].port for name, each in found.items() if any(f"socket:[{at.inode}]" in held for at in each)
    }


def listening(table: str) -> list[Listener]:
    """Of a table of sockets as the kernel prints it: addresses in words of the machine, ports as they are."""
    return [
        Listener(_address(words), int(port, 16), inode)
        for words, port, state, inode in _ROW.findall(table)
        if state == LISTENING
    ]


def _address(words: str) -> str:
    raw = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
    return str(ipaddress.ip_address(raw))


def _meets(listener: str, own: str) -> bool:
    return listener in (own, "0.0.0.0", "::", f"::ffff:{own}")
