"""The whole controller on every database; on a server two of them, of which one is active."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("orlop-controller")
Start = Callable[[str, str], "Running"]


class Running:
    def __init__(self, directory: Path, url: str, name: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = directory / f"{name}.log"
        argv = [PROGRAM, "--state-directory", directory / "state", "--port", str(self.port), "--enrolment-port", "0"]
        with open(self.log, "wb") as log:
            environment = {**os.environ, "ORLOP_DATABASE_URL": url}
            self.process = subprocess.Popen(argv, env=environment, stderr=log)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def serves(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.1)
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Running] = []

    def make(url: str, name: str) -> Running:
        running.append(Running(tmp_path, url, name))
        return running[-1]

    yield make
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait(30)


def test_what_was_told_to_a_controller_is_there_after_its_death(url: str, start: Start) -> None:
    first = start(url, "first")
    assert first.serves(60), first.log.read_text()
    first.ask("POST", "/v1/resource-definitions", {"resource_definition": {"name": "web", "external_name": "Größe"}})
    first.process.kill()
    first.process.wait(30)
    second = start(url, "second")
    assert second.serves(60), second.log.read_text()
    (found,) = second.ask("GET", "/v1/resource-definitions")
    assert (found["name"], found["external_name"]) == ("web", "Größe")
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(30) == 0, second.log.read_text()


def test_a_second_controller_stands_by_until_the_first_ends(server_url: str, start: Start) -> None:
    first = start(server_url, "first")
    assert first.serves(60), first.log.read_text()
    second = start(server_url, "second")
    assert not second.serves(5), "two controllers are active"
    assert second.process.poll() is None, second.log.read_text()
    first.process.send_signal(signal.SIGTERM)
    assert second.serves(60), second.log.read_text()


def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        argv = [PROGRAM, "--state-directory", tmp_path, "--port", port, "--enrolment-port", "0"]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in ended.stderr
    assert "Choose another port" in ended.stderr
    assert "Traceback" not in ended.stderr
