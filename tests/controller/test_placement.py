"""Who is chosen, who is not, and why."""

import pytest

from orlop.controller.picture import Draft
from orlop.controller.placement import Cluster, NotEnoughNodes, place
from orlop.controller.reported import Reported, Status
from orlop.drivers import Drivers
from orlop.model import GIB, Capacity, NodeInfo, ReportedPool, SelectFilter, Support
from tests.controller.conftest import definition, node, pool, resource, volume

DRIVERS = Drivers.installed()


@pytest.fixture
def cluster(picture):
    """alpha has 10 GiB, bravo 20, charlie 30; all are online."""
    draft = Draft(picture)
    reported = Reported()
    for index, name in enumerate(("alpha", "bravo", "charlie"), 1):
        reported.node(name).status = Status.ONLINE
        reported.node(name).info = NodeInfo(name=name, uname=name, version="1", layers=(Support(name="STORAGE"),))
        free = Capacity(total=40 * GIB, free=index * 10 * GIB)
        reported.node(name).pools["pool"] = ReportedPool(name="pool", uuid=f"p-{name}-pool", capacity=free)
    return Cluster(draft, reported, DRIVERS)


def chosen(cluster, count=1, size=GIB, existing=None, **rule):
    found = place(cluster, count, size, SelectFilter(**rule), ("STORAGE",), existing)
    return [candidate.node.name for candidate in found]


def refused(cluster, count=1, size=GIB, existing=None, **rule):
    with pytest.raises(NotEnoughNodes) as error:
        place(cluster, count, size, SelectFilter(**rule), ("STORAGE",), existing)
    return dict(line.removeprefix("node ").split(": ", 1) for line in error.value.reasons)


def test_the_most_free_space_comes_first(cluster):
    assert chosen(cluster, 2) == ["charlie", "bravo"]


def test_too_little_space_is_named_per_node(cluster):
    assert chosen(cluster, 1, 25 * GIB) == ["charlie"]
    reasons = refused(cluster, 2, 25 * GIB)
    assert reasons["alpha"] == "pool pool: 10485760 KiB free, 26214400 KiB needed"
    assert reasons["charlie"] == "pool pool would do, but 2 nodes are needed and 1 would do"


def test_what_is_promised_but_not_yet_made_counts(cluster):
    cluster.picture.put(definition(resource("charlie", volume(new=True, size=25 * GIB))))
    assert chosen(cluster, 1, 10 * GIB) == ["bravo"]


@pytest.mark.parametrize(
    ("rule", "nodes"),
    [
        ({"node_names": ("ALPHA",)}, ["alpha"]),
        ({"storage_pools": ("second",)}, ["alpha"]),
        ({"providers": ("FILE_THIN",)}, ["alpha"]),
        ({"not_place_with_resources": ("other",)}, ["bravo"]),
        ({"not_place_with_resources_regex": "^OTH"}, ["bravo"]),
        ({"replicas_on_same": ("Aux/zone=a",)}, ["bravo"]),
        ({"replicas_on_different": ("Aux/zone=b",)}, ["bravo"]),
    ],
    ids=lambda value: str(value),
)
def test_a_filter_leaves_only_who_fits(cluster, rule, nodes):
    cluster.picture.put(pool("alpha", "second", "FILE_THIN"))
    second = ReportedPool(name="second", uuid="p-alpha-second", capacity=Capacity(total=GIB, free=GIB // 2))
    cluster.reported.node("alpha").pools["second"] = second
    cluster.picture.put(definition(resource("charlie", volume("v-7")), name="other"))
    cluster.picture.put(node("alpha", **{"Aux/zone": "a"}))
    cluster.picture.put(node("bravo", **{"Aux/zone": "a"}))
    cluster.picture.put(node("charlie", **{"Aux/zone": "b"}))
    assert chosen(cluster, 1, GIB // 2, **rule) == nodes


def test_replicas_on_the_same_value(cluster):
    for name, zone in (("alpha", "a"), ("bravo", "a"), ("charlie", "b")):
        cluster.picture.put(node(name, **{"Aux/zone": zone}))
    assert sorted(chosen(cluster, 2, replicas_on_same=("Aux/zone",))) == ["alpha", "bravo"]
    refused(cluster, 3, replicas_on_same=("Aux/zone",))


def test_replicas_on_different_values_count_what_exists(cluster):
    for name, zone in (("alpha", "a"), ("bravo", "b"), ("charlie", "a")):
        cluster.picture.put(node(name, **{"Aux/zone": zone}))
    present = definition(resource("alpha", volume()))
    cluster.picture.put(present)
    assert chosen(cluster, 1, existing=present, replicas_on_different=("Aux/zone",)) == ["bravo"]
    refused(cluster, 2, existing=present, replicas_on_different=("Aux/zone",))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: setattr(c.reported.node("alpha"), "status", Status.OFFLINE), "it is offline"),
        (lambda c: c.picture.put(node("alpha", flags=["EVACUATE"])), "it is marked EVACUATE"),
        (lambda c: c.picture.put(node("alpha", AutoplaceTarget="False")), "AutoplaceTarget is false"),
        (lambda c: c.reported.node("alpha").pools.clear(), "its free space is not known yet"),
        (
            lambda c: c.reported.node("alpha").pools.update(
                pool=ReportedPool(name="pool", uuid="p-alpha-pool", problem="gone")
            ),
            "gone",
        ),
    ],
    ids=["offline", "evacuating", "no target", "unknown space", "broken pool"],
)
def test_who_must_not_take_a_replica_is_told_why(cluster, change, reason):
    change(cluster)
    assert reason in refused(cluster, 3)["alpha"]
    assert chosen(cluster, 2) == ["charlie", "bravo"]


def test_a_node_that_has_the_resource_already_is_not_chosen_again(cluster):
    present = definition(resource("charlie", volume()))
    cluster.picture.put(present)
    assert chosen(cluster, 1, existing=present) == ["bravo"]


def test_a_veto_is_a_reason(cluster):
    with pytest.raises(NotEnoughNodes) as error:
        place(cluster, 3, GIB, SelectFilter(), ("STORAGE",), None, lambda size, p: ["too warm"] * (p.node == "alpha"))
    assert "node alpha: pool pool: too warm" in error.value.reasons


def test_a_weight_moves_a_candidate(cluster):
    found = place(
        cluster, 1, GIB, SelectFilter(), ("STORAGE",), weight=lambda size, p: 5.0 if p.node == "alpha" else 0.0
    )
    assert [c.node.name for c in found] == ["alpha"]
