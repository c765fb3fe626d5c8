"""The drivers of LVM pass the checks that are shipped for plugin authors."""

import pytest

from orlop.drivers import Drivers
from orlop.testing import check_layer, check_storage
from orlop_storage.logical_volumes import LogicalVolumes
from orlop_storage.lvm import Lvm
from orlop_storage.lvm_thin import LvmThin
from orlop_storage.lvm_thin_pool import LvmThinPool
from tests.plugins.lvm_nodes import node, pool

KINDS = [Lvm, LvmThin, LvmThinPool]


@pytest.mark.parametrize("driver", KINDS)
def test_lvm_drivers_keep_the_law_in_simulation(driver: type[LogicalVolumes]) -> None:
    host = node()
    check_storage(driver, host, pool(driver.kind))
    assert list(host.lvm.groups["vg0"].volumes) == ["thin"], "nothing is left"


@pytest.mark.parametrize("driver", KINDS)
def test_the_storage_layer_keeps_the_contract_on_lvm(driver: type[LogicalVolumes]) -> None:
    host = node()
    check_layer(("STORAGE",), Drivers.installed(), host, pool(driver.kind), reboot=host.power_loss)
