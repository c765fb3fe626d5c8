"""Configuration files of DRBD 9 as its tools read them: what is not known is refused with the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from orlop.errors import CommandFailed

Tools = tuple[int, int, int]
TIEBREAKER_TOLD: Tools = (9, 34, 0)  # from here on the tools know nodes without a disk that have no vote
TOKEN = re.compile(r'\s+|#[^\n]*|"(?P<quoted>[^"\n]*)"|(?P<sign>[{};])|(?P<word>[^\s{};"#]+)')
_TABLE = """
options cpu-mask on-no-data-accessible auto-promote peer-ack-window peer-ack-delay twopc-timeout twopc-retry-timeout
options auto-promote-timeout max-io-depth quorum on-no-quorum quorum-minimum-redundancy on-suspended-primary-outdated
handlers pri-on-incon-degr pri-lost-after-sb pri-lost fence-peer unfence-peer local-io-error initial-split-brain
handlers split-brain before-resync-target after-resync-target before-resync-source out-of-sync quorum-lost disconnected
net protocol timeout max-epoch-size connect-int ping-int sndbuf-size rcvbuf-size ko-count allow-two-primaries
net cram-hmac-alg shared-secret after-sb-0pri after-sb-1pri after-sb-2pri always-asbp rr-conflict ping-timeout
net data-integrity-alg tcp-cork on-congestion congestion-fill congestion-extents csums-alg csums-after-crash-only
net verify-alg use-rle socket-check-timeout fencing max-buffers allow-remote-read tls tls-keyring tls-privkey
net tls-certificate _name transport load-balance-paths rdma-ctrl-rcvbuf-size rdma-ctrl-sndbuf-size
disk on-io-error disk-barrier disk-flushes disk-drain md-flushes resync-after al-extents al-updates
disk discard-zeroes-if-aligned disable-write-same disk-timeout read-balancing rs-discard-granularity
peer resync-rate c-plan-ahead c-delay-target c-fill-target c-max-rate c-min-rate bitmap
"""


def _listed(section: str) -> frozenset[str]:
    lines = [line.split() for line in _TABLE.splitlines() if line]
    return frozenset(word for first, *words in lines for word in words if first == section)


OPTIONS = {section: _listed(section) for section in ("options", "handlers", "net", "disk", "peer")}
KNOWN: Mapping[str, frozenset[str]] = {
    **{section: OPTIONS[section] for section in ("options", "handlers", "net")},
    "disk": OPTIONS["disk"] | OPTIONS["peer"],
}


class NotUnderstood(CommandFailed):
    """Told as the tools tell it."""

    def __init__(self, path: str, line: int, expected: str, got: str) -> None:
        said = f"{path.lstrip('/').removeprefix('etc/')}:{line}: Parse error: '{expected}' expected,\n\tbut got '{got}'"
        super().__init__(("drbdadm",), 10, said)


@dataclass
class Block:
    """`words` after the name of a section, its `options` and the sections in it."""

    name: str
    words: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    line: int = 0

    def all(self, name: str) -> list[Block]:
        return [block for block in self.blocks if block.name == name]

    def merged(self, name: str) -> dict[str, str]:
        return {key: value for block in self.all(name) for key, value in block.options.items()}


@dataclass(frozen=True)
class Volume:
    number: int
    minor: int
    backing: str  # empty: none
    apart: str  # device of the metadata, where it has one for itself
    tiebreaker: bool
    options: Mapping[str, str]


@dataclass(frozen=True)
class Host:
    name: str
    node_id: int
    volumes: Mapping[int, Volume]
    address: str


@dataclass(frozen=True)
class Peer:
    """The connection to it, from the node that reads the file."""

    host: Host
    paths: tuple[tuple[str, str], ...]
    options: Mapping[str, str]
    disk: Mapping[int, Mapping[str, str]]  # options by volume


@dataclass(frozen=True)
class Configured:
    name: str
    options: Mapping[str, str]
    here: Host
    peers: tuple[Peer, ...]
    text: str = ""  # the file it stands in


class Reader:
    def __init__(self, path: str, text: str, tools: Tools) -> None:
        self._path, self._tools = path, tools
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text):
            found = TOKEN.match(text, at)
            line = text.count("\n", 0, at) + 1
            if found is None:
                raise NotUnderstood(path, line, "a string", text[at])
            if found.lastgroup:
                self._tokens.append((found.lastgroup, found[found.lastgroup], line))
            at = found.end()

    def resources(self) -> list[Block]:
        found = []
        while self._tokens:
            self._take("resource")
            found.append(self._block("resource"))
        return found

    def fail(self, expected: str) -> NotUnderstood:
        kind, got, line = self._tokens[0] if self._tokens else ("", "end of file", 0)
        return NotUnderstood(self._path, line, expected, got)

    def _take(self, wanted: str) -> None:
        if not self._tokens or self._tokens[0][1] != wanted or self._tokens[0][0] == "quoted":
            raise self.fail(wanted)
        self._tokens.pop(0)

    def _words(self) -> list[str]:
        found = []
        while self._tokens and self._tokens[0][0] != "sign":
            found.append(self._tokens.pop(0)[1])
        return found

    def _block(self, name: str) -> Block:
        block = Block(name, tuple(self._words()), line=self._tokens[0][2] if self._tokens else 0)
        self._take("{")
        while self._tokens and self._tokens[0][1] != "}":
            self._statement(block)
        self._take("}")
        return block

    def _statement(self, block: Block) -> None:
        name = self._tokens[0][1]
        inside = _STATEMENTS[block.name] - ({"tiebreaker"} if self._tools < TIEBREAKER_TOLD else set())
        if name not in inside:
            raise self.fail(" | ".join(sorted(inside)))
        self._tokens.pop(0)
        if name in _SECTIONS and not (name == "disk" and self._tokens[0][1] != "{"):
            block.blocks.append(self._block(name))
            return
        if name == "host":
            words = self._words()
            block.blocks.append(Block(name, tuple(words), line=self._tokens[0][2]))
        else:
            words = self._words()
            if not words:
                raise self.fail("a value")
            if len(words) > (2 if name in ("device", "address") else 1):
                raise NotUnderstood(self._path, block.line, ";", words[-1])
            block.options[name] = " ".join(words)
        self._take(";")


_SECTIONS = {"options", "handlers", "net", "disk", "on", "volume", "connection", "path", "connection-mesh"}
_STATEMENTS: Mapping[str, frozenset[str]] = {
    **KNOWN,
    "resource": frozenset({"options", "handlers", "net", "disk", "on", "connection", "volume", "protocol"}),
    "on": frozenset({"node-id", "address", "volume", "options"}),
    "volume": frozenset({"device", "disk", "meta-disk", "tiebreaker"}),
    "connection": frozenset({"host", "net", "path", "volume", "disk"}),
    "path": frozenset({"host"}),
}


def configured(path: str, text: str, here: str, tools: Tools) -> list[Configured]:
    """All resources of a file as the node `here` understands them, which has drbd-utils in version `tools`."""
    return [_resource(path, block, here) for block in Reader(path, text, tools).resources()]


def _resource(path: str, block: Block, here: str) -> Configured:
    hosts = {host.name: host for host in (_host(path, on, block) for on in block.all("on"))}
    if len({host.node_id for host in hosts.values()}) < len(hosts):
        raise CommandFailed(("drbdadm",), 10, f"{path}:{block.line}: duplicate node-id for resource {block.words[0]}")
    if here not in hosts:
        raise CommandFailed(("drbdadm",), 10, f"{path}:{block.line}: in resource {block.words[0]}: no host {here}")
    net = block.merged("net")
    peers = [_peer(path, connection, hosts, here, net, block.merged("disk")) for connection in block.all("connection")]
    mine = tuple(peer for peer in peers if peer is not None)
    return Configured(block.words[0], block.merged("options"), hosts[here], mine)


def _host(path: str, on: Block, resource: Block) -> Host:
    if "node-id" not in on.options:
        raise CommandFailed(("drbdadm",), 10, f"{path}:{on.line}: in on {on.words[0]}: 'node-id' keyword missing.")
    volumes = {int(v.words[0]): _volume(path, v, resource) for v in on.all("volume")}
    return Host(on.words[0], int(on.options["node-id"]), volumes, _address(on.options.get("address", "")))


def _volume(path: str, block: Block, resource: Block) -> Volume:
    given = block.options
    missing = [name for name in ("device", "disk") if name not in given]
    missing += ["meta-disk"] if given.get("disk", "none") != "none" and "meta-disk" not in given else []
    for name in missing:
        raise CommandFailed(
            ("drbdadm",), 10, f"{path}:{block.line}: in volume {block.words[0]}: '{name}' keyword missing."
        )
    backing = "" if given["disk"] == "none" else given["disk"]
    tiebreaker = given.get("tiebreaker", "yes") == "yes"
    minor = int(given["device"].split()[-1].removeprefix("/dev/drbd"))
    apart = given.get("meta-disk", "internal")
    return Volume(
        int(block.words[0]),
        minor,
        backing,
        "" if apart == "internal" else apart,
        tiebreaker,
        {**resource.merged("disk"), **block.merged("disk")},
    )


def _peer(
    path: str,
    block: Block,
    hosts: Mapping[str, Host],
    here: str,
    net: Mapping[str, str],
    disk: Mapping[str, str],
) -> Peer | None:
    ways = [end.all("host") for end in block.all("path")] or [block.all("host")]
    names = [host.words[0] for host in ways[0]]
    if len(names) != 2 or any(name not in hosts for name in names):
        raise CommandFailed(("drbdadm",), 10, f"{path}:{block.line}: a connection is between two known hosts")
    if here not in names:
        return None
    found = []
    for way in ways:
        ends = {host.words[0]: _address(" ".join(host.words[2:])) or hosts[host.words[0]].address for host in way}
        there = next(name for name in names if name != here)
        found.append((ends[here], ends[there]))
    parts = {int(v.words[0]): {**disk, **block.merged("disk"), **v.merged("disk")} for v in block.all("volume")}
    usual = {**disk, **block.merged("disk")}
    every = {number: parts.get(number, usual) for number in hosts[there].volumes}
    return Peer(hosts[there], tuple(found), {**net, **block.merged("net")}, every)


def _address(words: str) -> str:
    """As the tools show it: `ipv4:10.0.0.1:7000`."""
    family, _, rest = words.rpartition(" ")
    return f"{family or 'ipv4'}:{rest}" if rest else ""
