"""One node, step by step, on a simulated machine."""

from collections.abc import Callable, Mapping

import pytest

from orlop.errors import Fenced, NodeError, TransportError
from orlop.model import GIB, FileSystem, Presence, WantedResource
from orlop.testing import SimulatedHost
from orlop.testing.bench import FENCE, FOLDER, Bench, pool, replace, resource, snapshot, volume
from orlop.testing.programs import Program
from orlop.transport.messages import Fence, Sync, Update

DATA = bytes(range(256)) * 16


def test_a_new_volume_is_made_opened_and_reported() -> None:
    bench = Bench()
    said = bench.sync(resource(volume(new=True)))
    volume_said = bench.resources["res"].volumes[0]
    assert said.synced
    assert bench.resources["res"].settled
    assert (volume_said.presence, volume_said.device, volume_said.size) == (Presence.READY, "/dev/loop0", 16 << 20)
    assert volume_said.in_use is False
    assert bench.reported_pools["pool"].marked
    assert bench.files()["res_00000"].attributes["orlop.uuid"] == "res-0"


def test_a_missing_volume_is_never_made_again() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=False)))
    said = bench.resources["res"]
    assert not said.settled
    assert said.volumes[0].presence is Presence.MISSING
    assert "missing" in said.problem
    assert not bench.files()


def test_a_file_that_vanishes_under_a_settled_volume_is_noticed() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume()))
    bench.host.disk.drop(f"{FOLDER}/res_00000")
    bench.wait(10)
    assert bench.resources["res"].volumes[0].presence is Presence.MISSING
    assert not bench.resources["res"].settled


def test_a_pool_that_comes_back_gives_its_volumes_back_in_the_same_look() -> None:
    """However often it was tried meanwhile, and whatever else of the resource cannot be seen yet."""
    bench = Bench(None, pool(new=True), pool("other", "/srv/other"))
    bench.sync(resource(volume(new=True), volume(number=1, pool="other")), resource(volume("two", new=True)))
    bench.update(pools=(pool(), pool("other", "/srv/other")))
    away = bench.host.disk.folders.pop(FOLDER)
    for _ in range(30):
        bench.wait(60)
    presences = [bench.resources[name].volumes[0].presence for name in ("res", "two")]
    assert presences == [Presence.HIDDEN, Presence.HIDDEN]
    bench.host.disk.folders[FOLDER] = away
    bench.wait(10)
    assert not bench.reported_pools["pool"].problem
    assert bench.resources["two"].settled
    for name in ("res", "two"):
        assert bench.resources[name].volumes[0].presence is Presence.READY
        assert bench.resources[name].volumes[0].device
    assert bench.resources["res"].volumes[1].presence is Presence.HIDDEN


def test_a_tombstone_is_confirmed_only_when_the_object_is_gone() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.update(resource(volume(wanted=False), revision=2))
    said = bench.resources["res"]
    assert said.volumes[0].presence is Presence.READY
    assert "mounted at /mnt" in said.problem
    assert not said.settled
    bench.host.disk.release("/dev/loop0")
    bench.wait(15)
    assert bench.resources["res"].settled
    assert bench.resources["res"].volumes[0].presence is Presence.ABSENT
    assert not bench.files()
    assert not bench.host.disk.loops


def test_a_look_that_was_asked_for_is_told_when_it_is_over_and_not_before() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.node.update(Update(fence=FENCE, look=7))
    before = bench.node.reports(0)
    assert (before.looked, before.resources[0].volumes[0].in_use) == (0, False)
    bench.wait(0)
    after = bench.node.reports(before.number)
    assert (after.looked, after.resources[0].volumes[0].in_use) == (7, True)


@pytest.mark.parametrize("again", [(), (resource(volume(wanted=False), revision=3),)], ids=["waiting", "ordered again"])
def test_a_look_tells_that_a_device_was_closed_also_where_work_is_left(again: tuple[WantedResource, ...]) -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.update(resource(volume(wanted=False), revision=2))
    bench.wait(10)
    assert bench.resources["res"].volumes[0].in_use
    bench.host.disk.release("/dev/loop0")
    bench.node.update(Update(fence=FENCE, resources=again, look=7))
    bench.node.look(bench.now)
    said = bench.node.reports(0)
    assert (said.looked, said.resources[0].volumes[0].in_use) == (7, False)


def test_a_look_tells_what_it_passed_over_since_it_was_in_hand_and_sees_it_right_after() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.wait(10)
    assert bench.resources["res"].volumes[0].in_use
    bench.node.update(Update(fence=FENCE, resources=(resource(volume(size=32 << 20), revision=2),)))
    jobs = bench.node.look(bench.now)
    assert jobs
    bench.host.disk.release("/dev/loop0")
    bench.node.update(Update(fence=FENCE, look=7))
    bench.node.look(bench.now)
    said = bench.node.reports(0)
    assert (said.looked, said.passed_over, said.resources[0].volumes[0].in_use) == (7, ("res",), True)
    for job in jobs:
        bench.node.carry_out(job)
    bench.settle()
    said = bench.node.reports(0)
    assert (said.looked, said.passed_over, said.resources[0].volumes[0].in_use) == (7, (), False)


class Interrupted(SimulatedHost):
    """Something happens, once, while it is being looked at."""

    meanwhile: Callable[[], object] | None = None

    def users(self) -> Mapping[str, tuple[str, ...]]:
        seen = super().users()
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()
        return seen


def test_a_look_that_is_asked_for_during_another_is_a_look_of_its_own() -> None:
    host = Interrupted(total=10 * GIB)
    bench = Bench(host)
    bench.sync(resource(volume(new=True)))

    def ask() -> None:
        host.disk.use(bench.device(), "mounted at /mnt")
        bench.node.update(Update(fence=FENCE, look=1))

    host.meanwhile = ask
    bench.wait(10)
    assert (bench.node.reports(0).looked, bench.resources["res"].volumes[0].in_use) == (1, True)


def test_what_a_look_passed_over_and_is_free_before_it_ends_is_seen_by_the_next() -> None:
    host = Interrupted(total=10 * GIB)
    bench = Bench(host)
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.wait(10)
    bench.node.update(Update(fence=FENCE, resources=(resource(volume(size=32 << 20), revision=2),)))
    (job,) = bench.node.look(bench.now)
    bench.host.disk.release("/dev/loop0")
    bench.node.update(Update(fence=FENCE, look=7))
    host.meanwhile = lambda: bench.node.carry_out(job)
    bench.settle()
    said = bench.node.reports(0)
    assert (said.looked, said.passed_over, said.resources[0].volumes[0].in_use) == (7, (), False)


def test_a_foreign_object_under_a_tombstones_name_stays_and_the_tombstone_is_confirmed() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(uuid="older", wanted=False), revision=2))
    assert bench.resources["res"].volumes[0].presence is Presence.ABSENT
    assert bench.resources["res"].settled
    assert bench.files()["res_00000"].attributes["orlop.uuid"] == "res-0"


def test_nothing_is_confirmed_gone_while_its_pool_cannot_be_seen() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.pools = (pool(),)
    hidden = bench.host.disk.folders.pop(FOLDER)
    bench.sync(resource(volume(wanted=False), revision=2))
    said = bench.resources["res"]
    assert said.volumes[0].presence is Presence.HIDDEN
    assert "mounted?" in said.problem
    assert "mounted?" in bench.reported_pools["pool"].problem
    bench.host.disk.folders[FOLDER] = hidden
    bench.wait(15)
    assert bench.resources["res"].volumes[0].presence is Presence.ABSENT


def test_no_snapshot_is_confirmed_gone_while_its_pool_cannot_be_seen() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    bench.pools = (pool(),)
    hidden = bench.host.disk.folders.pop(FOLDER)
    bench.sync(resource(volume(), snapshot(wanted=False), revision=3))
    assert bench.resources["res"].snapshots[0].presence is Presence.HIDDEN
    bench.host.disk.folders[FOLDER] = hidden
    bench.wait(15)
    assert bench.resources["res"].snapshots[0].presence is Presence.ABSENT


def test_nothing_is_made_in_a_folder_without_our_mark() -> None:
    bench = Bench()
    bench.host.disk.make_folder(FOLDER)
    bench.host.faults.fail(3, "Read-only file system")  # two actions write the fence
    bench.sync(resource(volume(new=True)))
    assert "Read-only" in bench.reported_pools["pool"].problem
    assert "does not carry the mark" in bench.resources["res"].problem
    assert not bench.host.disk.folders[FOLDER]


def test_a_foreign_file_in_the_way_is_left_alone_and_listed() -> None:
    bench = Bench()
    bench.sync()
    stranger = bench.host.disk.new_file(5, 5)
    bench.host.disk.put(f"{FOLDER}/res_00000", stranger)
    bench.update(resource(volume(new=True)))
    said = bench.resources["res"]
    assert said.volumes[0].presence is Presence.FOREIGN
    assert "in the way" in said.problem
    bench.wait(10)
    assert bench.orphans == ("res_00000",)
    assert bench.files()["res_00000"] is stranger


def test_absence_from_a_sync_removes_nothing() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.sync()
    assert "res_00000" in bench.files()
    assert bench.orphans == ("res_00000",)
    assert "/dev/loop0" in bench.host.disk.loops


def test_forgetting_leaves_the_object_as_an_orphan() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(forget=("RES",))
    assert bench.orphans == ("res_00000",)


def test_one_volumes_problem_does_not_stop_the_others() -> None:
    bench = Bench()
    bench.sync(resource(volume(number=0), volume(number=1, new=True), volume(number=2, pool="nowhere", new=True)))
    said = bench.resources["res"]
    assert [v.presence for v in said.volumes] == [Presence.MISSING, Presence.READY, Presence.HIDDEN]
    assert not said.settled
    assert "nowhere" in said.volumes[2].problem


def test_a_broken_pool_fails_only_itself() -> None:
    bench = Bench(None, pool(new=True), pool("other", "/srv/other"))
    bench.sync(resource(volume(new=True)), resource(volume("two", pool="other", new=True)))
    assert bench.resources["res"].settled
    assert "mounted?" in bench.resources["two"].problem
    assert bench.reported_pools["other"].problem
    assert not bench.reported_pools["pool"].problem


def test_a_kind_of_pool_that_nobody_knows_fails_only_itself() -> None:
    bench = Bench(None, pool(new=True), pool("tapes", provider="TAPE"))
    bench.sync(resource(volume(new=True)), resource(volume("two", pool="tapes", new=True)))
    assert bench.resources["res"].settled
    assert "no orlop.storage driver named 'TAPE'" in bench.resources["two"].problem
    assert "no orlop.storage driver named 'TAPE'" in bench.reported_pools["tapes"].problem


def test_a_missing_program_is_the_pools_problem_and_the_nodes_reason() -> None:
    host = SimulatedHost()
    del host.installed["losetup"]
    bench = Bench(host)
    bench.sync(resource(volume(new=True)))
    assert "losetup is not installed" in bench.reported_pools["pool"].problem
    assert "losetup is not installed" in bench.resources["res"].problem
    reasons = {support.name: support.reasons for support in bench.node.info().providers}
    assert reasons["FILE"] == ("losetup is not installed",)
    assert reasons["DISKLESS"] == ()


def test_an_inactive_volume_is_closed_and_kept() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(active=False), revision=2))
    said = bench.resources["res"]
    assert said.settled
    assert (said.volumes[0].presence, said.volumes[0].device) == (Presence.HIDDEN, None)
    assert "res_00000" in bench.files()


def test_an_inactive_volume_that_is_gone_is_a_problem() -> None:
    bench = Bench()
    bench.sync(resource(volume(active=False)))
    assert "missing" in bench.resources["res"].problem
    assert not bench.resources["res"].settled


def test_a_volume_grows_and_never_shrinks() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(size=32 << 20), revision=2))
    assert bench.resources["res"].volumes[0].size == 32 << 20
    bench.update(resource(volume(size=8 << 20), revision=3))
    assert bench.resources["res"].settled
    assert bench.resources["res"].volumes[0].size == 32 << 20


def test_a_device_that_was_not_told_of_the_growth_is_told() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.files()["res_00000"].size = 32 << 20  # as after a crash between the two steps
    bench.update(resource(volume(size=32 << 20), revision=2))
    assert bench.resources["res"].volumes[0].size == 32 << 20


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_file_system_is_made_once(kind: str) -> None:
    bench = Bench()
    wanted = volume(new=True, file_system=FileSystem(kind=kind, user="nobody"))
    bench.sync(resource(wanted))
    assert bench.resources["res"].volumes[0].formatted
    bench.host.disk.write(bench.device(), 0, DATA)
    bench.update(resource(wanted, revision=2))
    bench.update(resource(replace(wanted, new=False), revision=3))
    made = [argv for argv in bench.host.ran if argv[0] == f"mkfs.{kind}"]
    assert len(made) == 1
    assert any("65534" in argument for argument in made[0]) or kind == "xfs"
    assert not bench.host.disk.destroyed


def test_a_device_with_any_signature_is_not_formatted() -> None:
    bench = Bench()
    wanted = volume(new=True)
    bench.sync(resource(wanted))
    bench.files()["res_00000"].signatures.append("LVM2_member")
    bench.update(resource(replace(wanted, file_system=FileSystem(kind="ext4")), revision=2))
    assert "LVM2_member" in bench.resources["res"].problem
    assert not bench.host.disk.destroyed


@pytest.mark.parametrize("sound", [True, False])
def test_a_file_system_made_before_a_crash_counts_only_if_it_is_sound(sound: bool) -> None:
    bench = Bench()
    bench.host.installed["fsck.ext4"] = lambda disk, arguments: "" if sound else broken()
    wanted = volume(new=True)
    bench.sync(resource(wanted))
    bench.files()["res_00000"].signatures.append("ext4")
    bench.update(resource(replace(wanted, file_system=FileSystem(kind="ext4")), revision=2))
    assert bench.resources["res"].settled is sound
    assert bench.resources["res"].volumes[0].formatted is sound
    assert not bench.host.disk.destroyed


def broken() -> str:
    raise NodeError("the file system is broken")


def test_what_cannot_be_read_is_not_formatted() -> None:
    bench = Bench()
    bench.host.installed["wipefs"] = lambda disk, arguments: broken()
    bench.sync(resource(volume(new=True, file_system=FileSystem(kind="ext4"))))
    assert "cannot be told" in bench.resources["res"].problem
    assert not any(argv[0] == "mkfs.ext4" for argv in bench.host.ran)


def test_a_volume_that_is_not_new_is_never_formatted() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(file_system=FileSystem(kind="ext4")), revision=2))
    assert bench.resources["res"].settled
    assert not bench.resources["res"].volumes[0].formatted
    assert not any(argv[0] == "mkfs.ext4" for argv in bench.host.ran)


@pytest.mark.parametrize("reflink", [True, False], ids=["reflink", "copy"])
def test_snapshot_restore_and_rollback_bring_the_data_back(reflink: bool) -> None:
    bench = Bench(SimulatedHost(reflink=reflink))
    bench.sync(resource(volume(new=True)))
    disk = bench.host.disk
    disk.write(bench.device(), 4096, DATA)
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    said = bench.resources["res"].snapshots[0]
    assert said.presence is Presence.READY
    assert said.created == 1_800_000_000_000
    disk.write(bench.device(), 4096, bytes(4096))

    source = {"source": "res-0-snap", "source_name": "res_00000.snap"}
    bench.update(resource(volume("copy", new=True, **source)))
    assert disk.read(bench.device("copy"), 4096, 4096) == DATA
    bench.update(resource(volume(uuid="back", replaces="res-0", new=True, **source), snapshot(), revision=3))
    assert bench.resources["res"].settled
    assert disk.read(bench.device(), 4096, 4096) == DATA
    assert bench.files()["res_00000"].attributes["orlop.uuid"] == "back"


def test_a_volume_filled_from_a_snapshot_keeps_its_file_system() -> None:
    bench = Bench()
    system = FileSystem(kind="ext4")
    bench.sync(resource(volume(new=True, file_system=system)))
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    source = {"source": "res-0-snap", "source_name": "res_00000.snap"}
    bench.update(resource(volume("copy", new=True, file_system=system, **source)))
    assert bench.resources["copy"].volumes[0].formatted
    assert len([argv for argv in bench.host.ran if argv[0] == "mkfs.ext4"]) == 1


def test_raw_data_from_a_snapshot_is_never_formatted() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.write(bench.device(), 0, DATA)
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    source = {"source": "res-0-snap", "source_name": "res_00000.snap"}
    bench.update(resource(volume("copy", new=True, file_system=FileSystem(kind="ext4"), **source)))
    assert bench.resources["copy"].settled
    assert not bench.resources["copy"].volumes[0].formatted
    assert bench.host.disk.read(bench.device("copy"), 0, 4096) == DATA


def test_another_snapshot_of_the_same_name_is_not_a_source() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    bench.update(resource(volume("copy", new=True, source="other", source_name="res_00000.snap")))
    assert "is not the snapshot" in bench.resources["copy"].problem
    assert "copy_00000" not in bench.files()


def test_a_snapshot_is_only_taken_of_the_volume_it_names() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(), snapshot(volume="older", new=True), revision=2))
    assert "is not the volume" in bench.resources["res"].snapshots[0].problem
    assert list(bench.files()) == ["res_00000"]


def test_an_object_of_another_cluster_is_foreign_even_with_our_uuid() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.files()["res_00000"].attributes["orlop.cluster"] = "elsewhere"
    bench.update(resource(volume(wanted=False), revision=2))
    assert bench.resources["res"].volumes[0].presence is Presence.ABSENT
    assert "res_00000" in bench.files()


@pytest.mark.parametrize("attached", [True, False])
def test_the_draft_of_a_finished_volume_is_cleared_away(attached: bool) -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.put(f"{FOLDER}/.orlop-new-res-0", bench.files()["res_00000"])
    if not attached:
        bench.host.power_loss()
    bench.update(resource(volume(), revision=2))
    assert list(bench.files()) == ["res_00000"]


def test_a_rollback_under_a_user_is_refused() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    back = volume(uuid="back", replaces="res-0", new=True, source="res-0-snap", source_name="res_00000.snap")
    bench.update(resource(back, snapshot(), revision=3))
    assert "mounted at /mnt" in bench.resources["res"].problem
    assert bench.files()["res_00000"].attributes["orlop.uuid"] == "res-0"


def test_a_copying_snapshot_of_a_volume_in_use_is_refused_with_the_reason() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    said = bench.resources["res"]
    assert "mounted at /mnt" in said.snapshots[0].problem
    assert "would not be consistent" in said.problem
    assert list(bench.files()) == ["res_00000"]


def test_sharing_blocks_needs_no_pause_in_use() -> None:
    bench = Bench(SimulatedHost(reflink=True))
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.update(resource(volume(), snapshot(new=True), revision=2))
    assert bench.resources["res"].settled


def test_what_failed_is_tried_again_later_and_later() -> None:
    bench = Bench()
    bench.sync()
    bench.host.faults.fail(1, "No space left on device")
    bench.update(resource(volume(new=True)))
    assert "No space left" in bench.resources["res"].problem
    bench.host.faults.fail(1)
    bench.wait(14)
    assert not bench.resources["res"].settled
    bench.wait(1)
    assert "made to fail" in bench.resources["res"].problem
    bench.wait(29)
    assert not bench.resources["res"].settled
    bench.wait(1)
    assert bench.resources["res"].settled


def test_a_full_pool_is_an_error_and_leaves_nothing() -> None:
    bench = Bench(SimulatedHost(total=1 << 20), pool(new=True, provider="FILE"))
    bench.sync(resource(volume(new=True)))
    assert "No space left" in bench.resources["res"].problem
    assert not bench.files()


def test_use_is_reported_when_it_changes() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    said = bench.wait(10)
    assert [r.volumes[0].in_use for r in said.resources] == [True]
    assert bench.wait(10).resources == ()


def test_a_mount_is_reported_without_waiting_for_the_next_look() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.node.watch_mounts(0)
    assert [r.volumes[0].in_use for r in bench.settle().resources] == [True]
    bench.host.disk.release(bench.device())
    bench.node.watch_mounts(0)
    assert [r.volumes[0].in_use for r in bench.settle().resources] == [False]


def test_a_mount_of_something_else_makes_nobody_look() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.release("/dev/sda")
    bench.node.watch_mounts(0)
    assert bench.node.due() > bench.now


def test_what_failed_for_a_user_is_tried_again_when_he_is_gone() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.update(resource(volume(wanted=False), revision=2))
    for _ in range(4):
        bench.wait(60)
    bench.host.disk.release(bench.device())
    bench.node.watch_mounts(0)
    bench.settle()
    assert bench.resources["res"].settled
    assert not bench.files()


def test_a_new_volume_does_not_inherit_the_use_of_its_device() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.use(bench.device(), "mounted at /mnt")
    bench.wait(10)
    bench.host.disk.release("/dev/loop0")
    bench.update(resource(volume(wanted=False), revision=2))
    bench.update(resource(volume("next", new=True)))
    assert bench.device("next") == "/dev/loop0"
    assert bench.resources["next"].volumes[0].in_use is False


def test_everything_is_said_again_after_a_sync_and_only_then() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    assert bench.wait(10).resources == ()
    said = bench.sync(resource(volume(new=True)))
    assert [r.name for r in said.resources] == ["res"]
    assert said.pools
    assert said.orphans == ()
    assert said.info is not None


def test_small_changes_of_free_space_are_not_worth_a_report() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    bench.host.disk.put(f"{FOLDER}/other", bench.host.disk.new_file(1 << 20, 1 << 20))
    assert bench.wait(10).pools == ()
    bench.host.disk.put(f"{FOLDER}/large", bench.host.disk.new_file(1 << 30, 1 << 30))
    assert len(bench.wait(10).pools) == 1


@pytest.mark.parametrize(
    ("fence", "reason"),
    [
        (Fence(cluster="cluster-uuid", term=4, nonce="nonce"), "is over"),
        (Fence(cluster="cluster-uuid", term=5, nonce="other"), "claimed"),
        (Fence(cluster="elsewhere", term=9, nonce="nonce"), "belongs to cluster"),
    ],
    ids=["older", "same term", "other cluster"],
)
def test_only_one_controller_is_obeyed(fence: Fence, reason: str) -> None:
    bench = Bench()
    bench.sync(fence=Fence(cluster="cluster-uuid", term=5, nonce="nonce"))
    bench.start("run-2")  # the fence outlives the satellite
    with pytest.raises(Fenced, match=reason) as caught:
        bench.node.check(fence)
    assert (caught.value.term, caught.value.nonce) == (5, "nonce")


def test_updates_need_a_sync_of_their_own_term() -> None:
    bench = Bench()
    bench.sync()
    newer = Fence(cluster="cluster-uuid", term=2, nonce="b")
    with pytest.raises(TransportError, match="not told everything"):
        bench.node.update(Update(fence=newer))
    with pytest.raises(Fenced):
        bench.node.update(Update(fence=FENCE))


def test_an_update_that_was_overtaken_is_ignored() -> None:
    bench = Bench()
    bench.sync()
    bench.update(resource(volume(new=True, size=32 << 20), revision=3), fence=replace(FENCE, sequence=8))
    bench.update(resource(volume(wanted=False), revision=2), fence=replace(FENCE, sequence=7))
    assert bench.resources["res"].revision == 3
    assert "res_00000" in bench.files()


def test_a_sync_that_was_overtaken_is_ignored() -> None:
    bench = Bench()
    bench.sync()
    bench.update(resource(volume(new=True), revision=3), fence=replace(FENCE, sequence=8))
    bench.sync(resource(volume(wanted=False), revision=2), fence=replace(FENCE, sequence=7))
    assert bench.resources["res"].revision == 3
    assert "res_00000" in bench.files()


def test_a_newer_order_cancels_the_one_being_carried_out() -> None:
    bench = Bench()
    bench.sync()
    bench.node.update(Update(fence=FENCE, resources=(resource(volume(new=True)),)))
    (job,) = bench.node.look(bench.now)
    bench.node.update(Update(fence=FENCE, resources=(resource(volume(new=True, size=32 << 20), revision=2),)))
    assert bench.node.look(bench.now) == [], "one pair of hands at a time"
    bench.node.carry_out(job)
    assert not bench.files()
    bench.settle()
    assert (bench.resources["res"].revision, bench.resources["res"].volumes[0].size) == (2, 32 << 20)


def test_a_repeated_order_does_not_disturb_the_work() -> None:
    bench = Bench()
    bench.sync()
    wanted = resource(volume(new=True))
    bench.node.update(Update(fence=FENCE, resources=(wanted,)))
    (job,) = bench.node.look(bench.now)
    bench.node.update(Update(fence=FENCE, resources=(wanted,)))
    bench.node.carry_out(job)
    assert "res_00000" in bench.files()


def test_a_long_step_does_not_keep_the_rest_unknown() -> None:
    bench = Bench()
    wanted = resource(volume(new=True))
    bench.node.sync(Sync(fence=FENCE, node="node", node_uuid="u", pools=bench.pools, resources=(wanted,)))
    (job,) = bench.node.look(bench.now)
    said = bench.node.reports(0)
    assert said.synced
    assert [(r.settled, r.problem, bool(r.plan)) for r in said.resources] == [(False, "", True)]
    bench.node.carry_out(job)
    bench.settle()
    assert bench.resources["res"].settled


def test_a_sync_in_the_middle_of_a_long_step_ends_after_it() -> None:
    bench = Bench()
    bench.sync()
    wanted = resource(volume(new=True))
    bench.node.update(Update(fence=FENCE, resources=(wanted,)))
    (job,) = bench.node.look(bench.now)
    assert not bench.sync(wanted).synced
    bench.node.carry_out(job)
    assert bench.settle().synced


def test_what_never_becomes_as_wanted_is_given_up_with_what_is_left() -> None:
    bench = Bench()
    bench.host.installed["losetup"] = forgetful(bench.host.installed["losetup"])
    bench.sync(resource(volume(new=True)))
    said = bench.resources["res"]
    assert not said.settled
    assert "after 6 rounds there is still to do: losetup --find" in said.problem
    assert said.plan


def forgetful(losetup: Program) -> Program:
    """Says that it attached a device, and did not."""
    return lambda disk, arguments: "/dev/loop0\n" if arguments[0] == "--find" else losetup(disk, arguments)


def test_one_look_serves_all_resources_that_are_due() -> None:
    bench = Bench()
    bench.sync()
    bench.host.ran.clear()
    bench.update(*(resource(volume(f"r{n}", new=True)) for n in range(50)))
    lists = [argv for argv in bench.host.ran if argv[:2] == ("losetup", "--list")]
    assert len(bench.host.disk.loops) == 50
    assert len(lists) == 2, "once to plan, once to confirm"


def test_a_pool_gets_its_mark_only_while_new() -> None:
    bench = Bench(None, pool())
    bench.sync()
    assert "does not exist" in bench.reported_pools["pool"].problem
    assert FOLDER not in bench.host.disk.folders
    bench.host.disk.make_folder(FOLDER)
    bench.wait(10)
    assert "does not carry the mark" in bench.reported_pools["pool"].problem
    assert not bench.host.disk.folders[FOLDER]


def test_the_folder_of_a_removed_empty_pool_can_be_used_again() -> None:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    again = pool(uuid="another", new=True)
    bench.update(pools=(again,))
    assert "belongs to another pool" in bench.reported_pools["pool"].problem
    bench.update(pools=(pool(),))
    bench.update(resource(volume(wanted=False), revision=2))
    bench.update(forget=("res",))
    bench.update(pools=(again,))
    assert bench.reported_pools["pool"].marked
    assert "another" in bench.host.disk.get(f"{FOLDER}/.orlop-pool").text


def test_a_folder_belongs_to_one_pool_and_to_one_cluster() -> None:
    bench = Bench(None, pool(new=True))
    bench.sync()
    bench.update(pools=(pool(), pool("second", FOLDER, new=True)))
    assert "belongs to another pool" in bench.reported_pools["second"].problem
    assert bench.reported_pools["pool"].marked
    stranger = Bench(bench.host, pool(new=True))
    bench.host.disk.folders.pop("/var/lib/orlop")
    stranger.start("run-2")
    stranger.sync(fence=Fence(cluster="elsewhere", term=1, nonce="nonce"))
    assert "belongs to another pool or cluster" in stranger.reported_pools["pool"].problem
