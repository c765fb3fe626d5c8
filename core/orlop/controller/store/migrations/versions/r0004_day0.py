"""Which replicas were equal before anything was written.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"


def binary(length: int) -> TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Of what is there already nobody knows how it began: it is never taken for equal."""
    with op.batch_alter_table("volume_definition") as volume_definition:
        volume_definition.add_column(sa.Column("day0", binary(16), nullable=True))
    with op.batch_alter_table("volume") as volume:
        volume.add_column(sa.Column("equal", sa.SmallInteger(), nullable=True))
    op.execute("UPDATE volume_definition SET day0 = ''")
    op.execute("UPDATE volume SET equal = 0")
    with op.batch_alter_table("volume_definition") as volume_definition:
        volume_definition.alter_column("day0", existing_type=binary(16), nullable=False)
    with op.batch_alter_table("volume") as volume:
        volume.alter_column("equal", existing_type=sa.SmallInteger(), nullable=False)
