"""Random writes, cuts, crashes and promotions on simulated nodes with DRBD 9.

With quorum, whatever happens: no write that was acknowledged is lost, and data never goes apart. Without it, data that
went apart is found and told, and nothing of it is overwritten.
"""

import contextlib
import os
import random
from itertools import combinations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from orlop.errors import NodeError
from orlop.testing.disk import BLOCK
from orlop.testing.drbd9_generations import Strategy, compare
from orlop.testing.drbd9_states import why_not
from tests.simulation.drbd9_nodes import BACKING, DEVICE, Nodes

SEQUENCES = int(os.environ.get("ORLOP_TEST_SEQUENCES", "500")) // 8
STEPS = 40
BLOCKS = 4
NODE = st.integers(0, 4)
KINDS = [("ABC", ""), ("ABT", "T"), ("ABCD", ""), ("ABCDT", "T"), ("ABCDE", "")]
REDUNDANT = "quorum majority; on-no-quorum io-error; quorum-minimum-redundancy majority;"
APART = {Strategy.SPLIT_BRAIN, Strategy.SPLIT_BRAIN_UNRELATED, Strategy.UNRELATED}
TIED = "quorum majority; on-no-quorum io-error;"


def concluded(nodes, one, other):
    ends = [(nodes.metadata(name).generations, nodes.names.index(name)) for name in (one, other)]
    return compare(*ends[0], *ends[1]).strategy


class Guarded(RuleBasedStateMachine):
    """`allowed` by block: what it may hold; more than one where power was lost before the write came back."""

    @initialize(kind=st.sampled_from(KINDS))
    def begin(self, kind):
        names, diskless = kind
        # Ties are broken for a majority of the nodes only, not of those that are up to date.
        self.nodes = Nodes(names, diskless=diskless, options=TIED if diskless else REDUNDANT).started()
        self.allowed = {block: {""} for block in range(BLOCKS)}
        self.off = set()
        self.count = 0

    def name(self, number):
        return self.nodes.names[number % len(self.nodes.names)]

    def alive(self):
        return [name for name in self.nodes.names if name not in self.off]

    # -- what happens -----------------------------------------------------------------------------------------

    @rule(number=NODE, block=st.integers(0, BLOCKS - 1))
    def write(self, number, block):
        self.count += 1
        with contextlib.suppress(NodeError):
            if (name := self.name(number)) not in self.off:
                self.nodes.write(name, f"write {self.count}", block)
                self.allowed[block] = {f"write {self.count}"}

    @rule(number=NODE, block=st.integers(0, BLOCKS - 1))
    def power_loss_in_a_write(self, number, block):
        """Only the primary's own disk has it."""
        self.count += 1
        name, new = self.name(number), f"write {self.count}"
        if name in self.off or name in self.nodes.diskless or self.nodes.role(name) != "Primary":
            return
        if self.nodes.disk(name) == "UpToDate" and not self.nodes.resource(name).lost_quorum:
            self.nodes.metadata(name).hot.add(block * BLOCK)
            self.nodes.hosts[name].disk.write(BACKING, block * BLOCK, new.encode().ljust(BLOCK, b"."))
            self.allowed[block] = self.allowed[block] | {new}
            self.turn_off(number)

    @rule(number=NODE)
    def promote(self, number):
        with contextlib.suppress(NodeError):
            if (name := self.name(number)) not in self.off:
                self.nodes.primary(name)

    @rule(number=NODE)
    def demote(self, number):
        with contextlib.suppress(NodeError):
            if (name := self.name(number)) not in self.off:
                self.nodes.secondary(name)

    @rule(number=NODE, seconds=st.booleans())
    def open_it(self, number, seconds):
        if (name := self.name(number)) in self.off:
            return
        disk = self.nodes.hosts[name].disk
        disk.use(DEVICE, "somebody") if seconds else disk.release(DEVICE)
        self.nodes.network.settle()

    @rule(one=NODE, other=NODE)
    def cut(self, one, other):
        if self.name(one) != self.name(other):
            self.nodes.network.cut.add(frozenset((self.name(one), self.name(other))))
            self.nodes.network.settle()

    @rule(number=NODE)
    def isolate(self, number):
        self.nodes.network.cut |= {
            frozenset((self.name(number), other)) for other in self.nodes.names if other != self.name(number)
        }
        self.nodes.network.settle()

    @rule(one=NODE, other=NODE)
    def heal(self, one, other):
        self.nodes.network.cut.discard(frozenset((self.name(one), self.name(other))))
        self.nodes.network.settle()

    @rule()
    def heal_all(self):
        self.nodes.heal()

    @rule(number=NODE)
    def turn_off(self, number):
        self.off.add(self.name(number))
        self.nodes.hosts[self.name(number)].power_loss()
        self.nodes.network.settle()

    @rule(number=NODE)
    def turn_on(self, number):
        if (name := self.name(number)) in self.off:
            self.off.remove(name)
            self.nodes.up(name)

    @rule()
    def wait(self):
        self.nodes.network.settle()

    # -- what holds -------------------------------------------------------------------------------------------

    @invariant()
    def only_one_writes(self):
        writers = [
            name
            for name in self.alive()
            if self.nodes.role(name) == "Primary" and not self.nodes.resource(name).lost_quorum
        ]
        assert len(writers) <= 1, writers

    @invariant()
    def data_does_not_go_apart(self):
        """Whatever two of them conclude when they meet, it is who is ahead."""
        for one, other in combinations([n for n in self.nodes.names if n not in self.nodes.diskless], 2):
            found = concluded(self.nodes, one, other)
            assert found not in APART, f"{one} and {other}: {found}"

    @invariant()
    def whoever_may_use_it_reads_what_was_acknowledged(self):
        for name in self.alive():
            if why_not(self.nodes.resource(name)) is None:
                for block, values in self.allowed.items():
                    assert self.read(name, block) in values, f"{name}, block {block}"

    def read(self, name, block):
        found = self.nodes.hosts[name].disk.read(DEVICE, block * BLOCK, BLOCK)
        return found.rstrip(b".\0").decode()

    def teardown(self):
        if not hasattr(self, "nodes"):
            return
        for name in sorted(self.off):
            self.nodes.up(name)
        for name in self.nodes.names:
            self.nodes.hosts[name].disk.release(DEVICE)
            self.nodes.secondary(name)
        self.nodes.network.cut.clear()
        self.nodes.up()
        self.nodes.settle(20)
        disks = {name: disk for name, disk in self.nodes.disks().items() if name not in self.nodes.diskless}
        assert set(disks.values()) == {"UpToDate"}, disks
        for block, values in self.allowed.items():
            found = {self.nodes.stored(name, block).rstrip("\0") for name in disks}
            assert len(found) == 1, f"block {block}: {found}"
            assert found <= values, f"block {block}: {found}, expected {values}"


def test_with_quorum_nothing_acknowledged_is_lost_and_data_never_goes_apart():
    run_state_machine_as_test(
        Guarded,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        ),
    )


# -- without quorum ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_without_quorum_data_that_went_apart_is_told_and_left_as_it_is(seed):
    chance = random.Random(seed)
    nodes = Nodes("ABC").started()
    nodes.isolate("C")
    written = {}
    for number in range(chance.randint(2, 8)):
        name, block = chance.choice("ABC" if number > 1 else "CA"[number]), chance.randrange(BLOCKS)
        nodes.write(name, f"{name} {number}", block)
        written[name == "C", block] = f"{name} {number}"
    nodes.heal()
    for name in "AB":
        assert nodes.connection(name, "C") == "StandAlone"
        assert "conn-name:C connection:StandAlone" in nodes.run(name, "drbdsetup", "events2", "--now")
    for name in "ABC":
        for block in range(BLOCKS):
            assert nodes.stored(name, block) == written.get((name == "C", block), "")
    assert set(nodes.disks().values()) == {"UpToDate"}
