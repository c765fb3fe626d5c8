"""`orlop drbd-proxy ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import drbd, options
from orlop.cli.grammar import Menu

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("drbd-proxy", help="DRBD Proxy: buffers and compresses replication over long distances.")
COMPRESSION = MENU.menu("compression", "c", help="How DRBD Proxy compresses.")
_CONNECTION = [options.node("node_a"), options.node("node_b"), options.resource()]

# kind of compression and the options it has
_KINDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "zlib": ("level",),
    "lzma": (
        *("contexts", "depth", "dict-size", "fallback-to-zlib", "lc", "level"),
        *("lp", "mf", "mode", "nice-len", "numa-threshold", "pb"),
    ),
    "lz4": (),
    "zstd": ("level",),
}


@MENU.verb("enable", "e", example="orlop drbd-proxy enable alpha charlie backups")
@options.stacked(*_CONNECTION)
@click.option("-p", "--port", type=click.IntRange(1, 65535), help="TCP port of the proxies.")
def enable(session: Session, node_a: str, node_b: str, resource: str, port: int | None) -> Answer:
    """Let the connection of a resource between two nodes run through DRBD Proxy."""
    return session.client.enable_drbd_proxy(resource, node_a, node_b, port)


@MENU.verb("disable", "d", example="orlop drbd-proxy disable alpha charlie backups")
@options.stacked(*_CONNECTION)
def disable(session: Session, node_a: str, node_b: str, resource: str) -> Answer:
    """Let the connection of a resource between two nodes run directly again."""
    return session.client.disable_drbd_proxy(resource, node_a, node_b)


drbd.add_drbd_options(
    MENU,
    ("options", "opt"),
    ("Proxy",),
    "DRBD Proxy for a resource",
    [options.resource()],
    change=lambda client, changes, resource: client.modify_drbd_proxy(resource, changes),
    example="orlop drbd-proxy options backups --memlimit 100000000",
)


def _add_compression(kind: str, names: tuple[str, ...]) -> None:
    known = {option.name: option for option in drbd.options_of(("ProxyCompression",))}

    @COMPRESSION.verb(
        kind,
        example=f"orlop drbd-proxy compression {kind} backups" + (" --level 9" if "level" in names else ""),
        help="Do not compress." if kind == "none" else f"Compress with {kind}.",
    )
    @options.resource()
    @options.stacked(*(click.option(f"--{name}", type=known[name].type(), help=known[name].help) for name in names))
    def compression(session: Session, resource: str, **chosen: Any) -> Answer:
        props = {known[name.replace("_", "-")].key: str(value) for name, value in chosen.items() if value is not None}
        return session.client.modify_drbd_proxy(resource, compression=kind, compression_props=props)


for _kind, _names in _KINDS.items():
    _add_compression(_kind, _names)
