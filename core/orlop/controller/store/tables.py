"""The tables. Name keys are lower-cased and compared byte for byte beside the name as it was given.

Only properties, flags and lists are JSON, kept as text: a row that is damaged then spoils itself only, never the
query. Children carry `position`, their place in the aggregate's tuple.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

metadata = MetaData()


def binary(length: int) -> TypeEngine[str]:
    """Text that is compared byte for byte on every engine (SQLite does so by itself)."""
    return (
        String(length)
        .with_variant(String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def text() -> TypeEngine[str]:
    """Text of any length, compared byte for byte."""
    return (
        Text()
        .with_variant(Text(collation="C"), "postgresql")
        .with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


NODE, WORD, UUID = 255, 48, 64  # longest name of a node, of anything else, and of an identity
SEALED = 2048  # a sealed key in hexadecimal
GENERATION = 16  # hexadecimal digits of DRBD's identifiers
BACKING_NAME = 128  # `<resource>_<nr>.<snapshot>`


def _key(name: str, length: int = WORD) -> Column[str]:
    return Column(name, binary(length), primary_key=True)


def _number(name: str = "number") -> Column[int]:
    return Column(name, Integer, primary_key=True, autoincrement=False)


def _name(name: str, length: int = WORD) -> Column[str]:
    return Column(name, binary(length), nullable=False)


def _uuid() -> Column[str]:
    return Column("uuid", binary(UUID), nullable=False)


def _position() -> Column[int]:
    return Column("position", Integer, nullable=False)


def _json(name: str) -> Column[str]:
    return Column(name, text(), nullable=False)


def _word(name: str) -> Column[str]:
    return Column(name, binary(64), nullable=False)


def _big(name: str, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _flag(name: str) -> Column[int]:
    """0 or 1: what else a damaged row may hold must not pass for true."""
    return Column(name, SmallInteger, nullable=False)


def _table(name: str, *parts: Any) -> Table:
    return Table(name, metadata, *parts, mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


def _parent(name: str, *columns: str) -> ForeignKeyConstraint:
    """A foreign key to the whole primary key of a table."""
    own = metadata.tables[name].primary_key.columns.keys()
    return ForeignKeyConstraint(columns, [f"{name}.{column}" for column in own])


controller = _table(
    "controller",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cluster", binary(UUID), nullable=False),
    _big("term"),
    Column("nonce", binary(UUID), nullable=False),
    _big("sequence"),
    _json("props"),
)
lease = _table(
    "lease",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", binary(255), nullable=False),
    _big("expires"),  # milliseconds since 1970 by the database's clock
)
master_key = _table(
    "master_key",
    _key("key"),
    _name("name"),
    Column("salt", binary(64), nullable=False),
    Column("cost", Integer, nullable=False),
    Column("sealed", binary(SEALED), nullable=False),
)
key_value_store = _table("key_value_store", _key("key"), _name("name"), _json("props"))
node = _table(
    "node",
    _key("key", NODE),
    _name("name", NODE),
    _uuid(),
    _word("kind"),
    _json("flags"),
    _json("props"),
    _big("evicted_at", True),
)
net_interface = _table(
    "net_interface",
    _key("node_key", NODE),
    _key("key"),
    _position(),
    _name("name"),
    _uuid(),
    _word("address"),
    Column("port", Integer),
    Column("encryption", binary(64)),
    _flag("active"),
    _parent("node", "node_key"),
)
node_connection = _table(
    "node_connection",
    Column("node_a_key", binary(NODE), ForeignKey("node.key"), primary_key=True),
    Column("node_b_key", binary(NODE), ForeignKey("node.key"), primary_key=True),
    _name("node_a", NODE),
    _name("node_b", NODE),
    _uuid(),
    _json("props"),
)
storage_pool_definition = _table("storage_pool_definition", _key("key"), _name("name"), _uuid(), _json("props"))
storage_pool = _table(
    "storage_pool",
    _key("node_key", NODE),
    _key("key"),
    _name("node", NODE),
    _name("name"),
    _uuid(),
    _word("provider"),
    _json("props"),
    _name("shared_space"),
    _flag("external_locking"),
    _flag("new"),
    _parent("node", "node_key"),
)
resource_group = _table(
    "resource_group",
    _key("key"),
    _name("name"),
    _uuid(),
    Column("description", text(), nullable=False),
    _json("props"),
    _json("select_filter"),
    Column("peer_slots", Integer),
)
volume_group = _table(
    "volume_group",
    _key("group_key"),
    _number(),
    _position(),
    _uuid(),
    _json("props"),
    _json("flags"),
    _parent("resource_group", "group_key"),
)
resource_definition = _table(
    "resource_definition",
    _key("key"),
    Column("group_key", binary(WORD), ForeignKey("resource_group.key"), nullable=False, index=True),
    _name("name"),
    _uuid(),
    _name("group"),
    _json("layers"),
    Column("external_name", text()),
    _json("props"),
    _json("flags"),
    Column("peer_slots", Integer),
    _big("revision"),
)
volume_definition = _table(
    "volume_definition",
    _key("definition_key"),
    _number(),
    _position(),
    _uuid(),
    _big("size"),
    Column("minor", Integer),
    Column("first", binary(UUID), nullable=False),
    Column("day0", binary(GENERATION), nullable=False),
    _json("props"),
    _json("flags"),
    _parent("resource_definition", "definition_key"),
)
volume_key = _table(
    "volume_key",
    _key("definition_key"),
    _number(),
    Column("uuid", binary(UUID), primary_key=True),
    _position(),
    Column("slot", Integer, nullable=False),
    Column("sealed", binary(SEALED), nullable=False),
    _flag("retired"),
    _parent("volume_definition", "definition_key", "number"),
)
resource = _table(
    "resource",
    _key("definition_key"),
    Column("node_key", binary(NODE), ForeignKey("node.key"), primary_key=True, index=True),
    _position(),
    _name("node", NODE),
    _uuid(),
    _json("flags"),
    _json("props"),
    _json("layers"),
    _big("created", True),
    Column("node_id", Integer),
    _json("ports"),
    Column("peer_slots", Integer),
    _parent("resource_definition", "definition_key"),
)
volume = _table(
    "volume",
    _key("definition_key"),
    _key("node_key", NODE),
    _number(),
    _position(),
    Column("pool_key", binary(WORD), nullable=False),
    _uuid(),
    _name("pool"),
    _json("levels"),
    _flag("new"),
    Column("source", binary(UUID)),
    Column("source_name", binary(BACKING_NAME), nullable=False),
    Column("replaces", binary(UUID)),
    _flag("equal"),
    _json("metadata"),
    _json("flags"),
    _json("props"),
    _parent("resource", "definition_key", "node_key"),
    _parent("storage_pool", "node_key", "pool_key"),
)
resource_connection = _table(
    "resource_connection",
    _key("definition_key"),
    _key("node_a_key", NODE),
    _key("node_b_key", NODE),
    _position(),
    _name("node_a", NODE),
    _name("node_b", NODE),
    _uuid(),
    _json("props"),
    _parent("resource_definition", "definition_key"),
)
snapshot = _table(
    "snapshot",
    _key("definition_key"),
    _key("key"),
    _position(),
    _name("name"),
    _uuid(),
    _json("flags"),
    _json("props"),
    _json("layers"),
    _json("resource_definition_props"),
    _parent("resource_definition", "definition_key"),
)
snapshot_volume_definition = _table(
    "snapshot_volume_definition",
    _key("definition_key"),
    _key("snapshot_key"),
    _number(),
    _position(),
    _big("size"),
    _json("flags"),
    _json("props"),
    _parent("snapshot", "definition_key", "snapshot_key"),
)
snapshot_volume_key = _table(
    "snapshot_volume_key",
    _key("definition_key"),
    _key("snapshot_key"),
    _number(),
    Column("uuid", binary(UUID), primary_key=True),
    _position(),
    Column("slot", Integer, nullable=False),
    Column("sealed", binary(SEALED), nullable=False),
    _flag("retired"),
    _parent("snapshot_volume_definition", "definition_key", "snapshot_key", "number"),
)
node_snapshot = _table(
    "node_snapshot",
    _key("definition_key"),
    _key("snapshot_key"),
    Column("node_key", binary(NODE), ForeignKey("node.key"), primary_key=True, index=True),
    _position(),
    _name("node", NODE),
    _uuid(),
    _json("flags"),
    _json("props"),
    _big("created", True),
    _parent("snapshot", "definition_key", "snapshot_key"),
)
snapshot_volume = _table(
    "snapshot_volume",
    _key("definition_key"),
    _key("snapshot_key"),
    _key("node_key", NODE),
    _number(),
    _position(),
    Column("pool_key", binary(WORD), nullable=False),
    _uuid(),
    Column("volume", binary(UUID), nullable=False),
    _name("pool"),
    _big("size"),
    _flag("new"),
    _parent("node_snapshot", "definition_key", "snapshot_key", "node_key"),
    _parent("storage_pool", "node_key", "pool_key"),
)
operation = _table(
    "operation",
    _key("definition_key"),
    Column("uuid", binary(UUID), primary_key=True),
    _position(),
    _word("kind"),
    _word("state"),
    _big("created"),
    _json("arguments"),
    Column("problem", text(), nullable=False),
    _parent("resource_definition", "definition_key"),
)
