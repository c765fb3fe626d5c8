"""Who asked for which mount: counts of the engine's ids, kept over restarts of the plugin.

The engine repeats an id: `docker cp` mounts and unmounts with the id of the running container, so that one id is
counted. After a crash it starts a container with the old id once more and never unmounts for the lost one, so that a
handshake makes all ids stale: the next mount with one begins at one again, the next unmount ends it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from pathlib import Path

import msgspec

from orlop.model.decoding import decoded


class Reference(msgspec.Struct, frozen=True):
    count: int
    stale: bool = False


Known = dict[str, dict[str, Reference]]  # volume -> id of a mount, with the driver's name before it -> how often


class References:
    """Kept in a file that is read once, when this object is made; `mounted` are the volumes that still are.

    Others were mounted before the machine was restarted.
    """

    def __init__(self, path: Path, mounted: Collection[str]) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = {volume: ids for volume, ids in self._load().items() if volume in mounted}

    def _load(self) -> Known:
        """A file that cannot be read counts as none: what is mounted is seen in the kernel's table."""
        try:
            return decoded(self._path.read_bytes(), Known)
        except (OSError, msgspec.DecodeError):
            return {}

    def mounted(self, volume: str, mount: str) -> None:
        with self._lock:
            ids = self._known.setdefault(volume, {})
            before = ids.get(mount)
            ids[mount] = Reference(1 if before is None or before.stale else before.count + 1)
            self._keep()

    def unmounted(self, volume: str, mount: str) -> bool:
        """Whether nobody is known any more who needs the mount; stale ids do not count."""
        with self._lock:
            ids = self._known.get(volume, {})
            before = ids.pop(mount, None)
            if before is not None and not before.stale and before.count > 1:
                ids[mount] = Reference(before.count - 1)
            needed = any(not each.stale for each in ids.values())
            self._keep()
            return not needed

    def forget(self, volume: str) -> None:
        with self._lock:
            self._known.pop(volume, None)
            self._keep()

    def restarted(self, driver: str) -> None:
        """The engine has begun anew; one engine may use the plugin under several names."""
        with self._lock:
            for ids in self._known.values():
                for mount in [mount for mount in ids if mount.startswith(f"{driver}/")]:
                    ids[mount] = Reference(ids[mount].count, stale=True)
            self._keep()

    def _keep(self) -> None:
        self._known = {volume: ids for volume, ids in self._known.items() if ids}
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self._known))
        os.replace(draft, self._path)
