"""Paths of a connection: which interfaces of two nodes carry it. They are properties `Paths/<name>/<node>`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from orlop.cli import options
from orlop.cli.grammar import Menu
from orlop.cli.properties import show_properties

if TYPE_CHECKING:
    from orlop.cli.options import Decorator
    from orlop.cli.session import Session
    from orlop.client import Answer


def add_paths(
    menu: Menu,
    arguments: list[Decorator],
    read: Callable[..., Mapping[str, str] | None],
    change: Callable[..., Answer],
    example: str,
) -> None:
    """`read` and `change` as for properties; both get node_a and node_b among the names."""
    below = menu.menu("path", "p", help="Which network interfaces carry the connection.")
    words = f"orlop {menu.name} path"

    @below.verb("create", "c", example=f"{words} create {example} path1 10G_nic 10G_nic")
    @options.stacked(*arguments)
    @click.argument("path")
    @click.argument("interface_a")
    @click.argument("interface_b")
    def create(session: Session, path: str, interface_a: str, interface_b: str, **names: Any) -> Answer:
        """Let the connection use these interfaces of the first and the second node."""
        from orlop.client import Changes

        override = {
            f"Paths/{path}/{names['node_a']}": interface_a,
            f"Paths/{path}/{names['node_b']}": interface_b,
        }
        return change(session.client, Changes(override=override), **names)

    @below.verb("delete", "d", example=f"{words} delete {example} path1")
    @options.stacked(*arguments)
    @click.argument("path")
    def delete(session: Session, path: str, **names: Any) -> Answer:
        """Remove a path from the connection."""
        from orlop.client import Changes

        keys = (f"Paths/{path}/{names['node_a']}", f"Paths/{path}/{names['node_b']}")
        return change(session.client, Changes(delete=keys), **names)

    @below.verb("list", "l", example=f"{words} list {example}")
    @options.stacked(*arguments, options.pastable)
    def list_paths(session: Session, pastable: bool, **names: Any) -> None:
        """List the paths of the connection."""
        props = read(session.client, **names) or {}
        paths = {key.removeprefix("Paths/"): value for key, value in props.items() if key.startswith("Paths/")}
        show_properties(session, paths, pastable)
