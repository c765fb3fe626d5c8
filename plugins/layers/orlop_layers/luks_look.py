"""What lies on devices and what is mapped: a few programs for all volumes at once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename
from typing import NamedTuple

from orlop.errors import NodeError
from orlop.plugin import Probe

KIND = "crypto_LUKS"
SECTOR = 512


class Content(NamedTuple):
    """The signatures at both ends of a device, and the uuid of its LUKS header."""

    signatures: tuple[str, ...] = ()
    uuid: str = ""


class Mapped(NamedTuple):
    """A mapping of device-mapper."""

    uuid: str
    size: int  # bytes


def contents(probe: Probe, devices: Iterable[str]) -> tuple[dict[str, Content], dict[str, str]]:
    """By device: what is on it, or why that cannot be read.

    `wipefs` looks at both ends, and unlike `blkid` it fails when it cannot read. It calls a device by the last part of
    its path, so devices that share it are looked at one after the other.
    """
    found: dict[str, Content] = {}
    problems: dict[str, str] = {}
    for group in _distinct(devices):
        try:
            found |= _signatures(probe, group)
            continue
        except NodeError:
            pass  # which one it is shows when each is looked at by itself
        for device in group:
            try:
                found |= _signatures(probe, [device])
            except NodeError as error:
                problems[device] = f"what is on {device} cannot be told: {error}"
    return found, problems


def _distinct(devices: Iterable[str]) -> Iterator[list[str]]:
    left = sorted(set(devices))
    while left:
        group = {basename(device): device for device in reversed(left)}
        yield sorted(group.values())
        left = [device for device in left if group[basename(device)] != device]


def _signatures(probe: Probe, devices: list[str]) -> dict[str, Content]:
    said = json.loads(probe.run(("wipefs", "--no-act", "--json", *devices)) or '{"signatures": []}')
    found: dict[str, Content] = {}
    for device in devices:
        rows = [row for row in said["signatures"] if row["device"] == basename(device)]
        uuids = [row["uuid"] or "" for row in rows if row["type"] == KIND]
        kinds = tuple(dict.fromkeys(row["type"] for row in rows))
        found[device] = Content(kinds, uuids[0] if uuids else "")
    return found


def slots(probe: Probe, device: str) -> frozenset[int]:
    """The key slots of a LUKS2 header that hold a key."""
    said = json.loads(probe.run(("cryptsetup", "luksDump", "--dump-json-metadata", device)))
    return frozenset(int(slot) for slot in said["keyslots"])


def mappings(probe: Probe) -> Mapping[str, Mapped]:
    """What is open now, by name."""
    fields = ("--columns", "--noheadings", "--separator", "|", "--options", "name,uuid")
    lines = probe.run(("dmsetup", "info", *fields)).splitlines()
    uuids = dict(line.strip().split("|", 1) for line in lines if "|" in line)
    sizes: dict[str, int] = {}
    for line in probe.run(("dmsetup", "table", "--target", "crypt")).splitlines():
        name, colon, table = line.partition(": ")
        if colon:
            start, length = map(int, table.split()[:2])
            sizes[name] = max(sizes.get(name, 0), (start + length) * SECTOR)
    return {name: Mapped(uuids[name], size) for name, size in sizes.items() if name in uuids}
