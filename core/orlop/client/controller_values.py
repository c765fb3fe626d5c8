"""What the controller tells about itself and its work. Sizes are KiB, times milliseconds since 1970."""

from collections.abc import Mapping
from typing import Any

from orlop.client.values import Properties, Seen


class Version(Seen, frozen=True, kw_only=True):
    version: str = ""
    git_hash: str = ""
    build_time: str = ""
    rest_api_version: str = ""


class ErrorReport(Seen, frozen=True, kw_only=True):
    filename: str
    error_time: int = 0
    node_name: str = ""
    text: str = ""
    module: str = ""
    version: str = ""
    exception: str = ""
    exception_message: str = ""
    origin_file: str = ""
    origin_method: str = ""
    origin_line: int | None = None

    @property
    def id(self) -> str:
        return self.filename.removeprefix("ErrorReport-").removesuffix(".log")


class KeyValueStore(Seen, frozen=True, kw_only=True):
    name: str
    props: Properties = {}


class Count(Seen, frozen=True, kw_only=True):
    count: int


class SpaceReport(Seen, frozen=True, kw_only=True, rename={"report_text": "reportText"}):
    report_text: str = ""


class PropertyInfo(Seen, frozen=True, kw_only=True):
    info: str = ""
    prop_type: str = ""
    value: str = ""
    dflt: str = ""
    unit: str = ""


class ExternalFile(Seen, frozen=True, kw_only=True):
    path: str
    content: str = ""  # base64


class JoinCommand(Seen, frozen=True, kw_only=True):
    """The command asks for the token, which works once: a token in an argv could be read by others."""

    command: str
    token: str = ""
    expires_at: int | None = None

    def __repr__(self) -> str:
        return f"JoinCommand(command={self.command!r})"


class Orphan(Seen, frozen=True, kw_only=True):
    """A backing object that no definition knows; `cluster` is the one that made it."""

    node_name: str
    storage_pool_name: str = ""
    name: str = ""
    uuid: str = ""
    cluster: str = ""
    size_kib: int | None = None
    purpose: str = ""  # what it is there for; empty where nobody knows


class Site(Seen, frozen=True, kw_only=True):
    name: str
    node_names: tuple[str, ...] = ()
    props: Properties = {}
    free_kib: int = 0
    total_kib: int = 0


class SiteConnection(Seen, frozen=True, kw_only=True):
    site_a: str
    site_b: str
    props: Properties = {}


class Job(Seen, frozen=True, kw_only=True):
    uuid: str
    kind: str = ""
    resource_name: str = ""
    state: str = ""
    created: int | None = None
    source: str = ""  # nodes of a replica that moves
    target: str = ""
    problem: str = ""


class Difference(Seen, frozen=True, kw_only=True):
    """A volume or snapshot that is not as it is wanted; `wanted` and `found` are words for people."""

    node_name: str
    resource_name: str = ""
    volume_number: int | None = None
    snapshot_name: str = ""
    wanted: str = ""
    found: str = ""
    problem: str = ""


class SplitBrainSide(Seen, frozen=True, kw_only=True):
    """One volume on one of two nodes. `out_of_sync_kib` was changed there since the two were last connected."""

    node_name: str
    connection: str = ""
    role: str = ""
    in_use: bool | None = None
    disk_state: str = ""
    generations: tuple[str, ...] = ()
    out_of_sync_kib: int | None = None
    written_kib: int | None = None


class SplitBrainVolume(Seen, frozen=True, kw_only=True):
    volume_number: int = 0
    sides: tuple[SplitBrainSide, ...] = ()


class SplitBrain(Seen, frozen=True, kw_only=True):
    """A connection that DRBD gave up; `certain`: both sides are known to have data that the other lacks."""

    resource_name: str
    node_a: str = ""
    node_b: str = ""
    certain: bool = False
    since: int | None = None
    volumes: tuple[SplitBrainVolume, ...] = ()


class PlannedField(Seen, frozen=True, kw_only=True):
    name: str
    before: str = ""
    after: str = ""


class PlannedChange(Seen, frozen=True, kw_only=True):
    """`change`: create, modify or delete."""

    kind: str
    name: str = ""
    change: str = ""
    fields: tuple[PlannedField, ...] = ()


class PlannedObject(Seen, frozen=True, kw_only=True):
    name: str
    commands: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


class PlannedNode(Seen, frozen=True, kw_only=True):
    node_name: str
    connected: bool = True
    problem: str = ""
    objects: tuple[PlannedObject, ...] = ()


class Plan(Seen, frozen=True, kw_only=True):
    """What a request would do; nothing of it was done."""

    changes: tuple[PlannedChange, ...] = ()
    nodes: tuple[PlannedNode, ...] = ()
    messages: tuple[str, ...] = ()


class Event(Seen, frozen=True, kw_only=True):
    """One server-sent event; `data` is decoded JSON."""

    name: str
    data: Any = None


class ExplainedPool(Seen, frozen=True, kw_only=True):
    """`reasons` speak against the pool; `note` says why it was not chosen although nothing does."""

    storage_pool_name: str
    provider_kind: str = ""
    free_kib: int = 0
    promised_kib: int = 0
    chosen: bool = False
    rank: int | None = None
    score: float | None = None
    points: Mapping[str, float] = {}
    reasons: tuple[str, ...] = ()
    note: str = ""


class ExplainedNode(Seen, frozen=True, kw_only=True):
    node_name: str
    replica: bool = False
    reasons: tuple[str, ...] = ()
    pools: tuple[ExplainedPool, ...] = ()


class PlacementChange(Seen, frozen=True, kw_only=True):
    steps: tuple[str, ...] = ()
    request: bool = False


class PlacementExplanation(Seen, frozen=True, kw_only=True):
    """What a placement would do now, and why."""

    possible: bool
    summary: str
    wanted: int = 0
    size_kib: int = 0
    policy: str = ""
    layer_stack: tuple[str, ...] = ()
    complete: bool = True
    changes: tuple[PlacementChange, ...] = ()
    nodes: tuple[ExplainedNode, ...] = ()


class FreeSpace(Seen, frozen=True, kw_only=True):
    """The largest single volume that fits `redundancy` times, and what is around it."""

    redundancy: int
    max_volume_size_kib: int
    free_kib: int
    available_kib: int = 0
    total_kib: int = 0
    layer_stack: tuple[str, ...] = ()
    node_names: tuple[str, ...] = ()
