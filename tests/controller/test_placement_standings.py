"""What is kept between two placements is only used as long as it is true."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from orlop.controller.picture import Draft
from orlop.controller.placement import Cluster, Request, Standings, attempt
from orlop.controller.placement.placing import lines
from orlop.controller.properties import Kind, Source
from orlop.controller.reported import Status
from orlop.model import GIB, Capacity, Controller, ReportedPool, SelectFilter, StoragePoolDefinition, Support
from tests.controller.clusters import N, P, made, resource

NODES = {
    "a": N(aux={"zone": "1"}, pools={"p": P(20, provider="FILE_THIN"), "q": P(30)}),
    "b": N(aux={"zone": "2"}, pools={"p": P(40)}),
    "c": N(aux={"zone": "1"}, pools={"p": P(25, provider="ZFS")}),
}
RULE = SelectFilter(replicas_on_different=("Aux/zone",))


def answer(cluster: Cluster, standings: Standings | None) -> Any:
    tried = attempt(cluster._replace(standings=standings), Request(2, GIB, RULE, ("DRBD", "STORAGE")))
    return (
        [(c.node.name, c.pool.name, c.free, c.total, c.volumes) for c in tried.candidates],
        tried.chosen,
        lines(cluster, tried),
    )


def put(cluster: Cluster, *values: Any) -> Cluster:
    draft = Draft(cluster.picture)
    for value in values:
        draft.put(value)
    return cluster._replace(picture=draft.freeze())


def offline(cluster: Cluster) -> Cluster:
    cluster.reported.node("b").status = Status.OFFLINE
    return cluster


def reported(cluster: Cluster, free: float) -> Cluster:
    capacity = Capacity(total=100 * GIB, free=int(free * GIB))
    cluster.reported.node("b").pools["p"] = ReportedPool(name="p", uuid="b-p", capacity=capacity)
    return cluster


def without_drbd(cluster: Cluster) -> Cluster:
    report = cluster.reported.node("a")
    assert report.info is not None
    report.info = replace(report.info, layers=(Support(name="DRBD", reasons=("no module",)),))
    return cluster


def node(cluster: Cluster, name: str, **more: Any) -> Cluster:
    return put(cluster, replace(cluster.picture.nodes[name], **more))


def pool(cluster: Cluster, **more: Any) -> Cluster:
    return put(cluster, replace(cluster.picture.pools["a", "p"], **more))


CHANGES = {
    "a report": lambda c: reported(c, 3),
    "a pool that broke": lambda c: reported(c, 0),
    "a node that went away": offline,
    "a layer that is missing": without_drbd,
    "a volume": lambda c: put(c, resource("web", "b", pool="p")),
    "a property of a node": lambda c: node(c, "b", props={"Aux/zone": "1"}),
    "a minimum of a node": lambda c: node(c, "a", props={"Autoplacer/MinThinFreeSpace": "50"}),
    "another DRBD": lambda c: node(c, "b", props={"Aux/zone": "2", "Satellite/Drbd/Version": "8.4.11"}),
    "a flag": lambda c: node(c, "c", flags=frozenset({"EVICTED"})),
    "a ratio of a pool": lambda c: pool(c, props={"MaxOversubscriptionRatio": "1"}),
    "a ratio of all pools of a name": lambda c: put(
        c, StoragePoolDefinition(name="p", uuid="u", props={"MaxOversubscriptionRatio": "2"})
    ),
    "a ratio of the controller": lambda c: put(c, Controller(props={"MaxOversubscriptionRatio": "3"})),
    "another pool of the name": lambda c: pool(c, uuid="other"),
    "a minimum of the group": lambda c: c._replace(
        asked={Kind.RESOURCE_GROUP: Source("g", {"Autoplacer/MinThinFreeSpace": "50"})}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_is_looked_at_again(change: Any) -> None:
    kept, cluster = Standings(), made(NODES)
    before = answer(cluster, kept)
    assert before == answer(cluster, kept) == answer(cluster, None)
    cluster = change(cluster)
    assert answer(cluster, kept) == answer(cluster, None) != before


@pytest.mark.parametrize("seed", range(20))
def test_after_any_changes_the_answer_is_that_of_a_fresh_look(seed: int) -> None:
    chance, kept, cluster = random.Random(seed), Standings(), made(NODES)
    for _ in range(12):
        cluster = chance.choice(list(CHANGES.values()))(cluster)
        assert answer(cluster, kept) == answer(cluster, None)


def test_what_one_group_asks_for_does_not_hold_for_others() -> None:
    kept, cluster = Standings(), made(NODES)
    picky = CHANGES["a minimum of the group"](cluster)
    first = answer(picky, kept)
    assert answer(cluster, kept) == answer(cluster, None) != first
