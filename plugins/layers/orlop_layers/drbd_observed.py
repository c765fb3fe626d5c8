"""What one look found of DRBD on a node, and what follows from it for each volume."""

from collections.abc import Mapping

from msgspec.structs import replace

from orlop.model import WantedDrbd, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import Standing, Step
from orlop_layers import drbd_keeping, drbd_look, drbd_metadata, drbd_split, drbd_version
from orlop_layers.drbd_config import Member
from orlop_layers.drbd_look import drbd_of
from orlop_layers.drbd_metadata import Place
from orlop_layers.drbd_seen import CLOSED, Device, Resource
from orlop_layers.drbd_version import Version


class Observed(Value, frozen=True, kw_only=True):
    here: str  # what `uname -n` prints
    version: Version = Version(kernel=drbd_version.FIRST_8)
    standing: tuple[Standing, ...] = ()
    seen: Mapping[str, Resource] = {}
    backings: Mapping[int, str] = {}  # by minor
    apart: Mapping[int, str] = {}  # by minor: what its metadata is on, where that is another device
    generations: Mapping[str, str | None] = {}  # of devices that are not open: the current one, None without metadata
    unreadable: Mapping[str, str] = {}
    split: drbd_split.Generations = {}  # where a connection was given up
    ports: Mapping[str, int] = {}  # by resource: where somebody else listens in its place
    noted: Mapping[str, str] = {}  # by resource: what was carried out last
    lent: frozenset[str] = frozenset()  # resources that were made primary only to grow
    judged: frozenset[str] = frozenset()  # volumes, by uuid, whose removal has begun: others had all of the data
    prepared: bool = True  # DRBD's own tools know our files
    cluster: str = ""
    lying: drbd_keeping.Files = {}  # what may be kept before a synchronization, and notes of what was
    known: Mapping[str, frozenset[str]] = {}  # options that DRBD 9's tools know, by group, of the groups that are used

    # -- what is there ---------------------------------------------------------------------------

    def _device(self, volume: WantedVolume) -> Device | None:
        """The volume in the kernel; None where it is not there, or something else is under its name."""
        resource = self.seen.get(volume.resource)
        device = resource.devices.get(volume.number) if resource else None
        if device is None or device.minor != drbd_of(volume).minor:
            return None
        if not volume.wanted and self._successor(volume) is not None:
            below = next((at.below for at in self.standing if at.volume.uuid == volume.uuid), None)
            return device if below is not None and self.backings.get(device.minor) == below else None
        return device

    def _successor(self, volume: WantedVolume) -> WantedVolume | None:
        """Another incarnation of a volume that is to go, which keeps its device up: with no disk, or with a new one."""
        others = (at.volume for at in self.standing if stays_beside(at.volume, volume))
        return next((other for other in others if other.number == volume.number), None)

    def _is_taken(self, volume: WantedVolume, below: str | None) -> bool:
        """Whether the name or the minor belongs to somebody else, or it stands on another device than ours."""
        resource, minor = self.seen.get(volume.resource), drbd_of(volume).minor
        there = resource.devices.get(volume.number) if resource else None
        if there is not None and there.minor != minor:
            return True
        if there is None:
            return any(d.minor == minor for r in self.seen.values() for d in r.devices.values())
        on, apart = self.backings.get(minor), self._apart(volume)
        if on is None or below is None:
            return False
        return on != below or (apart is not None and self.apart.get(minor, "") != apart)

    def _apart(self, volume: WantedVolume) -> str | None:
        """The device that its metadata is to be on; empty: the one below, None: not known now."""
        if volume.metadata is None:
            return ""
        return next((at.metadata for at in self.standing if at.volume.uuid == volume.uuid), None)

    def _place(self, volume: WantedVolume, below: str) -> Place:
        at = Standing(volume=volume, below=below, ready=True, metadata=self._apart(volume))
        return drbd_look.place_of(at, self.version)

    def _skips_disk(self, volume: WantedVolume, below: str | None) -> bool:
        """Whether DRBD goes on without a disk that failed. What is new has nothing to go on with."""
        replica = drbd_of(volume).replica
        if not self.version.nine or volume.new or not (replica.skip_disk or below in self.unreadable):
            return False
        return any(not peer.diskless for peer in replica.peers)

    # -- what is to go ---------------------------------------------------------------------------

    def unjudged(self, volume: WantedVolume, below: str | None) -> bool:
        """It is not up: that its peers have the data shows only when it is connected to them. Or it is up, and what was
        judged before holds no more.
        """
        if not self._is_guarded(volume, below) or self._successor(volume) is not None:
            return False
        return self._device(volume) is None or volume.uuid in self.judged

    def _is_guarded(self, volume: WantedVolume, below: str | None) -> bool:
        return not volume.wanted and not drbd_of(volume).last and self._may_hold_data(volume, below)

    def _may_hold_data(self, volume: WantedVolume, below: str | None) -> bool:
        if volume.new or is_diskless(volume):
            return False
        if self._device(volume) is not None:
            return True
        if volume.uuid in self.judged or not self._is_stored(volume):
            return False
        return below is None or below not in self.generations or self.generations[below] is not None

    def _is_worthless(self, volume: WantedVolume, below: str | None) -> bool:
        """What is to go was seen to have no metadata: that counts also when it is closed, before it is removed."""
        gone = volume.wanted or volume.new or volume.uuid in self.judged or is_diskless(volume)
        if gone or below is None or self._device(volume) is not None:
            return False
        return below in self.generations and self.generations[below] is None

    def _is_stored(self, volume: WantedVolume) -> bool:
        return next((at.stored for at in self.standing if at.volume.uuid == volume.uuid), True)

    # -- what is to be up ------------------------------------------------------------------------

    def _members(self, resource: str) -> list[Member]:
        """Volumes that can be up now, lowest number first."""
        found = []
        for at in self.standing:
            volume = at.volume
            if volume.resource != resource or not self._belongs_up(at):
                continue
            if self._is_taken(volume, at.below) or not self._can_be_up(at):
                continue
            found.append(
                Member(
                    resource=resource,
                    number=volume.number,
                    drbd=_linked(volume),
                    below=at.below,
                    apart=at.metadata or "",
                    skipped=self._skips_disk(volume, at.below),
                    leaves=not volume.wanted,
                )
            )
        return sorted(found, key=lambda member: member.number)

    def _belongs_up(self, at: Standing) -> bool:
        """What is to go stays up, or comes up, until it was seen that others have its data."""
        volume = at.volume
        if volume.wanted:
            return volume.active
        return self._is_guarded(volume, at.below) and self._successor(volume) is None

    def _can_be_up(self, at: Standing) -> bool:
        """A device that still has the disk of an earlier incarnation is left as it is until that has gone."""
        volume, below = at.volume, at.below
        device = self._device(volume)
        if is_diskless(volume):
            return device is None or device.disk in CLOSED
        if below is None or (volume.metadata is not None and at.metadata is None):
            return False
        if below in self.unreadable:
            return self._skips_disk(volume, below)
        if device is not None and device.disk not in CLOSED:
            return True
        generation = self.generations.get(below)
        return generation not in (None, drbd_metadata.DISPLACED) and not self._is_undeclared(volume, below)

    def _is_undeclared(self, volume: WantedVolume, below: str | None) -> bool:
        """Whether it was cut between making the metadata and saying what the data is."""
        if below is None or not volume.new or self.generations.get(below) != drbd_metadata.JUST_CREATED:
            return False
        return bool(declaration(volume, self._place(volume, below)))


def declaration(volume: WantedVolume, place: Place) -> list[Step]:
    """What is said of the data of a new replica once it has its metadata."""
    drbd = drbd_of(volume)
    if drbd.origin:
        return drbd_metadata.declare_first(place, drbd.origin, day0="")
    if drbd.first:
        return drbd_metadata.declare_first(place, volume.uuid, drbd.day0)
    return drbd_metadata.declare_equal(place, drbd.day0) if drbd.equal and drbd.day0 and place.nine else []


def is_diskless(volume: WantedVolume) -> bool:
    return len(volume.levels) == 1


def _linked(volume: WantedVolume) -> WantedDrbd:
    """Without the peers that an administrator does not want to be connected."""
    drbd = drbd_of(volume)
    peers = tuple(peer for peer in drbd.replica.peers if peer.connected)
    return replace(drbd, replica=replace(drbd.replica, peers=peers))


def stays_beside(other: WantedVolume, volume: WantedVolume) -> bool:
    return other.resource == volume.resource and other.uuid != volume.uuid and other.wanted and other.active
