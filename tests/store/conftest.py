"""Every test of the store runs on SQLite, PostgreSQL and MariaDB.

The servers are real: those of ORLOP_TEST_POSTGRESQL and ORLOP_TEST_MARIADB (URLs of a database whose user may create
others), or else the distribution's programs, started here on a Unix socket in a temporary directory.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, delete, make_url, text, update
from sqlalchemy.exc import DBAPIError

from orlop.controller.key_ring import KeyRing
from orlop.controller.picture import Aggregate, Draft, Picture
from orlop.controller.store import Store
from orlop.controller.store.tables import metadata
from orlop.model import (
    Level,
    Metadata,
    NetInterface,
    Node,
    NodeSnapshot,
    Operation,
    Resource,
    ResourceConnection,
    ResourceDefinition,
    ResourceGroup,
    Snapshot,
    SnapshotVolume,
    SnapshotVolumeDefinition,
    StoragePool,
    Volume,
    VolumeDefinition,
    VolumeGroup,
)

ENGINES = ("sqlite", "postgresql", "mariadb")
SERVERS = ("postgresql", "mariadb")
PATIENCE = 60  # seconds a server may take to start


def find_program(name: str, *places: str) -> str | None:
    found = [str(path) for place in places for path in sorted(Path("/").glob(f"{place}/{name}"))]
    return found[-1] if found else shutil.which(name)


def wait_for(url: str, door: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers; PyMySQL leaks its socket when it knocks before the door is there."""
    engine = create_engine(url)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as knock:
                knock.connect(str(door))
            engine.connect().close()
            return
        except (OSError, DBAPIError):
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.1)
        finally:
            engine.dispose()


@contextlib.contextmanager
def running(argv: list[str], url: str, door: Path, stop: signal.Signals) -> Iterator[str]:
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") as process:
        try:
            wait_for(url, door, process)
            yield url
        finally:
            process.send_signal(stop)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def as_user(name: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"] if os.geteuid() == 0 else []


@contextlib.contextmanager
def postgresql(directory: Path) -> Iterator[str]:
    places = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
    initdb, server = find_program("initdb", *places), find_program("postgres", *places)
    if not initdb or not server:
        pytest.skip("PostgreSQL is not installed: install the package 'postgresql' or set ORLOP_TEST_POSTGRESQL")
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(directory, user.pw_uid, user.pw_gid)
    data = str(directory / "data")
    make = [initdb, "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run([*as_user("postgres"), *make], check=True, capture_output=True, cwd="/")
    serve = [server, "-D", data, "-k", str(directory), "-c", "listen_addresses=", "-c", "fsync=off"]
    url = f"postgresql+psycopg://postgres@/postgres?host={directory}"
    with running([*as_user("postgres"), *serve], url, directory / ".s.PGSQL.5432", signal.SIGINT) as url:
        yield url


@contextlib.contextmanager
def mariadb(directory: Path) -> Iterator[str]:
    install, server = find_program("mariadb-install-db"), find_program("mariadbd", "usr/sbin", "usr/libexec")
    if not install or not server:
        pytest.skip("MariaDB is not installed: install the package 'mariadb-server' or set ORLOP_TEST_MARIADB")
    user = pwd.getpwuid(os.geteuid()).pw_name
    common = ["--no-defaults", f"--datadir={directory / 'data'}", f"--user={user}"]
    make = [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(make, check=True, capture_output=True, cwd="/")
    door = directory / "socket"
    fast = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"]
    serve = [server, *common, f"--socket={door}", "--skip-networking", f"--pid-file={directory / 'pid'}", *fast]
    with running(serve, f"mysql+pymysql://root@localhost/mysql?unix_socket={door}", door, signal.SIGTERM) as url:
        yield url


@contextlib.contextmanager
def server(kind: str) -> Iterator[str]:
    """URL of a database of a server that may be used to make others."""
    if given := os.environ.get(f"ORLOP_TEST_{kind.upper()}"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="orlop-test-") as directory:
        start = {"postgresql": postgresql, "mariadb": mariadb}[kind]
        with start(Path(directory)) as url:
            yield url


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], str]]:
    """Starts a server when a test first asks for it; all stop at the end of the session."""
    with contextlib.ExitStack() as stack:
        urls: dict[str, str] = {}

        def get(kind: str) -> str:
            if kind not in urls:
                urls[kind] = stack.enter_context(server(kind))
            return urls[kind]

        yield get


@pytest.fixture
def new_database(servers: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """URL of an empty database of an engine; it is dropped after the test."""
    made: list[tuple[str, str]] = []

    def make(kind: str) -> str:
        name = f"orlop_{uuid.uuid4().hex[:12]}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        administer(servers(kind), f"CREATE DATABASE {name}")
        made.append((kind, name))
        return make_url(servers(kind)).set(database=name).render_as_string(hide_password=False)

    yield make
    for kind, name in made:
        administer(servers(kind), f"DROP DATABASE {name}" + (" WITH (FORCE)" if kind == "postgresql" else ""))


def administer(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """An empty database on each engine."""
    return new_database(request.param)


@pytest.fixture(params=SERVERS)
def server_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """An empty database on each engine that several controllers can reach."""
    return new_database(request.param)


@pytest.fixture
def open_store(url: str, tmp_path: Path) -> Iterator[Store]:
    """The store of an active controller on each engine."""
    with Store.open(url, backup_directory=tmp_path / "backups") as store:
        store.activate()
        yield store


MIB, GIB = 1 << 20, 1 << 30


PASSPHRASE = "of the small cluster"
RING = KeyRing(4)
MASTER, _PLAIN = RING.new_master(PASSPHRASE)
RING.use(_PLAIN)
KEY = RING.new_key("key", 0, "key of a volume")


def definition(name: str, *nodes: str, pool: str = "pool") -> ResourceDefinition:
    """Two volumes on every node, with a snapshot on the first."""
    volumes = tuple(
        Volume(
            number=nr,
            uuid=f"{name}-{nr}",
            pool=pool,
            levels=(Level(layer="STORAGE", size=GIB),),
            equal=nr == 1,
            metadata=Metadata(uuid=f"{name}-{nr}-m", pool=pool, levels=(Level(layer="STORAGE", size=MIB),))
            if nr
            else None,
        )
        for nr in (0, 1)
    )
    parts = (SnapshotVolume(number=0, uuid=f"{name}-s", volume=f"{name}-0", pool=pool, size=GIB),)
    snapshot = Snapshot(
        name="before",
        uuid=f"{name}-before",
        volume_definitions=(SnapshotVolumeDefinition(number=0, size=GIB, keys=(KEY,)),),
        nodes=(NodeSnapshot(node=nodes[0], uuid="part", volumes=parts),),
    )
    return ResourceDefinition(
        name=name,
        uuid=f"uuid-{name}",
        group="fast",
        layers=("STORAGE",),
        external_name=f"{name} of a user",
        props={"Aux/owner": "müller"},
        volume_definitions=tuple(
            VolumeDefinition(
                number=nr,
                uuid=f"{name}-{nr}",
                size=GIB,
                minor=1000 + nr,
                first="volume",
                day0=f"{nr:016X}",
                keys=(KEY,),
            )
            for nr in (0, 1)
        ),
        resources=tuple(
            Resource(node=node, uuid=f"{name}-{node}", volumes=volumes, node_id=nr, ports=(7000, 7001), peer_slots=7)
            for nr, node in enumerate(nodes)
        ),
        connections=(ResourceConnection(node_a=nodes[0], node_b=nodes[-1], uuid="link"),),
        snapshots=(snapshot,),
        operations=(Operation(uuid=f"{name}-op", kind="rollback", state="asked", created=1, arguments={"n": 1}),),
    )


SMALL_CLUSTER: tuple[Aggregate, ...] = (
    MASTER,
    *(
        Node(name=name, uuid=name, interfaces=(NetInterface(name="default", uuid=name, address="10.0.0.1"),))
        for name in ("alpha", "beta", "gamma")
    ),
    *(StoragePool(node=name, name="pool", uuid=name, provider="FILE") for name in ("alpha", "beta", "gamma")),
    ResourceGroup(name="fast", uuid="fast", volume_groups=(VolumeGroup(number=0, uuid="vg"),)),
    ResourceGroup(name="slow", uuid="slow"),
    definition("one", "alpha", "beta"),
    definition("two", "beta", "alpha"),
    definition("three", "gamma", "beta"),
)


@pytest.fixture
def put() -> Callable[..., Picture]:
    """Commit aggregates to a store; the picture that results."""

    def put(store: Store, *values: Aggregate) -> Picture:
        draft = Draft(store.load().picture)
        for value in values:
            draft.put(value)
        draft.sequence += 1
        store.commit(draft.changes, draft.sequence)
        return draft.freeze()

    return put


@pytest.fixture
def small_cluster() -> tuple[Aggregate, ...]:
    return SMALL_CLUSTER


Where = dict[str, Any]


@pytest.fixture
def spoil() -> Callable[[Store, str, Where, Where | None], None]:
    """Change one row (None: remove it) behind the back of the store and of the foreign keys."""
    off = {
        "sqlite": "PRAGMA foreign_keys=OFF",
        "postgresql": "SET session_replication_role = replica",
        "mysql": "SET FOREIGN_KEY_CHECKS=0",
    }

    def spoil(store: Store, name: str, where: Where, values: Where | None) -> None:
        table = metadata.tables[name]
        chosen = [table.columns[column] == value for column, value in where.items()]
        statement = delete(table).where(*chosen) if values is None else update(table).where(*chosen).values(values)
        engine = create_engine(store.engine.url)
        with engine.connect() as connection:
            connection.execute(text(off[engine.dialect.name]))
            assert connection.execute(statement).rowcount == 1
            connection.commit()
        engine.dispose()

    return spoil
