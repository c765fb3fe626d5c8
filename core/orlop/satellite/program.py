"""The program `orlop-satellite`. What is needed for one command only is imported by that command."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

import orlop
from orlop.errors import Refused, TransportError
from orlop.model import key, names
from orlop.programs import CONTEXT, LEVELS, Program, config_option, notify, start_log

if TYPE_CHECKING:
    from orlop.transport.agent import Agent
    from orlop.transport.identity import Identity

    class RunningAgent(Agent, Protocol):
        def start(self) -> None: ...

        def stop(self) -> None: ...

    MakeAgent = Callable[[str, Path], RunningAgent]

log = logging.getLogger(__name__)

CONFIGURATION = Path("/etc/orlop/satellite.toml")
STATE_DIRECTORY = Path("/var/lib/orlop/satellite")
PLAIN_PORT, TLS_PORT = 3366, 3367
SETTINGS = frozenset({"node", "address", "port", "state_directory", "log_level"})
CHECK_SECONDS = 5.0  # between looks whether the port is still served


def make_agent(name: str, state_directory: Path) -> RunningAgent:
    """The agent of this machine, with all drivers and hooks that are installed."""
    import secrets

    from orlop.drivers import Drivers
    from orlop.hooks import Hooks
    from orlop.host import LocalHost
    from orlop.satellite.agent import ThreadedAgent
    from orlop.satellite.node import Node
    from orlop.satellite.trust import shared_secrets

    node = Node(
        name=name,
        host=LocalHost(),
        drivers=Drivers.installed(),
        hooks=Hooks.installed(),
        directory=str(state_directory),
        run=secrets.token_hex(8),
        secret=lambda name: shared_secrets(joined(state_directory, None).key)(name),
    )
    return ThreadedAgent(node)


def defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """What of the configuration file goes to which command."""
    joining = {name: settings[name] for name in ("node", "state_directory", "log_level") if name in settings}
    return {"run": settings, "join": joining}


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Options of every command."""
    for option in (
        click.option(
            "--log-level",
            type=click.Choice(LEVELS),
            default="info",
            show_default=True,
            envvar="ORLOP_SATELLITE_LOG_LEVEL",
            help="How much to write to standard error.",
        ),
        click.option(
            "--state-directory",
            type=click.Path(file_okay=False, path_type=Path),
            default=STATE_DIRECTORY,
            show_default=True,
            envvar="ORLOP_SATELLITE_STATE_DIRECTORY",
            help="Where the node's identity and its fence are kept, for root only.",
        ),
    ):
        command = option(command)
    return command


@click.group(cls=Program, context_settings=CONTEXT)
@click.version_option(orlop.__version__, prog_name="orlop-satellite", message="%(prog)s %(version)s")
@config_option(CONFIGURATION, "ORLOP_SATELLITE_CONFIG", SETTINGS, defaults)
def cli() -> None:
    """The Orlop node agent: makes this machine hold the volumes that the controller wants here.

    It runs as root on every node that stores or uses volumes, and keeps nothing but its identity and whom it obeys.
    It takes orders only from a controller that proves it holds the cluster key.

    An option wins over its environment variable (ORLOP_SATELLITE_NODE for --node), that over the configuration file:

    \b
        # /etc/orlop/satellite.toml
        address = "192.168.0.11"
        log-level = "warning"

    \b
    Make this node part of a cluster, then start it:
        orlop-satellite join --controller https://192.168.0.10:3371 \\
            --ca-fingerprint sha256:... --node n1
        systemctl enable --now orlop-satellite
    """


@cli.command()
@click.option("--node", envvar="ORLOP_SATELLITE_NODE", help="The node's name; by default the one it joined under.")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    envvar="ORLOP_SATELLITE_ADDRESS",
    help="IP address to listen on. Beyond loopback TLS is used, always.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="ORLOP_SATELLITE_PORT",
    help=f"TCP port. [default: {PLAIN_PORT} on loopback, {TLS_PORT} with TLS]",
)
@common
@click.pass_context
def run(
    ctx: click.Context, node: str | None, address: str, port: int | None, state_directory: Path, log_level: str
) -> None:
    """Serve this node until SIGTERM or SIGINT.

    What is being carried out when the signal comes is finished first. Volumes stay up without the satellite.

    \b
    Examples:
        orlop-satellite run
        orlop-satellite run --address 192.168.0.11
        orlop-satellite run --node n1 --address 127.0.0.11 --state-directory /tmp/n1 --log-level debug
    """
    start_log(log_level)
    identity = joined(state_directory, node)
    factory: MakeAgent = ctx.obj or make_agent
    serve_until_signal(factory, identity, names.address(address), port, state_directory)


@cli.command()
@click.option("--controller", required=True, metavar="URL", help="https://ADDRESS:3371 of the controller.")
@click.option("--ca-fingerprint", required=True, metavar="sha256:HEX", help="By which the controller is recognised.")
@click.option("--node", required=True, envvar="ORLOP_SATELLITE_NODE", help="The node's name in the cluster.")
@click.option(
    "--token-file",
    type=click.File("r"),
    default="-",
    help="File with the one-time token; '-', the default, is standard input, which asks on a terminal.",
)
@click.option("--leave-cluster", metavar="UUID", help="Give up the identity in the cluster joined earlier.")
@common
def join(
    controller: str,
    ca_fingerprint: str,
    node: str,
    token_file: Any,
    leave_cluster: str | None,
    state_directory: Path,
    log_level: str,
) -> None:
    """Make this node part of a cluster.

    'orlop node join-command NODE' on the controller prints this command and a token, which serves once and for an
    hour. The token is asked for or read from standard input: arguments can be seen by every user of the machine.
    It is sent only after the controller has shown a certificate of the authority with the given fingerprint.

    A node that has joined already is left as it is. After joining another cluster (--leave-cluster), restart the
    satellite: systemctl restart orlop-satellite.

    \b
    Examples:
        orlop-satellite join --controller https://192.168.0.10:3371 \\
            --ca-fingerprint sha256:4f... --node n1
        orlop-satellite join ... --token-file /run/join-token
    """
    from orlop.satellite import join as joining

    start_log(log_level)
    if leave_cluster is None and (found := joining.already_joined(ca_fingerprint, node, state_directory)):
        click.echo(f"This node has joined cluster {found.cluster} as {found.name} before.")
        return
    token = read_token(token_file)
    become = joining.join(controller, ca_fingerprint, node, token, state_directory, leave=leave_cluster)
    click.echo(f"Joined cluster {become.cluster} as {become.name}.")
    click.echo("Start the satellite: systemctl enable --now orlop-satellite")


def read_token(file: Any) -> str:
    token: str = click.prompt("One-time token", hide_input=True) if file.isatty() else file.readline()
    if not token.strip():
        raise Refused("there is no token", correction="Give it on standard input or with --token-file.")
    return token.strip()


def joined(state_directory: Path, node: str | None) -> Identity:
    """Who this node is; raises `TransportError` when it has not joined a cluster, or under another name."""
    from orlop.transport import identity

    found = identity.load(state_directory)
    if found is None:
        raise TransportError(
            f"this node has not joined a cluster: there is no identity in {state_directory}",
            correction="Run 'orlop node join-command NODE' on the controller, and here the command that it prints.",
        )
    if node is not None and key(node) != key(found.name):
        raise TransportError(
            f"this node joined cluster {found.cluster} as {found.name}, not as {node}",
            correction=f"Omit --node, or join again with '--node {node} --leave-cluster {found.cluster}'.",
        )
    return found


def serve_until_signal(
    factory: MakeAgent, identity: Identity, address: str, port: int | None, state_directory: Path
) -> None:
    from orlop.transport.server import serve
    from orlop.transport.tls import is_loopback

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    tls = None if is_loopback(address) else identity.tls
    if port is None:
        port = TLS_PORT if tls else PLAIN_PORT
    agent = factory(identity.name, state_directory)
    server = serve(agent, address, port, identity, tls=tls)
    agent.start()
    try:
        server.start()
        log.info("satellite %s of cluster %s listens on %s:%d", identity.name, identity.cluster, address, server.port)
        notify("READY=1")
        while not ended.wait(CHECK_SECONDS):
            if not server.running:
                raise TransportError(f"the port {address}:{server.port} is not served any more; the log says why")
        notify("STOPPING=1")
        server.stop()
    finally:
        agent.stop()
    log.info("satellite %s ended", identity.name)


def main() -> None:
    cli(prog_name="orlop-satellite")
