"""What `-o` and the configuration may say, and what they are refused for."""

from __future__ import annotations

from pathlib import Path

import pytest

from orlop.client.values import Node, ResourceGroup
from orlop.errors import OrlopError, Refused
from orlop_docker import configuration, names, placing
from orlop_docker import file_system_options as file_systems
from orlop_docker.options import VolumeOptions, volume_options

GUIDE = """
[global]
storagepool = thin-lvm
fs = ext4
fsopts = -E discard
size = 100MB
replicas = 2
nodes = alpha,bravo,charlie
"""


@pytest.mark.parametrize(
    ("text", "kib"), [("200", 200 << 10), ("200M", 200 << 10), ("1G", 1 << 20), ("1GiB", 1 << 20), ("100MB", 97657)]
)
def test_a_size_has_a_unit_or_is_mebibytes(text: str, kib: int) -> None:
    assert volume_options({"size": text}, {}).kib == kib


def test_without_a_size_it_is_100_mib() -> None:
    assert volume_options({}, {}).kib == 100 << 10


def test_xfs_gets_at_least_what_its_mkfs_needs() -> None:
    assert volume_options({"fs": "xfs", "size": "200"}, {}).kib == 300 << 10
    assert volume_options({"fs": "xfs", "size": "301"}, {}).kib == 301 << 10


def test_the_configuration_of_the_guide() -> None:
    found = configuration.parse(GUIDE + "controllers = linstor://hostnameofcontroller\n")
    assert found.controllers == ("http://hostnameofcontroller:3370",)
    options = volume_options({}, found.defaults)
    assert options.nodes == ("alpha", "bravo", "charlie")
    assert options.storage_pool == "thin-lvm"
    assert options.mkfs_options == "-E discard"


def test_what_is_asked_for_counts_more_than_the_configuration() -> None:
    defaults = configuration.parse(GUIDE).defaults
    assert volume_options({"replicas": "3"}, defaults).nodes == ()
    assert volume_options({"hosts": "delta"}, defaults).replicas is None
    assert volume_options({"fs": "xfs"}, defaults).mkfs_options == ""
    assert volume_options({"resource-group": "fast"}, defaults).storage_pool is None
    assert volume_options({"from": "other"}, defaults).size is None


@pytest.mark.parametrize("spelling", ["resource-group", "resource_group", "ResourceGroup", "RESOURCEGROUP"])
def test_names_of_options_are_understood_in_any_spelling(spelling: str) -> None:
    assert volume_options({spelling: "fast"}, {}).group == "fast"


REFUSED = [
    ({"sise": "1G"}, "there is no option 'sise'"),
    ({"size": "big"}, "size=big cannot be used"),
    ({"size": "-1"}, "size=-1 cannot be used"),
    ({"size": "1K"}, "not between 4 MiB and 1 PiB"),
    ({"size": "2000000T"}, "not between 4 MiB and 1 PiB"),
    ({"fs": "ntfs"}, "there are ext4, xfs"),
    ({"fs": "ext4; reboot"}, "there are ext4, xfs"),
    ({"replicas": "0"}, "no number from 1 to 32"),
    ({"replicas": "two"}, "no number from 1 to 32"),
    ({"nodes": "alpha,$(reboot)"}, "not a valid node name"),
    ({"nodes": ","}, "nothing is named"),
    ({"nodes": "alpha", "hosts": "bravo"}, "given twice"),
    ({"storagepool": "../pool"}, "not a valid storage pool name"),
    ({"layers": "drbd,st orage;"}, "is no layer"),
    ({"encrypt": "maybe"}, "neither yes nor no"),
    ({"uid": "root"}, "no number"),
    ({"mode": "0888"}, "mode=0888"),
    ({"mode": "10000"}, "no number from 0 to 7777"),
    ({"wait": "{nonsense"}, "wait="),
    ({"snapshot": "monday"}, "does not say of which volume"),
    ({"from": "other", "fs": "xfs"}, "fs cannot be chosen for a copy"),
    ({"from": "other", "nodes": "alpha", "replicas": "2"}, "nodes, replicas cannot be chosen"),
    ({"from": ""}, "it is empty"),
]


@pytest.mark.parametrize(("asked", "says"), REFUSED)
def test_nonsense_is_refused_with_its_reason(asked: dict[str, str], says: str) -> None:
    with pytest.raises(Refused) as refused:
        volume_options(asked, {})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "fsopts",
    [
        "/dev/sda",
        "-d /etc",
        "-d/etc",
        "-J device=/dev/sda",
        "-z /etc/passwd",
        "-E discard /dev/sda",
        "-E offset=4096",
        "-l /etc/passwd",
        "-F",
        "-jF",
        "--",
        "-- /dev/sda",
        "-m",
        "-L 'a b'",
        "-E discard; reboot",
        "'unfinished",
        "-b $(reboot)",
    ],
)
def test_options_of_mkfs_stay_within_the_volume_ext4(fsopts: str) -> None:
    with pytest.raises(Refused):
        volume_options({"fs": "ext4", "fsopts": fsopts}, {})


@pytest.mark.parametrize(
    "fsopts",
    [
        "-p /etc/passwd",
        "-d file,name=/etc/passwd",
        "-l logdev=/dev/sda",
        "-r rtdev=/dev/sda",
        "-f",
        "-c options=/etc/x",
    ],
)
def test_options_of_mkfs_stay_within_the_volume_xfs(fsopts: str) -> None:
    with pytest.raises(Refused):
        volume_options({"fs": "xfs", "fsopts": fsopts}, {})


def test_usual_options_of_mkfs_are_passed_on() -> None:
    assert file_systems.mkfs("ext4", "-E discard -m 0 -N100 -O ^has_journal -L data") == (
        *("-E", "discard", "-m", "0", "-N100"),
        *("-O", "^has_journal", "-L", "data"),
    )
    assert file_systems.mkfs("xfs", "-K -d su=64k,sw=4 -m reflink=1,crc=1 -i size=512")


@pytest.mark.parametrize(
    "mountopts", ["bind", "loop", "remount", "X-mount.mkdir", "noatime,/etc", "errors=panic", "data=a b", "context=x"]
)
def test_options_of_mount_stay_within_the_volume(mountopts: str) -> None:
    with pytest.raises(Refused):
        volume_options({"mountopts": mountopts}, {})


def test_usual_options_of_mount_are_passed_on() -> None:
    assert volume_options({"mountopts": "noatime,discard,commit=30"}, {}).mount_options == (
        *("noatime", "discard", "commit=30"),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[other]\nsize=1G\n", "unknown section [other]"),
        ("size = 1G\n", "no section headers"),
        ("[global]\nsize=1G\nsize=2G\n", "already exists"),
        ("[global]\nsised=1G\n", "there is no option 'sised'"),
        ("[global]\nsize=large\n", "size=large cannot be used"),
        ("[global]\nfs=xfs\nfsopts=-p /etc/passwd\n", "'-p'"),
        ("[global]\nfrom=other\n", "for one volume only"),
        ("[global]\nroot=relative\n", "root=relative"),
        ("[global]\ncontrollers=ftp://x\n", "is not the address of a controller"),
        ("[global]\nnode=-x\n", "not a valid node name"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(OrlopError) as refused:
        configuration.parse(text)
    assert says in str(refused.value)


def test_a_configuration_is_refused_with_the_name_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "docker-volume.conf"
    file.write_text("[global]\nsise=1\n")
    with pytest.raises(Refused, match="docker-volume.conf: there is no option"):
        configuration.load(file)
    with pytest.raises(Refused, match="cannot be read"):
        configuration.load(tmp_path / "absent")


@pytest.mark.parametrize("name", ["lsvol", "db_1", "my-volume"])
def test_a_name_that_a_resource_can_have_is_kept(name: str) -> None:
    assert names.resource_name(name) == name


def test_other_names_become_names_of_resources_never_twice_the_same() -> None:
    volumes = ["A", "a1", "Data", "data", "DATA", "my.vol", "my-vol", "1", "0" * 64, "x" * 200, "all"]
    volumes += [names.resource_name("Data"), names.resource_name("my.vol")]
    made = [names.resource_name(volume) for volume in volumes]
    assert len({name.lower() for name in made}) == len(volumes)
    assert all(len(name) <= 48 for name in made)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "a b", "a\n", "x" * 256])
def test_what_is_no_name_of_a_volume_is_refused(name: str) -> None:
    with pytest.raises(OrlopError):
        names.resource_name(name)


GROUP = ResourceGroup(name="DfltRscGrp")


def test_copies_are_asked_for_only_where_they_would_be_copies() -> None:
    with_drbd = [Node(name="alpha", resource_layers=("STORAGE", "DRBD"))]
    without = [Node(name="alpha", resource_layers=("STORAGE",))]
    for nodes, stack, count in ((with_drbd, ("DRBD", "STORAGE"), 2), (without, ("STORAGE",), 1)):
        layers = placing.stack(VolumeOptions(), GROUP, nodes)
        assert layers == stack
        assert placing.select(VolumeOptions(), GROUP, layers).place_count == count
    with pytest.raises(Refused, match="2 copies were asked for"):
        placing.select(VolumeOptions(replicas=2), GROUP, ("STORAGE",))


def test_encryption_is_right_above_the_storage() -> None:
    encrypted = VolumeOptions(encrypted=True)
    assert placing.stack(encrypted, GROUP, []) == ("LUKS", "STORAGE")
    assert placing.stack(encrypted, GROUP, [Node(name="a", resource_layers=("DRBD",))]) == ("DRBD", "LUKS", "STORAGE")
