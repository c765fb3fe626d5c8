"""How much a pool can still take (`semantics.md` section 5 of the specification). Pure; bytes."""

from __future__ import annotations

from typing import NamedTuple

from orlop.controller.picture import NOTHING, Picture, Usage
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.properties.effective import Objects
from orlop.model import Capacity, Node, ReportedPool, StoragePool, key

THIN_RATIO = 20.0
KEYS = ("MaxFreeCapacityOversubscriptionRatio", "MaxTotalCapacityOversubscriptionRatio")
GENERAL = "MaxOversubscriptionRatio"
NAMES = frozenset((GENERAL, *KEYS))
LEAST = "Autoplacer/MinThinFreeSpace"
LEAST_PERCENT = 10.0


def ratios(picture: Picture, pool: StoragePool) -> tuple[float, float, float]:
    """(general, free, total) over-subscription ratios of a thin pool, looked up pool, pool definition, controller."""
    definition = picture.pool_definitions.get(key(pool.name))
    inherited = definition.props if definition else {}
    # Placement asks for every pool of the cluster, and hardly any says a word about it.
    if all(NAMES.isdisjoint(props) for props in (pool.props, inherited, picture.controller.props)):
        return THIN_RATIO, THIN_RATIO, THIN_RATIO
    objects = {
        Kind.STORAGE_POOL: Source(pool.name, pool.props),
        Kind.STORAGE_POOL_DEFINITION: Source(pool.name, inherited),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }

    def value(name: str, otherwise: float) -> float:
        found = effective(name, objects)
        return float(found.value) if found else otherwise

    general = value(GENERAL, THIN_RATIO)
    return general, value(KEYS[0], general), value(KEYS[1], general)


def about(pool: StoragePool, seen: ReportedPool | None) -> ReportedPool | None:
    """A report, if it is about this pool and not about an earlier one of the same name."""
    return seen if seen is not None and seen.uuid == pool.uuid else None


def promisable(
    seen: Capacity, usage: Usage, thin: bool, free_ratio: float = THIN_RATIO, total_ratio: float = THIN_RATIO
) -> tuple[int, int]:
    """Bytes that may still be promised in a pool, and that may be promised at all. What is promised and not made yet
    is not free any more."""
    if not thin:
        return max(0, seen.free - usage.pending), seen.total
    total = seen.total * total_ratio
    return max(0, int(min(seen.free * free_ratio - usage.pending, total - usage.reserved))), int(total)


def usable_free(picture: Picture, pool: StoragePool, seen: ReportedPool | None, thin: bool) -> int | None:
    """Bytes that may still be promised in a pool; None while its capacity is not known."""
    seen = about(pool, seen)
    if seen is None or seen.capacity is None or seen.problem:
        return None
    usage = picture.usage.get((key(pool.node), key(pool.name)), NOTHING)
    return promisable(seen.capacity, usage, thin, *(ratios(picture, pool)[1:] if thin else ()))[0]


class Room(NamedTuple):
    """`problem`: why nothing is known or nothing works; `warning`: why nothing should be placed there any more."""

    free: int = 0
    total: int = 0
    problem: str = ""
    warning: str = ""


class Rooms:
    """The room in every pool of a picture, for placement, which asks about all of them.

    `overprovision` stands in for all over-subscription ratios of thin pools.
    """

    def __init__(self, picture: Picture, asked: Objects, overprovision: float | None = None) -> None:
        self._picture = picture
        self._asked = asked
        self._ratios: dict[str, tuple[float, float]] = {}
        self._overprovision = overprovision
        self._least = _least(picture, asked)

    def room(self, pool: StoragePool, node: Node, seen: ReportedPool | None, usage: Usage, thin: bool) -> Room:
        seen = about(pool, seen)
        if seen is None or seen.capacity is None or seen.problem:
            return Room(problem=(seen.problem if seen else "") or "its free space is not known yet")
        if not thin:
            free, total = promisable(seen.capacity, usage, False)
            return Room(free, total, "", seen.warning)
        free, total = promisable(seen.capacity, usage, True, *self._ratios_of(pool))
        least = self._least
        if LEAST in pool.props or LEAST in node.props:
            least = _least(self._picture, self._asked, pool, node)
        return Room(free, total, "", seen.warning or _nearly_full(seen.capacity, least))

    def _ratios_of(self, pool: StoragePool) -> tuple[float, float]:
        if self._overprovision is not None:
            return self._overprovision, self._overprovision
        if not NAMES.isdisjoint(pool.props):
            return ratios(self._picture, pool)[1:]
        found = self._ratios.get(pool.name)
        if found is None:
            found = self._ratios[pool.name] = ratios(self._picture, pool)[1:]
        return found


def nearly_full(picture: Picture, pool: StoragePool, seen: ReportedPool, asked: Objects) -> str:
    """Why nothing should be placed in a thin pool any more, or nothing. `asked`: definition and group, if any."""
    if seen.capacity is None:
        return ""
    return _nearly_full(seen.capacity, _least(picture, asked, pool, picture.nodes.get(key(pool.node))))


def _nearly_full(seen: Capacity, least: float) -> str:
    if seen.total <= 0 or 100 * seen.free >= least * seen.total:
        return ""
    return f"{100 * seen.free / seen.total:.1f} % of it is free, less than the {least:g} % of {LEAST}"


def _least(picture: Picture, asked: Objects, pool: StoragePool | None = None, node: Node | None = None) -> float:
    """The percentage of a thin pool that is to stay free."""
    objects = {
        **asked,
        Kind.STORAGE_POOL: Source(pool.name if pool else "", pool.props if pool else {}),
        Kind.NODE: Source(node.name if node else "", node.props if node else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }
    found = effective(LEAST, objects)
    return float(found.value.removesuffix("%")) if found else LEAST_PERCENT
