"""The satellite on this machine, with real loop devices. Everything that is made is taken away again."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orlop.drivers import Drivers
from orlop.errors import InUse
from orlop.hooks import Hooks
from orlop.host import LocalHost, execute
from orlop.model import FileSystem, Presence, ReportedResource, WantedPool, WantedResource
from orlop.plugin import RequireUnused, Step
from orlop.satellite.converge import converge
from orlop.satellite.file_systems import look
from orlop.satellite.observe import observe
from orlop.satellite.plan import with_contents
from orlop.satellite.secrets import no_secret
from orlop.testing.bench import replace, resource, snapshot, volume

pytestmark = pytest.mark.root
CLUSTER = "test-cluster"
MIB = 1 << 20
SOURCE = {"source": "res-0-snap", "source_name": "res_00000.snap"}


def sh(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def hook_free(steps: Sequence[Step], host: LocalHost) -> None:
    execute("res", steps, host, Hooks(), no_secret)


class Machine:
    """One pool in a folder of this machine."""

    def __init__(self, folder: Path, provider: str = "FILE_THIN") -> None:
        self.folder, self.host, self.drivers = folder, LocalHost(), Drivers.installed()
        props = {"StorDriver/StorPoolName": str(folder)}
        self.pool = WantedPool(name="pool", uuid="pool-uuid", provider=provider, props=props, new=True)
        hook_free(self.drivers.load("orlop.storage", provider).observe(self.host, (self.pool,), CLUSTER)
                  .mark_pool(self.pool), self.host)  # fmt: skip

    def reach(self, wanted: WantedResource) -> ReportedResource:
        def seen() -> object:
            found = observe(self.host, self.drivers, (self.pool,), [wanted], CLUSTER)
            return with_contents(found, lambda device, system: look(self.host, device, system), [wanted])

        return converge(wanted, seen, lambda steps: hook_free(steps, self.host))  # type: ignore[arg-type]

    def ready(self, wanted: WantedResource) -> str:
        said = self.reach(wanted)
        assert said.settled, said.problem
        device = said.volumes[0].device
        assert device
        return device


def release(folder: Path) -> None:
    """Unmount and detach whatever a test, or a failing one, left below its own folder; last made, first gone."""
    detach(folder)
    mounted = [line.split()[:2] for line in Path("/proc/mounts").read_text().splitlines()]
    for _, at in reversed([(device, at) for device, at in mounted if at.startswith(f"{folder}/")]):
        sh("umount", at)
        detach(folder)


def detach(folder: Path) -> None:
    for line in sh("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
        device, path = line.split(None, 1)
        if path.startswith(f"{folder}/"):
            sh("losetup", "--detach", device)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "pool"
    release(tmp_path)


@pytest.fixture(params=["FILE", "FILE_THIN"])
def machine(request: pytest.FixtureRequest, folder: Path) -> Machine:
    return Machine(folder, request.param)


@pytest.fixture
def on_xfs(tmp_path: Path, folder: Path) -> Machine:
    """A pool on a file system that can share blocks."""
    image, at = tmp_path / "xfs.img", tmp_path / "xfs"
    if not LocalHost().programs(("mkfs.xfs",))["mkfs.xfs"]:
        pytest.skip("mkfs.xfs is not installed")
    sh("truncate", "--size", "400M", str(image))
    sh("mkfs.xfs", "-q", str(image))
    at.mkdir()
    sh("mount", "-o", "loop", str(image), str(at))
    return Machine(at / "pool")


@pytest.fixture
def mounted(tmp_path: Path) -> Callable[[str], Path]:
    def mount(device: str) -> Path:
        at = tmp_path / "mounted"
        at.mkdir()
        sh("mount", device, str(at))
        return at

    return mount


def fill(device: str, size: int = 8 * MIB) -> str:
    """Random data, and its fingerprint."""
    data = os.urandom(size)
    with open(device, "r+b", buffering=0) as stream:
        stream.write(data)
        os.fsync(stream.fileno())
    return hashlib.sha256(data).hexdigest()


def fingerprint(device: str, size: int = 8 * MIB) -> str:
    with open(device, "rb") as stream:
        return hashlib.sha256(stream.read(size)).hexdigest()


def snapshot_restore_roll_back(machine: Machine) -> None:
    device = machine.ready(resource(volume(new=True)))
    before = fill(device)
    assert machine.reach(resource(volume(), snapshot(new=True))).settled
    after = fill(device)
    assert before != after
    assert fingerprint(machine.ready(resource(volume("copy", new=True, size=32 * MIB, **SOURCE)))) == before
    assert fingerprint(device) == after
    back = volume(uuid="back", replaces="res-0", new=True, **SOURCE)
    assert fingerprint(machine.ready(resource(back, snapshot()))) == before
    gone = [replace(back, wanted=False), snapshot(wanted=False)]
    assert machine.reach(resource(*gone)).settled
    assert machine.reach(resource(volume("copy", wanted=False))).settled
    assert os.listdir(machine.folder) == [".orlop-pool"]


def test_data_comes_back_from_copies(machine: Machine) -> None:
    snapshot_restore_roll_back(machine)


def test_data_comes_back_from_shared_blocks(on_xfs: Machine) -> None:
    assert on_xfs.host.reflink(str(on_xfs.folder))
    snapshot_restore_roll_back(on_xfs)


def test_shared_blocks_allow_a_snapshot_in_use(on_xfs: Machine, mounted: Callable[[str], Path]) -> None:
    device = on_xfs.ready(resource(volume(new=True, size=64 * MIB, file_system=FileSystem(kind="ext4"))))
    at = mounted(device)
    (at / "file").write_text("kept")
    sh("sync", "--file-system", str(at))
    assert on_xfs.reach(resource(volume(), snapshot(new=True))).settled


def test_a_copying_snapshot_in_use_is_refused(machine: Machine, mounted: Callable[[str], Path]) -> None:
    device = machine.ready(resource(volume(new=True, file_system=FileSystem(kind="ext4"))))
    mounted(device)
    said = machine.reach(resource(volume(), snapshot(new=True)))
    assert "would not be consistent" in said.snapshots[0].problem
    assert said.snapshots[0].presence is Presence.ABSENT


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_file_system_belongs_to_its_owner(machine: Machine, mounted: Callable[[str], Path], kind: str) -> None:
    if not machine.host.programs((f"mkfs.{kind}",))[f"mkfs.{kind}"]:
        pytest.skip(f"mkfs.{kind} is not installed")
    system = FileSystem(kind=kind, user="nobody")
    wanted = volume(new=True, size=320 * MIB, file_system=system)
    at = mounted(machine.ready(resource(wanted)))
    assert os.stat(at).st_uid == 65534
    assert machine.reach(resource(replace(wanted, new=False))).volumes[0].formatted


def test_thick_volumes_have_all_their_blocks_and_keep_them(folder: Path) -> None:
    machine = Machine(folder, "FILE")
    machine.ready(resource(volume(new=True, file_system=FileSystem(kind="ext4"))))
    assert os.stat(folder / "res_00000").st_blocks * 512 >= 16 * MIB
    machine.reach(resource(volume(), snapshot(new=True)))
    machine.ready(resource(volume("copy", new=True, **SOURCE)))
    assert os.stat(folder / "copy_00000").st_blocks * 512 >= 16 * MIB


def test_a_mounted_volume_grows(machine: Machine, mounted: Callable[[str], Path]) -> None:
    device = machine.ready(resource(volume(new=True, file_system=FileSystem(kind="ext4"))))
    at = mounted(device)
    (at / "file").write_text("kept")
    assert machine.ready(resource(volume(size=48 * MIB))) == device
    assert int(sh("blockdev", "--getsize64", device)) == 48 * MIB
    assert (at / "file").read_text() == "kept"


def test_a_mounted_volume_is_neither_closed_nor_removed(machine: Machine, mounted: Callable[[str], Path]) -> None:
    device = machine.ready(resource(volume(new=True, file_system=FileSystem(kind="ext4"))))
    mounted(device)
    for order in (volume(active=False), volume(wanted=False)):
        said = machine.reach(resource(order))
        assert "mounted at" in said.problem
        assert said.volumes[0].presence is Presence.READY
    assert device in machine.host.users()


def test_a_mount_in_another_namespace_counts(machine: Machine, tmp_path: Path) -> None:
    device = machine.ready(resource(volume(new=True, file_system=FileSystem(kind="ext4"))))
    at = tmp_path / "hidden"
    at.mkdir()
    inside = ("mount", device, str(at))
    script = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True); print('up', flush=True); input()"
    argv = ("unshare", "--mount", "--propagation", "private", "python3", "-c", script, *inside)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        assert str(at) not in Path("/proc/mounts").read_text()
        assert "mounted at" in machine.reach(resource(volume(wanted=False))).problem
        process.communicate("\n")
    assert machine.reach(resource(volume(wanted=False))).settled


def test_a_mount_is_noticed_once(machine: Machine, mounted: Callable[[str], Path]) -> None:
    device = machine.ready(resource(volume(new=True, file_system=FileSystem(kind="ext4"))))
    while machine.host.mounts_changed(0):
        pass
    mounted(device)
    assert machine.host.mounts_changed(10)
    assert not machine.host.mounts_changed(0)


def test_an_opened_volume_is_not_removed(machine: Machine) -> None:
    device = machine.ready(resource(volume(new=True)))
    with open(device, "rb"):
        said = machine.reach(resource(volume(wanted=False)))
        assert f"open in process {os.getpid()}" in said.problem
        assert (machine.folder / "res_00000").exists()
    assert machine.reach(resource(volume(wanted=False))).settled
    assert not (machine.folder / "res_00000").exists()


def test_a_loop_device_on_top_is_a_user(machine: Machine) -> None:
    device = machine.ready(resource(volume(new=True)))
    top = sh("losetup", "--find", "--show", device).strip()
    try:
        with pytest.raises(InUse):
            hook_free([RequireUnused(device=device)], machine.host)
    finally:
        sh("losetup", "--detach", top)
    hook_free([RequireUnused(device=device)], machine.host)


def test_foreign_files_are_untouched(machine: Machine) -> None:
    machine.folder.joinpath("res_00000").write_bytes(b"theirs")
    machine.folder.joinpath("notes.txt").write_bytes(b"theirs too")
    for order in (volume(new=True), volume(active=False), volume(wanted=False)):
        machine.reach(resource(order))
    assert machine.folder.joinpath("res_00000").read_bytes() == b"theirs"
    assert machine.folder.joinpath("notes.txt").read_bytes() == b"theirs too"


def test_an_unmounted_pool_is_unavailable(on_xfs: Machine) -> None:
    on_xfs.ready(resource(volume(new=True)))
    on_xfs.reach(resource(volume(active=False)))
    on_xfs.pool = replace(on_xfs.pool, new=False)
    sh("umount", str(on_xfs.folder.parent))
    said = on_xfs.reach(resource(volume()))
    assert "is its file system mounted?" in said.problem
    assert not on_xfs.folder.exists()
