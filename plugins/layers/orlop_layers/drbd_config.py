"""The configuration file of one resource, in the words of the DRBD that the node has.

8.4 has two nodes and no words for what is between them: what holds for the connection stands with the resource. 9 has
a section for every connection of this node; the peers' connections among themselves are not its business.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from orlop.errors import Refused
from orlop.model import WantedDrbd, WantedPeer, WantedProxy, WantedReplica
from orlop.model.cluster import Value
from orlop.plugin import SECRET
from orlop_layers.drbd_keeping import with_handlers
from orlop_layers.drbd_options import known_8, section_8
from orlop_layers.drbd_version import Version

NOT_USED = "/dev/drbd/this/is/not/used"  # the backing of a peer, which is nobody's concern here
# Without a peer, DRBD 8.4 does not take a resource; one of this name is never connected. Of each resource another one:
# an address stands but once in all files.
NOBODY = "orlop-nobody"
PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
ALGORITHM = "sha256"
# What comes up only to be compared with others is not for use, and nobody's handlers are called for it.
LEAVING: Mapping[str, str] = {"auto-promote": "no"}
Lines = list[str]


class Member(Value, frozen=True, kw_only=True):
    """A volume that is part of the resource on this node now."""

    resource: str
    number: int
    drbd: WantedDrbd
    below: str | None  # None: without a disk
    apart: str = ""  # the device that metadata is on, where it is another
    skipped: bool = False  # its disk cannot be read
    leaves: bool = False  # it is up only until it was seen that others have its data


def text(name: str, here: str, members: Iterable[Member], version: Version) -> str:
    """`here` is what `uname -n` prints. The shared secret is filled in when it is written."""
    ordered = sorted(members, key=lambda member: member.number)
    lines = _resource_9(here, ordered, version) if version.nine else _resource_8(here, ordered)
    return "\n".join([f"resource {_quoted(name)} {{", *(f"    {line}" for line in lines), "}", ""])


def peers(replica: WantedReplica) -> list[WantedPeer]:
    """Those that it is connected to: two nodes without disks have nothing to tell each other."""
    return [peer for peer in replica.peers if not (replica.diskless and peer.diskless)]


# -- 9 ------------------------------------------------------------------------------------------------------------


def _resource_9(here: str, members: list[Member], version: Version) -> Lines:
    replica = members[0].drbd.replica
    options, handlers = _only("Resource/", replica.options), _only("Handlers/", with_handlers(replica))
    if all(member.leaves for member in members):
        options, handlers = {**options, **LEAVING}, {}
    lines = _sections({"options": options, "handlers": handlers})
    lines += _sections({"net": {"cram-hmac-alg": ALGORITHM, "shared-secret": SECRET}})
    without_vote = version.without_vote and replica.client
    own = [line for m in members for line in _volume_9(m, m.below, without_vote)]
    lines += _block(f"on {_quoted(here)}", [f"node-id {replica.node_id};", *own])
    for peer in peers(replica):
        backing = None if peer.diskless else NOT_USED
        theirs = [line for m in members for line in _volume_9(m, backing, version.without_vote and peer.client)]
        lines += _block(f"on {_quoted(peer.node)}", [f"node-id {peer.node_id};", *theirs])
    for peer in peers(replica):
        lines += _block("connection", _connection(here, replica, peer))
    if any(peer.proxy is not None for peer in peers(replica)):
        lines += _proxy(replica.options)
    return lines


def _volume_9(member: Member, backing: str | None, without_vote: bool) -> Lines:
    inside = [f"device minor {member.drbd.minor};"]
    if backing is None:
        inside += ["disk none;", *(["tiebreaker no;"] if without_vote else [])]
    else:
        inside += [f"disk {_quoted(backing)};", _meta_disk(member, backing)]
    return _block(f"volume {member.number}", [*inside, *_sections({"disk": _only("Disk/", member.drbd.options)})])


def _meta_disk(member: Member, backing: str) -> str:
    """Without an index behind it, a device is used for the metadata of this volume only. Peers' are no concern here."""
    own = member.apart if backing == member.below else ""
    return f"meta-disk {_quoted(own)};" if own else "meta-disk internal;"


def _proxy(options: Mapping[str, str]) -> Lines:
    """How the proxies of the resource's connections buffer and compress."""
    own, kind = _only("Proxy/", options), options.get("ProxyCompression", "")
    lines = [f"{name} {_value(own[name])};" for name in sorted(own)]
    if kind:
        chosen = _only("ProxyCompression/", options)
        words = [kind, *(word for name in sorted(chosen) for word in (name, _value(chosen[name])))]
        lines += _block("plugin", [f"{' '.join(words)};"])
    return _block("proxy", lines) if lines else []


def _through_proxy(here: str, replica: WantedReplica, peer: WantedPeer, proxy: WantedProxy) -> Lines:
    """Each side talks to the proxy beside it; only the proxies talk to each other."""
    lines: Lines = []
    ends = ((here, replica.address, replica.port, proxy.here), (peer.node, peer.address, peer.port, proxy.there))
    for node, address, port, outside in ends:
        inside = [f"inside ipv4 127.0.0.2:{port};", f"outside {_address(address, outside)};"]
        lines += _block(f"host {_quoted(node)} address ipv4 127.0.0.1:{port} via proxy on {_quoted(node)}", inside)
    return lines


def _connection(here: str, replica: WantedReplica, peer: WantedPeer) -> Lines:
    def ends(own: str, theirs: str) -> Lines:
        return [
            f"host {_quoted(here)} address {_address(own, replica.port)};",
            f"host {_quoted(peer.node)} address {_address(theirs, peer.port)};",
        ]

    lines: Lines = []
    for path in peer.paths:
        lines += _block("path", ends(path.here, path.there))
    between = {"net": _only("Net/", peer.options), "disk": _only("PeerDevice/", peer.options)}
    if peer.proxy is not None:
        lines = _through_proxy(here, replica, peer, peer.proxy)
    return [*(lines or ends(replica.address, peer.address)), *_sections(between)]


# -- 8.4 ----------------------------------------------------------------------------------------------------------


def _resource_8(here: str, members: list[Member]) -> Lines:
    replica = members[0].drbd.replica
    between = {name: value for peer in replica.peers[:1] for name, value in peer.options.items()}
    given = {**with_handlers(replica), **between}
    if all(member.leaves for member in members):
        given = {name: value for name, value in given.items() if not name.startswith("Handlers/")}
    lines = _sections({section: _known(section, given) for section in ("options", "handlers", "net", "disk")})
    own = [f"address {_address(replica.address, replica.port)};", *_volumes_8(members, lambda m: m.below or "none")]
    lines += _block(f"on {_quoted(here)}", own)
    for peer in replica.peers[:1]:
        theirs = [f"address {_address(peer.address, peer.port)};", *_volumes_8(members, lambda _: NOT_USED)]
        lines += _block(f"on {_quoted(peer.node)}", theirs)
    if not replica.peers:
        nobody = ["address ipv4 127.0.0.1:9;", *_volumes_8(members, lambda _: NOT_USED)]
        lines += _block(f"on {_quoted(f'{NOBODY}-{members[0].drbd.minor}')}", nobody)
    return lines


def _known(section: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """What is set between peers, 8.4 has among the options of disks; what only DRBD 9 knows is left out, and told."""
    known = {
        name.partition("/")[2]: value for name, value in given.items() if section_8(name) == section and known_8(name)
    }
    return {"cram-hmac-alg": ALGORITHM, **known, "shared-secret": SECRET} if section == "net" else known


def _volumes_8(members: list[Member], backing: Callable[[Member], str]) -> Lines:
    lines = []
    for member in members:
        known = {name: value for name, value in member.drbd.options.items() if known_8(name)}
        inside = [
            f"device minor {member.drbd.minor};",
            f"disk {_quoted(backing(member))};",
            _meta_disk(member, backing(member)),
            *_sections({"disk": _only("Disk/", known)}),
        ]
        lines += _block(f"volume {member.number}", inside)
    return lines


# -- words --------------------------------------------------------------------------------------------------------


def _only(prefix: str, given: Mapping[str, str]) -> Mapping[str, str]:
    return {name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)}


def _sections(found: Mapping[str, Mapping[str, str]]) -> Lines:
    lines = []
    for section, options in found.items():
        if options:
            lines += _block(section, [f"{name} {_value(options[name])};" for name in sorted(options)])
    return lines


def _block(head: str, inside: Iterable[str]) -> Lines:
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
