"""Volumes of other nodes, reached through nvme-cli and found again in sysfs by the name of their subsystem."""

import re
from collections.abc import Mapping

from orlop.errors import NodeError
from orlop.model.cluster import Value
from orlop.plugin import AwaitEntry, RequireUnused, Step, run

SUBSYSTEMS = "/sys/class/nvme-subsystem"
HOST_NQN = "/etc/nvme/hostnqn"
LIVE = "live"
# A target that is away is waited for so long, and tried for again so often; both in seconds.
LOSS = 600
RETRY = 2
KEEP_ALIVE = 5
SECTOR = 512
_DEVICE = re.compile(r"nvme\d+n\d+")


class Access(Value, frozen=True, kw_only=True):
    """What is to be reached, and as whom."""

    name: str  # of the subsystem
    uuid: str
    host: str
    transport: str
    address: str
    port: str


class Path(Value, frozen=True, kw_only=True):
    """One connection to a subsystem; the kernel calls it a controller."""

    state: str = ""
    transport: str = ""
    address: str = ""
    port: str = ""


class Connection(Value, frozen=True, kw_only=True):
    """A subsystem that this node is connected to, however well."""

    paths: Mapping[str, Path] = {}
    device: str | None = None
    size: int | None = None

    @property
    def live(self) -> list[str]:
        return sorted(name for name, path in self.paths.items() if path.state == LIVE)


PATTERNS = (
    HOST_NQN,
    "/sys/module/nvme_tcp",
    "/sys/module/nvme_rdma",
    f"{SUBSYSTEMS}/*/subsysnqn",
    f"{SUBSYSTEMS}/*/nvme*/state",
    f"{SUBSYSTEMS}/*/nvme*/transport",
    f"{SUBSYSTEMS}/*/nvme*/address",
    f"{SUBSYSTEMS}/*/nvme*n*/size",
    f"{SUBSYSTEMS}/*/nvme*/nvme*n*/size",  # where the kernel does not join the paths of a subsystem
)


def seen(texts: Mapping[str, str]) -> dict[str, Connection]:
    """By name of the subsystem."""
    trees: dict[str, dict[str, str]] = {}
    for path, text in texts.items():
        if path.startswith(f"{SUBSYSTEMS}/"):
            trees.setdefault(path.split("/")[4], {})[path.removeprefix(f"{SUBSYSTEMS}/")] = text.strip()
    named = [(tree.get(f"{at}/subsysnqn", ""), tree) for at, tree in trees.items()]
    return {name: _connection(tree) for name, tree in named if name}


def _connection(tree: Mapping[str, str]) -> Connection:
    paths = {path.split("/")[1]: _path(tree, path.removesuffix("/state")) for path in tree if path.endswith("/state")}
    sizes = {path.split("/")[-2]: int(text) * SECTOR for path, text in tree.items() if path.endswith("/size")}
    device = next((name for name in sorted(sizes) if _DEVICE.fullmatch(name)), None)
    return Connection(paths=paths, device=f"/dev/{device}" if device else None, size=sizes[device] if device else None)


def _path(tree: Mapping[str, str], at: str) -> Path:
    """The address reads as `traddr=10.77.0.1,trsvcid=4420,src_addr=10.77.0.2`."""
    address = dict(part.partition("=")[::2] for part in tree.get(f"{at}/address", "").split(","))
    return Path(
        state=tree[f"{at}/state"],
        transport=tree.get(f"{at}/transport", ""),
        address=address.get("traddr", ""),
        port=address.get("trsvcid", ""),
    )


def reach(access: Access, there: Connection, size: int, texts: Mapping[str, str]) -> list[Step]:
    """Steps that are left until the volume can be used. While the kernel tries to connect again it is left to that."""
    if not any((path.address, path.port) == (access.address, access.port) for path in there.paths.values()):
        return _connect(access, texts)
    if there.device is None:
        return [_rescan(there.live[0]), _await(access)] if there.live else []
    if there.live and there.size is not None and there.size < size:
        now = str(there.size // SECTOR)
        name = there.device.removeprefix("/dev/")
        return [_rescan(there.live[0]), AwaitEntry(path=f"/sys/class/block/{name}/size", other_than=now)]
    return []


def _connect(access: Access, texts: Mapping[str, str]) -> list[Step]:
    if not access.address or not access.host:
        raise NodeError("the controller does not know yet how this volume is reached")
    module = f"nvme_{access.transport}"
    load: list[Step] = [] if f"/sys/module/{module}" in texts else [run("modprobe", module)]
    identity = [f"--hostnqn={access.host}"]
    if texts.get(HOST_NQN, "").strip() != access.host:
        # The kernel wants one identifier for one name; nvme-cli knows only the one that belongs to its own file.
        identity.append(f"--hostid={access.host.rpartition(':')[2]}")
    where = (f"--transport={access.transport}", f"--traddr={access.address}", f"--trsvcid={access.port}")
    patience = (f"--ctrl-loss-tmo={LOSS}", f"--reconnect-delay={RETRY}", f"--keep-alive-tmo={KEEP_ALIVE}")
    connect = run("nvme", "connect", *where, *identity, *patience, f"--nqn={access.name}")
    return [*load, connect, _await(access)]


def _rescan(controller: str) -> Step:
    return run("nvme", "ns-rescan", f"/dev/{controller}")


def _await(access: Access) -> Step:
    """The device appears some time after the connection. udev names it after the uuid that the target gave it."""
    return AwaitEntry(path=f"/dev/disk/by-id/nvme-uuid.{access.uuid}")


def leave(access: Access, there: Connection | None) -> list[Step]:
    if there is None or not there.paths:
        return []
    unused: list[Step] = [RequireUnused(device=there.device)] if there.device else []
    return [*unused, run("nvme", "disconnect", f"--nqn={access.name}")]
