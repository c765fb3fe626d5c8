"""The layer DRBD with its metadata on a device of its own: what is made there, and what is left as it is."""

from typing import Any

import pytest
from msgspec.structs import replace

from orlop.errors import CannotRead, CommandFailed
from orlop.model import MIB, Presence, WantedDrbd, WantedLevel, WantedMetadata, WantedPeer, WantedReplica, WantedVolume
from orlop.plugin import Run, Standing, Step
from orlop.testing import SimulatedHost
from orlop.testing.drbd_network import SimulatedNetwork
from orlop_layers import drbd_config, drbd_metadata
from orlop_layers.drbd import Drbd
from orlop_layers.drbd_config import Member
from orlop_layers.drbd_metadata import Place
from orlop_layers.drbd_seen import Device, Resource
from orlop_layers.drbd_version import Version

BELOW, APART = "/dev/vg0/web_00000", "/dev/vg1/web_00000.-meta"
DATA = "1111111111111110"
PEER = WantedPeer(node="bravo", incarnation="p-uuid", node_id=1, address="10.0.0.2", port=7001)
KERNELS = {"8.4": (8, 4, 11), "9": (9, 2, 13)}


@pytest.fixture(params=KERNELS)
def series(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def volume(apart: bool = True, **more: Any) -> WantedVolume:
    replica = WantedReplica(
        definition="d-uuid", incarnation="r-uuid", node_id=0, address="10.0.0.1", port=7000, peers=(PEER,)
    )
    levels = (WantedLevel(layer="DRBD", size=24 * MIB), WantedLevel(layer="STORAGE", size=24 * MIB))
    metadata = WantedMetadata(uuid="m-0", pool="quick", levels=(WantedLevel(layer="STORAGE", size=4 * MIB),))
    known = {"resource": "web", "number": 0, "uuid": "v-0", "pool": "pool", "levels": levels}
    drbd = WantedDrbd(replica=replica, minor=1000, first=True)
    return WantedVolume(**known, drbd=drbd, metadata=metadata if apart else None, **more)


def node(series: str) -> SimulatedHost:
    host = SimulatedHost(name="alpha")
    host.join(SimulatedNetwork(), series)
    host.disk.add_disk(BELOW, 24 * MIB)
    host.disk.add_disk(APART, 4 * MIB)
    return host


def look(host: SimulatedHost, wanted: WantedVolume, apart: str | None = APART, ready: bool = True) -> Drbd:
    return Drbd.observe(host, (Standing(volume=wanted, below=BELOW, ready=ready, metadata=apart),), "cluster")


def commands(steps: list[Step]) -> list[str]:
    return [" ".join(step.argv) for step in steps if isinstance(step, Run)]


def run(host: SimulatedHost, steps: list[Step]) -> None:
    for step in steps:
        if isinstance(step, Run):
            host.run(step.argv)


def made(series: str, wanted: WantedVolume) -> SimulatedHost:
    host = node(series)
    run(host, look(host, wanted).bring_up(wanted, BELOW))
    return host


def test_metadata_is_made_on_its_own_device(series: str) -> None:
    new = volume(new=True)
    found = commands(look(node(series), new).bring_up(new, BELOW))
    assert found[0].startswith(
        f"drbdmeta --force 1000 {'v09' if series == '9' else 'v08'} {APART} flex-external create-md"
    )
    assert not any(BELOW in line for line in found)


def test_it_bears_the_mark_of_its_volume(series: str) -> None:
    new = volume(new=True)
    host = made(series, new)
    assert look(host, new).generations[BELOW] not in (None, drbd_metadata.JUST_CREATED)
    other = replace(new, uuid="v-other")
    assert look(host, other).presence(other, BELOW) is Presence.ABSENT, "an earlier volume left it"


def test_what_was_not_seen_below_it_is_not_made(series: str) -> None:
    new = volume(new=True)
    for seen in (look(node(series), new, ready=False), look(node(series), new, apart=None)):
        if new.metadata is not None and BELOW in seen.unreadable:
            with pytest.raises(CannotRead, match="not open"):
                seen.bring_up(new, BELOW)
        else:
            assert not any("create-md" in line for line in commands(seen.bring_up(new, BELOW)))


def test_metadata_that_is_gone_is_made_only_while_the_volume_is_new(series: str) -> None:
    old = volume(new=False)
    seen = look(node(series), old)
    assert seen.presence(old, BELOW) is Presence.MISSING
    assert seen.bring_up(old, BELOW) == []


@pytest.mark.parametrize("device", [BELOW, APART])
def test_a_signature_on_either_device_of_a_new_volume_is_respected(series: str, device: str) -> None:
    host, new = node(series), volume(new=True)
    host.disk.content(device).signatures[:] = ["ext4"]
    with pytest.raises(CannotRead, match=f"{device} of new volume web_00000 already carries ext4"):
        look(host, new).bring_up(new, BELOW)


def test_a_volume_from_a_snapshot_may_carry_data_but_its_metadata_is_blank(series: str) -> None:
    new = volume(new=True, source="s-uuid")
    host = node(series)
    host.disk.content(BELOW).signatures[:] = ["ext4"]
    assert look(host, new).presence(new, BELOW) is Presence.ABSENT
    host.disk.content(APART).signatures[:] = ["ext4"]
    with pytest.raises(CannotRead, match="already carries ext4"):
        look(host, new).bring_up(new, BELOW)


def test_metadata_in_the_other_place_does_not_count(series: str) -> None:
    new = volume(new=True)
    inside = made(series, volume(apart=False, new=True))
    assert look(inside, new).generations == {BELOW: None}
    apart = made(series, new)
    assert look(apart, volume(apart=False, new=True), apart=None).generations == {BELOW: None}


def test_the_file_names_the_device_without_an_index(series: str) -> None:
    wanted = volume()
    assert wanted.drbd is not None
    member = Member(resource="web", number=0, drbd=wanted.drbd, below=BELOW, apart=APART)
    text = drbd_config.text("web", "alpha", [member], Version(kernel=KERNELS[series]))
    assert text.count(f'meta-disk "{APART}";') == 1
    assert text.count("meta-disk internal;") == 1, "where a peer has it is the peer's business"


def test_a_volume_whose_metadata_is_not_open_is_left_out_of_the_file(series: str) -> None:
    host = made(series, volume(new=True))
    old = volume()
    assert "drbdadm adjust web" in commands(look(host, old).bring_up(old, BELOW))
    assert commands(look(host, old, apart=None, ready=False).bring_up(old, BELOW)) == []


def up(**more: Any) -> Drbd:
    wanted = volume()
    device = Device(minor=1000, disk="UpToDate", size=24 * MIB)
    seen = {"web": Resource(name="web", role="Secondary", suspended=False, devices={0: device})}
    standing = (Standing(volume=wanted, below=BELOW, ready=True, metadata=APART),)
    return Drbd(here="alpha", standing=standing, seen=seen, backings={1000: BELOW}, **more)


def test_a_device_with_its_metadata_on_another_one_is_not_ours() -> None:
    assert up(apart={1000: APART}).presence(volume(), BELOW) is Presence.READY
    for elsewhere in ({1000: "/dev/sdx"}, {}):
        assert up(apart=elsewhere).presence(volume(), BELOW) is Presence.FOREIGN


def test_what_is_unclean_on_a_device_of_its_own_is_not_moved() -> None:
    host = node("8.4")

    def unclean(disk: Any, arguments: tuple[str, ...]) -> str:
        said = 'Found meta data is "unclean", please apply-al first' if "dump-md" in arguments else ""
        raise CommandFailed(("drbdmeta", *arguments), 1, said)

    host.installed["drbdmeta"] = unclean
    with pytest.raises(CannotRead, match=APART):
        drbd_metadata.current(host, Place(minor=1000, device=BELOW, apart=APART))
    assert drbd_metadata.current(host, Place(minor=1000, device=BELOW)) == drbd_metadata.DISPLACED


def test_sizes_below_leave_all_of_the_device_to_data() -> None:
    size = 10 * MIB - 1
    assert Drbd.size_below(size, {"StorPoolNameDrbdMeta": "quick"}) == 10 * MIB
    for inside in ({}, {"StorPoolNameDrbdMeta": ""}, {"StorPoolNameDrbdMeta": ".internal"}):
        assert Drbd.size_below(size, inside) == 10280 << 10
