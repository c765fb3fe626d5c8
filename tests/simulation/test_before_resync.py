"""A snapshot that a node takes by itself before DRBD overwrites its data, and what becomes of it."""

import contextlib

import pytest

from orlop.controller import wire
from orlop.controller.usecases import definitions, encryption, insight, settings, snapshots, spawning
from orlop.model import MIB
from orlop.model.keeping import SNAPSHOT
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.disk import BLOCK
from orlop.testing.drbd import DIRECTORY
from orlop.testing.faults import Crash
from tests.simulation.backends import Files, LogicalVolumes, SparseZvols, ThinVolumes, Zvols

ONE, TWO = NODES = ("alpha", "bravo")
OLD, NEW = b"old".ljust(BLOCK, b"."), b"new".ljust(BLOCK, b".")
OPTION = "DrbdOptions/Orlop/snapshot-before-resync"
NAME = f"web_00000.{SNAPSHOT}"


class World:
    """A resource on two nodes, the second of which can be left behind."""

    def __init__(self, drbd, backend, value="try", layers=("drbd", "storage"), early=False):
        self.backend = backend
        self.cluster = SimulatedCluster(NODES, seed=3, drbd=drbd)
        for node in self.cluster.nodes.values():
            backend.prepare(node.host)
        self.cluster.register(provider=backend.provider, place=backend.place)
        if "luks" in layers:
            encryption.create(self.cluster.core, "correct horse")
        if early:
            body = wire.PropertiesModify(override_props={OPTION: value})
            settings.modify(self.cluster.core, body)
        body = wire.ResourceGroupSpawn(
            resource_definition_name="web",
            volume_sizes=(4 * MIB >> 10,),
            select_filter=wire.AutoSelectFilter(place_count=2, layer_stack=layers),
        )
        answers = spawning.spawn(self.cluster.core, "DfltRscGrp", body)
        assert not answers.failed, [entry.message for entry in answers]
        self.cluster.settle()
        self.set(OPTION, value)
        self.cluster.settle()
        self.write(OLD)
        self.cluster.settle(30)

    def set(self, name, value):
        body = wire.ResourceDefinitionModify(override_props={name: value})
        answers = definitions.modify(self.cluster.core, "web", body)
        assert not answers.failed, [entry.message for entry in answers]

    def host(self, node):
        return self.cluster.nodes[node].host

    def write(self, data):
        host = self.host(ONE)
        host.run(("drbdadm", "primary", "web"))
        minor = self.cluster.core.picture.definition("web").volume_definitions[0].minor
        host.disk.write(f"/dev/drbd{minor}", 0, data)

    def leave_behind(self):
        self.cluster.network.cut.add(frozenset(NODES))
        self.cluster.settle(30)
        self.write(NEW)
        self.cluster.settle(30)

    def begin(self):
        """The two have met again, and nobody has looked more than once."""
        self.cluster.network.cut.clear()
        self.cluster.network.settle()

    def things(self, node=TWO, name=NAME):
        found = [thing for thing in self.backend.things(self.host(node)) if thing.name == name]
        return [thing.content.blocks.get(0) for thing in found]

    def blocks(self, name):
        (found,) = [thing for thing in self.backend.things(self.host(TWO)) if thing.name == name]
        return dict(found.content.blocks)

    def notes(self, node=TWO):
        return [n for n in self.host(node).disk.folders[DIRECTORY] if n.endswith((".kept", ".keeping"))]

    def facts(self, node=TWO):
        report = self.cluster.core.reported.resource(node, "web")
        return next(level.facts for v in report.volumes for level in v.levels if level.layer == "DRBD")


BACKENDS = [Files(), LogicalVolumes(), ThinVolumes(), Zvols(), SparseZvols()]


@pytest.mark.parametrize("drbd", ["8.4", "9"])
@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.provider)
def test_the_data_of_before_is_there_while_it_is_overwritten_and_gone_after(drbd, backend):
    world = World(drbd, backend)
    world.leave_behind()
    assert not world.things()
    world.begin()
    assert world.things() == [OLD]
    assert not world.things(ONE)
    world.cluster.settle(30)
    assert world.things(name="web_00000") == [NEW]
    assert not world.things()
    assert [name for name in world.notes() if name.endswith(".kept")] == []
    assert not insight.orphans(world.cluster.core, frozenset())


def test_the_first_copy_overwrites_nothing_that_is_worth_it():
    world = World("8.4", LogicalVolumes(), early=True)
    assert not [argv for node in NODES for argv in world.host(node).ran if "--snapshot" in argv]
    world.leave_behind()
    world.begin()
    assert world.things() == [OLD]


def test_what_is_encrypted_is_kept_as_it_lies_there():
    world = World("8.4", LogicalVolumes(), layers=("drbd", "luks", "storage"))
    world.leave_behind()
    before = world.blocks("web_00000")
    world.begin()
    assert world.blocks(NAME) == before
    assert OLD not in before.values()
    world.cluster.settle(60)
    assert world.blocks("web_00000") != before
    assert not world.things()


def test_without_leave_nothing_is_taken():
    world = World("8.4", ThinVolumes(), value="no")
    world.leave_behind()
    world.begin()
    assert not world.things()
    assert not world.notes()


def test_leave_that_is_taken_back_ends():
    world = World("8.4", ThinVolumes())
    assert world.notes()
    world.set(OPTION, "no")
    world.cluster.settle()
    assert not world.notes()
    assert "before-resync" not in world.host(TWO).disk.get(f"{DIRECTORY}/web.res").text


def test_handlers_of_an_administrator_are_in_force_instead():
    world = World("8.4", ThinVolumes())
    world.set("DrbdOptions/Handlers/before-resync-target", "/usr/local/sbin/mine")
    world.cluster.settle()
    text = world.host(TWO).disk.get(f"{DIRECTORY}/web.res").text
    assert "/usr/local/sbin/mine" in text
    assert "orlop.satellite" not in text
    assert not world.notes()


@pytest.mark.parametrize("drbd", ["8.4", "9"])
def test_what_is_kept_stays_and_is_told_until_the_synchronization_has_finished(drbd):
    """Lost in the middle: what it had before is all that this node has."""
    world = World(drbd, ThinVolumes())
    world.leave_behind()
    world.begin()
    world.cluster.network.cut.add(frozenset(NODES))
    world.cluster.settle(60)
    assert world.things() == [OLD]
    assert world.facts()["before_resync"] == "kept"
    (orphan,) = insight.orphans(world.cluster.core, frozenset())
    assert orphan.name == NAME
    assert "before a synchronization" in orphan.purpose
    world.write(OLD[::-1])
    world.begin()  # what is half overwritten is not what is kept
    assert world.things() == [OLD]
    world.cluster.settle(60)
    assert not world.things()
    assert "before_resync" not in world.facts()


def test_what_drbd_did_not_tell_of_is_removed_by_the_satellite():
    world = World("8.4", ThinVolumes())
    world.leave_behind()
    world.begin()
    world.host(TWO).disk.helper = None  # the handler that would follow is lost
    world.cluster.settle(60)
    assert not world.things()
    assert not [name for name in world.notes() if name.endswith(".kept")]


def full(world):
    world.backend.fill(world.host(TWO), True)


def test_where_there_is_no_room_it_goes_on_and_says_so():
    world = World("8.4", LogicalVolumes())
    full(world)
    world.leave_behind()
    world.begin()
    assert not world.things()
    (note,) = [name for name in world.notes() if name.endswith(".kept")]
    assert "problem" in world.host(TWO).disk.get(f"{DIRECTORY}/{note}").text
    world.cluster.settle(60)
    assert world.things(name="web_00000") == [NEW]


@pytest.mark.parametrize("drbd", ["8.4", "9"])
def test_where_it_is_required_nothing_is_overwritten_without_it(drbd):
    world = World(drbd, LogicalVolumes(), value="require")
    full(world)
    world.leave_behind()
    world.begin()
    world.cluster.settle(60)
    assert world.things(name="web_00000") == [OLD]
    (told,) = insight.differences(world.cluster.core, frozenset())
    assert (told.node_name, told.snapshot_name) == (TWO, SNAPSHOT)
    assert "no space left" in told.problem
    world.backend.fill(world.host(TWO), False)
    world.host(TWO).run(("drbdadm", "adjust", "web"))
    world.cluster.settle(60)
    assert world.things(name="web_00000") == [NEW]
    assert not world.things()
    assert not insight.differences(world.cluster.core, frozenset())


def test_a_snapshot_of_a_user_is_never_taken_for_it():
    world = World("8.4", ThinVolumes())
    world.host(ONE).run(("drbdadm", "secondary", "web"))
    world.cluster.settle(30)
    answers = snapshots.create(world.cluster.core, "web", wire.Snapshot(name="before-resync"))
    assert not answers.failed, [entry.message for entry in answers]
    world.cluster.settle(30)
    world.leave_behind()
    world.begin()
    assert world.things() == [OLD]
    world.cluster.settle(60)
    assert not world.things()
    assert world.things(name="web_00000.before-resync") == [OLD]


def test_somebody_elses_object_of_that_name_is_left_alone():
    world = World("8.4", ThinVolumes())
    world.backend.put(world.host(TWO), NAME)
    world.leave_behind()
    world.begin()
    world.cluster.settle(60)
    assert len(world.things()) == 1
    assert world.things(name="web_00000") == [NEW]


@pytest.mark.parametrize("backend", BACKENDS[1:], ids=lambda backend: backend.provider)
def test_it_goes_with_its_volume(backend):
    world = World("8.4", backend)
    world.leave_behind()
    world.begin()
    world.cluster.network.cut.add(frozenset(NODES))
    world.cluster.settle(60)
    assert world.things() == [OLD]
    world.host(ONE).run(("drbdadm", "secondary", "web"))
    world.cluster.settle(30)
    answers = definitions.delete(world.cluster.core, "web")
    assert not answers.failed, [entry.message for entry in answers]
    world.cluster.settle(120)
    assert not list(world.backend.things(world.host(TWO)))
    assert not world.notes()
    assert not backend.left_over(world.host(TWO))


@pytest.mark.parametrize("number", range(1, 5))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_whatever_is_cut_it_is_gone_in_the_end(number, moment):
    world = World("8.4", LogicalVolumes())
    world.leave_behind()
    world.host(TWO).faults.crash(number, moment)
    with contextlib.suppress(Crash):  # the machine stops where the program is cut
        world.begin()
    world.cluster.nodes[TWO].power_loss()
    world.cluster.heal()
    world.cluster.settle(120)
    assert world.things(name="web_00000") == [NEW]
    assert not world.things()
    assert not [name for name in world.notes() if name.endswith(".kept")]
