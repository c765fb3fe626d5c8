"""What real kernels and nvme-cli were heard to say is understood, and the simulated ones say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from orlop.errors import CommandFailed, NodeError
from orlop.model import MIB
from orlop.plugin import KernelStep, MakeDirectory, MakeLink, RemoveDirectory, WriteAttribute
from orlop.testing import SimulatedHost
from orlop_layers import nvme_initiator, nvme_target
from orlop_layers.nvme_initiator import Connection
from orlop_layers.nvme_initiator import Path as Controller
from orlop_layers.nvme_target import NVMET, Namespace, Port, Subsystem

RECORDED = Path(__file__).parent.parent / "recorded"
NQN = "nqn.2020-01.lab.orlop:example"
AT, PORT = f"{NVMET}/subsystems/{NQN}", f"{NVMET}/ports/1"
CONNECT = ("nvme", "connect", "--transport=tcp", "--traddr=127.0.0.1", "--ctrl-loss-tmo=600", "--hostnqn=nqn.host")
DEVICE = "/dev/loop0"


def recorded(name: str) -> dict[str, str]:
    """Texts by path: `path = text`, `path -> target`, or the path of a directory."""
    found = {}
    for line in (RECORDED / name).read_text().splitlines():
        path, _, text = line.partition(" ")
        found[path] = text.removeprefix("= ").removeprefix("-> ")
    return found


def said(name: str) -> list[str]:
    return (RECORDED / name).read_text().splitlines()


SCENE: list[KernelStep] = [
    MakeDirectory(path=AT),
    MakeDirectory(path=PORT),
    MakeDirectory(path=f"{AT}/namespaces/1"),
    WriteAttribute(path=f"{AT}/attr_allow_any_host", text="1"),
    WriteAttribute(path=f"{AT}/namespaces/1/device_path", text=DEVICE),
    WriteAttribute(path=f"{AT}/namespaces/1/enable", text="1"),
    WriteAttribute(path=f"{PORT}/addr_trtype", text="tcp"),
    WriteAttribute(path=f"{PORT}/addr_adrfam", text="ipv4"),
    WriteAttribute(path=f"{PORT}/addr_traddr", text="127.0.0.1"),
    WriteAttribute(path=f"{PORT}/addr_trsvcid", text="4420"),
    MakeLink(path=f"{PORT}/subsystems/{NQN}", target=AT),
]


@pytest.fixture
def host() -> SimulatedHost:
    """After the recorded scene: connected to itself."""
    made = SimulatedHost()
    made.disk.make_folder("/srv")
    made.disk.put("/srv/file", made.disk.new_file(64 * MIB, 0))
    assert made.disk.attach("/srv/file") == DEVICE
    made.run(("modprobe", "--all", "nvmet", "nvmet_tcp", "nvme_tcp"))
    for step in SCENE:
        made.change_kernel(step)
    made.run((*CONNECT, "--trsvcid=4420", f"--nqn={NQN}"))
    return made


def test_a_target_is_understood() -> None:
    texts = recorded("nvmet-tree-6.1.txt")
    seen = nvme_target.seen(texts)
    assert seen.loaded
    namespace = Namespace(device="/dev/vg/plain", uuid=texts[f"{AT}/namespaces/1/device_uuid"], enabled=True)
    subsystem = Subsystem(serial=texts[f"{AT}/attr_serial"], open_to_all=True, namespaces={"1": namespace})
    assert seen.subsystems == {NQN: subsystem}
    port = Port(place=("ipv4", "tcp", "127.0.0.1", "4420"), subsystems=frozenset({NQN}))
    assert seen.ports == {"1": port}


def test_a_connection_is_understood() -> None:
    texts = recorded("nvme-sysfs-2.3.txt")
    path = Controller(state="live", transport="tcp", address="127.0.0.1", port="4420")
    found = Connection(paths={"nvme0": path}, device="/dev/nvme0n1", size=64 * MIB)
    assert nvme_initiator.seen(texts) == {NQN: found}
    assert texts[nvme_initiator.HOST_NQN].startswith("nqn.2014-08.org.nvmexpress:uuid:")


def test_the_simulated_target_shows_the_same(host: SimulatedHost) -> None:
    real, simulated = recorded("nvmet-tree-6.1.txt"), host.texts(*nvme_target.patterns(NQN))
    assert simulated.keys() == real.keys()
    own = ("attr_serial", "device_uuid", "device_path", NQN)  # drawn anew, or another path to the same
    for path, text in real.items():
        if not path.endswith(own):
            assert simulated[path].strip() == text


def test_the_simulated_kernel_makes_no_directory_that_the_real_one_does_not(host: SimulatedHost) -> None:
    real = {f"{NVMET}/{path}" for path in said("nvmet-directories-6.1.txt")} | {NVMET}
    assert host.nvme.target.directories <= real
    assert {path.rpartition("/")[2] for path in real - host.nvme.target.directories} == {"ana_groups", "1", "referrals"}


def test_the_simulated_initiator_shows_the_same(host: SimulatedHost) -> None:
    real, simulated = recorded("nvme-sysfs-2.3.txt"), host.texts(*nvme_initiator.PATTERNS)
    del real["/sys/class/nvme-subsystem/nvme-subsys0/nvme0/nvme0c0n1/size"]  # hidden behind the joined device
    assert simulated.keys() == real.keys()
    for path, text in real.items():
        if not path.endswith(("hostnqn", "address")):
            assert simulated[path].strip() == text


@pytest.mark.parametrize(
    ("port", "name", "file"),
    [("4421", NQN, "nvme-connect-refused-2.3.txt"), ("4420", f"{NQN}-other", "nvme-connect-unknown-2.3.txt")],
)
def test_a_connection_fails_with_the_same_words(host: SimulatedHost, port: str, name: str, file: str) -> None:
    *_, last, code = said(file)
    with pytest.raises(CommandFailed) as failed:
        host.run((*CONNECT, f"--trsvcid={port}", f"--nqn={name}"))
    assert (failed.value.stderr, f"exit code: {failed.value.status}") == (f"nvme: {last}", code)


OTHER, SECOND = f"{NVMET}/subsystems/nqn.other", f"{NVMET}/ports/2"
ATTEMPTS: list[tuple[list[KernelStep], KernelStep]] = [
    ([], WriteAttribute(path=f"{AT}/namespaces/1/device_path", text="/dev/other")),
    ([], WriteAttribute(path=f"{AT}/namespaces/1/device_uuid", text="11111111-2222-4333-8444-555555555555")),
    ([], WriteAttribute(path=f"{PORT}/addr_traddr", text="127.0.0.2")),
    ([], RemoveDirectory(path=AT)),
    ([], RemoveDirectory(path=PORT)),
    ([MakeDirectory(path=SECOND)], MakeLink(path=f"{SECOND}/subsystems/{NQN}", target=AT)),
    (
        [
            MakeDirectory(path=SECOND),
            *(
                WriteAttribute(path=f"{SECOND}/addr_{name}", text=text)
                for name, text in (("trtype", "tcp"), ("adrfam", "ipv4"), ("traddr", "127.0.0.1"), ("trsvcid", "4420"))
            ),
        ],
        MakeLink(path=f"{SECOND}/subsystems/{NQN}", target=AT),
    ),
    (
        [MakeDirectory(path=OTHER), MakeDirectory(path=f"{OTHER}/namespaces/1")],
        WriteAttribute(path=f"{OTHER}/namespaces/1/enable", text="1"),
    ),
]


@pytest.mark.parametrize("number", range(len(ATTEMPTS)))
def test_the_simulated_target_refuses_with_the_same_words(host: SimulatedHost, number: int) -> None:
    _, *answers = said("nvmet-refused-6.1.txt")
    before, attempt = ATTEMPTS[number]
    for step in before:
        host.change_kernel(step)
    with pytest.raises(NodeError) as refused:
        host.change_kernel(attempt)
    assert str(refused.value).rpartition(": ")[2] == answers[number].rpartition(": ")[2]
