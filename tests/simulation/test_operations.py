"""What administrators have done with replicated resources, and split brains, on simulated nodes with DRBD 8.4."""

import pytest

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.replicas import DISCONNECTED
from orlop.controller.usecases import definitions, operating, split_brains
from orlop.errors import Refused
from orlop.hooks import Hooks
from orlop.model import ReplicaOrder, ReplicaVerb
from orlop.plugin import hookimpl
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK
from tests.simulation.test_replication import create, disks, kernel, read, said, write

ONE, TWO = "alpha", "bravo"
ALL = wire.ReplicaOperation()
FIRST, SECOND = b"first".ljust(BLOCK, b"."), b"second".ljust(BLOCK, b".")


class Witness:
    """Hears of split brains."""

    def __init__(self):
        self.heard = []

    @hookimpl
    def orlop_resource_split_brain(self, resource, nodes):
        self.heard.append((resource, nodes))


def told(cluster, node, order):
    """As the controller tells a node, without having judged first."""
    return cluster.core.asked(node, lambda links: links.operate(node, "web", order))


@pytest.fixture
def witness():
    return Witness()


@pytest.fixture
def cluster(witness):
    """Two nodes with a replica of `web` each, up to date."""
    made = SimulatedCluster(names=(ONE, TWO), seed=5, drbd=True, hooks=Hooks(witness))
    made.register()
    body = wire.ResourceDefinition(
        name="web",
        layer_data=(),
        props={"DrbdOptions/Net/verify-alg": "crc32c", "DrbdOptions/Net/after-sb-0pri": "disconnect"},
    )
    definitions.create(made.core, wire.ResourceDefinitionCreate(resource_definition=body))
    definitions.create_volume(
        made.core,
        "web",
        wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=1024)),
    )
    for node in (ONE, TWO):
        create(made, node)
    made.settle()
    assert disks(made) == {ONE: "UpToDate", TWO: "UpToDate"}
    return made


def once(cluster, verb, node=ONE, request=ALL):
    return operating.once(cluster.core, "web", node, ReplicaVerb(verb), request)


def connection(cluster, node):
    return said(cluster, node, f"peer/{TWO if node == ONE else ONE}/connection")


def apart(cluster):
    cluster.network.cut.add(frozenset((ONE, TWO)))
    cluster.settle()


def together(cluster):
    cluster.network.cut.clear()
    cluster.settle()


def split(cluster):
    """Both write while they do not see each other."""
    apart(cluster)
    write(cluster, ONE, at=0, data=FIRST)
    write(cluster, TWO, at=BLOCK, data=SECOND)
    write(cluster, TWO, at=2 * BLOCK, data=SECOND)
    together(cluster)


def test_roles_change_on_demand_and_what_is_so_already_is_no_error(cluster):
    assert not once(cluster, "primary").failed
    cluster.settle()
    assert said(cluster, ONE, "role") == "Primary"
    (entry,) = once(cluster, "primary")
    assert "already" in entry.message
    once(cluster, "secondary")
    cluster.settle()
    assert said(cluster, ONE, "role") == "Secondary"


def test_what_is_in_use_does_not_become_secondary(cluster):
    once(cluster, "primary")
    minor = cluster.core.picture.definition("web").volume_definitions[0].minor
    cluster.nodes[ONE].host.disk.used[f"/dev/drbd{minor}"] = ("a mount",)
    with pytest.raises(Refused, match=r"in use") as refusal:
        once(cluster, "secondary")
    assert refusal.value.code is Fail.IN_USE
    assert kernel(cluster, ONE).resources["web"].role == "Primary"


def test_a_verification_tells_what_differs(cluster):
    (volume,) = kernel(cluster, TWO).resources["web"].volumes.values()
    volume.file.blocks[5 * BLOCK] = FIRST
    once(cluster, "verify")
    cluster.settle()
    assert said(cluster, ONE, f"peer/{TWO}/out_of_sync") == str(BLOCK >> 10)
    assert said(cluster, TWO, f"peer/{ONE}/out_of_sync") == str(BLOCK >> 10)


def test_a_verification_needs_an_algorithm_and_a_peer_that_is_there(cluster):
    apart(cluster)
    with pytest.raises(Refused, match="not connected to node bravo"):
        once(cluster, "verify")
    together(cluster)
    change = wire.ResourceDefinitionModify(delete_props=("DrbdOptions/Net/verify-alg",))
    definitions.modify(cluster.core, "web", change)
    with pytest.raises(Refused, match="not set how blocks are compared") as refusal:
        once(cluster, "verify")
    assert "--verify-alg" in refusal.value.correction


def test_an_invalid_replica_gets_the_data_of_its_peer(cluster):
    write(cluster, ONE, data=FIRST)
    (volume,) = kernel(cluster, TWO).resources["web"].volumes.values()
    volume.file.blocks[0] = SECOND
    once(cluster, "invalidate", TWO)
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert read(cluster, ONE) == read(cluster, TWO) == FIRST


def test_the_only_good_copy_is_not_invalidated(cluster):
    write(cluster, ONE, data=FIRST)
    apart(cluster)
    with pytest.raises(Refused, match="no other replica that is connected to it") as refusal:
        once(cluster, "invalidate")
    assert refusal.value.code is Fail.INSUFFICIENT_REPLICA_COUNT
    assert kernel(cluster, ONE).resources["web"].volumes[0].disk == "UpToDate"


def test_the_node_itself_refuses_to_invalidate_its_only_good_copy(cluster):
    """The controller may know less than the node: what it ordered a moment ago is judged again."""
    apart(cluster)
    outcome = told(cluster, ONE, ReplicaOrder(verb=ReplicaVerb.INVALIDATE))
    assert "no other replica" in outcome.problem
    assert kernel(cluster, ONE).resources["web"].volumes[0].disk == "UpToDate"


def test_a_synchronization_is_paused_and_resumed(cluster):
    once(cluster, "pause-sync", TWO)
    once(cluster, "invalidate", TWO)
    cluster.settle()
    assert (said(cluster, TWO, "disk"), said(cluster, TWO, f"peer/{ONE}/paused")) == ("Inconsistent", "yes")
    once(cluster, "resume-sync", TWO)
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert said(cluster, TWO, f"peer/{ONE}/paused") is None


def test_a_disconnection_lasts_until_it_is_taken_back(cluster, witness):
    assert not operating.disconnect(cluster.core, "web", ONE, ALL).failed
    cluster.settle()
    assert connection(cluster, ONE) == connection(cluster, TWO) == "StandAlone"
    for node in (ONE, TWO):
        cluster.nodes[node].power_loss()
        cluster.nodes[node].start()
    cluster.settle(120)
    assert connection(cluster, ONE) == connection(cluster, TWO) == "StandAlone"
    assert not witness.heard
    assert not split_brains.explained(cluster.core, ())
    operating.connect(cluster.core, "web", TWO, ALL)
    cluster.settle()
    assert connection(cluster, ONE) == connection(cluster, TWO) == "Connected"
    assert not cluster.core.picture.definition("web").connections


def test_changed_options_do_not_connect_what_is_to_be_apart(cluster):
    operating.disconnect(cluster.core, "web", ONE, wire.ReplicaOperation(peer=TWO))
    (kept,) = cluster.core.picture.definition("web").connections
    assert kept.props == {DISCONNECTED: "true"}
    change = wire.ResourceDefinitionModify(override_props={"DrbdOptions/Net/protocol": "A"})
    definitions.modify(cluster.core, "web", change)
    cluster.settle()
    assert connection(cluster, ONE) == "StandAlone"


def test_whoever_uses_the_only_connected_replica_is_told(cluster):
    once(cluster, "primary")
    cluster.settle()
    answers = operating.disconnect(cluster.core, "web", TWO, ALL)
    assert any("in use on node 'alpha'" in entry.message for entry in answers)


def test_a_peer_that_is_none_is_refused(cluster):
    for call in (operating.disconnect, operating.connect):
        with pytest.raises(Refused):
            call(cluster.core, "web", ONE, wire.ReplicaOperation(peer="charlie"))
    with pytest.raises(Refused):
        once(cluster, "verify", request=wire.ReplicaOperation(peer=ONE))


def test_a_node_that_is_away_is_not_asked(cluster):
    cluster.nodes[ONE].stop()
    cluster.settle()
    with pytest.raises(Refused, match="not connected") as refusal:
        once(cluster, "primary")
    assert refusal.value.code is Fail.NOT_CONNECTED


def test_an_answer_that_is_lost_can_be_asked_for_again(cluster):
    cluster.lost_answers = 1
    with pytest.raises(Refused, match="may not have been done"):
        once(cluster, "primary")
    cluster.settle()
    (entry,) = once(cluster, "primary")
    assert "already" in entry.message


# -- split brain ------------------------------------------------------------------------------------------------------


def test_a_split_brain_is_explained_and_told_once(cluster, witness):
    split(cluster)
    assert witness.heard == [("web", (ONE, TWO))]
    (found,) = split_brains.explained(cluster.core, ())
    assert found.certain
    assert found.since is not None
    one, two = found.volumes[0].sides
    assert (one.node_name, one.out_of_sync_kib, one.in_use) == (ONE, BLOCK >> 10, False)
    assert (two.node_name, two.out_of_sync_kib) == (TWO, 2 * BLOCK >> 10)
    assert one.generations[0] != two.generations[0]
    assert one.generations[1] == two.generations[1]
    assert split_brains.explained(cluster.core, {"other"}) == []


def test_a_connection_that_only_waits_is_no_split_brain(cluster, witness):
    apart(cluster)
    write(cluster, ONE, data=FIRST)
    cluster.settle()
    assert split_brains.explained(cluster.core, ()) == []
    assert not witness.heard


def test_the_named_victim_gives_up_its_data(cluster):
    split(cluster)
    answers = split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO))
    assert not answers.failed
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    for node in (ONE, TWO):
        assert (read(cluster, node, at=0), read(cluster, node, at=BLOCK)) == (FIRST, None)
    assert split_brains.explained(cluster.core, ()) == []
    (entry,) = split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO))
    assert "nothing was done" in entry.message


def test_a_victim_in_use_keeps_its_data(cluster):
    split(cluster)
    cluster.nodes[TWO].host.run(("drbdadm", "primary", "web"))
    cluster.settle()
    with pytest.raises(Refused, match=r"in use on bravo") as refusal:
        split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO))
    assert refusal.value.code is Fail.IN_USE
    assert read(cluster, TWO, at=BLOCK) == SECOND


def test_the_node_itself_gives_up_nothing_while_it_is_primary(cluster):
    split(cluster)
    once(cluster, "primary", TWO)
    outcome = told(cluster, TWO, ReplicaOrder(verb=ReplicaVerb.DISCARD, peer=ONE))
    assert "nothing of its data is given up" in outcome.problem
    cluster.settle()
    assert read(cluster, TWO, at=BLOCK) == SECOND


def test_a_survivor_that_is_not_whole_costs_the_victim_nothing(cluster):
    split(cluster)
    kernel(cluster, ONE).resources["web"].volumes[0].disk = "Inconsistent"
    cluster.settle()
    with pytest.raises(Refused, match="not known to be up to date") as refusal:
        split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO))
    assert refusal.value.code is Fail.NOT_ALL_UPTODATE
    assert read(cluster, TWO, at=BLOCK) == SECOND


def test_the_survivor_may_be_in_use(cluster):
    split(cluster)
    once(cluster, "primary", ONE)
    cluster.settle()
    split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO))
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert read(cluster, TWO, at=0) == FIRST


def test_connecting_alone_does_not_end_a_split_brain(cluster):
    split(cluster)
    with pytest.raises(Refused, match="both have data") as refusal:
        operating.connect(cluster.core, "web", ONE, ALL)
    assert "split-brain" in refusal.value.correction
    cluster.settle()
    assert (read(cluster, ONE, at=0), read(cluster, TWO, at=BLOCK)) == (FIRST, SECOND)


@pytest.mark.parametrize("power", [False, True], ids=["satellite", "power"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("node", "step"), [(TWO, 1), (ONE, 1)], ids=["victim", "survivor"])
def test_a_recovery_that_was_cut_is_finished_by_the_same_request(cluster, node, step, moment, power):
    split(cluster)
    machine = cluster.nodes[node]
    machine.host.faults.crash(step, moment)
    with pytest.raises(Refused, match="may not have been done"):
        split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO))
    if power:
        machine.power_loss()
    machine.start()
    cluster.start_controller()
    cluster.settle()
    split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO))
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    for each in (ONE, TWO):
        assert (read(cluster, each, at=0), read(cluster, each, at=BLOCK)) == (FIRST, None)


def test_the_data_of_the_victim_is_kept_in_a_snapshot_where_that_is_asked_for(cluster):
    split(cluster)
    request = wire.ResolveSplitBrain(victim=TWO, snapshot="before")
    split_brains.resolve(cluster.core, "web", request)
    cluster.settle()
    (kept,) = cluster.core.picture.definition("web").snapshots
    assert [part.node for part in kept.nodes] == [TWO]
    folder = cluster.nodes[TWO].host.disk.folders[POOL]
    (file,) = [file for name, file in folder.items() if name == "web_00000.before"]
    assert (file.blocks.get(0), file.blocks.get(BLOCK)) == (None, SECOND)
    assert (read(cluster, TWO, at=0), read(cluster, TWO, at=BLOCK)) == (FIRST, None)


def test_without_the_snapshot_that_was_asked_for_nothing_is_given_up(cluster):
    split(cluster)
    cluster.nodes[TWO].host.faults.fail(1, "the disk is tired")
    cluster.nodes[TWO].host.faults.fail(2, "the disk is tired")
    with pytest.raises(Refused, match="could not be taken of it"):
        split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO, snapshot="before"))
    cluster.settle()
    assert read(cluster, TWO, at=BLOCK) == SECOND
    cluster.heal()
    assert not split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=TWO, snapshot="before")).failed
