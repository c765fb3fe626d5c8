"""The satellite or its machine stops at every single action. Afterwards everything is reached, and no data is lost."""

import pytest

from orlop.model import FileSystem, Presence, WantedResource
from orlop.testing import Crash, SimulatedHost
from orlop.testing.bench import Bench, replace, resource, snapshot, volume
from orlop.testing.faults import Moment

DATA = b"\x5a" * 4096
SOURCE = {"source": "res-0-snap", "source_name": "res_00000.snap"}


def prepared(reflink: bool) -> Bench:
    """A volume with data and a snapshot of it."""
    bench = Bench(SimulatedHost(reflink=reflink))
    bench.sync(resource(volume(new=True)))
    bench.host.disk.write(bench.device(), 0, DATA)
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    assert bench.resources["res"].settled
    return bench


FORMATTED = volume("made", new=True, file_system=FileSystem(kind="ext4"))
ORDERS = {
    "create": resource(volume("made", new=True)),
    "format": resource(FORMATTED),
    "grow": resource(volume(size=64 << 20), snapshot(), revision=3),
    "close": resource(volume(active=False), snapshot(), revision=3),
    "snapshot": resource(volume(), snapshot(), snapshot("two", new=True), revision=3),
    "restore": resource(volume("made", new=True, **SOURCE)),
    "roll back": resource(volume(uuid="back", replaces="res-0", new=True, **SOURCE), snapshot(), revision=3),
    "remove": resource(volume(wanted=False), snapshot(), revision=3),
    "remove snapshot": resource(volume(), snapshot(wanted=False), revision=3),
}


def actions(order: WantedResource, reflink: bool) -> int:
    bench = prepared(reflink)
    before = bench.host.faults.actions
    bench.update(order)
    assert bench.resources[order.name].settled, bench.resources[order.name].problem
    return bench.host.faults.actions - before


@pytest.mark.parametrize("reflink", [True, False], ids=["reflink", "copy"])
@pytest.mark.parametrize("after", ["restart", "power loss"])
@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_a_crash_at_any_action_costs_nothing(order: WantedResource, moment: Moment, after: str, reflink: bool) -> None:
    for nth in range(1, actions(order, reflink) + 1):
        bench = prepared(reflink)
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
    assert not any(name.startswith(".orlop-new") for name in bench.files()), f"action {nth} left a draft"
    assert not bench.host.disk.destroyed
    kept = bench.files().get("res_00000")
    if order is not ORDERS["remove"]:
        assert kept is not None
        assert kept.blocks[0] == DATA
    if order is ORDERS["restore"]:
        assert bench.files()["made_00000"].blocks[0] == DATA
    for wanted, done in zip(order.volumes, said.volumes, strict=True):
        assert (done.presence is Presence.READY) == (wanted.wanted and wanted.active)
    if order is ORDERS["format"]:
        assert said.volumes[0].formatted


def test_a_removal_that_overtakes_a_half_made_volume_leaves_nothing() -> None:
    bench = prepared(reflink=False)
    bench.host.faults.crash(1, "during")
    with pytest.raises(Crash):
        bench.update(ORDERS["create"])
    bench.start("run-2")
    gone = replace(volume("made"), wanted=False)
    bench.sync(resource(volume(), snapshot(), revision=2), resource(gone, revision=2))
    assert bench.resources["made"].volumes[0].presence is Presence.ABSENT
    assert sorted(bench.files()) == ["res_00000", "res_00000.snap"]
