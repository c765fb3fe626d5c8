"""What a node is told of a replicated volume. Every volume of a resource carries the same `replica`."""

from collections.abc import Mapping
from enum import StrEnum

from orlop.model.cluster import Value


class WantedPath(Value, frozen=True, kw_only=True):
    """One of several ways between two nodes; where there are none, the addresses of the two are used."""

    here: str
    there: str


class WantedProxy(Value, frozen=True, kw_only=True):
    """The TCP ports at which the DRBD Proxies of two nodes meet."""

    here: int
    there: int


class WantedPeer(Value, frozen=True, kw_only=True):
    """Another replica of the same resource, and the connection to it."""

    node: str
    node_id: int
    address: str
    port: int
    diskless: bool = False
    client: bool = False  # diskless without a vote
    incarnation: str = ""  # uuid of the peer's replica
    connected: bool = True  # False: an administrator wants the two not to be connected
    paths: tuple[WantedPath, ...] = ()
    proxy: WantedProxy | None = None  # the connection runs through DRBD Proxy
    options: Mapping[str, str] = {}  # by `Net/<name>` or `PeerDevice/<name>`


class WantedReplica(Value, frozen=True, kw_only=True):
    """One node's part in a replicated resource."""

    definition: str  # uuid; what the peers prove to each other is derived from it
    node_id: int
    address: str
    port: int
    diskless: bool = False  # a volume of it has the one level DRBD
    client: bool = False  # diskless without a vote
    skip_disk: bool = False  # go on without the disk, which failed, until an administrator takes that back
    incarnation: str = ""  # uuid; another one where a replica was made again on the same node
    slots: int = 7  # peers the metadata has room for
    peers: tuple[WantedPeer, ...] = ()
    options: Mapping[str, str] = {}  # by `Resource/<name>`, `Handlers/<name>` or `Proxy.../<name>`
    keeps: str = ""  # `try` or `require`: a snapshot is taken before a synchronization overwrites its data


class WantedDrbd(Value, frozen=True, kw_only=True):
    """What is particular to one volume."""

    replica: WantedReplica
    minor: int
    first: bool = False  # the others get their data from here
    last: bool = False  # nobody is to keep the data: the last copy may go
    grow: bool = False  # all levels below are large enough everywhere
    day0: str = ""  # generation of what was never written, 16 hexadecimal digits; empty: nothing is taken for equal
    origin: str = ""  # uuid of the replica whose data this new one holds already, every byte of it; empty: none
    equal: bool = False  # with `day0`: a replica made now reads as zeros like all others did on day 0
    options: Mapping[str, str] = {}  # by `Disk/<name>`


class ReplicaVerb(StrEnum):
    """What an administrator has a node do once with its replica of a resource."""

    VERIFY = "verify"  # compare all blocks with those of the peers
    INVALIDATE = "invalidate"  # throw the local data away and get it from a peer
    CONNECT = "connect"  # to peers whose connection was given up
    DISCARD = "discard"  # connect, and where both have written the other does not know: give up what was written here
    PAUSE_SYNC = "pause-sync"
    RESUME_SYNC = "resume-sync"
    PRIMARY = "primary"
    SECONDARY = "secondary"


class ReplicaOrder(Value, frozen=True, kw_only=True):
    """One of these, of all peers or of one. What is so already is done: it can be repeated."""

    verb: ReplicaVerb
    peer: str = ""
