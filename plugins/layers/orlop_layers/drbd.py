"""DRBD: a volume whose replicas on several nodes hold the same data at every moment.

A resource is brought up as a whole from one file; its first volume takes the steps that concern all of them. The file
says how things should be; beside it lies a note of what was carried out last, so that what was cut in between is done
again. A connection that DRBD gave up stays so: it would not help to try again, and might cost data.
"""

import hashlib
from collections.abc import Mapping
from typing import ClassVar, Self

from msgspec.structs import replace

from orlop.codes import Fail
from orlop.errors import BadProperty, CannotRead, NodeError, Refused, WouldDestroy
from orlop.model import Presence, ReplicaOrder, WantedDrbd, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, RemoveFile, RequireUnused, Standing, Step, WriteFile, run
from orlop_layers import drbd_config, drbd_metadata, drbd_operations, drbd_sizes, drbd_split
from orlop_layers.drbd_config import Member
from orlop_layers.drbd_flow import HoldsDrbd
from orlop_layers.drbd_seen import Device, Resource, backings, resources
from orlop_layers.drbd_version import require_known

DIRECTORY = "/var/lib/orlop/drbd"
INCLUDE = "/etc/drbd.d/orlop.res"
INCLUDED = f'include "{DIRECTORY}/*.res";\n'
PEER_SLOTS = "PeerSlotsNewResource"
UP_TO_DATE = "UpToDate"
CLOSED = ("Diskless", "Failed", "Detaching")
COMPARING = ("WFBitMapS", "WFBitMapT")


class Drbd(Value, HoldsDrbd, frozen=True, kw_only=True):
    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "DRBD"
    programs: ClassVar[tuple[str, ...]] = ("drbdadm", "drbdsetup", "drbdmeta")
    above: ClassVar[frozenset[str]] = frozenset({"STORAGE", "LUKS", "NVME"})
    replicates: ClassVar[bool] = True
    listen_to: ClassVar[tuple[str, ...]] = ("drbdsetup", "events2")
    options: ClassVar[frozenset[str]] = frozenset()  # DRBD's own are looked up for each connection by the controller

    here: str  # what `uname -n` prints
    standing: tuple[Standing, ...] = ()
    seen: Mapping[str, Resource] = {}
    backings: Mapping[int, str] = {}  # by minor
    generations: Mapping[str, str | None] = {}  # of devices that are not open: the current one, None without metadata
    unreadable: Mapping[str, str] = {}
    split: drbd_split.Generations = {}  # where a connection was given up
    noted: Mapping[str, str] = {}  # by resource: what was carried out last
    lent: frozenset[str] = frozenset()  # resources that were made primary only to grow
    prepared: bool = True  # DRBD's own tools know our files

    # -- controller half --------------------------------------------------------------------------

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        return

    @classmethod
    def size_below(cls, size: int, options: Mapping[str, str]) -> int:
        return drbd_sizes.gross(size, int(options.get(PEER_SLOTS, drbd_sizes.PEERS)))

    # -- looking ----------------------------------------------------------------------------------

    @classmethod
    def kernel_restrictions(cls, probe: Probe) -> tuple[str, ...]:
        try:
            require_known(probe)
        except NodeError as error:
            return (str(error),)
        return ()

    @classmethod
    def observe(cls, probe: Probe, standing: tuple[Standing, ...], cluster: str) -> Self:
        require_known(probe)
        seen = resources(probe.run(("drbdsetup", "events2", "--now", "--statistics")))
        open_on = backings(probe.run(("drbdsetup", "show"))) if seen else {}
        names = {at.volume.resource for at in standing}
        noted = {name: probe.read(_note(name)) or "" for name in names}
        generations: dict[str, str | None] = {}
        unreadable: dict[str, str] = {}
        for at in standing:
            if at.below is None or not at.ready or at.volume.drbd is None or at.below in open_on.values():
                continue
            try:
                generations[at.below] = drbd_metadata.current(probe, at.volume.drbd.minor, at.below)
                if generations[at.below] is None and at.volume.new:
                    _require_blank(at, drbd_metadata.signatures(probe, at.below))
            except NodeError as error:
                unreadable[at.below] = str(error)
        replicas = {at.volume.resource: at.volume.drbd.replica for at in standing if at.volume.drbd is not None}
        return cls(
            here=(probe.read("/proc/sys/kernel/hostname") or "").strip(),
            standing=standing,
            seen=seen,
            backings=open_on,
            generations=generations,
            unreadable=unreadable,
            split=drbd_split.generations(probe, [(seen[name], replicas[name]) for name in replicas if name in seen]),
            noted=noted,
            lent=frozenset(name for name in names if probe.read(_lent(name)) is not None),
            prepared=probe.read(INCLUDE) == INCLUDED,
        )

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return f"/dev/drbd{_drbd(volume).minor}"

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        device = self._device(volume)
        if self._is_taken(volume, below):
            return Presence.FOREIGN
        if device is not None and device.disk not in CLOSED:
            return Presence.READY
        if not volume.wanted and device is None:
            return Presence.ABSENT
        if below is None or below not in self.generations:
            return Presence.HIDDEN
        if self.generations[below] is not None:
            return Presence.HIDDEN
        return Presence.ABSENT if volume.new else Presence.MISSING

    def size(self, volume: WantedVolume, below: str | None) -> int | None:
        device = self._device(volume)
        return device.size if device is not None else None

    def facts(self, volume: WantedVolume, below: str | None) -> Mapping[str, str]:
        resource, device = self.seen.get(volume.resource), self._device(volume)
        if resource is None or device is None:
            return {}
        found = {
            "in_use": _yes_or_no(resource.role == "Primary"),
            "role": resource.role,
            "disk": device.disk,
        }
        if below is not None:
            found["backing"] = below
        if resource.suspended:
            found["suspended"] = "yes"
        for peer, connection in drbd_split.between(_drbd(volume).replica, resource).items():
            found[f"peer/{peer}/connection"] = connection.state
            found[f"peer/{peer}/role"] = connection.role
            if part := connection.volumes.get(volume.number):
                found[f"peer/{peer}/replication"] = part.replication
                found[f"peer/{peer}/disk"] = part.disk
                found[f"peer/{peer}/out_of_sync"] = str(part.out_of_sync)
                if part.paused:
                    found[f"peer/{peer}/paused"] = "yes"
            if told := self.split.get((resource.name, volume.number, peer)):
                found[f"peer/{peer}/generations"] = told
                found["written"] = str(device.written)
        return found

    def operate(self, resource: str, order: ReplicaOrder) -> list[Step]:
        """What an administrator has done once with the replica that is up here."""
        seen = self.seen.get(resource)
        replica = next((_drbd(at.volume).replica for at in self.standing if at.volume.resource == resource), None)
        if seen is None or replica is None:
            raise Refused(f"{resource} is not up here", correction="See 'orlop resource list'.")
        return drbd_operations.steps(seen, replica, drbd_split.between(replica, seen), order)

    def _device(self, volume: WantedVolume) -> Device | None:
        """The volume in the kernel; None where it is not there, or something else is under its name."""
        resource = self.seen.get(volume.resource)
        device = resource.devices.get(volume.number) if resource else None
        return device if device is not None and device.minor == _drbd(volume).minor else None

    def _is_taken(self, volume: WantedVolume, below: str | None) -> bool:
        """Whether the name or the minor belongs to somebody else, or it stands on another device than ours."""
        resource, minor = self.seen.get(volume.resource), _drbd(volume).minor
        there = resource.devices.get(volume.number) if resource else None
        if there is not None and there.minor != minor:
            return True
        if there is None:
            return any(d.minor == minor for r in self.seen.values() for d in r.devices.values())
        on = self.backings.get(minor)
        return on is not None and below is not None and on != below

    # -- down -------------------------------------------------------------------------------------

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if volume.wanted and volume.active:
            return []
        steps: list[Step] = []
        if not volume.wanted:
            self._require_other_copy(volume, below)
        device = self._device(volume)
        others = [at.volume for at in self.standing if _stays_beside(at.volume, volume)]
        if device is not None and not self._is_taken(volume, below):
            if self.seen[volume.resource].role == "Primary":
                steps.append(RequireUnused(device=f"/dev/drbd{device.minor}"))
            steps += self._close(volume, device, alone=not others)
            if not volume.wanted:
                steps.append(RemoveFile(path=drbd_metadata.place(device.minor)))
        if not others and self.noted.get(volume.resource):
            files = [_lent(volume.resource)] if volume.resource in self.lent else []
            files += [_note(volume.resource), _file(volume.resource)]
            steps += [RemoveFile(path=path) for path in files]
        return steps

    @staticmethod
    def _close(volume: WantedVolume, device: Device, alone: bool) -> list[Step]:
        if alone:
            return [run("drbdsetup", "down", volume.resource)]
        detach = [] if device.disk == "Diskless" else [run("drbdsetup", "detach", str(device.minor))]
        return [*detach, run("drbdsetup", "del-minor", str(device.minor))]

    def _require_other_copy(self, volume: WantedVolume, below: str | None) -> None:
        """Judged by what this node sees itself, just before: a peer that is connected and has all of the data."""
        if _drbd(volume).last or volume.new or not self._may_hold_data(volume, below):
            return
        resource = self.seen.get(volume.resource)
        connections = resource.connections if resource else ()
        parts = [c.volumes.get(volume.number) for c in connections if c.state == "Connected"]
        if not any(part is not None and part.disk == UP_TO_DATE for part in parts):
            raise Refused(
                f"{volume.name} is kept: this node sees no other replica that is connected and up to date.",
                correction="Bring another replica up and wait until it is synchronized, or delete the definition.",
                code=Fail.INSUFFICIENT_REPLICA_COUNT,
            )

    def _may_hold_data(self, volume: WantedVolume, below: str | None) -> bool:
        if self._device(volume) is not None:
            return True
        return below is not None and (below in self.unreadable or self.generations.get(below) is not None)

    # -- up ---------------------------------------------------------------------------------------

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if below is None or not (volume.wanted and volume.active):
            return []
        if problem := self.unreadable.get(below):
            raise CannotRead(problem)
        match self.presence(volume, below):
            case Presence.ABSENT if below in self.generations:
                return self._make(volume, below)
            case Presence.HIDDEN if self.generations.get(below) == drbd_metadata.DISPLACED:
                return [_put_right(volume, below)]
            case Presence.HIDDEN:
                return [*self._first(volume, below), *self._adjust(volume)]
            case Presence.READY:
                return self._give_back(volume) or self._adjust(volume) or self._grow(volume)
            case _:
                return []

    def _make(self, volume: WantedVolume, below: str) -> list[Step]:
        drbd = _drbd(volume)
        made = drbd_metadata.create(drbd.minor, below)
        return [made, *self._declare(volume, below)]

    def _first(self, volume: WantedVolume, below: str) -> list[Step]:
        """What was cut between making the metadata and saying who is first."""
        untouched = self.generations.get(below) == drbd_metadata.JUST_CREATED
        return self._declare(volume, below) if volume.new and untouched else []

    def _declare(self, volume: WantedVolume, below: str) -> list[Step]:
        drbd = _drbd(volume)
        return [drbd_metadata.declare_first(drbd.minor, below, volume.uuid)] if drbd.first else []

    def _adjust(self, volume: WantedVolume) -> list[Step]:
        """The file of the resource, and the kernel after it. One volume takes these steps for all."""
        members = self._members(volume.resource)
        if not members or volume.number != members[0].number:
            return []
        text = drbd_config.text(volume.resource, self.here, members)
        note = hashlib.sha256(text.encode()).hexdigest()
        standing = self.seen.get(volume.resource)
        whole = standing is not None and all(
            m.number in standing.devices and standing.devices[m.number].disk not in CLOSED for m in members
        )
        if whole and self.noted.get(volume.resource) == note:
            return []
        return self._written(volume, text, note, alone=not members[0].drbd.replica.peers)

    def _written(self, volume: WantedVolume, text: str, note: str, alone: bool) -> list[Step]:
        name, secret = volume.resource, f"drbd/{_drbd(volume).replica.definition}"
        draft = _file(name).removesuffix(".res") + ".draft"
        steps: list[Step] = []
        if not self.prepared:
            steps += [run("mkdir", "-p", DIRECTORY), WriteFile(path=INCLUDE, content=INCLUDED)]
        steps += [
            WriteFile(path=draft, content=text, secret=secret),
            run("drbdadm", "-c", draft, "sh-nop"),
            RemoveFile(path=_note(name)),
            WriteFile(path=_file(name), content=text, secret=secret),
            RemoveFile(path=draft),
            run("drbdadm", "adjust", name),
        ]
        if alone:
            steps.append(run("drbdadm", "disconnect", name))
        return [*steps, WriteFile(path=_note(name), content=note)]

    def _members(self, resource: str) -> list[Member]:
        """Volumes that can be up now, lowest number first."""
        found = []
        for at in self.standing:
            volume = at.volume
            if volume.resource != resource or not (volume.wanted and volume.active) or at.below is None:
                continue
            if self._is_taken(volume, at.below) or at.below in self.unreadable:
                continue
            if self._device(volume) is not None or _usable(self.generations.get(at.below)):
                found.append(Member(number=volume.number, drbd=_linked(volume), below=at.below))
        return sorted(found, key=lambda member: member.number)

    def _grow(self, volume: WantedVolume) -> list[Step]:
        """Takes place on one node, where it is in use or else on the one with the lowest id; the others follow."""
        device, resource = self._device(volume), self.seen[volume.resource]
        wanted = next(level.size for level in volume.levels if level.layer == self.kind)
        drbd = _drbd(volume)
        if device is None or not drbd.grow or device.size is None or device.size >= wanted:
            return []
        parts = [connection.volumes.get(volume.number) for connection in resource.connections]
        if any(part is not None and part.replication in COMPARING for part in parts):
            return _met_again(volume.resource)
        if drbd.replica.peers and not all(part is not None and part.replication == "Established" for part in parts):
            return []  # refused by DRBD; the end of a synchronization is told
        resize = run("drbdadm", "resize", f"{volume.resource}/{volume.number}")
        if resource.role == "Primary":
            return [resize]
        lowest = all(drbd.replica.node_id < peer.node_id for peer in drbd.replica.peers)
        if any(c.role == "Primary" for c in resource.connections) or not lowest:
            return []
        note = WriteFile(path=_lent(volume.resource), content="")
        return [note, run("drbdadm", "primary", volume.resource), resize, *_returned(volume.resource)]

    def _give_back(self, volume: WantedVolume) -> list[Step]:
        """What was cut, or failed, while a resource was primary for no user. A loss of power has made it secondary."""
        if volume.resource not in self.lent:
            return []
        if self.seen[volume.resource].role == "Primary":
            return _returned(volume.resource)
        return [RemoveFile(path=_lent(volume.resource))]


def _require_blank(at: Standing, found: tuple[str, ...]) -> None:
    if found:
        raise WouldDestroy(
            f"{at.below} of new volume {at.volume.name} already carries {', '.join(found)}; it is left as it is",
            correction="Delete the volume and create it again.",
        )


def _drbd(volume: WantedVolume) -> WantedDrbd:
    if volume.drbd is None:
        raise BadProperty(f"the controller gave {volume.name} no device number; it is older than this satellite")
    return volume.drbd


def _linked(volume: WantedVolume) -> WantedDrbd:
    """Without the peers that an administrator does not want to be connected."""
    drbd = _drbd(volume)
    peers = tuple(peer for peer in drbd.replica.peers if peer.connected)
    return replace(drbd, replica=replace(drbd.replica, peers=peers))


def _usable(generation: str | None) -> bool:
    return generation is not None and generation != drbd_metadata.DISPLACED


def _put_right(volume: WantedVolume, below: str) -> Step:
    """What a new volume seems to have elsewhere belonged to an earlier one with its minor."""
    minor = _drbd(volume).minor
    return RemoveFile(path=drbd_metadata.place(minor)) if volume.new else drbd_metadata.move(minor, below)


def _stays_beside(other: WantedVolume, volume: WantedVolume) -> bool:
    return other.resource == volume.resource and other.uuid != volume.uuid and other.wanted and other.active


def _yes_or_no(fact: bool) -> str:
    return "yes" if fact else "no"


def _file(resource: str) -> str:
    return f"{DIRECTORY}/{resource}.res"


def _met_again(resource: str) -> list[Step]:
    """Nodes of DRBD 8.4 that meet while only what is below has grown may take the larger size on one side only. Then
    their bitmaps do not fit, and both wait for each other for good; when they meet once more, both have that size.
    """
    return [run("drbdadm", "disconnect", resource), run("drbdadm", "adjust", resource)]


def _returned(resource: str) -> list[Step]:
    return [run("drbdadm", "secondary", resource), RemoveFile(path=_lent(resource))]


def _lent(resource: str) -> str:
    return f"{DIRECTORY}/{resource}.lent"


def _note(resource: str) -> str:
    return f"{DIRECTORY}/{resource}.done"
