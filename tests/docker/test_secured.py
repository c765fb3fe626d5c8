"""A controller behind https that wants a client certificate, or a token, as the plugin's configuration names them."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from cryptography.hazmat.primitives import serialization

from orlop.errors import Refused
from orlop.listener import Listener, Load
from orlop_docker import configuration
from tests.docker.authority import Authority
from tests.docker.conftest import Docker, Plugin
from tests.docker.engine import Engine

ID = "1" * 64
TOKEN = "right-and-secret"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Certificates of the controller and the plugin, and one of the plugin by another authority; tokens."""
    made, other = tmp_path / "etc", tmp_path / "etc" / "other"
    other.mkdir(parents=True)
    authority = Authority(made)
    authority.certify("controller")
    authority.certify("plugin")
    Authority(other).certify("plugin")
    (made / "token").write_text(f"{TOKEN}\n")
    return made


@contextmanager
def gate(docker: Docker, folder: Path, certificate: bool = False, token: bool = False) -> Iterator[int]:
    """The port of what stands before the controller, as a proxy does, and lets in who has shown what it wants."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if token and environ.get("HTTP_AUTHORIZATION") != f"Bearer {TOKEN}":
            environ["wsgi.input"].read()
            body = b"<html>401 Authorization Required</html>"
            start("401 Unauthorized", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
            return [body]
        return docker.controller.serve(environ, start)

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "controller.pem", folder / "controller.key")
    if certificate:
        tls.load_verify_locations(folder / "orlop-ca.pem")
        tls.verify_mode = ssl.CERT_REQUIRED
    listener = Listener(answer, ("127.0.0.1", 0), tls, Load(threads=16), "controller")
    listener.start()
    try:
        yield listener.port
    finally:
        listener.stop()


def settings(port: int, folder: Path, **files: str) -> configuration.Configuration:
    """As read from a file; `files` lie in the folder."""
    lines = "".join(f"{name} = {folder / file}\n" for name, file in files.items())
    return configuration.parse(f"[global]\ncontrollers = https://127.0.0.1:{port}\n{lines}")


def connected(docker: Docker, port: int, folder: Path, **files: str) -> Engine:
    plugin: Plugin = docker.plugin("alpha", client=settings(port, folder, **files).client())
    return plugin.engine()


def used(engine: Engine) -> None:
    """The whole life of a volume."""
    assert engine.call("Create", Name="v1", Opts={"nodes": "alpha"}).error == ""
    assert engine.call("Mount", Name="v1", ID=ID).error == ""
    assert [each["Name"] for each in engine.call("List").body["Volumes"]] == ["v1"]
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert engine.call("Remove", Name="v1").error == ""


def locked(key: Path) -> bytes:
    """The same key under a passphrase."""
    read = serialization.load_pem_private_key(key.read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return read.private_bytes(*form, serialization.BestAvailableEncryption(b"passphrase"))


def test_with_a_client_certificate(alone: Docker, folder: Path) -> None:
    with gate(alone, folder, certificate=True) as port:
        used(connected(alone, port, folder, cafile="orlop-ca.pem", certfile="plugin.pem", keyfile="plugin.key"))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"cafile": "orlop-ca.pem"}, ""),
        ({"cafile": "orlop-ca.pem", "certfile": "other/plugin.pem", "keyfile": "other/plugin.key"}, ""),
        ({"cafile": "other/orlop-ca.pem", "certfile": "plugin.pem", "keyfile": "plugin.key"}, "CERTIFICATE_VERIFY"),
    ],
    ids=["none", "of-another-authority", "another-authority-trusted"],
)
def test_with_a_wrong_certificate(alone: Docker, folder: Path, files: dict[str, str], reason: str) -> None:
    with gate(alone, folder, certificate=True) as port:
        error = connected(alone, port, folder, **files).call("Create", Name="v1", Opts={}).error
    assert "no controller could be reached" in error
    assert f"https://127.0.0.1:{port}: " in error
    assert reason in error


def test_with_a_token(alone: Docker, folder: Path) -> None:
    with gate(alone, folder, token=True) as port:
        used(connected(alone, port, folder, cafile="orlop-ca.pem", tokenfile="token"))


def test_with_a_wrong_token(alone: Docker, folder: Path) -> None:
    (folder / "token").write_text("wrong-but-secret\n")
    with gate(alone, folder, token=True) as port:
        engine = connected(alone, port, folder, cafile="orlop-ca.pem", tokenfile="token")
        error = engine.call("Create", Name="v1", Opts={}).error
    assert "HTTP status 401" in error
    assert "The token, or the user and password, may be missing, wrong or out of date" in error
    assert "secret" not in error


def test_with_a_token_over_plain_http(alone: Docker, folder: Path) -> None:
    plain = configuration.parse(
        f"[global]\ncontrollers = http://127.0.0.1:{alone.controller.port}\ntokenfile = {folder / 'token'}\n"
    )
    error = alone.plugin("alpha", client=plain.client()).engine().call("Create", Name="v1", Opts={}).error
    assert "is not encrypted; the login was not sent" in error
    assert "Use https." in error


@pytest.mark.parametrize(
    ("files", "content", "reason"),
    [
        ({"tokenfile": "token"}, b"", "has no token"),
        ({"tokenfile": "token"}, b"one\nsecret\n", "one line"),
        ({"tokenfile": "token"}, b"\xff\xfe", "one line"),
        ({"tokenfile": "absent"}, b"", "cannot be read from"),
        ({"cafile": "absent"}, b"", "absent"),
        ({"cafile": "token"}, b"no certificate", "token"),
        ({"certfile": "absent"}, b"", "absent"),
        ({"certfile": "plugin.pem", "keyfile": "controller.key"}, b"", "controller.key"),
        ({"keyfile": "plugin.key"}, b"", "certfile"),
        ({"certfile": "plugin.pem", "keyfile": "locked.key"}, b"", "locked.key"),
    ],
)
def test_files_that_will_not_do_are_said_at_the_start(
    folder: Path, files: dict[str, str], content: bytes, reason: str
) -> None:
    (folder / "token").write_bytes(content)
    (folder / "locked.key").write_bytes(locked(folder / "plugin.key"))
    with pytest.raises(Refused) as refused:
        settings(3371, folder, **files).client()
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value)
