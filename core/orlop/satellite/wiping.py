"""Which devices an attempt to take a backing apart began to wipe: on disk, since nothing else tells after a crash."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence

import msgspec

from orlop.errors import WouldDestroy
from orlop.host import Host
from orlop.model import WantedPool
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop.plugin import RequireUnused, Run, Step, WriteFile, run

Signatures = Mapping[str, tuple[str, ...]]  # by device: the kinds that `wipefs` finds


class Begun(Value, frozen=True, kw_only=True):
    devices: Signatures


class WipeRecord:
    """Of one pool. What a device bore when the attempt began may go; anything else has come since and stays."""

    def __init__(self, host: Host, directory: str, pool: WantedPool) -> None:
        self._host = host
        said = "\0".join((pool.provider, pool.uuid, *sorted(f"{name}={value}" for name, value in pool.props.items())))
        self._path = os.path.join(directory, f"wiping-{hashlib.sha256(said.encode()).hexdigest()[:32]}.json")

    def begin(self, steps: Sequence[Step]) -> None:
        """Before the first step. An earlier attempt that was cut keeps its record."""
        if self._host.read(self._path) is not None:
            return
        named = [word for step in steps for word in _words(step) if word.startswith("/dev/")]
        found = {device: self._signatures(device) for device in dict.fromkeys(named) if device in self._there()}
        content = msgspec.json.encode(Begun(devices={d: kinds for d, kinds in found.items() if kinds})).decode()
        self._host.write(WriteFile(path=self._path, content=content))

    def left(self) -> list[Step]:
        """Steps that wipe what an attempt left; raises `WouldDestroy` for a device that bears something else now."""
        text = self._host.read(self._path)
        if text is None:
            return []
        begun, there, steps = decoded(text, Begun), self._there(), list[Step]()
        for device, kinds in begun.devices.items():
            now = self._signatures(device) if device in there else ()
            if not set(now) <= set(kinds):
                raise WouldDestroy(f"{device} bears {', '.join(now)} now and was left as it is; wipe it by hand")
            if now:
                steps += [RequireUnused(device=device), run("wipefs", "--all", device)]
        return steps

    def end(self) -> None:
        if self._host.read(self._path) is not None:
            self._host.remove(self._path)

    def _signatures(self, device: str) -> tuple[str, ...]:
        text = self._host.run(("wipefs", "--no-act", "--json", device)) or "{}"
        return tuple(row["type"] for row in json.loads(text).get("signatures", ()))

    def _there(self) -> set[str]:
        text = self._host.run(("lsblk", "--json", "--list", "--output", "PATH"))
        return {row["path"] for row in json.loads(text)["blockdevices"]}


def _words(step: Step) -> tuple[str, ...]:
    match step:
        case Run(argv=argv):
            return argv
        case RequireUnused(device=device):
            return (device,)
    return ()
