"""What is locked against deletion stays, whichever way it is asked to go."""

import pytest

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.usecases import (
    definitions,
    evacuation,
    forgetting,
    nodes,
    protection,
    resources,
    rolling_back,
    snapshots,
)
from orlop.errors import Refused
from orlop.testing.cluster import SimulatedCluster

DELETIONS = {
    "the definition": lambda core: definitions.delete(core, "web"),
    "all resources": lambda core: resources.delete_all(core, "web", delete_definition=False),
    "all resources and the definition": lambda core: resources.delete_all(core, "web", delete_definition=True),
    "the last resource": lambda core: resources.delete(core, "web", "alpha"),
    "a volume": lambda core: definitions.delete_volume(core, "web", 0),
    "what was written since a snapshot": lambda core: rolling_back.rollback(
        core, "web", "kept", wire.SnapshotRollback()
    ),
}
LOSSES = {
    "a lost node": lambda core: nodes.lost(core, "alpha"),
    "a lost pool": lambda core: forgetting.pool_lost(core, "alpha", "pool1"),
}


@pytest.fixture
def on_alpha(cluster, create):
    """A resource with one volume on one node."""
    body = wire.ResourceDefinitionCreate(
        resource_definition=wire.ResourceDefinition(
            name="web", volume_definitions=(wire.VolumeDefinition(size_kib=64),)
        )
    )
    definitions.create(cluster.core, body)
    create("web", "alpha")
    return cluster


def _snapshot(cluster, name="kept"):
    snapshots.create(cluster.core, "web", wire.Snapshot(name=name))


@pytest.mark.parametrize("delete", DELETIONS.values(), ids=DELETIONS)
def test_a_locked_definition_keeps_its_data(on_alpha, delete):
    if delete is DELETIONS["what was written since a snapshot"]:
        _snapshot(on_alpha)
    protection.lock(on_alpha.core, "web", True)
    before = on_alpha.core.picture
    with pytest.raises(Refused, match="'web' is locked against deletion") as refused:
        delete(on_alpha.core)
    assert on_alpha.core.picture is before
    assert refused.value.code == Fail.ACC_DENIED_RSC_DFN
    assert "orlop resource-definition unlock web" in refused.value.correction
    protection.lock(on_alpha.core, "web", False)
    assert not delete(on_alpha.core).failed


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_what_is_locked_is_not_forgotten_with_its_last_node(on_alpha, lose):
    protection.lock(on_alpha.core, "web", True)
    on_alpha.nodes["alpha"].stop()
    on_alpha.settle()
    with pytest.raises(Refused, match=r"Forgetting .*'web' is locked"):
        lose(on_alpha.core)
    protection.lock(on_alpha.core, "web", False)
    lose(on_alpha.core)


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_locked_snapshot_is_not_forgotten_with_its_last_node(on_alpha, lose):
    _snapshot(on_alpha)
    protection.lock_snapshot(on_alpha.core, "web", "kept", True)
    on_alpha.nodes["alpha"].stop()
    on_alpha.settle()
    with pytest.raises(Refused, match=r"Forgetting .*snapshot 'kept' of 'web' is locked"):
        lose(on_alpha.core)


def test_a_replica_that_is_not_the_last_goes_also_of_a_locked_definition(cluster, spawn):
    spawn(count=2)
    protection.lock(cluster.core, "web", True)
    gone, left = (r.node for r in cluster.core.picture.definition("web").resources)
    assert not resources.delete(cluster.core, "web", gone).failed
    with pytest.raises(Refused, match="Deleting the last resource is refused"):
        resources.delete(cluster.core, "web", left)
    cluster.nodes[left].stop()
    cluster.settle()
    with pytest.raises(Refused, match="locked"):
        nodes.lost(cluster.core, left)


def test_a_locked_snapshot_is_deleted_neither_whole_nor_in_part_nor_with_a_restored_node(on_alpha):
    _snapshot(on_alpha)
    protection.lock_snapshot(on_alpha.core, "web", "kept", True)
    for some in ((), ("alpha",)):
        with pytest.raises(Refused, match="snapshot 'kept' of 'web' is locked") as refused:
            snapshots.delete(on_alpha.core, "web", "kept", some)
        assert refused.value.code == Fail.ACC_DENIED_SNAPSHOT
    told = evacuation.restore(on_alpha.core, "alpha", wire.NodeRestore(delete_snapshots=True))
    assert any("locked against deletion" in entry.message for entry in told)
    assert [s.name for s in on_alpha.core.picture.definition("web").snapshots] == ["kept"]
    protection.lock_snapshot(on_alpha.core, "web", "kept", False)
    assert not snapshots.delete(on_alpha.core, "web", "kept").failed
    assert on_alpha.core.picture.definition("web").snapshots == ()


def test_a_snapshot_of_a_locked_definition_has_a_lock_of_its_own(on_alpha):
    _snapshot(on_alpha)
    protection.lock(on_alpha.core, "web", True)
    assert not snapshots.delete(on_alpha.core, "web", "kept").failed


def test_the_lock_outlives_the_controller_and_changes_nothing_on_a_node(on_alpha):
    on_alpha.settle()
    sent = len(on_alpha.sent)
    assert not protection.lock(on_alpha.core, "web", True).failed
    on_alpha.settle()
    assert [message for _, message in on_alpha.sent[sent:] if message.pools or message.forget] == []
    on_alpha.start_controller()
    assert protection.LOCKED in on_alpha.core.picture.definition("web").flags


def test_what_is_being_deleted_is_not_locked_any_more(on_alpha):
    on_alpha.nodes["alpha"].stop()
    on_alpha.settle()
    definitions.delete(on_alpha.core, "web")
    with pytest.raises(Refused, match="is being deleted"):
        protection.lock(on_alpha.core, "web", True)


def test_locking_twice_says_so():
    cluster = SimulatedCluster(("alpha",))
    cluster.register()
    body = wire.ResourceDefinitionCreate(resource_definition=wire.ResourceDefinition(name="web"))
    definitions.create(cluster.core, body)
    first, second = (list(protection.lock(cluster.core, "web", True)) for _ in range(2))
    assert [first[0].message, second[0].message] == [
        "Resource definition 'web' is locked against deletion.",
        "Resource definition 'web' is locked against deletion already; nothing was done.",
    ]
