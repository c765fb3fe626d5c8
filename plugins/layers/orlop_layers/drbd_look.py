"""What is on the devices below DRBD that the kernel does not have open."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from orlop.errors import BadProperty, CannotRead, NodeError, WouldDestroy
from orlop.model import WantedDrbd, WantedVolume
from orlop.plugin import Probe, Standing
from orlop_layers import drbd_metadata
from orlop_layers.drbd_metadata import Place
from orlop_layers.drbd_seen import CLOSED, Resource
from orlop_layers.drbd_version import Version


class Below(NamedTuple):
    """By device: the current generation, None without metadata; or why it cannot be told."""

    generations: dict[str, str | None]
    unreadable: dict[str, str]


def below(
    probe: Probe,
    standing: tuple[Standing, ...],
    in_kernel: Collection[str],
    seen: Mapping[str, Resource],
    version: Version,
) -> Below:
    found = Below({}, {})
    for at in standing:
        if at.below is None or not at.ready or at.volume.drbd is None or at.below in in_kernel or _is_held(at, seen):
            continue
        try:
            found.generations[at.below] = _generation(probe, at, place_of(at, version))
        except NodeError as error:
            found.unreadable[at.below] = str(error)
    return found


def _is_held(at: Standing, seen: Mapping[str, Resource]) -> bool:
    """While DRBD attaches a disk (Attaching, Negotiating) it has it for itself, but `drbdsetup show` does not tell
    which one that is before it is at least Inconsistent: what is below cannot be opened, and nothing is wrong with it.
    """
    resource, drbd = seen.get(at.volume.resource), drbd_of(at.volume)
    device = resource.devices.get(at.volume.number) if resource else None
    return device is not None and device.minor == drbd.minor and device.disk not in CLOSED


def _generation(probe: Probe, at: Standing, place: Place) -> str | None:
    """Metadata under a new volume that is not its own is taken for none."""
    found = drbd_metadata.current(probe, place)
    if not at.volume.new:
        return found
    if found is not None and found != drbd_metadata.DISPLACED and drbd_metadata.is_stale(probe, place, at.volume.uuid):
        found = None
    if found is None:
        for device in filter(None, (place.device, place.apart)):
            _require_blank(at, place, device, drbd_metadata.signatures(probe, device))
    return found


def _require_blank(at: Standing, place: Place, device: str, signatures: tuple[str, ...]) -> None:
    """A volume that is filled from a snapshot holds what the snapshot did."""
    own = {drbd_metadata.OWN_SIGNATURE} if place.nine else set()
    filled = at.volume.source is not None and device == place.device
    if (strange := [each for each in signatures if each not in own]) and not filled:
        raise WouldDestroy(
            f"{device} of new volume {at.volume.name} already carries {', '.join(strange)}; it is left as it is",
            correction="Delete the volume and create it again.",
        )


def drbd_of(volume: WantedVolume) -> WantedDrbd:
    if volume.drbd is None:
        raise BadProperty(f"the controller gave {volume.name} no device number; it is older than this satellite")
    return volume.drbd


def place_of(at: Standing, version: Version) -> Place:
    """Of a volume whose device below is known."""
    volume, drbd = at.volume, drbd_of(at.volume)
    if volume.metadata is not None and at.metadata is None:
        raise CannotRead(f"what the metadata of {volume.name} is kept on is not open")
    return Place(
        minor=drbd.minor,
        device=at.below or "",
        apart=at.metadata or "",
        node_id=drbd.replica.node_id,
        nine=version.nine,
        marked=version.nine or volume.source is not None or volume.metadata is not None,
    )
