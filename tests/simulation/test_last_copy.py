"""A node that comes back with what is to go: its own look whether others have the data, whatever is closed below."""

import pytest

from orlop.controller import wire
from orlop.controller.usecases import definitions, encryption, nodes, resources, spawning, toggling
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK
from tests.simulation.backends import BACKENDS

DATA = b"the content of the volume".ljust(BLOCK, b".")
PASSPHRASE = "correct horse"
FILES, LOGICAL, ZVOLS = (next(b for b in BACKENDS if b.provider == kind) for kind in ("FILE_THIN", "LVM", "ZFS"))
LUKS, PLAIN = ("drbd", "luks", "storage"), ("drbd", "storage")


class Replicated(SimulatedCluster):
    """`web` on two nodes, with data; `going` names the one that is to lose its replica, `staying` the other."""

    def __init__(self, series, backend, stack, sizes=(1024,)):
        super().__init__(names=("alpha", "bravo"), seed=17, drbd=series)
        self.backend, self.count = backend, len(sizes)
        for node in self.nodes.values():
            backend.prepare(node.host)
        self.register(provider=backend.provider, place=backend.place)
        encryption.create(self.core, PASSPHRASE)
        rule = wire.AutoSelectFilter(place_count=2, layer_stack=stack)
        body = wire.ResourceGroupSpawn(resource_definition_name="web", volume_sizes=sizes, select_filter=rule)
        answers = spawning.spawn(self.core, "DfltRscGrp", body)
        assert not answers.failed, [entry.message for entry in answers]
        self.settle()
        first = self.core.picture.definition("web").volume_definitions[0].first
        self.going = next(r.node for r in self.replicas.values() if r.volumes[0].uuid == first)
        self.staying = next(name for name in self.nodes if name != self.going)
        self.write(self.going)
        self.settle()

    @property
    def replicas(self):
        definition = self.core.picture.definition("web")
        return {r.node: r for r in definition.resources} if definition else {}

    def write(self, name):
        host = self.nodes[name].host
        host.run(("drbdadm", "primary", "web"))
        for volume in self.core.picture.definition("web").volume_definitions:
            host.disk.write(f"/dev/drbd{volume.minor}", 0, DATA)
        host.run(("drbdsetup", "events2", "--now", "--statistics"))
        host.run(("drbdadm", "secondary", "web"))

    def reads(self, name):
        """What a user finds there."""
        host = self.nodes[name].host
        host.run(("drbdadm", "primary", "web"))
        minors = [volume.minor for volume in self.core.picture.definition("web").volume_definitions]
        found = [host.disk.read(f"/dev/drbd{minor}", 0, BLOCK) for minor in minors]
        host.run(("drbdadm", "secondary", "web"))
        return found

    def deleted_while_away(self):
        """The order reaches the node only when it has booted."""
        self.nodes[self.going].stop()
        answers = resources.delete(self.core, "web", self.going)
        assert not answers.failed
        self.nodes[self.going].power_loss()
        self.nodes[self.going].host.ran.clear()

    def comes_back(self):
        self.nodes[self.going].start()
        self.settle()

    def stored(self):
        return [thing.name for thing in self.backend.things(self.nodes[self.going].host)]

    def said(self):
        return self.core.reported.resource(self.going, "web").problem

    def ran(self, *words):
        """Where each command that has all the words stands among those that the node ran."""
        return [n for n, argv in enumerate(self.nodes[self.going].host.ran) if set(words) <= set(argv)]


BELOW = [
    pytest.param("8.4", FILES, PLAIN, id="8.4-file"),
    pytest.param("8.4", LOGICAL, PLAIN, id="8.4-lvm"),
    pytest.param("8.4", LOGICAL, LUKS, id="8.4-luks"),
    pytest.param("9", FILES, PLAIN, id="9-file"),
    pytest.param("9", LOGICAL, PLAIN, id="9-lvm"),
    pytest.param("9", ZVOLS, PLAIN, id="9-zvol"),
    pytest.param("9", FILES, LUKS, id="9-luks"),
    pytest.param("9", LOGICAL, LUKS, id="9-luks-lvm"),
]


@pytest.mark.parametrize(("series", "backend", "stack"), BELOW)
def test_what_was_closed_by_a_boot_is_compared_with_others_before_it_goes(series, backend, stack):
    cluster = Replicated(series, backend, stack)
    cluster.deleted_while_away()
    cluster.comes_back()
    assert list(cluster.replicas) == [cluster.staying]
    assert cluster.stored() == []
    assert max(cluster.ran("drbdadm", "adjust", "web")) < min(cluster.ran("drbdsetup", "down", "web"))
    assert cluster.reads(cluster.staying) == [DATA]
    assert not cluster.nodes[cluster.going].host.disk.folders["/var/lib/orlop/drbd"]


@pytest.mark.parametrize(("series", "backend", "stack"), BELOW)
def test_what_was_closed_by_a_boot_stays_while_no_other_copy_is_seen(series, backend, stack):
    cluster = Replicated(series, backend, stack)
    cluster.deleted_while_away()
    cluster.nodes[cluster.staying].power_loss()
    cluster.comes_back()
    assert "web_00000 is kept: this node sees no other replica" in cluster.said()
    assert "or delete the definition" in cluster.said()
    assert cluster.stored() == ["web_00000"]
    assert not cluster.ran("drbdsetup", "down", "web")
    cluster.run(7200)
    assert cluster.stored() == ["web_00000"]
    cluster.nodes[cluster.staying].start()
    cluster.settle()  # not only when its turn comes again
    assert list(cluster.replicas) == [cluster.staying]
    assert cluster.stored() == []
    assert cluster.reads(cluster.staying) == [DATA]


@pytest.mark.parametrize("series", ["8.4", "9"])
def test_all_volumes_are_judged_before_any_goes(series):
    cluster = Replicated(series, LOGICAL, LUKS, sizes=(1024, 1024))
    cluster.deleted_while_away()
    cluster.nodes[cluster.staying].power_loss()
    cluster.comes_back()
    assert cluster.stored() == ["web_00000", "web_00001"]
    cluster.nodes[cluster.staying].start()
    cluster.settle()
    assert cluster.stored() == []
    assert cluster.reads(cluster.staying) == [DATA, DATA]


@pytest.mark.parametrize("series", ["8.4", "9"])
def test_what_the_other_copy_lacks_goes_there_first(series):
    """The controller heard of no change; only the two nodes, when they meet, see who has what."""
    cluster = Replicated(series, LOGICAL, LUKS)
    cluster.nodes[cluster.going].stop()
    cluster.nodes[cluster.staying].stop()
    cluster.network.cut.add(frozenset(cluster.nodes))
    assert not resources.delete(cluster.core, "web", cluster.going).failed
    host = cluster.nodes[cluster.going].host
    host.run(("drbdadm", "primary", "web"))
    (volume,) = cluster.core.picture.definition("web").volume_definitions
    host.disk.write(f"/dev/drbd{volume.minor}", BLOCK, DATA)
    host.run(("drbdsetup", "events2", "--now", "--statistics"))
    cluster.nodes[cluster.going].power_loss()
    cluster.nodes[cluster.staying].start()
    cluster.comes_back()
    assert cluster.stored() == ["web_00000"]
    cluster.network.cut.clear()
    cluster.settle()
    assert cluster.stored() == []
    host = cluster.nodes[cluster.staying].host
    host.run(("drbdadm", "primary", "web"))
    assert host.disk.read(f"/dev/drbd{volume.minor}", BLOCK, BLOCK) == DATA


def test_without_its_key_it_stays_and_says_so():
    cluster = Replicated("8.4", LOGICAL, LUKS)
    cluster.deleted_while_away()
    cluster.start_controller()
    cluster.comes_back()
    assert "web_00000 is kept until it was seen that others have its data" in cluster.said()
    assert "passphrase" in cluster.said()
    assert cluster.stored() == ["web_00000"]
    encryption.enter(cluster.core, PASSPHRASE)
    cluster.settle()
    assert cluster.stored() == []
    assert list(cluster.replicas) == [cluster.staying]


def test_a_header_that_opens_with_no_key_stays_and_says_so():
    cluster = Replicated("8.4", LOGICAL, LUKS)
    cluster.nodes[cluster.going].host.run(("cryptsetup", "--batch-mode", "erase", "/dev/vg0/web_00000"))
    cluster.deleted_while_away()
    cluster.comes_back()
    assert "web_00000 is kept until it was seen that others have its data" in cluster.said()
    assert cluster.stored() == ["web_00000"]


def test_a_pool_that_is_gone_keeps_what_was_in_it():
    cluster = Replicated("8.4", FILES, LUKS)
    cluster.deleted_while_away()
    folder = cluster.nodes[cluster.going].host.disk.folders.pop(POOL)
    cluster.comes_back()
    assert cluster.replicas[cluster.going].volumes
    assert POOL in cluster.said()
    cluster.nodes[cluster.going].host.disk.folders[POOL] = folder
    cluster.run(120)
    assert list(cluster.replicas) == [cluster.staying]
    assert cluster.stored() == []


def test_what_was_not_active_is_opened_to_be_judged():
    cluster = Replicated("8.4", LOGICAL, LUKS)
    assert not resources.deactivate(cluster.core, "web", cluster.going).failed
    cluster.settle()
    assert not cluster.nodes[cluster.going].host.drbd.resources
    cluster.network.cut.add(frozenset(cluster.nodes))
    resources.delete(cluster.core, "web", cluster.going)
    cluster.settle()
    assert cluster.stored() == ["web_00000"]
    cluster.network.cut.clear()
    cluster.settle()
    assert cluster.stored() == []
    assert cluster.reads(cluster.staying) == [DATA]


@pytest.mark.parametrize("series", ["8.4", "9"])
def test_whoever_deletes_the_definition_gives_the_last_copy_up(series):
    cluster = Replicated(series, LOGICAL, LUKS)
    cluster.deleted_while_away()
    cluster.nodes[cluster.staying].power_loss()
    cluster.comes_back()
    assert cluster.stored() == ["web_00000"]
    definitions.delete(cluster.core, "web")
    cluster.settle()
    assert cluster.stored() == []
    cluster.nodes[cluster.staying].start()
    cluster.settle()
    assert cluster.core.picture.definition("web") is None


def test_a_lost_node_is_not_waited_for():
    cluster = Replicated("8.4", LOGICAL, LUKS)
    cluster.deleted_while_away()
    assert not nodes.lost(cluster.core, cluster.going).failed
    cluster.settle()
    assert list(cluster.replicas) == [cluster.staying]


def test_a_disk_that_is_given_up_is_judged_by_the_device_without_it():
    """What was closed by the boot need not be opened: the device stays, and sees the others."""
    cluster = Replicated("9", LOGICAL, LUKS)
    cluster.nodes[cluster.going].stop()
    body = wire.ToggleDiskRequest(operation="INTO_DRBD_DISKLESS")
    assert not toggling.toggle_disk(cluster.core, "web", cluster.going, body).failed
    cluster.nodes[cluster.going].power_loss()
    cluster.nodes[cluster.staying].power_loss()
    cluster.comes_back()
    assert cluster.stored() == ["web_00000"]
    assert "web_00000 is kept: this node sees no other replica" in cluster.said()
    cluster.nodes[cluster.staying].start()
    cluster.settle()
    assert cluster.stored() == []
    assert cluster.reads(cluster.staying) == [DATA]


def test_what_comes_up_to_be_judged_is_not_for_use():
    cluster = Replicated("9", FILES, PLAIN)
    cluster.deleted_while_away()
    cluster.nodes[cluster.staying].power_loss()
    cluster.comes_back()
    assert cluster.nodes[cluster.going].host.drbd.resources["web"].option("auto-promote") == "no"


@pytest.mark.parametrize("series", ["8.4", "9"])
def test_a_crash_at_any_step_of_it_is_made_good(series):
    for number in range(1, 16):
        for moment in ("before", "after"):
            cluster = Replicated(series, LOGICAL, LUKS)
            cluster.deleted_while_away()
            cluster.nodes[cluster.going].host.faults.crash(number, moment)
            cluster.comes_back()
            cluster.nodes[cluster.going].power_loss()
            cluster.heal()
            cluster.settle()
            assert cluster.stored() == [], f"{moment} step {number}"
            assert list(cluster.replicas) == [cluster.staying]
            assert cluster.reads(cluster.staying) == [DATA]
