"""The layers of a round: looked at bottom up, each once, told what it stands on."""

from typing import Any

import pytest

from orlop.drivers import Drivers
from orlop.errors import NodeError
from orlop.model import Presence, WantedLevel, WantedMetadata, WantedVolume
from orlop.plugin import Run, Standing, Step, run
from orlop.satellite import report
from orlop.satellite.observe import Observation, observe
from orlop.satellite.plan import plan
from orlop.testing import SimulatedHost
from orlop.testing.bench import CLUSTER, DRIVERS, FOLDER, Bench, pool, resource, volume

MIB = 1 << 20


class Glass:
    """A layer that offers the device below under another name and remembers what it was told."""

    replicates, options = False, frozenset[str]()

    def __init__(self, kind: str, standing: tuple[Standing, ...] = ()) -> None:
        self.kind, self.standing = kind, standing

    def observe(self, probe: object, standing: tuple[Standing, ...], cluster: str) -> "Glass":
        return Glass(self.kind, standing)

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return below and f"{below}/{self.kind.lower()}"

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        return Presence.READY if below else Presence.HIDDEN


def look(host: SimulatedHost, *volumes: WantedVolume) -> Observation:
    layers: dict[str, Any] = {name: Glass(name.upper()) for name in ("upper", "lower")}
    drivers = Drivers(
        {
            "orlop.storage": DRIVERS.all("orlop.storage"),
            "orlop.layer": {**layers, "storage": DRIVERS.load("orlop.layer", "storage")},
        }
    )
    return observe(host, drivers, (pool(),), [resource(*volumes)], CLUSTER)


def stacked(*layers: str, **more: Any) -> WantedVolume:
    return volume(levels=tuple(WantedLevel(layer=layer, size=MIB) for layer in layers), **more)


def made() -> SimulatedHost:
    bench = Bench()
    bench.sync(resource(stacked("STORAGE", new=True)))
    return bench.host


def test_a_layer_is_told_the_device_that_the_layers_below_it_offer() -> None:
    seen = look(made(), stacked("UPPER", "LOWER", "STORAGE"), stacked("LOWER", "STORAGE", number=1, uuid="other"))
    told: Any = seen.layer("UPPER")
    (above,) = told.standing
    assert (above.below, above.ready) == ("/dev/loop0/lower", True)
    told = seen.layer("LOWER")
    assert [(s.volume.number, s.below, s.ready) for s in told.standing] == [(0, "/dev/loop0", True), (1, None, False)]


def test_a_layer_over_a_closed_device_is_told_so() -> None:
    host = made()
    host.power_loss()
    told: Any = look(host, stacked("UPPER", "LOWER", "STORAGE")).layer("UPPER")
    assert [(s.below, s.ready) for s in told.standing] == [(None, False)]


def test_layers_that_stand_on_each_other_are_refused_and_leave_the_others_alone() -> None:
    seen = look(made(), stacked("UPPER", "LOWER", "STORAGE"), stacked("LOWER", "UPPER", "STORAGE", number=1))
    with pytest.raises(NodeError, match="both orders"):
        seen.layer("UPPER")
    assert seen.layer("STORAGE")


class Notes(Glass):
    """One that has metadata apart, erases its data, and always has something to do."""

    erases = True

    def observe(self, probe: object, standing: tuple[Standing, ...], cluster: str) -> "Notes":
        return Notes(self.kind, standing)

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        (seen,) = [s for s in self.standing if s.volume.uuid == volume.uuid]
        return Presence.READY if seen.ready else Presence.HIDDEN

    def size(self, volume: WantedVolume, below: str | None) -> int | None:
        return volume.size

    def facts(self, volume: WantedVolume, below: str | None) -> dict[str, str]:
        return {}

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        return [run("note", volume.name)]

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        return []


METADATA = WantedMetadata(uuid="m-uuid", pool=pool().name, levels=(WantedLevel(layer="STORAGE", size=MIB),))


def noted(host: SimulatedHost, wanted: WantedVolume) -> tuple[Observation, list[str]]:
    """What was seen, and the programs that are to run."""
    layers: dict[str, Any] = {"upper": Notes("UPPER"), "storage": DRIVERS.load("orlop.layer", "storage")}
    drivers = Drivers({"orlop.storage": DRIVERS.all("orlop.storage"), "orlop.layer": layers})
    seen = observe(host, drivers, (pool(),), [resource(wanted)], CLUSTER)
    (part,) = plan(resource(wanted), seen)
    return seen, [step.argv[0] for step in part.steps if isinstance(step, Run)]


def with_metadata(**more: Any) -> WantedVolume:
    return stacked("UPPER", "STORAGE", metadata=METADATA, **more)


def test_a_layer_comes_up_when_both_the_data_and_the_metadata_are_there() -> None:
    host = made()
    bench = Bench(host, pool())
    bench.sync(resource(stacked("STORAGE"), volume(uuid="m-uuid", suffix=".-meta", size=MIB, new=True)))
    seen, programs = noted(host, with_metadata())
    told: Any = seen.layer("UPPER")
    (standing,) = told.standing
    assert (standing.below, standing.metadata, standing.ready) == ("/dev/loop0", "/dev/loop1", True)
    assert programs == ["note"]
    host.disk.detach("/dev/loop1")
    seen, programs = noted(host, with_metadata())
    told = seen.layer("UPPER")
    (standing,) = told.standing
    assert (standing.below, standing.metadata, standing.ready) == ("/dev/loop0", None, False)
    assert programs == ["losetup"]


def test_a_volume_is_gone_with_the_last_of_its_objects() -> None:
    host = SimulatedHost()
    Bench(host).sync(resource(volume(uuid="m-uuid", suffix=".-meta", size=MIB, new=True)))
    gone = with_metadata(wanted=False)
    seen, _ = noted(host, gone)
    (said,) = report.resource(resource(gone), seen, {}, {}, ()).volumes
    assert said.presence is not Presence.ABSENT
    host.disk.drop(f"{FOLDER}/res_00000.-meta")
    seen, _ = noted(host, gone)
    (said,) = report.resource(resource(gone), seen, {}, {}, ()).volumes
    assert said.presence is Presence.ABSENT


def test_of_what_is_erased_only_the_lowest_levels_are_opened_for_it() -> None:
    host = made()
    Bench(host, pool()).sync(resource(stacked("STORAGE"), volume(uuid="m-uuid", suffix=".-meta", size=MIB, new=True)))
    host.power_loss()
    _, programs = noted(host, with_metadata(wanted=False))
    assert programs == ["losetup", "losetup"]
