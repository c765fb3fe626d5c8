"""Runs in a node: the contract suites for a storage driver and the layer over it, on this node's real kernel."""

import json
import sys

from orlop.drivers import STORAGE, Drivers
from orlop.host import LocalHost
from orlop.model import WantedPool
from orlop.testing import check_layer, check_storage

kind, props = sys.argv[1], json.loads(sys.argv[2])
drivers = Drivers.installed()
pool = WantedPool(name="pool", uuid="pool-uuid", provider=kind, props=props, new=True)
check_storage(drivers.load(STORAGE, kind), LocalHost(), pool, cluster="cluster-uuid")
check_layer(("STORAGE",), drivers, LocalHost(), pool, cluster="cluster-uuid")
print("the driver and the layer over it keep their contracts")
