"""`drbdadm` and `drbdsetup` of DRBD 9 on a simulated node, each verb a function of the node and its words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orlop.errors import CommandFailed
from orlop.testing import drbd9_adjust, drbd9_links, drbd9_reports, drbd9_states
from orlop.testing.drbd9_config import OPTIONS, Volume
from orlop.testing.drbd9_generations import Strategy, Verdict
from orlop.testing.drbd9_model import Connection, Device, Resource
from orlop.testing.drbd9_sync import LOOKS, End, ends, synchronize
from orlop.testing.drbd_metadata import APART

if TYPE_CHECKING:
    from orlop.testing.drbd9 import SimulatedDrbd9

XML_HELP = {
    "resource-options": ("options",),
    "net-options": ("net",),
    "new-peer": ("net",),
    "new-minor": (),
    "disk-options": ("disk",),
    "peer-device-options": ("peer",),
}


# -- what is there --------------------------------------------------------------------------------------------------


def chosen(node: SimulatedDrbd9, target: str) -> tuple[Resource, list[Connection], list[Device]]:
    """Of `NAME`, `NAME:PEER`, `NAME/VOLUME` or `NAME:PEER/VOLUME`."""
    rest, _, number = target.partition("/")
    name, _, peer = rest.partition(":")
    resource = node.resource(name)
    connections = [c for c in resource.connections.values() if peer in ("", c.name)]
    devices = [d for d in resource.devices.values() if number in ("", str(d.number))]
    if not connections and peer or not devices and number:
        raise CommandFailed(("drbdadm",), 10, f"'{target}' not defined in your config (for this host).")
    return resource, connections, devices


def role(node: SimulatedDrbd9, verb: str, target: str, forced: bool = False) -> None:
    resource = node.resource(target)
    try:
        if verb == "secondary":
            _secondary(resource)
        elif forced:
            drbd9_states.force(resource, node.network.new_generation)
        else:
            drbd9_states.promote(resource)
    except drbd9_states.StateRefused as refusal:
        status = 11 if verb == "secondary" else 17
        said = f"{target}: {refusal}\nCommand 'drbdsetup {verb} {target}' terminated with exit code {status}"
        raise CommandFailed(("drbdadm", verb, target), status, said) from refusal


def _secondary(resource: Resource) -> None:
    if any(resource.disk.used.get(f"/dev/drbd{device.minor}") for device in resource.devices.values()):
        raise drbd9_states.StateRefused(-12, "Device is held open by someone")
    drbd9_states.demote(resource)


def connect(node: SimulatedDrbd9, target: str, discard: bool) -> None:
    _, connections, _ = chosen(node, target)
    for connection in connections:
        if connection.wanted:
            said = f"{target}: Failure: (125) Device has a net-config (use disconnect first)"
            raise CommandFailed(("drbdadm", "connect", target), 10, said)
        connection.wanted, connection.discard = True, discard


def disconnect(node: SimulatedDrbd9, target: str) -> None:
    resource, connections, _ = chosen(node, target)
    for connection in connections:
        drbd9_links.leave(resource, connection)


def pause(node: SimulatedDrbd9, target: str, paused: bool) -> None:
    _, connections, devices = chosen(node, target)
    for part in [c.volumes[d.number] for c in connections for d in devices if d.number in c.volumes]:
        part.paused = paused


def suspend(node: SimulatedDrbd9, resource: Resource, suspended: bool) -> None:
    resource.suspended_by_user = suspended


def verify(node: SimulatedDrbd9, target: str) -> None:
    resource, connections, devices = chosen(node, target)
    for connection in connections:
        if not connection.options.get("verify-alg"):
            reason = "(-14) Need a verify algorithm to start online verify"
            raise CommandFailed(("drbdadm", "verify", target), 11, f"{target}: State change failed: {reason}")
        for device in devices:
            both = ends(resource, connection, device.number)
            if both is not None and both[0].part.replication == "Established":
                both[0].part.replication, both[1].part.replication = "VerifyS", "VerifyT"
                both[0].part.looks = LOOKS


def invalidate(node: SimulatedDrbd9, target: str, remote: bool = False) -> None:
    """Gets all of the data anew from a node that has it; `remote`: the others get it from here."""
    resource, connections, devices = chosen(node, target)
    found = [pair for c in connections for d in devices if (pair := ends(resource, c, d.number)) is not None]
    plans = [(one, other) if remote else (other, one) for one, other in found]
    plans = [(source, target) for source, target in plans if source.device.disk == "UpToDate"]
    if not plans or any(receiving.resource.role == "Primary" for _, receiving in plans):
        verb = "invalidate-remote" if remote else "invalidate"
        reason = "(-2) Need access to UpToDate data"
        raise CommandFailed(("drbdadm", verb, target), 17, f"{target}: State change failed: {reason}")
    for giving, receiving in plans if remote else plans[:1]:
        _everything(giving, receiving)


def _everything(source: End, target: End) -> None:
    target.device.become("Inconsistent")
    synchronize(source, target, Verdict(Strategy.SOURCE_FULL))


def resize(node: SimulatedDrbd9, target: str, assume_clean: bool) -> None:
    """All nodes take the largest size that has room on each of them."""
    resource, _, devices = chosen(node, target)
    missing = [c for c in resource.connections.values() if c.other is None]
    if missing and any(part.bitmap for c in missing for part in c.volumes.values()):
        reason = "Failure: (153) Peer is not connected"
        raise CommandFailed(("drbdadm", "resize", target), 10, f"{target}: {reason}")
    for device in devices:
        _grow(resource, device, assume_clean)


def _grow(resource: Resource, device: Device, assume_clean: bool) -> None:
    there = [(other, peer) for _, _, other, peer in resource.far(device.number)]
    every = [(resource, device), *there]
    with_disk = [(r, d, d.metadata) for r, d in every if d.metadata is not None]
    room = [drbd9_adjust.room(r, d) for r, d, _ in with_disk]
    before = min(m.size for _, _, m in with_disk)
    for owner, own, metadata in with_disk:
        metadata.size, metadata.end = min(room), owner.disk.content(own.backing).size
        if not assume_clean:
            for slot in metadata.slots.values():
                slot.bits.blocks |= set(range(before, min(room), 4096))
    for _, each in every:
        if each.file is not None:
            each.file.size = min(room)
    if not assume_clean:
        _synchronize_new(resource, device)


def _synchronize_new(resource: Resource, device: Device) -> None:
    for connection in resource.connections.values():
        both = ends(resource, connection, device.number)
        if both is not None and both[0].device.disk == both[1].device.disk == "UpToDate":
            synchronize(*both, Verdict(Strategy.SOURCE))


def new_current_uuid(node: SimulatedDrbd9, target: str, clear: bool) -> None:
    """With `--clear-bitmap` on data that nobody ever wrote: all that are connected are equal and good."""
    resource, _, devices = chosen(node, target)
    if "/" not in target:
        said = "new-current-uuid requires a specific volume id, but none is specified."
        raise CommandFailed(("drbdadm", "new-current-uuid", target), 1, said)
    for device in devices:
        new = node.network.new_generation()
        if clear:
            _declare_equal(resource, device, new)
        else:
            drbd9_states.begin_generation(resource, device, new)


def _declare_equal(resource: Resource, device: Device, new: str) -> None:
    every = [
        (resource.node_id, device),
        *((other.node_id, there) for _, _, other, there in resource.far(device.number)),
    ]
    ids = {node_id for node_id, each in every if each.metadata is not None}
    for _, each in every:
        if each.metadata is None:
            continue
        each.metadata.generations.advance(new, set(each.metadata.slots) - ids)
        for node_id in ids & set(each.metadata.slots):
            each.metadata.slots[node_id].bits.clear()
            each.metadata.generations.bitmap.pop(node_id, None)
        each.become("UpToDate")


def forget(resource: Resource, node_id: int) -> None:
    if node_id in resource.connections:
        reason = "Failure: (162) peer is configured (del-peer first)"
        raise CommandFailed(("drbdsetup", "forget-peer"), 10, f"{resource.name}: {reason}")
    for device in resource.devices.values():
        if device.metadata is not None:
            device.metadata.slots.pop(node_id, None)
            device.metadata.seen.discard(node_id)
            device.metadata.generations.bitmap.pop(node_id, None)


def xml_help(section: str) -> str:
    names = sorted(name for part in XML_HELP[section] for name in OPTIONS[part] if not name.startswith("_"))
    options = "".join(f'\t<option name="{name}" type="string">\n\t</option>\n' for name in names)
    return f'<command name="{section}">\n{options}</command>\n'


# -- by verb --------------------------------------------------------------------------------------------------------


def adjust(node: SimulatedDrbd9, name: str, skip: bool = False) -> None:
    wanted = node.configured(name)
    resource = node.resources.get(name)
    if resource is None:
        resource = Resource(node.name, name, wanted.here.node_id, node.disk, dict(wanted.options))
        node.resources[name] = resource
    resource.attaches_alone, resource.negotiates = node.kernel >= (9, 3, 0), node.negotiates
    taken = {d.minor for r in node.resources.values() if r is not resource for d in r.devices.values()}
    drbd9_adjust.adjust(resource, wanted, taken, node.find_metadata, node.network.look, skip)


def attach(node: SimulatedDrbd9, target: str) -> None:
    resource, _, devices = chosen(node, target)
    wanted = node.configured(resource.name)
    for device in devices:
        volume = wanted.here.volumes[device.number]
        if device.metadata is None and volume.backing:
            drbd9_adjust.attach(resource, device, volume, node.find_metadata)


def detach(node: SimulatedDrbd9, target: str) -> None:
    resource, _, devices = chosen(node, target)
    for device in devices:
        drbd9_adjust.detach(resource, device)


def down(node: SimulatedDrbd9, name: str) -> None:
    if name in node.resources:
        drbd9_adjust.down(node.resources[name])
        del node.resources[name]


def create_metadata(node: SimulatedDrbd9, target: str, peers: str) -> str:
    name, _, number = target.partition("/")
    found = node.configured(name).here.volumes.values()
    wanted = [v for v in found if v.backing and number in ("", str(v.number))]
    return "".join(
        node.drbdmeta(node.disk, ("--force", str(v.minor), "v09", *_where(v), "create-md", peers)) for v in wanted
    )


def _where(volume: Volume) -> tuple[str, str]:
    return (volume.apart, APART) if volume.apart else (volume.backing, "internal")


def state(node: SimulatedDrbd9, target: str, verb: str) -> str:
    resource, connections, devices = chosen(node, target)
    match verb:
        case "role":
            return f"{resource.role}\n"
        case "cstate":
            return "".join(f"{connection.state}\n" for connection in connections)
    parts = [[d.disk, *(drbd9_reports.peer_disk(resource, c, d.number) for c in connections)] for d in devices]
    return "".join("/".join(each) + "\n" for each in parts)


def status(node: SimulatedDrbd9, name: str) -> str:
    node.network.settle()
    return drbd9_reports.status(node.resource(name))


def dump(node: SimulatedDrbd9, name: str) -> str:
    return node.configured(name).text


def _peers(options: tuple[str, ...]) -> str:
    found = [option.partition("=")[2] for option in options if option.startswith("--max-peers=")]
    return found[0] if found else "1"


TOLD: Mapping[str, Callable[[SimulatedDrbd9, str], str]] = {
    "status": status,
    "role": lambda node, target: state(node, target, "role"),
    "cstate": lambda node, target: state(node, target, "cstate"),
    "dstate": lambda node, target: state(node, target, "dstate"),
    "dump": dump,
}
PLAIN: Mapping[str, Callable[[SimulatedDrbd9, str], None]] = {
    "adjust": adjust,
    "up": adjust,
    "down": down,
    "disconnect": disconnect,
    "attach": attach,
    "detach": detach,
    "verify": verify,
    "invalidate": invalidate,
    "invalidate-remote": lambda node, target: invalidate(node, target, remote=True),
    "pause-sync": lambda node, target: pause(node, target, True),
    "resume-sync": lambda node, target: pause(node, target, False),
    "suspend-io": lambda node, target: suspend(node, node.resource(target), True),
    "resume-io": lambda node, target: suspend(node, node.resource(target), False),
}
WITH_OPTIONS: Mapping[str, Callable[[SimulatedDrbd9, str, tuple[str, ...]], str | None]] = {
    "adjust": lambda node, name, options: adjust(node, name, "--skip-disk" in options),
    "primary": lambda node, name, options: role(node, "primary", name, "--force" in options),
    "secondary": lambda node, name, options: role(node, "secondary", name),
    "connect": lambda node, name, options: connect(node, name, "--discard-my-data" in options),
    "resize": lambda node, name, options: resize(node, name, "--assume-clean" in options),
    "new-current-uuid": lambda node, name, options: new_current_uuid(node, name, "--clear-bitmap" in options),
    "create-md": lambda node, name, options: create_metadata(node, name, _peers(options)),
}
