"""The plugin's own settings: an INI file with one section, as the plugin of LINSTOR had it."""

import configparser
import os
import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from orlop.client import Client, Credentials, Tls, addresses
from orlop.errors import OrlopError, Refused
from orlop.model import names
from orlop.model.cluster import Value
from orlop_docker import options

FILES = (Path("/etc/orlop/docker-volume.conf"), Path("/etc/linstor/docker-volume.conf"))
SECTION = "global"
_OWN = ("controllers", "node", "root", "cafile", "certfile", "keyfile", "tokenfile")
_NOT_AS_DEFAULT = frozenset({"from", "snapshot"})


class Configuration(Value, frozen=True, kw_only=True):
    """`defaults`: options of volumes, by their names, for those that do not say otherwise."""

    controllers: tuple[str, ...] = ()  # base URLs
    node: str = ""  # empty: the host's name
    root: str = "/var/lib/orlop/docker"  # where volumes are mounted
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    token_file: str | None = None
    defaults: Mapping[str, str] = {}

    def with_changes(self, node: str | None, controllers: str | None, more: Iterable[str]) -> "Configuration":
        """What the command line says counts more than the file; `more` are defaults, name=value."""
        given = dict(each.partition("=")[::2] for each in more)
        return replace(
            self,
            node=names.node(node) if node else self.node,
            controllers=tuple(addresses([controllers])) if controllers else self.controllers,
            defaults=_defaults({**self.defaults, **options.read(given)}),
        )

    def client(self) -> Client:
        """Raises `Refused` for files that cannot be used: a mount would be late to find that out."""
        self._try_certificates()
        tls = Tls(ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file)
        return Client(self.controllers, timeout=300.0, tls=tls, credentials=self._credentials())

    def _try_certificates(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.key_file and not self.cert_file:
            raise Refused(f"keyfile = {self.key_file} needs a certfile, the certificate for that key")
        files = f"cafile = {self.ca_file}"
        try:
            if self.ca_file and os.path.isdir(self.ca_file):
                context.load_verify_locations(capath=self.ca_file)
            elif self.ca_file:
                context.load_verify_locations(self.ca_file)
            files = f"certfile = {self.cert_file}" + (f" with keyfile = {self.key_file}" if self.key_file else "")
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file, password=_nobody_to_ask)
        except OSError as error:
            raise Refused(f"{files} cannot be used: {error.strerror or error}") from error

    def _credentials(self) -> Credentials | None:
        if not self.token_file:
            return None
        try:
            token = Path(self.token_file).read_bytes().decode("ascii", "replace").strip()
        except OSError as error:
            raise Refused(f"the token cannot be read from {self.token_file}: {error.strerror}") from error
        if not re.fullmatch(r"[!-~]+", token):
            raise Refused(f"{self.token_file} has no token: it has to be one line of letters, digits and signs")
        return Credentials(token=token)


def _nobody_to_ask() -> str:
    """For a key with a passphrase, which is refused: OpenSSL would ask at a terminal that a service has not."""
    return ""


def load(path: Path | None) -> Configuration:
    """Of this file, or of the first usual one that is there; without any the built-in values. Raises `Refused`."""
    found = path or next((file for file in FILES if file.exists()), None)
    if found is None:
        return Configuration(controllers=tuple(addresses([])))
    try:
        return parse(found.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{found} cannot be read: {error}") from error
    except OrlopError as error:
        raise Refused(f"{found}: {error}", cause=error.cause, correction=error.correction) from error


def parse(text: str) -> Configuration:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise Refused(" ".join(str(error).split())) from None
    other = [name for name in parser.sections() if name != SECTION]
    if other:
        raise Refused(f"unknown section [{other[0]}]", correction=f"All settings stand in [{SECTION}].")
    settings = dict(parser[SECTION]) if parser.has_section(SECTION) else {}
    own = {name: settings.pop(name) for name in _OWN if name in settings}
    return Configuration(
        controllers=tuple(addresses(re.split(r"[,\s]+", own.get("controllers", "")))),
        node=names.node(own["node"]) if own.get("node") else "",
        root=_absolute(own.get("root") or Configuration().root),
        ca_file=own.get("cafile") or None,
        cert_file=own.get("certfile") or None,
        key_file=own.get("keyfile") or None,
        token_file=own.get("tokenfile") or None,
        defaults=_defaults(settings),
    )


def _defaults(settings: Mapping[str, str]) -> Mapping[str, str]:
    try:
        found = options.read(settings)
        if barred := sorted(found.keys() & _NOT_AS_DEFAULT):
            raise Refused(f"'{barred[0]}' can be said for one volume only, with docker volume create -o")
        options.volume_options({}, found)
    except Refused as error:
        if error.message.startswith("there is no option"):
            raise Refused(error.message, correction=f"{error.correction} And {', '.join(_OWN)}.") from None
        raise
    return found


def _absolute(path: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9_.-]+)+", path) or ".." in path.split("/"):
        raise Refused(f"root={path} is not an absolute path of plain names")
    return path
