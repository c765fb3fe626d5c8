"""Encrypted volumes in a whole cluster: keys, passphrases, crashes, nodes that are away."""

import logging

import msgspec
import pytest

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.usecases import (
    cloning,
    definitions,
    encryption,
    resources,
    restoring,
    rolling_back,
    snapshots,
    spawning,
)
from orlop.drivers import KEY_STORE, LAYER, STORAGE, Drivers
from orlop.errors import OrlopError, Refused
from orlop.model import KIB, MIB, Presence
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.commits import ControllerCrash
from orlop.testing.disk import BLOCK
from orlop.testing.luks import HEADER, header_of
from tests.simulation.backends import BACKENDS

PASSPHRASE = "correct horse"
DATA = b"the content of the volume".ljust(BLOCK, b".")
LATER = b"written after the snapshot".ljust(BLOCK, b".")
STACK = ("luks", "storage")


class Vault(SimulatedCluster):
    """A cluster with an encrypted volume on two nodes."""

    def __init__(self, backend=None, seed=7):
        super().__init__(seed=seed)
        self.backend = backend or next(b for b in BACKENDS if b.provider == "LVM_THIN")
        for node in self.nodes.values():
            self.backend.prepare(node.host)
        self.register(provider=self.backend.provider, place=self.backend.place)
        encryption.create(self.core, PASSPHRASE)

    def spawn(self, name="web", count=2, **more):
        rule = wire.AutoSelectFilter(place_count=count, layer_stack=STACK)
        body = wire.ResourceGroupSpawn(resource_definition_name=name, volume_sizes=(1024,), select_filter=rule, **more)
        return spawning.spawn(self.core, "DfltRscGrp", body)

    def replicas(self, name="web"):
        definition = self.core.picture.definition(name)
        return [(r.node, v) for r in definition.resources for v in r.volumes]

    def disk(self, node):
        return self.nodes[node].host.disk

    def device(self, node, name="web"):
        report = self.core.reported.resource(node, name)
        return report.volumes[0].device

    def heal_and_open(self):
        """Everything works again, and has had the time to come back."""
        self.store.no_crash()
        self.heal()
        self.settle(120)

    def write(self, data, name="web"):
        for node, _ in self.replicas(name):
            self.disk(node).write(self.device(node, name), 0, data)

    def read(self, name="web"):
        return [self.disk(node).read(self.device(node, name), 0, BLOCK) for node, _ in self.replicas(name)]

    def backing(self, node, volume):
        (found,) = [t for t in self.backend.things(self.nodes[node].host) if t.uuid == volume.uuid]
        return found.content

    def slots(self, name="web"):
        return [sorted(header_of(self.backing(node, volume)).slots) for node, volume in self.replicas(name)]

    def records(self, name="web"):
        return self.core.picture.definition(name).volume_definitions[0].keys

    def key_texts(self):
        """Every volume key in clear, of definitions and snapshots."""
        found = [
            key
            for d in self.core.picture.definitions.values()
            for v in (*d.volume_definitions, *(v for s in d.snapshots for v in s.volume_definitions))
            for key in v.keys
        ]
        return {self.core.key_ring.reveal(key) for key in found}


@pytest.fixture
def vault():
    return Vault()


def reboot(vault):
    for node in vault.nodes.values():
        node.power_loss()
    vault.heal()
    vault.settle()


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.provider)
def test_the_whole_life_of_an_encrypted_volume(backend):
    vault = Vault(backend)
    assert not vault.spawn().failed
    vault.write(DATA)
    for node, volume in vault.replicas():
        content = vault.backing(node, volume)
        assert DATA not in content.blocks.values()
        assert content.size >= MIB + HEADER
    one = {header_of(vault.backing(node, volume)).slots["0"] for node, volume in vault.replicas()}
    assert len(one) == 1, "the replicas of a volume have the same key"
    definitions.modify_volume(vault.core, "web", 0, wire.VolumeDefinitionModify(size_kib=8192))
    reboot(vault)
    assert vault.read() == [DATA, DATA]
    assert all(vault.core.reported.resource(n, "web").volumes[0].size >= 8 * MIB for n, _ in vault.replicas())
    assert not definitions.delete(vault.core, "web").failed
    assert [backend.things(node.host) for node in vault.nodes.values()] == [[], [], []]


def test_no_encrypted_volume_without_a_master_passphrase():
    cluster = SimulatedCluster()
    cluster.register()
    with pytest.raises(Refused, match="no master passphrase") as refused:
        Vault.spawn(cluster)
    assert refused.value.code == Fail.NOT_FOUND_CRYPT_KEY
    assert cluster.core.picture.definition("web") is None


def test_a_clone_opens_with_the_keys_of_its_source_and_outlives_it(vault):
    vault.spawn()
    vault.write(DATA)
    cloning.start(vault.core, "web", wire.ResourceDefinitionClone(name="copy"))
    vault.settle()
    assert not definitions.delete(vault.core, "web").failed
    reboot(vault)
    assert vault.read("copy") == [DATA, DATA]
    assert all(DATA not in vault.backing(n, v).blocks.values() for n, v in vault.replicas("copy"))


def test_a_controller_is_locked_after_its_start_and_what_is_open_stays_open(vault):
    vault.spawn()
    vault.write(DATA)
    vault.start_controller()
    vault.settle()
    assert encryption.status(vault.core) == "locked"
    assert vault.read() == [DATA, DATA]
    with pytest.raises(Refused, match="locked") as refused:
        vault.spawn("other")
    assert refused.value.code == Fail.NOT_FOUND_CRYPT_KEY


def test_volumes_open_at_once_when_the_passphrase_is_entered(vault):
    vault.spawn()
    vault.write(DATA)
    for node in vault.nodes.values():
        node.power_loss()
    vault.start_controller()
    vault.heal()
    vault.settle()
    (node, _), _ = vault.replicas()
    problem = vault.core.reported.resource(node, "web").problem
    assert "locked" in problem
    assert "enter-passphrase" in problem
    assert vault.core.reported.resource(node, "web").volumes[0].presence is Presence.HIDDEN
    with pytest.raises(Refused) as refused:
        encryption.enter(vault.core, "wrong")
    assert refused.value.code == Fail.INVLD_CRYPT_PASSPHRASE
    encryption.enter(vault.core, PASSPHRASE)
    vault.run(2)
    assert vault.read() == [DATA, DATA]


class Keeper:
    @classmethod
    def passphrase(cls):
        return PASSPHRASE


class Forgetful:
    @classmethod
    def passphrase(cls):
        return None


class Unreachable:
    @classmethod
    def passphrase(cls):
        raise OrlopError("the vault does not answer")


class Mistaken:
    @classmethod
    def passphrase(cls):
        return "wrong"


@pytest.mark.parametrize(
    ("store", "status"),
    [(Keeper, "unlocked"), (Forgetful, "locked"), (Unreachable, "locked"), (Mistaken, "locked"), (None, "locked")],
)
def test_a_key_store_unlocks_at_the_start_and_never_stops_it(vault, caplog, store, status):
    vault.drivers = Drivers(
        {
            **{space: vault.drivers.all(space) for space in (STORAGE, LAYER)},
            KEY_STORE: {"vault": store} if store else {},
        }
    )
    vault.start_controller()
    encryption.unlock_from(vault.core, "vault")
    assert encryption.status(vault.core) == status
    assert ("could not unlock" in caplog.text) == (store in (Unreachable, Mistaken, None))
    assert PASSPHRASE not in caplog.text


def test_another_passphrase_opens_the_same_keys(vault):
    vault.spawn()
    vault.write(DATA)
    encryption.modify(vault.core, PASSPHRASE, "battery staple")
    with pytest.raises(Refused):
        encryption.modify(vault.core, PASSPHRASE, "third")
    vault.start_controller()
    with pytest.raises(Refused):
        encryption.enter(vault.core, PASSPHRASE)
    encryption.enter(vault.core, "battery staple")
    reboot(vault)
    assert vault.read() == [DATA, DATA]


def test_a_second_passphrase_is_refused(vault):
    with pytest.raises(Refused) as refused:
        encryption.create(vault.core, "another")
    assert refused.value.code == Fail.EXISTS_CRYPT_PASSPHRASE
    encryption.enter(vault.core, PASSPHRASE)


def test_a_node_gets_only_the_keys_of_its_own_volumes(vault):
    vault.spawn(count=1)
    ((node, _),) = vault.replicas()
    (key,) = vault.records()
    stranger = next(name for name in vault.nodes if name != node)
    assert vault.core.secrets_for(node, [f"luks/{key.uuid}"]).known
    told = vault.core.secrets_for(stranger, [f"luks/{key.uuid}"])
    assert not told.known
    assert told.refused


def test_a_key_given_by_the_user_is_the_key(vault):
    vault.spawn(volume_passphrases=("open sesame",))
    assert vault.key_texts() == {b"open sesame"}


# -- another key ----------------------------------------------------------------------------------------------


def test_another_key_replaces_the_old_one_everywhere(vault):
    vault.spawn()
    vault.write(DATA)
    (old,) = vault.records()
    assert not encryption.change_volume_key(vault.core, "web", 0, "").failed
    vault.settle()
    (new,) = vault.records()
    assert new.uuid != old.uuid
    assert vault.slots() == [[str(new.slot)]] * 2
    reboot(vault)
    assert vault.read() == [DATA, DATA]


def test_a_replica_that_was_away_keeps_its_key_on_record(vault):
    vault.spawn()
    vault.write(DATA)
    (node, _), (other, _) = vault.replicas()
    vault.nodes[node].power_loss()
    vault.run(30)
    encryption.change_volume_key(vault.core, "web", 0, "")
    vault.settle()
    assert len(vault.records()) == 2
    assert not any(key.retired for key in vault.records())
    with pytest.raises(Refused, match="being changed already"):
        encryption.change_volume_key(vault.core, "web", 0, "")
    vault.heal()
    vault.settle()
    assert len(vault.records()) == 1
    assert vault.slots() == [[str(vault.records()[0].slot)]] * 2
    assert vault.read() == [DATA, DATA]


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("reboots", [True, False], ids=["power", "satellite"])
def test_power_lost_at_any_step_of_a_change_leaves_a_key_that_opens(moment, reboots):
    for step in range(1, 12):
        vault = Vault(seed=step)
        vault.spawn()
        vault.write(DATA)
        (node, _), _ = vault.replicas()
        vault.nodes[node].host.faults.crash(step, moment)
        encryption.change_volume_key(vault.core, "web", 0, "")
        crashed = vault.nodes[node].satellite is None
        if reboots:
            vault.nodes[node].power_loss()
        vault.heal()
        vault.settle(120)
        assert len(vault.records()) == 1, (step, moment)
        assert vault.slots() == [[str(vault.records()[0].slot)]] * 2
        reboot(vault)
        assert vault.read() == [DATA, DATA]
        if not crashed:
            assert step > 2
            return


@pytest.mark.parametrize("written", [True, False])
def test_a_controller_that_dies_at_any_commit_of_a_change_finishes_it(written):
    for commit in range(1, 6):
        vault = Vault(seed=commit)
        vault.spawn()
        vault.write(DATA)
        vault.store.crash_at(commit, written)
        try:
            encryption.change_volume_key(vault.core, "web", 0, "")
            vault.settle()
            died = False
        except ControllerCrash:
            died = True
            vault.start_controller()
            encryption.enter(vault.core, PASSPHRASE)
        vault.settle()
        assert len(vault.records()) == 1
        assert vault.slots() == [[str(vault.records()[0].slot)]] * 2
        reboot(vault)
        assert vault.read() == [DATA, DATA]
        if not died:
            return
    raise AssertionError("the controller died at every commit")


# -- snapshots ------------------------------------------------------------------------------------------------


def snapshot(vault, name="snap"):
    answers = snapshots.create(vault.core, "web", wire.Snapshot(name=name))
    assert not answers.failed, [e.message for e in answers]


def restored(vault):
    body = wire.ResourceDefinitionCreate(
        resource_definition=wire.ResourceDefinition(
            name="copy", layer_data=tuple(wire.ResourceDefinitionLayer(type=layer) for layer in STACK)
        )
    )
    definitions.create(vault.core, body)
    to = wire.SnapshotRestore(to_resource="copy")
    restoring.restore_volume_definitions(vault.core, "web", "snap", to)
    answers = restoring.restore_resource(vault.core, "web", "snap", to)
    assert not answers.failed, [e.message for e in answers]


SNAPSHOTS = [b for b in BACKENDS if b.provider in ("LVM", "LVM_THIN", "ZFS", "ZFS_THIN")]


@pytest.mark.parametrize("change", [False, True], ids=["same key", "key changed since"])
@pytest.mark.parametrize("backend", SNAPSHOTS, ids=lambda b: b.provider)
def test_a_snapshot_is_restored_and_rolled_back_with_the_key_it_needs(backend, change):
    vault = Vault(backend)
    vault.spawn()
    vault.write(DATA)
    snapshot(vault)
    vault.write(LATER)
    if change:
        encryption.change_volume_key(vault.core, "web", 0, "")
        vault.settle()
        assert len(vault.records()) == 1
    restored(vault)
    assert vault.read("copy") == [DATA, DATA]
    assert vault.read() == [LATER, LATER]
    assert not rolling_back.rollback(vault.core, "web", "snap", wire.SnapshotRollback()).failed
    vault.settle()
    assert vault.read() == [DATA, DATA]
    assert len(vault.records()) == 1
    reboot(vault)
    assert vault.read() == vault.read("copy") == [DATA, DATA]
    for name in ("web", "copy"):
        uuids = {header_of(vault.backing(node, volume)).uuid for node, volume in vault.replicas(name)}
        assert uuids == {volume.uuid for _, volume in vault.replicas(name)}, "every header bears its own incarnation"


def test_a_snapshot_taken_during_a_change_knows_every_key(vault):
    vault.spawn()
    vault.write(DATA)
    (node, _), _ = vault.replicas()
    vault.nodes[node].power_loss()
    vault.run(30)
    encryption.change_volume_key(vault.core, "web", 0, "")
    vault.heal()
    vault.run(3)
    snapshot(vault)
    vault.settle()
    assert len(vault.records()) == 1
    restored(vault)
    assert vault.read("copy") == [DATA, DATA]


# -- stacks ---------------------------------------------------------------------------------------------------


def test_the_flag_of_older_clients_puts_the_layer_into_the_stack(vault):
    definitions.create(
        vault.core, wire.ResourceDefinitionCreate(resource_definition=wire.ResourceDefinition(name="web"))
    )
    volume = wire.VolumeDefinition(size_kib=1024, flags=("ENCRYPTED",))
    definitions.create_volume(vault.core, "web", wire.VolumeDefinitionCreate(volume_definition=volume))
    assert vault.core.picture.definition("web").layers[-2:] == ("LUKS", "STORAGE")
    made = wire.ResourceCreate(resource=wire.Resource(node_name="alpha", props={"StorPoolName": "pool1"}))
    assert not resources.create(vault.core, "web", (made,)).failed
    assert vault.device("alpha").startswith("/dev/mapper/orlop-web_00000-")


def test_luks_stands_on_storage_only(vault):
    layers = tuple(wire.ResourceDefinitionLayer(type=layer) for layer in ("luks", "luks", "storage"))
    body = wire.ResourceDefinitionCreate(resource_definition=wire.ResourceDefinition(name="bad", layer_data=layers))
    with pytest.raises(Refused, match="cannot stand on") as refused:
        definitions.create(vault.core, body)
    assert refused.value.code == Fail.INVLD_LAYER_STACK


# -- secrecy --------------------------------------------------------------------------------------------------


def test_keys_and_passphrases_are_in_no_log_report_row_answer_or_process_list(vault, caplog):
    caplog.set_level(logging.DEBUG)
    answers = [vault.spawn(), vault.spawn("own", volume_passphrases=("open sesame",))]
    vault.write(DATA)
    answers.append(encryption.change_volume_key(vault.core, "web", 0, "friend and enter"))
    snapshot(vault)
    answers.append(encryption.modify(vault.core, PASSPHRASE, "battery staple"))
    for node in vault.nodes.values():
        node.power_loss()
    vault.start_controller()
    vault.heal()
    vault.settle()
    encryption.enter(vault.core, "battery staple")
    vault.settle()
    secret = {text.decode() for text in vault.key_texts()} | {PASSPHRASE, "battery staple"}
    assert {"open sesame", "friend and enter"} <= secret
    told = [
        caplog.text,
        repr([[list(vars(e).values()) if hasattr(e, "__dict__") else repr(e) for e in a] for a in answers]),
        msgspec.json.encode([r for n in vault.core.reported.nodes.values() for r in n.resources.values()]).decode(),
        repr(vault.core.picture.master_keys),
        repr(list(vault.core.picture.definitions.values())),
        repr(vault.sent),
        repr([vault.core.key_ring, *(vars(n.satellite)["_secrets"] for n in vault.nodes.values())]),
        repr([node.host.ran for node in vault.nodes.values()]),
        repr([vars(file) for n in vault.nodes.values() for f in n.host.disk.folders.values() for file in f.values()]),
    ]
    for place, text in enumerate(told):
        for word in secret:
            assert word not in text, f"a secret is in place {place}"


def test_sizes_below_have_room_for_the_header(vault):
    vault.spawn()
    for _, volume in vault.replicas():
        top, storage = volume.levels
        assert (top.layer, top.size) == ("LUKS", 1024 * KIB)
        assert storage.size >= top.size + HEADER
