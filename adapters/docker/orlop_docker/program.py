"""The program `orlop-docker`."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

import orlop
from orlop.errors import Refused
from orlop.programs import CONTEXT, LEVELS, Program, notify, start_log

if TYPE_CHECKING:
    from orlop_docker.running import Running

log = logging.getLogger(__name__)
SOCKET = Path("/run/docker/plugins/orlop.sock")
VARIABLE = "ORLOP_DOCKER"
LOOK_EVERY = 5.0  # seconds between looks at mounted volumes, which may have grown


@click.group(
    cls=Program, invoke_without_command=True, context_settings=CONTEXT | {"auto_envvar_prefix": "ORLOP_DOCKER"}
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="INI file. [default: /etc/orlop/docker-volume.conf, else /etc/linstor/docker-volume.conf]",
)
@click.option(
    "--socket",
    "sockets",
    type=click.Path(path_type=Path),
    multiple=True,
    help=f"Where engines reach the plugin; the file's name is the driver's. Can be repeated.  [default: {SOCKET}]",
)
@click.option("--listen", metavar="ADDRESS:PORT", help="A TCP port instead of sockets, with TLS.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="The plugin's certificate, for --listen.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key.")
@click.option("--tls-ca", type=click.Path(path_type=Path), help="The authority of the engines' certificates.")
@click.option("--driver", default="orlop", show_default=True, help="The driver's name, for --listen.")
@click.option("--node", help="This machine's name in the cluster. [default: from the file, else the host's name]")
@click.option("--controllers", help="Where the controllers are, parted by commas; instead of those of the file.")
@click.option(
    "--default",
    "defaults",
    metavar="NAME=VALUE",
    multiple=True,
    help="An option of volumes that do not say otherwise; beside those of the file. Can be repeated.",
)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="What goes to stderr.")
@click.version_option(orlop.__version__, prog_name="orlop-docker", message="%(prog)s %(version)s")
def cli(
    config: Path | None,
    sockets: tuple[Path, ...],
    listen: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
    driver: str,
    node: str | None,
    controllers: str | None,
    defaults: tuple[str, ...],
    log_level: str,
) -> None:
    """The Docker volume plugin of Orlop: gives the containers of this machine volumes of the cluster.

    It runs as root beside the satellite on every node with a Docker engine, in the mount namespace of the engine.
    Started by systemd's socket it serves what systemd has opened, else the sockets that are named.

    \b
    Examples:
        orlop-docker
        orlop-docker --socket /run/docker/plugins/orlop.sock --socket /run/docker/plugins/linstor.sock
        docker volume create -d orlop -o size=1G data
    """
    start_log(log_level)
    from orlop_docker import configuration
    from orlop_docker.running import Running

    settings = configuration.load(config).with_changes(node, controllers, defaults)
    running = Running(settings)
    if listen:
        if not (tls_cert and tls_key and tls_ca):
            raise Refused("--listen needs --tls-cert, --tls-key and --tls-ca: whoever is served mounts as root")
        running.listen(*_address(listen), driver, tls_cert, tls_key, tls_ca)
    else:
        running.open(sockets or (SOCKET,))
    _serve(running)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise Refused(f"--listen {text} is no ADDRESS:PORT")
    return host.strip("[]"), int(port)


def _serve(running: Running) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    running.start()
    try:
        notify("READY=1")
        while not ended.wait(LOOK_EVERY):
            running.look()
        notify("STOPPING=1")
    finally:
        running.stop()


def main() -> None:
    cli(prog_name="orlop-docker")
