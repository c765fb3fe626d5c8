"""Objects that an administrator names become volumes with their data, or go; everything else stays as it is."""

import contextlib

import pytest

from orlop.controller import wire
from orlop.controller.usecases import definitions, insight, resources, taking
from orlop.errors import Refused
from orlop.model import BackingObject, Presence
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.disk import BLOCK
from orlop.transport.messages import TakeObject
from tests.simulation.backends import BACKENDS

DATA = b"years of work".ljust(BLOCK, b".")
STRANGER = "db_00000"  # a name of our form, and no mark
TAKEN = [backend for backend in BACKENDS if backend.provider != "LVM_THIN_POOL"]


@pytest.fixture(params=TAKEN, ids=lambda backend: backend.provider)
def backend(request):
    return request.param


def cluster_of(backend):
    made = SimulatedCluster(("alpha", "bravo"), seed=5)
    for node in made.nodes.values():
        backend.prepare(node.host)
    made.register(provider=backend.provider, place=backend.place)
    return made


@pytest.fixture
def cluster(backend):
    return cluster_of(backend)


@pytest.fixture
def host(cluster):
    return cluster.nodes["alpha"].host


@pytest.fixture
def put(cluster, backend, host):
    """Something in the pool of alpha that was not made by this cluster, with data in it."""

    def make(name=STRANGER):
        backend.put(host, name)
        content(backend, host, name).blocks[0] = DATA
        host.run(("udevadm", "settle"))
        cluster.settle()

    return make


def content(backend, host, name):
    return next(thing.content for thing in backend.things(host) if thing.name == name)


def orphan(name=STRANGER, uuid=None, **more):
    return wire.OrphanAdopt(node_name="alpha", storage_pool_name="pool1", name=name, uuid=uuid, **more)


def going(name=STRANGER, uuid=None):
    return wire.OrphanRemove(node_name="alpha", storage_pool_name="pool1", name=name, uuid=uuid)


def stranger(name, **more):
    return wire.VolumeImport(node_name="alpha", storage_pool_name="pool1", name=name, **more)


def orphans(cluster):
    return [(each.name, each.uuid) for each in insight.orphans(cluster.core, frozenset())]


def whole(cluster, backend, name="db", number=0, blocks=(DATA,)):
    """The one volume is up, not new, and holds the data; nothing else is in the pool."""
    cluster.settle()
    host = cluster.nodes["alpha"].host
    definition = cluster.core.picture.definition(name)
    volume = next(v for v in definition.resources[0].volumes if v.number == number)
    report = cluster.core.reported.current("alpha", name)
    seen = next(v for v in report.volumes if v.uuid == volume.uuid)
    assert (seen.presence, seen.problem, volume.new, volume.source) == (Presence.READY, "", False, None)
    assert seen.size >= volume.levels[-1].size
    thing = next(t for t in backend.things(host) if t.name == f"{definition.name}_{number:05d}")
    assert (thing.uuid, list(thing.content.blocks.values())) == (volume.uuid, list(blocks))
    assert orphans(cluster) == []
    assert not any(v.new for _, told in cluster.sent for resource in told.resources for v in resource.volumes)


# -- adopting -------------------------------------------------------------------------------------------------


def test_an_orphan_without_a_mark_becomes_the_volume_that_its_name_tells(cluster, backend, put):
    put()
    assert orphans(cluster) == [(STRANGER, None)]
    assert not taking.adopt(cluster.core, orphan()).failed
    whole(cluster, backend)
    assert cluster.core.picture.definition("db").layers == ("STORAGE",)


def test_what_is_left_of_a_forgotten_definition_is_adopted_by_the_mark_it_bears(cluster, backend, put, host):
    put()
    taking.adopt(cluster.core, orphan())
    cluster.settle()
    with cluster.core.change() as draft:  # as in a database of before
        draft.remove(draft.definition("db"))
    cluster.settle()
    [(name, uuid)] = orphans(cluster)
    with pytest.raises(Refused, match="another object than the one that was named"):
        taking.adopt(cluster.core, orphan())
    with pytest.raises(Refused, match="another object than the one that was named"):
        taking.adopt(cluster.core, orphan(uuid="another"))
    assert orphans(cluster) == [(name, uuid)]
    assert not taking.adopt(cluster.core, orphan(uuid=uuid)).failed
    whole(cluster, backend)
    assert cluster.core.picture.definition("db").resources[0].volumes[0].uuid != uuid  # another incarnation


def test_an_orphan_can_get_another_name(cluster, backend, put):
    put()
    taking.adopt(cluster.core, orphan(resource_name="other", volume_number=3))
    whole(cluster, backend, "other", 3)


def test_what_is_in_use_is_not_adopted(cluster, put, host):
    put()
    _everything_in_use(host)
    before = cluster.core.picture
    with pytest.raises(Refused, match=r"not adopted: .* in use"):
        taking.adopt(cluster.core, orphan())
    assert cluster.core.picture is before
    assert orphans(cluster) == [(STRANGER, None)]


def _everything_in_use(host):
    paths = [*host.disk.opened, *host.disk.loops, f"/srv/pool/{STRANGER}", "/srv/pool/old"]
    host.disk.used.update(dict.fromkeys(paths, ("mounted at /mnt",)))


def test_a_name_that_is_taken_is_not_given_away(cluster, backend, put, host):
    put()
    taking.adopt(cluster.core, orphan())
    put("old")
    with pytest.raises(Refused, match="db_00000 in pool pool1 is taken by db"):
        taking.import_(cluster.core, "db", stranger("old", volume_number=0))
    put("other_00001")
    with pytest.raises(Refused, match="exists already; it was left as it is"):
        taking.import_(cluster.core, "other", stranger("old", volume_number=1))
    cluster.settle()
    assert content(backend, host, "old").blocks[0] == DATA
    assert orphans(cluster) == [("other_00001", None)]


def test_what_a_node_was_told_of_is_no_orphan_whatever_it_is_called(cluster, backend, put, host):
    put()
    taking.adopt(cluster.core, orphan())
    cluster.settle()
    for act in (taking.adopt, taking.remove):
        with pytest.raises(Refused, match="no orphan"):
            act(cluster.core, orphan() if act is taking.adopt else going())
    with pytest.raises(Refused, match="belongs to db"):
        taking.import_(cluster.core, "other", stranger(STRANGER))
    uuid = cluster.core.picture.definition("db").resources[0].volumes[0].uuid
    thing = BackingObject(pool="pool1", name=STRANGER, uuid=uuid)
    for only_look in (True, False):
        order = TakeObject(fence=cluster.core.fence, object=thing, mark="m", only_look=only_look)
        with pytest.raises(Refused, match="belongs to db"):
            taking.asked(cluster.core, cluster.core.picture.pool("alpha", "pool1"), order, "removed")


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_an_adoption_that_was_cut_is_finished_by_asking_again(backend, at, moment):
    cluster = cluster_of(backend)
    node = cluster.nodes["alpha"]
    backend.put(node.host, "old")
    content(backend, node.host, "old").blocks[0] = DATA
    cluster.settle()
    node.host.faults.crash(at, moment)
    with contextlib.suppress(Refused):  # the node went away meanwhile
        taking.import_(cluster.core, "db", stranger("old"))
    cluster.heal()
    cluster.settle()
    if cluster.core.picture.definition("db") is None:
        found = orphans(cluster)
        if found:
            [(name, uuid)] = found
            taking.adopt(cluster.core, orphan(name, uuid, resource_name="db", volume_number=0))
        else:
            taking.import_(cluster.core, "db", stranger("old"))
    whole(cluster, backend)


# -- importing ------------------------------------------------------------------------------------------------


def test_what_others_made_is_imported_with_its_data_under_our_name(cluster, backend, put):
    put("old")
    assert orphans(cluster) == []  # not of our form
    told = list(taking.import_(cluster.core, "db", stranger("old")))
    assert "Its data was not touched." in told[0].message
    whole(cluster, backend)


def test_several_volumes_of_one_resource_are_imported_one_by_one(cluster, backend, put):
    put("first")
    put("second")
    taking.import_(cluster.core, "db", stranger("first"))
    taking.import_(cluster.core, "DB", stranger("second"))
    whole(cluster, backend)
    whole(cluster, backend, number=1)


def test_an_import_into_a_definition_that_is_elsewhere_needs_a_volume_of_that_size(cluster, backend, put):
    body = wire.ResourceDefinition(name="db", volume_definitions=(wire.VolumeDefinition(size_kib=1 << 20),))
    made = wire.ResourceDefinitionCreate(resource_definition=wire.ResourceDefinition(name="db"))
    definitions.create(cluster.core, made)
    put("old")
    taking.import_(cluster.core, "db", stranger("old"))
    whole(cluster, backend)
    large = wire.ResourceDefinitionCreate(resource_definition=replace_name(body, "large"))
    definitions.create(cluster.core, large)
    put("small")
    with pytest.raises(Refused, match="The object has"):
        taking.import_(cluster.core, "large", stranger("small", volume_number=0))


def replace_name(body, name):
    return wire.ResourceDefinition(
        name=name,
        volume_definitions=body.volume_definitions,
        layer_data=(wire.ResourceDefinitionLayer(type="STORAGE"),),
    )


def test_a_stack_that_the_object_does_not_have_is_refused(cluster, put):
    luks = (wire.ResourceDefinitionLayer(type="LUKS"), wire.ResourceDefinitionLayer(type="STORAGE"))
    body = wire.ResourceDefinition(name="db", layer_data=luks)
    definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=body))
    put("old")
    with pytest.raises(Refused, match="its layer stack is LUKS, STORAGE"):
        taking.import_(cluster.core, "db", stranger("old"))


def test_what_is_imported_is_deleted_and_grown_as_any_other(cluster, backend, put, host):
    put("old")
    taking.import_(cluster.core, "db", stranger("old"))
    definitions.modify_volume(cluster.core, "db", 0, wire.VolumeDefinitionModify(size_kib=8 << 10))
    whole(cluster, backend)
    assert not resources.delete(cluster.core, "db", "alpha").failed
    cluster.settle()
    assert backend.things(host) == []


@pytest.mark.parametrize("name", ["none", "", "../old", "old/old"])
def test_what_is_not_there_is_not_imported(cluster, name):
    with pytest.raises(Refused, match="there is no"):
        taking.import_(cluster.core, "db", stranger(name))
    assert cluster.core.picture.definition("db") is None


def test_nothing_is_asked_of_a_node_that_is_away(cluster, put):
    put("old")
    cluster.nodes["alpha"].stop()
    cluster.settle()
    with pytest.raises(Refused, match="not connected: alpha"):
        taking.import_(cluster.core, "db", stranger("old"))


def test_made_volumes_by_others_keep_their_mark(cluster, backend, put, host):
    put()
    taking.adopt(cluster.core, orphan())
    with cluster.core.change() as draft:
        draft.remove(draft.definition("db"))
    cluster.settle()
    [(name, uuid)] = orphans(cluster)
    with pytest.raises(Refused, match=f"bears the mark {uuid} of cluster .*, and none was named; it was left as it is"):
        taking.import_(cluster.core, "other", stranger(name))
    assert orphans(cluster) == [(name, uuid)]


# -- removing -------------------------------------------------------------------------------------------------


def test_an_orphan_goes_when_it_is_named(cluster, backend, put, host):
    put()
    put("neighbour_00000")
    with pytest.raises(Refused) as refused:
        taking.remove(cluster.core, going(uuid="u"))
    assert refused.value.cause == "It bears no mark. The mark u was named."
    assert not taking.remove(cluster.core, going()).failed
    cluster.settle()
    assert [thing.name for thing in backend.things(host)] == ["neighbour_00000"]


def test_a_marked_orphan_goes_only_by_its_mark(cluster, backend, put, host):
    put()
    taking.adopt(cluster.core, orphan())
    with cluster.core.change() as draft:
        draft.remove(draft.definition("db"))
    cluster.settle()
    [(name, uuid)] = orphans(cluster)
    with pytest.raises(Refused) as refused:
        taking.remove(cluster.core, going(name))
    assert refused.value.cause == f"It bears the mark {uuid}. No mark was named."
    assert [thing.name for thing in backend.things(host)] == [STRANGER]
    assert not taking.remove(cluster.core, going(name, uuid)).failed
    assert backend.things(host) == []


def test_an_orphan_in_use_stays(cluster, backend, put, host):
    put()
    _everything_in_use(host)
    with pytest.raises(Refused, match="in use"):
        taking.remove(cluster.core, going())
    assert content(backend, host, STRANGER).blocks[0] == DATA


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("at", range(1, 4))
def test_a_removal_that_was_cut_is_finished_by_asking_again(backend, at, moment):
    cluster = cluster_of(backend)
    node = cluster.nodes["alpha"]
    backend.put(node.host, STRANGER)
    cluster.settle()
    node.host.faults.crash(at, moment)
    with contextlib.suppress(Refused):  # the node went away meanwhile
        taking.remove(cluster.core, going())
    cluster.heal()
    cluster.settle()
    for name, uuid in orphans(cluster):
        taking.remove(cluster.core, going(name, uuid))
    assert backend.things(node.host) == []
