"""Every hook is called where its description says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orlop.controller import wire
from orlop.controller.api import create_application
from orlop.controller.error_reports import ErrorReports
from orlop.controller.usecases import resources, rolling_back, snapshots, spawning
from orlop.errors import NodeError, Refused
from orlop.hooks import Hooks
from orlop.model import StoragePool
from orlop.plugin import CreateFile, Step, hookimpl
from orlop.testing.cluster import SimulatedCluster


class Watcher:
    """Writes down what it is told. `vetoed` is a node that takes nothing."""

    def __init__(self) -> None:
        self.started: list[tuple[str, Step]] = []
        self.done: list[tuple[str, Step, Exception | None]] = []
        self.ready: list[tuple[str, str]] = []
        self.vetoed = self.preferred = ""

    @hookimpl
    def orlop_veto_placement(self, size: int, pool: StoragePool) -> str | None:
        return "it is full of ghosts" if pool.node == self.vetoed else None

    @hookimpl
    def orlop_weigh_placement(self, size: int, pool: StoragePool) -> float | None:
        return 10.0 if pool.node == self.preferred else None

    @hookimpl
    def orlop_step_started(self, resource: str, step: Step) -> None:
        self.started.append((resource, step))

    @hookimpl
    def orlop_step_done(self, resource: str, step: Step, error: Exception | None) -> None:
        self.done.append((resource, step, error))

    @hookimpl
    def orlop_resource_ready(self, resource: str, node: str) -> None:
        self.ready.append((resource, node))

    @hookimpl
    def orlop_node_facts(self, name: str) -> Mapping[str, str]:
        return {"Example/Name": name}

    @hookimpl
    def orlop_routes(self, application: Any) -> None:
        application.add_url_rule("/v1/orlop/ghosts", "ghosts", lambda: {"ghosts": 3})


class Broken:
    """Fails at whatever it watches."""

    @hookimpl
    def orlop_step_started(self, resource: str, step: Step) -> None:
        raise RuntimeError("broken")

    @hookimpl
    def orlop_resource_ready(self, resource: str, node: str) -> None:
        raise RuntimeError("broken")


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def cluster(watcher: Watcher) -> SimulatedCluster:
    made = SimulatedCluster(seed=3, hooks=Hooks(watcher))
    made.register()
    return made


def spawn(cluster: SimulatedCluster, count: int = 1, **rule: Any) -> None:
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web",
        volume_sizes=(64,),
        select_filter=wire.AutoSelectFilter(place_count=count, **rule),
    )
    spawning.spawn(cluster.core, "DfltRscGrp", body)


def test_the_steps_of_a_satellite_can_be_watched(cluster: SimulatedCluster, watcher: Watcher) -> None:
    spawn(cluster)
    steps = [step for name, step in watcher.started if name == "web"]
    assert isinstance(steps[0], CreateFile)
    assert [(step, error) for name, step, error in watcher.done if name == "web"] == [(step, None) for step in steps]


def test_a_step_that_failed_is_told_with_its_error(cluster: SimulatedCluster, watcher: Watcher) -> None:
    cluster.nodes["alpha"].host.faults.fail(1)
    spawn(cluster, node_name_list=("alpha",))
    errors = [error for name, _, error in watcher.done if name == "web" and error]
    assert isinstance(errors[0], NodeError)


def test_a_resource_is_ready_once(cluster: SimulatedCluster, watcher: Watcher) -> None:
    spawn(cluster, node_name_list=("alpha",))
    assert watcher.ready == [("web", "alpha")]
    snapshots.create(cluster.core, "web", wire.Snapshot(name="before"))
    rolling_back.rollback(cluster.core, "web", "before", wire.SnapshotRollback())
    cluster.settle()
    assert watcher.ready == [("web", "alpha")]


def test_a_resource_that_nobody_waited_for_is_ready_when_its_node_is_back(
    cluster: SimulatedCluster, watcher: Watcher
) -> None:
    spawn(cluster, node_name_list=("alpha",))
    cluster.nodes["bravo"].stop()
    cluster.run(30.0)
    body = wire.ResourceCreate(resource=wire.Resource(node_name="bravo", props={"StorPoolName": "pool1"}))
    resources.create(cluster.core, "web", (body,))
    assert watcher.ready == [("web", "alpha")]
    cluster.nodes["bravo"].start()
    cluster.run(60.0)
    assert watcher.ready == [("web", "alpha"), ("web", "bravo")]


def test_placement_listens_to_vetoes_and_weights(cluster: SimulatedCluster, watcher: Watcher) -> None:
    watcher.vetoed = "alpha"
    with pytest.raises(Refused) as refused:
        spawn(cluster, count=3)
    assert "ghosts" in refused.value.details
    watcher.preferred = "charlie"
    spawn(cluster)
    definition = cluster.core.picture.definition("web")
    assert definition is not None
    assert [r.node for r in definition.resources] == ["charlie"]


def test_a_node_tells_facts(cluster: SimulatedCluster) -> None:
    said = cluster.core.reported.node("alpha").info
    assert said is not None
    assert said.programs["Example/Name"] == "alpha"


def test_routes_are_added_to_the_rest_api(cluster: SimulatedCluster, tmp_path: Path) -> None:
    application = create_application(cluster.core, ErrorReports(tmp_path, cluster.clock, "controller"))
    assert application.test_client().get("/v1/orlop/ghosts").get_json() == {"ghosts": 3}


def test_an_observer_that_fails_stops_nothing() -> None:
    cluster = SimulatedCluster(seed=3, hooks=Hooks(Broken()))
    cluster.register()
    spawn(cluster, count=2)
    definition = cluster.core.picture.definition("web")
    assert definition is not None
    assert not any(v.new for r in definition.resources for v in r.volumes)


def test_an_observer_that_fails_keeps_the_event_from_no_other() -> None:
    first, last = Watcher(), Watcher()
    hooks = Hooks(first, Broken(), last)
    step = CreateFile(path="/srv/a", size=4096, attributes={})
    hooks.step_started("web", step)
    assert first.started == last.started == [("web", step)]
