"""The layer DRBD decides: from what was wanted and seen to steps, and never against what was not seen."""

import re
from pathlib import Path
from typing import Any

import pytest

from orlop.errors import CannotRead, CommandFailed, NodeError, Refused
from orlop.model import (
    MIB,
    Presence,
    ReplicaOrder,
    ReplicaVerb,
    WantedDrbd,
    WantedLevel,
    WantedPeer,
    WantedReplica,
    WantedVolume,
)
from orlop.plugin import RemoveFile, RequireUnused, Run, Standing, Step, WriteFile
from orlop.testing import SimulatedHost
from orlop.testing.drbd_network import SimulatedNetwork
from orlop_layers import drbd_config, drbd_look, drbd_metadata, drbd_options
from orlop_layers.drbd import Drbd
from orlop_layers.drbd_config import Member
from orlop_layers.drbd_metadata import Place
from orlop_layers.drbd_seen import Connection, Device, PeerDevice, Resource, backings, resources
from orlop_layers.drbd_version import Version

RECORDED = Path(__file__).parent.parent / "recorded"
BELOW = "/dev/vg0/web_00000"
Kernel = dict[str, Resource]
OLD_DATA = "1111111111111110"
PEER = WantedPeer(node="bravo", incarnation="p-uuid", node_id=1, address="10.0.0.2", port=7001)


def volume(number: int = 0, peers: tuple[WantedPeer, ...] = (PEER,), **more: Any) -> WantedVolume:
    own = {name: more.pop(name) for name in ("first", "last", "grow", "options", "minor") if name in more}
    replica = WantedReplica(
        definition="d-uuid",
        incarnation="r-uuid",
        node_id=0,
        address="10.0.0.1",
        port=7000,
        peers=peers,
        options=more.pop("resource", {}),
    )
    levels = (WantedLevel(layer="DRBD", size=24 * MIB), WantedLevel(layer="STORAGE", size=28 * MIB))
    known = {"resource": "web", "number": number, "uuid": f"v-{number}", "pool": "pool", "levels": levels}
    return WantedVolume(**known, drbd=WantedDrbd(replica=replica, **{"minor": 1000 + number, **own}), **more)


def device(disk: str = "UpToDate", minor: int = 1000, size: int = 24 * MIB) -> Device:
    return Device(minor=minor, disk=disk, size=size)


def kernel(
    role: str = "Secondary", peer: str = "UpToDate", state: str = "Connected", **more: Any
) -> dict[str, Resource]:
    part = PeerDevice(replication=more.pop("replication", "Established"), disk=peer)
    connection = Connection(state=state, role=more.pop("peer_role", "Secondary"), volumes={0: part})
    devices = more.pop("devices", {0: device()})
    return {"web": Resource(name="web", role=role, suspended=False, devices=devices, connections=(connection,))}


def layer(*volumes: WantedVolume, **seen: Any) -> Drbd:
    standing = tuple(Standing(volume=v, below=below(v), ready=True) for v in volumes)
    on = {d.minor: below(volume(n)) for r in seen.get("seen", {}).values() for n, d in r.devices.items()}
    return Drbd(here="alpha", standing=standing, **{"backings": on, **seen})


def below(of: WantedVolume) -> str:
    return f"/dev/vg0/{of.name}"


def commands(steps: list[Step]) -> list[str]:
    return [" ".join(step.argv) for step in steps if isinstance(step, Run)]


def text(*volumes: WantedVolume) -> str:
    members = [
        Member(resource="web", number=v.number, drbd=v.drbd, below=below(v)) for v in volumes if v.drbd is not None
    ]
    return drbd_config.text("web", "alpha", members, Version(kernel=(8, 4, 11)))


def carried_out(*volumes: WantedVolume) -> dict[str, str]:
    """The note of a file that was carried out, as it lies on the disk."""
    missing = layer(*volumes, seen=kernel(devices={v.number: device(minor=1000 + v.number) for v in volumes}))
    note = missing.bring_up(volumes[0], below(volumes[0]))[-1]
    assert isinstance(note, WriteFile)
    return {"web": note.content}


# -- making -----------------------------------------------------------------------------------------------------------


def test_metadata_is_made_only_while_the_volume_is_new() -> None:
    blank = {BELOW: None}
    new, old = volume(new=True), volume(new=False)
    assert commands(layer(new, generations=blank).bring_up(new, BELOW)) == [
        f"drbdmeta --force 1000 v08 {BELOW} internal create-md"
    ]
    assert layer(old, generations=blank).presence(old, BELOW) is Presence.MISSING
    assert layer(old, generations=blank).bring_up(old, BELOW) == []


def test_nothing_is_made_on_what_was_not_looked_at() -> None:
    new = volume(new=True)
    assert layer(new).presence(new, BELOW) is Presence.HIDDEN
    assert not any("create-md" in line for line in commands(layer(new).bring_up(new, BELOW)))


def test_what_is_closed_below_is_not_looked_at() -> None:
    closed = Standing(volume=volume(new=True), below=BELOW, ready=False)
    found = drbd_look.below(SimulatedHost(), (closed,), (), {}, Version(kernel=(8, 4, 11)))
    assert found == drbd_look.Below({}, {})


@pytest.mark.parametrize(("disk", "looked_at"), [("Attaching", 0), ("Negotiating", 0), ("Diskless", 1)])
def test_what_drbd_is_attaching_is_not_looked_at(disk: str, looked_at: int) -> None:
    """It holds the disk, which `drbdsetup show` does not tell yet."""
    at = Standing(volume=volume(), below=BELOW, ready=True)
    devices = {0: Device(minor=1000, disk=disk)}
    seen = {"web": Resource(name="web", role="Secondary", suspended=False, devices=devices)}
    found = drbd_look.below(SimulatedHost(), (at,), (), seen, Version(kernel=(8, 4, 11)))
    assert len(found.unreadable) == looked_at  # nobody answers there


def test_nothing_is_made_where_the_metadata_could_not_be_read() -> None:
    new = volume(new=True)
    with pytest.raises(CannotRead, match="input/output error"):
        layer(new, unreadable={BELOW: "input/output error"}).bring_up(new, BELOW)


def test_only_the_first_replica_declares_its_data_good() -> None:
    first, other = volume(new=True, first=True), volume(new=True)
    assert [line.split()[-2] for line in commands(layer(first, generations={BELOW: None}).bring_up(first, BELOW))] == [
        "internal",
        "set-gi",
    ]
    assert not any("set-gi" in c for c in commands(layer(other, generations={BELOW: None}).bring_up(other, BELOW)))


def test_the_first_replica_makes_up_for_a_declaration_that_was_cut() -> None:
    made = {BELOW: "0000000000000004"}
    first = volume(new=True, first=True)
    assert "set-gi" in commands(layer(first, generations=made).bring_up(first, BELOW))[0]
    for other in (volume(new=False, first=True), volume(new=True)):
        assert not any("set-gi" in c for c in commands(layer(other, generations=made).bring_up(other, BELOW)))


def test_data_that_is_there_is_never_declared_anew() -> None:
    first = volume(new=True, first=True)
    found = commands(layer(first, generations={BELOW: OLD_DATA}).bring_up(first, BELOW))
    assert not any("set-gi" in line or "create-md" in line for line in found)


# -- up ---------------------------------------------------------------------------------------------------------------


def test_a_file_is_tried_before_it_takes_the_place_of_the_last_one() -> None:
    wanted = volume()
    steps = layer(wanted, generations={BELOW: OLD_DATA}).bring_up(wanted, BELOW)
    draft, final, note = "/var/lib/orlop/drbd/web.draft", "/var/lib/orlop/drbd/web.res", "/var/lib/orlop/drbd/web.done"
    assert [step.path if isinstance(step, WriteFile | RemoveFile) else str(step) for step in steps] == [
        note,
        draft,
        f"drbdadm -c {draft} sh-nop",
        final,
        draft,
        "drbdadm adjust web",
        note,
    ]
    assert {step.secret for step in steps if isinstance(step, WriteFile) and step.path != note} == {
        "drbd/d-uuid/p-uuid/r-uuid"
    }


def test_nothing_is_left_to_do_when_all_is_as_it_should_be() -> None:
    wanted = volume()
    assert layer(wanted, seen=kernel(), noted=carried_out(wanted)).bring_up(wanted, BELOW) == []


def test_another_option_is_carried_out_while_it_is_up() -> None:
    before, after = volume(), volume(resource={"Resource/on-no-data-accessible": "io-error"})
    found = commands(layer(after, seen=kernel(), noted=carried_out(before)).bring_up(after, BELOW))
    assert found[-1] == "drbdadm adjust web"


def test_a_connection_that_was_given_up_is_left_alone() -> None:
    wanted = volume()
    seen = layer(wanted, seen=kernel(state="StandAlone"), noted=carried_out(wanted))
    assert seen.bring_up(wanted, BELOW) == []
    assert seen.facts(wanted, BELOW)["peer/bravo/connection"] == "StandAlone"


def test_one_volume_takes_the_steps_for_all() -> None:
    pair = (volume(0), volume(1))
    seen = layer(*pair, generations={below(v): OLD_DATA for v in pair})
    assert commands(seen.bring_up(pair[0], below(pair[0])))[-1] == "drbdadm adjust web"
    assert seen.bring_up(pair[1], below(pair[1])) == []


def test_what_has_no_metadata_yet_is_not_brought_up_with_the_others() -> None:
    pair = (volume(0), volume(1, new=True))
    seen = layer(*pair, generations={below(pair[0]): OLD_DATA, below(pair[1]): None})
    files = [step.content for step in seen.bring_up(pair[0], below(pair[0])) if isinstance(step, WriteFile)]
    assert "minor 1001" not in files[0]


def test_a_name_or_a_minor_that_somebody_else_has_is_never_touched() -> None:
    wanted = volume(new=True)
    others = {"other": Resource(name="other", role="Secondary", suspended=False, devices={0: device()})}
    for seen in (kernel(devices={0: device(minor=77)}), others):
        found = layer(wanted, seen=seen, generations={BELOW: None})
        assert found.presence(wanted, BELOW) is Presence.FOREIGN
        assert found.bring_up(wanted, BELOW) == []
        gone = volume(wanted=False, last=True)
        assert not commands(layer(gone, seen=seen).take_down(gone, BELOW))


def test_a_device_on_another_one_than_ours_is_not_ours() -> None:
    wanted = volume()
    found = layer(wanted, seen=kernel(), backings={1000: "/dev/sdx"})
    assert found.presence(wanted, BELOW) is Presence.FOREIGN


def test_a_disk_that_was_lost_is_not_called_ready() -> None:
    wanted = volume()
    found = layer(wanted, seen=kernel(devices={0: device("Diskless")}), generations={BELOW: OLD_DATA}, backings={})
    assert found.presence(wanted, BELOW) is Presence.HIDDEN


# -- growing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "peer_role", "id_of_peer", "steps"),
    [
        ("Primary", "Secondary", 1, ["drbdadm resize web/0"]),
        ("Secondary", "Primary", 1, []),
        ("Secondary", "Secondary", 1, ["drbdadm primary web", "drbdadm resize web/0", "drbdadm secondary web"]),
        ("Secondary", "Secondary", -1, []),
    ],
    ids=["in use here", "in use there", "the lowest", "another is lower"],
)
def test_one_node_grows_the_device_for_both(role: str, peer_role: str, id_of_peer: int, steps: list[str]) -> None:
    peer = WantedPeer(node="bravo", node_id=id_of_peer, address="10.0.0.2", port=7001)
    wanted = volume(peers=(peer,), grow=True)
    seen = kernel(role, peer_role=peer_role, devices={0: device(size=16 * MIB)})
    found = layer(wanted, seen=seen, noted=carried_out(volume(peers=(peer,))))
    assert commands(found.bring_up(wanted, BELOW)) == steps


def test_a_single_replica_is_told_to_grow_without_asking_anybody() -> None:
    """Alone, 8.4 keeps the size that was last agreed on, and calls that a success."""
    wanted = volume(peers=(), grow=True)
    seen = kernel("Primary", devices={0: device(size=16 * MIB)})
    found = layer(wanted, seen=seen, noted=carried_out(volume(peers=())))
    assert commands(found.bring_up(wanted, BELOW)) == ["drbdadm -- --assume-peer-has-space resize web/0"]


def test_a_difference_in_size_shrinks_no_device() -> None:
    wanted = volume(grow=True)
    seen = kernel("Primary", devices={0: device(size=40 * MIB)})
    assert layer(wanted, seen=seen, noted=carried_out(wanted)).bring_up(wanted, BELOW) == []


@pytest.mark.parametrize("state", ["SyncSource", "SyncTarget", "Off"])
def test_a_device_does_not_grow_while_it_is_synchronized_or_alone(state: str) -> None:
    wanted = volume(grow=True)
    seen = kernel("Primary", devices={0: device(size=16 * MIB)}, replication=state)
    assert layer(wanted, seen=seen, noted=carried_out(wanted)).bring_up(wanted, BELOW) == []


@pytest.mark.parametrize("state", ["WFBitMapS", "WFBitMapT"])
def test_nodes_that_met_with_different_sizes_and_wait_for_each_other_meet_again(state: str) -> None:
    wanted = volume(grow=True)
    seen = kernel(devices={0: device(size=16 * MIB)}, replication=state)
    taken_back, apart = layer(wanted, seen=seen, noted=carried_out(wanted)).bring_up(wanted, BELOW)
    assert str(apart) == "drbdadm disconnect web"
    assert isinstance(taken_back, WriteFile)
    cut = {"web": taken_back.content}  # at any moment after that they are connected again
    standing = layer(wanted, seen=kernel(replication="Off"), noted=cut)
    assert "drbdadm adjust web" in commands(standing.bring_up(wanted, BELOW))
    grown = kernel(replication=state)
    assert layer(wanted, seen=grown, noted=carried_out(wanted)).bring_up(wanted, BELOW) == []


def test_what_was_made_primary_only_to_grow_does_not_stay_so() -> None:
    wanted = volume(grow=True)
    found = layer(wanted, seen=kernel("Primary"), noted=carried_out(wanted), lent=frozenset({"web"}))
    assert [str(step) for step in found.bring_up(wanted, BELOW)] == [
        "drbdadm secondary web",
        "remove /var/lib/orlop/drbd/web.lent",
    ]


def test_one_that_came_back_secondary_is_not_told_to_be() -> None:
    wanted = volume()
    found = layer(wanted, seen=kernel(), noted=carried_out(wanted), lent=frozenset({"web"}))
    assert [str(step) for step in found.bring_up(wanted, BELOW)] == ["remove /var/lib/orlop/drbd/web.lent"]


def test_a_device_does_not_grow_before_what_is_below_has_grown_everywhere() -> None:
    wanted = volume(grow=False)
    found = layer(wanted, seen=kernel("Primary", devices={0: device(size=16 * MIB)}), noted=carried_out(wanted))
    assert found.bring_up(wanted, BELOW) == []


def test_metadata_that_was_left_behind_by_growing_is_moved_before_anything_else() -> None:
    wanted = volume()
    found = layer(wanted, generations={BELOW: drbd_metadata.DISPLACED})
    assert found.presence(wanted, BELOW) is Presence.HIDDEN
    assert [str(step) for step in found.bring_up(wanted, BELOW)] == [f"drbdmeta 1000 v08 {BELOW} internal check-resize"]


def test_metadata_of_an_earlier_volume_is_not_moved_into_a_new_one() -> None:
    wanted = volume(new=True)
    steps = layer(wanted, generations={BELOW: drbd_metadata.DISPLACED}).bring_up(wanted, BELOW)
    assert steps == [RemoveFile(path="/var/lib/drbd/drbd-minor-1000.lkbd")]


# -- down -------------------------------------------------------------------------------------------------------------


def test_a_replica_goes_while_a_peer_is_connected_and_up_to_date() -> None:
    gone = volume(wanted=False)
    assert commands(layer(gone, seen=kernel()).take_down(gone, BELOW)) == ["drbdsetup down web"]


@pytest.mark.parametrize(
    "seen",
    [
        kernel(peer="Inconsistent"),
        kernel(state="Connecting"),
        kernel(state="StandAlone"),
        *(kernel(replication=state) for state in ("WFBitMapS", "SyncSource", "PausedSyncS", "Ahead")),
        {},
    ],
    ids=["peer behind", "peer away", "split brain", "peer just met", "peer gets data", "later", "skips", "not up"],
)
def test_what_may_be_the_last_copy_is_kept(seen: dict[str, Resource]) -> None:
    gone = volume(wanted=False)
    found = layer(gone, seen=seen, generations={} if seen else {BELOW: OLD_DATA})
    with pytest.raises(Refused, match="is kept"):
        found.take_down(gone, BELOW)


@pytest.mark.parametrize("state", ["Established", "SyncTarget", "WFBitMapT", "VerifyS"])
def test_a_peer_that_gets_nothing_from_here_has_everything(state: str) -> None:
    gone = volume(wanted=False)
    assert commands(layer(gone, seen=kernel(replication=state)).take_down(gone, BELOW)) == ["drbdsetup down web"]


def test_what_is_closed_below_is_never_taken_for_nothing() -> None:
    gone = volume(wanted=False)
    closed = Drbd(here="alpha", standing=(Standing(volume=gone, below=None, ready=False),))
    assert closed.unjudged(gone, None)
    with pytest.raises(Refused, match="is kept"):
        closed.take_down(gone, None)
    nowhere = Drbd(here="alpha", standing=(Standing(volume=gone, below=None, ready=False, stored=False),))
    assert not nowhere.unjudged(gone, None)
    assert nowhere.take_down(gone, None) == []
    for other in (volume(wanted=False, last=True), volume(wanted=False, new=True)):
        spared = Drbd(here="alpha", standing=(Standing(volume=other, below=None, ready=False),))
        assert not spared.unjudged(other, None)


def test_what_is_to_go_is_not_made_primary() -> None:
    gone = volume(wanted=False)
    with pytest.raises(Refused, match="not made primary"):
        layer(gone, seen=kernel()).operate("web", ReplicaOrder(verb=ReplicaVerb.PRIMARY))


def test_what_comes_up_to_be_compared_calls_nobodys_handlers() -> None:
    going = {"resource": {"Handlers/before-resync-target": "/bin/true"}}
    gone, kept = volume(wanted=False, **going), volume(1, wanted=False, **going)
    found = layer(gone, kept, generations={below(v): OLD_DATA for v in (gone, kept)})
    wanted = volume(**going)
    (written,) = [s for s in found.bring_up(wanted, BELOW) if isinstance(s, WriteFile) and s.path.endswith(".res")]
    assert "volume 1 {" in written.content
    assert "handlers" not in written.content
    (usual,) = [
        s
        for s in layer(wanted, generations={BELOW: OLD_DATA}).bring_up(wanted, BELOW)
        if isinstance(s, WriteFile) and s.path.endswith(".res")
    ]
    assert "before-resync-target" in usual.content


def test_the_last_copy_goes_when_nobody_is_to_keep_the_data() -> None:
    gone = volume(wanted=False, last=True)
    assert commands(layer(gone, seen=kernel(state="Connecting")).take_down(gone, BELOW)) == ["drbdsetup down web"]


def test_what_is_primary_is_proven_unused_first() -> None:
    gone = volume(wanted=False)
    steps = layer(gone, seen=kernel("Primary")).take_down(gone, BELOW)
    assert steps[0] == RequireUnused(device="/dev/drbd1000")


def test_one_volume_of_two_goes_alone() -> None:
    gone, kept = volume(0, wanted=False), volume(1)
    seen = kernel(devices={0: device(), 1: device(minor=1001)})
    assert commands(layer(gone, kept, seen=seen, noted={"web": "x"}).take_down(gone, BELOW)) == [
        "drbdsetup detach 1000",
        "drbdsetup del-minor 1000",
    ]


def test_what_is_closed_keeps_its_data_and_loses_its_files() -> None:
    closed = volume(active=False)
    seen = layer(closed, seen=kernel(state="Connecting"), noted={"web": "x"}, lent=frozenset({"web"}))
    steps = seen.take_down(closed, BELOW)
    assert commands(steps) == ["drbdsetup down web"]
    assert {step.path for step in steps if isinstance(step, RemoveFile)} == {
        "/var/lib/orlop/drbd/web.res",
        "/var/lib/orlop/drbd/web.draft",
        "/var/lib/orlop/drbd/web.done",
        "/var/lib/orlop/drbd/web.lent",
    }


# -- the file ---------------------------------------------------------------------------------------------------------

WHOLE = """resource "web" {
    net {
        cram-hmac-alg sha256;
        ping-int 3;
        shared-secret "@secret@";
    }
    disk {
        fencing resource-only;
        resync-rate 102400;
    }
    on "alpha" {
        address ipv4 10.0.0.1:7000;
        volume 0 {
            device minor 1000;
            disk "/dev/vg0/web_00000";
            meta-disk internal;
            disk {
                al-extents 1237;
            }
        }
    }
    on "bravo" {
        address ipv4 10.0.0.2:7001;
        volume 0 {
            device minor 1000;
            disk "/dev/drbd/this/is/not/used";
            meta-disk internal;
            disk {
                al-extents 1237;
            }
        }
    }
}
"""


def test_every_option_stands_where_the_old_drbd_looks_for_it() -> None:
    between = {
        "Net/ping-int": "3",
        "Net/fencing": "resource-only",
        "Net/transport": "rdma",
        "Net/shared-secret": "known",
        "PeerDevice/resync-rate": "102400",
        "PeerDevice/bitmap": "no",
    }
    peer = WantedPeer(node="bravo", node_id=1, address="10.0.0.2", port=7001, options=between)
    wanted = volume(peers=(peer,), options={"Disk/al-extents": "1237"}, resource={"Resource/quorum": "majority"})
    assert text(wanted) == WHOLE


def test_without_a_peer_the_other_end_is_nobody() -> None:
    assert 'on "orlop-nobody-1000" {' in text(volume(peers=()))  # in all files, no two hosts share an address
    steps = layer(volume(peers=()), generations={BELOW: OLD_DATA}).bring_up(volume(peers=()), BELOW)
    assert commands(steps)[-1] == "drbdadm disconnect web"


def test_an_address_of_version_six_is_written_as_such() -> None:
    peer = WantedPeer(node="bravo", node_id=1, address="fd00::2", port=7001)
    assert "address ipv6 [fd00::2]:7001;" in text(volume(peers=(peer,)))


@pytest.mark.parametrize("value", ['a" }', "a\\b", "a\nb"])
def test_no_value_leaves_its_quotes(value: str) -> None:
    with pytest.raises(Refused, match="DRBD cannot be told"):
        text(volume(resource={"Handlers/split-brain": value}))


def test_a_plan_does_not_show_what_is_in_a_file() -> None:
    step = WriteFile(path="/etc/x", content="secret word", secret="drbd/d")
    assert "secret word" not in repr(step) + str(step)


# -- what was recorded ------------------------------------------------------------------------------------------------


def recorded(name: str) -> str:
    return (RECORDED / f"drbdsetup-{name}-8.4.11.txt").read_text()


@pytest.mark.parametrize(
    ("name", "role", "disk", "state", "replication", "peer"),
    [
        ("events-connected", "Secondary", "UpToDate", "Connected", "Established", "UpToDate"),
        ("events-synchronizing", "Primary", "UpToDate", "Connected", "SyncSource", "Inconsistent"),
        ("events-alone", "Secondary", "UpToDate", "Connecting", "Off", "DUnknown"),
        ("events-split", "Secondary", "UpToDate", "StandAlone", "Off", "DUnknown"),
    ],
)
def test_what_the_kernel_tells(name: str, role: str, disk: str, state: str, replication: str, peer: str) -> None:
    seen = resources(recorded(name))["r0"]
    (connection,) = seen.connections
    assert (seen.role, seen.devices[0].disk, seen.devices[0].minor) == (role, disk, 1000)
    part = PeerDevice(replication=replication, disk=peer, out_of_sync=connection.volumes[0].out_of_sync)
    assert (connection.state, connection.volumes[0]) == (state, part)


def test_what_differs_is_told_in_kib() -> None:
    seen = resources(recorded("events-split"))["r0"]
    assert (seen.devices[0].written, seen.connections[0].volumes[0].out_of_sync) == (95248, 7144)


def test_sizes_are_told_in_kib() -> None:
    assert resources(recorded("events-connected"))["r0"].devices[0].size == 40920 << 10


def test_nothing_configured_is_no_resource() -> None:
    assert resources("exists -\n") == {}


def test_other_words_are_not_guessed_at() -> None:
    with pytest.raises(CannotRead):
        resources("Could not connect to 'drbd' generic netlink family\n")


def test_the_device_below_is_shown() -> None:
    assert backings(recorded("show")) == ({1000: "/dev/vg0/r0"}, {})


def test_the_device_that_has_the_metadata_is_shown() -> None:
    apart = recorded("show").replace("internal;", '"/dev/vg0/r0_00000.-meta";')
    assert backings(apart) == ({1000: "/dev/vg0/r0"}, {1000: "/dev/vg0/r0_00000.-meta"})


@pytest.mark.parametrize("section", ["disk", "net"])
def test_the_table_of_options_is_what_the_tools_describe(section: str) -> None:
    described = (RECORDED / f"drbdsetup-{section}-options-8.4.xml").read_text()
    assert drbd_options.KNOWN[section] == set(re.findall(r'option name="([^"]+)"', described)) - {"set-defaults"}


# -- looking ----------------------------------------------------------------------------------------------------------


def node() -> SimulatedHost:
    host = SimulatedHost(name="alpha")
    host.join(SimulatedNetwork())
    host.disk.add_disk(BELOW, 64 * MIB)
    return host


def look(host: SimulatedHost, wanted: WantedVolume) -> Drbd:
    return Drbd.observe(host, (Standing(volume=wanted, below=BELOW, ready=True),), "cluster")


def test_a_blank_device_is_known_by_what_the_tool_says() -> None:
    wanted = volume(new=True)
    assert look(node(), wanted).presence(wanted, BELOW) is Presence.ABSENT


def test_a_new_device_with_a_signature_is_left_as_it_is() -> None:
    host, wanted = node(), volume(new=True)
    host.disk.content(BELOW).signatures[:] = ["ext4"]
    with pytest.raises(NodeError, match="already carries ext4"):
        look(host, wanted).bring_up(wanted, BELOW)


@pytest.mark.parametrize(("code", "number"), [("0x080307", "8.3.7"), ("0x090012", "9.0.18")])
def test_a_drbd_that_is_too_old_is_refused_with_its_number(code: str, number: str) -> None:
    host = node()
    host.installed["drbdadm"] = lambda disk, arguments: f"DRBD_KERNEL_VERSION_CODE={code}\n"
    (reason,) = Drbd.kernel_restrictions(host)
    assert reason == f"the kernel has DRBD {number}; this works with DRBD 8.4, and with DRBD 9 from 9.0.19 on"
    with pytest.raises(NodeError):
        look(host, volume())


def test_a_kernel_without_drbd_is_told() -> None:
    host = node()
    host.installed["drbdadm"] = lambda disk, arguments: "DRBD_KERNEL_VERSION_CODE=0x000000\n"
    assert Drbd.kernel_restrictions(host) == ("the kernel has no DRBD",)


def test_after_a_reboot_what_was_carried_out_before_does_not_count() -> None:
    wanted = volume()
    found = layer(wanted, generations={BELOW: OLD_DATA}, noted=carried_out(wanted))
    assert "drbdadm adjust web" in commands(found.bring_up(wanted, BELOW))


def test_a_tool_that_cannot_read_proves_nothing() -> None:
    def busy(disk: object, arguments: tuple[str, ...]) -> str:
        raise CommandFailed(("drbdmeta",), 20, f"open({BELOW}) failed: Device or resource busy")

    host, wanted = node(), volume(new=True)
    host.installed["drbdmeta"] = busy
    seen = look(host, wanted)
    assert seen.presence(wanted, BELOW) is Presence.HIDDEN
    with pytest.raises(CannotRead, match="resource busy"):
        seen.bring_up(wanted, BELOW)


def test_a_first_generation_is_not_that_of_a_primary() -> None:
    """Its lowest bit says that the data is being changed."""
    uuids = [f"uuid-{number}" for number in range(32)]
    place = Place(minor=1000, device=BELOW)
    told = [str(drbd_metadata.declare_first(place, uuid, "")[-1]).split()[-1] for uuid in uuids]
    made = [each.partition(":")[0] for each in told]
    assert len(set(made)) == 32
    assert all(int(generation, 16) % 2 == 0 for generation in made)


def test_a_resource_comes_up_with_all_of_its_volumes_or_not_at_all() -> None:
    """DRBD 8.4 that meets a peer with more volumes than it has itself hangs."""
    one, two = volume(), volume(1)
    with pytest.raises(NodeError, match="not brought up without web_00001"):
        layer(one, two, generations={below(one): OLD_DATA}).bring_up(one, BELOW)
    both = {below(one): OLD_DATA, below(two): OLD_DATA}
    assert "drbdadm adjust web" in commands(layer(one, two, generations=both).bring_up(one, BELOW))
    up = layer(one, two, seen=kernel(), generations={})  # one that is added to it, or has failed, holds up nothing
    assert "drbdadm adjust web" in commands(up.bring_up(one, BELOW))
