"""Planning a stack of two layers."""

import pytest

from orlop.model import Presence, WantedLevel, WantedSnapshot, WantedVolume
from orlop.plugin import Step, run
from orlop.satellite.observe import Observation, observe
from orlop.satellite.plan import plan
from orlop.testing import SimulatedHost
from orlop.testing.bench import CLUSTER, DRIVERS, FOLDER, Bench, pool, resource, snapshot, volume

MIB = 1 << 20


class Top:
    """A layer that finds nothing on what it cannot see, and would make itself anew there."""

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return "/dev/top" if below else None

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        return Presence.READY if below else Presence.ABSENT

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        return [run("close-top")] if below and not (volume.wanted and volume.active) else []

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        return [] if below else [run("make-top")]


def look(host: SimulatedHost) -> Observation:
    seen = observe(host, DRIVERS, (pool(),), [resource(volume())], CLUSTER)
    return seen._replace(layers={**seen.layers, "TOP": Top()})  # type: ignore[dict-item]


def stacked(**more: bool) -> WantedVolume:
    return volume(levels=(WantedLevel(layer="TOP", size=MIB), WantedLevel(layer="STORAGE", size=MIB)), **more)


def steps(host: SimulatedHost, wanted: WantedVolume) -> list[str]:
    (part,) = plan(resource(wanted), look(host))
    assert not part.problem
    return [str(step) for step in part.steps]


def made() -> SimulatedHost:
    bench = Bench()
    bench.sync(resource(volume(new=True)))
    return bench.host


def test_planning_stops_above_what_is_closed() -> None:
    host = made()
    host.power_loss()
    assert steps(host, stacked(new=True)) == [f"losetup --find --show --nooverlap {FOLDER}/res_00000"]


def test_the_top_is_taken_down_first() -> None:
    down = steps(made(), stacked(wanted=False))
    assert down[0] == "close-top"
    assert "losetup --detach /dev/loop0" in down[1:]


@pytest.mark.parametrize(
    "wanted",
    [
        volume("../etc", new=True),
        volume("a/b", new=True),
        volume(uuid="../../etc/passwd", wanted=False),
        snapshot("../snap", new=True),
    ],
)
def test_a_name_that_would_leave_the_folder_is_refused(wanted: WantedVolume | WantedSnapshot) -> None:
    (part,) = plan(resource(wanted), look(made()))
    assert not part.steps
    assert "is not" in part.problem
