"""The ZFS drivers pass the checks that are shipped for plugin authors."""

import pytest

from orlop.drivers import Drivers
from orlop.model import WantedPool
from orlop.testing import SimulatedHost, check_layer, check_storage
from orlop_storage.zfs import Zfs
from orlop_storage.zfs_thin import ZfsThin

KINDS = [Zfs, ZfsThin]


def pool(driver: type[Zfs], dataset: str = "tank/orlop") -> WantedPool:
    props = {"StorDriver/StorPoolName": dataset}
    return WantedPool(name="pool", uuid="pool-uuid", provider=driver.kind, props=props, new=True)


def host() -> SimulatedHost:
    made = SimulatedHost()
    made.zfs.make("tank")
    made.zfs.make("tank/orlop")
    return made


@pytest.mark.parametrize("dataset", ["tank", "tank/orlop"])
@pytest.mark.parametrize("driver", KINDS)
def test_zfs_drivers_keep_the_law_in_simulation(driver: type[Zfs], dataset: str) -> None:
    node = host()
    check_storage(driver, node, pool(driver, dataset))
    assert not [name for name, seen in node.zfs.datasets.items() if seen.kind == "snapshot"]


@pytest.mark.parametrize("driver", KINDS)
def test_the_storage_layer_keeps_the_contract_on_zfs(driver: type[Zfs]) -> None:
    node = host()
    check_layer(("STORAGE",), Drivers.installed(), node, pool(driver), reboot=node.power_loss)
    assert sorted(node.zfs.datasets) == ["tank", "tank/orlop"]
