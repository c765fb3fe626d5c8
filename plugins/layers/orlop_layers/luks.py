"""Encryption at rest: LUKS2 over the volume's storage, opened by device-mapper.

The header's uuid is the incarnation of the volume. Keys are named, never seen. The data of the level say which slot of
the header holds which key: `slot` the one in force, `key.<slot>` the name of each key on record, `retired` the slots to
empty; and, while a volume is filled from a snapshot, `source`: the uuid that the header comes with.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Self

from orlop.errors import CannotRead, NodeError, WouldDestroy
from orlop.model import MIB, Presence, WantedLevel, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, RequireUnused, Run, Standing, Step, run
from orlop_layers import luks_look, luks_options
from orlop_layers.luks_look import KIND, Content, Mapped

HEADER = 16 * MIB
OFFSET = str(HEADER // 512)  # sectors
LONGEST_LABEL = 47
NOTHING = Content()
SETTLE = run("udevadm", "settle", "--timeout=30")


class Keys(NamedTuple):
    """What the controller allotted to the level."""

    slot: int
    names: Mapping[int, str]  # by slot
    retired: frozenset[int]
    source: str

    @classmethod
    def of(cls, level: WantedLevel) -> Self:
        names = {int(name[4:]): value for name, value in level.data.items() if name.startswith("key.")}
        retired = frozenset(map(int, level.data.get("retired", "").split()))
        return cls(int(level.data["slot"]), names, retired, level.data.get("source", ""))

    @property
    def name(self) -> str:
        return self.names[self.slot]


class Luks(Value, frozen=True, kw_only=True):
    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "LUKS"
    programs: ClassVar[tuple[str, ...]] = ("cryptsetup", "dmsetup", "wipefs", "udevadm")
    above: ClassVar[frozenset[str]] = frozenset({"STORAGE"})
    replicates: ClassVar[bool] = False
    options: ClassVar[frozenset[str]] = luks_options.ALL
    erases: ClassVar[bool] = True

    contents: Mapping[str, Content]  # by device below, where that is up
    problems: Mapping[str, str]  # by device below: why it could not be read
    slots: Mapping[str, frozenset[int]]  # by device below, where they matter
    mapped: Mapping[str, Mapped]  # by name
    cluster: str

    # -- controller half --------------------------------------------------------------------------

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        luks_options.check(options)

    @classmethod
    def size_below(cls, size: int, options: Mapping[str, str]) -> int:
        return size + HEADER

    # -- node half --------------------------------------------------------------------------------

    @classmethod
    def observe(cls, probe: Probe, standing: tuple[Standing, ...], cluster: str) -> Self:
        ready = {s.below: s.volume for s in standing if s.ready and s.below is not None}
        contents, problems = luks_look.contents(probe, ready)
        mapped = luks_look.mappings(probe)
        slots: dict[str, frozenset[int]] = {}
        for below, volume in ready.items():
            if KIND in contents.get(below, NOTHING).signatures and _slots_matter(volume, mapped):
                try:
                    slots[below] = luks_look.slots(probe, below)
                except NodeError as error:
                    problems[below] = f"the header on {below} cannot be read: {error}"
        return cls(contents=contents, problems=problems, slots=slots, mapped=mapped, cluster=cluster)

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return f"/dev/mapper/{name_of(volume)}" if self._open(volume) else None

    def size(self, volume: WantedVolume, below: str | None) -> int | None:
        mapped = self._open(volume)
        return mapped.size if mapped else None

    def facts(self, volume: WantedVolume, below: str | None) -> Mapping[str, str]:
        """`slots`: which key slots hold a key, where that matters."""
        known = self.slots.get(below or "")
        return {} if known is None else {"slots": " ".join(map(str, sorted(known)))}

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        """Of a volume to be removed only whether it is open: what is below says when it is gone."""
        if below is None or not (below in self.contents or below in self.problems):
            return Presence.HIDDEN
        if not volume.wanted:
            return Presence.READY if self._open(volume) else Presence.HIDDEN
        content = self._content(below)
        if KIND in content.signatures:
            return self._of_header(volume, below, content)
        if content.signatures or (volume.new and volume.source is not None):
            return Presence.FOREIGN
        return Presence.ABSENT if volume.new else Presence.MISSING

    def _of_header(self, volume: WantedVolume, below: str, content: Content) -> Presence:
        if not _is_ours(volume, content):
            return Presence.FOREIGN
        if self._begun(volume, below):
            return Presence.ABSENT
        return Presence.READY if self._open(volume) and content.uuid == volume.uuid else Presence.HIDDEN

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if volume.wanted and volume.active:
            return []
        steps: list[Step] = []
        if self._open(volume):
            steps = [
                RequireUnused(device=f"/dev/mapper/{name_of(volume)}"),
                run("cryptsetup", "close", name_of(volume)),
            ]
        if not volume.wanted and below is not None and self.slots.get(below) and self._may_erase(volume, below):
            # Without its key slots what is left on the disk is noise, whoever gets hold of the keys later.
            # udev looks at a device that was written to, and ZFS destroys none that anybody looks at.
            steps += [run("cryptsetup", "--batch-mode", "erase", below), SETTLE]
        return steps

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if not (volume.wanted and volume.active) or below is None or self._is_hidden(below):
            return []
        level = _level(volume)
        keys = Keys.of(level)
        match self.presence(volume, below):
            case Presence.FOREIGN:
                raise WouldDestroy(f"{below} of volume {volume.name} carries {self._said(below)}; it was left as it is")
            case Presence.MISSING:
                raise NodeError(f"the LUKS header on {below} of volume {volume.name} is gone; restore it from a copy")
            case Presence.ABSENT:
                return [self._format(volume, level, keys, below), _opened(volume, level, keys, keys.slot, below)]
        return self._completed(volume, level, keys, below)

    def _completed(self, volume: WantedVolume, level: WantedLevel, keys: Keys, below: str) -> list[Step]:
        steps: list[Step] = []
        if self.contents[below].uuid != volume.uuid:
            steps.append(run("cryptsetup", "--batch-mode", "luksUUID", "--uuid", volume.uuid, below))
        known = self.slots.get(below)
        if known is not None and keys.slot not in known:
            steps.append(_new_key(volume, level, keys, known, below))
        mapped = self._open(volume)
        if mapped is None:
            steps.append(_opened(volume, level, keys, keys.slot, below))
        elif mapped.size < level.size:
            steps.append(run("cryptsetup", "resize", name_of(volume), secrets=(keys.name,)))
        if known is not None and keys.slot in known:
            # The key that stays is asked for, and so proved to open the volume, before another one goes.
            left = sorted(keys.retired & known - {keys.slot})
            steps += [run("cryptsetup", "luksKillSlot", below, str(slot), secrets=(keys.name,)) for slot in left]
        return steps

    def _format(self, volume: WantedVolume, level: WantedLevel, keys: Keys, below: str) -> Run:
        identity = ("--uuid", volume.uuid, "--label", f"orlop-{self.cluster}"[:LONGEST_LABEL])
        place = ("--type", "luks2", "--offset", OFFSET, "--key-slot", str(keys.slot))
        options = luks_options.of_format(level.options)
        return run("cryptsetup", "--batch-mode", "luksFormat", *place, *identity, *options, below, secrets=(keys.name,))

    def _open(self, volume: WantedVolume) -> Mapped | None:
        """The name alone is not identity: device-mapper knows the uuid of the header."""
        found = self.mapped.get(name_of(volume))
        if found is None:
            return None
        own = f"CRYPT-LUKS2-{volume.uuid.replace('-', '')}-"
        return found if found.uuid.startswith(own) else None

    def _is_hidden(self, below: str) -> bool:
        return not (below in self.contents or below in self.problems)

    def _content(self, below: str) -> Content:
        if below in self.problems:
            raise CannotRead(self.problems[below])
        return self.contents[below]

    def _begun(self, volume: WantedVolume, below: str) -> bool:
        """A header without any key is what a cut attempt to format leaves: nothing can ever have been written."""
        return volume.new and volume.source is None and self.slots.get(below) == frozenset()

    def _may_erase(self, volume: WantedVolume, below: str) -> bool:
        return _is_ours(volume, self._content(below))

    def _said(self, below: str) -> str:
        content = self._content(below)
        whose = f" of another volume ({content.uuid})" if KIND in content.signatures else ""
        return (", ".join(content.signatures) or "no LUKS header") + whose


def name_of(volume: WantedVolume) -> str:
    """Of the mapping. Readable, and with a part of the uuid: a tombstone and its successor share the volume's name."""
    return f"orlop-{volume.name}-{volume.uuid[:8]}"


def _level(volume: WantedVolume) -> WantedLevel:
    return next(level for level in volume.levels if level.layer == Luks.kind)


def _source(volume: WantedVolume) -> str:
    """The uuid that the header of a volume comes with while it is filled from a snapshot."""
    return _level(volume).data.get("source", "") if volume.new and volume.source is not None else ""


def _is_ours(volume: WantedVolume, content: Content) -> bool:
    return content.uuid != "" and content.uuid in (volume.uuid, _source(volume))


def _slots_matter(volume: WantedVolume, mapped: Mapping[str, Mapped]) -> bool:
    """At rest nothing depends on them, and each volume costs a program."""
    several = sum(name.startswith("key.") for name in _level(volume).data) > 1
    return volume.new or several or not volume.wanted or name_of(volume) not in mapped


def _opened(volume: WantedVolume, level: WantedLevel, keys: Keys, slot: int, below: str) -> Run:
    options = luks_options.of_open(level.options)
    chosen = ("--key-slot", str(slot), "--tries", "1")
    return run(
        "cryptsetup", "open", "--type", "luks2", *chosen, *options, below, name_of(volume), secrets=(keys.names[slot],)
    )


def _new_key(volume: WantedVolume, level: WantedLevel, keys: Keys, known: frozenset[int], below: str) -> Run:
    held = sorted(known & keys.names.keys())
    if not held:
        raise NodeError(f"none of the keys on record opens the LUKS header on {below} of volume {volume.name}")
    options = ("--key-slot", str(keys.slot), *luks_options.of_new_key(level.options))
    secrets = (keys.names[held[-1]], keys.name)
    return run("cryptsetup", "--batch-mode", "luksAddKey", *options, below, secrets=secrets)
