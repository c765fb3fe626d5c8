"""Random lives of an encrypted volume, with losses of power and of the controller at random steps.

Every write is known; whatever happens, the volume must hold what was written last, or what the snapshot held to which
it was rolled back.
"""

import os
import random

import pytest

from orlop.controller import wire
from orlop.controller.usecases import definitions, encryption, rolling_back, snapshots
from orlop.errors import OrlopError
from orlop.model import KIB
from orlop.testing.commits import ControllerCrash
from orlop.testing.disk import BLOCK
from tests.simulation.backends import BACKENDS
from tests.simulation.test_encryption import PASSPHRASE, Vault

SEEDS = int(os.environ.get("ORLOP_TEST_LIVES", "16"))
STEPS = 12
KINDS = [backend for backend in BACKENDS if backend.provider in ("LVM_THIN", "ZFS", "FILE_THIN")]


class Life:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.vault = Vault(self.random.choice(KINDS), seed=seed)
        assert not self.vault.spawn().failed
        self.written = 0
        self.snapped = None  # what the snapshot holds
        self.holds = set()  # what the volume may hold now
        self.write()

    def write(self):
        self.written += 1
        data = f"token {self.written}".encode().ljust(BLOCK, b".")
        self.vault.write(data)
        self.holds = {data}

    def request(self, act, *arguments):
        """Whether it was done for sure."""
        try:
            return not act(self.vault.core, *arguments).failed
        except OrlopError:
            return False
        except ControllerCrash:
            self.vault.start_controller()
            encryption.enter(self.vault.core, PASSPHRASE)
            return False

    def change_key(self):
        self.request(encryption.change_volume_key, "web", 0, "")

    def grow(self):
        size = self.vault.core.picture.definition("web").volume_definitions[0].size // KIB + 1024
        self.request(definitions.modify_volume, "web", 0, wire.VolumeDefinitionModify(size_kib=size))

    def snapshot(self):
        self.request(snapshots.delete, "web", "snap")
        self.vault.settle()
        self.request(snapshots.create, "web", wire.Snapshot(name="snap"))
        self.vault.heal_and_open()
        taken = [s for s in self.vault.core.picture.definition("web").snapshots if "SUCCESSFUL" in s.flags]
        self.snapped = set(self.holds) if taken else None

    def roll_back(self):
        if self.snapped is not None:
            done = self.request(rolling_back.rollback, "web", "snap", wire.SnapshotRollback())
            self.holds = set(self.snapped) if done else self.holds | self.snapped

    def lose_power(self):
        node = self.random.choice(list(self.vault.nodes.values()))
        node.power_loss()

    def lock(self):
        self.vault.start_controller()
        self.vault.settle(5)
        encryption.enter(self.vault.core, PASSPHRASE)

    def step(self):
        if self.random.random() < 0.5:
            node = self.random.choice(list(self.vault.nodes.values()))
            node.host.faults.crash(self.random.randint(1, 6), self.random.choice(["before", "during", "after"]))
        elif self.random.random() < 0.3:
            self.vault.store.crash_at(self.random.randint(1, 3), self.random.random() < 0.5)
        acts = [self.change_key, self.grow, self.snapshot, self.roll_back, self.lose_power, self.lock]
        try:
            self.random.choice(acts)()
            self.vault.settle(20)
        except ControllerCrash:
            self.vault.start_controller()
            encryption.enter(self.vault.core, PASSPHRASE)
        self.vault.heal_and_open()
        found = self.vault.read()
        assert set(found) <= self.holds
        assert len(set(found)) == 1, "a rollback comes to every replica or to none"
        self.holds = set(found)
        if self.random.random() < 0.3:
            self.write()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_life_keeps_the_data_and_ends_with_one_key(seed):
    life = Life(seed)
    for _ in range(STEPS):
        life.step()
    life.vault.heal_and_open()
    assert len(life.vault.records()) == 1
    assert life.vault.slots() == [[str(life.vault.records()[0].slot)]] * 2
    for node in life.vault.nodes.values():
        assert node.host.disk.destroyed == []
