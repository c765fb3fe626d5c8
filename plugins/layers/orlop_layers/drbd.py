"""DRBD: a volume whose replicas on several nodes hold the same data at every moment.

A resource is brought up as a whole from one file; its first volume takes the steps that concern all of them. The file
says how things should be; beside it lies a note of what was carried out last, so that what was cut in between is done
again. A connection that DRBD gave up stays so: it would not help to try again, and might cost data.
"""

from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.errors import CannotRead, NodeError, Refused
from orlop.model import Presence, ReplicaOrder, ReplicaVerb, WantedReplica, WantedVolume
from orlop.plugin import API_VERSION, Probe, RemoveFile, RequireUnused, Standing, Step, run
from orlop_layers import (
    drbd_attaching,
    drbd_config,
    drbd_copies,
    drbd_facts,
    drbd_files,
    drbd_found,
    drbd_growing,
    drbd_keeping,
    drbd_look,
    drbd_metadata,
    drbd_operations,
    drbd_options,
    drbd_ports,
    drbd_sizes,
    drbd_split,
    drbd_version,
)
from orlop_layers.drbd_config import Member
from orlop_layers.drbd_flow import HoldsDrbd
from orlop_layers.drbd_look import drbd_of
from orlop_layers.drbd_observed import Observed, declaration, is_diskless, stays_beside
from orlop_layers.drbd_seen import CLOSED, Device, backings, resources

PEER_SLOTS, METADATA_POOL, INTERNAL = "PeerSlotsNewResource", "StorPoolNameDrbdMeta", ".internal"


class Drbd(Observed, HoldsDrbd, frozen=True, kw_only=True):
    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "DRBD"
    programs: ClassVar[tuple[str, ...]] = ("drbdadm", "drbdsetup", "drbdmeta")
    above: ClassVar[frozenset[str]] = frozenset({"STORAGE", "LUKS", "NVME"})
    replicates: ClassVar[bool] = True
    listen_to: ClassVar[tuple[str, ...]] = ("drbdsetup", "events2")
    options: ClassVar[frozenset[str]] = frozenset()  # DRBD's own are looked up for each connection by the controller

    # -- controller half --------------------------------------------------------------------------

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        return

    @classmethod
    def size_below(cls, size: int, options: Mapping[str, str]) -> int:
        if options.get(METADATA_POOL, INTERNAL) not in ("", INTERNAL):
            return drbd_sizes.up(size, drbd_sizes.PAGE)
        return drbd_sizes.gross(size, int(options.get(PEER_SLOTS, drbd_sizes.PEERS)))

    @classmethod
    def metadata_size(cls, size: int, options: Mapping[str, str]) -> int:
        return drbd_sizes.apart(size, int(options.get(PEER_SLOTS, drbd_sizes.PEERS)))

    # -- looking ----------------------------------------------------------------------------------

    @classmethod
    def kernel_restrictions(cls, probe: Probe) -> tuple[str, ...]:
        try:
            drbd_version.known(probe)
        except NodeError as error:
            return (str(error),)
        return ()

    @classmethod
    def left_behind(cls, probe: Probe, device: str) -> Mapping[str, str]:
        return drbd_found.facts(probe, device, drbd_found.UNUSED_MINOR, drbd_version.known(probe).nine)

    @classmethod
    def kernel_version(cls, probe: Probe) -> str:
        return str(drbd_version.known(probe))

    @classmethod
    def observe(cls, probe: Probe, standing: tuple[Standing, ...], cluster: str) -> Self:
        version = drbd_version.known(probe)
        seen = resources(probe.run(("drbdsetup", "events2", "--now", "--statistics")))
        open_on, apart = backings(probe.run(("drbdsetup", "show"))) if seen else ({}, {})
        names = {at.volume.resource for at in standing}
        below = drbd_look.below(probe, standing, open_on.values(), seen, version)
        replicas = {at.volume.resource: at.volume.drbd.replica for at in standing if at.volume.drbd is not None}
        up = [(seen[name], replica) for name, replica in replicas.items() if name in seen]
        used = frozenset(name.partition("/")[0] for at in standing for name in drbd_options.given(at.volume.drbd))
        return cls(
            here=(probe.read("/proc/sys/kernel/hostname") or "").strip(),
            version=version,
            standing=standing,
            seen=seen,
            backings=open_on,
            apart=apart,
            generations=below.generations,
            unreadable=below.unreadable,
            split=drbd_split.generations(probe, up, version.nine),
            ports=drbd_ports.taken(probe, up),
            noted={name: probe.read(drbd_files.note_of(name)) or "" for name in names},
            judged=frozenset(
                at.volume.uuid for at in standing if probe.read(drbd_files.judged_of(at.volume)) is not None
            ),
            lent=frozenset(name for name in names if probe.read(drbd_files.lent_of(name)) is not None),
            prepared=probe.read(drbd_files.INCLUDE) == drbd_files.INCLUDED,
            cluster=cluster,
            lying=drbd_keeping.look(probe),
            known=drbd_options.described(probe, used) if version.nine else {},
        )

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return f"/dev/drbd{drbd_of(volume).minor}"

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        device = self._device(volume)
        if self._is_taken(volume, below):
            return Presence.FOREIGN
        if is_diskless(volume) and volume.wanted:
            return Presence.READY if device is not None and device.disk in CLOSED else Presence.HIDDEN
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
        resource, device, drbd = self.seen.get(volume.resource), self._device(volume), drbd_of(volume)
        if resource is None or device is None:
            return {}
        found = drbd_facts.facts(resource, volume.number, device, drbd.replica, self.split)
        if below is not None:
            found["backing"] = below
        if below in self.unreadable and self._skips_disk(volume, below):
            found["skip_disk"] = "yes"
        if volume.resource in self.ports:
            found["port_taken"] = str(self.ports[volume.resource])
        if not self.version.nine and (ignored := drbd_options.ignored_8(drbd_options.given(drbd))):
            found["ignored"] = ", ".join(ignored)
        return found | drbd_keeping.told(volume, self.lying)

    def operate(self, resource: str, order: ReplicaOrder) -> list[Step]:
        """What an administrator has done once with the replica that is up here."""
        seen = self.seen.get(resource)
        volumes = [at.volume for at in self.standing if at.volume.resource == resource]
        if seen is None or not volumes:
            raise Refused(f"{resource} is not up here", correction="See 'orlop resource list'.")
        if order.verb is ReplicaVerb.PRIMARY and not any(volume.wanted for volume in volumes):
            raise Refused(f"{resource} is to go from this node: it is not made primary here")
        replica = drbd_of(volumes[0]).replica
        return drbd_operations.steps(seen, replica, drbd_split.between(replica, seen), order)

    # -- down -------------------------------------------------------------------------------------

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if volume.wanted and volume.active:
            return []
        steps: list[Step] = []
        device, resource = self._device(volume), self.seen.get(volume.resource)
        others = [at.volume for at in self.standing if stays_beside(at.volume, volume)]
        if self._is_worthless(volume, below):
            return drbd_files.spared(volume)
        judging = self._judging(volume, below, alone=not others)
        if device is not None and resource is not None and not self._is_taken(volume, below):
            successor = self._successor(volume)
            if resource.role == "Primary" and successor is None:
                steps.append(RequireUnused(device=f"/dev/drbd{device.minor}"))
            steps += judging
            steps += self._close(volume, device, alone=not others, stays=successor is not None)
            if not volume.wanted:
                steps.append(RemoveFile(path=drbd_metadata.remembered(device.minor)))
        if device is None and not volume.wanted:
            steps += drbd_keeping.gone(volume, self.lying, alone=self._successor(volume) is None)
        if device is None and volume.uuid in self.judged and not self._is_stored(volume):
            steps.append(RemoveFile(path=drbd_files.judged_of(volume)))
        if not others and self.noted.get(volume.resource):
            files = [drbd_files.lent_of(volume.resource)] if volume.resource in self.lent else []
            files += drbd_files.left_by(volume.resource)
            steps += [RemoveFile(path=path) for path in files]
        return steps

    def _judging(self, volume: WantedVolume, below: str | None, alone: bool) -> list[Step]:
        """Whether others have the data of what is to go. When all of the resource goes down, that of all volumes:
        afterwards no peer is seen any more.
        """
        siblings = [at for at in self.standing if at.volume.resource == volume.resource] if alone else []
        guarded = [at.volume for at in siblings if self._is_guarded(at.volume, at.below)]
        if self._is_guarded(volume, below):
            first = min([volume, *guarded], key=lambda v: v.number)
            if first.number < volume.number and self._device(first) is not None:
                raise Refused(f"{volume.name} is closed together with {first.name}")
            guarded = guarded or [volume]
        for each in guarded:
            drbd_copies.require_other(self.seen.get(volume.resource), each)
        return drbd_copies.judged(guarded)

    @staticmethod
    def _close(volume: WantedVolume, device: Device, alone: bool, stays: bool) -> list[Step]:
        if stays:
            return [run("drbdsetup", "detach", str(device.minor), "--diskless")]
        if alone:
            return [run("drbdsetup", "down", volume.resource)]
        detach = [] if device.disk == "Diskless" else [run("drbdsetup", "detach", str(device.minor))]
        return [*detach, run("drbdsetup", "del-minor", str(device.minor))]

    # -- up ---------------------------------------------------------------------------------------

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        if not (volume.wanted and volume.active):
            return []
        if volume.uuid in self.judged:  # its removal was taken back
            return [RemoveFile(path=drbd_files.judged_of(volume))]
        if is_diskless(volume):
            return self._adjust(volume)
        if below is None:
            return []
        if (problem := self.unreadable.get(below)) and not self._skips_disk(volume, below):
            raise CannotRead(problem)
        match self.presence(volume, below):
            case Presence.ABSENT if below in self.generations:
                return self._make(volume, below)
            case Presence.HIDDEN if self.generations.get(below) == drbd_metadata.DISPLACED:
                return [self._put_right(volume, below)]
            case Presence.HIDDEN:
                undeclared = self._is_undeclared(volume, below)
                declared = declaration(volume, self._place(volume, below)) if undeclared else []
                return [*declared, *self._adjust(volume)]
            case Presence.READY:
                return (
                    self._give_back(volume)
                    or self._adjust(volume)
                    or self._grow(volume)
                    or self._lend(volume)
                    or self._end(volume)
                )
            case _:
                return []

    def _make(self, volume: WantedVolume, below: str) -> list[Step]:
        place = self._place(volume, below)
        made = drbd_metadata.create(place, volume.uuid, drbd_of(volume).replica.slots)
        return [*made, *declaration(volume, place)]

    def _put_right(self, volume: WantedVolume, below: str) -> Step:
        """What a new volume seems to have elsewhere belonged to an earlier one with its minor."""
        place = self._place(volume, below)
        return RemoveFile(path=drbd_metadata.remembered(place.minor)) if volume.new else drbd_metadata.move(place)

    def _adjust(self, volume: WantedVolume) -> list[Step]:
        """The file of the resource, and the kernel after it. One volume takes these steps for all."""
        members = self._members(volume.resource)
        if not members or volume.number != members[0].number:
            return []
        if not self.version.nine:
            self._require_all_at_once(volume)
        text = drbd_config.text(volume.resource, self.here, members, self.version)
        secret = _secret(members[0].drbd.replica, self.version.nine)
        before, standing = drbd_files.noted(self.noted.get(volume.resource, "")), self.seen.get(volume.resource)
        beside = drbd_keeping.allowed(self._beside(volume.resource, members), self.cluster)
        left = drbd_keeping.taken_back(volume.resource, [m.number for m in members], self.lying, beside)
        done = before.done == drbd_files.mark(text, secret, beside)
        if done and all(drbd_attaching.is_up(standing, m) for m in members):
            return []
        if self.version.nine:
            for member in members:
                drbd_options.require_known(drbd_options.given(member.drbd), self.known)
        replica = drbd_of(volume).replica
        return drbd_files.carried_out(
            drbd_files.Writing(
                name=volume.resource,
                text=text,
                secret=secret,
                before=before,
                beside=beside,
                left=left,
                nodes=frozenset(peer.node_id for peer in replica.peers),
                prepared=self.prepared,
                alone=not self.version.nine and not members[0].drbd.replica.peers,
                skip_disk=any(member.skipped for member in members),
                apart=drbd_attaching.apart(standing, members, self.version),
                forgets=self.version.frees_slots and any(member.below is not None for member in members),
            )
        )

    def _require_all_at_once(self, volume: WantedVolume) -> None:
        """Raises where a resource would come up with a part of its volumes. DRBD 8.4 that meets a peer with more
        of them never ends comparing: both wait, and refuse to part.
        """
        if volume.resource in self.seen:
            return
        for at in self.standing:
            beside = at.volume.resource == volume.resource and self._belongs_up(at)
            if beside and not at.volume.new and not self._can_be_up(at):
                raise NodeError(
                    f"{volume.resource} is not brought up without {at.volume.name}, which is not there yet",
                    correction=f"If {at.volume.name} stays away, see what is wrong with it.",
                )

    def _beside(self, resource: str, members: list[Member]) -> list[Standing]:
        """The volumes of those members."""
        numbers = {member.number for member in members}
        return [
            at
            for at in self.standing
            if at.volume.resource == resource and at.volume.wanted and at.volume.active and at.volume.number in numbers
        ]

    def _grow(self, volume: WantedVolume) -> list[Step]:
        wanted = next(level.size for level in volume.levels if level.layer == self.kind)
        resource = self.seen[volume.resource]
        nodes = drbd_files.noted(self.noted.get(volume.resource, "")).nodes
        return drbd_growing.grow(resource, volume.number, drbd_of(volume), wanted, self.version.nine, nodes)

    def _end(self, volume: WantedVolume) -> list[Step]:
        return drbd_keeping.ended(volume, self.seen[volume.resource], self.lying)

    def _lend(self, volume: WantedVolume) -> list[Step]:
        """A file system is still to be made, through the device; it is given back when that is done."""
        device = self._device(volume)
        if volume.file_system is None or device is None or device.disk != drbd_operations.UP_TO_DATE:
            return []
        return drbd_growing.lend(self.seen[volume.resource])

    def _give_back(self, volume: WantedVolume) -> list[Step]:
        if volume.resource not in self.lent or volume.file_system is not None:
            return []
        return drbd_growing.give_back(self.seen[volume.resource])


def _secret(replica: WantedReplica, nine: bool) -> str:
    """Its name. DRBD 8.4 takes whoever knows it for the peer: a replica that was forgotten, and is still up somewhere,
    must not be taken for the one that was made in its place. DRBD 9 knows its peers by node id and address.
    """
    if nine or not replica.peers:
        return f"drbd/{replica.definition}"
    both = sorted((replica.incarnation, replica.peers[0].incarnation))
    return f"drbd/{replica.definition}/{'/'.join(both)}"
