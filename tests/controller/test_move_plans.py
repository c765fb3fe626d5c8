"""Plans that move replicas, as tables and as properties: pictures and reports in, moves out."""

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orlop.controller import balancing, evacuating, rebalancing
from orlop.controller.drbd_versions import VERSION
from orlop.controller.moving import EVACUATE, REBALANCE, REDUCE, REPLACE, Move
from orlop.controller.picture import Draft, Picture
from orlop.controller.placement import Cluster, fits, place
from orlop.controller.reported import Reported, Status
from orlop.drivers import Drivers
from orlop.model import (
    GIB,
    Capacity,
    Level,
    Operation,
    ReportedPool,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    SelectFilter,
    Volume,
    VolumeDefinition,
    key,
)
from tests.controller.conftest import node, pool
from tests.controller.drbd9 import reports, told

DRIVERS = Drivers.installed()
TOTAL = 100 * GIB


def cluster_of(names, replicas, version="9.2.13", *, zones=None, offline=(), busy=(), **group):
    """`replicas` by name of the definition: size in GiB and nodes. Pools are as full as that, of 100 GiB.

    `busy` are (definition, node) in use.
    """
    draft, reported = Draft(Picture()), Reported()
    draft.put(ResourceGroup(name="DfltRscGrp", uuid="g", select_filter=SelectFilter(**({"place_count": 2} | group))))
    used = dict.fromkeys(names, 0)
    for name in names:
        zone = {"Aux/zone": zones[name]} if zones else {}
        draft.put(node(name, **{VERSION: version}, **zone))
        draft.put(pool(name))
        reported.node(name).status = Status.OFFLINE if name in offline else Status.ONLINE
        reported.node(name).info = told(name, version)
    for name, (size, *places) in replicas.items():
        made = replicated(name, size * GIB, places)
        draft.put(made)
        here = draft.definition(name)
        for place_, report in reports(here, dict.fromkeys(places, "UpToDate")).items():
            in_use = (name, place_) in busy
            volumes = tuple(replace(v, in_use=in_use) for v in report.volumes)
            reported.node(place_).resources[name] = replace(report, volumes=volumes, revision=here.revision)
            used[place_] += size * GIB
    for name in names:
        free = Capacity(total=TOTAL, free=TOTAL - used[name])
        reported.node(name).pools["pool"] = ReportedPool(name="pool", uuid=f"p-{name}-pool", capacity=free)
    return Cluster(draft.freeze(), reported, DRIVERS)


def replicated(name, size, places):
    levels = (Level(layer="DRBD", size=size), Level(layer="STORAGE", size=size))
    resources = tuple(
        Resource(
            node=place_,
            uuid=f"r-{name}-{place_}",
            volumes=(Volume(number=0, uuid=f"v-{name}-{place_}", pool="pool", levels=levels, new=False),),
            node_id=number,
            ports=(7000,),
            peer_slots=7,
        )
        for number, place_ in enumerate(places)
    )
    of = VolumeDefinition(number=0, uuid=f"vd-{name}", size=size, minor=1000)
    return ResourceDefinition(
        name=name,
        uuid=f"d-{name}",
        group="DfltRscGrp",
        layers=("DRBD", "STORAGE"),
        volume_definitions=(of,),
        resources=resources,
    )


def choose(cluster):
    """As the product chooses, without sizes that depend on pools."""

    def chosen(picture, rule, definition, count):
        size = max((evacuating.size(r) for r in definition.resources), default=GIB)
        return place(cluster._replace(picture=picture), count, size, rule, definition.layers, definition)

    return chosen


def changed(cluster, **definitions):
    """With some fields of definitions replaced."""
    draft = Draft(cluster.picture)
    for name, fields in definitions.items():
        draft.put(replace(draft.definition(name), **fields))
    return cluster._replace(picture=draft.freeze())


def marked(cluster, name, flag):
    draft = Draft(cluster.picture)
    draft.put(replace(draft.node(name), flags=frozenset({flag})))
    return cluster._replace(picture=draft.freeze())


# -- a node is emptied ------------------------------------------------------------------------------------------------

NAMES = ("alpha", "bravo", "charlie", "delta")


def emptied(cluster, name="alpha", targets=(), avoided=()):
    return evacuating.plan(cluster.picture, name, choose(cluster), targets, avoided)


def test_a_replica_goes_to_the_emptiest_node_that_has_none():
    found = emptied(cluster_of(NAMES, {"web": (10, "alpha", "bravo"), "db": (30, "bravo", "charlie")}))
    assert found.moves == (Move("web", EVACUATE, "alpha", "delta", "pool", 10 * GIB),)
    assert found.staying == ()


def test_what_is_planned_already_counts():
    """Of two equal nodes the second replica goes to the one that gets nothing yet."""
    found = emptied(cluster_of(NAMES, {"one": (40, "alpha", "bravo"), "two": (40, "alpha", "bravo")}))
    assert {move.target for move in found.moves} == {"charlie", "delta"}


TARGETS = [
    (("charlie",), (), "charlie"),
    (("CHARLIE", "delta"), ("delta",), "charlie"),
    ((), ("delta",), "charlie"),
]


@pytest.mark.parametrize(("targets", "avoided", "target"), TARGETS)
def test_targets(targets, avoided, target):
    (move,) = emptied(cluster_of(NAMES, {"web": (10, "alpha", "bravo")}), "alpha", targets, avoided).moves
    assert move.target == target


@pytest.mark.parametrize(
    ("places", "count", "target"),
    [
        (("alpha", "bravo", "charlie"), 2, None),
        (("alpha", "bravo", "charlie"), 3, "delta"),
        (("alpha", "bravo", "charlie"), None, "delta"),
        (("alpha",), 1, "bravo"),
        (("alpha",), 2, "bravo"),
    ],
)
def test_a_replacement_comes_only_where_it_is_wanted(places, count, target):
    cluster = cluster_of(NAMES, {"web": (10, *places)}, place_count=count)
    assert [move.target for move in emptied(cluster).moves] == [target]


def test_the_rules_of_spreading_do_not_count_who_goes():
    zones = {"alpha": "a", "bravo": "b", "charlie": "a", "delta": "b"}
    cluster = cluster_of(NAMES, {"web": (10, "alpha", "bravo")}, zones=zones, replicas_on_different=("Aux/zone",))
    assert [move.target for move in emptied(cluster).moves] == ["charlie"]


def test_with_drbd_8_a_third_replica_cannot_be_and_the_way_by_hand_is_told():
    cluster = cluster_of(NAMES, {"web": (10, "alpha", "bravo"), "one": (10, "alpha")}, "8.4.11", place_count=None)
    found = emptied(cluster)
    assert [(move.definition, move.target) for move in found.moves] == [("one", "charlie")]
    (stays,) = found.staying
    assert "DRBD 8.4 knows two" in stays.cause
    assert (
        "orlop resource delete alpha web, then orlop resource create delta web --storage-pool pool" in stays.correction
    )


def test_what_nothing_replicates_stays():
    cluster = cluster_of(NAMES, {"web": (10, "alpha")})
    plain = changed(cluster, web={"layers": ("STORAGE",)})
    (stays,) = emptied(plain).staying
    assert "the only copy" in stays.cause
    assert emptied(plain).moves == ()


def test_what_moves_already_is_not_planned_twice():
    operation = Operation(uuid="o", kind=EVACUATE, state="waiting", created=1, arguments={"source": "alpha"})
    cluster = changed(cluster_of(NAMES, {"web": (10, "alpha", "bravo")}), web={"operations": (operation,)})
    assert emptied(cluster) == ((), ())
    assert emptied(cluster, "bravo").moves


def test_what_no_node_can_take_stays_with_the_reasons():
    (stays,) = emptied(cluster_of(("alpha", "bravo"), {"web": (10, "alpha", "bravo")})).staying
    assert "node bravo: it already has web" in stays.cause


# -- pools are levelled -----------------------------------------------------------------------------------------------


def levelled(cluster, threshold=0.5, **more):
    return rebalancing.plan(cluster, threshold, **more).moves


def test_an_empty_node_is_filled_by_as_few_moves_as_can_be():
    """30 GiB on each of two, nothing on the third: 20 each are two moves of ten."""
    pairs = {f"web{n}": (10, "alpha", "bravo") for n in range(3)}
    found = levelled(cluster_of(("alpha", "bravo", "charlie"), pairs))
    assert len(found) == 2
    assert {move.source for move in found} == {"alpha", "bravo"}
    assert {move.target for move in found} == {"charlie"}
    assert rebalancing.least(cluster_of(("alpha", "bravo", "charlie"), pairs), 0.5) == 2


def test_the_largest_that_fits_moves_first():
    sizes = {"large": (40, "alpha"), "middle": (20, "alpha"), "small": (5, "alpha")}
    found = levelled(cluster_of(("alpha", "bravo"), sizes, place_count=1))
    assert [move.definition for move in found] == ["middle", "small"]


@pytest.mark.parametrize("threshold", [5.0, 20.0, 50.0])
def test_within_the_threshold_nothing_moves(threshold):
    """15 and 5 GiB of 100: five percent from the mean."""
    cluster = cluster_of(("alpha", "bravo"), {"one": (5, "alpha"), "two": (10, "alpha"), "three": (5, "bravo")})
    assert levelled(cluster, threshold) == ()
    assert [move.definition for move in levelled(cluster, 4.9)] == ["one"]


ZONES = dict(zip(NAMES, "abcb", strict=True))
BARRED = [
    ("nothing in the way", {}, 1),
    ("offline", {"offline": ("delta",)}, 0),
    ("in use", {"busy": [(web, name) for web in ("web", "db") for name in NAMES]}, 0),
    ("in use on one", {"busy": [("web", "alpha"), ("db", "alpha")]}, 1),
    ("8.4", {"version": "8.4.11"}, 0),
    ("in the zone of the other one", {"zones": ZONES, "replicas_on_different": ("Aux/zone",)}, 1),
    ("in the zone of every other one", {"zones": ZONES | {"charlie": "b"}, "replicas_on_same": ("Aux/zone=a",)}, 0),
    ("other pools", {"storage_pools": ("fast",)}, 0),
    ("other nodes", {"node_names": NAMES[:3]}, 0),
]


@pytest.mark.parametrize(("why", "more", "count"), BARRED, ids=lambda value: str(value)[:24])
def test_what_keeps_replicas_from_an_empty_node(why, more, count):
    """Two resources on the same two nodes; only delta is empty, and one of them may go there."""
    three = {"web": (20, "alpha", "bravo"), "db": (20, "alpha", "bravo"), "fill": (40, "charlie")}
    found = levelled(cluster_of(NAMES, three, **more), 10)
    assert sum(move.target == "delta" for move in found) == count
    if why == "in the zone of the other one":
        assert {move.source for move in found} == {"bravo"}
    if why == "in use on one":
        assert {move.source for move in found} == {"bravo"}


def test_a_replica_stays_in_its_site_where_a_rule_says_how_many_a_site_gets():
    two = {"web": (20, "alpha", "bravo"), "db": (20, "alpha", "bravo")}
    least = {"sites": ("berlin", "vienna"), "least_per_site": 1}
    for rule, sources in ((least, {"bravo"}), ({"most_per_site": 1}, {"bravo"}), ({}, {"alpha"})):
        cluster = cluster_of(NAMES[:3], two, **rule)
        draft = Draft(cluster.picture)
        for name, site in zip(NAMES[:3], ("berlin", "vienna", "Vienna"), strict=True):
            here = draft.node(name)
            draft.put(replace(here, props={**here.props, "Site": site}))
        assert {move.source for move in levelled(cluster._replace(picture=draft.freeze()), 10)} == sources


@pytest.mark.parametrize("flag", ["EVACUATE", "EVICTED", "MAINTENANCE", "DELETE"])
def test_a_node_that_is_marked_takes_no_part(flag):
    cluster = cluster_of(NAMES[:3], {"web": (20, "alpha", "bravo"), "db": (20, "alpha", "bravo")})
    assert levelled(cluster)
    assert levelled(marked(cluster, "charlie", flag)) == ()
    assert all("bravo" not in (move.source, move.target) for move in levelled(marked(cluster, "bravo", flag)))


def test_nothing_moves_that_is_not_whole():
    cluster = cluster_of(NAMES[:3], {"web": (20, "alpha", "bravo"), "db": (20, "alpha", "bravo")})
    assert levelled(cluster)
    cluster.reported.node("bravo").resources.clear()
    assert levelled(cluster) == ()


def test_with_drbd_8_it_is_said_why_nothing_moves():
    two = {"web": (20, "alpha", "bravo"), "db": (20, "alpha", "bravo")}
    found = rebalancing.plan(cluster_of(NAMES[:3], two, "8.4.11"), 1).staying
    assert [each.definition for each in found] == ["db", "web"]
    assert all("DRBD 8.4 knows two" in each.cause for each in found)


def test_a_plugin_may_object():
    cluster = cluster_of(NAMES[:3], {"web": (20, "alpha", "bravo"), "db": (20, "alpha", "bravo")})
    assert levelled(cluster)
    assert levelled(cluster, vetoes=lambda size, pool: ["no"] if pool.node == "charlie" else []) == ()


# -- as many as are wanted --------------------------------------------------------------------------------------------

THREE = ("alpha", "bravo", "charlie")
NOW = 10**12


def balanced(cluster, now=NOW, grace=3600):
    return balancing.plan(cluster, cluster.picture.definitions.values(), choose(cluster), now, grace)


def one_of(cluster, name, **fields):
    """With some fields of the replica on alpha replaced."""
    resources = cluster.picture.definition(name).resources
    after = tuple(replace(r, **fields) if r.node == "alpha" else r for r in resources)
    return changed(cluster, **{name: {"resources": after}})


def test_missing_replicas_are_planned_until_no_node_is_left():
    cluster = cluster_of(THREE, {"web": (10, "alpha")}, place_count=4)
    found = balanced(cluster)
    assert [(move.kind, move.source, move.target) for move in found.moves] == [
        (REPLACE, None, "bravo"),
        (REPLACE, None, "charlie"),
    ]
    (stays,) = found.staying
    assert "it already has web" in stays.cause


def test_the_one_in_the_fullest_pool_is_too_many():
    cluster = cluster_of(THREE, {"web": (10, *THREE), "other": (10, "bravo", "alpha"), "more": (5, "bravo", "alpha")})
    cluster.reported.node("bravo").pools["pool"] = replace(
        cluster.reported.node("bravo").pools["pool"], capacity=Capacity(total=50 * GIB, free=25 * GIB)
    )
    assert balanced(cluster).moves == (Move("web", REDUCE, "bravo"),)


def test_the_one_that_breaks_the_rules_of_spreading_is_too_many():
    zones = {"alpha": "a", "bravo": "b", "charlie": "b"}
    fuller = {"web": (10, *THREE), "other": (30, "alpha", "bravo")}
    cluster = cluster_of(THREE, fuller, zones=zones, replicas_on_different=("Aux/zone",))
    assert [move.source for move in balanced(cluster).moves] == ["bravo"]


LEFT = [
    ("as it should be", lambda c: c, [("web", REDUCE)]),
    ("young", lambda c: one_of(c, "web", created=NOW), [("web", REDUCE)]),
    ("another is behind", lambda c: c.reported.node("bravo").resources.clear() or c, []),
    ("maintenance", lambda c: marked(c, "bravo", "MAINTENANCE"), []),
    ("given up", lambda c: one_of(c, "web", flags=frozenset({"EVICTED"})), []),
    ("being deleted", lambda c: one_of(c, "web", flags=frozenset({"DELETE"})), []),
    ("migrating", lambda c: one_of(c, "web", props={"Internal/Drbd/MigrateFrom": "bravo"}), []),
    ("by itself", lambda c: one_of(c, "web", flags=frozenset({"AUTO_DISKFUL"})), []),
    ("switched off", lambda c: changed(c, web={"props": {"BalanceResourcesEnabled": "False"}}), []),
    ("not replicated", lambda c: changed(c, web={"layers": ("STORAGE",)}), []),
    ("a disk failed", lambda c: one_of(c, "web", props={"DrbdOptions/SkipDisk": "True"}), []),
]


@pytest.mark.parametrize(("why", "change", "expected"), LEFT, ids=[why for why, *_ in LEFT])
def test_when_one_that_is_too_many_goes(why, change, expected):
    found = balanced(change(cluster_of(THREE, {"web": (10, *THREE)}))).moves
    assert [(move.definition, move.kind) for move in found] == expected
    if why == "young":
        assert found[0].source != "alpha"


# -- properties -------------------------------------------------------------------------------------------------------

SIX = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot")


@st.composite
def clusters(draw):
    """Up to twenty resources of one to three replicas on six nodes, the last ones empty as if they were new."""
    old = draw(st.integers(2, 5))
    zones = dict(zip(SIX, draw(st.lists(st.sampled_from("abc"), min_size=6, max_size=6)), strict=True))
    spread = draw(st.booleans())
    replicas = {}
    for number in range(draw(st.integers(1, 20))):
        places = draw(st.permutations(SIX[:old]))[: draw(st.integers(1, min(3, old)))]
        replicas[f"web{number}"] = (draw(st.integers(1, 4)), *places)
    busy = [(name, places[0]) for name, (_, *places) in replicas.items() if draw(st.booleans())]
    rule = {"replicas_on_different": ("Aux/zone",)} if spread else {}
    return cluster_of(SIX, replicas, zones=zones, busy=busy, **rule)


def fills(cluster, moves=()):
    (spread,) = rebalancing.spreads(cluster, moves)
    return spread


def by_node(cluster, moves=()):
    promised = dict.fromkeys(SIX, 0)
    places = {
        name: {r.node: evacuating.size(r) for r in d.resources} for name, d in cluster.picture.definitions.items()
    }
    for move in moves:
        places[move.definition][move.target] = places[move.definition].pop(move.source)
    for each in places.values():
        for name, size in each.items():
            promised[name] += size
    return promised


@settings(max_examples=150, deadline=None)
@given(clusters())
def test_every_plan_keeps_the_rules_and_makes_nodes_more_equal(cluster):
    found = levelled(cluster, 1)
    picture = cluster.picture
    assert len({move.definition for move in found}) == len(found)
    for number, move in enumerate(found, 1):
        definition = picture.definition(move.definition)
        nodes = {r.node for r in definition.resources}
        assert move.kind == REBALANCE
        assert move.source in nodes
        assert move.target not in nodes
        assert not any(v.in_use for v in cluster.reported.resource(move.source, move.definition).volumes)
        after = [picture.nodes[key(n)] for n in (nodes - {move.source}) | {move.target}]
        assert fits(after, picture.group("DfltRscGrp").select_filter)
        before, then = by_node(cluster, found[: number - 1]), by_node(cluster, found[:number])
        assert statistics.pstdev(then.values()) < statistics.pstdev(before.values())
    assert fills(cluster, found).fullest <= fills(cluster).fullest
    assert fills(cluster, found).emptiest >= fills(cluster).emptiest


@settings(max_examples=100, deadline=None)
@given(clusters(), st.sampled_from(SIX))
def test_every_evacuation_plan_accounts_for_everything_on_the_node(cluster, name):
    found = emptied(cluster, name)
    here = {d.name for d in cluster.picture.definitions_on(name)}
    assert {move.definition for move in found.moves} | {each.definition for each in found.staying} == here
    rule = cluster.picture.group("DfltRscGrp").select_filter
    for move in found.moves:
        definition = cluster.picture.definition(move.definition)
        left = {r.node for r in definition.resources} - {name}
        assert move.target not in left | {name}
        assert (len(left) < 2) == (move.target is not None)
        if move.target is not None:
            assert fits([cluster.picture.nodes[key(n)] for n in left | {move.target}], rule)
