"""What the policies of Orlop prefer, and what becomes of one that gives no usable answer."""

import doctest
from pathlib import Path

import pytest

from orlop.controller.placement import place
from orlop.drivers import PLACEMENT, STORAGE, Drivers
from orlop.errors import Refused, UnknownDriver
from orlop.model import GIB, Node, SelectFilter, StoragePool
from orlop.plugin import API_VERSION, Candidate, Placement, PlacementPolicy
from tests.controller.clusters import DRIVERS, N, P, made, resource

NAMES = ("balanced", "most-free-space", "pack", "round-robin")


def candidate(name, free, total=100, **more):
    node = Node(name=name, uuid=name)
    pool = StoragePool(node=name, name="p", uuid=name, provider="FILE")
    return Candidate(node, pool, free * GIB, total * GIB, **more)


def ranked(policy, *candidates, **more):
    """Names, most points first, and the parts that the points are made of."""
    placement = Placement(size=GIB, count=1, **more)
    parts = DRIVERS.load(PLACEMENT, policy).score(placement, candidates)
    totals = [sum(points) for points in zip(*parts.values(), strict=True)]
    order = sorted(range(len(candidates)), key=lambda i: -totals[i])
    return [candidates[i].node.name for i in order], list(parts)


def test_the_policies_that_are_installed_keep_the_contract():
    assert set(NAMES) <= set(DRIVERS.names(PLACEMENT))
    for policy in DRIVERS.all(PLACEMENT).values():
        assert isinstance(policy, PlacementPolicy)
        assert policy.api_version == API_VERSION
        assert all(len(points) == 0 for points in policy.score(Placement(size=1, count=1), ()).values())


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ("balanced", ["large", "empty", "small"]),
        ("most-free-space", ["large", "empty", "small"]),
        ("pack", ["small", "large", "empty"]),
        ("round-robin", ["empty", "small", "large"]),
    ],
)
def test_what_a_policy_prefers(policy, names):
    given = (
        candidate("large", 300, 1000, volumes=7, volumes_on_node=7),
        candidate("small", 10, 100, volumes=3, volumes_on_node=3),
        candidate("empty", 100, 100),
    )
    assert ranked(policy, *given)[0] == names


def test_balanced_evens_out_what_has_nearly_the_same_room():
    full, empty = candidate("full", 102, 1000), candidate("empty", 100, 100)
    assert ranked("balanced", full, empty)[0] == ["empty", "full"]
    assert ranked("most-free-space", full, empty)[0] == ["full", "empty"]


def test_balanced_gives_turns_to_nodes_with_equal_room():
    busy, idle = candidate("busy", 50, volumes_on_node=9), candidate("idle", 50, volumes_on_node=1)
    assert ranked("balanced", busy, idle)[0] == ["idle", "busy"]


def test_only_strategies_with_a_weight_are_parts_of_the_score():
    given = (candidate("a", 50), candidate("b", 40))
    assert ranked("most-free-space", *given)[1] == ["MaxFreeSpace", "MinRscCount"]
    weights = {"MaxFreeSpace": 0.0, "MinRscCount": 0.0, "MaxThroughput": 2.0}
    order, parts = ranked("most-free-space", *given, weights=weights, throughput=(1.0, 9.0))
    assert (order, parts) == (["b", "a"], ["MaxThroughput"])


def test_nodes_take_turns():
    order, present = [], []
    for number in range(6):
        cluster = made({"a": N(90), "b": N(10), "c": N(50)}, tuple(present))
        rule = SelectFilter(placement_policy="round-robin")
        chosen = place(cluster, 1, GIB, rule, ("STORAGE",))[0].node.name
        order.append(chosen)
        present.append(resource(f"r{number}", chosen))
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_throttles_of_volumes_are_taken_from_the_throughput():
    nodes = {name: N(props={"Autoplacer/MaxThroughput": "1000"}) for name in "ab"}
    weights = {"Autoplacer/Weights/MaxThroughput": "1", "Autoplacer/Weights/MaxFreeSpace": "0"}
    busy = resource("busy", "a")
    definition = type(busy)(
        **{f: getattr(busy, f) for f in busy.__struct_fields__} | {"props": {"sys/fs/blkio_throttle_read": "600"}}
    )
    cluster = made(nodes, (definition,), weights)
    assert place(cluster, 1, GIB, SelectFilter(), ("STORAGE",))[0].node.name == "b"


# -- what goes wrong --------------------------------------------------------------------------------------------------


def policy(answer):
    class Policy:
        api_version = API_VERSION

        @classmethod
        def score(cls, placement, candidates):
            return answer(candidates)

    return Drivers({STORAGE: DRIVERS.all(STORAGE), PLACEMENT: {"own": Policy}})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda candidates: {"x": [1.0]}, "it gave 1 points of 'x' for 2 candidates"),
        (lambda candidates: {"x": [float("nan")] * 2}, "the points of 'x' are not all finite numbers"),
        (lambda candidates: 1 / 0, "it raised ZeroDivisionError: division by zero"),
    ],
    ids=["too-few", "not-a-number", "raises"],
)
def test_a_policy_that_gives_no_usable_answer_is_named(answer, why):
    cluster = made({"a": N(), "b": N()}, drivers=policy(answer))
    with pytest.raises(Refused, match="policy 'own' gives no answer") as refused:
        place(cluster, 1, GIB, SelectFilter(placement_policy="own"), ("STORAGE",))
    assert why in refused.value.message


def test_a_policy_that_is_not_installed_is_refused_with_those_that_are():
    with pytest.raises(UnknownDriver, match="balanced, most-free-space, pack, round-robin"):
        place(made({"a": N()}), 1, GIB, SelectFilter(placement_policy="none"), ("STORAGE",))


def test_without_the_package_of_policies_most_free_space_decides():
    cluster = made({"a": N(10), "b": N(20)}, drivers=Drivers({STORAGE: DRIVERS.all(STORAGE)}))
    assert place(cluster, 1, GIB, SelectFilter(), ("STORAGE",))[0].node.name == "b"


def test_a_policy_without_an_opinion_leaves_it_to_the_names():
    cluster = made({"b": N(90), "a": N(10)}, drivers=policy(lambda candidates: {}))
    chosen = place(cluster, 1, GIB, SelectFilter(placement_policy="own"), ("STORAGE",))
    assert chosen[0].node.name == "a"


def test_the_policy_of_the_plugin_guide_is_ten_lines_long_and_works():
    guide = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
    examples = doctest.DocTestParser().get_examples(guide[guide.index("## Placement policies") :])
    source = "".join(example.source for example in examples[:2])
    assert len(source.splitlines()) <= 10
    names = {}
    exec(source, names)  # noqa: S102 - what the guide says
    drivers = Drivers({STORAGE: DRIVERS.all(STORAGE), PLACEMENT: {"fast-network": names["FastNetwork"]}})
    nodes = {"a": N(90), "b": N(20, {"network": "fast"}), "c": N(30, {"network": "fast"})}
    rule = SelectFilter(placement_policy="fast-network")
    chosen = place(made(nodes, drivers=drivers), 3, GIB, rule, ("STORAGE",))
    assert [c.node.name for c in chosen] == ["c", "b", "a"]


# -- hooks ------------------------------------------------------------------------------------------------------------


def test_a_preselection_leaves_only_some_pools():
    cluster = made({"a": N(10), "b": N(20), "c": N(pools={"p": P(30), "q": P(5)})})
    chosen = place(
        cluster,
        2,
        GIB,
        SelectFilter(),
        ("STORAGE",),
        preselect=lambda size, pools: [pool for pool in pools if pool.name != "p"],
    )
    assert [(c.node.name, c.pool.name) for c in chosen] == [("b", "pool"), ("a", "pool")]
