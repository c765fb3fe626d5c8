"""Snapshots that a node takes by itself before DRBD overwrites its data by a synchronization.

DRBD calls its handlers, which are our program; what that may do lies beside the resource's configuration, and belongs
to the order that both follow from. An administrator's own handlers of these names are in force instead of ours.
"""

import shlex
from collections.abc import Iterable, Mapping

import msgspec

from orlop.model import WantedReplica, WantedVolume
from orlop.model.decoding import decoded
from orlop.model.keeping import KEPT, REQUIRE, Keeping, Kept, snapshot_before_resync
from orlop.plugin import Probe, RemoveFile, Standing, Step, run
from orlop.plugin.keeping import keeping_of, kept_of, remove, remove_kept, take
from orlop_layers.drbd_files import DIRECTORY
from orlop_layers.drbd_seen import Resource

BEFORE, AFTER = "Handlers/before-resync-target", "Handlers/after-resync-target"
Files = Mapping[str, str]  # path -> content


def look(probe: Probe) -> Files:
    """What is allowed, and notes of what was kept."""
    return probe.texts(f"{DIRECTORY}/*.keeping", f"{DIRECTORY}/*.kept")


def is_kept(replica: WantedReplica) -> bool:
    return bool(replica.keeps) and not {BEFORE, AFTER} & replica.options.keys()


def with_handlers(replica: WantedReplica) -> Mapping[str, str]:
    """The options of a resource."""
    if not is_kept(replica):
        return replica.options
    return {**replica.options, BEFORE: shlex.join(take(DIRECTORY)), AFTER: shlex.join(remove(DIRECTORY))}


def allowed(standing: Iterable[Standing], cluster: str) -> Files:
    """Of the volumes of one resource. What a new one has before its first copy is worth nothing."""
    found = {}
    for at in standing:
        replica = at.volume.drbd.replica if at.volume.drbd else None
        if replica is None or at.pool is None or at.volume.new or len(at.volume.levels) == 1 or not is_kept(replica):
            continue
        keeping = Keeping(
            cluster=cluster,
            pool=at.pool,
            snapshot=snapshot_before_resync(at.volume),
            required=replica.keeps == REQUIRE,
        )
        path = keeping_of(DIRECTORY, at.volume.resource, at.volume.number)
        found[path] = msgspec.json.encode(keeping, order="sorted").decode()
    return found


def taken_back(resource: str, numbers: Iterable[int], lying: Files, found: Files) -> tuple[Step, ...]:
    """What is not allowed any more."""
    paths = [keeping_of(DIRECTORY, resource, number) for number in numbers]
    return tuple(RemoveFile(path=path) for path in paths if path in lying and path not in found)


def told(volume: WantedVolume, lying: Files) -> dict[str, str]:
    """`kept` while there is a snapshot from before a synchronization, else why there is none."""
    problem = _problem(volume, lying)
    return {} if problem is None else {"before_resync": problem or KEPT}


def ended(volume: WantedVolume, resource: Resource, lying: Files) -> list[Step]:
    """Where DRBD did not say that the synchronization had finished, or could not be heard. What was missed is told
    until there is nothing to overwrite any more.
    """
    device, problem = resource.devices.get(volume.number), _problem(volume, lying)
    parts = [c.volumes[volume.number] for c in resource.connections if volume.number in c.volumes]
    idle = ("Established",) if problem else ("Established", "Off")
    if device is None or device.disk != "UpToDate" or any(part.replication not in idle for part in parts):
        return []
    return dropped(volume, lying)


def _problem(volume: WantedVolume, lying: Files) -> str | None:
    """Why nothing was kept, empty where it was; None where there was nothing to keep it from."""
    text = lying.get(_note_of(volume))
    if text is None:
        return None
    try:
        return decoded(text, Kept).problem
    except msgspec.DecodeError:
        return "its note cannot be understood"


def gone(volume: WantedVolume, lying: Files, alone: bool) -> list[Step]:
    """Of a volume that is removed; `alone`: nothing takes its place."""
    left = taken_back(volume.resource, [volume.number], lying, {}) if alone else ()
    return [*dropped(volume, lying), *left]


def dropped(volume: WantedVolume, lying: Files) -> list[Step]:
    note = _note_of(volume)
    return [run(*remove_kept(note))] if note in lying else []


def _note_of(volume: WantedVolume) -> str:
    return kept_of(DIRECTORY, snapshot_before_resync(volume))
