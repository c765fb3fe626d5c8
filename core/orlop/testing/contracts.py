"""What every host, storage driver and layer must do. Call these from your own tests; they raise `AssertionError`."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

import msgspec

from orlop.drivers import LAYER, STORAGE, Drivers
from orlop.errors import CommandFailed, NodeError, OrlopError, WouldDestroy
from orlop.hooks import Hooks
from orlop.host import Copying, Host, execute
from orlop.model import MIB, Presence, WantedLevel, WantedPool, WantedResource, WantedSnapshot, WantedVolume
from orlop.plugin import (
    CLUSTER,
    CREATED,
    UUID,
    CopyDevice,
    CreateFile,
    LongCopy,
    NodeLayer,
    ResizeFile,
    SetAttributes,
    Step,
    StorageDriver,
    WriteFile,
)
from orlop.satellite.converge import converge
from orlop.satellite.observe import observe
from orlop.satellite.plan import plan

ENOUGH = 5  # rounds of looking and acting

replace = msgspec.structs.replace


def raises(kind: type[Exception], act: Callable[[], object]) -> None:
    try:
        act()
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was expected")


# -- hosts ----------------------------------------------------------------------------------------


def check_host(host: Host, directory: str) -> None:
    """`directory` exists, is empty, and its file system knows extended attributes."""
    _check_commands(host)
    one, uuid = f"{directory}/one", str(uuid4())
    marks = {CLUSTER: "cluster", UUID: uuid}
    host.create(CreateFile(path=one, size=MIB, attributes=marks))
    seen = (host.files(directory) or {})["one"]
    assert seen.size == MIB, "a file has the size it was made with"
    assert seen.allocated >= MIB, "all of its blocks are allocated"
    assert marks.items() <= seen.attributes.items(), "it is marked"
    assert seen.attributes[CREATED].isdecimal(), "and carries the time"
    raises(WouldDestroy, lambda: host.create(CreateFile(path=one, size=MIB, attributes=marks)))
    raises(WouldDestroy, lambda: host.resize(ResizeFile(path=one, size=4096)))
    host.resize(ResizeFile(path=one, size=2 * MIB))
    host.set_attributes(SetAttributes(path=one, attributes={"extra": "ä"}))
    seen = (host.files(directory) or {})["one"]
    assert (seen.size, seen.attributes["extra"], seen.attributes[UUID]) == (2 * MIB, "ä", uuid)
    host.create(CreateFile(path=f"{directory}/thin", size=MIB, attributes=marks, sparse=True))
    assert (host.files(directory) or {})["thin"].allocated < MIB, "a sparse file takes nothing"
    _check_copies(host, directory, one, uuid)
    _check_small_files(host, directory)


def _check_commands(host: Host) -> None:
    assert host.run(("losetup", "--version")), "output is text"
    raises(CommandFailed, lambda: host.run(("orlop-no-such-program",)))
    raises(CommandFailed, lambda: host.run(("losetup", "--no-such-option")))


def _check_copies(host: Host, directory: str, one: str, uuid: str) -> None:
    two, other = f"{directory}/two", str(uuid4())
    copy = LongCopy(source=one, target=two, attributes={UUID: other}, size=3 * MIB, sparse=True)
    host.copy(copy, Copying())
    seen = (host.files(directory) or {})["two"]
    assert (seen.size, seen.attributes[UUID]) == (3 * MIB, other), "a copy is extended and marked"
    raises(WouldDestroy, lambda: host.copy(copy, Copying()))
    raises(WouldDestroy, lambda: host.copy(replace(copy, replaces=uuid), Copying()))
    host.copy(replace(copy, replaces=other, attributes={UUID: uuid}), Copying())
    assert (host.files(directory) or {})["two"].attributes[UUID] == uuid, "only the named one is replaced"


def _check_small_files(host: Host, directory: str) -> None:
    path = f"{directory}/small"
    assert host.read(path) is None
    host.write(WriteFile(path=path, content="first"))
    host.write(WriteFile(path=path, content="second"))
    assert host.read(path) == "second"
    for name in ("one", "two", "thin", "small", "small"):
        host.remove(f"{directory}/{name}")  # twice is no error
    assert not host.files(directory), "nothing is left, temporary names included"
    assert host.files(f"{directory}/none") is None
    assert host.space(directory).total >= host.space(directory).free > 0


def check_devices(host: Host, directory: str) -> None:
    """Copies of block devices. On a real host this needs root and loop devices; `directory` is as for `check_host`."""
    sizes = {"small": MIB, "large": 2 * MIB}
    for name, size in sizes.items():
        host.create(CreateFile(path=f"{directory}/{name}", size=size, attributes={UUID: str(uuid4())}))
    attach = ("losetup", "--find", "--show", "--nooverlap")
    small, large = (host.run((*attach, f"{directory}/{name}")).strip() for name in sizes)
    try:
        host.copy_device(CopyDevice(source=small, target=large, size=MIB), Copying())
        host.copy_device(CopyDevice(source=large, target=small, size=MIB, zeroed=True), Copying())
        for wrong in (
            CopyDevice(source=small, target=large, size=2 * MIB),
            CopyDevice(source=large, target=small, size=2 * MIB),
            CopyDevice(source=f"{directory}/none", target=large, size=MIB),
        ):
            raises(NodeError, lambda wrong=wrong: host.copy_device(wrong, Copying()))  # type: ignore[misc]
        host.require_unused(large)
    finally:
        for device in (small, large):
            host.run(("losetup", "--detach", device))
        for name in sizes:
            host.remove(f"{directory}/{name}")


# -- storage drivers ------------------------------------------------------------------------------


class Workbench:
    """A driver at work on one pool."""

    def __init__(self, driver: type[StorageDriver], host: Host, pool: WantedPool, cluster: str) -> None:
        self.driver, self.host, self.cluster = driver, host, cluster
        self.pool = replace(pool, props=driver.check_pool(pool.props))

    def look(self) -> StorageDriver:
        return self.driver.observe(self.host, (self.pool,), self.cluster)

    def act(self, steps: Sequence[Step]) -> None:
        execute("check", steps, self.host, Hooks(), _no_secret)

    def until_done(self, steps: Callable[[StorageDriver], list[Step]]) -> None:
        """Look and act until nothing is left, as a satellite does."""
        for _ in range(ENOUGH):
            left = steps(self.look())
            if not left:
                return
            self.act(left)
        raise AssertionError(f"still to do after {ENOUGH} rounds: {steps(self.look())}")

    def up(self, volume: WantedVolume) -> None:
        self.until_done(lambda seen: seen.take_down(volume) or seen.bring_up(volume))

    def down(self, volume: WantedVolume) -> None:
        self.until_done(lambda seen: seen.take_down(volume))

    def volume(self, name: str, size: int = 4 * MIB) -> WantedVolume:
        size += -size % self.driver.granularity(self.pool.props)
        levels = (WantedLevel(layer="STORAGE", size=size),)
        return WantedVolume(resource=name, number=0, uuid=str(uuid4()), pool=self.pool.name, levels=levels, new=True)


def check_storage(driver: type[StorageDriver], host: Host, pool: WantedPool, cluster: str = "") -> None:
    """The law of data, for one kind of pool. `pool` is new and its backing is empty; everything made is removed.

    What is left is the mark of the pool: a further check on the same backing has to be given the same `cluster`.
    """
    bench = Workbench(driver, host, pool, cluster=cluster or str(uuid4()))
    _check_mark(bench)
    volume = bench.volume("orlop-check")
    _check_create(bench, volume)
    _check_identity(bench, volume)
    volume = _check_grow(bench, replace(volume, new=False))
    if driver.snapshots:
        volume = _check_snapshots(bench, volume)
    _check_down(bench, volume)
    assert bench.look().objects(pool.name) == (), "everything that was made is gone again"


def _check_mark(bench: Workbench) -> None:
    name = bench.pool.name
    unmarked = bench.driver.observe(bench.host, (replace(bench.pool, new=False),), bench.cluster)
    assert unmarked.pool_problem(name) or not unmarked.pool_marked(name), "without our mark a pool is not ours"
    bench.until_done(lambda seen: seen.mark_pool(bench.pool))
    bench.pool = replace(bench.pool, new=False)
    seen = bench.look()
    assert seen.pool_marked(name), "a new pool gets our mark"
    assert seen.pool_problem(name) == "", seen.pool_problem(name)
    assert seen.capacity(name).total >= seen.capacity(name).free > 0
    assert seen.objects(name) == ()


def _check_create(bench: Workbench, volume: WantedVolume) -> None:
    old = replace(volume, new=False)
    assert bench.look().presence(old) is Presence.MISSING, "a volume that is not new and not there is missing"
    raises(OrlopError, lambda: bench.look().bring_up(old))
    assert bench.look().presence(volume) is Presence.ABSENT
    bench.up(volume)
    seen = bench.look()
    assert seen.presence(volume) is Presence.READY, "a new volume is made and opened"
    assert seen.presence(old) is Presence.READY, "`new` says what may be done, not what is there"
    assert seen.device(volume), "an open volume has a device"
    assert (seen.size(volume) or 0) >= volume.size
    assert not seen.formatted(volume)
    bench.act(seen.record_formatted(volume, "ext4"))
    assert bench.look().formatted(volume), "that a file system was made is kept on the object"
    assert [thing.uuid for thing in bench.look().objects(bench.pool.name)] == [volume.uuid]


def _check_identity(bench: Workbench, volume: WantedVolume) -> None:
    stranger = replace(volume, uuid=str(uuid4()))
    seen = bench.look()
    assert seen.presence(stranger) is Presence.FOREIGN, "a name alone is not identity"
    raises(OrlopError, lambda: seen.bring_up(stranger))
    assert seen.take_down(replace(stranger, wanted=False)) == [], "nothing foreign is removed"
    assert seen.take_down(replace(stranger, active=False)) == [], "or closed"
    assert seen.device(stranger) is None, "or shown"
    assert not seen.formatted(stranger)
    _check_strangers(bench)


def _check_strangers(bench: Workbench) -> None:
    """Another pool, or another cluster, finds the place taken."""
    other = replace(bench.pool, uuid=str(uuid4()), new=True)
    for pool, cluster in ((other, bench.cluster), (other, str(uuid4())), (bench.pool, str(uuid4()))):
        seen = bench.driver.observe(bench.host, (pool,), cluster)
        assert seen.pool_problem(pool.name), "the backing of another pool is refused"
        assert seen.mark_pool(pool) == [], "and keeps its mark"


def _check_grow(bench: Workbench, volume: WantedVolume) -> WantedVolume:
    bigger = _resized(volume, volume.size * 2)
    bench.up(bigger)
    assert (bench.look().size(bigger) or 0) >= bigger.size, "a volume grows, and its device with it"
    smaller = _resized(volume, volume.size)
    assert bench.look().bring_up(smaller) == [], "nothing ever shrinks by a difference"
    assert bench.look().take_down(smaller) == []
    return bigger


def _check_snapshots(bench: Workbench, volume: WantedVolume) -> WantedVolume:
    snapshot = WantedSnapshot(
        resource=volume.resource,
        snapshot="first",
        number=0,
        uuid=str(uuid4()),
        volume=volume.uuid,
        pool=volume.pool,
        size=volume.size,
        new=True,
    )
    assert bench.look().snapshot_presence(replace(snapshot, new=False)) is Presence.MISSING
    bench.until_done(lambda seen: seen.take_snapshot(snapshot))
    seen = bench.look()
    assert seen.snapshot_presence(snapshot) is Presence.READY
    assert seen.snapshot_created(snapshot), "a snapshot knows when it was taken"
    stranger = replace(snapshot, uuid=str(uuid4()))
    assert seen.snapshot_presence(stranger) is Presence.FOREIGN
    assert seen.remove_snapshot(replace(stranger, wanted=False)) == [], "nothing foreign is removed"

    filled = replace(bench.volume("orlop-restored"), source=snapshot.uuid, source_name=snapshot.name)
    bench.up(filled)
    seen = bench.look()
    assert seen.presence(filled) is Presence.READY, "a volume is made from a snapshot"
    assert (seen.size(filled) or 0) >= snapshot.size, "and is at least as large"
    bench.down(replace(filled, wanted=False))

    back = replace(volume, uuid=str(uuid4()), new=True, source=snapshot.uuid, source_name=snapshot.name)
    raises(OrlopError, lambda: bench.look().bring_up(replace(back, replaces=str(uuid4()))))
    back = replace(back, replaces=volume.uuid)
    bench.up(back)
    seen = bench.look()
    assert seen.presence(back) is Presence.READY, "a rollback puts a new incarnation in place of the old one"
    assert seen.presence(volume) is Presence.FOREIGN
    bench.until_done(lambda seen: seen.remove_snapshot(replace(snapshot, wanted=False)))
    assert bench.look().snapshot_presence(replace(snapshot, wanted=False)) is Presence.ABSENT
    return replace(back, new=False, source=None, replaces=None)


def _check_down(bench: Workbench, volume: WantedVolume) -> None:
    bench.down(replace(volume, active=False))
    seen = bench.look()
    assert seen.presence(volume) is Presence.HIDDEN, "an inactive volume is closed and kept"
    assert seen.device(volume) is None
    bench.up(volume)
    assert bench.look().presence(volume) is Presence.READY
    gone = replace(volume, wanted=False)
    bench.down(gone)
    assert bench.look().presence(gone) is Presence.ABSENT


def _resized(volume: WantedVolume, size: int) -> WantedVolume:
    return replace(volume, levels=(*volume.levels[:-1], replace(volume.levels[-1], size=size)))


def _no_secret(name: str) -> bytes:
    raise NodeError(f"no secret named {name}")


# -- layers ---------------------------------------------------------------------------------------


class Stack(NamedTuple):
    """Layers, top first, over a marked pool."""

    layers: tuple[str, ...]
    drivers: Drivers
    host: Host
    pool: WantedPool
    levels: Mapping[str, WantedLevel]  # what a layer comes with: options and data
    secret: Callable[[str], bytes]


def check_layer(
    layers: tuple[str, ...],
    drivers: Drivers,
    host: Host,
    pool: WantedPool,
    reboot: Callable[[], None] | None = None,
    cluster: str = "",
    levels: tuple[WantedLevel, ...] = (),
    secret: Callable[[str], bytes] = _no_secret,
) -> None:
    """Create, grow, reboot, close, open and delete a stack; each time nothing may be left to do.

    `levels` bear the options and data of those layers that need some, `secret` knows the secrets they name.
    """
    cluster = cluster or str(uuid4())
    driver = drivers.load(STORAGE, pool.provider)
    bench = Workbench(driver, host, pool, cluster)
    bench.until_done(lambda seen: seen.mark_pool(bench.pool))
    given = {level.layer: level for level in levels}
    stack = Stack(layers, drivers, host, replace(bench.pool, new=False), given, secret)
    new = WantedVolume(
        resource="orlop-stack", number=0, uuid=str(uuid4()), pool=pool.name, levels=_levels(stack, 4 * MIB), new=True
    )
    assert _reach(stack, cluster, new) is Presence.READY
    kept = replace(new, new=False, levels=_levels(stack, 8 * MIB))
    assert _reach(stack, cluster, kept) is Presence.READY
    if reboot is not None:
        reboot()
        assert _reach(stack, cluster, kept) is Presence.READY, "after a reboot everything comes up as it was"
    assert _reach(stack, cluster, replace(kept, active=False)) is Presence.HIDDEN
    assert _reach(stack, cluster, kept) is Presence.READY
    assert _reach(stack, cluster, replace(kept, wanted=False)) is Presence.ABSENT
    assert bench.look().objects(pool.name) == (), "deleting leaves nothing behind"


def _levels(stack: Stack, size: int) -> tuple[WantedLevel, ...]:
    levels: list[WantedLevel] = []
    for name in stack.layers:
        given = stack.levels.get(name, WantedLevel(layer=name, size=0))
        levels.append(replace(given, size=size))
        layer: type[NodeLayer] = stack.drivers.load(LAYER, name)
        size = layer.size_below(size, given.options)
    return tuple(levels)


def _reach(stack: Stack, cluster: str, volume: WantedVolume) -> Presence:
    wanted = WantedResource(name=volume.resource, revision=1, volumes=(volume,))

    def act(steps: Sequence[Step]) -> None:
        execute(wanted.name, steps, stack.host, Hooks(), stack.secret)

    said = converge(wanted, lambda: observe(stack.host, stack.drivers, (stack.pool,), [wanted], cluster), act)
    assert said.settled, said.problem
    left = plan(wanted, observe(stack.host, stack.drivers, (stack.pool,), [wanted], cluster))
    assert not any(part.steps for part in left), "planning again must find nothing to do"
    if said.volumes[0].presence is Presence.READY:
        assert (said.volumes[0].size or 0) >= volume.levels[0].size, "the top offers what was asked for"
    return said.volumes[0].presence
