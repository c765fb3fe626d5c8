"""Metadata that is kept apart from the data of a volume.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0005"
down_revision = "0004"


def text() -> TypeEngine[str]:
    return (
        sa.Text()
        .with_variant(sa.Text(collation="C"), "postgresql")
        .with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Volumes that are there have theirs at the end of the data."""
    with op.batch_alter_table("volume") as volume:
        volume.add_column(sa.Column("metadata", text(), nullable=True))
    op.execute("UPDATE volume SET metadata = 'null'")
    with op.batch_alter_table("volume") as volume:
        volume.alter_column("metadata", existing_type=text(), nullable=False)
