"""The contract of placement policies: which of the pools that could take a replica is the better one."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from orlop.model import Node, StoragePool
from orlop.model.cluster import Value


class Candidate(NamedTuple):
    """A pool that could take a replica. Sizes are bytes, as the controller counts them at this moment."""

    node: Node
    pool: StoragePool
    free: int  # that may still be promised, with what is promised and not made yet subtracted
    total: int = 0  # that may be promised at all: the pool's size, or more where it is thin
    reserved: int = 0  # promised to volumes and snapshots
    volumes: int = 0  # kept in the pool
    volumes_on_node: int = 0  # kept in all pools of the node


class Placement(Value, frozen=True, kw_only=True):
    """What is to be placed."""

    size: int  # bytes that each replica takes from its pool
    count: int  # replicas to be placed now
    weights: Mapping[str, float] = {}  # `Autoplacer/Weights/*` of the controller, by the last word of the key
    throughput: Sequence[float] = ()  # bytes a second that each candidate has left, where MaxThroughput has a weight


Columns = Mapping[str, Sequence[float]]


@runtime_checkable
class PlacementPolicy(Protocol):
    """Ranks candidates; rules (filters, spreading) are not its business, they hold whatever it says."""

    api_version: ClassVar[int]

    @classmethod
    def score(cls, placement: Placement, candidates: Sequence[Candidate]) -> Columns:
        """What the scores are made of: by name of each part, its points for every candidate, in their order.

        The sum of the parts counts, the most points win; among equals the names of node and pool decide. Pure, and
        called once per placement.
        """
        ...
