"""What a node can do, and for everything it cannot, why."""

from typing import Any
from uuid import uuid4

import orlop
from orlop.drivers import LAYER, STORAGE, Drivers
from orlop.errors import OrlopError
from orlop.hooks import Hooks
from orlop.host import Host
from orlop.model import NodeInfo, Support
from orlop.plugin import HasVersion, NeedsKernel, WriteFile
from orlop.satellite import file_systems

HOST_NQN = "/etc/nvme/hostnqn"  # of nvme-cli


def info(name: str, host: Host, drivers: Drivers, hooks: Hooks, directory: str) -> NodeInfo:
    """`directory` is the satellite's own; what it has to remember of itself is there."""
    return NodeInfo(
        name=name,
        uname=host.name(),
        version=orlop.__version__,
        providers=_supports(STORAGE, drivers, host),
        layers=_supports(LAYER, drivers, host),
        programs={**_programs(drivers, host), **hooks.node_facts(name)},
        broken_plugins=drivers.broken,
        os_variant=host.variant(),
        host_nqn=_host_nqn(host, f"{directory}/hostnqn"),
    )


def _host_nqn(host: Host, own: str) -> str:
    """By which NVMe targets know this node: the name that nvme-cli has for it, else one that is made once."""
    if host.programs(("nvme",))["nvme"] is None:
        return ""
    if name := (host.read(HOST_NQN) or host.read(own) or "").strip():
        return name
    name = f"nqn.2014-08.org.nvmexpress:uuid:{uuid4()}"
    host.write(WriteFile(path=own, content=f"{name}\n"))
    return name


def _supports(namespace: str, drivers: Drivers, host: Host) -> tuple[Support, ...]:
    usable = [_support(driver, host) for _, driver in sorted(drivers.all(namespace).items())]
    broken = [
        Support(name=name.removeprefix(f"{namespace} ").upper(), reasons=(f"the plugin cannot be used: {why}",))
        for name, why in sorted(drivers.broken.items())
        if name.startswith(f"{namespace} ")
    ]
    return (*usable, *broken)


def _support(driver: Any, host: Host) -> Support:
    name, reasons = driver.kind, host.restrictions(driver.programs)
    if not reasons and isinstance(driver, NeedsKernel):
        reasons = driver.kernel_restrictions(host)
    version = driver.kernel_version(host) if not reasons and isinstance(driver, HasVersion) else ""
    return Support(name=name, reasons=reasons, version=version)


def _programs(drivers: Drivers, host: Host) -> dict[str, str]:
    """Version of every program that a driver needs; where to find the others."""
    needed = {p for kind in (STORAGE, LAYER) for driver in drivers.all(kind).values() for p in driver.programs}
    found = host.programs((*sorted(needed), *file_systems.PROGRAMS))
    return {name: _version(name, path, name in needed, host) for name, path in found.items()}


def _version(name: str, path: str | None, ask: bool, host: Host) -> str:
    if path is None:
        return f"{name} is not installed"
    if not ask:  # programs that make file systems take --version for the name of a device
        return path
    try:
        lines = host.run((name, "--version")).splitlines()
    except OrlopError:
        return path
    return lines[0] if lines else path
