"""Snapshots of replicated resources: of one moment on all nodes and volumes, and nothing stays suspended."""

import pytest
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.usecases import definitions, resources, snapshots, spawning
from orlop.errors import Refused
from orlop.host.commands import FIRST_LINE
from orlop.satellite import holding
from orlop.satellite.report import with_use
from orlop.testing.cluster import POOL, STATE, SimulatedCluster
from orlop.testing.disk import BLOCK

FAILURES = {"FAILED_DEPLOYMENT", "FAILED_DISCONNECT"}


class Pairs:
    """A user who writes a number to both volumes, the second one only when the first was written."""

    def __init__(self, cluster, node, name="web"):
        self.cluster, self.node, self.name = cluster, node, name
        self.number, self.half = 0, False

    def write(self):
        drbd = self.cluster.nodes[self.node].host.drbd
        if self.name not in drbd.resources:
            return
        if drbd.write(self.name, int(self.half), 0, f"{self.number + 1:08}".encode().ljust(BLOCK, b".")):
            self.number += self.half
            self.half = not self.half


class Busy(SimulatedCluster):
    """Between all steps somebody may write, or look."""

    def __init__(self, **given):
        self.between = []
        super().__init__(**given)

    def step(self, deadline):
        for act in self.between:
            act()
        super().step(deadline)


def start(seed=7, names=("alpha", "bravo", "charlie")):
    cluster = Busy(seed=seed, drbd=True, names=names)
    cluster.register()
    return cluster


def spawn(cluster, name="web", sizes=(1024, 1024), **rule):
    body = wire.ResourceGroupSpawn(
        resource_definition_name=name,
        volume_sizes=sizes,
        select_filter=wire.AutoSelectFilter(place_count=2, **rule),
        partial=True,
    )
    assert not spawning.spawn(cluster.core, "DfltRscGrp", body).failed
    cluster.settle()
    return [r.node for r in cluster.core.picture.definition(name).resources]


def take(cluster, name="web", snapshot="first", nodes=()):
    return snapshots.create(cluster.core, name, wire.Snapshot(name=snapshot, nodes=nodes))


def found(cluster, name="web", snapshot="first"):
    definition = cluster.core.picture.definition(name)
    return next((s for s in definition.snapshots if s.name == snapshot), None)


def content(cluster, node, number, snapshot="first", name="web"):
    return cluster.nodes[node].host.disk.folders[POOL][f"{name}_{number:05d}.{snapshot}"].blocks.get(0, b"00000000")[:8]


def nothing_is_held(cluster):
    for node in cluster.nodes.values():
        if node.satellite is None:
            continue
        assert not [r.name for r in node.host.drbd.resources.values() if r.held]
        assert not [name for name in node.host.disk.folders.get(STATE, {}) if name.startswith("held-")]


def whole_or_nothing(cluster, nodes, snapshot="first"):
    """Whole means: of one moment. Returns whether it is whole."""
    kept = found(cluster, snapshot=snapshot)
    if kept is not None and "SUCCESSFUL" in kept.flags:
        assert {part.node for part in kept.nodes} == set(nodes)
        (pair,) = {tuple(int(content(cluster, node, n, snapshot)) for n in (0, 1)) for node in nodes}
        assert pair[0] - pair[1] in (0, 1)
        return True
    assert kept is None or kept.flags & FAILURES
    for node in nodes:
        names = cluster.nodes[node].host.disk.folders[POOL]
        assert not [name for name in names if name.endswith(f".{snapshot}")]
    return False


@pytest.fixture
def cluster():
    return start()


@pytest.fixture
def nodes(cluster):
    return spawn(cluster)


def test_all_volumes_on_all_nodes_are_of_one_moment_while_somebody_writes(cluster, nodes):
    writer = Pairs(cluster, nodes[0])
    cluster.between.append(writer.write)
    answers = take(cluster)
    assert not answers.failed, [entry.message for entry in answers]
    assert whole_or_nothing(cluster, nodes)
    nothing_is_held(cluster)
    before = writer.number
    cluster.settle(5)
    assert writer.number > before > 0


def test_no_snapshot_is_taken_before_every_node_stands_still(cluster, nodes):
    one, two = nodes
    seen = []

    def look():
        taken = [n for n in nodes if any(".first" in name for name in cluster.nodes[n].host.disk.folders[POOL])]
        held = [n for n in nodes if cluster.nodes[n].host.drbd.resources["web"].held]
        seen.append((len(taken), len(held)))

    cluster.between.append(look)
    take(cluster)
    assert (0, 1) in seen  # one of them is the first
    assert (1, 2) in seen or (2, 2) in seen
    assert not {(1, 0), (1, 1)} & set(seen)


def test_a_node_that_cannot_be_told_ends_it_and_nothing_is_left(cluster, nodes):
    one, two = nodes
    cluster.nodes[two].host.drbd.resources["web"].held = {"quorum"}
    cluster.settle(15)
    answers = take(cluster)
    assert answers.failed
    assert any("held back already: quorum" in entry.message for entry in answers)
    cluster.settle()
    assert not whole_or_nothing(cluster, nodes)
    assert cluster.nodes[two].host.drbd.resources["web"].held == {"quorum"}
    assert not cluster.nodes[one].host.drbd.resources["web"].held
    assert snapshots.delete(cluster.core, "web", "first") is not None
    cluster.settle()
    assert found(cluster) is None


def test_what_is_used_with_drbd_84_is_refused_by_controller_and_node_alike(cluster, nodes):
    """What was under way when it was suspended would never be answered."""
    one, two = nodes
    cluster.nodes[one].host.drbd.resources["web"].role = "Primary"
    answers = take(cluster)  # the controller has not heard of it yet
    assert any("DRBD 8.4 cannot hold" in entry.message for entry in answers)
    assert not any("suspend-io" in argv for argv in cluster.nodes[one].host.ran)
    cluster.settle(15)
    snapshots.delete(cluster.core, "web", "first")
    with pytest.raises(Refused, match="while it is used") as refusal:
        take(cluster)
    assert refusal.value.code is Fail.IN_USE
    nothing_is_held(cluster)


def test_what_was_used_with_drbd_84_is_not_any_more_when_use_was_told_to_have_ended(cluster, nodes):
    """The role is what it was when everything was told last."""
    drbd = cluster.nodes[nodes[0]].host.drbd
    drbd.resources["web"].role = "Primary"
    cluster.settle(15)
    reported = cluster.core.reported.node(nodes[0]).resources
    unused = tuple(replace(volume, in_use=False) for volume in reported["web"].volumes)
    drbd.resources["web"].role = "Secondary"
    reported["web"] = with_use(reported["web"], replace(reported["web"], volumes=unused))
    assert not take(cluster).failed
    cluster.settle()
    assert whole_or_nothing(cluster, nodes)


def test_what_was_suspended_by_an_administrator_is_not_resumed(cluster, nodes):
    one, two = nodes
    cluster.nodes[one].host.run(("drbdsetup", "suspend-io", "1000"))
    answers = take(cluster)
    assert any("somebody asked for it" in entry.message for entry in answers)
    cluster.settle()
    assert cluster.nodes[one].host.drbd.resources["web"].held == {"user"}
    cluster.nodes[one].stop()
    cluster.nodes[one].start()
    cluster.settle()
    assert cluster.nodes[one].host.drbd.resources["web"].held == {"user"}


def test_a_reason_that_came_meanwhile_is_waited_for(cluster, nodes):
    """Going on would lift what DRBD holds back for want of a quorum, too."""
    one, two = nodes
    drbd = cluster.nodes[one].host.drbd

    def lose_quorum():
        if drbd.resources["web"].held == {"user"}:
            drbd.resources["web"].held = {"user", "quorum"}

    cluster.between.append(lose_quorum)
    assert take(cluster).failed
    cluster.settle()
    assert drbd.resources["web"].held == {"user", "quorum"}
    cluster.between.clear()
    drbd.resources["web"].held = {"user"}
    cluster.settle()
    nothing_is_held(cluster)
    assert not whole_or_nothing(cluster, nodes)


@pytest.mark.parametrize("state", ["taking", "checking"])
def test_what_is_written_meanwhile_all_the_same_spoils_it(cluster, nodes, state):
    """As by a synchronization that begins, or after somebody resumed and suspended again."""
    volume = cluster.nodes[nodes[1]].host.drbd.resources["web"].volumes[1]
    written = []

    def write():
        states = [o.state for o in cluster.core.picture.definition("web").operations]
        taken = [name for name in cluster.nodes[nodes[1]].host.disk.folders[POOL] if name.endswith(".first")]
        if state in states and not written and (taken or state == "checking"):
            volume.written += 1
            written.append(True)

    cluster.between.append(write)
    answers = take(cluster)
    assert written
    assert any("data was still coming or going" in entry.message for entry in answers)
    cluster.settle()
    assert not whole_or_nothing(cluster, nodes)
    nothing_is_held(cluster)


def test_only_replicas_that_are_up_to_date_are_taken(cluster, nodes):
    one, two = nodes
    cluster.network.cut.add(frozenset(nodes))
    cluster.nodes[two].power_loss()
    cluster.run(30)
    writer = Pairs(cluster, one)
    writer.write()
    cluster.nodes[two].start()
    cluster.settle()
    cluster.nodes[two].host.drbd.resources["web"].volumes[0].disk = "Inconsistent"
    cluster.settle()
    with pytest.raises(Refused, match="up to date") as refusal:
        take(cluster, nodes=(two,))
    assert refusal.value.code is Fail.SNAPSHOT_NOT_UPTODATE
    answers = take(cluster)
    assert not answers.failed
    assert any(f"leaves node '{two}' out" in entry.message for entry in answers)
    assert [part.node for part in found(cluster).nodes] == [one]


def test_a_node_that_is_away_and_may_be_writing_makes_it_impossible(cluster, nodes):
    one, two = nodes
    cluster.nodes[two].reachable = False
    cluster.run(30)
    with pytest.raises(Refused, match="may be writing") as refusal:
        take(cluster, nodes=(one,))
    assert refusal.value.code is Fail.NOT_CONNECTED
    cluster.network.cut.add(frozenset(nodes))
    cluster.settle()
    assert not take(cluster, nodes=(one,)).failed


def test_an_inactive_replica_is_left_out_and_refused_when_asked_for(cluster, nodes):
    one, two = nodes
    resources.deactivate(cluster.core, "web", two)
    cluster.settle()
    with pytest.raises(Refused, match="inactive"):
        take(cluster, nodes=(two,))
    assert not take(cluster).failed
    assert [part.node for part in found(cluster).nodes] == [one]


def test_nothing_else_is_begun_meanwhile(cluster, nodes):
    one, two = nodes
    refused = []

    def interfere():
        if refused:
            return
        for act in (
            lambda: definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=4096)),
            lambda: resources.delete(cluster.core, "web", two),
            lambda: take(cluster, snapshot="second"),
        ):
            try:
                act()
            except Refused as error:
                refused.append(error.code)

    def during():
        if any(o.state == "suspending" for o in cluster.core.picture.definition("web").operations):
            interfere()

    cluster.between.append(during)
    assert not take(cluster).failed
    assert refused == [Fail.RSC_BUSY] * 3


@pytest.mark.parametrize("seed", range(12))
def test_several_resources_stand_still_together(seed):
    cluster = start(seed)
    nodes = spawn(cluster)
    more = spawn(cluster, "mail", node_name_list=("bravo", "charlie"))
    first, second = Pairs(cluster, nodes[0]), Pairs(cluster, more[0], "mail")
    states = []

    def write():
        """The second resource is always written after the first."""
        if 2 * second.number + second.half < 2 * first.number + first.half:
            second.write()
        else:
            first.write()

    def look():
        operations = [o for n in ("web", "mail") for o in cluster.core.picture.definition(n).operations]
        states.append({o.state for o in operations})

    cluster.between += [write, look]
    bodies = tuple(wire.Snapshot(name="both", resource_name=n) for n in ("web", "mail"))
    answers = snapshots.create_many(cluster.core, wire.CreateMultiSnapshotRequest(snapshots=bodies))
    assert not answers.failed, [entry.message for entry in answers]
    assert not any({"suspending", "taking"} <= seen for seen in states)
    for name, places in (("web", nodes), ("mail", more)):
        assert "SUCCESSFUL" in found(cluster, name, "both").flags
        assert len({content(cluster, n, 0, "both", name) for n in places}) == 1
    one = sum(int(content(cluster, nodes[0], n, "both", "web")) for n in (0, 1))
    two = sum(int(content(cluster, more[0], n, "both", "mail")) for n in (0, 1))
    assert one - two in (0, 1)


MOMENTS = [(number, moment) for number in range(1, 12) for moment in ("before", "after")]


@pytest.mark.parametrize(("number", "moment"), MOMENTS)
def test_a_satellite_that_dies_at_any_step_leaves_nothing_suspended(cluster, nodes, number, moment):
    one, two = nodes
    cluster.nodes[one].host.faults.crash(number, moment)
    take(cluster)
    cluster.run(30)  # nobody starts it again: the guard is alone
    assert not cluster.nodes[one].host.drbd.resources["web"].held
    cluster.heal()
    cluster.settle()
    nothing_is_held(cluster)
    whole_or_nothing(cluster, nodes)
    snapshots.delete(cluster.core, "web", "first")
    cluster.settle()
    assert found(cluster) is None
    assert not take(cluster).failed


@pytest.mark.parametrize(("number", "moment"), MOMENTS)
def test_a_node_that_loses_power_at_any_step_leaves_nothing_suspended(cluster, nodes, number, moment):
    one, two = nodes
    cluster.nodes[two].host.faults.crash(number, moment)
    lost = []

    def die():
        if cluster.nodes[two].satellite is None and not lost:
            cluster.nodes[two].power_loss()
            lost.append(True)

    cluster.between.append(die)
    take(cluster)
    cluster.run(30)
    assert not cluster.nodes[one].host.drbd.resources["web"].held
    cluster.heal()
    cluster.settle()
    nothing_is_held(cluster)
    whole_or_nothing(cluster, nodes)
    if found(cluster) is not None:
        snapshots.delete(cluster.core, "web", "first")
    cluster.settle()
    assert not take(cluster).failed


class Killed(Exception):
    pass


@pytest.mark.parametrize("state", ["suspending", "suspended", "taking", "resuming"])
@pytest.mark.parametrize("back", [True, False])
def test_a_controller_that_dies_at_any_state_leaves_nothing_suspended(cluster, nodes, state, back):
    """`back`: a new one is there at once; else after the leases are over."""

    def die():
        if any(o.state == state for o in cluster.core.picture.definition("web").operations):
            raise Killed

    writer = Pairs(cluster, nodes[0])
    cluster.between += [writer.write, die]
    try:
        take(cluster)
    except Killed:
        cluster.between.remove(die)
        if not back:
            cluster.links.links.clear()
            cluster.run(30)
            for node in nodes:
                assert not cluster.nodes[node].host.drbd.resources["web"].held
        cluster.start_controller()
    cluster.settle()
    nothing_is_held(cluster)
    whole_or_nothing(cluster, nodes)
    if state != "suspended":  # which may be passed within one commit
        assert found(cluster).flags & FAILURES
        snapshots.delete(cluster.core, "web", "first")
        cluster.settle()
        assert not take(cluster).failed


def _befall(node, chance):
    """Sometimes one thing, sometimes another, most often nothing."""
    if chance() < 0.004:
        node.stop()
    if chance() < 0.002:
        node.power_loss()
    if chance() < 0.01:
        node.start()
    if chance() < 0.005:
        node.reachable = not node.reachable
    if chance() < 0.005:
        node.host.faults.fail(1 + int(chance() * 4))


@pytest.mark.parametrize("seed", range(25))
def test_whatever_dies_whenever(seed):
    cluster = start(seed)
    nodes = spawn(cluster)
    writer = Pairs(cluster, nodes[seed % 2])

    def misfortune():
        for node in nodes:
            _befall(cluster.nodes[node], cluster.random.random)

    cluster.between += [writer.write, misfortune]
    for number in range(8):
        try:
            take(cluster, snapshot=f"s{number}")
        except Refused:
            cluster.run(5)
        cluster.run(3)
    cluster.between.remove(misfortune)
    cluster.heal()
    cluster.settle(120)
    nothing_is_held(cluster)
    for number in range(8):
        kept = found(cluster, snapshot=f"s{number}")
        if kept is not None:
            whole_or_nothing(cluster, [part.node for part in kept.nodes] or nodes, f"s{number}")
            snapshots.delete(cluster.core, "web", f"s{number}")
    cluster.settle()
    assert not cluster.core.picture.definition("web").snapshots


@pytest.mark.parametrize("changed", ["role", "held"])
def test_what_changes_while_the_guard_starts_is_seen(changed):
    """8.4 never answers what is under way when it is suspended; and what somebody else suspends is not let go of."""
    cluster = start()
    one, _ = spawn(cluster)
    host = cluster.nodes[one].host
    resource, detach = host.drbd.resources["web"], host.detach

    def detach_slowly(argv):
        detach(argv)
        setattr(resource, changed, {"role": "Primary", "held": {"user"}}[changed])

    host.detach = detach_slowly
    take(cluster)
    cluster.settle()
    assert found(cluster).flags & FAILURES
    assert resource.held == ({"user"} if changed == "held" else set())
    assert not resource.stuck


def test_a_guard_that_starts_slowly_does_not_find_its_time_up():
    cluster = start()
    one, _ = spawn(cluster)
    host, left = cluster.nodes[one].host, []
    detach = host.detach

    def detach_and_look(argv):
        left.append(holding.read(host, argv[-2]).until - cluster.clock.now)
        detach(argv)

    host.detach = detach_and_look
    take(cluster)
    cluster.settle()
    assert min(left) > FIRST_LINE
