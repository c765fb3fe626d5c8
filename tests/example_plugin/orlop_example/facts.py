"""A hook plugin: tells what the node's sysfs calls the machine, keeps small volumes off quota pools, and adds a
route and a command."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from orlop.model import MIB, StoragePool
from orlop.plugin import hookimpl


@hookimpl
def orlop_node_facts(name: str) -> Mapping[str, str]:
    model = Path("/sys/class/dmi/id/product_name")
    return {"Example/Machine": model.read_text().strip() if model.exists() else "unknown"}


@hookimpl
def orlop_veto_placement(size: int, pool: StoragePool) -> str | None:
    if pool.provider == "FILE_QUOTA" and size < MIB:
        return f"pool {pool.name} takes no volumes below 1 MiB"
    return None


@hookimpl
def orlop_routes(application: Any) -> None:
    application.add_url_rule("/v1/orlop/example", "example", lambda: {"machine": platform.machine()})


@hookimpl
def orlop_commands(group: Any) -> None:
    group.add_command(example)


@click.command()
def example() -> None:
    """Print what kind of machine this is."""
    click.echo(platform.machine())
