"""`orlop node describe`: what is on a node, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orlop.cli import options, sizes, states

if TYPE_CHECKING:
    from orlop.cli.grammar import Menu
    from orlop.cli.session import Session
    from orlop.client.values import Node, Resource, StoragePool


def add_to(menu: Menu) -> None:
    @menu.verb("describe", "dsc", example="orlop node describe alpha")
    @options.node(required=False)
    def describe(session: Session, node: str | None) -> None:
        """Show what is on a node, or on every node: its storage pools, and in them the volumes."""
        nodes = session.client.nodes([node] if node else ())
        if node and not nodes:
            session.missing(f"node {node} does not exist")
            return
        if session.settings.machine_readable:
            session.show_raw("nodes")
            return
        pools = session.client.storage_pools([node] if node else ())
        resources = session.client.resources(nodes=[node] if node else ())
        for each in nodes:
            _describe(session, each, pools, resources)


def _describe(session: Session, node: Node, pools: list[StoragePool], resources: list[Resource]) -> None:
    session.say(f"{node.name} ({node.type}, {states.node(node).text})")
    here = [resource for resource in resources if resource.node_name == node.name]
    for pool in (pool for pool in pools if pool.node_name == node.name):
        free = f", {sizes.shown(pool.free_capacity)} free" if pool.provider_kind != "DISKLESS" else ""
        session.say(f"  {pool.storage_pool_name} ({pool.provider_kind}{free})")
        for resource in here:
            for volume in resource.volumes:
                if volume.storage_pool_name == pool.storage_pool_name:
                    session.say(
                        f"    {resource.name}/{volume.volume_number} "
                        f"({sizes.shown(volume.usable_size_kib) or 'size unknown'}, "
                        f"{states.volume(volume, resource.flags).text})"
                    )
