"""Which replicas go together because of what is below them: kinds of pools, and versions of DRBD. Pure.

`semantics.md` section 5: thick and thin, ZFS and others only mix where `AllowMixingStoragePoolDriver` is true and every
DRBD is of 9.1.18 or 9.2.7. DRBD 9 and older ones never go together in one resource.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from orlop.controller import drbd_versions
from orlop.controller.diskless import LAYER, is_diskless
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.objections import Objection
from orlop.controller.placement.standing import Below, Standings
from orlop.controller.properties import Kind, Source, effective
from orlop.model import ResourceDefinition

ALLOWED = "AllowMixingStoragePoolDriver"
NINE = (9,)


class Side(NamedTuple):
    """What all replicas of a resource have in common; None where nothing has to be."""

    modern: bool | None = None  # DRBD 9
    zfs: bool | None = None
    thin: bool | None = None


ANY = Side()


class Mixing:
    """`taken`: sides of the replicas that exist, each with a node that has one."""

    def __init__(
        self,
        cluster: Cluster,
        standings: Standings,
        layers: tuple[str, ...],
        existing: ResourceDefinition | None,
    ) -> None:
        self._replicated = LAYER in layers
        self._standings = standings
        around = {**cluster.asked, Kind.CONTROLLER: Source("", cluster.picture.controller.props)}
        allowed = effective(ALLOWED, around)
        self._allowed = allowed is not None and allowed.value.lower() == "true"
        self._known: dict[Below, Side] = {}
        self._alike: dict[Side, Side] = {}
        self.taken = self._sides_of(cluster, existing) if existing is not None and self._replicated else {}

    def side(self, of: Below) -> Side:
        if not self._replicated:
            return ANY
        found = self._known.get(of)
        if found is None:
            mixes = self._allowed and can_mix(of.drbd)
            side = Side(of.drbd >= NINE, *(() if mixes else (of.zfs, of.thin)))
            found = self._known[of] = self._alike.setdefault(side, side)
        return found

    def objections(self, of: Below, provider: str) -> Iterator[Objection]:
        """What replicas that exist say against a pool."""
        side = self.side(of)
        other = next((where for taken, where in self.taken.items() if taken.modern != side.modern), None)
        if other is not None:
            yield Objection("drbd", f"its DRBD and that of {other}, which has a replica, do not work together")
        kinds = {(taken.zfs, taken.thin): where for taken, where in self.taken.items() if taken.zfs is not None}
        if len(kinds) == 1 and side.zfs is not None and (side.zfs, side.thin) not in kinds:
            yield Objection(
                "mixing",
                f"{provider} does not mix with the pool of the replica on {next(iter(kinds.values()))}",
                f"set {ALLOWED} to true, with DRBD 9.2.7 or later on all nodes",
            )

    def _sides_of(self, cluster: Cluster, existing: ResourceDefinition) -> dict[Side, str]:
        picture = cluster.picture
        found: dict[Side, str] = {}
        for resource in existing.resources:
            if resource.deleting or picture.node(resource.node) is None:
                continue
            if is_diskless(resource) or not resource.volumes:
                found.setdefault(Side(drbd_versions.all_at_least(picture, [resource.node])), resource.node)
                continue
            pools = (picture.pool(resource.node, volume.pool) for volume in resource.volumes)
            for pool in pools:
                if pool is not None:
                    found.setdefault(self.side(self._standings.below(cluster, pool)), resource.node)
        return found


def can_mix(drbd: tuple[int, ...]) -> bool:
    """Whether a DRBD knows replicas of different kinds."""
    if drbd[:2] == (9, 1):
        return drbd >= (9, 1, 18)
    return drbd >= (9, 2, 7)
