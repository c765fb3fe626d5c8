"""How much a pool can still take (`semantics.md` section 5 of the specification). Pure; bytes."""

from __future__ import annotations

from orlop.controller.picture import NOTHING, Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.properties.effective import Objects
from orlop.model import ReportedPool, StoragePool, key

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


def usable_free(picture: Picture, pool: StoragePool, seen: ReportedPool | None, thin: bool) -> int | None:
    """Bytes that may still be promised in a pool; None while its capacity is not known."""
    seen = about(pool, seen)
    if seen is None or seen.capacity is None or seen.problem:
        return None
    usage = picture.usage.get((key(pool.node), key(pool.name)), NOTHING)
    if not thin:
        return max(0, seen.capacity.free - usage.pending)
    _, free, total = ratios(picture, pool)
    return max(0, int(min(seen.capacity.free * free - usage.pending, seen.capacity.total * total - usage.reserved)))


def nearly_full(picture: Picture, pool: StoragePool, seen: ReportedPool, asked: Objects) -> str:
    """Why nothing should be placed in a thin pool any more, or nothing. `asked`: definition and group, if any."""
    if seen.capacity is None or seen.capacity.total <= 0:
        return ""
    node = picture.nodes.get(key(pool.node))
    objects = {
        **asked,
        Kind.STORAGE_POOL: Source(pool.name, pool.props),
        Kind.NODE: Source(pool.node, node.props if node else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }
    found = effective(LEAST, objects)
    least = float(found.value.removesuffix("%")) if found else LEAST_PERCENT
    left = 100 * seen.capacity.free / seen.capacity.total
    return f"{left:.1f} % of it is free, less than the {least:g} % of {LEAST}" if left < least else ""
