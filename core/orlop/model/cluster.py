"""What the controller wants. One row of the database, or a small tree of rows, per value.

References between objects are names in the spelling of their creation; look things up by `key(name)`.
Objects are told apart for good by their uuid: a name that is used again gets another one.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

Properties = Mapping[str, str]


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frozen value; `msgspec.structs.replace(value, name=...)` makes a changed copy."""


class NetInterface(Value, frozen=True, kw_only=True):
    name: str
    uuid: str
    address: str
    port: int | None = None  # with it (and encryption) the interface can carry the satellite connection
    encryption: str | None = None  # PLAIN or SSL
    active: bool = False  # the one over which the controller connects


class Node(Value, frozen=True, kw_only=True):
    name: str
    uuid: str
    kind: str = "SATELLITE"  # SATELLITE, COMBINED, CONTROLLER, AUXILIARY
    flags: frozenset[str] = frozenset()  # DELETE, EVICTED, EVACUATE
    props: Properties = {}
    interfaces: tuple[NetInterface, ...] = ()
    evicted_at: int | None = None

    @property
    def has_satellite(self) -> bool:
        return self.kind in ("SATELLITE", "COMBINED")


class NodeConnection(Value, frozen=True, kw_only=True):
    node_a: str
    node_b: str
    uuid: str
    props: Properties = {}


class StoragePoolDefinition(Value, frozen=True, kw_only=True):
    name: str
    uuid: str
    props: Properties = {}


class StoragePool(Value, frozen=True, kw_only=True):
    node: str
    name: str
    uuid: str
    provider: str  # provider kind, upper case: FILE, FILE_THIN, DISKLESS...
    props: Properties = {}
    shared_space: str = ""
    external_locking: bool = False
    new: bool = True  # only while true may the satellite put its marker on the backing


class SelectFilter(Value, frozen=True, kw_only=True):
    """How to choose nodes and pools. None or an empty collection means: not set."""

    place_count: int | None = None
    additional_place_count: int | None = None
    node_names: tuple[str, ...] = ()
    storage_pools: tuple[str, ...] = ()
    storage_pools_diskless: tuple[str, ...] = ()
    not_place_with_resources: tuple[str, ...] = ()
    not_place_with_resources_regex: str | None = None
    replicas_on_same: tuple[str, ...] = ()
    replicas_on_different: tuple[str, ...] = ()
    x_replicas_on_different: Mapping[str, int] = {}
    layers: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    diskless_on_remaining: bool | None = None
    diskless_type: str | None = None
    overprovision: float | None = None
    port_count: int | None = None
    placement_policy: str | None = None
    sites: tuple[str, ...] = ()
    most_per_site: int | None = None
    least_per_site: int | None = None
    preferred_nodes: tuple[str, ...] = ()


class VolumeGroup(Value, frozen=True, kw_only=True):
    number: int
    uuid: str
    props: Properties = {}
    flags: frozenset[str] = frozenset()


class ResourceGroup(Value, frozen=True, kw_only=True):
    name: str
    uuid: str
    description: str = ""
    props: Properties = {}
    select_filter: SelectFilter = SelectFilter()
    peer_slots: int | None = None
    volume_groups: tuple[VolumeGroup, ...] = ()


class Level(Value, frozen=True, kw_only=True):
    """One level of a volume's stack, computed once when the volume is made, grown only by order."""

    layer: str  # upper case
    size: int  # bytes this level offers to the one above


class MasterKey(Value, frozen=True, kw_only=True):
    """What protects the keys of volumes, itself sealed under a key that is derived from the master passphrase."""

    name: str = "master"
    salt: str  # hexadecimal
    cost: int  # of the derivation by scrypt: the logarithm of its n
    sealed: str


class VolumeKey(Value, frozen=True, kw_only=True):
    """A key that opens a volume, sealed under the master key. Copies of a volume share it, so it has its own uuid."""

    uuid: str
    slot: int  # of the LUKS header
    sealed: str
    retired: bool = False  # every replica has a later one: this one is being removed


class VolumeDefinition(Value, frozen=True, kw_only=True):
    number: int
    uuid: str
    size: int  # bytes the user asked for
    minor: int | None = None  # of the replicated device, the same on all nodes
    first: str = ""  # uuid of the volume whose data the other replicas got; drawn once, when the first ones are made
    day0: str = ""  # DRBD's generation of what was never written since then, 16 hexadecimal digits; empty: none
    props: Properties = {}
    flags: frozenset[str] = frozenset()
    keys: tuple[VolumeKey, ...] = ()  # that replicas may still have; the last one is in force


class Metadata(Value, frozen=True, kw_only=True):
    """What the topmost layer of a replica keeps apart from the data: an object of its own, chosen once for good."""

    uuid: str  # that the backing object carries
    pool: str
    levels: tuple[Level, ...]  # top first, STORAGE last


class Volume(Value, frozen=True, kw_only=True):
    """One replica's share of a volume. `uuid` is the incarnation that the backing object carries."""

    number: int
    uuid: str
    pool: str
    levels: tuple[Level, ...]  # top first, STORAGE last
    new: bool = True  # only while true may the satellite create or format it
    source: str | None = None  # uuid of the snapshot volume that a new incarnation is filled from
    source_name: str = ""  # backing name of that snapshot volume
    replaces: str | None = None  # uuid of the incarnation that a rollback puts this one in place of
    equal: bool = False  # it was made so that it reads as zeros where nothing was written since day 0
    metadata: Metadata | None = None  # None: at the end of the data
    flags: frozenset[str] = frozenset()
    props: Properties = {}

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of all that it has something in."""
        return (self.pool,) if self.metadata is None else (self.pool, self.metadata.pool)


class Resource(Value, frozen=True, kw_only=True):
    """A definition on a node."""

    node: str
    uuid: str
    flags: frozenset[str] = frozenset()  # DELETE, INACTIVE, DISKLESS, DRBD_DISKLESS, EVACUATE...
    props: Properties = {}
    layers: tuple[str, ...] = ()  # empty: as the definition
    volumes: tuple[Volume, ...] = ()
    created: int | None = None
    node_id: int | None = None  # among the replicas of the definition; kept while any node may know it
    ports: tuple[int, ...] = ()  # on which the node waits for its peers
    peer_slots: int | None = None  # peers that the metadata has room for, since it was made

    @property
    def deleting(self) -> bool:
        return "DELETE" in self.flags

    @property
    def diskless(self) -> bool:
        return "DISKLESS" in self.flags


class ResourceConnection(Value, frozen=True, kw_only=True):
    node_a: str
    node_b: str
    uuid: str
    props: Properties = {}


class SnapshotVolumeDefinition(Value, frozen=True, kw_only=True):
    number: int
    size: int
    flags: frozenset[str] = frozenset()
    props: Properties = {}
    keys: tuple[VolumeKey, ...] = ()  # as the volume had them when it was taken


class SnapshotVolume(Value, frozen=True, kw_only=True):
    number: int
    uuid: str  # incarnation of the snapshot's own backing object
    volume: str  # uuid of the volume it was taken of
    pool: str
    size: int  # bytes at the storage level
    new: bool = True


class NodeSnapshot(Value, frozen=True, kw_only=True):
    node: str
    uuid: str
    flags: frozenset[str] = frozenset()
    props: Properties = {}
    created: int | None = None
    volumes: tuple[SnapshotVolume, ...] = ()


class Snapshot(Value, frozen=True, kw_only=True):
    name: str
    uuid: str
    flags: frozenset[str] = frozenset()  # SUCCESSFUL, FAILED_DEPLOYMENT, FAILED_DISCONNECT, DELETE
    props: Properties = {}
    layers: tuple[str, ...] = ()
    resource_definition_props: Properties = {}
    volume_definitions: tuple[SnapshotVolumeDefinition, ...] = ()
    nodes: tuple[NodeSnapshot, ...] = ()


class Operation(Value, frozen=True, kw_only=True):
    """Work on several nodes that outlives a request and a controller: one row, resumed after a crash."""

    uuid: str
    kind: str  # rollback, ...
    state: str
    created: int
    arguments: Mapping[str, Any] = {}
    problem: str = ""  # why it was given up, for whoever waits


class ResourceDefinition(Value, frozen=True, kw_only=True):
    """The aggregate: everything that belongs to one definition changes together, under one revision."""

    name: str
    uuid: str
    group: str
    layers: tuple[str, ...]  # upper case, top first, STORAGE last
    external_name: str | None = None
    props: Properties = {}
    flags: frozenset[str] = frozenset()
    peer_slots: int | None = None
    revision: int = 0  # number of the commit that changed anything of the definition last
    volume_definitions: tuple[VolumeDefinition, ...] = ()
    resources: tuple[Resource, ...] = ()
    connections: tuple[ResourceConnection, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    operations: tuple[Operation, ...] = ()

    @property
    def deleting(self) -> bool:
        return "DELETE" in self.flags


class KeyValueStore(Value, frozen=True, kw_only=True):
    name: str
    props: Properties = {}


class Controller(Value, frozen=True, kw_only=True):
    """The cluster's own row."""

    cluster: str = ""  # uuid of the cluster, drawn when the database is made
    props: Properties = {}
