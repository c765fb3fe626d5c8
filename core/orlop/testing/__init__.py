"""For plugin authors and our own tests: a node in memory, and the checks every driver and layer must pass."""

from orlop.testing.contracts import Workbench, check_devices, check_host, check_layer, check_storage
from orlop.testing.faults import Crash, Faults
from orlop.testing.host import SimulatedHost

__all__ = [
    "Crash",
    "Faults",
    "SimulatedHost",
    "Workbench",
    "check_devices",
    "check_host",
    "check_layer",
    "check_storage",
]
