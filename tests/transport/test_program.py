"""`orlop-satellite` as a real process."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from orlop.controller.cluster_key import ClusterKeys
from orlop.controller.enrolment import Enrolment
from orlop.errors import TransportError
from orlop.satellite.program import cli
from orlop.transport import identity
from orlop.transport.channel import Channel

PROGRAM = (sys.executable, str(Path(__file__).with_name("satellite_process.py")))


class Satellites:
    """Processes with one state directory and one port. Ends, by their ids, those that a test leaves."""

    def __init__(self, directory):
        self.state = directory / "state"
        self.environment = os.environ | {"ORLOP_SATELLITE_CONFIG": str(directory / "satellite.toml")}
        (directory / "satellite.toml").write_text("")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(str(directory / "notify"))
        self._told.settimeout(30)
        self.environment["NOTIFY_SOCKET"] = str(directory / "notify")
        self.started = []

    def start(self):
        argv = (*PROGRAM, "run", "--port", str(self.port), "--state-directory", str(self.state))
        process = subprocess.Popen(argv, env=self.environment, stderr=subprocess.PIPE, text=True)
        self.started.append(process)
        assert self.told() == "READY=1"
        return process

    def told(self):
        return self._told.recv(100).decode()

    def run(self, *arguments, stdin=""):
        return subprocess.run(
            (*PROGRAM, *arguments), env=self.environment, input=stdin, capture_output=True, text=True, timeout=60
        )

    def close(self):
        for process in self.started:
            process.kill()
            process.communicate()
        self._told.close()


@pytest.fixture
def satellites(tmp_path):
    with closing(Satellites(tmp_path)) as found:
        yield found


@pytest.fixture
def member(satellites, key, fence):
    identity.store(satellites.state, identity.contents(fence.cluster, "n1", key))


@pytest.fixture
def channel(satellites, key, fence):
    with closing(Channel("n1", "127.0.0.1", satellites.port, key=key, fence=fence)) as made:
        yield made


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_ends_cleanly(satellites, channel, number, key):
    process = satellites.start()
    assert channel.connect().name == "n1"
    process.send_signal(number)
    assert satellites.told() == "STOPPING=1"
    _, written = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "satellite n1 ended" in written
    assert key.reveal().hex() not in written


@pytest.mark.usefixtures("member")
def test_after_sigkill_it_starts_again_and_asks_for_a_new_session(satellites, channel):
    process = satellites.start()
    channel.connect()
    run = channel.reports(0, 0).run
    process.kill()
    process.wait(timeout=30)
    with pytest.raises(TransportError):
        channel.info()
    satellites.start()
    channel.connect()
    assert channel.reports(0, 0).run != run


@pytest.mark.usefixtures("member")
def test_no_port_is_taken_over_from_the_environment(satellites, channel):
    satellites.environment["LISTEN_PID"] = "1"
    satellites.start()
    assert channel.connect().name == "n1"


def test_a_node_that_has_not_joined_is_told_what_to_do(satellites):
    ended = satellites.run("run", "--state-directory", str(satellites.state))
    assert ended.returncode == 1
    assert "has not joined a cluster" in ended.stderr
    assert "orlop node join-command" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.usefixtures("member")
def test_it_does_not_listen_beyond_loopback_without_a_certificate(satellites):
    ended = satellites.run("run", "--address", "0.0.0.0", "--state-directory", str(satellites.state))
    assert ended.returncode == 1
    assert "does not listen on 0.0.0.0 without TLS" in ended.stderr


@pytest.mark.usefixtures("member")
def test_another_name_than_the_joined_one_is_refused(satellites):
    ended = satellites.run("run", "--node", "n2", "--state-directory", str(satellites.state))
    assert ended.returncode == 1
    assert "as n1, not as n2" in ended.stderr


def test_the_printed_command_joins_with_the_token_on_standard_input(satellites, tmp_path, fence):
    keys = ClusterKeys.open(tmp_path / "controller", fence.cluster)
    enrolment = Enrolment(keys, tmp_path / "controller", port=0)
    enrolment.start()
    offer = enrolment.join_command("n1")
    arguments = (*offer.command.split()[1:], "--state-directory", str(satellites.state))
    first = satellites.run(*arguments, stdin=offer.token + "\n")
    assert (first.returncode, first.stdout.splitlines()[0]) == (0, f"Joined cluster {fence.cluster} as n1.")
    again = satellites.run(*arguments)
    enrolment.stop()
    assert (again.returncode, again.stdout) == (0, f"This node has joined cluster {fence.cluster} as n1 before.\n")
    assert offer.token not in first.stdout + first.stderr


def test_joining_without_a_token_is_refused(satellites):
    ended = satellites.run(
        *("join", "--controller", "https://127.0.0.1:1", "--ca-fingerprint", "sha256:00", "--node", "n1"),
        *("--state-directory", str(satellites.state)),
    )
    assert ended.returncode == 1
    assert "there is no token" in ended.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('colour = "red"', "unknown setting 'colour'"),
        ("node = ", "cannot be read"),
        ("port = 70000", "not in the range"),
    ],
    ids=["unknown", "not TOML", "out of range"],
)
def test_a_wrong_configuration_is_named(tmp_path, text, sentence):
    file = tmp_path / "satellite.toml"
    file.write_text(text)
    result = CliRunner().invoke(cli, ["--config", str(file), "run"])
    assert result.exit_code != 0
    assert sentence in result.output


def test_an_option_wins_over_the_environment_and_that_over_the_file(tmp_path):
    file = tmp_path / "satellite.toml"
    file.write_text(f'state-directory = "{tmp_path}/from-file"')
    environment = {"ORLOP_SATELLITE_STATE_DIRECTORY": f"{tmp_path}/from-environment"}

    def used(*options, **more):
        return CliRunner().invoke(cli, ["--config", str(file), "run", *options], **more).output

    assert "/from-file" in used()
    assert "/from-environment" in used(env=environment)
    assert "/from-option" in used("--state-directory", f"{tmp_path}/from-option", env=environment)


def test_a_configuration_file_that_is_named_has_to_exist(tmp_path):
    result = CliRunner().invoke(cli, ["--config", str(tmp_path / "none.toml"), "run"])
    assert "cannot be read" in result.output


def test_help_has_examples_and_version_is_told():
    for command in ("run", "join"):
        shown = CliRunner().invoke(cli, [command, "--help"]).output
        assert f"orlop-satellite {command}" in shown
    assert CliRunner().invoke(cli, ["--version"]).output.startswith("orlop-satellite 0.")
