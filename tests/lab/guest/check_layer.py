"""Runs in a node: the contract suite of layers, here the storage layer over one kind of pool."""

import json
import sys

from orlop.drivers import Drivers
from orlop.host import LocalHost
from orlop.model import WantedPool
from orlop.testing import check_layer

kind, props = sys.argv[1], json.loads(sys.argv[2])
pool = WantedPool(name="pool", uuid="pool-uuid", provider=kind, props=props, new=True)
check_layer(("STORAGE",), Drivers.installed(), LocalHost(), pool)
print("the layer keeps the contract")
