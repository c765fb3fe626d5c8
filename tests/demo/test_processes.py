"""Programs of the demo are found again by another process, and nothing else is ever taken for one of them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import machine, processes
from demo.processes import Program

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "process.json"


@pytest.fixture
def program(record: Path, tmp_path: Path) -> Iterator[Program]:
    log = tmp_path / "log"
    started = processes.start([sys.executable, "-c", SLEEPER, f"{tmp_path}/sleeper"], record, log)
    while started.alive and "up" not in log.read_text():
        time.sleep(0.01)
    yield started
    started.kill()


def test_a_running_program_is_found_by_its_record(program: Program, record: Path) -> None:
    assert processes.recorded(record) == program


def test_an_ended_program_is_not_found(program: Program, record: Path) -> None:
    assert program.end()
    assert processes.recorded(record) is None


def test_another_process_with_the_same_pid_is_not_ours(program: Program) -> None:
    assert not program._replace(started=program.started + 1).alive


def test_a_process_of_another_boot_is_not_ours(program: Program) -> None:
    assert not program._replace(boot="00000000-0000-0000-0000-000000000000\n").alive


def test_ending_a_stale_record_touches_nobody(program: Program) -> None:
    program._replace(started=program.started + 1).kill()
    assert program.alive


@pytest.mark.parametrize("content", ["", "{}", "[1]", "no json"], ids=["empty", "other", "short", "broken"])
def test_a_broken_record_names_no_program(record: Path, content: str) -> None:
    record.write_text(content)
    assert processes.recorded(record) is None


def test_a_program_is_in_a_session_of_its_own(program: Program) -> None:
    assert os.getsid(program.pid) == program.pid


def test_a_process_that_works_in_the_directory_is_seen(program: Program, tmp_path: Path) -> None:
    assert any(line.startswith(f"{program.pid} ") for line in machine.processes(tmp_path))


def test_a_directory_with_a_longer_name_is_another_one(program: Program, tmp_path: Path) -> None:
    assert machine.processes(tmp_path.with_name(tmp_path.name[:-1])) == []


def test_who_holds_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        user = machine.port_user("127.0.0.1", server.getsockname()[1])
    assert user is not None
    assert f"process {os.getpid()}: " in user


def test_a_free_port_has_no_user() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert machine.port_user("127.0.0.1", port) is None
