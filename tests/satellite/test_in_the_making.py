"""What is to be removed counts as gone, and what is made as there, only when nothing is left to do."""

from __future__ import annotations

import pytest

from orlop.model import MIB, FileSystem, Presence, WantedSnapshot, WantedVolume
from orlop.plugin import NEW_FILE
from orlop.testing.bench import FENCE, FOLDER, Bench, pool, replace, resource, snapshot, volume
from orlop.transport.messages import Sync


@pytest.fixture
def bench() -> Bench:
    """A satellite that a crash ended in the middle of making volume or snapshot `res`, and that starts again."""
    made = Bench()
    made.sync(resource(volume("other", new=True)))
    folder = made.host.disk.folders[FOLDER]
    for uuid in (volume().uuid, snapshot().uuid):
        folder[NEW_FILE + uuid] = folder["other_00000"]
    made.pools = (pool(),)
    made.start("run-2")
    return made


@pytest.mark.parametrize(
    "gone", [volume(wanted=False, size=16 * MIB), snapshot(wanted=False)], ids=["volume", "snapshot"]
)
def test_a_draft_is_removed_before_its_volume_counts_as_gone(bench: Bench, gone: WantedVolume | WantedSnapshot) -> None:
    said = []
    bench.node.sync(
        Sync(fence=FENCE, node="node", node_uuid="node-uuid", pools=bench.pools, resources=(resource(gone),))
    )
    while bench.node.due() <= bench.now:
        jobs = bench.node.look(bench.now)
        for each in bench.node.reports(0).resources:
            left = NEW_FILE + gone.uuid in bench.host.disk.folders[FOLDER]
            said += [(part.presence, left) for part in (*each.volumes, *each.snapshots)]
        for job in jobs:
            bench.node.carry_out(job)
    assert (Presence.ABSENT, True) not in said
    assert said[-1] == (Presence.ABSENT, False)


def test_a_new_volume_is_not_there_before_its_file_system() -> None:
    """A node that is synced while it makes one reports in the middle of it; at READY the controller ends `new`."""
    bench = Bench()
    bench.sync(resource(volume("other", new=True)))
    wanted = resource(volume(new=True, file_system=FileSystem(kind="ext4")))
    said = []
    for revision in range(2, 5):  # every look of an attempt is the first after a Sync
        order = replace(wanted, revision=revision)
        bench.node.sync(Sync(fence=FENCE, node="node", node_uuid="n", pools=bench.pools, resources=(order,)))
        jobs = bench.node.look(bench.now)
        for each in bench.node.reports(0).resources:
            file = bench.host.disk.find(f"{FOLDER}/res_00000")
            said += [(part.presence, bool(file and file.signatures)) for part in each.volumes]
        for job in jobs:
            bench.node.carry_out(job)
    assert (Presence.READY, False) not in said
    assert (Presence.HIDDEN, False) in said
