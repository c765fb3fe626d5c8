"""A hook plugin: tells what the node's sysfs calls the machine, and keeps small volumes off quota pools."""

from collections.abc import Mapping
from pathlib import Path

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
