"""What is set for a site holds on its nodes and inside of it, what is set between two on every such connection."""

import pytest

from orlop.controller import orders, wire
from orlop.controller.usecases import (
    definitions,
    free_space,
    groups,
    node_connections,
    nodes,
    resources,
    settings,
    sites,
    spawning,
)
from orlop.errors import BadName, BadProperty, Refused
from orlop.model import KIB
from orlop.testing.cluster import SimulatedCluster

PROTOCOL = "DrbdOptions/Net/protocol"
SITES = {"alpha": "berlin", "bravo": "berlin", "charlie": "vienna", "delta": ""}


@pytest.fixture
def cluster():
    """A replicated resource on two nodes of one site, one of another, and one of none."""
    made = SimulatedCluster(tuple(SITES), seed=2, drbd="9")
    made.register()
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web",
        volume_sizes=(64,),
        select_filter=wire.AutoSelectFilter(place_count=4, layer_stack=("DRBD", "STORAGE")),
    )
    spawning.spawn(made.core, "DfltRscGrp", body)
    for node, site in SITES.items():
        if site:
            sites.modify(made.core, site, wire.SiteModify(add_nodes=(node,)))
    made.settle()
    return made


def protocol(cluster, one, other):
    """What `one` is told of its connection to `other`."""
    core = cluster.core
    order = orders.wanted_resource(core.drivers, core.picture, core.picture.definitions["web"], one)
    peer = next(p for p in order.volumes[0].drbd.replica.peers if p.node == other)
    return peer.options.get("Net/protocol")


def set_site(cluster, site="berlin", value="C", key=PROTOCOL):
    return sites.modify(cluster.core, site, wire.SiteModify(override_props={key: value}))


def set_between(cluster, value="A", one="berlin", other="vienna"):
    body = wire.SiteConnectionModify(override_props={PROTOCOL: value})
    return sites.modify_connection(cluster.core, one, other, body)


def test_an_option_of_a_site_holds_inside_of_it_and_one_of_a_pair_between(cluster):
    set_site(cluster)
    set_between(cluster)
    told = {(a, b): protocol(cluster, a, b) for a in SITES for b in SITES if a != b}
    inside, between = {("alpha", "bravo")}, {("alpha", "charlie"), ("bravo", "charlie")}
    for (a, b), value in told.items():
        pair = {(a, b), (b, a)}
        assert value == ("C" if pair & inside else "A" if pair & between else None), (a, b)


def test_the_order_of_a_pair_and_the_case_of_names_do_not_matter(cluster):
    set_between(cluster, "A", "Vienna", "BERLIN")
    assert protocol(cluster, "alpha", "charlie") == "A"
    [pair] = sites.connections(cluster.core)
    assert (pair.site_a, pair.site_b, pair.props) == ("berlin", "vienna", {PROTOCOL: "A"})


def _on_controller(core, value):
    settings.modify(core, wire.ControllerPropsModify(override_props={PROTOCOL: value}))


def _on_pair(core, value):
    sites.modify_connection(core, "berlin", "vienna", wire.SiteConnectionModify(override_props={PROTOCOL: value}))


def _on_group(core, value):
    groups.modify(core, "DfltRscGrp", wire.ResourceGroupModify(override_props={PROTOCOL: value}))


def _on_node_connection(core, value):
    node_connections.modify(core, "alpha", "charlie", wire.NodeConnectionModify(override_props={PROTOCOL: value}))


def _on_definition(core, value):
    definitions.modify(core, "web", wire.ResourceDefinitionModify(override_props={PROTOCOL: value}))


def _on_connection(core, value):
    body = wire.ResourceConnectionModify(override_props={PROTOCOL: value})
    resources.modify_connection(core, "web", "alpha", "charlie", body)


FROM_FAR_TO_NEAR = (_on_controller, _on_pair, _on_group, _on_node_connection, _on_definition, _on_connection)


def test_a_site_is_nearer_than_the_cluster_and_farther_than_everything_else(cluster):
    for place, value in zip(FROM_FAR_TO_NEAR, "ABCABC", strict=True):
        place(cluster.core, value)
        assert protocol(cluster, "alpha", "charlie") == value, place.__name__


def test_a_node_goes_before_its_site_and_the_site_before_the_controller(cluster):
    name = "DrbdOptions/Resource/max-io-depth"

    def depth():
        core = cluster.core
        order = orders.wanted_resource(core.drivers, core.picture, core.picture.definitions["web"], "alpha")
        return order.volumes[0].drbd.replica.options.get("Resource/max-io-depth")

    settings.modify(cluster.core, wire.ControllerPropsModify(override_props={name: "1000"}))
    assert depth() == "1000"
    set_site(cluster, key=name, value="2000")
    assert depth() == "2000"
    nodes.modify(cluster.core, "alpha", wire.NodeModify(override_props={name: "3000"}))
    assert depth() == "3000"


def test_what_is_set_between_sites_is_in_force_at_once_and_goes_again(cluster):
    def in_force():
        text = cluster.nodes["alpha"].host.run(("drbdsetup", "show"))
        return [line.split()[1] for line in text.splitlines() if line.strip().startswith("protocol")]

    assert in_force() == []
    set_between(cluster)
    cluster.settle()
    assert in_force() == ["A;"]
    body = wire.SiteConnectionModify(delete_props=(PROTOCOL,))
    sites.modify_connection(cluster.core, "berlin", "vienna", body)
    cluster.settle()
    assert in_force() == []
    assert sites.connections(cluster.core) == []


def test_a_node_that_moves_gets_what_holds_there(cluster):
    set_between(cluster)
    sites.modify(cluster.core, "vienna", wire.SiteModify(add_nodes=("alpha",)))
    assert protocol(cluster, "alpha", "charlie") is None
    assert protocol(cluster, "alpha", "bravo") == "A"
    sites.modify(cluster.core, "vienna", wire.SiteModify(remove_nodes=("alpha",)))
    assert protocol(cluster, "alpha", "bravo") is None
    with pytest.raises(Refused, match="is not in site 'vienna'"):
        sites.modify(cluster.core, "vienna", wire.SiteModify(remove_nodes=("alpha",)))


def test_a_node_without_a_site_of_its_own_is_in_the_one_of_the_cluster(cluster):
    settings.modify(cluster.core, wire.ControllerPropsModify(override_props={"Site": "home"}))
    assert {site.name: site.node_names for site in sites.listed(cluster.core)} == {
        "berlin": ("alpha", "bravo"),
        "home": ("delta",),
        "vienna": ("charlie",),
    }


def test_sites_are_listed_with_what_is_set_and_the_space_they_have(cluster):
    set_site(cluster)
    berlin = sites.listed(cluster.core)[0]
    capacities = [cluster.core.reported.pool(node, "pool1").capacity for node in ("alpha", "bravo")]
    assert (berlin.name, berlin.props) == ("berlin", {PROTOCOL: "C"})
    assert berlin.free_kib == sum(each.free for each in capacities) // KIB
    assert berlin.total_kib == sum(each.total for each in capacities) // KIB


def test_replicas_are_placed_by_site_and_space_is_asked_for_by_site(cluster):
    rule = wire.AutoSelectFilter(place_count=2, site_list=("berlin", "vienna"), most_per_site=1)
    body = wire.ResourceGroupSpawn(resource_definition_name="db", volume_sizes=(64,), select_filter=rule)
    spawning.spawn(cluster.core, "DfltRscGrp", body)
    used = {r.node for r in cluster.core.picture.definitions["db"].resources if not r.diskless}
    assert len(used & {"alpha", "bravo"}) == 1
    assert "charlie" in used

    def space(*wanted, count=1, **more):
        asked = wire.AutoSelectFilter(place_count=count, site_list=wanted, **more)
        request = wire.QuerySizeInfoRequest(select_filter=asked)
        return free_space.query_size_info(cluster.core, "DfltRscGrp", request).space_info

    assert {r.node_name for r in space("vienna").next_spawn_result} == {"charlie"}
    assert space("vienna", count=2).max_vlm_size_in_kib == 0
    assert space("berlin", count=2).max_vlm_size_in_kib > 0
    assert space("berlin", "vienna", count=3, most_per_site=1).max_vlm_size_in_kib == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Site", "x"),
        ("REST/port", "1"),
        ("DrbdOptions/auto-quorum", "disabled"),
        (PROTOCOL, "D"),
        ("Sites/x/Aux/a", "b"),
        ("Aux//a", "b"),
    ],
)
def test_what_cannot_be_set_for_a_site_changes_nothing(cluster, key, value):
    before = cluster.core.picture
    with pytest.raises(BadProperty):
        set_site(cluster, key=key, value=value)
    assert cluster.core.picture is before


def test_between_sites_only_connections_have_options(cluster):
    body = wire.SiteConnectionModify(override_props={"DrbdOptions/Disk/al-extents": "1000"})
    with pytest.raises(BadProperty, match="pair of sites"):
        sites.modify_connection(cluster.core, "berlin", "vienna", body)
    with pytest.raises(Refused, match="no connection to itself"):
        set_between(cluster, "A", "berlin", "Berlin")


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "-a", "a b", "x" * 49, "ü"])
def test_a_bad_name_is_refused(cluster, name):
    with pytest.raises(BadName):
        sites.modify(cluster.core, name, wire.SiteModify(add_nodes=("alpha",)))
