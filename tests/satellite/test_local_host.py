"""What only the real machine can show, and needs no root."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from orlop.errors import Cancelled, CommandFailed, InUse, NodeError, WouldDestroy
from orlop.host import Copying, LocalHost
from orlop.host.commands import Commands
from orlop.host.files import Folders
from orlop.plugin import CreateFile, LongCopy, RenameFile, SetAttributes, WriteFile

MIB = 1 << 20


def make(host: LocalHost, path: Path, size: int = MIB, **marks: str) -> Path:
    host.create(CreateFile(path=str(path), size=size, attributes={"orlop.uuid": path.name, **marks}, sparse=True))
    return path


def test_a_change_right_after_a_look_is_seen(tmp_path: Path) -> None:
    host = LocalHost()
    path = make(host, tmp_path / "one")
    for value in map(str, range(50)):
        host.set_attributes(SetAttributes(path=str(path), attributes={"value": value}))
        assert (host.files(str(tmp_path)) or {})["one"].attributes["value"] == value


def test_a_remembered_file_is_looked_at_again_when_it_changed(tmp_path: Path) -> None:
    host, folders = LocalHost(), Folders(settled=0)
    path = make(host, tmp_path / "one", value="first")
    time.sleep(0.05)  # so that the first look is remembered
    first = (folders.facts(str(tmp_path)) or {})["one"]
    assert (folders.facts(str(tmp_path)) or {})["one"] is first
    host.set_attributes(SetAttributes(path=str(path), attributes={"value": "second"}))
    assert (folders.facts(str(tmp_path)) or {})["one"].attributes["value"] == "second"


def test_a_file_that_was_replaced_is_looked_at_again(tmp_path: Path) -> None:
    host, folders = LocalHost(), Folders(settled=0)
    make(host, tmp_path / "one", value="first")
    time.sleep(0.05)
    folders.facts(str(tmp_path))
    host.remove(str(tmp_path / "one"))
    make(host, tmp_path / "one", value="second")
    assert (folders.facts(str(tmp_path)) or {})["one"].attributes["value"] == "second"


def copy_of(path: Path, **more: object) -> LongCopy:
    known = {"source": str(path), "target": str(path.parent / "copy"), "attributes": {"orlop.uuid": "copy"}}
    return LongCopy(**{**known, "size": 0, "sparse": True, **more})  # type: ignore[arg-type]


def test_a_copy_holds_the_same_bytes_and_the_same_holes(tmp_path: Path) -> None:
    host = LocalHost()
    path = make(host, tmp_path / "one", size=64 * MIB)
    with open(path, "r+b") as stream:
        for at in (0, 9 * MIB + 17, 63 * MIB):
            stream.seek(at)
            stream.write(os.urandom(5000))
    seen: list[tuple[int, int]] = []
    host.copy(copy_of(path), Copying(progress=lambda done, total: seen.append((done, total))))
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    assert os.stat(tmp_path / "copy").st_blocks * 512 < MIB
    assert all(total == 64 * MIB for _, total in seen)


def test_a_cancelled_copy_leaves_nothing(tmp_path: Path) -> None:
    host = LocalHost()
    if host.reflink(str(tmp_path)):
        pytest.skip("this file system copies at once")
    path = make(host, tmp_path / "one", size=16 * MIB)
    path.write_bytes(os.urandom(16 * MIB))
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        host.copy(copy_of(path), Copying(cancelled=lambda: next(answers)))
    assert os.listdir(tmp_path) == ["one"]


def test_a_source_that_changes_meanwhile_gives_no_copy(tmp_path: Path) -> None:
    host = LocalHost()
    if host.reflink(str(tmp_path)):
        pytest.skip("this file system copies at once")
    path = make(host, tmp_path / "one", size=16 * MIB)
    path.write_bytes(os.urandom(16 * MIB))
    time.sleep(0.05)

    def disturb(done: int, total: int) -> None:
        with open(path, "r+b") as stream:
            stream.write(b"changed")

    with pytest.raises(NodeError, match="was written to"):
        host.copy(copy_of(path), Copying(progress=disturb))
    assert os.listdir(tmp_path) == ["one"]


def test_blocks_are_shared_or_nothing_is_made(tmp_path: Path) -> None:
    host = LocalHost()
    if host.reflink(str(tmp_path)):
        pytest.skip("this file system shares blocks")
    path = make(host, tmp_path / "one")
    with pytest.raises(NodeError, match="cannot share"):
        host.copy(copy_of(path, reflink_only=True), Copying())
    assert os.listdir(tmp_path) == ["one"]


def test_small_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    LocalHost().write(WriteFile(path=str(tmp_path / "small"), content="x"))
    assert os.stat(tmp_path / "small").st_mode & 0o777 == 0o600


def test_programs_speak_one_language_and_get_no_environment() -> None:
    os.environ["ORLOP_TEST_SECRET"] = "hidden"
    try:
        said = LocalHost().run(("env",))
    finally:
        del os.environ["ORLOP_TEST_SECRET"]
    assert "LC_ALL=C\n" in said
    assert "hidden" not in said


def test_what_a_program_reads_comes_on_stdin() -> None:
    assert LocalHost().run(("cat",), b"secret") == "secret"


def test_a_failure_says_what_was_run_and_what_it_said() -> None:
    with pytest.raises(CommandFailed) as caught:
        LocalHost().run(("ls", "/no/such/place"))
    assert caught.value.argv == ("ls", "/no/such/place")
    assert "No such file" in caught.value.stderr


def test_commands_run_side_by_side() -> None:
    host, said = LocalHost(), []
    threads = [threading.Thread(target=lambda n=n: said.append(host.run(("echo", str(n))))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, said)) == list(range(20))


def test_a_command_that_takes_too_long_is_killed_with_its_children() -> None:
    seconds = str(100_000 + os.getpid())
    with pytest.raises(CommandFailed, match="no answer"):
        LocalHost(time_out=0.5).run(("python3", "-c", f"import subprocess; subprocess.run(['sleep', '{seconds}'])"))
    assert not any(seconds.encode() in command for command in map(command_line, Path("/proc").glob("[0-9]*")))


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def test_nothing_is_started_on_the_object_of_a_process_that_cannot_be_killed() -> None:
    commands = Commands()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stuck:
        commands.abandon(("losetup", "--detach", "one"), stuck)
        with pytest.raises(CommandFailed, match=f"process {stuck.pid}, on the same object"):
            commands.run(("echo", "one"))
        assert commands.run(("echo", "two")) == "two\n", "another object is not concerned"
    assert commands.run(("echo", "one")) == "one\n", "it has ended"


def test_what_a_program_says_of_a_secret_is_left_out(tmp_path):
    """drbdadm prints the command that failed, with everything in it."""
    program = tmp_path / "drbdadm"
    program.write_text("#!/bin/sh\necho drbdsetup new-peer r 1 --shared-secret=s3cret --verify-alg=foo >&2; exit 20\n")
    program.chmod(0o755)
    with pytest.raises(CommandFailed) as caught:
        LocalHost().run((str(program),))
    assert "s3cret" not in str(caught.value)
    assert "--verify-alg=foo" in str(caught.value)


def test_a_file_is_renamed_with_its_marks_and_never_over_another(tmp_path: Path) -> None:
    host = LocalHost()
    path, other = make(host, tmp_path / "one", value="kept"), make(host, tmp_path / "two")
    with pytest.raises(WouldDestroy, match="two exists already"):
        host.rename(RenameFile(path=str(path), target=str(other)))
    assert sorted(host.files(str(tmp_path)) or ()) == ["one", "two"]
    host.rename(RenameFile(path=str(path), target=str(tmp_path / "three")))
    seen = host.files(str(tmp_path)) or {}
    assert sorted(seen) == ["three", "two"]
    assert seen["three"].attributes["value"] == "kept"


def test_a_file_that_a_process_has_open_is_in_use(tmp_path: Path) -> None:
    host = LocalHost()
    path = make(host, tmp_path / "disk.img")
    host.require_unused(str(path))
    with path.open("rb"), pytest.raises(InUse, match=f"open in process {os.getpid()}"):
        host.require_unused(str(path))
    host.require_unused(str(path))
