"""Completion with what exists in the cluster: quick, and silent when nobody answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from orlop.errors import OrlopError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from orlop.client import Client

_SECONDS = 2.0
Names = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def _completer(names: Callable[[Client, click.Context], Iterable[str]]) -> Names:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            found = sorted(set(names(_client(ctx), ctx)))
        except OrlopError:
            return []
        wanted = incomplete.lower()
        return [CompletionItem(name) for name in found if name.lower().startswith(wanted)]

    return complete


def _client(ctx: click.Context) -> Client:
    from orlop.client import Client, Tls

    given = ctx.find_root().params
    tls = Tls(ca_file=given.get("cafile"), cert_file=given.get("certfile"), key_file=given.get("keyfile"))
    return Client([given.get("controllers") or ""], timeout=_SECONDS, tls=tls)


def _resource(ctx: click.Context) -> list[str]:
    """The resource that was already named on the line, if any."""
    for name in ("resource", "resources", "source"):
        value = ctx.params.get(name)
        if value:
            return [value] if isinstance(value, str) else list(value)
    return []


def _node(ctx: click.Context) -> list[str]:
    value = ctx.params.get("node")
    return [value] if isinstance(value, str) else []


SITES = _completer(lambda client, ctx: (site.name for site in client.sites()))
NODES = _completer(lambda client, ctx: (node.name for node in client.nodes()))
POOLS = _completer(
    lambda client, ctx: (pool.storage_pool_name for pool in client.storage_pools(_node(ctx), cached=True))
)
RESOURCES = _completer(lambda client, ctx: (each.name for each in client.resource_definitions()))
GROUPS = _completer(lambda client, ctx: (group.name for group in client.resource_groups()))
SNAPSHOTS = _completer(lambda client, ctx: (snapshot.name for snapshot in client.snapshots(_resource(ctx))))
VOLUMES = _completer(
    lambda client, ctx: (
        str(volume.volume_number)
        for each in client.resource_definitions(_resource(ctx), with_volumes=True)
        for volume in each.volume_definitions
    )
)
INTERFACES = _completer(
    lambda client, ctx: (face.name for node in client.nodes(_node(ctx)) for face in node.net_interfaces)
)
STORES = _completer(lambda client, ctx: (store.name for store in client.key_value_stores()))
REPORTS = _completer(lambda client, ctx: (report.id for report in client.error_reports()))
