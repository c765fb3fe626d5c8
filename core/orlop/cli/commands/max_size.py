"""How large a volume could be: the table that two commands show."""

from __future__ import annotations

from orlop.cli import sizes
from orlop.cli.table import Column, Table

MAX_SIZES = Table(
    "candidates",
    (
        Column("StoragePool", lambda row: row.storage_pool),
        Column("MaxVolumeSize", lambda row: sizes.shown(row.max_volume_size_kib), right=True),
        Column("Provisioning", lambda row: "Thin" if row.all_thin else "Thick"),
        Column("Nodes", lambda row: "\n".join(row.node_names)),
    ),
)
