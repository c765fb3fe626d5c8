"""The configuration file of one resource, in the words of DRBD 8.4.

It has two nodes and no words for what is between them: what holds for the connection stands with the resource.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from orlop.errors import Refused
from orlop.model import WantedDrbd
from orlop.model.cluster import Value
from orlop.plugin import SECRET
from orlop_layers.drbd_options import KNOWN, MOVED

NOT_USED = "/dev/drbd/this/is/not/used"  # the backing of a peer, which is nobody's concern here
NOBODY = 'on "orlop-nobody"'  # without a peer, DRBD 8.4 does not take a resource; one of this name is never connected
PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
ALGORITHM = "sha256"


class Member(Value, frozen=True, kw_only=True):
    """A volume that is part of the resource on this node now."""

    number: int
    drbd: WantedDrbd
    below: str


def text(name: str, here: str, members: Iterable[Member]) -> str:
    """`here` is what `uname -n` prints. The shared secret is filled in when it is written."""
    lines = _resource(here, sorted(members, key=lambda member: member.number))
    return "\n".join([f"resource {_quoted(name)} {{", *(f"    {line}" for line in lines), "}", ""])


def _resource(here: str, members: list[Member]) -> list[str]:
    replica = members[0].drbd.replica
    between = {name: value for peer in replica.peers[:1] for name, value in peer.options.items()}
    given = {**replica.options, **between}
    lines = _sections({section: _known(section, given) for section in ("options", "handlers", "net", "disk")})
    own = [f"address {_address(replica.address, replica.port)};", *_volumes(members, lambda m: m.below)]
    lines += _block(f"on {_quoted(here)}", own)
    for peer in replica.peers[:1]:
        theirs = [f"address {_address(peer.address, peer.port)};", *_volumes(members, lambda _: NOT_USED)]
        lines += _block(f"on {_quoted(peer.node)}", theirs)
    if not replica.peers:
        lines += _block(NOBODY, ["address ipv4 127.0.0.1:9;", *_volumes(members, lambda _: NOT_USED)])
    return lines


def _known(section: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """What is set between peers, 8.4 has among the options of disks; what only DRBD 9 knows is left out."""
    usual = {"Resource": "options", "Handlers": "handlers", "Net": "net", "PeerDevice": "disk"}
    found = {
        name.partition("/")[2]: value
        for name, value in given.items()
        if MOVED.get(name, usual[name.partition("/")[0]]) == section
    }
    known = {name: value for name, value in found.items() if name in KNOWN[section]}
    return {"cram-hmac-alg": ALGORITHM, **known, "shared-secret": SECRET} if section == "net" else known


def _volumes(members: list[Member], backing: Callable[[Member], str]) -> list[str]:
    lines = []
    for member in members:
        options = _only("Disk/", member.drbd.options)
        known = {name: value for name, value in options.items() if name in KNOWN["disk"]}
        inside = [
            f"device minor {member.drbd.minor};",
            f"disk {_quoted(backing(member))};",
            "meta-disk internal;",
            *_sections({"disk": known}),
        ]
        lines += _block(f"volume {member.number}", inside)
    return lines


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
