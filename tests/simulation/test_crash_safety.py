"""Random requests, faults and crashes on a simulated cluster; whatever happens, afterwards everything is in order.

Data is real as far as the simulation goes: every volume holds a token in its first block, and at the end each volume
must hold a token that the requests made so far allow.
"""

import contextlib
import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orlop.controller import wire
from orlop.controller.cloning import CLONE
from orlop.controller.usecases import cloning, definitions, resources, restoring, rolling_back, snapshots, spawning
from orlop.errors import OrlopError
from orlop.model import KIB, Presence, key
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.commits import ControllerCrash
from orlop.testing.disk import BLOCK
from tests.simulation.backends import BACKENDS

SEQUENCES = int(os.environ.get("ORLOP_TEST_SEQUENCES", "500"))
STEPS = 25
NAMES = st.sampled_from(["one", "two", "three"])
SNAPSHOTS = st.sampled_from(["snap1", "snap2"])
NODES = st.sampled_from(["alpha", "bravo", "charlie"])
COUNTED = {"sequences": 0}


class Cluster(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        COUNTED["sequences"] += 1
        self.tokens = 0
        self.content = {}  # uuid of a volume -> tokens it may hold
        self.blank = set()  # uuids of volumes that were seen to be made from nothing
        self.kept = {}  # uuid of a snapshot's volume -> tokens it may hold
        self.foreign = set()  # (node, name) of what somebody else put into a pool
        self.vanished = set()  # uuids of volumes whose object somebody removed
        self.old = None

    @initialize(seed=st.integers(0, 2**16), reflink=st.booleans(), backend=st.sampled_from(BACKENDS))
    def begin(self, seed, reflink, backend):
        self.backend = backend
        self.cluster = SimulatedCluster(seed=seed, reflink=reflink)
        for node in self.cluster.nodes.values():
            backend.prepare(node.host)
        self.cluster.register(provider=backend.provider, place=backend.place)

    def host(self, node):
        return self.cluster.nodes[node].host

    def thing(self, node, name):
        return next((thing for thing in self.backend.things(self.host(node)) if thing.name == name), None)

    # -- requests -------------------------------------------------------------------------------------------

    def ask(self, request, *arguments):
        """What came of a request: its answers, or None when it was refused or the controller died over it."""
        try:
            return request(self.cluster.core, *arguments)
        except OrlopError:
            return None
        except ControllerCrash:
            self.cluster.start_controller()
            return None

    @rule(
        name=NAMES,
        count=st.integers(1, 3),
        sizes=st.lists(st.sampled_from([4, 64, 1000]), min_size=1, max_size=2),
        formatted=st.booleans(),
    )
    def spawn(self, name, count, sizes, formatted):
        body = wire.ResourceGroupSpawn(
            resource_definition_name=name,
            volume_sizes=tuple(sizes),
            resource_definition_props={"FileSystem/Type": "ext4"} if formatted else {},
            select_filter=wire.AutoSelectFilter(place_count=count),
        )
        self.ask(spawning.spawn, "DfltRscGrp", body)

    @rule(name=NAMES, node=NODES)
    def create(self, name, node):
        body = wire.ResourceCreate(resource=wire.Resource(node_name=node, props={"StorPoolName": "pool1"}))
        self.ask(resources.create, name, (body,))

    @rule(name=NAMES)
    def add_volume(self, name):
        body = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=64))
        self.ask(definitions.create_volume, name, body)

    @rule(name=NAMES, number=st.integers(0, 2))
    def remove_volume(self, name, number):
        self.ask(definitions.delete_volume, name, number)

    @rule(name=NAMES, node=NODES)
    def delete_resource(self, name, node):
        self.ask(resources.delete, name, node)

    @rule(name=NAMES)
    def delete(self, name):
        self.ask(definitions.delete, name)

    @rule(name=NAMES, more=st.sampled_from([8, 128, 2000]))
    def grow(self, name, more):
        found = self.cluster.core.picture.definition(name)
        if found and found.volume_definitions:
            size = found.volume_definitions[0].size // KIB + more
            number = found.volume_definitions[0].number
            self.ask(definitions.modify_volume, name, number, wire.VolumeDefinitionModify(size_kib=size))

    @rule(name=NAMES, node=NODES, active=st.booleans())
    def switch(self, name, node, active):
        self.ask(resources.activate if active else resources.deactivate, name, node)

    @rule(name=NAMES, snapshot=SNAPSHOTS)
    def take_snapshot(self, name, snapshot):
        self.ask(snapshots.create, name, wire.Snapshot(name=snapshot))
        self.learn_snapshots(name)

    def learn_snapshots(self, name):
        found = self.cluster.core.picture.definition(name)
        for taken in found.snapshots if found else ():
            for part in taken.nodes:
                for volume in part.volumes:
                    # Nothing is written while a snapshot is in the making, so it holds what its volume holds now.
                    self.kept.setdefault(volume.uuid, set(self.content.get(volume.volume, {bytes(BLOCK)})))

    @rule(name=NAMES, snapshot=SNAPSHOTS)
    def delete_snapshot(self, name, snapshot):
        self.ask(snapshots.delete, name, snapshot)

    @rule(name=NAMES, snapshot=SNAPSHOTS, into=NAMES)
    def restore(self, name, snapshot, into):
        body = wire.SnapshotRestore(to_resource=into)
        if self.cluster.core.picture.definition(into) is None:
            definition = wire.ResourceDefinition(name=into)
            self.ask(definitions.create, wire.ResourceDefinitionCreate(resource_definition=definition))
            self.ask(restoring.restore_volume_definitions, name, snapshot, body)
        self.ask(restoring.restore_resource, name, snapshot, body)

    @rule(name=NAMES, into=NAMES)
    def clone(self, name, into):
        self.learn()
        picture = self.cluster.core.picture
        source, known = picture.definition(name), picture.definition(into)
        held = {(r.node, v.number): self.content[v.uuid] for r in source.resources for v in r.volumes} if source else {}
        self.ask(cloning.start, name, wire.ResourceDefinitionClone(name=into))
        self.learn_snapshots(name)
        made = self.cluster.core.picture.definition(into)
        if made is not None and (known is None or known.uuid != made.uuid):
            for resource in made.resources:
                for volume in resource.volumes:
                    self.content.setdefault(volume.uuid, set(held.get((resource.node, volume.number), {bytes(BLOCK)})))

    @rule()
    def go_on_with_clones(self):
        self.ask(cloning.look)

    @rule(name=NAMES, snapshot=SNAPSHOTS)
    def roll_back(self, name, snapshot):
        self.ask(rolling_back.rollback, name, snapshot, wire.SnapshotRollback())

    # -- users ----------------------------------------------------------------------------------------------

    @rule(name=NAMES, node=NODES)
    def write(self, name, node):
        for volume, device in self.devices(name, node):
            self.tokens += 1
            token = str(self.tokens).encode().ljust(BLOCK, b".")
            if self.backend.can_write(self.host(node)):
                self.host(node).disk.write(device, 0, token)
                self.content[volume.uuid] = {token}

    @rule(name=NAMES, node=NODES)
    def mount(self, name, node):
        for _, device in self.devices(name, node):
            self.host(node).disk.use(device, "mounted by a user")

    @rule(node=NODES)
    def unmount(self, node):
        disk = self.cluster.nodes[node].host.disk
        for device in list(disk.used):
            disk.release(device)

    def devices(self, name, node):
        """(volume, device) of what a user could open there: complete, wanted volumes."""
        self.learn()
        found = self.cluster.core.picture.definition(name)
        for resource in found.resources if found else ():
            if resource.node != node or resource.deleting or found.operations and self.rolling(found):
                continue
            for volume in resource.volumes:
                for device, uuid in self.backend.opened(self.host(node)):
                    if uuid == volume.uuid and not volume.new:
                        yield volume, device

    @staticmethod
    def rolling(definition):
        return any(o.state not in ("done", "failed") for o in definition.operations)

    def learn(self):
        """New incarnations hold what they are made from: zeros, or what their snapshot holds."""
        picture = self.cluster.core.picture
        for definition in picture.definitions.values():
            for operation in definition.operations:
                self._learn_rollback(definition, operation)
            for resource in definition.resources:
                for volume in resource.volumes:
                    start = self.kept.get(volume.source, {bytes(BLOCK)}) if volume.source else {bytes(BLOCK)}
                    if volume.new and not volume.source:
                        self.blank.add(volume.uuid)
                    self.content.setdefault(volume.uuid, set(start))

    def _learn_rollback(self, definition, operation):
        for snapshot in definition.snapshots:
            if snapshot.uuid == operation.arguments.get("snapshot"):
                for part in snapshot.nodes:
                    for taken in part.volumes:
                        after = operation.arguments["incarnations"].get(self._present(definition, part, taken))
                        if after:
                            self.content.setdefault(after, set(self.kept.get(taken.uuid, {bytes(BLOCK)})))

    @staticmethod
    def _present(definition, part, taken):
        for resource in definition.resources:
            for volume in resource.volumes:
                if resource.node == part.node and volume.number == taken.number:
                    return volume.uuid
        return None

    # -- faults ---------------------------------------------------------------------------------------------

    @rule(node=NODES)
    def kill_satellite(self, node):
        self.cluster.nodes[node].stop()

    @rule(node=NODES)
    def lose_power(self, node):
        self.cluster.nodes[node].power_loss()

    @rule(node=NODES)
    def start_satellite(self, node):
        self.cluster.nodes[node].start()

    @rule(node=NODES)
    def cut(self, node):
        self.cluster.nodes[node].reachable = False

    @rule(node=NODES)
    def mend(self, node):
        self.cluster.nodes[node].reachable = True

    @rule(node=NODES, nth=st.integers(1, 6))
    def fail_an_action(self, node, nth):
        self.cluster.nodes[node].host.faults.fail(nth)

    @rule(node=NODES, nth=st.integers(1, 6), moment=st.sampled_from(["before", "during", "after"]))
    def crash_a_node(self, node, nth, moment):
        self.cluster.nodes[node].host.faults.crash(nth, moment)

    @rule(count=st.integers(1, 3))
    def lose_answers(self, count):
        self.cluster.lost_answers = count

    @rule(nth=st.integers(1, 4), written=st.booleans())
    def crash_the_controller(self, nth, written):
        self.cluster.store.crash_at(nth, written)

    @rule()
    def restart_the_controller(self):
        self.cluster.start_controller()

    @precondition(lambda self: self.cluster.sent)
    @rule(which=st.integers(0, 1000))
    def repeat_an_old_order(self, which):
        """Rather one that could do harm: it names what does not exist any more."""
        known = self.cluster.core.picture.definitions
        stale = [s for s in self.cluster.sent if any(r.name not in known for r in s[1].resources)]
        name, message = (stale or self.cluster.sent)[which % len(stale or self.cluster.sent)]
        with contextlib.suppress(OrlopError):
            self.cluster.nodes[name].guarded(lambda satellite: satellite.update(message))

    @rule()
    def a_paused_controller_wakes_up(self):
        """It goes on with what it knows; the satellites obey the newer one."""
        old_core, old_links = self.cluster.core, self.cluster.links
        self.cluster.start_controller()
        self.pass_time(5.0)
        new_core, new_links = self.cluster.core, self.cluster.links
        self.cluster.core, self.cluster.links = old_core, old_links
        before = self.cluster.store.committed
        for link in old_links.links.values():
            for name in before.definitions:
                link.changed(name)
            link.push()
        self.cluster.core, self.cluster.links = new_core, new_links

    @rule(node=NODES, name=NAMES)
    def put_foreign_data_there(self, node, name):
        if self.backend.put(self.host(node), f"{name}_00000"):
            self.foreign.add((node, f"{name}_00000"))

    @rule(name=NAMES, node=NODES)
    def remove_an_object(self, name, node):
        """Somebody removes what a complete volume is made of. It must not be made again by itself."""
        for volume, device in list(self.devices(name, node)):
            used = self.host(node).disk.used.get(device)
            if not used and not self.cluster.core.picture.definition(name).snapshots:
                self.backend.drop(self.host(node), f"{name}_{volume.number:05d}", device)
                self.vanished.add(volume.uuid)

    @rule(node=NODES, full=st.booleans())
    def fill_the_pool(self, node, full):
        self.backend.fill(self.host(node), full)

    @rule(seconds=st.sampled_from([1.0, 20.0, 400.0]))
    def pass_time(self, seconds):
        try:
            self.cluster.run(seconds)
        except ControllerCrash:
            self.cluster.start_controller()

    # -- what must hold -------------------------------------------------------------------------------------

    @invariant()
    def nothing_with_data_was_formatted(self):
        for node in self.cluster.nodes.values():
            assert not node.host.disk.destroyed

    @invariant()
    def foreign_data_is_untouched(self):
        for node, name in self.foreign:
            found = self.thing(node, name)
            assert found is not None, f"{name} on {node} was not ours and is gone"
            assert not found.uuid

    def teardown(self):
        if not hasattr(self, "cluster"):
            return
        self.learn()
        for node, name in self.foreign:
            self.backend.drop(self.host(node), name)
        for node in self.cluster.nodes.values():
            self.backend.fill(node.host, False)
        self.cluster.heal()
        self.cluster.store.crash_at(-1, False)
        self.cluster.start_controller()
        for _ in range(2):  # the new controller greets everybody, so nothing rests from an earlier failure
            self.cluster.run(200.0)
            cloning.look(self.cluster.core)
        self.cluster.run(50.0)
        self.learn()
        assert not self.cluster.core.suspended, self.cluster.core.suspended
        for definition in self.cluster.core.picture.definitions.values():
            self.check(definition)
        self.check_nodes()

    def check(self, definition):
        assert not definition.deleting, f"{definition.name} was never deleted"
        assert not self.rolling(definition), definition.operations
        for snapshot in definition.snapshots:
            assert "DELETE" not in snapshot.flags, f"{snapshot.name} was never deleted"
            assert CLONE not in snapshot.props, f"{snapshot.name} was left by a clone"
            assert not any("DELETE" in part.flags for part in snapshot.nodes)
        for resource in definition.resources:
            assert not resource.deleting, f"{definition.name} on {resource.node} was never deleted"
            report = self.cluster.core.reported.current(resource.node, definition.name)
            assert report is not None
            lost = [v for v in resource.volumes if v.uuid in self.vanished]
            assert report.settled != bool(lost), report
            for volume in resource.volumes:
                if volume.uuid in self.vanished:
                    self.check_vanished(definition, resource, volume)
                else:
                    self.check_volume(definition, resource, volume, report)

    def check_vanished(self, definition, resource, volume):
        found = self.thing(resource.node, f"{definition.name}_{volume.number:05d}")
        assert found is None or found.uuid != volume.uuid, "it was made again, blank"

    def check_volume(self, definition, resource, volume, report):
        assert not volume.new, f"{definition.name}/{volume.number} on {resource.node} was never made"
        seen = next(v for v in report.volumes if v.uuid == volume.uuid)
        assert seen.presence is (Presence.HIDDEN if "INACTIVE" in resource.flags else Presence.READY)
        found = self.thing(resource.node, f"{definition.name}_{volume.number:05d}")
        assert found is not None
        assert found.uuid == volume.uuid
        if "INACTIVE" not in resource.flags:  # a closed volume grows when it is opened again
            assert found.size >= volume.levels[-1].size, "it must not be smaller than wanted"
        if self.formatted(definition, volume):
            assert found.content.signatures == ["ext4"], f"{definition.name} on {resource.node} has no file system"
        holds = found.content.blocks.get(0, bytes(BLOCK))
        assert holds in self.content[volume.uuid], f"{definition.name} on {resource.node} holds {holds[:8]!r}"

    def formatted(self, definition, volume):
        """Whether it was made empty, for a definition that wants a file system from the beginning."""
        return volume.uuid in self.blank and definition.props.get("FileSystem/Type") == "ext4"

    def check_nodes(self):
        wanted = {name: set() for name in self.cluster.nodes}
        for definition in self.cluster.core.picture.definitions.values():
            for resource in definition.resources:
                wanted[resource.node] |= {v.uuid for v in resource.volumes}
            for snapshot in definition.snapshots:
                for part in snapshot.nodes:
                    wanted[part.node] |= {v.uuid for v in part.volumes}
        for name, node in self.cluster.nodes.items():
            assert self.cluster.core.reported.nodes[key(name)].orphans == ()
            for thing in self.backend.things(node.host):
                kept = "+" in thing.name  # an origin of snapshots that were not removed with it
                assert kept or thing.uuid in wanted[name], f"{thing.name} on {name} is nobody's"
                assert not thing.name.startswith(".orlop-new"), f"{thing.name} on {name} was not finished"
            for device, uuid in self.backend.opened(node.host):
                kept = "+" in device
                assert kept or uuid in wanted[name], f"{device} is still open on {name}"
            if not self.vanished:
                assert self.backend.left_over(node.host) == []


Cluster.TestCase.settings = settings(
    max_examples=SEQUENCES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    derandomize="ORLOP_TEST_SEQUENCES" not in os.environ,
)
TestAnyOrderOfRequestsAndFaults = Cluster.TestCase


def test_the_sequences_were_run(record_property):
    """States how many; `ORLOP_TEST_SEQUENCES=20000` runs a longer search with new seeds."""
    if not COUNTED["sequences"]:
        pytest.skip("the sequences are run by the test before this one")
    record_property("sequences", COUNTED["sequences"])
    assert COUNTED["sequences"] >= min(SEQUENCES, 500)
