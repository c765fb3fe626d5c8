"""The protocol with its traps, as two engines were seen to speak it."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from tests.docker.conftest import Docker, Plugin
from tests.docker.engine import Engine

ID, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def plugin(docker: Docker) -> Plugin:
    """On alpha, with a volume `v1` there."""
    made = docker.plugin("alpha")
    assert made.engine().call("Create", Name="v1", Opts={"nodes": "alpha"}).error == ""
    return made


@pytest.fixture
def engine(plugin: Plugin) -> Engine:
    return plugin.connect()


def mounted(plugin: Plugin) -> bool:
    return str(plugin.mounting.point("v1")) in plugin.machine.mounts


def test_a_host_header_may_be_empty_or_made_up(docker: Docker) -> None:
    plugin = docker.plugin("alpha")
    for host in ("", "plugin.moby.localhost", "localhost"):
        assert plugin.engine(host=host).call("List").body == {"Volumes": [], "Err": ""}


def test_the_scope_is_global(engine: Engine) -> None:
    assert engine.call("Capabilities").body["Capabilities"] == {"Scope": "global"}


def test_a_volume_is_there_on_every_node_with_its_state(docker: Docker, plugin: Plugin) -> None:
    there = docker.plugin("bravo").engine()
    found = there.call("Get", Name="v1").body
    assert found["Err"] == ""
    assert found["Volume"]["Name"] == "v1"
    assert found["Volume"]["Mountpoint"] == ""
    assert found["Volume"]["CreatedAt"].endswith("Z")
    status = found["Volume"]["Status"]
    assert status["Replicas"] == {"alpha": "UpToDate"}
    assert (status["Size"], status["FileSystem"], status["State"]) == ("100 MiB", "ext4", "ok")
    assert status["InUse"] == []
    assert [each["Name"] for each in there.call("List").body["Volumes"]] == ["v1"]


def test_the_state_says_where_it_is_in_use(docker: Docker, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    docker.controller.pass_time(30)
    assert engine.call("Get", Name="v1").body["Volume"]["Status"]["InUse"] == ["alpha"]


def test_an_unknown_volume_is_an_error(engine: Engine) -> None:
    for verb in ("Get", "Mount"):
        assert engine.call(verb, Name="v2", ID=ID).error == "there is no volume v2"
    assert engine.call("Path", Name="v2").body["Mountpoint"] == ""


@pytest.mark.parametrize("verb", ["Create", "Get", "List", "Mount", "Unmount", "Path", "Remove", "Capabilities"])
def test_a_request_without_content_is_an_error_and_changes_nothing(
    docker: Docker, engine: Engine, plugin: Plugin, verb: str
) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    before = docker.controller.everything().definitions
    assert "without its content" in engine.send(verb, b"").error
    assert docker.controller.everything().definitions == before
    assert mounted(plugin)


@pytest.mark.parametrize("verb", ["Create", "Get", "Mount", "Unmount", "Path", "Remove"])
@pytest.mark.parametrize("body", [b"{}\n", b'{"Name":""}\n'])
def test_a_request_without_a_name_is_an_error(engine: Engine, verb: str, body: bytes) -> None:
    assert "names no volume" in engine.send(verb, body).error


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b'{"Name": 7}', b'{"Name": "v1", "Opts": {"size": 1}}'])
def test_a_request_that_cannot_be_read_is_an_error(engine: Engine, body: bytes) -> None:
    assert "cannot be read" in engine.send("Create", body).error


def test_unknown_calls_and_other_methods_are_answered(plugin: Plugin, engine: Engine) -> None:
    assert engine.call("VolumeDriver.Shrink").status == 404
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(plugin.socket("orlop")))
        raw.sendall(b"GET /VolumeDriver.List HTTP/1.1\r\nHost: \r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("name", ["../../etc", "a b", "$(reboot)", "a;b"])
def test_a_name_that_is_none_is_refused(docker: Docker, engine: Engine, name: str) -> None:
    before = docker.controller.everything().definitions
    assert "is not the name of a volume" in engine.call("Create", Name=name, Opts={}).error
    assert docker.controller.everything().definitions == before


def test_long_names_names_with_capitals_and_dots_are_volumes_of_their_own(engine: Engine) -> None:
    names = ["Data", "DATA", "my.data", "0123456789abcdef" * 4]
    for name in names:
        assert engine.call("Create", Name=name, Opts={"replicas": "1"}).error == ""
    assert {each["Name"] for each in engine.call("List").body["Volumes"]} == {"v1", *names}


def test_bad_options_change_nothing(docker: Docker, engine: Engine) -> None:
    before = docker.controller.everything().definitions
    assert "there is no node nowhere" in engine.call("Create", Name="v2", Opts={"nodes": "nowhere,alpha"}).error
    for opts in ({"size": "x"}, {"fs": "ntfs"}, {"fsopts": "/dev/sda"}, {"nodes": "nowhere"}, {"replicas": "9"}):
        assert engine.call("Create", Name="v2", Opts=opts).error != ""
        assert docker.controller.everything().definitions == before


def test_creating_again_is_success_with_the_same_options_only(engine: Engine) -> None:
    assert engine.call("Create", Name="v1", Opts={"nodes": "alpha"}).error == ""
    assert engine.call("Create", Name="v1", Opts={}).error == ""
    assert "exists with other options (nodes=alpha)" in engine.call("Create", Name="v1", Opts={"nodes": "bravo"}).error


# -- mounts -----------------------------------------------------------------------------------------------------


def test_what_is_mounted_is_a_folder_that_is_only_in_the_file_system(plugin: Plugin, engine: Engine) -> None:
    at = Path(engine.call("Mount", Name="v1", ID=ID).body["Mountpoint"])
    assert at.is_dir()
    assert str(at) not in plugin.machine.mounts
    assert engine.call("Path", Name="v1").body["Mountpoint"] == str(at)
    assert engine.call("Get", Name="v1").body["Volume"]["Mountpoint"] == str(at)
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert not at.exists()
    assert not mounted(plugin)


def test_copying_into_a_running_container_leaves_its_volume(plugin: Plugin, engine: Engine) -> None:
    """`docker cp` mounts with the id of the running container."""
    for _ in range(3):
        engine.call("Mount", Name="v1", ID=ID)
    for _ in range(2):
        engine.call("Unmount", Name="v1", ID=ID)
        assert mounted(plugin)
    engine.call("Unmount", Name="v1", ID=ID)
    assert not mounted(plugin)


def test_two_containers_share_a_volume(plugin: Plugin, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    engine.call("Mount", Name="v1", ID=OTHER)
    engine.call("Unmount", Name="v1", ID=ID)
    assert mounted(plugin)
    engine.call("Unmount", Name="v1", ID=OTHER)
    assert not mounted(plugin)


def test_an_engine_that_was_killed_leaves_no_reference(plugin: Plugin, engine: Engine) -> None:
    """It starts the container with its old id, and unmounts once."""
    engine.call("Mount", Name="v1", ID=ID)
    again = plugin.engine()
    again.call("Mount", Name="v1", ID=ID)
    again.call("Unmount", Name="v1", ID=ID)
    assert not mounted(plugin)
    assert again.call("Remove", Name="v1").error == ""


def test_copying_out_of_a_container_that_survived_the_engine_once(plugin: Plugin, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    again = plugin.engine()
    again.call("Mount", Name="v1", ID=ID)  # the container is started again
    again.call("Mount", Name="v1", ID=ID)  # docker cp
    again.call("Unmount", Name="v1", ID=ID)
    assert mounted(plugin)


def test_a_volume_of_a_killed_engine_can_be_removed(plugin: Plugin, engine: Engine) -> None:
    """The container was removed without having been started again."""
    engine.call("Mount", Name="v1", ID=ID)
    again = plugin.engine()
    assert again.call("Remove", Name="v1").error == ""
    assert not mounted(plugin)
    assert again.call("List").body["Volumes"] == []


def test_an_engine_that_finds_another_name_of_the_driver_does_not_disturb_the_first(docker: Docker) -> None:
    plugin = docker.plugin("alpha", names=("orlop", "linstor"))
    engine = plugin.engine("orlop")
    engine.call("Create", Name="v1", Opts={"nodes": "alpha"})
    engine.call("Mount", Name="v1", ID=ID)
    plugin.engine("linstor")
    engine.call("Mount", Name="v1", ID=ID)
    engine.call("Unmount", Name="v1", ID=ID)
    assert mounted(plugin)


def test_a_volume_belongs_to_the_name_of_the_driver_it_was_made_under(docker: Docker) -> None:
    """An engine that found it under both names would show either."""
    plugin = docker.plugin("alpha", names=("orlop", "linstor"))
    orlop, linstor = plugin.engine("orlop"), plugin.engine("linstor")
    assert linstor.call("Create", Name="v1", Opts={"replicas": "1"}).error == ""
    assert [each["Name"] for each in linstor.call("List").body["Volumes"]] == ["v1"]
    assert orlop.call("List").body["Volumes"] == []
    assert orlop.call("Get", Name="v1").error == orlop.call("Mount", Name="v1", ID=ID).error == "there is no volume v1"
    assert "exists under the driver linstor" in orlop.call("Create", Name="v1", Opts={}).error
    assert orlop.call("Create", Name="v2", Opts={"from": "v1"}).error == ""
    assert orlop.call("Remove", Name="v1").error == ""
    assert linstor.call("Get", Name="v1").error == ""
    assert [each["Name"] for each in orlop.call("List").body["Volumes"]] == ["v2"]


def test_a_plugin_that_was_restarted_knows_who_needs_what(docker: Docker, plugin: Plugin, engine: Engine) -> None:
    """No handshake follows the restart of a plugin."""
    engine.call("Mount", Name="v1", ID=ID)
    engine.call("Mount", Name="v1", ID=OTHER)
    plugin.stop()
    plugin = docker.plugin("alpha")
    engine = plugin.connect()
    assert engine.call("Get", Name="v1").body["Volume"]["Mountpoint"] != ""
    engine.call("Unmount", Name="v1", ID=ID)
    assert mounted(plugin)
    engine.call("Unmount", Name="v1", ID=OTHER)
    assert not mounted(plugin)


def test_a_plugin_that_lost_its_notes_sees_what_is_mounted(docker: Docker, plugin: Plugin, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    plugin.stop()
    (plugin.folder / "mounts.json").write_text("nonsense")
    plugin = docker.plugin("alpha")
    engine = plugin.connect()
    assert engine.call("Mount", Name="v1", ID=OTHER).error == ""
    assert len([argv for argv in plugin.machine.ran if argv[0] == "mount"]) == 1
    engine.call("Unmount", Name="v1", ID=OTHER)
    assert not mounted(plugin)
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""


def test_notes_of_before_a_reboot_do_not_count(docker: Docker, plugin: Plugin, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    notes = (plugin.folder / "mounts.json").read_text()
    engine.call("Unmount", Name="v1", ID=ID)
    plugin.stop()
    (plugin.folder / "mounts.json").write_text(notes)
    plugin = docker.plugin("alpha")
    engine = plugin.connect()
    engine.call("Mount", Name="v1", ID=OTHER)
    engine.call("Unmount", Name="v1", ID=OTHER)
    assert not mounted(plugin)


def test_a_lost_container_of_a_killed_engine_does_not_keep_the_volume_from_other_nodes(
    docker: Docker, plugin: Plugin, engine: Engine
) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    again = plugin.engine()
    again.call("Mount", Name="v1", ID=OTHER)
    again.call("Unmount", Name="v1", ID=OTHER)
    assert not mounted(plugin)
    assert docker.plugin("bravo").engine().call("Mount", Name="v1", ID=ID).error == ""


def test_a_mount_that_nobody_waits_for_any_more_is_taken_back(docker: Docker, plugin: Plugin) -> None:
    plugin.stop()
    slow = docker.plugin("alpha", mounted=0.0)
    assert "nobody waited any more" in slow.engine().call("Mount", Name="v1", ID=ID).error
    assert not mounted(slow)
    slow.stop()
    plugin = docker.plugin("alpha")
    engine = plugin.engine()
    engine.call("Mount", Name="v1", ID=ID)
    engine.call("Unmount", Name="v1", ID=ID)
    assert not mounted(plugin)


def test_unmounting_what_is_not_mounted_is_no_error(engine: Engine) -> None:
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert engine.call("Unmount", Name="v2", ID=ID).error == ""


def test_a_busy_volume_is_not_removed(plugin: Plugin, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    plugin.machine.busy.add(str(plugin.mounting.point("v1")))
    assert "is in use" in engine.call("Remove", Name="v1").error
    plugin.machine.busy.clear()
    assert engine.call("Remove", Name="v1").error == ""


def test_removing_what_is_gone_is_success(engine: Engine) -> None:
    assert engine.call("Remove", Name="v1").error == ""
    assert engine.call("Remove", Name="v1").error == ""


def test_the_mount_options_of_a_volume_are_used_wherever_it_is_mounted(docker: Docker, engine: Engine) -> None:
    engine.call("Create", Name="v2", Opts={"mountopts": "noatime,discard", "fs": "xfs", "nodes": "alpha"})
    plugin = docker.plugin("bravo")
    assert plugin.engine().call("Mount", Name="v2", ID=ID).error == ""
    mount = next(argv for argv in plugin.machine.ran if argv[0] == "mount")
    assert mount[:5] == ("mount", "-t", "xfs", "-o", "noatime,discard,nouuid")


def test_owner_and_mode_are_those_that_were_asked_for(engine: Engine) -> None:
    engine.call("Create", Name="v2", Opts={"mode": "1770", "nodes": "alpha"})
    at = Path(engine.call("Mount", Name="v2", ID=ID).body["Mountpoint"])
    assert at.stat().st_mode & 0o7777 == 0o1770
    at.chmod(0o700)
    engine.call("Unmount", Name="v2", ID=ID)
    engine.call("Mount", Name="v2", ID=OTHER)
    assert at.stat().st_mode & 0o7777 == 0o700


# -- other nodes ------------------------------------------------------------------------------------------------


def test_a_volume_in_use_elsewhere_is_neither_mounted_nor_removed(docker: Docker, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    docker.controller.pass_time(30)
    plugin = docker.plugin("bravo")
    there = plugin.engine()
    for verb in ("Mount", "Remove"):
        assert "alpha has it mounted or open" in there.call(verb, Name="v1", ID=ID).error
    assert plugin.machine.mounts == set()
    engine.call("Unmount", Name="v1", ID=ID)
    assert there.call("Mount", Name="v1", ID=ID).error == ""


def test_where_the_data_cannot_be_reached_the_nodes_that_have_it_are_named(alone: Docker) -> None:
    engine = alone.plugin("alpha").engine()
    assert engine.call("Create", Name="v1", Opts={"hosts": "bravo"}).error == ""
    error = engine.call("Mount", Name="v1", ID=ID).error
    assert "The data of 'v1' is on bravo and cannot be reached from 'alpha'" in error
    assert alone.plugin("bravo").engine().call("Mount", Name="v1", ID=ID).error == ""


def test_without_replication_there_is_one_copy_and_more_are_refused(alone: Docker) -> None:
    engine = alone.plugin("alpha").engine()
    assert engine.call("Create", Name="v1", Opts={}).error == ""
    assert len(engine.call("Get", Name="v1").body["Volume"]["Status"]["Replicas"]) == 1
    for opts in ({"replicas": "2"}, {"hosts": "alpha,bravo"}):
        assert "do not replicate" in engine.call("Create", Name="v2", Opts=opts).error
    assert len(engine.call("List").body["Volumes"]) == 1


def test_a_machine_that_is_no_node_says_so(docker: Docker, plugin: Plugin) -> None:
    plugin.machine.name = "zulu.example"
    plugin.stop()
    stranger = docker.plugin("alpha").engine()
    error = stranger.call("Mount", Name="v1", ID=ID).error
    assert "no node of the cluster under the name zulu.example" in error
    assert "alpha, bravo, charlie" in error


def test_a_node_may_be_known_by_its_short_name(docker: Docker, plugin: Plugin) -> None:
    plugin.machine.name = "ALPHA.example.org"
    plugin.stop()
    assert docker.plugin("alpha").engine().call("Mount", Name="v1", ID=ID).error == ""


def test_a_resource_that_is_no_volume_of_docker_is_neither_shown_nor_taken(docker: Docker, engine: Engine) -> None:
    docker.controller.add_group("web", "site")
    assert [each["Name"] for each in engine.call("List").body["Volumes"]] == ["v1"]
    assert engine.call("Get", Name="site").error != ""
    assert "which is no volume of Docker" in engine.call("Create", Name="site", Opts={}).error
    assert engine.call("Remove", Name="site").error == ""
    assert "site" in docker.controller.everything().definitions


# -- many at once, and long ones --------------------------------------------------------------------------------


def test_eight_clients_create_at_the_same_time(docker: Docker) -> None:
    plugin = docker.plugin("alpha")
    errors: list[str] = []

    def create(number: int) -> None:
        engine = plugin.engine()
        for name in (f"own{number}", "shared"):
            errors.append(engine.call("Create", Name=name, Opts={"replicas": "1"}).error)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [""] * 16
    assert len(plugin.connect().call("List").body["Volumes"]) == 9


def test_a_volume_is_made_on_two_nodes_at_the_same_time(docker: Docker) -> None:
    answers: list[str] = []
    engines = [docker.plugin(node).engine() for node in ("alpha", "bravo")]
    threads = [
        threading.Thread(target=lambda e=e: answers.append(e.call("Create", Name="v1", Opts={}).error)) for e in engines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["", ""]


def test_a_creation_that_takes_long_goes_on_and_is_found_by_the_next_request(docker: Docker) -> None:
    plugin = docker.plugin("alpha", patience=0.02)
    engine = plugin.engine()
    assert "the work goes on" in engine.call("Create", Name="v1", Opts={}).error
    answer = ""
    for _ in range(2000):
        answer = engine.call("Create", Name="v1", Opts={}).error
        if not answer:
            break
        assert "the work goes on" in answer
    assert answer == ""
    assert engine.call("Get", Name="v1").error == ""


def test_a_half_made_volume_is_not_there_and_is_completed_by_the_next_request(docker: Docker, engine: Engine) -> None:
    """The plugin ended right before it made its mark."""
    undo = {"delete_props": ["Aux/Docker/CreatedAt"]}
    assert docker.controller.request("PUT", "/v1/resource-definitions/v1", undo).status == 200
    assert engine.call("Get", Name="v1").error == "there is no volume v1"
    assert engine.call("List").body["Volumes"] == []
    assert engine.call("Create", Name="v1", Opts={"nodes": "alpha"}).error == ""
    assert engine.call("Get", Name="v1").error == ""


def test_a_controller_that_is_away_is_told(docker: Docker, plugin: Plugin, engine: Engine) -> None:
    engine.call("Mount", Name="v1", ID=ID)
    docker.controller.close()
    assert "no controller could be reached" in engine.call("Get", Name="v1").error
    assert engine.call("Mount", Name="v1", ID=ID).error == ""
    engine.call("Unmount", Name="v1", ID=ID)
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert not mounted(plugin)


def test_the_wait_policy_says_when_a_volume_is_done(docker: Docker, engine: Engine) -> None:
    assert engine.call("Create", Name="v2", Opts={"wait": "redundancy=2"}).error == ""
    assert set(engine.call("Get", Name="v2").body["Volume"]["Status"]["Replicas"].values()) == {"UpToDate"}
    assert engine.call("Create", Name="v3", Opts={"wait": '{"redundancy": "2", "timeout": "90"}'}).error == ""
    assert "redundancy=3" in engine.call("Create", Name="v4", Opts={"wait": "redundancy=3"}).error


def test_a_resource_group_says_what_is_not_said(docker: Docker, engine: Engine) -> None:
    body = {"name": "three", "select_filter": {"place_count": 3, "layer_stack": ["DRBD", "STORAGE"]}}
    assert docker.controller.request("POST", "/v1/resource-groups", body).status == 201
    assert engine.call("Create", Name="v2", Opts={"resource-group": "three"}).error == ""
    assert engine.call("Create", Name="v3", Opts={"resource-group": "three", "replicas": "1"}).error == ""
    assert "four" in engine.call("Create", Name="v4", Opts={"resource-group": "four"}).error
    copies = {v: len(engine.call("Get", Name=v).body["Volume"]["Status"]["Replicas"]) for v in ("v2", "v3")}
    assert copies == {"v2": 3, "v3": 1}


def test_layers_and_encryption(docker: Docker, engine: Engine) -> None:
    passphrase = {"new_passphrase": "correct horse battery staple"}
    assert docker.controller.request("POST", "/v1/encryption/passphrase", passphrase).status == 201
    assert engine.call("Create", Name="v2", Opts={"layers": "storage", "nodes": "alpha"}).error == ""
    assert engine.call("Create", Name="v3", Opts={"encrypt": "yes", "layers": "storage"}).error == ""
    assert "do not replicate" in engine.call("Create", Name="v4", Opts={"layers": "storage", "replicas": "2"}).error
    definitions = docker.controller.everything().definitions
    assert definitions["v2"].layers == ("STORAGE",)
    assert definitions["v3"].layers == ("LUKS", "STORAGE")


def test_the_plugins_own_defaults(docker: Docker) -> None:
    engine = docker.plugin("alpha", defaults={"size": "64M", "mountopts": "noatime", "replicas": "1"}).engine()
    assert engine.call("Create", Name="v1", Opts={}).error == ""
    assert engine.call("Create", Name="v2", Opts={"size": "32M"}).error == ""
    sizes = [engine.call("Get", Name=name).body["Volume"]["Status"]["Size"] for name in ("v1", "v2")]
    assert sizes == ["64 MiB", "32 MiB"]
    other = docker.plugin("bravo")
    other.engine().call("Mount", Name="v1", ID=ID)
    assert next(argv for argv in other.machine.ran if argv[0] == "mount")[3:5] == ("-o", "noatime")


# -- copies -----------------------------------------------------------------------------------------------------


def snapshot(docker: Docker) -> None:
    body = {"name": "monday"}
    assert docker.controller.request("POST", "/v1/resource-definitions/v1/snapshots", body).status in (200, 201)


def test_a_clone_is_a_volume_of_its_own(engine: Engine) -> None:
    assert engine.call("Create", Name="v2", Opts={"from": "v1"}).error == ""
    assert engine.call("Remove", Name="v1").error == ""
    assert engine.call("Mount", Name="v2", ID=ID).error == ""
    assert [each["Name"] for each in engine.call("List").body["Volumes"]] == ["v2"]


def test_a_clone_made_with_other_tools_is_no_volume(docker: Docker, engine: Engine) -> None:
    """It has all properties of its source."""
    made = docker.controller.request("POST", "/v1/resource-definitions/v1/clone", {"name": "copy"})
    assert made.status in (200, 201)
    docker.controller.pass_time(60)
    assert [each["Name"] for each in engine.call("List").body["Volumes"]] == ["v1"]
    assert engine.call("Get", Name="copy").error == "there is no volume copy"


def test_a_clone_may_be_larger_but_not_smaller(engine: Engine) -> None:
    assert "cannot be smaller" in engine.call("Create", Name="v2", Opts={"from": "v1", "size": "50M"}).error
    assert engine.call("Create", Name="v2", Opts={"from": "v1", "size": "200M"}).error == ""
    assert engine.call("Get", Name="v2").body["Volume"]["Status"]["Size"] == "200 MiB"


@pytest.mark.parametrize("opts", [{"snapshot": "v1/monday"}, {"from": "v1", "snapshot": "monday", "size": "1G"}])
def test_a_volume_is_restored_of_a_snapshot(docker: Docker, engine: Engine, opts: dict[str, str]) -> None:
    snapshot(docker)
    assert engine.call("Get", Name="v1").body["Volume"]["Status"]["Snapshots"] == ["monday"]
    assert engine.call("Create", Name="v2", Opts=opts).error == ""
    found = engine.call("Get", Name="v2").body["Volume"]["Status"]
    assert (found["Size"], found["FileSystem"]) == ("1 GiB" if "size" in opts else "100 MiB", "ext4")
    assert engine.call("Mount", Name="v2", ID=ID).error == ""
    assert engine.call("Create", Name="v2", Opts=opts).error == ""


def test_copies_of_what_is_not_there_are_refused(docker: Docker, engine: Engine) -> None:
    assert engine.call("Create", Name="v2", Opts={"from": "v3"}).error == "there is no volume v3"
    assert "has no snapshot friday" in engine.call("Create", Name="v2", Opts={"snapshot": "v1/friday"}).error
    assert [each["Name"] for each in engine.call("List").body["Volumes"]] == ["v1"]
    assert list(docker.controller.everything().definitions) == ["v1"]


def test_a_volume_with_snapshots_is_kept_and_they_are_named(docker: Docker, engine: Engine) -> None:
    snapshot(docker)
    assert "monday" in engine.call("Remove", Name="v1").error
    assert engine.call("Get", Name="v1").error == ""


def test_answers_are_json_with_the_type_of_the_protocol(plugin: Plugin) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(plugin.socket("orlop")))
        raw.sendall(b"POST /Plugin.Activate HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n")
        with raw.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n"))
            body = stream.readline()
    assert b"application/vnd.docker.plugins.v1.2+json" in head
    assert json.loads(body) == {"Implements": ["VolumeDriver"]}
