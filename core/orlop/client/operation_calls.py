"""What is done once with replicated resources, and split brains."""

from collections.abc import Sequence

from orlop.client.answer import Answer
from orlop.client.bodies import given
from orlop.client.caller import Caller
from orlop.client.controller_values import SplitBrain
from orlop.client.wire import path, query

_ROOT = ("orlop", "resource-definitions")


class OperationCalls(Caller):
    """Each is carried out before it is answered. `peer` names one of several other replicas."""

    def verify(self, name: str, node: str, peer: str | None = None) -> Answer:
        """Begin to compare all blocks with those of the peers; what differs is shown with the volumes."""
        return self._operate(name, node, "verify", peer)

    def invalidate(self, name: str, node: str, peer: str | None = None) -> Answer:
        """Throw the data of the node away and get that of a peer."""
        return self._operate(name, node, "invalidate", peer)

    def connect(self, name: str, node: str, peer: str | None = None) -> Answer:
        return self._operate(name, node, "connect", peer)

    def disconnect(self, name: str, node: str, peer: str | None = None) -> Answer:
        """Until `connect`, whatever restarts meanwhile."""
        return self._operate(name, node, "disconnect", peer)

    def pause_sync(self, name: str, node: str, peer: str | None = None) -> Answer:
        return self._operate(name, node, "pause-sync", peer)

    def resume_sync(self, name: str, node: str, peer: str | None = None) -> Answer:
        return self._operate(name, node, "resume-sync", peer)

    def make_primary(self, name: str, node: str) -> Answer:
        return self._operate(name, node, "primary", None)

    def make_secondary(self, name: str, node: str) -> Answer:
        return self._operate(name, node, "secondary", None)

    def split_brains(self, names: Sequence[str] = ()) -> list[SplitBrain]:
        """Connections that DRBD gave up, with what is known of both sides."""
        return self.read(list[SplitBrain], path("orlop", "split-brains"), query(resources=list(names)))

    def resolve_split_brain(self, name: str, victim: str, snapshot: str | None = None) -> Answer:
        """The victim loses what it has and the others lack; `snapshot` keeps that under this name."""
        body = given(victim=victim, snapshot=snapshot)
        return self.command("POST", path(*_ROOT, name, "resolve-split-brain"), body)

    def _operate(self, name: str, node: str, what: str, peer: str | None) -> Answer:
        return self.command("POST", path(*_ROOT, name, "resources", node, what), given(peer=peer))
