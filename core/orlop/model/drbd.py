"""What a node is told of a replicated volume. Every volume of a resource carries the same `replica`."""

from collections.abc import Mapping

from orlop.model.cluster import Value


class WantedPeer(Value, frozen=True, kw_only=True):
    """Another replica of the same resource, and the connection to it."""

    node: str
    node_id: int
    address: str
    port: int
    options: Mapping[str, str] = {}  # by `Net/<name>` or `PeerDevice/<name>`


class WantedReplica(Value, frozen=True, kw_only=True):
    """One node's part in a replicated resource."""

    definition: str  # uuid; what the peers prove to each other is derived from it
    node_id: int
    address: str
    port: int
    peers: tuple[WantedPeer, ...] = ()
    options: Mapping[str, str] = {}  # by `Resource/<name>` or `Handlers/<name>`


class WantedDrbd(Value, frozen=True, kw_only=True):
    """What is particular to one volume."""

    replica: WantedReplica
    minor: int
    first: bool = False  # the others get their data from here
    last: bool = False  # nobody is to keep the data: the last copy may go
    grow: bool = False  # all levels below are large enough everywhere
    options: Mapping[str, str] = {}  # by `Disk/<name>`
