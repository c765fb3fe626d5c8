"""The wait policy that the author's guide writes, taken from its text, in a cluster."""

import doctest
from pathlib import Path

import pytest
from msgspec.structs import replace

from orlop.controller import wire
from orlop.controller.usecases import spawning, wait_for
from orlop.drivers import KEY_STORE, LAYER, STORAGE, WAIT_FOR, Drivers
from orlop.errors import Refused
from orlop.testing.cluster import SimulatedCluster

GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"
INSTALLED = Drivers.installed()


@pytest.fixture(scope="module")
def sites():
    """The class of the section, made by running its lines."""
    section = GUIDE.read_text().partition("## Wait policies")[2].partition("\n## ")[0]
    found = {}
    for example in doctest.DocTestParser().get_examples(section):
        if example.source.startswith(("from ", "class ")):
            exec(example.source, found)
    return found["Sites"]


@pytest.fixture
def cluster(sites):
    """Three nodes; alpha and bravo are in one site."""
    known = {namespace: INSTALLED.all(namespace) for namespace in (STORAGE, LAYER, KEY_STORE)}
    drivers = Drivers({**known, WAIT_FOR: {**INSTALLED.all(WAIT_FOR), "sites": sites}})
    made = SimulatedCluster(seed=3, drivers=drivers)
    made.register()
    with made.core.change() as draft:
        for name, site in (("alpha", "north"), ("bravo", "north"), ("charlie", "south")):
            draft.put(replace(draft.node(name), props={"Aux/site": site}))
    return made


def spawn(cluster, *nodes):
    rule = wire.AutoSelectFilter(place_count=len(nodes), node_name_list=nodes)
    body = wire.ResourceGroupSpawn(resource_definition_name="web", volume_sizes=(64,), select_filter=rule)
    spawning.spawn(cluster.core, "DfltRscGrp", body)


def waited(cluster, policy):
    asked = wait_for.question(cluster.core, wire.WaitRequest(resource="web", policy=policy))
    return wait_for.wait(cluster.core, asked, 5.0, 60.0)


def test_ten_lines_make_a_policy(sites):
    section = GUIDE.read_text().partition(">>> class Sites:")[2].partition(">>> isinstance")[0]
    assert len(section.strip().splitlines()) <= 12


def test_it_is_asked_for_by_its_name_and_joined_with_others(cluster):
    spawn(cluster, "alpha", "charlie")
    found = waited(cluster, "sites=2 and count=2")
    assert found.satisfied
    assert [c.said for c in found.conditions] == ["in 2 sites", "2 of 2 copies deployed"]


def test_who_is_missing_is_told_for_it_as_well(cluster):
    spawn(cluster, "alpha", "bravo")
    found = waited(cluster, "sites=2")
    assert (found.satisfied, found.timed_out, found.missing) == (False, True, ())
    cluster.nodes["bravo"].reachable = False
    cluster.run(60.0)
    (missing,) = waited(cluster, "sites=2").missing
    assert (missing.node_name, missing.stalled) == ("bravo", True)


def test_its_argument_is_checked(cluster):
    spawn(cluster, "alpha")
    with pytest.raises(Refused, match="'many' is no number of sites"):
        waited(cluster, "sites=many")
