"""The layer DRBD on nodes with DRBD 9: several peers, nodes without disks, and data that need not be copied."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orlop.errors import BadProperty, CannotRead, CommandFailed, NodeError, Refused
from orlop.model import (
    MIB,
    Presence,
    ReplicaOrder,
    ReplicaVerb,
    WantedDrbd,
    WantedLevel,
    WantedPath,
    WantedPeer,
    WantedReplica,
    WantedVolume,
)
from orlop.plugin import RemoveFile, RequireTold, RequireUnused, Run, Standing, Step, WriteFile
from orlop.testing import SimulatedHost
from orlop_layers import drbd_config, drbd_metadata, drbd_options, drbd_ports
from orlop_layers.drbd import Drbd
from orlop_layers.drbd_config import Member
from orlop_layers.drbd_files import judged_of
from orlop_layers.drbd_seen import Connection, Device, PeerDevice, Resource, backings, resources
from orlop_layers.drbd_version import Version

RECORDED = Path(__file__).parent.parent / "recorded"
BELOW = "/dev/vg0/web_00000"
NINE = Version(kernel=(9, 3, 3), tools=(9, 22, 0))
NINE_TWO = Version(kernel=(9, 2, 13), tools=(9, 22, 0))
OLD_DATA, DAY0 = "1111111111111110", "1234567890ABCDE0"
BRAVO = WantedPeer(node="bravo", node_id=1, address="10.0.0.2", port=7001)
CHARLY = WantedPeer(node="charly", node_id=2, address="10.0.0.3", port=7002, diskless=True)


def volume(peers: tuple[WantedPeer, ...] = (BRAVO, CHARLY), diskless: bool = False, **more: Any) -> WantedVolume:
    own = {name: more.pop(name) for name in ("first", "last", "grow", "options", "day0", "equal") if name in more}
    number, uuid = more.pop("number", 0), more.pop("uuid", "v-0")
    replica = WantedReplica(
        definition="d-uuid",
        node_id=0,
        address="10.0.0.1",
        port=7000,
        peers=peers,
        diskless=more.pop("replica_diskless", diskless),
        client=more.pop("client", False),
        slots=more.pop("slots", 7),
        skip_disk=more.pop("skip_disk", False),
        options=more.pop("resource", {}),
    )
    levels = (WantedLevel(layer="DRBD", size=24 * MIB), WantedLevel(layer="STORAGE", size=28 * MIB))
    return WantedVolume(
        resource="web",
        number=number,
        uuid=uuid,
        pool="pool",
        levels=levels[:1] if diskless else levels,
        drbd=WantedDrbd(replica=replica, minor=1000 + number, **own),
        **more,
    )


def kernel(disk: str = "UpToDate", peer: str = "UpToDate", role: str = "Secondary", **more: Any) -> dict[str, Resource]:
    """Connected to bravo, which has a disk, and to charly, which has none; told in another order than wanted."""

    def connection(name: str, node_id: int, there: str) -> Connection:
        part = PeerDevice(replication=more.get("replication", "Established"), disk=there)
        return Connection(state="Connected", role=more.get("peer_role", "Secondary"), name=name, node_id=node_id,
                          volumes={0: part})  # fmt: skip

    connections = (connection("charly", 2, "Diskless"), connection("bravo", 1, peer))
    devices = {0: Device(minor=1000, disk=disk, size=more.get("size", 24 * MIB))}
    return {"web": Resource(name="web", role=role, suspended=False, devices=devices, connections=connections)}


def layer(*volumes: WantedVolume, **seen: Any) -> Drbd:
    standing = tuple(Standing(volume=v, below=below(v), ready=True) for v in volumes)
    found = seen.get("seen", {})
    on = {d.minor: BELOW for r in found.values() for d in r.devices.values() if d.disk != "Diskless"}
    return Drbd(here="alpha", standing=standing, **{"version": NINE, "backings": on, "known": KNOWN, **seen})


KNOWN = {"Resource": frozenset({"quorum", "on-no-quorum"}), "Net": frozenset({"protocol"})}


def below(of: WantedVolume) -> str | None:
    return None if len(of.levels) == 1 else f"/dev/vg0/{of.name}"


def commands(steps: list[Step]) -> list[str]:
    return [" ".join(step.argv) for step in steps if isinstance(step, Run)]


def brought_up(wanted: WantedVolume, *others: WantedVolume, **seen: Any) -> list[str]:
    return commands(layer(wanted, *others, **seen).bring_up(wanted, below(wanted)))


def carried_out(*volumes: WantedVolume, **seen: Any) -> dict[str, str]:
    """The note of a file that was carried out, as it lies on the disk."""
    note = layer(*volumes, seen=kernel(**seen)).bring_up(volumes[0], below(volumes[0]))[-1]
    assert isinstance(note, WriteFile)
    return {"web": note.content}


# -- metadata ---------------------------------------------------------------------------------------------------------


def test_metadata_has_room_for_the_wanted_peers_and_says_whose_it_is() -> None:
    made = brought_up(volume(new=True, slots=15), generations={BELOW: None})
    assert made[0] == f"drbdmeta --force 1000 v09 {BELOW} internal create-md 15"
    assert re.fullmatch(rf"drbdmeta --force 1000 v09 {BELOW} internal write-dev-uuid [0-9A-F]{{16}}", made[1])
    assert len(made) == 2


def test_the_first_replica_bases_its_bitmaps_on_day_0_before_it_is_good() -> None:
    made = brought_up(volume(new=True, first=True, day0=DAY0), generations={BELOW: None})[2:]
    based = [line.split()[-2:] for line in made[:-1]]
    assert based == [[str(node), f":{DAY0}"] for node in range(1, 32)]
    assert re.search(r"set-gi --node-id 0 [0-9A-F]{16}:0:0:0:1:1$", made[-1])
    assert DAY0 not in made[-1]


def test_without_day_0_the_first_replica_only_says_that_it_is_good() -> None:
    made = brought_up(volume(new=True, first=True), generations={BELOW: None})[2:]
    assert len(made) == 1
    assert "--node-id 0 " in made[0]


def test_a_replica_that_reads_as_zeros_begins_at_day_0_and_counts_from_it() -> None:
    made = brought_up(volume(new=True, equal=True, day0=DAY0), generations={BELOW: None})[2:]
    assert [line.split()[-2:] for line in made[:-1]] == [[str(node), f":{DAY0}"] for node in range(1, 32)]
    assert made[-1].endswith(f"set-gi --node-id 0 {DAY0}:0:0:0:1:1")


@pytest.mark.parametrize("told", [{"day0": DAY0}, {"equal": True}, {}])
def test_nothing_is_taken_for_equal_without_being_told(told: dict[str, Any]) -> None:
    assert not any("set-gi" in line for line in brought_up(volume(new=True, **told), generations={BELOW: None}))


def test_what_was_cut_before_it_was_declared_is_declared_before_anything_attaches_it() -> None:
    """Also where another volume of the resource comes first."""
    made = {BELOW: OLD_DATA, "/dev/vg0/web_00001": drbd_metadata.JUST_CREATED}
    old, new = volume(), volume(number=1, uuid="v-1", new=True, equal=True, day0=DAY0)
    both = layer(old, new, generations=made)
    steps = both.bring_up(old, BELOW)
    assert "web_00001" not in "".join(step.content for step in steps if isinstance(step, WriteFile))
    assert commands(both.bring_up(new, "/dev/vg0/web_00001"))[-1].endswith(f"--node-id 0 {DAY0}:0:0:0:1:1")


Answer = Callable[[tuple[str, ...]], str]


def node(meta: Answer, signatures: str = "") -> SimulatedHost:
    """A node whose metadata answers as told."""
    host = SimulatedHost(name="alpha")
    host.installed["drbdadm"] = lambda disk, arguments: (
        "DRBD_KERNEL_VERSION_CODE=0x090303\nDRBDADM_VERSION_CODE=0x091600\n"
    )
    host.installed["drbdsetup"] = lambda disk, arguments: "exists -\n"
    host.installed["drbdmeta"] = lambda disk, arguments: meta(arguments)
    host.disk.add_disk(BELOW, 64 * MIB)
    if signatures:
        host.disk.content(BELOW).signatures[:] = [signatures]
    return host


def look(host: SimulatedHost, wanted: WantedVolume) -> Drbd:
    return Drbd.observe(host, (Standing(volume=wanted, below=BELOW, ready=True),), "cluster")


def metadata(generation: str, mark: str) -> Answer:
    def answer(arguments: tuple[str, ...]) -> str:
        if "read-dev-uuid" in arguments:
            return f"{mark}\n"
        assert arguments == ("1000", "v09", BELOW, "internal", "get-gi", "--node-id", "0")
        return f"{generation}:{DAY0}:{'0' * 16}:{'0' * 16}:1:1:0:0:1:0:0:0:0:0:0:0\n"

    return answer


def no_metadata(arguments: tuple[str, ...]) -> str:
    raise CommandFailed(("drbdmeta", *arguments), 1, "No valid meta data found" if "dump-md" in arguments else "")


def mark_of(wanted: WantedVolume) -> str:
    return brought_up(wanted, generations={BELOW: None})[1].split()[-1]


def test_metadata_that_another_volume_left_is_made_anew() -> None:
    new = volume(new=True)
    seen = look(node(metadata(OLD_DATA, "0123456789ABCDEF"), signatures="drbd"), new)
    assert seen.presence(new, BELOW) is Presence.ABSENT
    assert "create-md" in commands(seen.bring_up(new, BELOW))[0]


def test_metadata_of_its_own_is_kept_while_it_is_new() -> None:
    new = volume(new=True)
    seen = look(node(metadata(OLD_DATA, mark_of(new))), new)
    assert seen.presence(new, BELOW) is Presence.HIDDEN
    assert "drbdadm adjust web" in commands(seen.bring_up(new, BELOW))


def test_metadata_of_a_volume_that_is_not_new_is_never_made_anew() -> None:
    old = volume()
    assert look(node(metadata(OLD_DATA, "0123456789ABCDEF")), old).presence(old, BELOW) is Presence.HIDDEN
    assert look(node(no_metadata), old).presence(old, BELOW) is Presence.MISSING


def test_a_file_system_under_a_new_volume_is_left_unless_it_came_from_a_snapshot() -> None:
    new, restored = volume(new=True), volume(new=True, source="snapshot-uuid")
    with pytest.raises(NodeError, match="already carries ext4"):
        look(node(no_metadata, signatures="ext4"), new).bring_up(new, BELOW)
    found = look(node(metadata(OLD_DATA, "0123456789ABCDEF"), signatures="ext4"), restored)
    assert "create-md" in commands(found.bring_up(restored, BELOW))[0]


# -- the file ---------------------------------------------------------------------------------------------------------


def text(*volumes: WantedVolume, version: Version = NINE) -> str:
    members = [
        Member(resource="web", number=v.number, drbd=v.drbd, below=below(v)) for v in volumes if v.drbd is not None
    ]
    return drbd_config.text("web", "alpha", members, version)


def test_every_node_and_every_connection_of_this_one_has_a_section() -> None:
    quorum = {"Resource/quorum": "majority", "Handlers/split-brain": "/usr/bin/tell me"}
    bravo = WantedPeer(
        node="bravo", node_id=1, address="10.0.0.2", port=7001,
        options={"Net/protocol": "A", "PeerDevice/c-max-rate": "4M"},
    )  # fmt: skip
    assert text(volume(peers=(bravo, CHARLY), resource=quorum, options={"Disk/al-extents": "6007"})) == (
        'resource "web" {\n'
        "    options {\n"
        "        quorum majority;\n"
        "    }\n"
        "    handlers {\n"
        '        split-brain "/usr/bin/tell me";\n'
        "    }\n"
        "    net {\n"
        "        cram-hmac-alg sha256;\n"
        '        shared-secret "@secret@";\n'
        "    }\n"
        '    on "alpha" {\n'
        "        node-id 0;\n"
        "        volume 0 {\n"
        "            device minor 1000;\n"
        f'            disk "{BELOW}";\n'
        "            meta-disk internal;\n"
        "            disk {\n"
        "                al-extents 6007;\n"
        "            }\n"
        "        }\n"
        "    }\n"
        '    on "bravo" {\n'
        "        node-id 1;\n"
        "        volume 0 {\n"
        "            device minor 1000;\n"
        '            disk "/dev/drbd/this/is/not/used";\n'
        "            meta-disk internal;\n"
        "            disk {\n"
        "                al-extents 6007;\n"
        "            }\n"
        "        }\n"
        "    }\n"
        '    on "charly" {\n'
        "        node-id 2;\n"
        "        volume 0 {\n"
        "            device minor 1000;\n"
        "            disk none;\n"
        "            disk {\n"
        "                al-extents 6007;\n"
        "            }\n"
        "        }\n"
        "    }\n"
        "    connection {\n"
        '        host "alpha" address ipv4 10.0.0.1:7000;\n'
        '        host "bravo" address ipv4 10.0.0.2:7001;\n'
        "        net {\n"
        "            protocol A;\n"
        "        }\n"
        "        disk {\n"
        "            c-max-rate 4M;\n"
        "        }\n"
        "    }\n"
        "    connection {\n"
        '        host "alpha" address ipv4 10.0.0.1:7000;\n'
        '        host "charly" address ipv4 10.0.0.3:7002;\n'
        "    }\n"
        "}\n"
    )


def test_several_ways_between_two_nodes_are_paths_of_one_connection() -> None:
    paths = (WantedPath(here="10.1.0.1", there="10.1.0.2"), WantedPath(here="fd00::1", there="fd00::2"))
    bravo = WantedPeer(node="bravo", node_id=1, address="10.0.0.2", port=7001, paths=paths)
    found = text(volume(peers=(bravo,)))
    assert found.count("path {") == 2
    assert 'host "bravo" address ipv4 10.1.0.2:7001;' in found
    assert 'host "alpha" address ipv6 [fd00::1]:7000;' in found
    assert "10.0.0" not in found


def test_two_nodes_without_disks_are_not_connected() -> None:
    found = text(volume(diskless=True))
    assert '"bravo"' in found
    assert "charly" not in found
    assert "disk none;" in found.partition('"bravo"')[0]


def test_a_client_has_no_vote_where_the_tools_can_say_so() -> None:
    client = volume(diskless=True, client=True)
    assert "tiebreaker no;" in text(client, version=Version(kernel=(9, 3, 3), tools=(9, 34, 0)))
    assert "tiebreaker" not in text(client)
    assert "tiebreaker" not in text(volume(diskless=True), version=Version(kernel=(9, 3, 3), tools=(9, 34, 0)))


def test_an_option_that_the_tools_do_not_know_is_told_and_nothing_is_written() -> None:
    wanted = volume(resource={"Resource/quorom": "majority"})
    with pytest.raises(BadProperty, match="does not know the option quorom"):
        brought_up(wanted, generations={BELOW: OLD_DATA})
    assert brought_up(volume(resource={"Resource/quorum": "majority"}), generations={BELOW: OLD_DATA})


def test_the_tools_are_asked_for_the_options_that_are_used() -> None:
    host = node(no_metadata)
    host.installed["drbdsetup"] = lambda disk, arguments: (
        (RECORDED / f"drbdsetup-{arguments[1]}-9.22.0.xml").read_text() if arguments[0] == "xml-help" else "exists -\n"
    )
    known = drbd_options.described(host, frozenset({"Resource", "Net", "Disk", "PeerDevice"}))
    assert {"quorum", "on-no-quorum", "auto-promote"} <= known["Resource"]
    assert {"transport", "protocol", "allow-remote-read"} <= known["Net"]
    assert {"al-extents", "rs-discard-granularity", "max-bio-size"} <= known["Disk"]
    assert {"c-plan-ahead", "resync-rate"} <= known["PeerDevice"]
    assert "quorum-lost" in known["Handlers"]
    seen = look(host, volume(resource={"Resource/quorum": "majority"}))
    assert set(seen.known) == {"Resource", "Handlers"}


def test_the_old_drbd_tells_which_options_it_does_not_know() -> None:
    wanted = volume(resource={"Resource/quorum": "majority"}, options={"Disk/al-extents": "6007"})
    old = Drbd(here="alpha", standing=(Standing(volume=wanted, below=BELOW, ready=True),), seen=kernel())
    assert old.facts(wanted, BELOW)["ignored"] == "Resource/quorum"


# -- life -------------------------------------------------------------------------------------------------------------


def test_a_node_without_a_disk_needs_nothing_but_the_file() -> None:
    wanted = volume(diskless=True)
    assert brought_up(wanted) == ["drbdadm -c /var/lib/orlop/drbd/web.draft sh-nop", "drbdadm adjust web"]
    up = layer(wanted, seen=kernel(disk="Diskless"), noted=carried_out(wanted, disk="Diskless"))
    assert up.presence(wanted, None) is Presence.READY
    assert up.bring_up(wanted, None) == []
    assert layer(wanted).presence(wanted, None) is Presence.HIDDEN


def test_without_any_peer_there_is_nothing_to_disconnect() -> None:
    found = brought_up(volume(peers=()), generations={BELOW: OLD_DATA})
    assert found[-1] == "drbdadm adjust web"


def test_a_disk_that_is_added_gets_metadata_and_is_attached_while_the_device_is_in_use() -> None:
    wanted = volume(new=True, uuid="v-new")
    up = {"seen": kernel(disk="Diskless", role="Primary"), "version": Version(kernel=(9, 2, 13))}
    assert "create-md" in brought_up(wanted, generations={BELOW: None}, **up)[0]
    found = brought_up(wanted, generations={BELOW: drbd_metadata.JUST_CREATED}, **up)
    assert found == ["drbdadm -c /var/lib/orlop/drbd/web.draft sh-nop", "drbdadm adjust web"]


def test_connections_that_nobody_may_miss_go_while_a_disk_is_attached() -> None:
    """DRBD 9.2.13 waits for good now and then otherwise."""
    wanted, made = volume(new=True, uuid="v-new"), {BELOW: drbd_metadata.JUST_CREATED}

    def found(**seen: Any) -> list[str]:
        return brought_up(wanted, generations=made, seen=kernel(disk="Diskless", **seen), version=NINE_TWO)[1:]

    assert found() == ["drbdadm disconnect web", "drbdadm adjust web"]
    assert found(role="Primary") == ["drbdadm adjust web"]
    assert found(peer="Outdated") == ["drbdadm adjust web"]
    away = kernel(disk="Diskless")
    one, two = away["web"].connections
    away["web"] = replace(away["web"], connections=(one, replace(two, state="Connecting")))
    assert brought_up(wanted, generations=made, seen=away, version=NINE_TWO)[1:] == ["drbdadm adjust web"]


def test_where_a_disk_is_attached_only_without_connections_they_go_for_a_moment() -> None:
    """DRBD 9.3.3 waits for good otherwise."""
    wanted, made = volume(new=True, uuid="v-new"), {BELOW: drbd_metadata.JUST_CREATED}
    assert brought_up(wanted, generations=made, seen=kernel(disk="Diskless"))[-2:] == [
        "drbdadm disconnect web",
        "drbdadm adjust web",
    ]
    with pytest.raises(Refused, match=r"in use here, and DRBD 9\.3\.3 attaches no disk"):
        brought_up(wanted, generations=made, seen=kernel(disk="Diskless", role="Primary"))
    changed = volume(resource={"Resource/quorum": "majority"})
    assert "drbdadm disconnect web" not in brought_up(changed, seen=kernel(), noted=carried_out(volume()))


def leaving() -> tuple[WantedVolume, WantedVolume]:
    """The incarnation with the disk, and the one without that takes its place."""
    return volume(wanted=False, replica_diskless=True), volume(diskless=True, uuid="v-diskless")


def test_a_disk_that_is_removed_is_detached_and_the_device_stays_up() -> None:
    old, new = leaving()
    steps = layer(old, new, seen=kernel(role="Primary")).take_down(old, BELOW)
    assert commands(steps) == ["drbdsetup detach 1000 --diskless"]
    assert isinstance(steps[0], RequireTold)
    assert not any(isinstance(step, RequireUnused) for step in steps)


def test_the_file_without_the_disk_waits_until_the_disk_is_detached() -> None:
    """Or DRBD would detach it although the data is nowhere else."""
    old, new = leaving()
    assert layer(old, new, seen=kernel()).bring_up(new, None) == []
    detached = layer(old, new, seen=kernel(disk="Diskless"), generations={BELOW: OLD_DATA})
    assert "drbdadm adjust web" in commands(detached.bring_up(new, None))


def test_a_removal_that_was_cut_after_others_were_seen_to_have_the_data_goes_on() -> None:
    """Once DRBD is down, nobody is seen any more."""
    gone = volume(wanted=False)
    with pytest.raises(Refused, match="no other replica"):
        layer(gone, seen={}, generations={BELOW: OLD_DATA}).take_down(gone, BELOW)
    cut = layer(gone, seen={}, generations={BELOW: OLD_DATA}, judged=frozenset({gone.uuid}))
    assert cut.take_down(gone, BELOW) == []
    closed = layer(gone, seen={}, generations={}, judged=frozenset({gone.uuid}))
    assert closed.take_down(gone, None) == []
    removed = (Standing(volume=gone, below=None, ready=False, stored=False),)
    over = replace(closed, standing=removed)
    assert over.take_down(gone, None) == [RemoveFile(path=judged_of(gone))]


def test_one_that_is_up_again_is_judged_again() -> None:
    gone = volume(wanted=False)
    again = layer(gone, seen=kernel(peer="Inconsistent"), judged=frozenset({gone.uuid}))
    with pytest.raises(Refused, match="no other replica"):
        again.take_down(gone, BELOW)
    assert again.unjudged(gone, BELOW)
    wanted = volume()
    taken_back = layer(wanted, seen=kernel(), judged=frozenset({wanted.uuid}))
    assert taken_back.bring_up(wanted, BELOW) == [RemoveFile(path=judged_of(wanted))]


def test_what_is_below_a_detached_disk_goes_and_the_device_is_left_alone() -> None:
    old, new = leaving()
    detached = layer(old, new, seen=kernel(disk="Diskless"), generations={BELOW: OLD_DATA})
    assert detached.presence(old, BELOW) is Presence.ABSENT
    assert detached.take_down(old, BELOW) == []


def test_the_last_disk_is_not_detached() -> None:
    old, new = leaving()
    with pytest.raises(Refused, match="no other replica that is connected and up to date"):
        layer(old, new, seen=kernel(peer="Inconsistent")).take_down(old, BELOW)


def test_a_replica_without_a_disk_goes_without_asking_for_copies() -> None:
    gone = volume(diskless=True, wanted=False)
    steps = layer(gone, seen=kernel(disk="Diskless", peer="Inconsistent")).take_down(gone, None)
    assert commands(steps) == ["drbdsetup down web"]


def told(step: Step, line: str) -> bool:
    assert isinstance(step, RequireTold)
    return re.search(step.pattern, line) is not None


def test_that_there_is_another_copy_is_seen_once_more_right_before_the_data_goes() -> None:
    gone = volume(wanted=False)
    steps = layer(gone, seen=kernel()).take_down(gone, BELOW)
    check, judged, down = steps[:3]
    assert commands([down]) == ["drbdsetup down web"]
    assert judged == WriteFile(path=judged_of(gone), content="")
    lines = (
        (RECORDED / "drbdsetup-events-connected-9.3.3.txt").read_text().replace("name:r0 ", "name:web ").splitlines()
    )
    assert [line for line in lines if told(check, line)] == [line for line in lines if "peer-disk:UpToDate" in line]
    assert len([line for line in lines if told(check, line)]) == 1
    good = next(line for line in lines if told(check, line))
    for stale in ("volume:1", "replication:Off", "peer-disk:Outdated", "name:web2"):
        name, _, _ = stale.partition(":")
        assert not told(check, re.sub(rf"(?<![\w-]){name}:\S+", stale, good))


def test_the_place_of_a_peer_that_left_is_given_free() -> None:
    before = carried_out(volume())
    found = brought_up(volume(peers=(BRAVO,)), seen=kernel(), noted=before)
    assert found[-2:] == ["drbdadm adjust web", "drbdsetup forget-peer web 2"]


def test_the_place_of_a_peer_is_given_free_although_it_was_cut_before() -> None:
    steps = layer(volume(peers=(BRAVO,)), seen=kernel(), noted=carried_out(volume())).bring_up(
        volume(peers=(BRAVO,)), BELOW
    )
    cut = next(step for step in steps if isinstance(step, WriteFile) and step.path.endswith(".done"))
    again = brought_up(volume(peers=(BRAVO,)), seen=kernel(), noted={"web": cut.content})
    assert again[-1] == "drbdsetup forget-peer web 2"
    done = carried_out(volume(peers=(BRAVO,)))
    assert brought_up(volume(peers=(BRAVO,)), seen=kernel(), noted=done) == []


def test_a_peer_that_is_only_disconnected_keeps_its_place() -> None:
    apart = WantedPeer(node="charly", node_id=2, address="10.0.0.3", port=7002, diskless=True, connected=False)
    found = brought_up(volume(peers=(BRAVO, apart)), seen=kernel(), noted=carried_out(volume()))
    assert found[-1] == "drbdadm adjust web"


def test_a_disk_that_cannot_be_read_is_left_out_and_told() -> None:
    broken = {"unreadable": {BELOW: "input/output error"}}
    wanted = volume()
    assert brought_up(wanted, **broken)[-1] == "drbdadm adjust --skip-disk web"
    up = layer(wanted, seen=kernel(disk="Diskless"), noted=carried_out(wanted), **broken)
    assert up.bring_up(wanted, BELOW) == []
    assert up.facts(wanted, BELOW)["skip_disk"] == "yes"
    assert up.presence(wanted, BELOW) is Presence.HIDDEN
    healed = brought_up(wanted, seen=kernel(disk="Diskless"), noted=carried_out(wanted), generations={BELOW: OLD_DATA})
    assert healed[-1] == "drbdadm adjust web"


def test_a_disk_that_failed_once_stays_out_until_an_administrator_says_otherwise() -> None:
    wanted, healed = volume(skip_disk=True), {BELOW: OLD_DATA}
    assert brought_up(wanted, generations=healed)[-1] == "drbdadm adjust --skip-disk web"
    up = layer(wanted, seen=kernel(disk="Diskless"), noted=carried_out(wanted), generations=healed)
    assert up.bring_up(wanted, BELOW) == []
    assert "skip_disk" not in up.facts(wanted, BELOW)  # the failure is told, not the order


@pytest.mark.parametrize("wanted", [volume(new=True), volume(peers=(CHARLY,))], ids=["new", "no other disk"])
def test_a_disk_that_cannot_be_read_is_told_where_there_is_nothing_to_go_on_with(wanted: WantedVolume) -> None:
    with pytest.raises(CannotRead, match="input/output error"):
        brought_up(wanted, unreadable={BELOW: "input/output error"})


def test_a_volume_is_added_to_a_resource_that_is_up_and_removed_again() -> None:
    first, second = volume(), volume(number=1, uuid="v-1", new=True)
    made = {"/dev/vg0/web_00001": drbd_metadata.JUST_CREATED}
    assert "drbdadm adjust web" in brought_up(first, second, seen=kernel(), generations=made, noted=carried_out(first))
    devices = {0: Device(minor=1000, disk="UpToDate"), 1: Device(minor=1001, disk="UpToDate")}
    both = {"web": Resource(name="web", role="Primary", suspended=False, devices=devices)}
    gone = volume(number=1, uuid="v-1", wanted=False, last=True)
    on = {1000: BELOW, 1001: "/dev/vg0/web_00001"}
    steps = layer(first, gone, seen=both, backings=on).take_down(gone, "/dev/vg0/web_00001")
    assert steps == [
        RequireUnused(device="/dev/drbd1001"),
        Run(argv=("drbdsetup", "detach", "1001")),
        Run(argv=("drbdsetup", "del-minor", "1001")),
        RemoveFile(path="/var/lib/drbd/drbd-minor-1001.lkbd"),
    ]


# -- growing ----------------------------------------------------------------------------------------------------------


def grown(wanted: WantedVolume, **seen: Any) -> list[str]:
    return brought_up(wanted, seen=kernel(size=16 * MIB, **seen), noted=carried_out(wanted))


def test_it_grows_on_the_node_with_the_lowest_id_without_being_primary() -> None:
    assert grown(volume(grow=True)) == ["drbdadm resize web/0"]


def test_it_grows_where_it_is_in_use() -> None:
    assert grown(volume(grow=True), role="Primary") == ["drbdadm resize web/0"]
    assert grown(volume(grow=True), peer_role="Primary") == []


def test_it_does_not_grow_while_it_is_synchronized_or_a_disk_is_away() -> None:
    for replication in ("SyncSource", "WFBitMapS", "Off"):
        assert grown(volume(grow=True), replication=replication) == []


# -- what the kernel tells --------------------------------------------------------------------------------------------


def recorded(name: str) -> str:
    return (RECORDED / f"drbdsetup-{name}-9.3.3.txt").read_text()


def of_the_record(diskless: bool = False) -> WantedVolume:
    peers = (
        WantedPeer(node="node2", node_id=1, address="10.77.0.2", port=7000),
        WantedPeer(node="node3", node_id=2, address="10.77.0.3", port=7000, diskless=True),
    )
    return volume(peers=peers, diskless=diskless)


def test_peers_are_told_apart_by_their_node_ids() -> None:
    wanted = of_the_record()
    seen = {"web": resources(recorded("events-connected"))["r0"]}
    facts = layer(wanted, seen=seen).facts(wanted, BELOW)
    assert (facts["role"], facts["disk"], facts["in_use"]) == ("Secondary", "UpToDate", "no")
    assert (facts["quorum"], facts["client"]) == ("yes", "no")
    assert (facts["may_promote"], facts["promotion_score"]) == ("yes", "10102")
    assert (facts["peer/node2/disk"], facts["peer/node3/disk"]) == ("UpToDate", "Diskless")
    assert facts["peer/node2/replication"] == "Established"
    assert facts["peer/node2/out_of_sync"] == "0"
    assert "peer/node2/synced" not in facts


def test_a_node_without_a_disk_sees_the_size_and_that_it_is_one() -> None:
    (seen,) = resources(recorded("events-diskless")).values()
    assert (seen.devices[0].disk, seen.devices[0].client, seen.devices[0].size) == ("Diskless", "yes", 32724 << 10)
    assert backings(recorded("show-diskless")) == ({}, {})
    assert backings(recorded("show")) == ({1000: "/dev/vg0/r0"}, {})


def test_how_far_a_synchronization_is_and_the_loss_of_the_quorum_are_told() -> None:
    wanted = of_the_record()
    line = "exists peer-device name:r0 peer-node-id:1 conn-name:node2 volume:0 replication:SyncSource "
    syncing = recorded("events-connected").replace(
        "volume:0 replication:Established peer-disk:UpToDate", "volume:0 replication:SyncSource peer-disk:Inconsistent"
    )
    assert line in syncing
    seen = resources(re.sub(rf"({line}.*?) received", r"\1 done:12.81 received", syncing))["r0"]
    assert layer(wanted, seen={"web": seen}).facts(wanted, BELOW)["peer/node2/synced"] == "12.81"
    alone = resources(recorded("events-alone"))["r0"]
    facts = layer(wanted, seen={"web": alone}).facts(wanted, BELOW)
    assert (facts["quorum"], facts["peer/node2/connection"], facts["may_promote"]) == ("no", "Connecting", "no")


def test_the_version_is_told_to_the_controller() -> None:
    host = node(no_metadata)
    assert Drbd.kernel_restrictions(host) == ()
    assert Drbd.kernel_version(host) == "9.3.3"


# -- ports ------------------------------------------------------------------------------------------------------------

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100000A:1B58 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100000A:1B58 0200000A:1B59 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:1B58 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
"""


class Sockets(SimulatedHost):
    """A node on which processes hold the sockets with these numbers."""

    def __init__(self, tables: dict[str, str], held: tuple[str, ...]) -> None:
        super().__init__(name="alpha")
        self._tables, self._held = tables, held

    def read(self, path: str) -> str | None:
        return self._tables.get(path) or super().read(path)

    def texts(self, *patterns: str) -> dict[str, str]:
        if "hidden" in self._held:
            raise CannotRead("/proc/1/fd/0 cannot be read: Permission denied")
        return {f"/proc/1/fd/{each}": f"socket:[{each}]" for each in self._held}


def in_the_way(table: str, held: tuple[str, ...], state: str = "Connecting") -> dict[str, int]:
    replica = volume().drbd.replica  # type: ignore[union-attr]
    connections = (Connection(state=state, role="Unknown", name="bravo", node_id=1),)
    resource = Resource(name="web", role="Secondary", suspended=False, connections=connections)
    return dict(drbd_ports.taken(Sockets({"/proc/net/tcp": table}, held), [(resource, replica)]))


def test_a_process_that_listens_on_the_port_of_a_resource_is_told() -> None:
    assert in_the_way(TCP, ("4711",)) == {"web": 7000}
    assert in_the_way(TCP.replace("0100000A:1B58 0000", "00000000:1B58 0000"), ("4711",)) == {"web": 7000}


def test_drbd_itself_and_other_addresses_are_not_in_the_way() -> None:
    assert in_the_way(TCP, ()) == {}
    assert in_the_way(TCP, ("4712", "4713")) == {}
    assert in_the_way(TCP, ("4711",), state="Connected") == {}


def test_where_it_cannot_be_seen_who_listens_nothing_is_told() -> None:
    assert in_the_way(TCP, ("4711", "hidden")) == {}


def test_addresses_of_version_six_are_read_as_the_kernel_prints_them() -> None:
    words = "000000FD000000000000000001000000"
    row = f"   0: {words}:1B58 {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0\n"
    assert drbd_ports.listening(row) == [drbd_ports.Listener("fd00::1", 7000, "99")]


def test_a_port_that_is_taken_is_a_fact_of_the_volume() -> None:
    wanted = volume()
    assert layer(wanted, seen=kernel(), ports={"web": 7000}).facts(wanted, BELOW)["port_taken"] == "7000"


def test_options_of_the_proxy_are_not_asked_of_drbd() -> None:
    drbd_options.require_known({"Proxy/memlimit": "100M", "ProxyCompression/level": "9"}, KNOWN)


@pytest.mark.parametrize(
    ("kernel_version", "frees"),
    [((8, 4, 11), False), ((9, 0, 32), False), ((9, 1, 13), True), ((9, 2, 1), False), ((9, 2, 2), True)],
)
def test_earlier_ones_cannot_forget_whom_the_metadata_has_no_place_for(
    kernel_version: tuple[int, int, int], frees: bool
) -> None:
    assert Version(kernel=kernel_version).frees_slots is frees


def test_data_is_given_up_for_that_of_a_peer_that_has_all_of_it() -> None:
    """Left to itself the kernel takes the first peer that will do, which may be in the middle of getting it."""
    resource = kernel(peer="Inconsistent")["web"]
    whole = replace(resource.connections[0], volumes={0: PeerDevice(replication="Established", disk="UpToDate")})
    seen = {"web": replace(resource, connections=(resource.connections[1], whole))}
    wanted = volume(peers=(BRAVO, replace(CHARLY, diskless=False)))
    steps = layer(wanted, seen=seen).operate("web", ReplicaOrder(verb=ReplicaVerb.INVALIDATE))
    assert commands(steps) == ["drbdadm invalidate web:charly/0"]


def test_two_volumes_go_down_together_and_each_is_judged_before() -> None:
    gone, beside = volume(wanted=False), volume(wanted=False, number=1, uuid="v-1")
    resource = kernel()["web"]
    part = PeerDevice(replication="Established", disk="UpToDate")
    connections = tuple(replace(c, volumes={0: part, 1: part}) for c in resource.connections)
    devices = {n: Device(minor=1000 + n, disk="UpToDate", size=24 * MIB) for n in (0, 1)}
    seen = {"web": replace(resource, connections=connections, devices=devices)}
    both = layer(gone, beside, seen=seen, backings={1000 + v.number: below(v) for v in (gone, beside)})
    steps = both.take_down(gone, below(gone))
    assert [type(step) for step in steps[:4]] == [RequireTold, RequireTold, WriteFile, WriteFile]
    judged = [step.path for step in steps if isinstance(step, WriteFile)]
    assert judged == [judged_of(gone), judged_of(beside)]
    with pytest.raises(Refused, match="closed together with web_00000"):
        both.take_down(beside, below(beside))
