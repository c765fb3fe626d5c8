"""The JSON of every resource, kept until what it was made from is replaced by another value.

Lists are joined from these pieces: nothing is built or encoded twice, whatever the number of resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from orlop import model
from orlop.controller.api.views import resources
from orlop.controller.picture import Picture
from orlop.controller.reported import Reported, Status
from orlop.model import ReportedResource, key

Made = TypeVar("Made")
encode = msgspec.json.Encoder().encode
Reports = Mapping[str, Mapping[str, ReportedResource]]  # key of the node -> key of the definition -> report
CONNECTED = (Status.ONLINE, Status.CONNECTED)


class Piece:
    """One resource: what it was made from, and its JSON."""

    __slots__ = ("at", "json", "made_from")

    def __init__(self, of: resources.Replica) -> None:
        self.at = key(of.resource.node)
        self.made_from = of
        self.json = encode(resources.with_volumes(of))


class Kept:
    """The pieces of one definition, by node, and the tables of the picture that they were last found to fit."""

    __slots__ = ("definition", "pieces", "tables")

    def __init__(self, definition: model.ResourceDefinition, tables: Tables, pieces: list[Piece]) -> None:
        self.definition = definition
        self.tables = tables
        self.pieces = pieces


class Tables(NamedTuple):
    """What a piece depends on besides its definition and its report. A commit replaces only what it changes."""

    pools: object
    nodes: object
    groups: object
    controller: object


def tables_of(picture: Picture) -> Tables:
    return Tables(picture.pools, picture.nodes, picture.groups, picture.controller)


def reports_of(reported: Reported) -> Reports:
    """Reports of the nodes that are there; what an absent node once said counts for nothing."""
    return {name: found.resources for name, found in list(reported.nodes.items()) if found.status in CONNECTED}


class Fragments:
    """Shared by all threads. Two of them may make the same piece twice, which costs time and nothing else."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._whole: tuple[list[bytes], object] = ([], None)
        self._names: tuple[Mapping[str, model.ResourceDefinition], list[str]] = ({}, [])

    def names(self, picture: Picture) -> list[str]:
        """Keys of all definitions, sorted; sorted again only when there are others."""
        of, names = self._names
        if of is not picture.definitions:
            names = sorted(picture.definitions)
            self._names = (picture.definitions, names)
            for name in self._kept.keys() - picture.definitions.keys():
                self._kept.pop(name, None)
        return names

    def of(self, picture: Picture, reports: Reports, name: str) -> list[Piece]:
        """The pieces of one definition (key), by node."""
        definition = picture.definitions[name]
        kept = self._kept.get(name)
        if kept is None or kept.definition is not definition or not _fits(kept, picture, reports, name):
            kept = self._kept[name] = _make(definition, picture, reports, name)
        return kept.pieces

    def by_node(
        self, picture: Picture, reported: Reported, names: Iterable[str], wanted: Callable[[Piece], bool] | None = None
    ) -> list[bytes]:
        """JSON of the resources of some definitions (keys), by node, then in the order of `names`."""
        reports = reports_of(reported)
        nodes: dict[str, list[bytes]] = {}
        for name in names:
            for piece in self.of(picture, reports, name):
                if wanted is None or wanted(piece):
                    found = nodes.get(piece.at)
                    if found is None:
                        nodes[piece.at] = [piece.json]
                    else:
                        found.append(piece.json)
        return [json for node in sorted(nodes) for json in nodes[node]]

    def whole(self, pieces: list[bytes], make: Callable[[bytes], Made]) -> Made:
        """What `make` made of the joined pieces, the same object as long as the pieces are the same."""
        before, made = self._whole
        if made is None or before != pieces:
            made = make(join(pieces))
            self._whole = (pieces, made)
        return made  # type: ignore[return-value]


def keys_of(pools: Iterable[model.StoragePool | None]) -> set[str]:
    return {key(pool.name) for pool in pools if pool}


def join(pieces: Iterable[bytes]) -> bytes:
    """A JSON array."""
    return b"[" + b",".join(pieces) + b"]"


def _fits(kept: Kept, picture: Picture, reports: Reports, name: str) -> bool:
    tables = kept.tables
    if not (
        tables.pools is picture.pools
        and tables.nodes is picture.nodes
        and tables.groups is picture.groups
        and tables.controller is picture.controller
    ):
        for piece in kept.pieces:
            before = piece.made_from
            if before != resources.replica(picture, before.definition, before.resource, before.report):
                return False
        kept.tables = tables_of(picture)
    for piece in kept.pieces:
        found = reports.get(piece.at)
        if (found.get(name) if found else None) is not piece.made_from.report:
            return False
    return True


def _make(definition: model.ResourceDefinition, picture: Picture, reports: Reports, name: str) -> Kept:
    pieces = []
    for resource in sorted(definition.resources, key=lambda r: key(r.node)):
        found = reports.get(key(resource.node))
        report = found.get(name) if found else None
        pieces.append(Piece(resources.replica(picture, definition, resource, report)))
    return Kept(definition, tables_of(picture), pieces)
