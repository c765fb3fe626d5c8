"""What the plugin asks of the cluster for a mount, and gives back after it."""

from __future__ import annotations

import pytest

from orlop.client import NewResource, SelectFilter
from orlop.client.values import Resource
from tests.docker.conftest import Docker, Plugin

ID, OTHER = "a" * 64, "b" * 64


def made(docker: Docker, on: str = "alpha", **settings: object) -> Plugin:
    """The plugin on charlie, with a volume `v1` that has its data elsewhere."""
    plugin = docker.plugin("charlie", **settings)
    assert plugin.engine().call("Create", Name="v1", Opts={"nodes": on}).error == ""
    return plugin


def here(plugin: Plugin) -> Resource | None:
    return next(iter(plugin.client.resources(["v1"], [plugin.machine.name])), None)


def used_once(plugin: Plugin) -> None:
    engine = plugin.connect()
    assert engine.call("Mount", Name="v1", ID=ID).error == ""
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""


def settle(docker: Docker, plugin: Plugin) -> Resource | None:
    """Looks, until what was asked for is done."""
    for _ in range(3):
        docker.controller.pass_time(30)
        plugin.driver.look()
    return here(plugin)


@pytest.mark.parametrize("kind", ["docker", "eight", "alone"])
def test_a_new_volume_has_a_copy_where_it_was_asked_for(request: pytest.FixtureRequest, kind: str) -> None:
    plugin = request.getfixturevalue(kind).plugin("charlie")
    assert plugin.engine().call("Create", Name="v1", Opts={}).error == ""
    assert plugin.connect().call("Mount", Name="v1", ID=ID).error == ""
    assert plugin.connect().call("Get", Name="v1").body["Volume"]["Status"]["Replicas"].keys() >= {"charlie"}


def test_where_that_is_not_possible_it_is_made_elsewhere(alone: Docker) -> None:
    plugin = alone.plugin("charlie")
    plugin.client.delete_storage_pool("charlie", "pool1")
    assert plugin.engine().call("Create", Name="v1", Opts={}).error == ""
    assert "cannot be reached from 'charlie'" in plugin.connect().call("Mount", Name="v1", ID=ID).error


def test_a_machine_that_is_no_node_makes_volumes_as_well(alone: Docker) -> None:
    plugin = alone.plugin("charlie")
    plugin.stop()
    plugin.machine.name = "other"
    assert alone.plugin("charlie").engine().call("Create", Name="v1", Opts={}).error == ""


def test_the_group_says_which_node_is_preferred(alone: Docker) -> None:
    plugin = alone.plugin("charlie")
    plugin.client.create_resource_group("there", select=SelectFilter(place_count=1, preferred_node_list=["bravo"]))
    assert plugin.engine().call("Create", Name="v1", Opts={"resource-group": "there"}).error == ""
    assert plugin.connect().call("Get", Name="v1").body["Volume"]["Status"]["Replicas"].keys() == {"bravo"}


def test_what_was_attached_for_a_container_is_given_back_after_a_while(docker: Docker) -> None:
    plugin = made(docker, idle=0.0)
    used_once(plugin)
    assert settle(docker, plugin) is None


def test_it_is_kept_for_a_container_that_is_started_again(docker: Docker) -> None:
    plugin = made(docker)
    used_once(plugin)
    assert settle(docker, plugin) is not None


def test_what_is_mounted_again_is_kept(docker: Docker) -> None:
    plugin = made(docker, idle=0.0)
    used_once(plugin)
    plugin.connect().call("Mount", Name="v1", ID=OTHER)
    assert settle(docker, plugin) is not None
    plugin.connect().call("Unmount", Name="v1", ID=OTHER)
    assert settle(docker, plugin) is None


def test_what_an_administrator_attached_stays(docker: Docker) -> None:
    plugin = made(docker, idle=0.0)
    plugin.client.create_resource("v1", NewResource(node="charlie", flags=("DRBD_DISKLESS",)))
    used_once(plugin)
    assert settle(docker, plugin) is not None


def test_a_tiebreaker_is_one_again(docker: Docker) -> None:
    plugin = made(docker, "alpha,bravo", idle=0.0)
    docker.controller.pass_time(60)
    before = here(plugin)
    assert before is not None
    assert "TIE_BREAKER" in before.flags
    plugin.connect().call("Mount", Name="v1", ID=ID)
    meanwhile = here(plugin)
    assert meanwhile is not None
    assert "TIE_BREAKER" not in meanwhile.flags
    plugin.connect().call("Unmount", Name="v1", ID=ID)
    after = settle(docker, plugin)
    assert after is not None
    assert "TIE_BREAKER" in after.flags
    assert not after.props


def test_what_an_earlier_run_attached_is_given_back(docker: Docker) -> None:
    plugin = made(docker)
    used_once(plugin)
    plugin.stop()
    again = docker.plugin("charlie")
    with docker.controller.away():
        again.driver.look()
    assert settle(docker, again) is None


def test_what_is_mounted_is_kept_by_a_plugin_that_was_restarted(docker: Docker) -> None:
    plugin = made(docker)
    plugin.connect().call("Mount", Name="v1", ID=ID)
    plugin.stop()
    again = docker.plugin("charlie", idle=0.0)
    assert settle(docker, again) is not None
    again.connect().call("Unmount", Name="v1", ID=ID)
    assert settle(docker, again) is None


def test_what_cannot_be_given_back_stands_in_nobodys_way_and_is_tried_again(docker: Docker) -> None:
    plugin = made(docker, idle=0.0)
    used_once(plugin)
    assert plugin.connect().call("Create", Name="v2", Opts={"nodes": "bravo"}).error == ""
    plugin.connect().call("Mount", Name="v2", ID=ID)
    plugin.connect().call("Unmount", Name="v2", ID=ID)
    device = next(each.device_path for each in plugin.client.resources(["v1"], ["charlie"])[0].volumes)
    docker.machine("charlie").opened_by_others(device)
    settle(docker, plugin)
    assert [each.name for each in plugin.client.resources(nodes=["charlie"])] == ["v1"]
    docker.machine("charlie").closed(device)
    assert settle(docker, plugin) is None


def test_a_container_is_stopped_while_no_controller_answers(docker: Docker) -> None:
    plugin = made(docker, idle=0.0)
    engine = plugin.connect()
    engine.call("Mount", Name="v1", ID=ID)
    with docker.controller.away():
        assert engine.call("Unmount", Name="v1", ID=ID).error == ""
        assert plugin.machine.mounts == set()
        plugin.driver.look()
    assert settle(docker, plugin) is None
