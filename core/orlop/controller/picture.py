"""One immutable picture of everything that is wanted, and the draft that becomes the next one.

Reads take a reference to the picture and never wait. A writer makes a `Draft` under the writer lock, changes
whole values in it, has the store write the differences in one transaction, and publishes the frozen result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from orlop.controller import occupied
from orlop.model import (
    Controller,
    KeyValueStore,
    MasterKey,
    Node,
    NodeConnection,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    StoragePool,
    StoragePoolDefinition,
    key,
)

Aggregate = (
    Controller
    | KeyValueStore
    | MasterKey
    | Node
    | NodeConnection
    | ResourceDefinition
    | ResourceGroup
    | StoragePool
    | StoragePoolDefinition
)
Key = tuple[str, ...]


def key_of(value: Aggregate) -> Key:
    """What an aggregate is found by: lower-cased names."""
    match value:
        case Controller():
            return ()
        case StoragePool():
            return (key(value.node), key(value.name))
        case NodeConnection():
            first, second = sorted((key(value.node_a), key(value.node_b)))
            return (first, second)
        case _:
            return (key(value.name),)


class Change(NamedTuple):
    """One aggregate before and after; None where it did not or does not exist."""

    kind: type
    key: Key
    before: Aggregate | None
    after: Aggregate | None


class Usage(NamedTuple):
    """What is promised in one pool: bytes of volumes and snapshots, how many, and bytes not yet made."""

    reserved: int = 0
    volumes: int = 0
    snapshots: int = 0
    pending: int = 0


NOTHING = Usage()


class Picture:
    """Everything that is wanted at one moment. Never changed after it was published."""

    __slots__ = (
        "controller",
        "definitions",
        "external_names",
        "groups",
        "key_values",
        "master_keys",
        "node_connections",
        "nodes",
        "occupied",
        "pool_definitions",
        "pools",
        "sequence",
        "usage",
    )

    def __init__(self) -> None:
        self.sequence = 0  # number of the commit that made this picture
        self.controller = Controller()
        self.nodes: dict[str, Node] = {}
        self.pools: dict[tuple[str, str], StoragePool] = {}
        self.pool_definitions: dict[str, StoragePoolDefinition] = {}
        self.node_connections: dict[tuple[str, str], NodeConnection] = {}
        self.groups: dict[str, ResourceGroup] = {}
        self.definitions: dict[str, ResourceDefinition] = {}
        self.key_values: dict[str, KeyValueStore] = {}
        self.master_keys: dict[str, MasterKey] = {}  # one, or none before there is a master passphrase
        self.external_names: dict[str, str] = {}  # external name -> key of the definition
        self.usage: dict[tuple[str, str], Usage] = {}  # key of a pool -> what is promised in it
        self.occupied: occupied.Nodes = {}  # what each node has

    # Lookups that know that names are case-insensitive; None where there is nothing.

    def node(self, name: str) -> Node | None:
        return self.nodes.get(key(name))

    def pool(self, node: str, name: str) -> StoragePool | None:
        return self.pools.get((key(node), key(name)))

    def group(self, name: str) -> ResourceGroup | None:
        return self.groups.get(key(name))

    def definition(self, name: str) -> ResourceDefinition | None:
        return self.definitions.get(key(name))

    @property
    def master_key(self) -> MasterKey | None:
        return next(iter(self.master_keys.values()), None)

    def definitions_on(self, node: str) -> list[ResourceDefinition]:
        """Definitions that have a resource or a snapshot on a node."""
        wanted = key(node)
        return [
            d
            for d in self.definitions.values()
            if any(key(r.node) == wanted for r in d.resources)
            or any(key(n.node) == wanted for s in d.snapshots for n in s.nodes)
        ]


class Draft(Picture):
    """A picture being changed. `put` and `remove` take whole aggregates; `changes` lists what became of it."""

    __slots__ = ("_base", "_changed")

    def __init__(self, base: Picture) -> None:
        self._base = base
        self._changed: dict[tuple[type, Key], Change] = {}
        for name in Picture.__slots__:
            setattr(self, name, getattr(base, name))

    def put(self, value: Aggregate) -> None:
        """Add an aggregate or replace the one with its key. A definition gets its next revision."""
        at = key_of(value)
        before = self._find(type(value), at)
        if isinstance(value, ResourceDefinition):
            # The number of the commit: raised by every change, and never lower for a name that is used again.
            value = msgspec.structs.replace(value, revision=self._base.sequence + 1)
        self._replace(type(value), at, before, value)

    def remove(self, value: Aggregate) -> None:
        self._replace(type(value), key_of(value), self._find(type(value), key_of(value)), None)

    @property
    def changes(self) -> list[Change]:
        return [c for c in self._changed.values() if c.before is not c.after]

    def freeze(self) -> Picture:
        picture = Picture()
        for name in Picture.__slots__:
            setattr(picture, name, getattr(self, name))
        return picture

    def _find(self, kind: type, at: Key) -> Aggregate | None:
        if kind is Controller:
            return self.controller
        found: Mapping[str | Key, Aggregate] = getattr(self, TABLES[kind])
        return found.get(at if len(at) > 1 else at[0])

    def _replace(self, kind: type, at: Key, before: Aggregate | None, after: Aggregate | None) -> None:
        first = self._changed.get((kind, at))
        self._changed[kind, at] = Change(kind, at, first.before if first else before, after)
        if kind is Controller:
            assert isinstance(after, Controller)
            self.controller = after
            return
        name = TABLES[kind]
        table = getattr(self, name)
        if table is getattr(self._base, name):
            table = dict(table)
            setattr(self, name, table)
        short = at if len(at) > 1 else at[0]
        if after is None:
            table.pop(short, None)
        else:
            table[short] = after
        if kind is ResourceDefinition:
            self._index(at[0], before, after)  # type: ignore[arg-type]
            self.occupied = occupied.moved(self.occupied, before, after)  # type: ignore[arg-type]

    def _index(self, at: str, before: ResourceDefinition | None, after: ResourceDefinition | None) -> None:
        old = before.external_name if before else None
        new = after.external_name if after else None
        if old != new:
            names = dict(self.external_names)
            if old is not None:
                names.pop(old, None)
            if new is not None:
                names[new] = at
            self.external_names = names
        usage = dict(self.usage) if self.usage is self._base.usage else self.usage
        if before:
            count(usage, before, -1)
        if after:
            count(usage, after, 1)
        self.usage = usage


def with_resource(definition: ResourceDefinition, resource: Resource) -> ResourceDefinition:
    """With a resource added, or put in place of the one on its node."""
    at = key(resource.node)
    if all(key(r.node) != at for r in definition.resources):
        return msgspec.structs.replace(definition, resources=(*definition.resources, resource))
    resources = tuple(resource if key(r.node) == at else r for r in definition.resources)
    return msgspec.structs.replace(definition, resources=resources)


TABLES: dict[type, str] = {
    KeyValueStore: "key_values",
    MasterKey: "master_keys",
    Node: "nodes",
    NodeConnection: "node_connections",
    ResourceDefinition: "definitions",
    ResourceGroup: "groups",
    StoragePool: "pools",
    StoragePoolDefinition: "pool_definitions",
}


def differing(before: Picture, after: Picture) -> list[Change]:
    """Every aggregate that one of two pictures has and the other has not, or has otherwise."""
    found = []
    if before.controller is not after.controller:
        found.append(Change(Controller, (), before.controller, after.controller))
    for kind, name in TABLES.items():
        old: Mapping[str | Key, Aggregate] = getattr(before, name)
        new: Mapping[str | Key, Aggregate] = getattr(after, name)
        if old is new:
            continue
        for at in {**old, **new}:
            if old.get(at) is not new.get(at):
                found.append(Change(kind, at if isinstance(at, tuple) else (at,), old.get(at), new.get(at)))
    return found


def count(usage: dict[tuple[str, str], Usage], definition: ResourceDefinition, sign: int = 1) -> None:
    """Add what a definition keeps in pools to `usage`, or take it away."""
    for where, size, is_snapshot, fresh in promises(definition):
        seen = usage.get(where, NOTHING)
        usage[where] = Usage(
            seen.reserved + sign * size,
            seen.volumes + sign * (not is_snapshot),
            seen.snapshots + sign * is_snapshot,
            seen.pending + sign * (size if fresh else 0),
        )


def promises(definition: ResourceDefinition) -> list[tuple[tuple[str, str], int, bool, bool]]:
    """(key of the pool, bytes, whether a snapshot, whether still to be made) of everything kept in pools."""
    found = [
        ((key(resource.node), key(each.pool)), each.levels[-1].size, False, volume.new)
        for resource in definition.resources
        for volume in resource.volumes
        for each in (volume, volume.metadata)
        if not resource.diskless and each is not None
    ]
    found += [
        ((key(part.node), key(volume.pool)), volume.size, True, volume.new)
        for snapshot in definition.snapshots
        for part in snapshot.nodes
        for volume in part.volumes
    ]
    return found
