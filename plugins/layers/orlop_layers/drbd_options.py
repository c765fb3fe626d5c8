"""Options that DRBD 8.4 knows, by section of its configuration. Properties may name others, which DRBD 9 knows.

As `drbdsetup xml-help` of the twin for 8.4 in drbd-utils 9.22 describes them.
"""

from collections.abc import Mapping

_TABLE = """
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


def _by_section() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for section, *names in map(str.split, _TABLE.strip().splitlines()):
        found[section] = found.get(section, frozenset()) | frozenset(names)
    return found


KNOWN = _by_section()
# Where 8.4 has an option that DRBD 9 keeps in another section.
MOVED: Mapping[str, str] = {"Net/fencing": "disk"}
