"""The verbs of a volume driver, as an engine uses them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from orlop.client import Client
from orlop.errors import InUse, NodeError, OrlopError
from orlop_docker import names, options, volume
from orlop_docker.attaching import AGAIN, IDLE, Attaching
from orlop_docker.catalog import Catalog
from orlop_docker.creating import Creating
from orlop_docker.here import Here
from orlop_docker.mounting import Mounting
from orlop_docker.references import References
from orlop_docker.unfinished import Background
from orlop_docker.volume import DockerVolume

log = logging.getLogger(__name__)
MOUNTED = 110.0  # seconds; an engine that waited for 120 counts a mount as failed and never unmounts


class Driver:
    """One for all sockets; `driver` is the name under which an engine asks, and sees what was made under it."""

    def __init__(
        self,
        client: Client,
        mounting: Mounting,
        references: References,
        node: str,
        defaults: Mapping[str, str],
        background: Background | None = None,
        patience: float = MOUNTED,
        idle: float = IDLE,
        again: float = AGAIN,
    ) -> None:
        at = Here(client, node)
        self._catalog = Catalog(client)
        self._creating = Creating(client, self._catalog, at)
        self._mounting, self._references = mounting, references
        self._attaching = Attaching(client, self._catalog, at, idle, again)
        self._defaults = defaults
        self._background = background or Background()
        self._patience = patience
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
            self._unmount(resource)
            self._references.forget(resource)
            self._attaching.require_unused(found, "removed", anywhere=True)
            self._catalog.remove(found)
            self._attaching.forget(resource)

    # -- mounts -------------------------------------------------------------------------------------------------

    def mount(self, driver: str, name: str, mount: str) -> str:
        resource, began = names.resource_name(name), time.monotonic()
        with self._lock(resource):
            if self._mounting.mounted(resource) is None:
                self._mount(self._catalog.volume(name, driver))
                self._require_in_time(name, began)
            self._references.mounted(resource, f"{driver}/{mount}")
            self._grow(resource)
            return self._mounting.data(resource)

    def _require_in_time(self, name: str, began: float) -> None:
        seconds = time.monotonic() - began
        if seconds > self._patience:
            self._unmount(names.resource_name(name))
            raise NodeError(
                f"{name} could be mounted only after {seconds:.0f} seconds, when nobody waited any more",
                correction="Try again: it is available here now.",
            )

    def unmount(self, driver: str, name: str, mount: str) -> None:
        resource = names.resource_name(name)
        with self._lock(resource):
            if self._references.unmounted(resource, f"{driver}/{mount}"):
                self._unmount(resource)
                self._references.forget(resource)
                self._sizes.pop(resource, None)

    def _mount(self, found: DockerVolume) -> None:
        try:
            device = self._attaching.attach(found)
            self._mounting.mount(found.resource, device, found.file_system or "ext4", found.options)
        except InUse:
            raise
        except OrlopError:
            self._attaching.detached(found.resource)
            self._attaching.require_unused(found, "mounted", anywhere=False)  # somebody was faster: that is why
            raise

    def _unmount(self, resource: str) -> None:
        self._mounting.unmount(resource)
        self._attaching.detached(resource)

    # -- looks --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """File systems of volumes that have grown while they are mounted follow; what nobody needs is given back.

        Raises nothing.
        """
        try:
            mounted = self._mounting.sizes()
        except OrlopError as error:
            log.warning("mounted volumes cannot be looked at: %s", error)
            return
        for resource in [name for name, size in mounted.items() if self._sizes.get(name) != size]:
            with self._lock(resource):
                self._grow(resource)
        for resource in self._attaching.due():
            with self._lock(resource):
                if self._mounting.mounted(resource) is None:
                    self._attaching.give_back(resource)

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
