"""DRBD 8.4 opens a device only where it was made primary, and stays so when nobody has it open any more.

So it is made primary before a volume is mounted, and secondary after it was unmounted. DRBD 9 does both by itself.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection
from pathlib import Path

import msgspec

from orlop.client import ApiError, Client
from orlop.client.values import Resource
from orlop.errors import OrlopError
from orlop_docker.unfinished import Background

log = logging.getLogger(__name__)
PATIENCE = 20.0  # seconds; an engine waits 60 for an unmount, which is done by then
DRBD = "DRBD"


class Primary(msgspec.Struct, frozen=True, eq=False):
    node: str


def is_told(replica: Resource) -> bool:
    """Whether somebody has to say that the device of this replica is to be used: only DRBD 9 tells `may_promote`."""
    top = replica.layer_object
    return top is not None and top.type == DRBD and top.drbd is not None and top.drbd.may_promote is None


class Primaries:
    """What was made primary for containers of this machine. It is kept in a file that is read once, when this object is
    made: after a restart nobody else would know that it is to be secondary again.
    """

    def __init__(self, client: Client, path: Path, patience: float = PATIENCE) -> None:
        self._client, self._path = client, path
        self._background = Background(patience)
        self._lock = threading.Lock()
        self._known = self._load()

    def _load(self) -> dict[str, Primary]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Primary])
        except (OSError, msgspec.DecodeError):
            return {}

    def take(self, resource: str, node: str) -> None:
        """Raises what the cluster says against it, such as that another node has it."""
        with self._lock:
            self._known[resource] = Primary(node)  # before it is so: one too many does no harm
            self._keep()
        self._client.make_primary(resource, node)

    def let_go(self, resource: str) -> None:
        """Raises nothing: what cannot be done now, as without a controller, is left for later."""
        primary = self._known.get(resource)
        if primary is None:
            return
        try:
            self._background.do(resource, "secondary", lambda: self._make_secondary(resource, primary))
        except OrlopError as error:
            log.warning("%s stays primary on %s for now: %s", resource, primary.node, error)

    def left(self, mounted: Collection[str]) -> list[str]:
        """Those that no container needs."""
        with self._lock:
            return [resource for resource in self._known if resource not in mounted]

    def _make_secondary(self, resource: str, primary: Primary) -> None:
        try:
            self._client.make_secondary(resource, primary.node)
        except ApiError as error:
            if not error.not_found:
                raise
        with self._lock:
            if self._known.get(resource) is primary:  # and was not taken again meanwhile
                del self._known[resource]
                self._keep()

    def _keep(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self._known))
        os.replace(draft, self._path)
