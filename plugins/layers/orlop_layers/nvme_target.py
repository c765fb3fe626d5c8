"""Volumes offered to other nodes by nvmet, the kernel's target, through its tree in configfs.

Each volume is a subsystem of its own, whose name bears the cluster and the incarnation; one with any other name is
never touched. It is linked to its port last, so that a host that comes back finds all of it: a host that is turned away
may give up.
"""

from collections.abc import Iterable, Mapping

from orlop.errors import NodeError
from orlop.model.cluster import Value
from orlop.plugin import MakeDirectory, MakeLink, RemoveDirectory, RemoveLink, Step, WriteAttribute

NVMET = "/sys/kernel/config/nvmet"
NAMESPACE = "1"
PORT_ATTRIBUTES = ("addr_adrfam", "addr_trtype", "addr_traddr", "addr_trsvcid")


class Export(Value, frozen=True, kw_only=True):
    """What is to be offered: the device below, to whom, and where."""

    name: str  # of the subsystem
    uuid: str
    device: str
    hosts: tuple[str, ...]
    transport: str
    address: str
    port: str

    @property
    def place(self) -> tuple[str, ...]:
        """In the order of `PORT_ATTRIBUTES`."""
        return ("ipv6" if ":" in self.address else "ipv4", self.transport, self.address, self.port)


class Namespace(Value, frozen=True, kw_only=True):
    device: str = ""
    uuid: str = ""
    enabled: bool = False


class Subsystem(Value, frozen=True, kw_only=True):
    serial: str = ""
    open_to_all: bool = False
    hosts: frozenset[str] = frozenset()
    namespaces: Mapping[str, Namespace] = {}


class Port(Value, frozen=True, kw_only=True):
    place: tuple[str, ...] = ()
    subsystems: frozenset[str] = frozenset()


class Target(Value, frozen=True, kw_only=True):
    """The tree as it was seen: what bears our names, and all ports."""

    loaded: bool
    subsystems: Mapping[str, Subsystem] = {}
    ports: Mapping[str, Port] = {}


def patterns(ours: str) -> tuple[str, ...]:
    """`ours` is what the names of our subsystems begin with."""
    subsystem, port = f"{NVMET}/subsystems/{ours}*", f"{NVMET}/ports/*"
    of_subsystem = ("attr_serial", "attr_allow_any_host", "allowed_hosts/*")
    of_namespace = ("device_path", "device_uuid", "enable")
    return (
        NVMET,
        subsystem,
        *(f"{subsystem}/{name}" for name in of_subsystem),
        f"{subsystem}/namespaces/*",
        *(f"{subsystem}/namespaces/*/{name}" for name in of_namespace),
        port,
        *(f"{port}/{name}" for name in PORT_ATTRIBUTES),
        f"{port}/subsystems/*",
    )


def seen(texts: Mapping[str, str]) -> Target:
    tree = {path.removeprefix(f"{NVMET}/"): text.strip() for path, text in texts.items() if path.startswith(NVMET)}
    names: dict[str, list[str]] = {}
    for path in tree:
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, []).append(name)
    return Target(
        loaded=NVMET in texts,
        subsystems={name: _subsystem(tree, names, f"subsystems/{name}") for name in names.get("subsystems", ())},
        ports={number: _port(tree, names, f"ports/{number}") for number in names.get("ports", ())},
    )


Names = Mapping[str, list[str]]  # by folder


def _subsystem(tree: Mapping[str, str], names: Names, at: str) -> Subsystem:
    return Subsystem(
        serial=tree.get(f"{at}/attr_serial", ""),
        open_to_all=tree.get(f"{at}/attr_allow_any_host") == "1",
        hosts=frozenset(names.get(f"{at}/allowed_hosts", ())),
        namespaces={
            number: _seen_namespace(tree, f"{at}/namespaces/{number}") for number in names.get(f"{at}/namespaces", ())
        },
    )


def _seen_namespace(tree: Mapping[str, str], at: str) -> Namespace:
    return Namespace(
        device=tree.get(f"{at}/device_path", ""),
        uuid=tree.get(f"{at}/device_uuid", ""),
        enabled=tree.get(f"{at}/enable") == "1",
    )


def _port(tree: Mapping[str, str], names: Names, at: str) -> Port:
    return Port(
        place=tuple(tree.get(f"{at}/{name}", "") for name in PORT_ATTRIBUTES),
        subsystems=frozenset(names.get(f"{at}/subsystems", ())),
    )


# -- offering ---------------------------------------------------------------------------------------------------------


def offer(target: Target, export: Export, ours: str) -> list[Step]:
    """Steps that are left until the volume is offered as wanted."""
    at = _path(export.name)
    there = target.subsystems.get(export.name)
    steps: list[Step] = [] if there else [MakeDirectory(path=at)]
    there = there or Subsystem()
    # Hosts that come back compare what they knew: the serial number and the uuid are the same after every start.
    if there.serial != (serial := export.uuid.replace("-", "")[:20]):
        steps.append(WriteAttribute(path=f"{at}/attr_serial", text=serial))
    if there.open_to_all:
        steps.append(WriteAttribute(path=f"{at}/attr_allow_any_host", text="0"))
    return [*steps, *_hosts(at, there, export), *_namespace(at, there, export), *_linked(target, export, ours)]


def _path(name: str) -> str:
    return f"{NVMET}/subsystems/{name}"


def _hosts(at: str, there: Subsystem, export: Export) -> list[Step]:
    steps: list[Step] = []
    for host in sorted(set(export.hosts) - there.hosts):
        steps.append(MakeDirectory(path=f"{NVMET}/hosts/{host}"))
        steps.append(MakeLink(path=f"{at}/allowed_hosts/{host}", target=f"{NVMET}/hosts/{host}"))
    return steps + _without_hosts(at, there.hosts - set(export.hosts))


def _without_hosts(at: str, hosts: Iterable[str]) -> list[Step]:
    steps: list[Step] = []
    for host in sorted(hosts):
        steps.append(RemoveLink(path=f"{at}/allowed_hosts/{host}"))
        steps.append(RemoveDirectory(path=f"{NVMET}/hosts/{host}", unless_used=True))
    return steps


def _namespace(at: str, there: Subsystem, export: Export) -> list[Step]:
    path = f"{at}/namespaces/{NAMESPACE}"
    now = there.namespaces.get(NAMESPACE)
    wanted = Namespace(device=export.device, uuid=export.uuid, enabled=True)
    if now == wanted:
        return []
    steps: list[Step] = [] if now else [MakeDirectory(path=path)]
    if now and now.enabled:
        steps.append(WriteAttribute(path=f"{path}/enable", text="0"))
    return [
        *steps,
        WriteAttribute(path=f"{path}/device_path", text=export.device),
        WriteAttribute(path=f"{path}/device_uuid", text=export.uuid),
        WriteAttribute(path=f"{path}/enable", text="1"),
    ]


def _linked(target: Target, export: Export, ours: str) -> list[Step]:
    """The number of a port in the tree is that of its service: TCP ports are allotted once per node."""
    number, name = export.port, export.name
    steps = [step for other in target.ports if other != number for step in _unlinked(target, other, name)]
    at, port = f"{NVMET}/ports/{number}", target.ports.get(number, Port())
    if port.place == export.place:
        return steps if name in port.subsystems else [*steps, _link(at, name)]
    _require_free(target, export)
    if port.subsystems:
        if strangers := [other for other in port.subsystems if not other.startswith(ours)]:
            raise NodeError(f"nvmet port {number} of this node is used by others, among them {strangers[0]}")
        return [*steps, *_unlinked(target, number, name)]  # its address can be changed once all of ours have left it
    place = zip(PORT_ATTRIBUTES, export.place, strict=True)
    attributes = [WriteAttribute(path=f"{at}/{attribute}", text=text) for attribute, text in place]
    return [*steps, MakeDirectory(path=at), *attributes, _link(at, name)]


def _link(at: str, name: str) -> Step:
    return MakeLink(path=f"{at}/subsystems/{name}", target=_path(name))


def _require_free(target: Target, export: Export) -> None:
    for number, port in target.ports.items():
        if number != export.port and port.place[2:] == export.place[2:]:
            raise NodeError(
                f"{export.address} port {export.port} is served by nvmet port {number}, which is not ours; "
                "choose another one with the property NVMe/Port"
            )


def _unlinked(target: Target, number: str, name: str) -> list[Step]:
    if name not in target.ports.get(number, Port()).subsystems:
        return []
    at = f"{NVMET}/ports/{number}"
    return [RemoveLink(path=f"{at}/subsystems/{name}"), RemoveDirectory(path=at, unless_used=True)]


# -- taking back ------------------------------------------------------------------------------------------------------


def take_back(target: Target, export: Export) -> list[Step]:
    """Steps that are left until nothing of it is offered any more; the kernel cuts off who is still connected."""
    steps = [step for number in target.ports for step in _unlinked(target, number, export.name)]
    at, there = _path(export.name), target.subsystems.get(export.name)
    if there is None:
        return steps or _left_over(target, export)
    for number, namespace in there.namespaces.items():
        if namespace.enabled:
            steps.append(WriteAttribute(path=f"{at}/namespaces/{number}/enable", text="0"))
        steps.append(RemoveDirectory(path=f"{at}/namespaces/{number}"))
    return [*steps, *_without_hosts(at, there.hosts), RemoveDirectory(path=at)]


def _left_over(target: Target, export: Export) -> list[Step]:
    """A port that an attempt which was cut did not get to remove, or to give its address."""
    port = target.ports.get(export.port)
    if port is None or port.subsystems or port.place[2] not in ("", export.address):
        return []
    return [RemoveDirectory(path=f"{NVMET}/ports/{export.port}", unless_used=True)]


def notice_growth(export: Export) -> Step:
    """Has the kernel look at the size of the device again and tell the hosts."""
    return WriteAttribute(path=f"{_path(export.name)}/namespaces/{NAMESPACE}/revalidate_size", text="1")
