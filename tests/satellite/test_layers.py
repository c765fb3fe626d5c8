"""The layers of a round: looked at bottom up, each once, told what it stands on."""

from typing import Any

import pytest

from orlop.drivers import Drivers
from orlop.errors import NodeError
from orlop.model import Presence, WantedLevel, WantedVolume
from orlop.plugin import Standing
from orlop.satellite.observe import Observation, observe
from orlop.testing import SimulatedHost
from orlop.testing.bench import CLUSTER, DRIVERS, Bench, pool, resource, volume

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
