"""Connections that DRBD gave up, and whether both sides have data that the other lacks. Pure, but for `Splits`.

DRBD keeps with the data of a replica an identifier of its present generation, and those of the generations that it
came from. Where neither side's present generation is known to the other, both were written to on their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from orlop.controller.growing import UP_TO_DATE, facts
from orlop.controller.replicas import is_connected
from orlop.model import ReportedResource, Resource, ResourceDefinition, Volume, key
from orlop.model.cluster import Value

ALONE, CONNECTED = "StandAlone", "Connected"
NONE = "0" * 16
Reports = Mapping[str, ReportedResource]  # by key of the node
Pair = tuple[str, str]  # display names of two nodes


class Side(Value, frozen=True, kw_only=True):
    """One volume on one of the two nodes, as the node sees it. Sizes in KiB."""

    node: str
    number: int
    connection: str = ""  # empty: nothing is known of the node now
    role: str = ""
    disk: str = ""
    generations: tuple[str, ...] = ()  # the present one, the one since which changes are noted, earlier ones
    out_of_sync: int | None = None  # changed here since the two were last connected
    written: int | None = None  # since the device was brought up

    @property
    def current(self) -> str:
        return _plain(self.generations[0]) if self.generations else ""

    def came_from(self, generation: str) -> bool:
        return generation in map(_plain, self.generations)


class GivenUp(Value, frozen=True, kw_only=True):
    """A connection that DRBD does not try to make any more, by volume with both sides."""

    nodes: Pair
    volumes: tuple[tuple[Side, Side], ...]

    @property
    def certain(self) -> bool:
        """Whether it is known that both sides have what the other lacks."""
        return any(_diverged(*sides) for sides in self.volumes)

    @property
    def possible(self) -> bool:
        """Whether nothing is known that speaks against it."""
        return self.certain or any(not (one.current and other.current) for one, other in self.volumes)


def given_up(definition: ResourceDefinition, reports: Reports) -> list[GivenUp]:
    """Without those that an administrator asked for."""
    replicas = [r for r in definition.resources if r.node_id is not None and (r.volumes or not r.deleting)]
    found = []
    for one, other in combinations(replicas, 2):
        sides = tuple(_sides(one, other, reports))
        alone = any(side.connection == ALONE for pair in sides for side in pair)
        met = any(side.connection == CONNECTED for pair in sides for side in pair)
        if alone and not met and is_connected(definition, one.node, other.node):
            found.append(GivenUp(nodes=(one.node, other.node), volumes=sides))
    return found


def splits(definition: ResourceDefinition, reports: Reports) -> list[GivenUp]:
    return [each for each in given_up(definition, reports) if each.possible]


def _sides(one: Resource, other: Resource, reports: Reports) -> Iterator[tuple[Side, Side]]:
    there = {volume.number: volume for volume in other.volumes}
    for volume in one.volumes:
        if volume.number in there:
            yield (
                _side(one.node, other.node, volume, reports),
                _side(other.node, one.node, there[volume.number], reports),
            )


def _side(node: str, peer: str, volume: Volume, reports: Reports) -> Side:
    report = reports.get(key(node))
    said = facts(report, volume) if report is not None and not report.plan else {}  # else it is being changed just now
    told = said.get(f"peer/{peer}/generations", "")
    differs = said.get(f"peer/{peer}/out_of_sync")
    return Side(
        node=node,
        number=volume.number,
        connection=said.get(f"peer/{peer}/connection", ""),
        role=said.get("role", ""),
        disk=said.get("disk", ""),
        generations=tuple(told.split(":")[:4]) if told else (),
        out_of_sync=int(differs) if differs is not None else None,
        written=int(said["written"]) if "written" in said else None,
    )


def _diverged(one: Side, other: Side) -> bool:
    if not one.current or not other.current:
        return False
    return not one.came_from(other.current) and not other.came_from(one.current)


def _plain(generation: str) -> str:
    """The last bit only says whether the node was primary; of a generation that is none nothing came."""
    return f"{int(generation, 16) & ~1:016X}" if generation.strip("0") else ""


def whole(side: Side) -> bool:
    return side.disk == UP_TO_DATE


class Splits:
    """Since when this process knows of split brains, in milliseconds since 1970: nothing else keeps that."""

    def __init__(self) -> None:
        self._since: Mapping[str, Mapping[Pair, int]] = {}

    def since(self, name: str, nodes: Pair) -> int | None:
        return self._since.get(key(name), {}).get(nodes)

    def noticed(self, name: str, found: list[GivenUp], now: int) -> list[Pair]:
        """Takes note of all that there are; those that are new."""
        before = self._since.get(key(name), {})
        after = {each.nodes: before.get(each.nodes, now) for each in found}
        if after != before:
            self._since = {
                **{k: v for k, v in self._since.items() if k != key(name)},
                **({key(name): after} if after else {}),
            }
        return [nodes for nodes in after if nodes not in before]
