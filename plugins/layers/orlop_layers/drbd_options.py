"""Options that a node's DRBD knows, by section of its configuration. Properties may name others.

Those of 8.4 as `drbdsetup xml-help` of the twin for 8.4 in drbd-utils 9.22 describes them; DRBD 9's tools are asked,
for every version of them knows more. They do not describe handlers: those are as drbd.conf(5) of drbd-utils 9.22.
"""

import re
from collections.abc import Iterable, Mapping

from orlop.errors import BadProperty
from orlop.model import WantedDrbd
from orlop.plugin import Probe

_TABLE_8 = """
options cpu-mask on-no-data-accessible
handlers pri-on-incon-degr pri-lost-after-sb pri-lost fence-peer local-io-error initial-split-brain split-brain
handlers before-resync-target after-resync-target before-resync-source out-of-sync unfence-peer
net protocol timeout max-epoch-size max-buffers unplug-watermark connect-int ping-int sndbuf-size rcvbuf-size ko-count
net allow-two-primaries cram-hmac-alg shared-secret after-sb-0pri after-sb-1pri after-sb-2pri always-asbp rr-conflict
net ping-timeout data-integrity-alg tcp-cork on-congestion congestion-fill congestion-extents csums-alg
net csums-after-crash-only verify-alg use-rle socket-check-timeout
disk on-io-error fencing disk-barrier disk-flushes disk-drain md-flushes resync-rate resync-after al-extents al-updates
disk discard-zeroes-if-aligned disable-write-same c-plan-ahead c-delay-target c-fill-target c-max-rate c-min-rate
disk disk-timeout read-balancing rs-discard-granularity
"""
FOR_PROXY = ("Proxy", "ProxyCompression")  # for drbd-proxy-ctl; drbdsetup does not describe them
_HANDLERS_9 = """
pri-on-incon-degr pri-lost-after-sb pri-lost fence-peer unfence-peer local-io-error initial-split-brain split-brain
before-resync-target after-resync-target before-resync-source out-of-sync quorum-lost disconnected
"""


def _by_section() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for section, *names in map(str.split, _TABLE_8.strip().splitlines()):
        found[section] = found.get(section, frozenset()) | frozenset(names)
    return found


KNOWN = _by_section()
# Where 8.4 has an option that DRBD 9 keeps in another section.
MOVED: Mapping[str, str] = {"Net/fencing": "disk"}
SECTION: Mapping[str, str] = {"Resource": "options", "Handlers": "handlers", "Net": "net", "PeerDevice": "disk"}

# Which commands of `drbdsetup` take the options of a section; some can be set only when an object is made.
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "Resource": ("resource-options",),
    "Net": ("new-peer",),
    "PeerDevice": ("peer-device-options",),
    "Disk": ("disk-options", "new-minor"),
}
_OPTION = re.compile(r'<option name="([^"]+)"')


def section_8(name: str) -> str:
    """Where 8.4 would have an option, named as `Net/timeout`."""
    return MOVED.get(name) or SECTION.get(name.partition("/")[0], "disk")


def known_8(name: str) -> bool:
    return name.partition("/")[2] in KNOWN[section_8(name)]


def ignored_8(names: Iterable[str]) -> list[str]:
    """Of the options that are set, those that 8.4 does not know: they have no effect on this node."""
    return sorted(name for name in names if not known_8(name))


def given(drbd: WantedDrbd | None) -> dict[str, str]:
    """All options that a volume comes with."""
    if drbd is None:
        return {}
    peers = (peer.options for peer in drbd.replica.peers)
    return {name: value for options in (drbd.replica.options, drbd.options, *peers) for name, value in options.items()}


def described(probe: Probe, groups: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """The names that the installed tools of DRBD 9 know, by group: `Net`, `Disk`... Only of the groups asked for."""
    found = {
        group: frozenset(name for command in commands for name in _told(probe, command))
        for group, commands in _COMMANDS.items()
        if group in groups
    }
    return {**found, "Handlers": frozenset(_HANDLERS_9.split())}


def _told(probe: Probe, command: str) -> list[str]:
    return _OPTION.findall(probe.run(("drbdsetup", "xml-help", command)))


def require_known(names: Mapping[str, str], known: Mapping[str, frozenset[str]]) -> None:
    """Raises for the first option that DRBD 9's tools here do not know; nothing is left out in silence."""
    for name in sorted(names):
        group, _, option = name.partition("/")
        if group in FOR_PROXY:
            continue
        if option not in known.get(group, frozenset()):
            raise BadProperty(
                f"the DRBD of this node does not know the option {option} (DrbdOptions/{name})",
                correction="Unset the property, or install a newer drbd-utils on this node.",
            )
