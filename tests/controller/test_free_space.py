"""How large a volume could be, and how much could be placed altogether."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec.structs import replace

from orlop.controller.placement import Cluster, Request, in_turns, largest
from orlop.model import GIB, ResourceDefinition, SelectFilter
from tests.controller.clusters import N, P, made, resource, zoned

FOUR = {"a": N(20), "b": N(15), "c": N(10), "d": N(5)}  # the guide, 24.1
TEN = {f"n{i}": N(1024, pools={"p": P(1024, 1024)}) for i in range(10)}


def found(cluster: Cluster, count: int, **rule: Any) -> tuple[float, list[str]]:
    """GiB, and the nodes that would be taken."""
    size, tried = largest(cluster, Request(count, 0, SelectFilter(**rule), ("STORAGE",)))
    return size / GIB, sorted(c.node.name for c in tried.chosen)


def promised(definition: ResourceDefinition) -> ResourceDefinition:
    """As long as no satellite has made it."""
    resources = tuple(replace(r, volumes=tuple(replace(v, new=True) for v in r.volumes)) for r in definition.resources)
    return replace(definition, resources=resources)


CASES = [
    pytest.param(FOUR, 1, {}, 20, ["a"], id="guide-one"),
    pytest.param(FOUR, 2, {}, 15, ["a", "b"], id="guide-two-way"),
    pytest.param(FOUR, 3, {}, 10, ["a", "b", "c"], id="guide-three-way"),
    pytest.param(FOUR, 4, {}, 5, ["a", "b", "c", "d"], id="guide-four-way"),
    pytest.param(TEN, 3, {}, 1024, ["n0", "n1", "n2"], id="guide-ten-nodes"),
    pytest.param(FOUR, 2, {"node_names": ("b", "c", "d")}, 10, ["b", "c"], id="some-nodes"),
    pytest.param(FOUR, 2, {"placement_policy": "pack"}, 15, ["a", "b"], id="whatever-the-policy"),
    pytest.param(
        zoned("x", "x", "y", free=10), 2, {"replicas_on_different": ("Aux/zone",)}, 11, ["a", "c"], id="spread"
    ),
    pytest.param({"a": N(pools={"p": P(5), "q": P(7)}), "b": N(6)}, 2, {}, 6, ["a", "b"], id="best-pool-of-a-node"),
    pytest.param(
        {"a": N(pools={"p": P(1, provider="FILE_THIN"), "q": P(3)})}, 1, {}, 3, ["a"], id="not-the-full-thin-pool"
    ),
    pytest.param({"a": N(pools={"p": P(30, provider="FILE_THIN")})}, 1, {}, 600, ["a"], id="thin-pools-promise-more"),
    pytest.param(FOUR, 5, {}, 0, [], id="too-few-nodes"),
    pytest.param({"a": N(0), "b": N(3)}, 2, {}, 0, ["a", "b"], id="one-has-nothing"),
]


@pytest.mark.parametrize(("nodes", "count", "rule", "size", "names"), CASES)
def test_the_largest_volume_with_so_many_replicas(
    nodes: dict[str, N], count: int, rule: dict[str, Any], size: float, names: list[str]
) -> None:
    assert found(made(nodes), count, **rule) == (size, names)


def test_what_is_promised_and_not_made_yet_is_not_free() -> None:
    assert found(made(FOUR, (promised(resource("web", "a", size=8)),)), 2)[0] == 12
    assert found(made(FOUR, (resource("web", "a", size=8),)), 2)[0] == 15, "what is made is in the report already"


@settings(max_examples=150, deadline=None)
@given(
    some.lists(some.tuples(some.integers(0, 9), some.sampled_from("xyz")), min_size=1, max_size=6), some.integers(1, 3)
)
def test_no_larger_one_fits_and_this_one_does(nodes: list[tuple[int, str]], count: int) -> None:
    cluster = made({f"n{i}": N(free, {"zone": zone}) for i, (free, zone) in enumerate(nodes)})
    choices = [c for c in combinations(nodes, count) if len({zone for _, zone in c}) == count]
    size, _ = found(cluster, count, replicas_on_different=("Aux/zone",))
    assert size == max((min(free for free, _ in choice) for choice in choices), default=0)


@pytest.mark.parametrize(
    ("spaces", "count", "together"),
    [
        ([20, 15, 10, 5], 1, 50),
        ([20, 15, 10, 5], 2, 25),
        ([20, 15, 10, 5], 4, 5),
        ([100, 1], 2, 1),
        ([7], 2, 0),
        ([], 1, 0),
        ([3, 0], 1, 3),
        ([5, 5], 0, 0),
    ],
)
def test_what_volumes_of_so_many_replicas_could_take_together(spaces: list[int], count: int, together: int) -> None:
    assert in_turns(spaces, count) == together
