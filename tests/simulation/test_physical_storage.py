"""What pools stand on, made of unused devices and taken apart again, with everything that can go wrong between."""

import pytest

from orlop.codes import ERROR, Fail
from orlop.controller import wire
from orlop.controller.usecases import physical_storage, pools, resources
from orlop.errors import BadName, BadProperty, Refused
from orlop.model import GIB
from orlop.testing.cluster import SimulatedCluster
from tests.simulation.crates import FOLDER, SIGNATURE, WOOD, mkcrate, with_crates
from tests.simulation.test_pools import define

DISKS = ("/dev/vdb", "/dev/vdc")


@pytest.fixture
def cluster():
    made = SimulatedCluster(("alpha", "bravo"), seed=5, drivers=with_crates())
    made.register()
    for node in made.nodes.values():
        node.host.installed["mkcrate"] = mkcrate
        for path in DISKS:
            node.host.disk.add_disk(path, 2 * GIB)
    return made


def request(*devices, pool="crates", name="first", provider="CRATE", **more):
    wanted = wire.PhysicalStorageStoragePoolCreate(name=pool, props=more.pop("props", {})) if pool else None
    return wire.PhysicalStorageCreate(
        provider_kind=provider, device_paths=devices or DISKS, pool_name=name, with_storage_pool=wanted, **more
    )


def make(cluster, *devices, **more):
    return physical_storage.create(cluster.core, "alpha", request(*devices, **more))


def unused(cluster, node="alpha"):
    return [d.device for d in physical_storage.devices(cluster.core, node)]


def disk(cluster):
    return cluster.nodes["alpha"].host.disk


def signatures(cluster):
    return [disk(cluster).disks[path].signatures for path in DISKS]


def test_a_pool_is_made_of_unused_devices_and_can_be_used(cluster):
    assert unused(cluster) == list(DISKS)
    answers = make(cluster, props={WOOD: "oak"})
    assert not answers.failed, [e.message for e in answers]
    assert unused(cluster) == []
    assert unused(cluster, "bravo") == list(DISKS)
    pool = cluster.core.picture.pool("alpha", "crates")
    assert pool.props == {FOLDER: "/crates/first", WOOD: "oak"}
    assert not pool.new
    define(cluster)
    body = wire.Resource(node_name="alpha", props={"StorPoolName": "crates"})
    assert not resources.create(cluster.core, "web", (wire.ResourceCreate(resource=body),)).failed


def test_without_a_storage_pool_only_the_backing_is_made(cluster):
    assert not make(cluster, pool=None, name=None).failed
    assert disk(cluster).folders["/crates/linstor_vdb"] == {}
    assert cluster.core.picture.pool("alpha", "crates") is None
    again = make(cluster, pool=None, name=None)
    assert not again.failed, "what is there already is as it was asked for"


@pytest.mark.parametrize("how", ["signed", "used", "unknown", "partition of a used disk"])
def test_only_devices_that_are_unused_and_blank_right_now_are_touched(cluster, how):
    device = {"unknown": "/dev/vdx"}.get(how, "/dev/vdc")
    if how == "signed":
        disk(cluster).disks["/dev/vdc"].signatures.append("ext4")
    elif how == "used":
        disk(cluster).use("/dev/vdc", "another program")
    elif how != "unknown":
        device = "/dev/vdc1"
    before = signatures(cluster)
    with pytest.raises(Refused) as refused:
        make(cluster, "/dev/vdb", device)
    assert device in refused.value.message
    assert signatures(cluster) == before
    assert cluster.core.picture.pool("alpha", "crates") is None


@pytest.mark.parametrize("step", [1, 2])
def test_an_attempt_that_failed_names_its_step_and_is_finished_by_the_next(cluster, step):
    cluster.nodes["alpha"].host.faults.fail(step)
    with pytest.raises(Refused) as refused:
        make(cluster)
    assert ("mkcrate sign" if step == 1 else "mkcrate open") in refused.value.cause
    assert "The same request again" in refused.value.correction
    assert cluster.core.picture.pool("alpha", "crates") is None
    assert not make(cluster).failed
    assert signatures(cluster) == [[SIGNATURE], [SIGNATURE]]


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_attempt_that_a_power_loss_cut_is_finished_by_the_next(cluster, step, moment):
    cluster.nodes["alpha"].host.faults.crash(step, moment)
    with pytest.raises(Refused) as refused:
        make(cluster)
    assert refused.value.code == Fail.NOT_CONNECTED
    cluster.nodes["alpha"].power_loss()
    cluster.nodes["alpha"].start()
    cluster.run(30.0)
    assert not make(cluster).failed
    assert cluster.core.picture.pool("alpha", "crates") is not None


def test_a_name_that_is_taken_is_not_taken_over(cluster):
    make(cluster, "/dev/vdb", pool=None)
    with pytest.raises(Refused, match="is a crate first already"):
        make(cluster, "/dev/vdc", pool="second")
    assert unused(cluster) == ["/dev/vdc"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"provider": "FILE"}, Refused),
        ({"name": "a b"}, BadName),
        ({"pool": "x"}, BadName),
        ({"props": {"Nope": "1"}}, BadProperty),
        ({"props": {WOOD: "steel"}}, BadProperty),
        ({"sed": True}, Refused),
        ({"vdo_enable": True}, Refused),
        ({"pool": "pool1"}, Refused),
    ],
    ids=lambda item: str(item),
)
def test_what_is_wrong_is_told_before_anything_is_made(cluster, more, error):
    with pytest.raises(error):
        make(cluster, **more)
    assert unused(cluster) == list(DISKS)


@pytest.mark.parametrize("devices", [("vdb",), ("/dev/../etc/passwd",), ("/dev/vdb", "/dev/vdb"), ("/etc/fstab",)])
def test_only_paths_of_devices_are_taken(cluster, devices):
    with pytest.raises(Refused):
        make(cluster, *devices)
    assert unused(cluster) == list(DISKS)


def test_a_node_that_is_away_is_named(cluster):
    cluster.nodes["alpha"].stop()
    cluster.run(30.0)
    with pytest.raises(Refused, match="Node 'alpha' is not connected") as refused:
        make(cluster)
    assert refused.value.code == Fail.NOT_CONNECTED


def test_a_pool_that_cannot_be_registered_takes_its_backing_with_it(cluster):
    """The backing is made, but marking it fails."""
    cluster.nodes["alpha"].host.faults.fail(3)
    answers = make(cluster)
    assert [e.code for e in answers if e.severity == ERROR] == [Fail.STOR_POOL_CONFIGURATION_ERROR]
    assert cluster.core.picture.pool("alpha", "crates") is None
    assert unused(cluster) == list(DISKS)


def test_an_empty_pool_is_taken_apart_and_its_devices_are_unused_again(cluster):
    make(cluster)
    answers = physical_storage.remove(cluster.core, "alpha", "crates")
    assert not answers.failed
    assert unused(cluster) == list(DISKS)
    assert cluster.core.picture.pool("alpha", "crates") is None
    assert not make(cluster).failed


def test_a_pool_in_use_is_not_taken_apart(cluster):
    make(cluster)
    define(cluster)
    body = wire.Resource(node_name="alpha", props={"StorPoolName": "crates"})
    resources.create(cluster.core, "web", (wire.ResourceCreate(resource=body),))
    with pytest.raises(Refused, match="it is in use") as refused:
        physical_storage.remove(cluster.core, "alpha", "crates")
    assert refused.value.code == Fail.IN_USE
    assert unused(cluster) == []


def test_a_pool_with_something_foreign_in_it_is_not_taken_apart_and_stays(cluster):
    make(cluster)
    there = disk(cluster)
    there.put("/crates/first/letters", there.new_file(4096, 4096))
    before = cluster.core.picture.pool("alpha", "crates")
    with pytest.raises(Refused, match="letters is in it"):
        physical_storage.remove(cluster.core, "alpha", "crates")
    assert cluster.core.picture.pool("alpha", "crates") == before
    assert unused(cluster) == []


def test_a_backing_that_nobody_made_here_is_not_taken_apart(cluster):
    disk(cluster).make_folder("/crates/theirs")
    body = wire.StoragePool(
        storage_pool_name="theirs", provider_kind="CRATE", props={"StorDriver/StorPoolName": "/crates/theirs"}
    )
    pools.create(cluster.core, "alpha", body)
    mkcrate(disk(cluster), ("sign", "/crates/theirs", "another-cluster", "/dev/vdb"))
    with pytest.raises(Refused, match="was not made by this cluster"):
        physical_storage.remove(cluster.core, "alpha", "theirs")
    assert cluster.core.picture.pool("alpha", "theirs") is not None
    assert unused(cluster) == ["/dev/vdc"]


def test_a_backing_that_is_no_pool_can_be_taken_apart_by_its_name(cluster):
    make(cluster, pool=None)
    assert not physical_storage.remove_backing(cluster.core, "alpha", "CRATE", "/crates/first").failed
    assert unused(cluster) == list(DISKS)
    make(cluster)
    with pytest.raises(Refused, match="the place of storage pool 'crates'"):
        physical_storage.remove_backing(cluster.core, "alpha", "CRATE", "/crates/first")


@pytest.mark.parametrize("step", [1])
def test_taking_apart_that_was_cut_is_finished_by_the_next_attempt(cluster, step):
    make(cluster)
    cluster.nodes["alpha"].host.faults.fail(step)
    with pytest.raises(Refused, match="could not be taken apart"):
        physical_storage.remove(cluster.core, "alpha", "crates")
    assert cluster.core.picture.pool("alpha", "crates") is not None
    assert not physical_storage.remove(cluster.core, "alpha", "crates").failed
    assert unused(cluster) == list(DISKS)


def test_a_satellite_obeys_no_older_controller(cluster):
    old = cluster.core
    cluster.start_controller()
    cluster.run(30.0)
    with pytest.raises(Refused):
        physical_storage.create(old, "alpha", request())
    assert signatures(cluster) == [[], []]
