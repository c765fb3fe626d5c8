"""A node with LVM stops at every single action. Afterwards everything is reached, and nothing is lost or left over."""

import pytest

from orlop.model import FileSystem, Presence, WantedResource, WantedSnapshot, WantedVolume
from orlop.testing import Crash
from orlop.testing.bench import Bench, replace, resource, snapshot, volume
from orlop.testing.disk import SimulatedFile
from orlop.testing.faults import Moment
from tests.plugins.lvm_nodes import node, pool

DATA, OTHER = b"\x5a" * 4096, b"\xa5" * 4096
SOURCE = {"source": "res-0-snap", "source_name": "res_00000.snap"}
KINDS = ["LVM", "LVM_THIN", "LVM_THIN_POOL"]


def prepared(kind: str) -> Bench:
    """A volume with data, a snapshot of it, and something else written since."""
    bench = Bench(node(), pool(kind))
    bench.sync(resource(volume(new=True)))
    bench.host.disk.write(bench.device(), 0, DATA)
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    assert bench.resources["res"].settled, bench.resources["res"].problem
    bench.host.disk.write(bench.device(), 0, OTHER)
    return bench


def contents(bench: Bench) -> dict[str, SimulatedFile]:
    return {name: volume.content for name, volume in bench.host.lvm.groups["vg0"].volumes.items()}


FORMATTED = volume("made", new=True, file_system=FileSystem(kind="ext4"))
ORDERS = {
    "create": resource(volume("made", new=True)),
    "format": resource(FORMATTED),
    "grow": resource(volume(size=64 << 20), snapshot(), revision=3),
    "close": resource(volume(active=False), snapshot(), revision=3),
    "snapshot": resource(volume(), snapshot(), snapshot("two", new=True), revision=3),
    "restore": resource(volume("made", new=True, **SOURCE)),
    "restore larger": resource(volume("made", new=True, size=32 << 20, **SOURCE)),
    "roll back": resource(volume(uuid="back", replaces="res-0", new=True, **SOURCE), snapshot(), revision=3),
    "remove": resource(volume(wanted=False), snapshot(), revision=3),
    "remove snapshot": resource(volume(), snapshot(wanted=False), revision=3),
    "remove all": resource(volume(wanted=False), snapshot(wanted=False), revision=3),
}


def actions(order: WantedResource, kind: str) -> int:
    bench = prepared(kind)
    before = bench.host.faults.actions
    bench.update(order)
    assert bench.resources[order.name].settled, bench.resources[order.name].problem
    return bench.host.faults.actions - before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", ["restart", "power loss"])
@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_a_crash_at_any_action_costs_nothing(order: WantedResource, moment: Moment, after: str, kind: str) -> None:
    for nth in range(1, actions(order, kind) + 1):
        bench = prepared(kind)
        bench.host.faults.crash(nth, moment)
        with pytest.raises(Crash):
            bench.update(order)
        if after == "power loss":
            bench.host.power_loss()
        bench.start("run-2")
        others = [resource(volume(), snapshot(), revision=2)] if order.name != "res" else []
        bench.sync(order, *others)
        check(bench, order, nth)


def check(bench: Bench, order: WantedResource, nth: int) -> None:
    said = bench.resources[order.name]
    assert said.settled, f"action {nth}: {said.problem} {said.plan}"
    assert bench.orphans == (), f"action {nth} left {bench.orphans}"
    assert not bench.host.disk.destroyed
    check_names(bench, order, nth)
    kept = contents(bench)
    if "res_00000" in kept:
        assert kept["res_00000"].blocks[0] == (DATA if order is ORDERS["roll back"] else OTHER)
    if "res_00000.snap" in kept:
        assert kept["res_00000.snap"].blocks[0] == DATA
    if "restore" in next(name for name, known in ORDERS.items() if known is order):
        assert kept["made_00000"].blocks[0] == DATA
    for wanted, done in zip(order.volumes, said.volumes, strict=True):
        assert (done.presence is Presence.READY) == (wanted.wanted and wanted.active)
    if order is ORDERS["format"]:
        assert said.volumes[0].formatted


def check_names(bench: Bench, order: WantedResource, nth: int) -> None:
    """Nothing but what is wanted, and what that needs."""
    items: list[WantedVolume | WantedSnapshot] = [*order.volumes, *order.snapshots]
    if order.name != "res":
        items += [volume(), snapshot()]
    wanted = {item.name for item in items if item.wanted}
    needed = {"thin", *(f"{item.volume_name}+1" for item in items if isinstance(item, WantedSnapshot) and item.wanted)}
    needed |= (
        {f"{item.name}+pool" for item in items if isinstance(item, WantedVolume)}
        if bench.pools[0].provider == "LVM_THIN_POOL"
        else set()
    )
    left = set(contents(bench))
    assert wanted <= left <= wanted | needed, f"action {nth} left {sorted(left)}"
    if not wanted:
        assert left == {"thin"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_removal_that_overtakes_a_half_made_volume_leaves_nothing(kind: str) -> None:
    for order in (ORDERS["create"], ORDERS["restore"]):
        for nth in range(1, actions(order, kind) + 1):
            bench = prepared(kind)
            before = set(contents(bench))
            bench.host.faults.crash(nth, "after")
            with pytest.raises(Crash):
                bench.update(order)
            bench.start("run-2")
            gone = replace(order.volumes[0], wanted=False)
            bench.sync(resource(volume(), snapshot(), revision=2), resource(gone, revision=2))
            assert bench.resources["made"].volumes[0].presence is Presence.ABSENT
            assert set(contents(bench)) == before
