"""A table of placements: a cluster, what is asked, and who is chosen or why nobody can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from orlop.controller.placement import NotEnoughNodes, Undecidable, place
from orlop.model import GIB, SelectFilter
from tests.controller.clusters import N, P, made, resource, zoned


class Case(NamedTuple):
    """`answer`: the nodes (or node:pool) that are chosen, best first, or by node a part of the reason against it."""

    id: str
    nodes: Mapping[str, N]
    wanted: int
    answer: Sequence[str] | Mapping[str, str]
    rule: Mapping[str, Any] = {}
    size: float = 1
    there: Sequence[str] = ()  # nodes with a replica already
    others: tuple[Any, ...] = ()
    controller: Mapping[str, str] = {}
    group: Mapping[str, str] = {}
    drbd: bool = False


ABC = {"a": N(10), "b": N(20), "c": N(30)}
K8S = {"node-a": N(50, {"zone": "z1", "role": "backups"}), "node-b": N(60, {"zone": "z1"}), "node-c": N(70)}
TAGGED = {"node-a": N(70, {"no-csi-volumes": "true"}), "node-b": N(60), "node-c": N(50, {"no-csi-volumes": "false"})}
RACKS = zoned("r1", "r1", "r2", "r2", "r3", "r3")
SITES = {
    f"{site}{i}": N(90 - 10 * i, {"site": site, "rack": f"{site}-{i % 2}"})
    for site in ("x", "y", "z")
    for i in range(3)
}
TWO_POOLS = {
    "a": N(pools={"ssd": P(5), "hdd": P(80)}),
    "b": N(pools={"ssd": P(40), "hdd": P(10)}),
    "c": N(pools={"hdd": P(60, provider="LVM")}),
}
SAN = {"a": N(pools={"san": P(50, shared="s1")}), "b": N(pools={"san": P(50, shared="s1")}), "c": N(40)}
KINDS = {
    "a": N(pools={"p": P(90, provider="LVM")}),
    "b": N(pools={"p": P(80, provider="ZFS")}),
    "c": N(pools={"p": P(70, provider="ZFS")}),
}
SAME, DIFFERENT, X = "replicas_on_same", "replicas_on_different", "x_replicas_on_different"
THIN = {"a": N(pools={"p": P(30, provider="FILE_THIN")}), "b": N(pools={"p": P(60)})}

CASES = [
    # Free space
    Case("most-free-space-first", ABC, 2, ["c", "b"]),
    Case("one-of-three", ABC, 1, ["c"]),
    Case("all-of-three", ABC, 3, ["c", "b", "a"]),
    Case("more-than-there-are", ABC, 4, {"a": "4 nodes are needed and 3 would do"}),
    Case("only-who-has-the-room", ABC, 1, ["c"], size=25),
    Case("exactly-as-much-as-is-free", ABC, 1, ["c"], size=30),
    Case("a-little-too-much", ABC, 1, {"c": "31457280 KiB free, 31458304 KiB needed"}, size=30 + 1 / 1024),
    Case("names-decide-among-equals", {"b": N(10), "a": N(10), "c": N(10)}, 2, ["a", "b"]),
    Case("pool-names-decide-among-equals", {"a": N(pools={"y": P(10), "x": P(10)})}, 1, ["a:x"]),
    Case("a-preferred-node-with-least-space", ABC, 2, ["a", "c"], {"preferred_nodes": ("A",)}),
    Case("a-preferred-node-without-the-room", ABC, 1, ["c"], {"preferred_nodes": ("a",)}, size=25),
    Case("more-preferred-nodes-than-are-needed", ABC, 1, ["b"], {"preferred_nodes": ("a", "b")}),
    Case("a-preferred-node-that-there-is-not", ABC, 1, ["c"], {"preferred_nodes": ("d",)}),
    Case("no-pool-at-all", {"a": N(pools={})}, 1, {"a": "it has no storage pool"}),
    Case("no-node-at-all", {}, 1, {}),
    Case("diskless-pools-hold-nothing", {"a": N(pools={"d": P(provider="DISKLESS")})}, 1, {"a": "no storage pool"}),
    Case("unknown-space", {"a": N(pools={"p": P(unknown=True)})}, 1, {"a": "its free space is not known yet"}),
    Case("broken-pool", {"a": N(pools={"p": P(problem="vg0 is gone")})}, 1, {"a": "pool p: vg0 is gone"}),
    Case("pool-that-wants-nothing-new", {"a": N(pools={"p": P(warning="metadata full")})}, 1, {"a": "metadata full"}),
    Case("another-pool-of-the-node", {"a": N(pools={"p": P(problem="gone"), "q": P(5)})}, 1, ["a:q"]),
    # Over-subscription and thin pools
    Case("thin-pools-promise-twenty-times", THIN, 1, ["a"], size=100),
    Case("the-ratio-of-the-controller", THIN, 1, ["b"], size=50, controller={"MaxOversubscriptionRatio": "1"}),
    Case(
        "the-ratio-of-free-space",
        {"a": N(pools={"p": P(30, provider="FILE_THIN", props={"MaxFreeCapacityOversubscriptionRatio": "2"})})},
        1,
        {"a": "62914560 KiB free, 73400320 KiB needed"},
        size=70,
    ),
    Case(
        "the-ratio-of-the-total-less-what-is-promised",
        {"a": N(pools={"pool": P(90, provider="FILE_THIN", props={"MaxTotalCapacityOversubscriptionRatio": "1"})})},
        1,
        {"a": "31457280 KiB free, 41943040 KiB needed"},
        size=40,
        others=(resource("big", "a", size=70),),
    ),
    Case("a-thin-pool-that-is-nearly-full", {"a": N(pools={"p": P(9, provider="FILE_THIN")})}, 1, {"a": "9.0 % of it"}),
    Case(
        "less-thin-space-is-enough-for-the-group",
        {"a": N(pools={"p": P(9, provider="FILE_THIN")})},
        1,
        ["a"],
        group={"Autoplacer/MinThinFreeSpace": "5%"},
    ),
    Case(
        "more-thin-space-is-wanted-on-a-node",
        {"a": N(pools={"p": P(40, provider="FILE_THIN")}, props={"Autoplacer/MinThinFreeSpace": "50"})},
        1,
        {"a": "less than the 50 %"},
    ),
    # Nodes
    Case("offline", {"a": N(offline=True), "b": N()}, 1, ["b"]),
    Case("offline-is-told", {"a": N(offline=True), "b": N()}, 2, {"a": "it is offline"}),
    Case(
        "no-satellite", {"a": N(kind="CONTROLLER"), "b": N(10)}, 2, {"a": "it is a CONTROLLER node without satellite"}
    ),
    Case("evacuating", {"a": N(flags=("EVACUATE",)), "b": N(10)}, 1, ["b"]),
    Case("evicted", {"a": N(flags=("EVICTED",))}, 1, {"a": "it is marked EVICTED"}),
    Case("leaving", {"a": N(flags=("DELETE",))}, 1, {"a": "it is marked DELETE"}),
    Case("node-is-no-target", {"a": N(props={"AutoplaceTarget": "False"}), "b": N(10)}, 1, ["b"]),
    Case("pool-is-no-target", {"a": N(pools={"p": P(props={"AutoplaceTarget": "false"}), "q": P(5)})}, 1, ["a:q"]),
    Case("nothing-is-a-target", ABC, 1, {"a": "of the controller is false"}, controller={"AutoplaceTarget": "false"}),
    Case("node-list", ABC, 1, ["a"], {"node_names": ("A",)}),
    Case("node-list-is-too-short", ABC, 2, {"c": "not one of the wanted nodes"}, {"node_names": ("a",)}),
    Case("a-node-has-it-already", ABC, 1, ["b"], there=["c"]),
    Case("all-nodes-have-it", ABC, 1, {"c": "it already has web"}, there=["a", "b", "c"]),
    Case("a-missing-layer", {"a": N(missing=("DRBD",)), "b": N(10)}, 1, ["b"], drbd=True),
    Case("a-missing-layer-nobody-asked-for", {"a": N(missing=("DRBD",)), "b": N(10)}, 1, ["a"]),
    Case("all-that-is-wrong-is-told", {"a": N(offline=True, flags=("EVICTED",))}, 1, {"a": "EVICTED; it is offline"}),
    # Pools
    Case("pool-list", TWO_POOLS, 2, ["b:ssd", "a:ssd"], {"storage_pools": ("SSD",)}),
    Case(
        "pool-list-leaves-too-few",
        TWO_POOLS,
        3,
        {"c": "not one of the wanted storage pools"},
        {"storage_pools": ("ssd",)},
    ),
    Case("two-pools-in-the-list", TWO_POOLS, 3, ["a:hdd", "c:hdd", "b:ssd"], {"storage_pools": ("ssd", "hdd")}),
    Case("provider-list", TWO_POOLS, 1, ["c:hdd"], {"providers": ("LVM",)}),
    Case("provider-list-is-told", TWO_POOLS, 3, {"a": "its provider is FILE"}, {"providers": ("LVM",)}),
    Case("best-pool-of-each-node", TWO_POOLS, 3, ["a:hdd", "c:hdd", "b:ssd"]),
    Case("one-replica-per-shared-space", SAN, 2, ["a", "c"]),
    Case("a-shared-space-is-one-place", SAN, 3, {"b": "not together with the spread rules"}),
    Case("a-shared-space-that-is-taken", SAN, 2, {"b": "a replica on a is in the same space s1"}, there=["a"]),
    Case(
        "one-node-is-one-place-whatever-spaces-it-has",
        {"a": N(pools={"san": P(90, shared="s1"), "own": P(80)}), "b": N(10)},
        2,
        ["a:san", "b"],
    ),
    # Neighbours
    Case(
        "not-with-another",
        ABC,
        1,
        ["b"],
        {"not_place_with_resources": ("DB",)},
        others=(resource("db", "c"),),
    ),
    Case(
        "not-with-those-that-match",
        ABC,
        1,
        ["a"],
        {"not_place_with_resources_regex": "^D"},
        others=(resource("db", "b", "c"),),
    ),
    Case(
        "a-match-inside-the-name",
        ABC,
        2,
        {"c": "it has old-db, which this resource must not be placed with"},
        {"not_place_with_resources_regex": "DB"},
        others=(resource("old-db", "a", "c"),),
    ),
    Case("who-matches-itself-is-no-neighbour", ABC, 1, ["b"], {"not_place_with_resources_regex": "web"}, there=["c"]),
    # Replicas on the same
    Case("guide-one-with-both-values", K8S, 1, ["node-a"], {SAME: ("Aux/zone=z1", "Aux/role=backups")}),
    Case("guide-one-of-the-zone", K8S, 1, ["node-b"], {SAME: ("Aux/zone=z1",)}),
    Case(
        "guide-two-with-both-values-fail",
        K8S,
        2,
        {"node-b": "it lacks the property Aux/role", "node-c": "it lacks the property Aux/zone"},
        {SAME: ("Aux/zone=z1", "Aux/role=backups")},
    ),
    Case("guide-both-of-the-zone", K8S, 2, ["node-b", "node-a"], {SAME: ("Aux/zone=z1",)}),
    Case("guide-different-avoids-a-value", TAGGED, 2, ["node-b", "node-c"], {DIFFERENT: ("Aux/no-csi-volumes=true",)}),
    Case(
        "guide-different-with-too-few",
        TAGGED,
        3,
        {"node-a": "its Aux/no-csi-volumes is true"},
        {DIFFERENT: ("Aux/no-csi-volumes=true",)},
    ),
    Case("the-same-whatever-it-is", zoned("x", "y", "y"), 2, ["b", "c"], {SAME: ("Aux/zone",)}),
    Case("the-best-pair-that-is-the-same", zoned("x", "y", "x", "y"), 2, ["a", "c"], {SAME: ("Aux/zone",)}),
    Case(
        "same-needs-the-property", zoned("x", "", ""), 2, {"b": "it lacks the property Aux/zone"}, {SAME: ("Aux/zone",)}
    ),
    Case("what-exists-fixes-the-value", zoned("x", "x", "y", "y"), 1, ["d"], {SAME: ("Aux/zone",)}, there=["c"]),
    Case(
        "what-exists-is-named",
        zoned("x", "y"),
        1,
        {"a": "its Aux/zone is x, not y as that of b, which has a replica"},
        {SAME: ("Aux/zone",)},
        there=["b"],
    ),
    Case("another-value-of-same", zoned("x", "y"), 2, {"b": "its Aux/zone is y, not x"}, {SAME: ("Aux/zone=x",)}),
    # Replicas on different
    Case("one-per-value", RACKS, 3, ["a", "c", "e"], {DIFFERENT: ("Aux/zone",)}),
    Case(
        "more-replicas-than-values", RACKS, 4, {"b": "not together with the spread rules"}, {DIFFERENT: ("Aux/zone",)}
    ),
    Case(
        "nodes-without-the-property-are-free", zoned("x", "x", "", ""), 3, ["a", "c", "d"], {DIFFERENT: ("Aux/zone",)}
    ),
    Case("values-that-exist-are-taken", RACKS, 1, ["c"], {DIFFERENT: ("Aux/zone",)}, there=["a"]),
    Case(
        "who-takes-a-value-is-named",
        zoned("x", "x"),
        1,
        {"b": "its Aux/zone is x, as that of a, which has a replica"},
        {DIFFERENT: ("Aux/zone",)},
        there=["a"],
    ),
    Case(
        "replicas-that-leave-take-no-value",
        {**zoned("x", "x"), "a": N(aux={"zone": "x"}, flags=("EVACUATE",))},
        1,
        ["b"],
        {DIFFERENT: ("Aux/zone",)},
        there=["a"],
    ),
    Case("a-value-is-forbidden-and-others-count-once", RACKS, 2, ["c", "e"], {DIFFERENT: ("Aux/zone=r1",)}),
    Case("two-rules-at-once", SITES, 3, ["x0", "y0", "z0"], {DIFFERENT: ("Aux/site", "Aux/rack")}),
    Case(
        "the-sum-counts-not-the-first",
        {"a": N(90, {"p": "1", "q": "1"}), "b": N(80, {"p": "1", "q": "2"}), "c": N(70, {"p": "2", "q": "1"})},
        2,
        ["b", "c"],
        {DIFFERENT: ("Aux/p", "Aux/q")},
    ),
    Case("same-and-different", SITES, 2, ["x0", "x1"], {SAME: ("Aux/site",), DIFFERENT: ("Aux/rack",)}),
    # X replicas
    Case("two-in-each-site", SITES, 4, ["x0", "y0", "x1", "y1"], {X: {"Aux/site": 2}}),
    Case("three-in-one-site", SITES, 3, ["x0", "x1", "x2"], {X: {"Aux/site": 3}}),
    Case("the-last-group-may-be-smaller", SITES, 5, ["x0", "y0", "z0", "y1", "z1"], {X: {"Aux/site": 2}}),
    Case("a-begun-group-is-filled-first", SITES, 1, ["z0"], {X: {"Aux/site": 2}}, there=["z1"]),
    Case("a-full-group-takes-no-more", SITES, 1, ["y0"], {X: {"Aux/site": 2}}, there=["x0", "x1"]),
    Case(
        "a-full-group-is-told",
        zoned("x", "x"),
        1,
        {"b": "1 replicas are on nodes whose Aux/zone is x, and 1 are wanted"},
        {X: {"Aux/zone": 1}},
        there=["a"],
    ),
    Case(
        "groups-that-cannot-be-filled",
        zoned("x", "y", "z"),
        3,
        {"a": "not together with the spread rules"},
        {X: {"Aux/zone": 2}},
    ),
    Case(
        "x-replicas-and-different", SITES, 4, ["x0", "y0", "x1", "y1"], {X: {"Aux/site": 2}, DIFFERENT: ("Aux/rack",)}
    ),
    # What goes together below DRBD
    Case("kinds-of-pools-do-not-mix", KINDS, 2, ["b", "c"], drbd=True),
    Case("without-drbd-they-may", KINDS, 2, ["a", "b"]),
    Case(
        "they-mix-where-it-is-allowed", KINDS, 2, ["a", "b"], group={"AllowMixingStoragePoolDriver": "true"}, drbd=True
    ),
    Case(
        "an-older-drbd-does-not-mix",
        {**KINDS, "a": KINDS["a"]._replace(drbd="9.1.17"), "b": KINDS["b"]._replace(drbd="9.1.17")},
        2,
        {"a": "not together"},
        {"node_names": ("a", "b")},
        controller={"AllowMixingStoragePoolDriver": "true"},
        drbd=True,
    ),
    Case(
        "existing-kinds-are-named",
        KINDS,
        1,
        {"a": "LVM does not mix with the pool of the replica on b"},
        {"node_names": ("a", "b")},
        there=["b"],
        drbd=True,
    ),
    Case(
        "drbd-8-and-9-do-not-go-together", {"a": N(90, drbd="8.4.11"), "b": N(80), "c": N(70)}, 2, ["b", "c"], drbd=True
    ),
    # Policies and weights
    Case("weights-of-the-controller", ABC, 1, ["a"], controller={"Autoplacer/Weights/MaxFreeSpace": "-1"}),
    Case(
        "fewest-resources-by-weight",
        {"a": N(50), "b": N(49)},
        1,
        ["b"],
        controller={"Autoplacer/Weights/MinRscCount": "5"},
        others=(resource("db", "a"),),
    ),
    Case(
        "least-promised-by-weight",
        {"a": N(50), "b": N(49)},
        1,
        ["b"],
        controller={"Autoplacer/Weights/MinReservedSpace": "5"},
        others=(resource("db", "a"),),
    ),
    Case(
        "throughput-by-weight",
        {"a": N(50), "b": N(40, props={"Autoplacer/MaxThroughput": "1000"})},
        1,
        ["b"],
        controller={"Autoplacer/Weights/MaxThroughput": "1"},
    ),
    Case("pack", ABC, 2, ["a", "b"], {"placement_policy": "pack"}),
    Case("pack-takes-who-has-room", ABC, 1, ["b"], {"placement_policy": "pack"}, size=15),
    Case(
        "round-robin",
        {"a": N(90), "b": N(10)},
        1,
        ["b"],
        {"placement_policy": "round-robin"},
        others=(resource("db", "a"),),
    ),
    Case("policy-of-the-group", ABC, 1, ["a"], group={"Autoplacer/Policy": "pack"}),
    Case("policy-of-the-controller", ABC, 1, ["a"], controller={"Autoplacer/Policy": "pack"}),
    Case(
        "the-group-before-the-controller",
        ABC,
        1,
        ["c"],
        group={"Autoplacer/Policy": "balanced"},
        controller={"Autoplacer/Policy": "pack"},
    ),
    Case(
        "the-request-before-both", ABC, 1, ["a"], {"placement_policy": "PACK"}, group={"Autoplacer/Policy": "balanced"}
    ),
]


def test_there_are_sixty_at_least_and_none_twice() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_placement(case: Case) -> None:
    layers = ("DRBD", "STORAGE") if case.drbd else ("STORAGE",)
    pools = {name: next(iter(node.pools or {"pool": None}), "pool") for name, node in case.nodes.items()}
    existing = resource("web", *case.there, pool=pools[case.there[0]]) if case.there else None
    cluster = made(case.nodes, (*case.others, *((existing,) if existing else ())), case.controller, case.group)
    size = int(case.size * GIB)
    if not isinstance(case.answer, Mapping):
        found = place(cluster, case.wanted, size, SelectFilter(**case.rule), layers, existing)
        shown = [f"{c.node.name}:{c.pool.name}" for c in found]
        wanted = [name if ":" in name else f"{name}:{pools[name]}" for name in case.answer]
        assert shown == wanted
        return
    with pytest.raises(NotEnoughNodes) as refused:
        place(cluster, case.wanted, size, SelectFilter(**case.rule), layers, existing)
    told = dict(line.removeprefix("node ").split(": ", 1) for line in refused.value.reasons)
    assert set(told) == set(case.nodes)
    for name, part in case.answer.items():
        assert part in told[name]


def test_what_exists_may_contradict_the_rules() -> None:
    cluster = made(zoned("x", "y", "x"))
    rule = SelectFilter(replicas_on_same=("Aux/zone",))
    with pytest.raises(Undecidable, match="same Aux/zone") as refused:
        place(cluster, 1, GIB, rule, ("STORAGE",), resource("web", "a", "b"))
    assert refused.value.code == 985
    assert refused.value.cause == "Aux/zone by node: a: x, b: y."
