"""Keys of encrypted volumes, and the master key that seals them.

Revision ID: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"


def binary(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def table(name: str, *parts: Any) -> None:
    op.create_table(name, *parts, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


def key_columns() -> tuple[Any, ...]:
    return (
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("uuid", binary(64), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("sealed", binary(2048), nullable=False),
        sa.Column("retired", sa.SmallInteger(), nullable=False),
    )


def upgrade() -> None:
    table(
        "master_key",
        sa.Column("key", binary(48), primary_key=True),
        sa.Column("name", binary(48), nullable=False),
        sa.Column("salt", binary(64), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
        sa.Column("sealed", binary(2048), nullable=False),
    )
    table(
        "volume_key",
        sa.Column("definition_key", binary(48), primary_key=True),
        *key_columns(),
        sa.ForeignKeyConstraint(
            ["definition_key", "number"], ["volume_definition.definition_key", "volume_definition.number"]
        ),
    )
    table(
        "snapshot_volume_key",
        sa.Column("definition_key", binary(48), primary_key=True),
        sa.Column("snapshot_key", binary(48), primary_key=True),
        *key_columns(),
        sa.ForeignKeyConstraint(
            ["definition_key", "snapshot_key", "number"],
            [
                "snapshot_volume_definition.definition_key",
                "snapshot_volume_definition.snapshot_key",
                "snapshot_volume_definition.number",
            ],
        ),
    )
