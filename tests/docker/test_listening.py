"""How engines reach the plugin: a socket that systemd opened, and a port with certificates on both sides."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from orlop.errors import Refused, TransportError
from orlop.listener import Listener
from orlop_docker import server
from tests.docker.authority import Authority
from tests.docker.engine import Engine

# What systemd does for a service: the socket is descriptor 3, and the variables say so.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, "-m", "orlop_docker", *sys.argv[2:]])
"""


@pytest.fixture
def activated(tmp_path: Path) -> Iterator[Path]:
    """The socket of a plugin that was started for it; whoever comes before it is ready waits in the queue."""
    path, configuration = tmp_path / "own.sock", tmp_path / "docker-volume.conf"
    configuration.write_text(f"[global]\ncontrollers = http://127.0.0.1:1\nroot = {tmp_path}/root\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        opened.bind(str(path))
        opened.listen(1)
        command = [sys.executable, "-c", ACTIVATE, str(opened.fileno()), "--config", str(configuration)]
        plugin = subprocess.Popen(command, pass_fds=[opened.fileno()])
    yield path
    plugin.terminate()
    assert plugin.wait(30) == 0


def test_a_socket_of_systemd_is_served_to_many_at_once(activated: Path) -> None:
    engine = Engine(activated)
    assert engine.send("Plugin.Activate", b"").body["Implements"] == ["VolumeDriver"]
    engine.close()
    clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(200)]
    for client in clients:
        client.connect(str(activated))  # a full queue turns away who does not wait
    for client in clients:
        client.close()
    assert activated.exists()  # it is systemd's


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    for name in ("plugin", "engine"):
        made.certify(name)
    return made


@pytest.fixture
def port(authority: Authority, tmp_path: Path) -> Iterator[int]:
    listener = _listener(tmp_path, 0)
    listener.start()
    yield listener.port
    listener.stop()


def _answer(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    start("200 OK", [("Content-Length", "0")])
    return [b""]


def _listener(folder: Path, port: int) -> Listener:
    tls = server.with_certificates(folder / "plugin.pem", folder / "plugin.key", folder / "orlop-ca.pem")
    return server.listener(_answer, ("127.0.0.1", port), tls)


def _activated(port: int, folder: Path, name: str | None) -> int:
    """Status of the answer to an engine with this certificate."""
    context = ssl.create_default_context(cafile=str(folder / "orlop-ca.pem"))
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    connection = HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    try:
        connection.request("POST", "/Plugin.Activate")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_client_that_says_nothing_does_not_hold_up_the_others(port: int, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        assert _activated(port, tmp_path, "engine") == 200


def test_only_who_has_a_certificate_of_the_authority_is_served(port: int, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    Authority(tmp_path / "other").certify("engine")
    for name in (None, "other/engine"):
        with pytest.raises(OSError):
            _activated(port, tmp_path, name)
    assert _activated(port, tmp_path, "engine") == 200


def test_a_port_that_is_taken_is_named(port: int, tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=f"cannot listen on 127.0.0.1 port {port}") as refused:
        _listener(tmp_path, port).start()
    assert "another port" in refused.value.correction


def test_certificates_that_cannot_be_read_are_said(tmp_path: Path, authority: Authority) -> None:
    os.truncate(tmp_path / "plugin.key", 0)
    with pytest.raises(Refused, match="the certificates cannot be read"):
        server.with_certificates(tmp_path / "plugin.pem", tmp_path / "plugin.key", tmp_path / "orlop-ca.pem")
