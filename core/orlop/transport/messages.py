"""What controller and satellite say to each other, version 1. Unknown fields are ignored on both sides.

The controller connects, proves that it holds the cluster key and pushes. `Sync` is the whole picture of a node,
`Update` what changed since; both are orders that can be repeated. Absence from a `Sync` removes nothing: only a
volume with `wanted=False` and the uuid does. Reports come back as answers to a long poll.
"""

from collections.abc import Mapping

import msgspec

from orlop.model.cluster import Value
from orlop.model.drbd import ReplicaOrder
from orlop.model.node import (
    BackingObject,
    NewBacking,
    NodeInfo,
    ReportedPool,
    ReportedResource,
    WantedPool,
    WantedResource,
    WantedVolume,
)

VERSION = 1
PREFIX = "/orlop/1/"


class Fence(Value, frozen=True, kw_only=True):
    """Who is speaking: one activation of one controller of one cluster."""

    cluster: str
    term: int
    nonce: str
    sequence: int = 0  # number of the controller's last commit, to notice a restored database


class Sync(Value, frozen=True, kw_only=True):
    fence: Fence
    node: str
    node_uuid: str
    pools: tuple[WantedPool, ...] = ()
    resources: tuple[WantedResource, ...] = ()
    look: int = 0  # number of the last look that was asked for


class Update(Value, frozen=True, kw_only=True):
    """`resources` replace what was known of them; `forget` names resources this node has no part in any more."""

    fence: Fence
    resources: tuple[WantedResource, ...] = ()
    forget: tuple[str, ...] = ()
    pools: tuple[WantedPool, ...] | None = None  # None: unchanged
    look: int = 0  # another number than before: look at everything, then say this number


class Accepted(Value, frozen=True, kw_only=True):
    """Answer to `Sync` and `Update`: the order is understood and queued, not yet carried out."""

    info: NodeInfo | None = None


class Report(Value, frozen=True, kw_only=True):
    """What changed on the node since `after`. Values replace the ones reported earlier.

    `number` counts reports of one run of the satellite; ask for the next with `after=number`. `synced` is true once
    every resource of the last `Sync` has been looked at.
    """

    run: str  # drawn at the satellite's start: another one means it restarted and needs a `Sync`
    number: int
    synced: bool = False
    resources: tuple[ReportedResource, ...] = ()
    pools: tuple[ReportedPool, ...] = ()
    orphans: tuple[BackingObject, ...] | None = None  # None: unchanged
    info: NodeInfo | None = None
    looked: int = 0  # number of the last look asked for that is over, and began after it was asked for
    passed_over: tuple[str, ...] = ()  # keys of resources that were in hand during that look, and are not yet seen
    secrets: tuple[str, ...] = ()  # names of those that steps wait for now


class Secrets(Value, frozen=True, kw_only=True):
    """Secrets that a report asked for, by name; or why the node does not get them. Kept in memory only."""

    fence: Fence
    known: Mapping[str, bytes] = {}
    refused: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Secrets(known={sorted(self.known)}, refused={dict(self.refused)})"


class PhysicalDevice(Value, frozen=True, kw_only=True):
    """A block device nothing uses. `size` in bytes."""

    device: str
    size: int
    rotational: bool = False
    model: str = ""
    serial: str = ""
    wwn: str = ""


class MakeBacking(Value, frozen=True, kw_only=True):
    """Make what a pool is to stand on, of devices that nothing uses. Carried out before it is answered.

    It can be repeated: what is left of an attempt that was cut is finished.
    """

    fence: Fence
    backing: NewBacking


class RemoveBacking(Value, frozen=True, kw_only=True):
    """Take the backing of a pool apart and wipe its devices, if it is empty and `MakeBacking` made it."""

    fence: Fence
    pool: WantedPool


class Operate(Value, frozen=True, kw_only=True):
    """Do something once with the node's replica of a resource. Carried out before it is answered; can be repeated."""

    fence: Fence
    resource: str
    order: ReplicaOrder


class Outcome(Value, frozen=True, kw_only=True):
    """What became of an order that is carried out at once. An empty problem: there is nothing left to do."""

    problem: str = ""  # one sentence
    step: str = ""  # the step that failed, printed
    left: tuple[str, ...] = ()  # steps that were left, printed
    code: int = 0  # of the error, as the API has them


class BackingOutcome(Outcome, frozen=True, kw_only=True):
    """Of `MakeBacking` or `RemoveBacking`."""


class Operated(Outcome, frozen=True, kw_only=True):
    """Of `Operate`."""

    done: tuple[str, ...] = ()  # the steps that were carried out, printed; none: it was so already


class TakeObject(Value, frozen=True, kw_only=True):
    """Make an object of a pool the storage of a volume, or remove it: an administrator has named it.

    Carried out before it is answered; can be repeated. `object` names it, `uuid` is that of the mark it has to bear,
    empty where it must bear none.
    """

    fence: Fence
    object: BackingObject
    volume: WantedVolume | None = None  # what it is to become; None: it is to be removed
    mark: str = ""  # uuid that was drawn for a removal
    only_look: bool = False  # say what is there and what would be done


class ObjectTaken(Outcome, frozen=True, kw_only=True):
    """Of `TakeObject`."""

    found: BackingObject | None = None  # as it is now; None: there is none of that name
    facts: Mapping[str, str] = {}  # what a layer above found on it, where it was only looked at
    done: tuple[str, ...] = ()  # the steps that were carried out, printed


class Plan(Value, frozen=True, kw_only=True):
    """Say what would be done for these orders. None of them is given: nothing changes."""

    fence: Fence
    resources: tuple[WantedResource, ...] = ()
    pools: tuple[WantedPool, ...] | None = None  # None: those that are known


class PlannedSteps(Value, frozen=True, kw_only=True):
    """Of one resource or pool."""

    name: str
    steps: tuple[str, ...] = ()  # printed
    problems: tuple[str, ...] = ()  # what would stand in the way, one sentence each
    later: tuple[str, ...] = ()  # what can be planned only when these steps are done


class Planned(Value, frozen=True, kw_only=True):
    """Answer to `Plan`."""

    resources: tuple[PlannedSteps, ...] = ()
    pools: tuple[PlannedSteps, ...] = ()  # new ones that get our mark


class Problem(Value, frozen=True, kw_only=True):
    """Body of every refusal."""

    kind: str  # unauthenticated, no_session, fenced, not_synced, bad_message, failed
    message: str
    term: int | None = None
    nonce: str | None = None


class Hello(Value, frozen=True, kw_only=True):
    """First words of the controller. `challenge` is 32 random bytes in hexadecimal, as are all of its kind."""

    version: int
    fence: Fence
    node: str
    challenge: str


class Welcome(Value, frozen=True, kw_only=True):
    """The satellite's proof that it holds the cluster key, and its own challenge."""

    node: str
    session: str
    challenge: str
    proof: str


class Opening(Value, frozen=True, kw_only=True):
    """The controller's proof; from here on every request and answer is signed."""

    session: str
    proof: str


class JoinRequest(Value, frozen=True, kw_only=True):
    """What a node sends to become part of a cluster. `csr` is PEM."""

    token: str
    node: str
    csr: str

    def __repr__(self) -> str:
        return f"JoinRequest(node={self.node!r})"


class JoinAnswer(Value, frozen=True, kw_only=True):
    """What makes a node part of a cluster. `cluster_key` is hexadecimal, the certificates are PEM."""

    cluster: str
    cluster_key: str
    certificate: str
    authority: str

    def __repr__(self) -> str:
        return f"JoinAnswer(cluster={self.cluster!r})"


encode = msgspec.json.encode


def printable(text: str, longest: int = 500) -> str:
    """Text of a stranger as it may stand in a log or an error: one line, of limited length."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:longest])
