"""How the values of the domain become rows: one `Shape` per table, nested as the aggregates are."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table, Text

from orlop import model
from orlop.controller.picture import Change, Key, key_of
from orlop.controller.store import tables
from orlop.model import key, names

BOTTOMS = ("STORAGE", "NVME", "DRBD")  # the latter two without storage of their own
Identity = tuple[Any, ...]
Row = dict[str, Any]


def encode(value: object) -> str:
    """JSON that is the same for equal values."""
    return msgspec.json.encode(value, order="deterministic").decode()


class Shape:
    """One kind of value in one table. `key` is the value's own part of the primary key, after its parents'."""

    def __init__(
        self,
        table: Table,
        kind: type[msgspec.Struct],
        key: Callable[[Any], Identity],
        check: Callable[[Any], object],
        *,
        derived: Mapping[str, Callable[[Any], Any]] | None = None,
        children: Mapping[str, "Shape"] | None = None,
        expendable: bool = False,
    ) -> None:
        self.table, self.kind, self.key, self.check = table, kind, key, check
        self.name = table.name
        self.derived = dict(derived or {})
        self.children = dict(children or {})
        self.expendable = expendable  # a damaged row costs only itself: nothing on a node hangs on it
        self.primary = tuple(column.name for column in table.primary_key.columns)
        self.fields = tuple(f for f in kind.__struct_fields__ if f not in self.children)
        self.nested = "position" in table.columns
        self.flags = tuple(f.name for f in msgspec.structs.fields(kind) if f.type is bool)

    @cached_property
    def json(self) -> dict[str, msgspec.json.Decoder[Any]]:
        """Decoders of the columns that hold JSON."""
        found = {field.name: field.type for field in msgspec.structs.fields(self.kind) if field.name in self.fields}
        return {name: msgspec.json.Decoder(kind) for name, kind in found.items() if self._is_json(name)}

    def _is_json(self, name: str) -> bool:
        column = self.table.columns[name]
        return isinstance(column.type, Text) and name not in ("description", "external_name", "problem")

    def row(self, value: Any, identity: Identity, position: int) -> Row:
        row: Row = dict(zip(self.primary, identity, strict=True))
        for name in self.fields:
            item = getattr(value, name)
            row[name] = encode(item) if name in self.json else item
        for name in self.flags:
            row[name] = int(row[name])
        for name, derive in self.derived.items():
            row[name] = derive(value)
        if self.nested:
            row["position"] = position
        return row


def _by_name(value: Any) -> Identity:
    return (key(value.name),)


def _by_node(value: Any) -> Identity:
    return (key(value.node),)


def _by_number(value: Any) -> Identity:
    return (value.number,)


def _by_uuid(value: Any) -> Identity:
    return (value.uuid,)


def _by_nodes(value: Any) -> Identity:
    return tuple(sorted((key(value.node_a), key(value.node_b))))


def _number(value: Any) -> object:
    return names.volume_number(value.number)


def _node(value: model.Node) -> None:
    names.node(value.name)
    _one_of(value.kind, "SATELLITE", "COMBINED", "CONTROLLER", "AUXILIARY")


def _net_interface(value: model.NetInterface) -> None:
    names.net_interface(value.name)
    names.address(value.address)
    if value.encryption is not None:
        _one_of(value.encryption, "PLAIN", "SSL")


def _volume(value: model.Volume) -> None:
    names.volume_number(value.number)
    if not value.levels or value.levels[-1].layer not in BOTTOMS:
        raise ValueError(f"the stack ends in none of {', '.join(BOTTOMS)}")
    if value.metadata is not None and (not value.metadata.levels or value.metadata.levels[-1].layer != BOTTOMS[0]):
        raise ValueError(f"what its metadata is kept on does not end in {BOTTOMS[0]}")


def _sized(value: model.VolumeDefinition | model.SnapshotVolumeDefinition) -> None:
    names.volume_number(value.number)
    names.size(value.size)


def _definition(value: model.ResourceDefinition) -> None:
    names.resource(value.name)
    if not value.layers:
        raise ValueError("the list of layers is empty")


def _pair(value: model.NodeConnection | model.ResourceConnection) -> None:
    if key(value.node_a) == key(value.node_b):
        raise ValueError("a connection needs two nodes")


def _master_key(value: model.MasterKey) -> None:
    bytes.fromhex(value.salt)
    bytes.fromhex(value.sealed)


def _volume_key(value: model.VolumeKey) -> None:
    bytes.fromhex(value.sealed)
    if not 0 <= value.slot < 32:
        raise ValueError(f"{value.slot} is no key slot")


def _anything(value: object) -> None:
    """Nothing to check beyond the types."""


def _one_of(word: str, *allowed: str) -> None:
    if word not in allowed:
        raise ValueError(f"{word!r} is not one of {', '.join(allowed)}")


_POOL = {"pool_key": lambda value: key(value.pool)}
KEY_VALUE_STORE = Shape(
    tables.key_value_store, model.KeyValueStore, key_of, lambda value: names.key_value_store(value.name)
)
MASTER_KEY = Shape(tables.master_key, model.MasterKey, key_of, _master_key)
NODE = Shape(
    tables.node,
    model.Node,
    key_of,
    _node,
    children={"interfaces": Shape(tables.net_interface, model.NetInterface, _by_name, _net_interface, expendable=True)},
)
NODE_CONNECTION = Shape(tables.node_connection, model.NodeConnection, key_of, _pair)
POOL_DEFINITION = Shape(
    tables.storage_pool_definition,
    model.StoragePoolDefinition,
    key_of,
    lambda value: names.storage_pool(value.name),
)
POOL = Shape(tables.storage_pool, model.StoragePool, key_of, lambda value: names.storage_pool(value.name))
GROUP = Shape(
    tables.resource_group,
    model.ResourceGroup,
    key_of,
    lambda value: names.resource_group(value.name),
    children={"volume_groups": Shape(tables.volume_group, model.VolumeGroup, _by_number, _number, expendable=True)},
)
SNAPSHOT = Shape(
    tables.snapshot,
    model.Snapshot,
    _by_name,
    lambda value: names.snapshot(value.name),
    children={
        "volume_definitions": Shape(
            tables.snapshot_volume_definition,
            model.SnapshotVolumeDefinition,
            _by_number,
            _sized,
            children={"keys": Shape(tables.snapshot_volume_key, model.VolumeKey, _by_uuid, _volume_key)},
        ),
        "nodes": Shape(
            tables.node_snapshot,
            model.NodeSnapshot,
            _by_node,
            _anything,
            children={
                "volumes": Shape(tables.snapshot_volume, model.SnapshotVolume, _by_number, _number, derived=_POOL)
            },
        ),
    },
)
DEFINITION = Shape(
    tables.resource_definition,
    model.ResourceDefinition,
    key_of,
    _definition,
    derived={"group_key": lambda value: key(value.group)},
    children={
        "volume_definitions": Shape(
            tables.volume_definition,
            model.VolumeDefinition,
            _by_number,
            _sized,
            children={"keys": Shape(tables.volume_key, model.VolumeKey, _by_uuid, _volume_key)},
        ),
        "resources": Shape(
            tables.resource,
            model.Resource,
            _by_node,
            _anything,
            children={"volumes": Shape(tables.volume, model.Volume, _by_number, _volume, derived=_POOL)},
        ),
        "connections": Shape(tables.resource_connection, model.ResourceConnection, _by_nodes, _pair),
        "snapshots": SNAPSHOT,
        "operations": Shape(tables.operation, model.Operation, _by_uuid, _anything),
    },
)

# Whatever refers to something comes after it.
ROOTS: dict[type, Shape] = {
    shape.kind: shape
    for shape in (KEY_VALUE_STORE, MASTER_KEY, NODE, NODE_CONNECTION, POOL_DEFINITION, POOL, GROUP, DEFINITION)
}


def every(shape: Shape) -> list[Shape]:
    """A shape and everything below it, parents first."""
    return [shape] + [s for child in shape.children.values() for s in every(child)]


SHAPES = [shape for root in ROOTS.values() for shape in every(root)]


class Difference(NamedTuple):
    """What has to be written to one table."""

    insert: list[Row]
    update: list[Row]
    delete: list[Row]  # primary keys only


Rows = dict[str, dict[Identity, Row]]  # by table


def rows(changes: list[Change]) -> tuple[Rows, Rows]:
    """All rows of what changed, as they were and as they are; `Controller` has a row of its own elsewhere."""
    before: Rows = {}
    after: Rows = {}
    for change in changes:
        if change.kind in ROOTS:
            shape = ROOTS[change.kind]
            _flatten(shape, change.before, change.key, before)
            _flatten(shape, change.after, change.key, after)
    return before, after


def differences(changes: list[Change]) -> dict[str, Difference]:
    """The rows that differ between before and after, by table."""
    before, after = rows(changes)
    return {
        shape.name: _compare(shape, before.get(shape.name, {}), after.get(shape.name, {}))
        for shape in SHAPES
        if shape.name in before or shape.name in after
    }


def _compare(shape: Shape, old: dict[Identity, Row], new: dict[Identity, Row]) -> Difference:
    gone = [{name: old[identity][name] for name in shape.primary} for identity in old if identity not in new]
    return Difference(
        [row for identity, row in new.items() if identity not in old],
        [row for identity, row in new.items() if identity in old and old[identity] != row],
        gone,
    )


def _flatten(shape: Shape, value: Any, identity: Key, into: dict[str, dict[Identity, Row]], position: int = 0) -> None:
    if value is None:
        return
    table = into.setdefault(shape.name, {})
    if identity in table:
        raise ValueError(f"{shape.name} {'/'.join(map(str, identity))} appears twice in one aggregate")
    table[identity] = shape.row(value, identity, position)
    for field, child in shape.children.items():
        for place, part in enumerate(getattr(value, field)):
            _flatten(child, part, identity + child.key(part), into, place)
