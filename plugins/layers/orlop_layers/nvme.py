"""A volume offered over NVMe by the node that has it, and reached over NVMe by nodes that have not.

The node with storage below is the target; its own device is the one below. A node without storage is an initiator. What
the controller allotted is in the level's `data`: address, port, transport and the names of the hosts.
"""

from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.errors import CommandFailed
from orlop.model import Presence, WantedLevel, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, Standing, Step, run
from orlop_layers import nvme_initiator, nvme_target
from orlop_layers.nvme_initiator import Access, Connection
from orlop_layers.nvme_target import Export, Target

NAMES = "nqn.2026-11.io.orlop:"


class Nvme(Value, frozen=True, kw_only=True):
    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "NVME"
    programs: ClassVar[tuple[str, ...]] = ("nvme",)
    above: ClassVar[frozenset[str]] = frozenset({"STORAGE", "LUKS"})
    replicates: ClassVar[bool] = False
    options: ClassVar[frozenset[str]] = frozenset()  # what is set by property is worked out by the controller

    cluster: str
    target: Target
    connections: Mapping[str, Connection] = {}  # by name of the subsystem
    sizes: Mapping[str, int] = {}  # of the devices below
    texts: Mapping[str, str] = {}

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        """Nothing is heeded."""

    @classmethod
    def size_below(cls, size: int, options: Mapping[str, str]) -> int:
        return size

    @classmethod
    def observe(cls, probe: Probe, standing: tuple[Standing, ...], cluster: str) -> Self:
        offered = [at for at in standing if not _is_initiator(at.volume)]
        patterns = nvme_target.patterns(f"{NAMES}{cluster}:") if offered else ()
        texts = probe.texts(*patterns, *nvme_initiator.PATTERNS)
        return cls(
            cluster=cluster,
            target=nvme_target.seen(texts),
            connections=nvme_initiator.seen(texts),
            sizes=_sizes(probe, sorted({at.below for at in offered if at.ready and at.below})),
            texts=texts,
        )

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return self._connection(volume).device if _is_initiator(volume) else below

    def size(self, volume: WantedVolume, below: str | None) -> int | None:
        return self._connection(volume).size if _is_initiator(volume) else self.sizes.get(below or "")

    def facts(self, volume: WantedVolume, below: str | None) -> Mapping[str, str]:
        return {}

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        if _is_initiator(volume):
            return self._reached(volume)
        offered = below is not None and not self._offer(volume, below)
        return Presence.READY if offered else Presence.HIDDEN

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if volume.wanted and volume.active:
            return []
        if _is_initiator(volume):
            return nvme_initiator.leave(self._access(volume), self.connections.get(self._name(volume)))
        return nvme_target.take_back(self.target, self._export(volume, below or ""))

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if not (volume.wanted and volume.active):
            return []
        if _is_initiator(volume):
            there = self._connection(volume)
            return nvme_initiator.reach(self._access(volume), there, _level(volume).size, self.texts)
        return [*self._offer(volume, below), *self._growth(volume, below)] if below else []

    # -- the node that has it -------------------------------------------------------------------------------------

    def _offer(self, volume: WantedVolume, below: str) -> list[Step]:
        export = self._export(volume, below)
        if not export.address:
            return []  # the controller does not know yet where; nobody can ask for it before
        steps = nvme_target.offer(self.target, export, f"{NAMES}{self.cluster}:")
        if steps and not self.target.loaded:
            return [run("modprobe", "--all", "nvmet", f"nvmet_{export.transport}"), *steps]
        return steps

    def _growth(self, volume: WantedVolume, below: str) -> list[Step]:
        """The levels below grow in this very plan; what is missed by a crash an initiator notices by itself."""
        now = self.sizes.get(below)
        if now is None or now >= _level(volume).size:
            return []
        return [nvme_target.notice_growth(self._export(volume, below))]

    def _export(self, volume: WantedVolume, below: str) -> Export:
        data = _level(volume).data
        return Export(
            name=self._name(volume),
            uuid=volume.uuid,
            device=below,
            hosts=tuple(data.get("hosts", "").split()),
            transport=data.get("transport", ""),
            address=data.get("address", ""),
            port=data.get("port", ""),
        )

    # -- nodes that have it not -----------------------------------------------------------------------------------

    def _reached(self, volume: WantedVolume) -> Presence:
        there = self._connection(volume)
        if there.device and there.live:
            return Presence.READY
        # One that only lost its target is still there: what holds its device open must not be taken for gone.
        return Presence.ABSENT if not volume.wanted and not there.paths else Presence.HIDDEN

    def _connection(self, volume: WantedVolume) -> Connection:
        return self.connections.get(self._name(volume)) or Connection()

    def _access(self, volume: WantedVolume) -> Access:
        data = _level(volume).data
        return Access(
            name=self._name(volume),
            uuid=volume.uuid,
            host=data.get("host", ""),
            transport=data.get("transport", ""),
            address=data.get("address", ""),
            port=data.get("port", ""),
        )

    def _name(self, volume: WantedVolume) -> str:
        return f"{NAMES}{self.cluster}:{volume.name}:{volume.uuid}"


def _level(volume: WantedVolume) -> WantedLevel:
    return next(level for level in volume.levels if level.layer == Nvme.kind)


def _is_initiator(volume: WantedVolume) -> bool:
    return volume.levels[-1].layer == Nvme.kind


def _sizes(probe: Probe, devices: list[str]) -> dict[str, int]:
    """One that vanished meanwhile must not hide the others."""
    if not devices:
        return {}
    try:
        return dict(zip(devices, map(int, probe.run(("blockdev", "--getsize64", *devices)).split()), strict=True))
    except CommandFailed:
        half = len(devices) // 2
        return {**_sizes(probe, devices[:half]), **_sizes(probe, devices[half:])} if half else {}
