"""Plans of replicas that move. Sizes are KiB, fills percent."""

from orlop.client.values import Seen


class Move(Seen, frozen=True, kw_only=True):
    """Without `target` a replica only goes, without `source` it only comes."""

    resource_name: str
    kind: str = ""
    source: str = ""
    target: str = ""
    storage_pool: str = ""
    size_kib: int | None = None


class Staying(Seen, frozen=True, kw_only=True):
    resource_name: str
    node_name: str = ""
    cause: str = ""
    correction: str = ""


class Spread(Seen, frozen=True, kw_only=True):
    """How full the pools of one name and kind are, now and when all moves are done."""

    storage_pool: str
    provider_kind: str = ""
    pools: int = 0
    emptiest: float = 0.0
    mean: float = 0.0
    fullest: float = 0.0
    emptiest_then: float = 0.0
    fullest_then: float = 0.0


class MovePlan(Seen, frozen=True, kw_only=True):
    moves: tuple[Move, ...] = ()
    staying: tuple[Staying, ...] = ()
    spreads: tuple[Spread, ...] = ()
    size_kib: int = 0
