"""What replicated resources are numbered by.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0003"
down_revision = "0002"


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


def upgrade() -> None:
    """MariaDB gives no text a default: the column is filled before it may not be empty any more."""
    with op.batch_alter_table("volume_definition") as volume_definition:
        volume_definition.add_column(sa.Column("first", binary(64), nullable=True))
    with op.batch_alter_table("resource") as resource:
        resource.add_column(sa.Column("node_id", sa.Integer(), nullable=True))
        resource.add_column(sa.Column("ports", text(), nullable=True))
        resource.add_column(sa.Column("peer_slots", sa.Integer(), nullable=True))
    op.execute("UPDATE volume_definition SET first = ''")
    op.execute("UPDATE resource SET ports = '[]'")
    with op.batch_alter_table("volume_definition") as volume_definition:
        volume_definition.alter_column("first", existing_type=binary(64), nullable=False)
    with op.batch_alter_table("resource") as resource:
        resource.alter_column("ports", existing_type=text(), nullable=False)
