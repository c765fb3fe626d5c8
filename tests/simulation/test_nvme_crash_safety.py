"""Random requests, faults and crashes, as for other stacks, where volumes are reached from other nodes over NVMe."""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from orlop.controller import nvme, wire
from orlop.controller.usecases import definitions, resources, restoring, spawning
from orlop.model import Presence
from orlop.testing.disk import BLOCK
from tests.simulation.backends import BACKENDS
from tests.simulation.test_crash_safety import NAMES, NODES, SEQUENCES, SNAPSHOTS, STEPS, Cluster

LAYERS = ("NVME", "STORAGE")


class NvmeCluster(Cluster):
    @initialize(seed=st.integers(0, 2**16), reflink=st.booleans(), backend=st.sampled_from(BACKENDS[:3]))
    def begin(self, seed, reflink, backend):
        """With a volume that two nodes reach already, so that faults find something to disturb."""
        super().begin(seed, reflink, backend)
        self.spawn("one", [64], False)
        (target,) = self.cluster.core.picture.definition("one").resources
        for node in self.cluster.nodes:
            if node != target.node:
                self.connect("one", node)

    @rule(
        name=NAMES,
        sizes=st.lists(st.sampled_from([4, 64, 1000]), min_size=1, max_size=2),
        formatted=st.booleans(),
    )
    def spawn(self, name, sizes, formatted):
        body = wire.ResourceGroupSpawn(
            resource_definition_name=name,
            volume_sizes=tuple(sizes),
            resource_definition_props={"FileSystem/Type": "ext4"} if formatted else {},
            select_filter=wire.AutoSelectFilter(place_count=1, layer_stack=LAYERS),
        )
        self.ask(spawning.spawn, "DfltRscGrp", body)

    @rule(name=NAMES, node=NODES)
    def connect(self, name, node):
        body = wire.ResourceCreate(resource=wire.Resource(node_name=node, flags=("NVME_INITIATOR",)))
        self.ask(resources.create, name, (body,))

    @rule(name=NAMES, snapshot=SNAPSHOTS, into=NAMES)
    def restore(self, name, snapshot, into):
        body = wire.SnapshotRestore(to_resource=into)
        if self.cluster.core.picture.definition(into) is None:
            layers = tuple(wire.ResourceDefinitionLayer(type=layer) for layer in LAYERS)
            definition = wire.ResourceDefinition(name=into, layer_data=layers)
            self.ask(definitions.create, wire.ResourceDefinitionCreate(resource_definition=definition))
            self.ask(restoring.restore_volume_definitions, name, snapshot, body)
        self.ask(restoring.restore_resource, name, snapshot, body)

    def devices(self, name, node):
        """Also of the node that only reaches them."""
        yield from super().devices(name, node)
        found = self.cluster.core.picture.definition(name)
        for resource in nvme.initiators(found) if found and not self.rolling(found) else ():
            for volume in resource.volumes if resource.node == node and not resource.deleting else ():
                if (device := self.connected(node).get(volume.uuid)) and not volume.new:
                    yield volume, device

    def connected(self, node):
        """Device by uuid of each volume that the node reaches just now."""
        at = self.host(node).nvme
        at.texts(())  # the kernel notices what came and went
        live = [c.subsystem for c in at.connections.values() if c.lost is None]
        return {subsystem.rpartition(":")[2]: at.device(subsystem) for subsystem in live}

    def remove_an_object(self, name, node):
        """That has its place where nobody else looks at what was removed."""

    def check_volume(self, definition, resource, volume, report):
        if not nvme.is_initiator(resource):
            super().check_volume(definition, resource, volume, report)
            return
        target = nvme.target(definition)
        seen = next(v for v in report.volumes if v.uuid == volume.uuid)
        if "INACTIVE" in resource.flags | target.flags:
            assert seen.presence is Presence.HIDDEN
            assert volume.uuid not in self.connected(resource.node)
            return
        assert seen.presence is Presence.READY, f"{definition.name} is not reached from {resource.node}"
        assert not volume.new
        assert seen.size >= volume.levels[0].size >= 4096
        device = self.connected(resource.node)[volume.uuid]
        assert seen.device == device
        assert self.host(resource.node).disk.read(device, 0, BLOCK) in self.content[volume.uuid]

    def check(self, definition):
        super().check(definition)
        there = {v.uuid for v in nvme.target(definition).volumes} if nvme.target(definition) else set()
        for resource in nvme.initiators(definition):
            assert {v.uuid for v in resource.volumes} == there, "an initiator has the volumes of its target"

    def check_nodes(self):
        super().check_nodes()
        for name, node in self.cluster.nodes.items():
            wanted = {
                v.uuid
                for d in self.cluster.core.picture.definitions.values()
                for r in d.resources
                if r.node == name
                for v in r.volumes
            }
            tree = node.host.nvme.target
            kept = {part for path in tree.directories if (part := path.rpartition(":")[2]) and "/subsystems/" in path}
            offered = {each.split("/")[0] for each in kept}
            assert offered <= wanted, f"{name} offers what is nobody's"
            reached = {c.subsystem.rpartition(":")[2] for c in node.host.nvme.connections.values()}
            assert reached <= wanted, f"{name} is connected to what is nobody's"


NvmeCluster.TestCase.settings = settings(
    max_examples=max(SEQUENCES // 2, 1),
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    derandomize="ORLOP_TEST_SEQUENCES" not in os.environ,
)
TestAnyOrderOfRequestsAndFaultsOverNvme = NvmeCluster.TestCase
