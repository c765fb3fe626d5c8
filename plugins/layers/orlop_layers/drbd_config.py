"""The configuration file of one resource, in the words that the running DRBD understands.

DRBD 8.4 has two nodes and no words for what is between them: what holds for the connection stands with the resource.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from orlop.errors import Refused
from orlop.model import WantedDrbd, WantedPeer
from orlop.model.cluster import Value
from orlop.plugin import SECRET
from orlop_layers.drbd_options import MOVED, OLD

NOT_USED = "/dev/drbd/this/is/not/used"  # the backing of a peer, which is nobody's concern here
NOBODY = 'on "orlop-nobody"'  # without a peer, DRBD 8.4 does not take a resource; one of this name is never connected
PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
ALGORITHM = "sha256"


class Member(Value, frozen=True, kw_only=True):
    """A volume that is part of the resource on this node now."""

    number: int
    drbd: WantedDrbd
    below: str


def text(name: str, here: str, members: Iterable[Member], old: bool) -> str:
    """`here` is what `uname -n` prints; `old` is for DRBD 8.4. The shared secret is filled in when it is written."""
    found = sorted(members, key=lambda member: member.number)
    lines = _old(here, found) if old else _new(here, found)
    return "\n".join([f"resource {_quoted(name)} {{", *(f"    {line}" for line in lines), "}", ""])


def _old(here: str, members: list[Member]) -> list[str]:
    replica = members[0].drbd.replica
    between = {name: value for peer in replica.peers[:1] for name, value in peer.options.items()}
    given = {**replica.options, **between}
    lines = _sections({section: _old_options(section, given) for section in ("options", "handlers", "net", "disk")})
    own = [f"address {_address(replica.address, replica.port)};", *_volumes(members, True, lambda m: m.below)]
    lines += _block(f"on {_quoted(here)}", own)
    for peer in replica.peers[:1]:
        theirs = [f"address {_address(peer.address, peer.port)};", *_volumes(members, True, lambda _: NOT_USED)]
        lines += _block(f"on {_quoted(peer.node)}", theirs)
    if not replica.peers:
        lines += _block(NOBODY, ["address ipv4 127.0.0.1:9;", *_volumes(members, True, lambda _: NOT_USED)])
    return lines


def _old_options(section: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """What DRBD 9 sets between peers, 8.4 has among the options of disks; what it does not know is left out."""
    usual = {"Resource": "options", "Handlers": "handlers", "Net": "net", "PeerDevice": "disk"}
    found = {
        name.partition("/")[2]: value
        for name, value in given.items()
        if MOVED.get(name, usual[name.partition("/")[0]]) == section
    }
    known = {name: value for name, value in found.items() if name in OLD[section]}
    return {**_trust(), **known} if section == "net" else known


def _new(here: str, members: list[Member]) -> list[str]:
    replica = members[0].drbd.replica
    lines = _sections(
        {
            "options": _only("Resource/", replica.options),
            "handlers": _only("Handlers/", replica.options),
            "net": _trust(),
        }
    )
    own = [f"node-id {replica.node_id};", *_volumes(members, False, lambda m: m.below)]
    lines += _block(f"on {_quoted(here)}", own)
    for peer in replica.peers:
        theirs = [f"node-id {peer.node_id};", *_volumes(members, False, lambda _: NOT_USED)]
        lines += _block(f"on {_quoted(peer.node)}", theirs)
    for peer in replica.peers:
        lines += _block("connection", _connection(here, members[0].drbd, peer))
    return lines


def _connection(here: str, drbd: WantedDrbd, peer: WantedPeer) -> list[str]:
    replica = drbd.replica
    return [
        *_sections({"net": _only("Net/", peer.options), "disk": _only("PeerDevice/", peer.options)}),
        f"host {_quoted(here)} address {_address(replica.address, replica.port)};",
        f"host {_quoted(peer.node)} address {_address(peer.address, peer.port)};",
    ]


def _volumes(members: list[Member], old: bool, backing: Callable[[Member], str]) -> list[str]:
    lines = []
    for member in members:
        options = _only("Disk/", member.drbd.options)
        known = {name: value for name, value in options.items() if not old or name in OLD["disk"]}
        inside = [
            f"device minor {member.drbd.minor};",
            f"disk {_quoted(backing(member))};",
            "meta-disk internal;",
            *_sections({"disk": known}),
        ]
        lines += _block(f"volume {member.number}", inside)
    return lines


def _trust() -> Mapping[str, str]:
    """Peers prove to each other that they belong to this resource of this cluster."""
    return {"cram-hmac-alg": ALGORITHM, "shared-secret": SECRET}


def _only(prefix: str, given: Mapping[str, str]) -> Mapping[str, str]:
    return {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}


def _sections(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    lines = []
    for section, options in found.items():
        if options:
            lines += _block(section, [f"{name} {_value(options[name])};" for name in sorted(options)])
    return lines


def _block(head: str, inside: Iterable[str]) -> list[str]:
    return [f"{head} {{", *(f"    {line}" for line in inside), "}"]


def _address(address: str, port: int) -> str:
    return f"ipv6 [{address}]:{port}" if ":" in address else f"ipv4 {address}:{port}"


def _value(value: str) -> str:
    return value if PLAIN.fullmatch(value) else _quoted(value)


def _quoted(value: str) -> str:
    """DRBD's files know no way to write a quote inside of a quoted word."""
    if '"' in value or "\\" in value or not value.isprintable():
        raise Refused(
            f"DRBD cannot be told {value!r}: it holds a quote, a backslash or a control character.",
            correction="Change the property, or put a longer command into a script and name that.",
        )
    return f'"{value}"'
