"""The one place that touches a machine: programs, files, devices. Everything else decides in values."""

from orlop.host.contract import Copying, Host
from orlop.host.execute import execute
from orlop.host.local import LocalHost

__all__ = ["Copying", "Host", "LocalHost", "execute"]
