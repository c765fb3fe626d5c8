"""Volumes on DRBD 8.4, whose devices open only where they were made primary."""

from __future__ import annotations

from tests.docker.conftest import Docker, Plugin
from tests.docker.engine import Engine

ID = "1" * 64


def created(docker: Docker, **opts: str) -> tuple[Plugin, Engine]:
    """The plugin of alpha, that has a volume `v1` with a replica there and on bravo unless said otherwise."""
    plugin = docker.plugin("alpha")
    engine = plugin.engine()
    assert engine.call("Create", Name="v1", Opts=opts or {"nodes": "alpha,bravo"}).error == ""
    return plugin, engine


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


def test_a_third_node_is_told_which_two_have_the_data(eight: Docker) -> None:
    created(eight)
    error = eight.plugin("charlie").engine().call("Mount", Name="v1", ID=ID).error
    assert "The data of 'v1' is on alpha and bravo and cannot be reached from 'charlie'" in error
    assert "DRBD 8.4 knows two replicas" in error
