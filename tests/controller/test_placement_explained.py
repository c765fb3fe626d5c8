"""Why a placement came out as it did, and the smallest change that would make one succeed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from orlop.controller.placement import Attempt, Cluster, Request, attempt, explained, smallest
from orlop.controller.placement.explaining import Explanation, PoolExplained
from orlop.model import GIB, ResourceDefinition, SelectFilter
from tests.controller.clusters import N, P, made, resource, zoned

LAYERS = ("STORAGE",)


def tried(
    cluster: Cluster, wanted: int, size: float = 1, there: ResourceDefinition | None = None, **rule: Any
) -> Attempt:
    return attempt(cluster, Request(wanted, int(size * GIB), SelectFilter(**rule), LAYERS, there))


def explanation(cluster: Cluster, wanted: int, size: float = 1, **rule: Any) -> Explanation:
    return explained(cluster, tried(cluster, wanted, size, **rule))


def pools(of: Explanation) -> dict[str, PoolExplained]:
    return {f"{node.name}:{pool.candidate.pool.name}": pool for node in of.nodes for pool in node.pools}


def test_every_pool_is_told_with_what_excluded_it_or_what_its_score_is_made_of() -> None:
    nodes = {
        "a": N(pools={"ssd": P(5), "hdd": P(80), "broken": P(problem="vg0 is gone")}),
        "b": N(60, offline=True),
        "c": N(40),
        "d": N(pools={}),
    }
    found = explanation(made(nodes), 1)
    assert [node.name for node in found.nodes] == ["a", "b", "c", "d"]
    told = pools(found)
    assert told["a:hdd"].chosen
    assert told["a:hdd"].rank == 1
    assert list(told["a:hdd"].points) == ["free space", "even fill", "few volumes"]
    assert sum(told["a:hdd"].points.values()) == told["a:hdd"].score
    assert told["a:ssd"].note == "pool hdd of the node scores more"
    assert [o.text for o in told["a:broken"].objections] == ["vg0 is gone"]
    assert told["c:pool"].rank == 2
    assert told["c:pool"].note == "scores less than those that were chosen"
    assert [o.text for o in found.nodes[1].objections] == ["it is offline"]
    assert not told["b:pool"].objections
    assert found.changes == ()


def test_who_was_passed_over_for_a_rule_is_told_for_whom() -> None:
    found = pools(explanation(made(zoned("x", "x", "y")), 2, replicas_on_different=("Aux/zone",)))
    assert found["b:pool"].note == "its Aux/zone x is that of a, which was chosen"


def test_who_has_more_points_and_was_not_chosen_is_told_why() -> None:
    nodes = {"a": N(90, {"p": "1", "q": "1"}), "b": N(80, {"p": "1", "q": "2"}), "c": N(70, {"p": "2", "q": "1"})}
    found = pools(explanation(made(nodes), 2, replicas_on_different=("Aux/p", "Aux/q")))
    assert found["a:pool"].rank == 1
    assert found["a:pool"].note == "its Aux/p 1 is that of b, and those that go together with b score more"


CHANGES = [
    pytest.param({"a": N(offline=True), "b": N()}, 2, {}, "bring node a online", id="offline"),
    pytest.param({"a": N(flags=("EVACUATE",)), "b": N()}, 2, {}, "restore node a", id="evacuated"),
    pytest.param({"a": N(1.5), "b": N(3)}, 2, {"size": 2}, "add 524288 KiB to pool pool on node a", id="space"),
    pytest.param({"a": N(1), "b": N(1.5)}, 1, {"size": 2}, "add 524288 KiB to pool pool on node b", id="least-space"),
    pytest.param({"a": N(), "b": N()}, 2, {"node_names": ("a",)}, "ask for node b too", id="node-list"),
    pytest.param({"a": N(props={"AutoplaceTarget": "false"})}, 1, {}, "delete AutoplaceTarget of node a", id="target"),
    pytest.param(
        {"a": N(aux={"z": "1"}), "b": N()},
        2,
        {"replicas_on_same": ("Aux/z=1",)},
        "set Aux/z of node b to 1",
        id="lacking",
    ),
    pytest.param({"a": N()}, 2, {}, "add 1 node with 1048576 KiB free", id="a-node"),
    pytest.param(
        zoned("x", "x"),
        2,
        {"replicas_on_different": ("Aux/zone",)},
        "add 1 node with 1048576 KiB free, with the properties that the rules of spreading want",
        id="a-node-elsewhere",
    ),
]


@pytest.mark.parametrize(("nodes", "wanted", "asked", "change"), CHANGES)
def test_the_smallest_change(nodes: dict[str, N], wanted: int, asked: dict[str, Any], change: str) -> None:
    size = asked.pop("size", 1)
    cluster = made(nodes)
    found = smallest(cluster, tried(cluster, wanted, size, **asked))
    assert found[0].text == change


def test_one_change_is_smaller_than_two() -> None:
    nodes = {"a": N(), "b": N(1, offline=True), "c": N(3, offline=True)}
    cluster = made(nodes)
    changes = [change.text for change in smallest(cluster, tried(cluster, 2, 2))]
    assert changes[0] == "bring node c online"


def test_two_steps_are_named_together_and_smaller_ways_come_first() -> None:
    cluster = made({"a": N(offline=True), "b": N(offline=True), "c": N()})
    changes = [change.text for change in smallest(cluster, tried(cluster, 3))]
    assert changes == [
        "add 2 nodes with 1048576 KiB free",
        "ask for 1 replica instead of 3",
        "bring node a online and bring node b online",
    ]


def test_what_one_step_does_for_several_pools_needs_no_other_step() -> None:
    nodes = {"a": N(pools={"p": P()}), "b": N(pools={"q": P()}, offline=True), "c": N(pools={"p": P()})}
    cluster = made(nodes)
    changes = [change.text for change in smallest(cluster, tried(cluster, 2, storage_pools=("q",)))]
    assert "ask for pool p too" in changes
    assert not any("bring node b online" in text for text in changes)


def test_a_rule_can_be_left_out_and_less_can_be_asked_for() -> None:
    cluster = made(zoned("x", "x", free=10))
    texts = [c.text for c in smallest(cluster, tried(cluster, 2, replicas_on_different=("Aux/zone",)))]
    assert "leave replicas_on_different out" in texts
    cluster = made({"a": N(4), "b": N(8)})
    texts = [c.text for c in smallest(cluster, tried(cluster, 2, 6))]
    assert "ask for 4194304 KiB per replica at most" in texts
    assert "ask for 1 replica instead of 2" in texts


def test_nobody_is_told_to_change_what_cannot_be_changed() -> None:
    there = resource("web", "a")
    cluster = made({"a": N(), "b": N(kind="AUXILIARY"), "c": N(aux={"zone": "y"})}, (there,))
    changes = smallest(cluster, tried(cluster, 1, there=there, replicas_on_same=("Aux/zone=x",)))
    assert not [
        change for change in changes if any(" node a" in s or " node b" in s or " node c" in s for s in change.steps)
    ]


# -- each change helps ------------------------------------------------------------------------------------------------

rules = some.fixed_dictionaries(
    {},
    optional={
        "replicas_on_different": some.just(("Aux/zone",)),
        "replicas_on_same": some.sampled_from([("Aux/rack",), ("Aux/rack=1",)]),
        "x_replicas_on_different": some.just({"Aux/zone": 2}),
        "node_names": some.just(("a", "b")),
        "storage_pools": some.just(("q",)),
    },
)
aux = some.dictionaries(some.sampled_from(["zone", "rack"]), some.sampled_from("12"))


@some.composite
def node(draw: Any) -> N:
    return N(
        aux=draw(aux),
        pools={
            name: P(draw(some.integers(0, 4))) for name in sorted(draw(some.sets(some.sampled_from("pq"), min_size=1)))
        },
        offline=draw(some.booleans()),
    )


def mended(nodes: dict[str, N], steps: tuple[str, ...], rule: dict[str, Any]) -> tuple[dict[str, N], dict[str, Any]]:
    """The cluster and the request after the steps, as an administrator would understand them."""
    after, asked = dict(nodes), dict(rule)
    for step in steps:
        match step.split():
            case ["bring", "node", name, "online"]:
                after[name] = after[name]._replace(offline=False)
            case ["add", kib, "KiB", "to", "pool", pool, "on", "node", name]:
                pools = dict(after[name].pools or {})
                pools[pool] = pools[pool]._replace(free=pools[pool].free + int(kib) / 1024**2)
                after[name] = after[name]._replace(pools=pools)
            case ["ask", "for", "node", name, "too"]:
                asked["node_names"] = (*asked["node_names"], name)
            case ["ask", "for", "pool", pool, "too"]:
                asked["storage_pools"] = (*asked["storage_pools"], pool)
            case ["set", key, "of", "node", name, "to", value]:
                after[name] = after[name]._replace(aux={**after[name].aux, key.removeprefix("Aux/"): value})
            case _:
                raise AssertionError(step)
    return after, asked


@settings(max_examples=150, deadline=None)
@given(some.lists(node(), min_size=1, max_size=5), rules, some.integers(1, 3), some.integers(1, 3))
def test_every_change_makes_the_placement_succeed(given: list[N], rule: dict[str, Any], wanted: int, size: int) -> None:
    nodes = dict(zip("abcde", given, strict=False))
    cluster = made(nodes)
    before = tried(cluster, wanted, size, **rule)
    assume(not before.succeeded)
    for change in smallest(cluster, before):
        request = before.request
        if change.request:
            asked = request._replace(
                rule=change.rule or request.rule,
                wanted=change.wanted or request.wanted,
                size=change.size or request.size,
            )
            assert attempt(cluster, asked).succeeded, change
        elif not change.steps[0].startswith(("add 1 node", "add 2 node", "add 3 node")):
            after, wider = mended(nodes, change.steps, rule)
            assert tried(made(after), wanted, size, **wider).succeeded, change
            for left_out in range(len(change.steps)):
                steps = (*change.steps[:left_out], *change.steps[left_out + 1 :])
                less, narrower = mended(nodes, steps, rule)
                assert not tried(made(less), wanted, size, **narrower).succeeded, (change, left_out)
