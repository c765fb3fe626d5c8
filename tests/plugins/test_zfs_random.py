"""Any order of snapshots, restores, rollbacks and removals, with losses of power: no data is lost, nothing is left."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from orlop.testing.faults import Crash
from orlop_storage.zfs import Zfs
from orlop_storage.zfs_thin import ZfsThin
from tests.plugins.zfs_bench import ZfsBench

WHICH = st.integers(0, 1000)
CUT = st.tuples(st.integers(1, 5), st.sampled_from(["before", "after"]))


class Life(RuleBasedStateMachine):
    """What volumes and snapshots must hold, by uuid of the volume and by name of the snapshot."""

    def __init__(self):
        super().__init__()
        self.volumes, self.snapshots, self.count = {}, {}, 0

    @initialize(driver=st.sampled_from([Zfs, ZfsThin]))
    def begin(self, driver):
        self.bench = ZfsBench(driver)
        self.make()

    def cut(self, cut, act):
        """Do it with a loss of power in the middle, and again."""
        self.bench.node.faults.crash(*cut)
        try:
            done = act()
        except Crash:
            self.bench.node.power_loss()
            done = act()
        self.bench.node.faults.clear()
        return done

    def next(self):
        self.count += 1
        return f"n{self.count}"

    def volume(self, which):
        return list(self.volumes)[which % len(self.volumes)]

    def snapshot(self, which):
        return list(self.snapshots)[which % len(self.snapshots)]

    @rule()
    def make(self):
        name = self.next()
        self.volumes[name] = self.bench.make(name, content=name.encode()), name

    @precondition(lambda self: self.volumes)
    @rule(which=WHICH)
    def write(self, which):
        name, token = self.volume(which), self.next()
        self.bench.write(self.volumes[name][0], token.encode())
        self.volumes[name] = self.volumes[name][0], token

    @precondition(lambda self: self.volumes)
    @rule(which=WHICH)
    def take(self, which):
        volume, token = self.volumes[self.volume(which)]
        name = self.next()
        self.snapshots[name] = self.bench.take(volume, name), token, volume.resource

    @precondition(lambda self: self.snapshots)
    @rule(which=WHICH)
    def restore(self, which):
        snapshot, token, _ = self.snapshots[self.snapshot(which)]
        name = self.next()
        self.volumes[name] = self.bench.restored(snapshot, name), token

    @precondition(lambda self: any(of in self.volumes for _, _, of in self.snapshots.values()))
    @rule(which=WHICH, cut=CUT)
    def roll_back(self, which, cut):
        own = [s for s in self.snapshots.values() if s[2] in self.volumes]
        snapshot, token, of = own[which % len(own)]
        order = self.bench.rolled_back(self.volumes[of][0], snapshot)
        self.cut(cut, lambda: self.bench.up(order))
        self.volumes[of] = self.bench.finished(order), token

    @precondition(lambda self: self.volumes)
    @rule(which=WHICH, cut=CUT)
    def remove_volume(self, which, cut):
        volume, _ = self.volumes.pop(self.volume(which))
        self.cut(cut, lambda: self.bench.remove(volume))

    @precondition(lambda self: self.snapshots)
    @rule(which=WHICH, cut=CUT)
    def remove_snapshot(self, which, cut):
        snapshot, _, _ = self.snapshots.pop(self.snapshot(which))
        self.cut(cut, lambda: self.bench.remove(snapshot))

    @rule(cut=CUT)
    def tidy(self, cut):
        self.cut(cut, self.bench.tidy)

    def teardown(self):
        if not hasattr(self, "bench"):
            return
        for snapshot, token, _ in list(self.snapshots.values()):
            name = self.next()
            self.volumes[name] = self.bench.restored(snapshot, name), token
        assert {self.bench.content(volume): token for volume, token in self.volumes.values()} == {
            token.encode(): token for _, token in self.volumes.values()
        }
        listed = [thing.uuid for thing in self.bench.look().objects("pool")]
        kept = [v for v, _ in self.volumes.values()] + [s for s, _, _ in self.snapshots.values()]
        assert sorted(listed) == sorted(thing.uuid for thing in kept)
        for thing in kept[:: -1 if self.count % 2 else 1]:
            self.bench.remove(thing)
        for _ in range(self.count):  # one may keep the other
            self.bench.tidy()
        assert self.bench.there() == []


class TestLife(Life.TestCase):
    settings = settings(
        max_examples=60,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
