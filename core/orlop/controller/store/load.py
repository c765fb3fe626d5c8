"""Rows become the picture. A row that makes no sense costs as little as it safely can, and is reported.

A damaged part of an aggregate isolates the whole aggregate, and whatever refers to an isolated aggregate is isolated
too: a definition without one of its volume rows would look like an order to forget that volume. Isolated names stay
taken. Rows of net interfaces and volume groups are the exception; they cost only themselves.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from orlop.controller import occupied
from orlop.controller.picture import TABLES, Picture, Usage, count
from orlop.controller.store import tables
from orlop.controller.store.errors import StoreError
from orlop.controller.store.shapes import (
    DEFINITION,
    GROUP,
    NODE,
    NODE_CONNECTION,
    POOL,
    ROOTS,
    Identity,
    Shape,
    every,
)
from orlop.errors import OrlopError
from orlop.model import Controller, ResourceDefinition, key
from orlop.model.decoding import converted, decoded


class RowProblem(NamedTuple):
    table: str
    key: Identity
    reason: str

    def __str__(self) -> str:
        return f"{self.table} {'/'.join(map(str, self.key))}: {self.reason}"


class Loaded(NamedTuple):
    """`blocked*` are keys of objects that are in the database but could not be read: their names stay taken."""

    picture: Picture
    problems: tuple[RowProblem, ...]
    blocked: frozenset[str]  # definitions
    blocked_nodes: frozenset[str]
    blocked_pools: frozenset[tuple[str, str]]  # (node, pool)
    blocked_groups: frozenset[str]


Parts = dict[Identity, list[tuple[int, Any]]]  # identity of the parent -> (position, value)


class Reader:
    """Reads aggregate after aggregate, in the order of their references."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.problems: list[RowProblem] = []
        self.isolated: dict[str, set[Identity]] = {}  # name of a root table -> keys

    def read(self, root: Shape) -> dict[Identity, Any]:
        """All sound aggregates of a kind; the others are in `problems` and `isolated`."""
        isolated = self.isolated[root.name] = set()
        return {
            identity: value for identity, _, value in self._values(root, root, isolated) if identity not in isolated
        }

    def isolate(self, root: Shape, identity: Identity, reason: str) -> None:
        self.problems.append(RowProblem(root.name, identity, reason))
        self.isolated[root.name].add(identity)

    def _values(self, root: Shape, shape: Shape, isolated: set[Identity]) -> Iterable[tuple[Identity, int, Any]]:
        below = {field: self._parts(root, child, isolated) for field, child in shape.children.items()}
        width = len(root.primary)
        for identity, position, value in self._rows(root, shape, isolated):
            parts = {field: found.pop(identity) for field, found in below.items() if identity in found}
            if parts:
                value = msgspec.structs.replace(value, **{field: _in_order(part) for field, part in parts.items()})
            yield identity, position, value
        for field, orphans in below.items():
            for parent in orphans:
                if parent[:width] not in isolated:
                    self.problems.append(
                        RowProblem(shape.children[field].name, parent, f"there is no such {shape.name}")
                    )
                    isolated.add(parent[:width])

    def _parts(self, root: Shape, shape: Shape, isolated: set[Identity]) -> Parts:
        found: Parts = {}
        own = len(shape.primary)
        for identity, position, value in self._values(root, shape, isolated):
            parent = identity[: own - len(shape.key(value))]
            found.setdefault(parent, []).append((position, value))
        return found

    def _rows(self, root: Shape, shape: Shape, isolated: set[Identity]) -> Iterable[tuple[Identity, int, Any]]:
        names = list(dict.fromkeys((*shape.primary, *shape.derived, *shape.fields)))
        names += ["position"] if shape.nested else []
        width = len(shape.primary)
        for raw in self._connection.execute(select(*(shape.table.columns[name] for name in names))):
            identity = tuple(raw[:width])
            try:
                position = converted(raw[-1], int) if shape.nested else 0
                value = _value(shape, identity, dict(zip(names, raw, strict=True)))
            except (msgspec.MsgspecError, OrlopError, ValueError, TypeError) as error:
                self.problems.append(RowProblem(shape.name, identity, str(error)))
                if not shape.expendable:
                    isolated.add(identity[: len(root.primary)])
            else:
                yield identity, position, value


def _in_order(parts: list[tuple[int, Any]]) -> tuple[Any, ...]:
    return tuple(value for _, value in sorted(parts, key=lambda part: part[0]))


def _value(shape: Shape, identity: Identity, row: dict[str, Any]) -> Any:
    for name, decoder in shape.json.items():
        try:
            row[name] = decoder.decode(row[name])
        except (msgspec.MsgspecError, TypeError) as error:
            raise ValueError(f"{name}: {error}") from error
    for name in shape.flags:
        if row[name] not in (0, 1):
            raise ValueError(f"{name}: {row[name]!r} is neither 0 nor 1")
        row[name] = row[name] == 1
    value = converted({name: row[name] for name in shape.fields}, shape.kind)
    own = shape.key(value)
    if identity[-len(own) :] != own:
        raise ValueError(f"the key belongs to another name than {'/'.join(map(str, own))}")
    for name, derive in shape.derived.items():
        if row[name] != derive(value):
            raise ValueError(f"{name} {row[name]!r} belongs to another name than {derive(value)!r}")
    shape.check(value)
    return value


def read_picture(connection: Connection) -> Loaded:
    """Everything that is wanted; one query per table."""
    reader = Reader(connection)
    picture = Picture()
    _controller(connection, picture)
    read = {kind: reader.read(shape) for kind, shape in ROOTS.items()}
    _require(reader, POOL, read, lambda pool: [(NODE, (key(pool.node),))])
    _require(reader, NODE_CONNECTION, read, lambda pair: [(NODE, (key(pair.node_a),)), (NODE, (key(pair.node_b),))])
    _require(reader, DEFINITION, read, _references)
    _external_names(reader, read[DEFINITION.kind], picture)
    for kind, values in read.items():
        single = {identity[0] if len(identity) == 1 else identity: value for identity, value in values.items()}
        setattr(picture, TABLES[kind], single)
    picture.usage = _usage(picture.definitions.values())
    picture.occupied = occupied.of_all(picture.definitions.values())
    isolated = reader.isolated
    return Loaded(
        picture,
        tuple(reader.problems),
        frozenset(name for (name,) in isolated[DEFINITION.name]),
        frozenset(name for (name,) in isolated[NODE.name]),
        frozenset((node, pool) for node, pool in isolated[POOL.name]),
        frozenset(name for (name,) in isolated[GROUP.name]),
    )


def _controller(connection: Connection, picture: Picture) -> None:
    row = connection.execute(select(tables.controller)).first()
    if row is None:
        return
    try:
        props = decoded(row.props, dict[str, str])
    except (msgspec.MsgspecError, TypeError) as error:
        raise StoreError(
            "the row of the controller cannot be read",
            cause=f"Its properties are damaged: {error}. Without them every resource would get other settings.",
            correction="Restore the database from a backup, or repair the column 'props' of the table 'controller'.",
        ) from error
    picture.controller = Controller(cluster=row.cluster, props=props)
    picture.sequence = row.sequence


Reference = tuple[Shape, Identity]


def _references(definition: ResourceDefinition) -> list[Reference]:
    found: list[Reference] = [(GROUP, (key(definition.group),))]
    for resource in definition.resources:
        node = key(resource.node)
        found.append((NODE, (node,)))
        found += [(POOL, (node, key(pool))) for volume in resource.volumes for pool in volume.pools]
    for snapshot in definition.snapshots:
        for part in snapshot.nodes:
            node = key(part.node)
            found.append((NODE, (node,)))
            found += [(POOL, (node, key(volume.pool))) for volume in part.volumes]
    return found


def _require(
    reader: Reader,
    root: Shape,
    read: Mapping[type, dict[Identity, Any]],
    references: Callable[[Any], list[Reference]],
) -> None:
    """Isolate what refers to something that is not there or is isolated itself."""
    values = read[root.kind]
    for identity, value in list(values.items()):
        for shape, wanted in references(value):
            if wanted not in read[shape.kind]:
                state = "could not be read" if wanted in reader.isolated[shape.name] else "does not exist"
                reader.isolate(root, identity, f"its {shape.name} {'/'.join(wanted)} {state}")
                del values[identity]
                break


def _external_names(reader: Reader, definitions: dict[Identity, Any], picture: Picture) -> None:
    names: dict[str, str] = {}
    for identity, definition in sorted(definitions.items()):
        name = definition.external_name
        if name is not None and names.setdefault(name, identity[0]) != identity[0]:
            reader.isolate(DEFINITION, identity, f"its external name {name!r} is also that of {names[name]}")
            del definitions[identity]
    picture.external_names = names


def _usage(definitions: Iterable[ResourceDefinition]) -> dict[tuple[str, str], Usage]:
    usage: dict[tuple[str, str], Usage] = {}
    for definition in definitions:
        count(usage, definition)
    return usage


EXPENDABLE = frozenset(shape.name for root in ROOTS.values() for shape in every(root) if shape.expendable)
