"""The verbs of a volume driver, as an engine uses them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from orlop.client import Client
from orlop.errors import InUse, NodeError, OrlopError, Refused
from orlop.model import key
from orlop_docker import names, options, volume
from orlop_docker.catalog import Catalog
from orlop_docker.creating import Creating
from orlop_docker.mounting import Mounting
from orlop_docker.primaries import Primaries, is_told
from orlop_docker.references import References
from orlop_docker.unfinished import Background
from orlop_docker.volume import DockerVolume

log = logging.getLogger(__name__)
MOUNTED = 110.0  # seconds; an engine that waited for 120 counts a mount as failed and never unmounts
LET_GO = 10.0  # seconds until use that has just ended is reported to the controller
PAUSE = 0.3


class Driver:
    """One for all sockets; `driver` is the name under which an engine asks, and sees what was made under it."""

    def __init__(
        self,
        client: Client,
        mounting: Mounting,
        references: References,
        primaries: Primaries,
        node: str,
        defaults: Mapping[str, str],
        background: Background | None = None,
        patience: float = MOUNTED,
    ) -> None:
        self._client, self._catalog = client, Catalog(client)
        self._creating = Creating(client, self._catalog)
        self._mounting, self._references, self._primaries = mounting, references, primaries
        self._node, self._defaults = node, defaults
        self._background = background or Background()
        self._own, self._patience = "", patience
        self._locks: dict[str, threading.Lock] = {}
        self._sizes: dict[str, int] = {}

    def activated(self, driver: str) -> None:
        """An engine has started, or has found this driver."""
        self._references.restarted(driver)

    def _lock(self, resource: str) -> threading.Lock:
        return self._locks.setdefault(resource, threading.Lock())

    # -- volumes ------------------------------------------------------------------------------------------------

    def create(self, driver: str, name: str, asked: Mapping[str, str]) -> None:
        wanted = options.volume_options(asked, self._defaults)
        names.resource_name(name)
        same = f"{driver} {volume.written(wanted)}"
        self._background.do(name, same, lambda: self._creating.create(name, driver, wanted))

    def get(self, driver: str, name: str) -> dict[str, Any]:
        found = self._catalog.volume(name, driver)
        status = volume.status(found, self._catalog.replicas(found), self._catalog.snapshots(found))
        return {**self._shown(found, self.path(name)), "Status": status}

    def volumes(self, driver: str) -> list[dict[str, Any]]:
        mounted = self._mounting.table()
        return [
            self._shown(each, self._mounting.data(each.resource) if each.resource in mounted else "")
            for each in sorted(self._catalog.all(driver), key=lambda each: each.name)
        ]

    @staticmethod
    def _shown(found: DockerVolume, mountpoint: str) -> dict[str, Any]:
        return {"Name": found.name, "Mountpoint": mountpoint, "CreatedAt": found.created}

    def path(self, name: str) -> str:
        """Empty while it is not mounted here."""
        resource = names.resource_name(name)
        return self._mounting.data(resource) if self._mounting.mounted(resource) else ""

    def remove(self, driver: str, name: str) -> None:
        """The engine has no container with it any more, so that what is mounted here is a left-over."""
        resource = names.resource_name(name)
        with self._lock(resource):
            found = self._catalog.any(name)
            if found is None or found.driver != driver:
                return
            self._take_down(resource)
            self._references.forget(resource)
            self._require_unused(found, "removed", anywhere=True)
            self._catalog.remove(found)

    # -- mounts -------------------------------------------------------------------------------------------------

    def mount(self, driver: str, name: str, mount: str) -> str:
        resource, began = names.resource_name(name), time.monotonic()
        with self._lock(resource):
            if self._mounting.mounted(resource) is None:
                self._attach(self._catalog.volume(name, driver))
                self._require_in_time(name, began)
            self._references.mounted(resource, f"{driver}/{mount}")
            self._grow(resource)
            return self._mounting.data(resource)

    def _require_in_time(self, name: str, began: float) -> None:
        seconds = time.monotonic() - began
        if seconds > self._patience:
            self._take_down(names.resource_name(name))
            raise NodeError(
                f"{name} could be mounted only after {seconds:.0f} seconds, when nobody waited any more",
                correction="Try again: it is available here now.",
            )

    def unmount(self, driver: str, name: str, mount: str) -> None:
        resource = names.resource_name(name)
        with self._lock(resource):
            if self._references.unmounted(resource, f"{driver}/{mount}"):
                self._take_down(resource)
                self._references.forget(resource)
                self._sizes.pop(resource, None)

    def _take_down(self, resource: str) -> None:
        self._mounting.unmount(resource)
        self._primaries.let_go(resource)

    def _attach(self, found: DockerVolume) -> None:
        """The cluster makes it available here, which it refuses where the data cannot be reached."""
        node = self._own_name()
        self._require_unused(found, "mounted", anywhere=False)
        self._client.make_available(found.resource, node)
        here = next((each for each in self._catalog.replicas(found) if key(each.node_name) == key(node)), None)
        device = next((each.device_path for each in here.volumes), "") if here else ""
        if here is None or not device:
            raise NodeError(
                f"{found.name} has no device on {node} yet", correction="'orlop volume list' says what is missing."
            )
        try:
            if is_told(here):
                self._primaries.take(found.resource, node)
            self._mounting.mount(found.resource, device, found.file_system or "ext4", found.options)
        except OrlopError:
            self._primaries.let_go(found.resource)
            self._require_unused(found, "mounted", anywhere=False)  # somebody was faster: that is the reason, then
            raise

    def _require_unused(self, found: DockerVolume, what: str, anywhere: bool) -> None:
        """Raises `InUse` unless use ends in a moment; it is reported a little later than it ends."""

        def users() -> list[str]:
            by = volume.users(self._catalog.replicas(found))
            return [node for node in by if anywhere or key(node) != key(self._own_name())]

        left = self._soon(users)
        if left:
            raise InUse(found.name, [f"it is not {what} while {', '.join(left)} has it mounted or open"])

    @staticmethod
    def _soon(users: Callable[[], list[str]]) -> list[str]:
        until = time.monotonic() + LET_GO
        while (left := users()) and time.monotonic() < until:
            time.sleep(PAUSE)
        return left

    def _own_name(self) -> str:
        """As the cluster spells it: nodes may be known by their short names."""
        self._own = self._own or self._looked_up()
        return self._own

    def _looked_up(self) -> str:
        known = {key(node.name): node.name for node in self._client.nodes()}
        for name in (self._node, self._node.split(".")[0]):
            if key(name) in known:
                return known[key(name)]
        raise Refused(
            f"this machine is no node of the cluster under the name {self._node}",
            correction="Say its name in the configuration of the plugin, 'node = NAME', or make it a node. "
            f"There are {', '.join(sorted(known.values())) or 'none'}.",
        )

    # -- what is done from time to time -------------------------------------------------------------------------

    def look(self) -> None:
        """File systems of volumes that have grown while they are mounted follow; volumes that could not be let go when
        they were unmounted are let go. Raises nothing.
        """
        try:
            grown = [name for name, size in self._mounting.sizes().items() if self._sizes.get(name) != size]
            left = self._primaries.left(self._mounting.table())
        except OrlopError as error:
            log.warning("mounted volumes cannot be looked at: %s", error)
            return
        for resource in left:
            with self._lock(resource):
                if self._mounting.mounted(resource) is None:
                    self._primaries.let_go(resource)
        for resource in grown:
            with self._lock(resource):
                self._grow(resource)

    def _grow(self, resource: str) -> None:
        """A file system that cannot grow is as good as before."""
        size = self._mounting.sizes().get(resource)
        if size is None or self._sizes.get(resource) == size:
            return
        try:
            self._mounting.grow(resource)
        except OrlopError as error:
            log.warning("the file system of %s does not fill its volume: %s", resource, error)
        self._sizes[resource] = size
