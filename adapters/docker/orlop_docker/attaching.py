"""Make a volume usable on this machine, and give back what was taken for that when nobody needs it any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from orlop.client import Answer, ApiError, Changes, Client
from orlop.client.values import Node, Resource
from orlop.codes import Info
from orlop.errors import InUse, NodeError, OrlopError
from orlop.model import key
from orlop_docker import volume
from orlop_docker.catalog import Catalog
from orlop_docker.here import Here
from orlop_docker.unfinished import Background, Unfinished
from orlop_docker.volume import DockerVolume

log = logging.getLogger(__name__)
MARK = "Aux/Docker/Attached"  # of a resource: what was done for a container is undone, never what somebody else did
LET_GO = 10.0  # seconds until use that has just ended is over everywhere, and reported to the controller
PAUSE = 0.3
AGAIN = 15.0  # seconds until what failed is tried again
PATIENCE = 20.0  # seconds for what follows an unmount: an engine waits 60 for the whole
IDLE = 60.0  # seconds a resource without a disk outlasts its last use: containers are restarted


class Attaching:
    """Calls for one resource come one at a time."""

    def __init__(
        self,
        client: Client,
        catalog: Catalog,
        at: Here,
        idle: float = IDLE,
        again: float = AGAIN,
        patience: float = PATIENCE,
    ) -> None:
        self._client, self._catalog = client, catalog
        self._at, self._idle, self._again = at, idle, again
        self._due: dict[str, float] = {}  # resource -> when it is to be given back
        self._recalled, self._recall_at = False, 0.0
        self._background = Background(patience)

    def attach(self, found: DockerVolume) -> str:
        """Path of its device here, which can be opened. Raises what the cluster says where its data is out of reach."""
        self._await_release(found)
        node = self._client.node(self._at.node())
        self.require_unused(found, "mounted", anywhere=False)
        before = self._here(found.resource)
        self._client.make_available(found.resource, node.name)
        here = self._here(found.resource)
        device = next((each.device_path for each in here.volumes), "") if here else ""
        if here is None or not device:
            raise NodeError(
                f"{found.name} has no device on {node.name} yet", correction="'orlop volume list' says what is missing."
            )
        if _lent(here) and not _lent(before):
            self._mark(here)
        if _promoted(here, node):
            self._promote(here)
        return device

    def _promote(self, here: Resource) -> None:
        """The mark comes first: whatever is cut after it, what was done is undone. It goes again where the node says
        that the resource was primary already, and no mark says that this was for a container.
        """
        ours = MARK in here.props or _lent(here)
        if not ours:
            self._mark(here)
        answer = self._client.make_primary(here.name, here.node_name)
        if not ours and _found_so(answer):
            self._unmark(here)

    def detached(self, resource: str) -> None:
        """It is not mounted here any more. Raises nothing: what fails or takes too long is done by `look`."""
        try:
            self._background.do(resource, "detached", lambda: self._released(resource))
        except OrlopError as error:
            log.warning("%s is not released yet: %s", resource, error)
            self._due[resource] = time.monotonic()

    def _await_release(self, found: DockerVolume) -> None:
        """Of its last use, which would take back what is done now. One that failed is taken up by `look`."""
        try:
            self._background.wait(found.resource, "detached")
        except Unfinished:
            raise InUse(found.name, ["what was done here for its last use is still being undone"]) from None
        except OrlopError:
            return

    def _released(self, resource: str) -> None:
        here = self._marked(resource)
        if here is not None:
            self._demote_soon(here)
            if not _lent(here):
                self._unmark(here)
        if here is None or not _lent(here):
            self._due.pop(resource, None)
        else:
            self._due[resource] = time.monotonic() + self._idle

    def forget(self, resource: str) -> None:
        self._due.pop(resource, None)

    def due(self) -> list[str]:
        """Resources to `give_back` unless they are mounted, with those that an earlier run left or had mounted."""
        now = time.monotonic()
        if not self._recalled and now >= self._recall_at:
            self._recall_at = now + self._again
            try:
                self._recall()
            except OrlopError as error:
                log.warning("what was attached here is not known yet: %s", error)
        return [resource for resource, when in list(self._due.items()) if when <= now]

    def _recall(self) -> None:
        left = self._client.resources(nodes=[self._at.node()], props=[MARK])
        self._due |= {each.name: 0.0 for each in left if each.name not in self._due}
        self._recalled = True

    def give_back(self, resource: str) -> None:
        """What fails is due again after a while."""
        try:
            self._given_back(resource)
        except OrlopError as error:
            log.warning("%s is not given back yet: %s", resource, error)
            self._due[resource] = time.monotonic() + self._again
        else:
            self._due.pop(resource, None)

    def _given_back(self, resource: str) -> None:
        here = self._marked(resource)
        if here is not None:
            self._demote(here)
            if _lent(here):
                self._client.unmake_available(here.name, here.node_name)
            left = self._marked(resource)
            if left is not None and not _lent(left):
                self._unmark(left)  # one with a disk stays, one that has a vote as well

    def _mark(self, resource: Resource) -> None:
        self._client.modify_resource(resource.name, resource.node_name, Changes(override={MARK: "yes"}))

    def _unmark(self, resource: Resource) -> None:
        """What an administrator makes of it from now on is none of ours."""
        self._client.modify_resource(resource.name, resource.node_name, Changes(delete=(MARK,)))

    def _demote_soon(self, here: Resource) -> None:
        """The mounts of a container go a moment after it has ended, and hold the device open until then."""
        until = time.monotonic() + LET_GO
        while True:
            try:
                return self._demote(here)
            except ApiError:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE)

    def _demote(self, here: Resource) -> None:
        if _promoted(here, self._client.node(here.node_name)):
            self._client.make_secondary(here.name, here.node_name)

    def _marked(self, resource: str) -> Resource | None:
        here = self._here(resource)
        return here if here is not None and MARK in here.props else None

    def _here(self, resource: str) -> Resource | None:
        return next(iter(self._client.resources(names=[resource], nodes=[self._at.node()])), None)

    def require_unused(self, found: DockerVolume, what: str, anywhere: bool) -> None:
        """Raises `InUse` unless use ends in a moment; it is reported a little later than it ends."""

        def users() -> list[str]:
            by = volume.users(self._catalog.replicas(found))
            return [node for node in by if anywhere or key(node) != key(self._at.node())]

        left = _soon(users)
        if left:
            raise InUse(found.name, [f"it is not {what} while {', '.join(left)} has it mounted or open"])


def _lent(resource: Resource | None) -> bool:
    """Whether it has no disk of its own, and is there for more than its vote."""
    return resource is not None and volume.diskless(resource) and "TIE_BREAKER" not in resource.flags


def _found_so(answer: Answer) -> bool:
    """Whether there was nothing to do, as the node itself saw at that moment."""
    return any(entry.severity == "INFO" and entry.code == Info.NOOP for entry in answer)


def _promoted(resource: Resource, node: Node) -> bool:
    """Whether its device can be opened only once somebody has made it primary."""
    return "DRBD" in resource.layer_object.kinds() and not node.promotes_by_itself


def _soon(users: Callable[[], list[str]]) -> list[str]:
    until = time.monotonic() + LET_GO
    while (left := users()) and time.monotonic() < until:
        time.sleep(PAUSE)
    return left
