"""The first schema.

Revision ID: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None


def binary(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def text() -> TypeEngine[str]:
    return (
        sa.Text()
        .with_variant(sa.Text(collation="C"), "postgresql")
        .with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def table(name: str, *parts: Any) -> None:
    op.create_table(name, *parts, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


def upgrade() -> None:
    table(
        "controller",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("cluster", binary(64), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("nonce", binary(64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("props", text(), nullable=False),
    )
    table(
        "key_value_store",
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("props", text(), nullable=False),
    )
    table(
        "lease",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("holder", binary(255), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    table(
        "node",
        sa.Column("key", binary(255), primary_key=True),
        sa.Column("name", binary(255), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("kind", binary(64), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.Column("evicted_at", sa.BigInteger(), nullable=True),
    )
    table(
        "resource_group",
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("description", text(), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.Column("select_filter", text(), nullable=False),
        sa.Column("peer_slots", sa.Integer(), nullable=True),
    )
    table(
        "storage_pool_definition",
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("props", text(), nullable=False),
    )
    table(
        "net_interface",
        sa.Column("node_key", binary(255), primary_key=True),
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("address", binary(64), nullable=False),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("encryption", binary(64), nullable=True),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["node_key"], ["node.key"]),
    )
    table(
        "node_connection",
        sa.Column("node_a_key", binary(255), primary_key=True),
        sa.Column("node_b_key", binary(255), primary_key=True),
        sa.Column("node_a", binary(255), nullable=False),
        sa.Column("node_b", binary(255), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.ForeignKeyConstraint(["node_a_key"], ["node.key"]),
        sa.ForeignKeyConstraint(["node_b_key"], ["node.key"]),
    )
    table(
        "resource_definition",
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("group_key", binary(48), nullable=False),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("group", binary(48), nullable=False),
        sa.Column("layers", text(), nullable=False),
        sa.Column("external_name", text(), nullable=True),
        sa.Column("props", text(), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.Column("peer_slots", sa.Integer(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["group_key"], ["resource_group.key"]),
    )
    op.create_index("ix_resource_definition_group_key", "resource_definition", ["group_key"])
    table(
        "storage_pool",
        sa.Column("node_key", binary(255), primary_key=True),
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("node", binary(255), nullable=False),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("provider", binary(64), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.Column("shared_space", binary(48), nullable=False),
        sa.Column("external_locking", sa.SmallInteger(), nullable=False),
        sa.Column("new", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["node_key"], ["node.key"]),
    )
    table(
        "volume_group",
        sa.Column("group_key", binary(48), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.ForeignKeyConstraint(["group_key"], ["resource_group.key"]),
    )
    table(
        "operation",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("uuid", binary(64), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", binary(64), nullable=False),
        sa.Column("state", binary(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("arguments", text(), nullable=False),
        sa.Column("problem", text(), nullable=False),
        sa.ForeignKeyConstraint(["definition_key"], ["resource_definition.key"]),
    )
    table(
        "resource",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("node_key", binary(255), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("node", binary(255), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.Column("layers", text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["definition_key"], ["resource_definition.key"]),
        sa.ForeignKeyConstraint(["node_key"], ["node.key"]),
    )
    op.create_index("ix_resource_node_key", "resource", ["node_key"])
    table(
        "resource_connection",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("node_a_key", binary(255), primary_key=True),
        sa.Column("node_b_key", binary(255), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("node_a", binary(255), nullable=False),
        sa.Column("node_b", binary(255), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.ForeignKeyConstraint(["definition_key"], ["resource_definition.key"]),
    )
    table(
        "snapshot",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.Column("layers", text(), nullable=False),
        sa.Column("resource_definition_props", text(), nullable=False),
        sa.ForeignKeyConstraint(["definition_key"], ["resource_definition.key"]),
    )
    table(
        "volume_definition",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("minor", sa.Integer(), nullable=True),
        sa.Column("props", text(), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.ForeignKeyConstraint(["definition_key"], ["resource_definition.key"]),
    )
    table(
        "node_snapshot",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("snapshot_key", binary(48), primary_key=True),
        sa.Column("node_key", binary(255), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("node", binary(255), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["definition_key", "snapshot_key"], ["snapshot.definition_key", "snapshot.key"]),
        sa.ForeignKeyConstraint(["node_key"], ["node.key"]),
    )
    op.create_index("ix_node_snapshot_node_key", "node_snapshot", ["node_key"])
    table(
        "snapshot_volume_definition",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("snapshot_key", binary(48), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("flags", text(), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.ForeignKeyConstraint(["definition_key", "snapshot_key"], ["snapshot.definition_key", "snapshot.key"]),
    )
    table(
        "volume",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("node_key", binary(255), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pool_key", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("pool", binary(48), nullable=False),
        sa.Column("levels", text(), nullable=False),
        sa.Column("new", sa.SmallInteger(), nullable=False),
        sa.Column("source", binary(64), nullable=True),
        sa.Column("source_name", binary(128), nullable=False),
        sa.Column("replaces", binary(64), nullable=True),
        sa.Column("flags", text(), nullable=False),
        sa.Column("props", text(), nullable=False),
        sa.ForeignKeyConstraint(["definition_key", "node_key"], ["resource.definition_key", "resource.node_key"]),
        sa.ForeignKeyConstraint(["node_key", "pool_key"], ["storage_pool.node_key", "storage_pool.key"]),
    )
    table(
        "snapshot_volume",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("snapshot_key", binary(48), primary_key=True),
        sa.Column("node_key", binary(255), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pool_key", binary(48), nullable=False),
        sa.Column("uuid", binary(64), nullable=False),
        sa.Column("volume", binary(64), nullable=False),
        sa.Column("pool", binary(48), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["definition_key", "snapshot_key", "node_key"],
            ["node_snapshot.definition_key", "node_snapshot.snapshot_key", "node_snapshot.node_key"],
        ),
        sa.ForeignKeyConstraint(["node_key", "pool_key"], ["storage_pool.node_key", "storage_pool.key"]),
    )
    op.execute("INSERT INTO lease (id, holder, expires) VALUES (1, '', 0)")
