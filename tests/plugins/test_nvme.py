"""The plans of the layer NVMe: pictures of a node in, steps out."""

from typing import Any

import msgspec
import pytest

from orlop.drivers import Drivers
from orlop.errors import NodeError
from orlop.model import MIB, Presence, WantedLevel, WantedPool, WantedVolume
from orlop.plugin import AwaitEntry, RemoveDirectory, RequireUnused, Standing, Step, run
from orlop.testing import SimulatedHost, check_layer
from orlop.testing.nvme import Fabric
from orlop_layers import nvme_target
from orlop_layers.nvme import NAMES, Nvme
from orlop_layers.nvme_target import NVMET
from tests.simulation.backends import BACKENDS

CLUSTER = "c-1"
UUID = "0ad69099-98fb-47c4-910f-84fd35be6094"
NAME = f"{NAMES}{CLUSTER}:web_00000:{UUID}"
DEVICE = "/dev/loop0"
HOST = "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-4333-8444-555555555555"
WHERE = {"transport": "tcp", "address": "10.0.0.1", "port": "4420"}
replace = msgspec.structs.replace


def volume(*layers: str, size: int = 16 * MIB, data: dict[str, str], **more: Any) -> WantedVolume:
    levels = tuple(WantedLevel(layer=name, size=size, data=data if name == "NVME" else {}) for name in layers)
    return WantedVolume(**{"resource": "web", "number": 0, "uuid": UUID, "pool": "pool", "levels": levels, **more})


def on_target(**more: Any) -> WantedVolume:
    return volume("NVME", "STORAGE", data={**WHERE, "hosts": HOST}, **more)


def on_initiator(**more: Any) -> WantedVolume:
    return volume("NVME", data={**WHERE, "host": HOST}, **more)


def look(host: SimulatedHost, wanted: WantedVolume) -> Nvme:
    below = None if len(wanted.levels) == 1 else DEVICE
    return Nvme.observe(host, (Standing(volume=wanted, below=below, ready=True),), CLUSTER)


def act(host: SimulatedHost, steps: list[Step]) -> None:
    for step in steps:
        match step:
            case RequireUnused(device=device):
                host.require_unused(device)
            case _ if hasattr(step, "argv"):
                host.run(step.argv)
            case _:
                host.change_kernel(step)  # type: ignore[arg-type]


@pytest.fixture
def fabric() -> Fabric:
    return Fabric()


@pytest.fixture
def target(fabric: Fabric) -> SimulatedHost:
    """A node with 16 MiB on /dev/loop0."""
    host = SimulatedHost("alpha", fabric=fabric)
    host.disk.make_folder("/srv")
    host.disk.put("/srv/file", host.disk.new_file(16 * MIB, 0))
    assert host.disk.attach("/srv/file") == DEVICE
    return host


@pytest.fixture
def initiator(fabric: Fabric) -> SimulatedHost:
    return SimulatedHost("bravo", fabric=fabric)


def up(host: SimulatedHost, wanted: WantedVolume) -> Nvme:
    below = DEVICE if len(wanted.levels) > 1 else None
    act(host, look(host, wanted).bring_up(wanted, below))
    seen = look(host, wanted)
    assert seen.bring_up(wanted, below) == []
    return seen


def test_a_volume_is_offered_and_linked_to_its_port_last(target: SimulatedHost) -> None:
    seen = look(target, on_target())
    assert seen.presence(on_target(), DEVICE) is Presence.HIDDEN
    steps = seen.bring_up(on_target(), DEVICE)
    assert steps[0] == run("modprobe", "--all", "nvmet", "nvmet_tcp")
    assert [str(step).replace(NAME, "NAME").replace(NVMET, "") for step in steps[1:]] == [
        "make /subsystems/NAME",
        "write 0ad6909998fb47c4910f to /subsystems/NAME/attr_serial",
        f"make /hosts/{HOST}",
        f"link /subsystems/NAME/allowed_hosts/{HOST} to /hosts/{HOST}",
        "make /subsystems/NAME/namespaces/1",
        f"write {DEVICE} to /subsystems/NAME/namespaces/1/device_path",
        f"write {UUID} to /subsystems/NAME/namespaces/1/device_uuid",
        "write 1 to /subsystems/NAME/namespaces/1/enable",
        "make /ports/4420",
        "write ipv4 to /ports/4420/addr_adrfam",
        "write tcp to /ports/4420/addr_trtype",
        "write 10.0.0.1 to /ports/4420/addr_traddr",
        "write 4420 to /ports/4420/addr_trsvcid",
        "link /ports/4420/subsystems/NAME to /subsystems/NAME",
    ]
    seen = up(target, on_target())
    assert seen.presence(on_target(), DEVICE) is Presence.READY
    assert (seen.device(on_target(), DEVICE), seen.size(on_target(), DEVICE)) == (DEVICE, 16 * MIB)


def test_nothing_is_offered_before_the_level_below_is_known(target: SimulatedHost) -> None:
    seen = look(target, on_target())
    assert seen.bring_up(on_target(), None) == []
    assert seen.presence(on_target(), None) is Presence.HIDDEN


def test_an_offer_that_was_cut_anywhere_is_completed(fabric: Fabric, target: SimulatedHost) -> None:
    steps = look(target, on_target()).bring_up(on_target(), DEVICE)
    for count in range(len(steps) + 1):
        target.nvme.power_loss()
        act(target, steps[:count])
        assert up(target, on_target()).presence(on_target(), DEVICE) is Presence.READY


@pytest.mark.parametrize("more", [{"wanted": False}, {"active": False}])
def test_taking_back_that_was_cut_anywhere_leaves_nothing(target: SimulatedHost, more: dict[str, bool]) -> None:
    empty: set[str] = set()
    for count in range(12):
        target.nvme.power_loss()
        target.nvme.target.load()
        empty = set(target.nvme.target.directories)
        up(target, on_target())
        gone = on_target(**more)
        act(target, look(target, gone).take_down(gone, DEVICE)[:count])
        for _ in range(2):
            act(target, look(target, gone).take_down(gone, DEVICE))
        assert look(target, gone).take_down(gone, DEVICE) == []
        left = {path for path in target.nvme.target.directories - empty if not path.startswith(f"{NVMET}/hosts/")}
        assert left == set()
    assert target.nvme.target.links == {}


def test_a_host_that_is_not_wanted_any_more_is_shut_out(target: SimulatedHost) -> None:
    up(target, on_target())
    alone = volume("NVME", "STORAGE", data={**WHERE, "hosts": ""})
    steps = look(target, alone).bring_up(alone, DEVICE)
    assert [str(step).replace(NVMET, "") for step in steps] == [
        f"remove link /subsystems/{NAME}/allowed_hosts/{HOST}",
        f"remove /hosts/{HOST} unless it is used",
    ]


def test_another_device_below_takes_the_place_of_the_old_one(target: SimulatedHost) -> None:
    up(target, on_target())
    steps = look(target, on_target()).bring_up(on_target(), "/dev/loop7")
    assert [str(step).rpartition("/")[2] for step in steps] == ["enable", "device_path", "device_uuid", "enable"]


def test_what_somebody_opened_to_all_is_closed_again(target: SimulatedHost) -> None:
    seen = up(target, on_target())
    there = {NAME: replace(seen.target.subsystems[NAME], open_to_all=True)}
    seen = replace(seen, target=replace(seen.target, subsystems=there))
    assert seen.presence(on_target(), DEVICE) is Presence.HIDDEN
    assert [str(step).rpartition("/")[2] for step in seen.bring_up(on_target(), DEVICE)] == ["attr_allow_any_host"]


def test_growth_below_is_noticed(target: SimulatedHost) -> None:
    up(target, on_target())
    bigger = on_target(size=32 * MIB)
    (step,) = look(target, bigger).bring_up(bigger, DEVICE)
    assert str(step) == f"write 1 to {NVMET}/subsystems/{NAME}/namespaces/1/revalidate_size"
    smaller = on_target(size=8 * MIB)
    assert look(target, smaller).bring_up(smaller, DEVICE) == []


def test_other_incarnations_and_clusters_are_not_touched(target: SimulatedHost) -> None:
    up(target, on_target())
    for stranger, cluster in ((on_target(uuid="other"), CLUSTER), (on_target(), "c-2")):
        standing = (Standing(volume=stranger, below=DEVICE, ready=True),)
        seen = Nvme.observe(target, standing, cluster)
        gone = replace(stranger, wanted=False)
        assert [step for step in seen.take_down(gone, DEVICE) if not isinstance(step, RemoveDirectory)] == []
        assert seen.presence(stranger, DEVICE) is Presence.HIDDEN


def test_a_port_of_somebody_else_is_not_shared(target: SimulatedHost) -> None:
    tree = target.nvme.target
    tree.load()
    for path in (f"{NVMET}/subsystems/nqn.other", f"{NVMET}/ports/4420"):
        tree.directories |= {path, f"{path}/subsystems"}
    tree.attributes |= {f"{NVMET}/ports/4420/{name}": "other" for name in nvme_target.PORT_ATTRIBUTES}
    tree.links[f"{NVMET}/ports/4420/subsystems/nqn.other"] = f"{NVMET}/subsystems/nqn.other"
    with pytest.raises(NodeError, match=r"nvmet port 4420 of this node is used by others, among them nqn\.other"):
        look(target, on_target()).bring_up(on_target(), DEVICE)


@pytest.mark.parametrize("provider", ["FILE", "LVM_THIN"])
def test_the_life_of_a_target(provider: str) -> None:
    host = SimulatedHost()
    backing = next(each for each in BACKENDS if each.provider in (provider, f"{provider}_THIN"))
    backing.prepare(host)
    host.disk.make_folder(backing.place)
    props = {"StorDriver/StorPoolName": backing.place}
    pool = WantedPool(name="pool", uuid="p-1", provider=backing.provider, props=props, new=True)
    level = WantedLevel(layer="NVME", size=0, data={**WHERE, "hosts": HOST})
    check_layer(("NVME", "STORAGE"), Drivers.installed(), host, pool, reboot=host.power_loss, levels=(level,))
    tree = host.nvme.target
    assert {path for path in tree.directories if path.count("/") > 5} == set()


# -- initiators -------------------------------------------------------------------------------------------------------


def test_an_initiator_connects_as_the_host_that_is_let_in_and_waits_for_the_device(
    target: SimulatedHost, initiator: SimulatedHost
) -> None:
    up(target, on_target())
    steps = look(initiator, on_initiator()).bring_up(on_initiator(), None)
    where = ("--transport=tcp", "--traddr=10.0.0.1", "--trsvcid=4420")
    identity = (f"--hostnqn={HOST}", f"--hostid={HOST.rpartition(':')[2]}")
    patience = ("--ctrl-loss-tmo=600", "--reconnect-delay=2", "--keep-alive-tmo=5")
    assert steps == [
        run("modprobe", "nvme_tcp"),
        run("nvme", "connect", *where, *identity, *patience, f"--nqn={NAME}"),
        AwaitEntry(path=f"/dev/disk/by-id/nvme-uuid.{UUID}"),
    ]
    seen = up(initiator, on_initiator())
    assert seen.presence(on_initiator(), None) is Presence.READY
    assert (seen.device(on_initiator(), None), seen.size(on_initiator(), None)) == ("/dev/nvme0n1", 16 * MIB)


def test_a_host_with_the_name_of_nvme_cli_leaves_its_identifier_to_that(initiator: SimulatedHost) -> None:
    own = initiator.disk.get("/etc/nvme/hostnqn").text.strip()
    wanted = volume("NVME", data={**WHERE, "host": own})
    _, connect, _ = look(initiator, wanted).bring_up(wanted, None)
    assert f"--hostnqn={own}" in str(connect)
    assert "--hostid" not in str(connect)


@pytest.mark.parametrize("missing", ["host", "address"])
def test_nobody_connects_to_what_is_not_known(initiator: SimulatedHost, missing: str) -> None:
    wanted = volume("NVME", data={**WHERE, "host": HOST, missing: ""})
    with pytest.raises(NodeError, match="does not know yet"):
        look(initiator, wanted).bring_up(wanted, None)


def test_a_lost_connection_is_left_to_the_kernel_and_its_device_is_still_known(
    target: SimulatedHost, initiator: SimulatedHost
) -> None:
    up(target, on_target())
    up(initiator, on_initiator())
    target.power_loss()
    seen = look(initiator, on_initiator())
    assert seen.presence(on_initiator(), None) is Presence.HIDDEN
    assert seen.device(on_initiator(), None) == "/dev/nvme0n1"
    assert seen.bring_up(on_initiator(), None) == []


def test_a_larger_target_is_looked_at_again(target: SimulatedHost, initiator: SimulatedHost) -> None:
    up(target, on_target())
    up(initiator, on_initiator())
    bigger = on_initiator(size=32 * MIB)
    assert look(initiator, bigger).bring_up(bigger, None) == [
        run("nvme", "ns-rescan", "/dev/nvme0"),
        AwaitEntry(path="/sys/class/block/nvme0n1/size", other_than=str(16 * MIB // 512)),
    ]


@pytest.mark.parametrize("more", [{"wanted": False}, {"active": False}])
def test_nothing_is_disconnected_before_it_is_proved_unused(
    target: SimulatedHost, initiator: SimulatedHost, more: dict[str, bool]
) -> None:
    up(target, on_target())
    up(initiator, on_initiator())
    gone = on_initiator(**more)
    assert look(initiator, gone).take_down(gone, None) == [
        RequireUnused(device="/dev/nvme0n1"),
        run("nvme", "disconnect", f"--nqn={NAME}"),
    ]
    act(initiator, look(initiator, gone).take_down(gone, None))
    seen = look(initiator, gone)
    assert seen.take_down(gone, None) == []
    assert seen.presence(gone, None) is (Presence.HIDDEN if gone.wanted else Presence.ABSENT)


def test_another_incarnation_is_not_disconnected(target: SimulatedHost, initiator: SimulatedHost) -> None:
    up(target, on_target())
    up(initiator, on_initiator())
    stranger = on_initiator(uuid="another", wanted=False)
    assert look(initiator, stranger).take_down(stranger, None) == []
    assert look(initiator, stranger).presence(stranger, None) is Presence.ABSENT
    assert look(initiator, stranger).device(stranger, None) is None
