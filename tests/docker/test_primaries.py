"""Volumes on DRBD 8.4, whose devices open only where they were made primary."""

from __future__ import annotations

import time

import pytest

from orlop.client import Changes
from orlop.client.values import Resource
from orlop.errors import InUse
from orlop_docker.attaching import MARK, Attaching
from orlop_docker.catalog import Catalog
from orlop_docker.here import Here
from tests.docker.conftest import Docker, Plugin
from tests.docker.engine import Engine

ID = "1" * 64


def created(docker: Docker, **opts: str) -> tuple[Plugin, Engine]:
    """The plugin of alpha, that has a volume `v1` with a replica there and on bravo unless said otherwise."""
    plugin = docker.plugin("alpha")
    engine = plugin.engine()
    assert engine.call("Create", Name="v1", Opts=opts or {"nodes": "alpha,bravo"}).error == ""
    return plugin, engine


def here(plugin: Plugin) -> Resource:
    return plugin.client.resources(["v1"], [plugin.machine.name])[0]


def in_use(docker: Docker, engine: Engine) -> list[str]:
    docker.controller.pass_time(30)
    users: list[str] = engine.call("Get", Name="v1").body["Volume"]["Status"]["InUse"]
    return users


def test_it_is_primary_as_long_as_it_is_mounted(eight: Docker) -> None:
    _, engine = created(eight)
    there = eight.plugin("bravo").engine()
    assert engine.call("Mount", Name="v1", ID=ID).error == ""
    assert in_use(eight, engine) == ["alpha"]
    assert "alpha has it mounted or open" in there.call("Mount", Name="v1", ID=ID).error
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert in_use(eight, engine) == []
    assert there.call("Mount", Name="v1", ID=ID).error == ""
    assert there.call("Unmount", Name="v1", ID=ID).error == ""
    assert engine.call("Remove", Name="v1").error == ""


def test_a_single_replica_is_made_primary_too(eight: Docker) -> None:
    _, engine = created(eight, nodes="alpha")
    assert engine.call("Mount", Name="v1", ID=ID).error == ""
    assert engine.call("Remove", Name="v1").error == ""


def test_a_mount_that_fails_leaves_no_primary(eight: Docker) -> None:
    plugin, engine = created(eight)
    plugin.machine.broken = True
    assert "is damaged" in engine.call("Mount", Name="v1", ID=ID).error
    assert in_use(eight, engine) == []


def test_it_is_let_go_when_the_mounts_of_its_container_are_gone(eight: Docker) -> None:
    plugin, engine = created(eight)
    engine.call("Mount", Name="v1", ID=ID)
    plugin.machine.lingering = 1.0
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert in_use(eight, engine) == []
    assert eight.plugin("bravo").engine().call("Mount", Name="v1", ID=ID).error == ""


def test_what_could_not_be_let_go_is_let_go_later_also_by_another_plugin(eight: Docker) -> None:
    plugin, engine = created(eight)
    engine.call("Mount", Name="v1", ID=ID)
    eight.controller.cluster.nodes["alpha"].reachable = False
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert plugin.machine.mounts == set()
    eight.controller.cluster.nodes["alpha"].reachable = True
    assert in_use(eight, engine) == ["alpha"]
    plugin.stop()
    again = eight.plugin("alpha")
    again.driver.look()
    assert in_use(eight, again.engine()) == []


def test_what_is_mounted_is_not_let_go(eight: Docker) -> None:
    plugin, engine = created(eight)
    engine.call("Mount", Name="v1", ID=ID)
    plugin.driver.look()
    assert in_use(eight, engine) == ["alpha"]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_an_administrator_made_primary_stays_so(eight: Docker, restarted: bool) -> None:
    """Also if the plugin that lets it go is not the one that mounted it."""
    plugin, engine = created(eight)
    plugin.client.make_primary("v1", "alpha")
    assert engine.call("Mount", Name="v1", ID=ID).error == ""
    if restarted:
        plugin.stop()
        plugin = eight.plugin("alpha")
        engine = plugin.engine()
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    plugin.driver.look()
    assert plugin.machine.mounts == set()
    assert in_use(eight, engine) == ["alpha"]
    plugin.client.make_secondary("v1", "alpha")
    assert eight.plugin("bravo").engine().call("Mount", Name="v1", ID=ID).error == ""


def test_a_mount_that_fails_leaves_an_administrators_primary(eight: Docker) -> None:
    plugin, engine = created(eight)
    plugin.client.make_primary("v1", "alpha")
    plugin.machine.broken = True
    assert "is damaged" in engine.call("Mount", Name="v1", ID=ID).error
    plugin.driver.look()
    assert in_use(eight, engine) == ["alpha"]


def test_what_an_administrator_makes_primary_between_two_uses_stays_so(eight: Docker) -> None:
    """Nothing of the first use tells that it was for a container."""
    plugin, engine = created(eight)
    for _ in range(2):
        assert engine.call("Mount", Name="v1", ID=ID).error == ""
        assert engine.call("Unmount", Name="v1", ID=ID).error == ""
        plugin.client.make_primary("v1", "alpha")
        plugin.driver.look()
        assert in_use(eight, engine) == ["alpha"]


@pytest.mark.parametrize("primary", [False, True])
def test_what_a_plugin_left_half_done_is_let_go_by_the_next_one(eight: Docker, primary: bool) -> None:
    """The mark stands before anything is done: after a crash it cannot be known who made it primary."""
    plugin, engine = created(eight)
    plugin.client.modify_resource("v1", "alpha", Changes(override={MARK: "yes"}))
    if primary:
        plugin.client.make_primary("v1", "alpha")
    plugin.stop()
    again = eight.plugin("alpha")
    again.driver.look()
    assert in_use(eight, again.engine()) == []
    assert MARK not in here(again).props


def test_a_use_after_one_that_was_cut_is_let_go_as_well(eight: Docker) -> None:
    plugin, engine = created(eight)
    plugin.client.modify_resource("v1", "alpha", Changes(override={MARK: "yes"}))
    plugin.client.make_primary("v1", "alpha")
    assert engine.call("Mount", Name="v1", ID=ID).error == ""
    assert engine.call("Unmount", Name="v1", ID=ID).error == ""
    assert in_use(eight, engine) == []
    assert MARK not in here(plugin).props


def test_while_a_release_takes_long_nothing_is_done_for_the_next_use(eight: Docker) -> None:
    """The release would take it back."""
    plugin, _ = created(eight)
    catalog = Catalog(plugin.client)
    found = catalog.volume("v1", "orlop")
    attaching = Attaching(plugin.client, catalog, Here(plugin.client, "alpha"), patience=0.5)
    device = attaching.attach(found)
    plugin.machine.opened_by_others(device)
    attaching.detached("v1")
    with pytest.raises(InUse, match="its last use is still being undone"):
        attaching.attach(found)
    plugin.machine.closed(device)
    for _ in range(100):
        if MARK not in here(plugin).props:
            break
        time.sleep(0.1)
    assert attaching.attach(found) == device
    assert MARK in here(plugin).props


def test_a_third_node_is_told_which_two_have_the_data(eight: Docker) -> None:
    created(eight)
    error = eight.plugin("charlie").engine().call("Mount", Name="v1", ID=ID).error
    assert "The data of 'v1' is on alpha and bravo and cannot be reached from 'charlie'" in error
    assert "DRBD 8.4 knows two replicas" in error
