"""LUKS over storage: the law of data, at one node."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from orlop.drivers import Drivers
from orlop.errors import BadProperty, CannotRead, NodeError
from orlop.hooks import Hooks
from orlop.host import execute
from orlop.model import MIB, Presence, ReportedResource, WantedLevel, WantedVolume
from orlop.satellite.converge import converge
from orlop.satellite.observe import observe
from orlop.testing import Crash, SimulatedHost, check_layer
from orlop.testing.bench import CLUSTER, pool, replace, resource
from orlop.testing.disk import BLOCK
from orlop.testing.luks import header_of
from orlop_layers import luks_options
from orlop_layers.luks import HEADER, Luks

DRIVERS = Drivers.installed()
KEYS = {"luks/first": b"one", "luks/second": b"two"}
FIRST = {"slot": "0", "key.0": "luks/first"}
BOTH = {"slot": "1", "key.0": "luks/first", "key.1": "luks/second"}
SECRET = b"what nobody but the owner may read".ljust(BLOCK, b".")


def stacked(data: dict[str, str] = FIRST, size: int = 8 * MIB, **more: Any) -> WantedVolume:
    known = {"resource": "res", "number": 0, "uuid": UUID, "pool": "pool", "new": True}
    levels = (WantedLevel(layer="LUKS", size=size, data=data), WantedLevel(layer="STORAGE", size=size + HEADER))
    return WantedVolume(**{**known, "levels": levels, **more})


UUID = str(uuid4())


class Desk:
    def __init__(self) -> None:
        self.host = SimulatedHost()
        self.host.disk.make_folder("/srv/orlop")
        mark = DRIVERS.load("orlop.storage", "FILE_THIN").observe(self.host, (pool(new=True),), CLUSTER)
        execute("pool", mark.mark_pool(pool(new=True)), self.host, Hooks(), KEYS.__getitem__)

    def reach(self, volume: WantedVolume) -> ReportedResource:
        wanted = resource(volume)

        def act(steps: Any) -> None:
            execute("res", steps, self.host, Hooks(), KEYS.__getitem__)

        return converge(wanted, lambda: observe(self.host, DRIVERS, (pool(),), [wanted], CLUSTER), act)

    def up(self, volume: WantedVolume) -> str:
        said = self.reach(volume)
        assert said.settled, said.problem
        device = said.volumes[0].device
        assert device is not None
        return device

    def backing(self) -> Any:
        return self.host.disk.folders["/srv/orlop"]["res_00000"]

    def slots(self) -> set[str]:
        header = header_of(self.backing())
        return set(header.slots) if header else set()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("provider", ["FILE", "FILE_THIN"])
def test_the_stack_keeps_the_contract_of_layers(provider: str) -> None:
    host = SimulatedHost()
    level = WantedLevel(layer="LUKS", size=0, data=FIRST)
    check_layer(
        ("LUKS", "STORAGE"),
        DRIVERS,
        host,
        pool(new=True, provider=provider),
        reboot=host.power_loss,
        levels=(level,),
        secret=KEYS.__getitem__,
    )


def test_what_is_written_lies_encrypted_below(desk: Desk) -> None:
    device = desk.up(stacked())
    assert device == f"/dev/mapper/orlop-res_00000-{UUID[:8]}"
    desk.host.disk.write(device, 0, SECRET)
    assert SECRET not in desk.backing().blocks.values()
    assert desk.host.disk.read(device, 0, BLOCK) == SECRET


def test_no_key_is_in_an_argument(desk: Desk) -> None:
    desk.up(stacked())
    desk.up(stacked(BOTH, new=False))
    assert not [argv for argv in desk.host.ran for word in argv if word in ("one", "two")]


def test_a_volume_opens_after_a_reboot_and_grows_with_its_data(desk: Desk) -> None:
    desk.host.disk.write(desk.up(stacked()), 0, SECRET)
    desk.host.power_loss()
    device = desk.up(stacked(size=16 * MIB, new=False))
    assert desk.host.disk.read(device, 0, BLOCK) == SECRET
    assert desk.host.disk.content(device).size >= 16 * MIB


def test_an_open_volume_grows_where_it_is(desk: Desk) -> None:
    device = desk.up(stacked())
    desk.host.disk.use(device, "mounted at /mnt")
    assert desk.up(stacked(size=16 * MIB, new=False)) == device
    assert desk.host.disk.content(device).size == 16 * MIB


def test_a_smaller_number_never_shrinks_the_mapping(desk: Desk) -> None:
    desk.up(stacked(size=16 * MIB))
    device = desk.up(stacked(size=8 * MIB, new=False))
    assert desk.host.disk.content(device).size == 16 * MIB


@pytest.mark.parametrize("kind", ["ext4", "crypto_LUKS"])
def test_nothing_is_formatted_where_anything_is_found(desk: Desk, kind: str) -> None:
    bare = replace(stacked(), levels=(WantedLevel(layer="STORAGE", size=8 * MIB + HEADER),))
    desk.up(bare)
    desk.host.disk.format("/dev/loop0", kind)
    if kind == "crypto_LUKS":
        put_header(desk, str(uuid4()))
    said = desk.reach(stacked())
    assert said.volumes[0].presence is Presence.FOREIGN
    assert kind in said.problem
    assert desk.backing().signatures == [kind]
    assert desk.host.disk.destroyed == []


def put_header(desk: Desk, uuid: str) -> None:
    argv = ("cryptsetup", "luksFormat", "--type", "luks2", "--offset", "32768", "--key-slot", "0")
    desk.host.disk.content("/dev/loop0").signatures.clear()
    desk.host.run((*argv, "--uuid", uuid, "--label", "another", "/dev/loop0"), b"one\n")


def test_a_volume_that_is_not_new_is_never_formatted(desk: Desk) -> None:
    desk.up(stacked())
    desk.host.power_loss()
    desk.backing().signatures.clear()
    desk.backing().blocks.clear()
    said = desk.reach(stacked(new=False))
    assert said.volumes[0].presence is Presence.MISSING
    assert "header" in said.problem
    assert desk.backing().blocks == {}


def test_nothing_is_formatted_on_what_cannot_be_read() -> None:
    problems = {"/dev/bad": "Input/output error"}
    blind = Luks(cluster="cluster-uuid", contents={}, problems=problems, slots={}, mapped={})
    with pytest.raises(CannotRead, match="Input/output error"):
        blind.bring_up(stacked(), "/dev/bad")


def test_with_the_wrong_key_nothing_is_opened_or_changed(desk: Desk) -> None:
    desk.up(stacked())
    desk.host.power_loss()
    said = desk.reach(stacked({"slot": "0", "key.0": "luks/second"}, new=False))
    assert said.volumes[0].presence is Presence.HIDDEN
    assert "No key available" in said.problem
    desk.up(stacked(new=False))


def test_an_open_volume_of_the_same_name_but_another_uuid_is_not_ours(desk: Desk) -> None:
    """A mapping that somebody opened under our name."""
    desk.up(stacked())
    other = UUID[:8] + str(uuid4())[8:]
    seen = observe(desk.host, DRIVERS, (pool(),), [resource(stacked(uuid=other))], CLUSTER).layer("LUKS")
    assert seen.device(stacked(uuid=other), "/dev/loop0") is None


def test_deleting_erases_the_keys_before_the_storage_goes(desk: Desk) -> None:
    desk.up(stacked())
    desk.host.ran.clear()
    said = desk.reach(stacked(new=False, wanted=False))
    assert said.volumes[0].presence is Presence.ABSENT
    verbs = [argv[1] if argv[1] != "--batch-mode" else argv[2] for argv in desk.host.ran if argv[0] == "cryptsetup"]
    assert [verb for verb in verbs if verb != "luksDump"] == ["close", "erase"]
    after = desk.host.ran[next(n for n, argv in enumerate(desk.host.ran) if "erase" in argv) + 1]
    assert after[:2] == ("udevadm", "settle"), "udev may still look at what was written to"


def test_what_is_closed_is_opened_to_be_erased(desk: Desk) -> None:
    desk.up(stacked())
    desk.host.power_loss()
    desk.host.ran.clear()
    said = desk.reach(stacked(new=False, wanted=False))
    assert said.volumes[0].presence is Presence.ABSENT
    assert any("erase" in argv for argv in desk.host.ran)
    assert "res_00000" not in desk.host.disk.folders["/srv/orlop"]


def test_a_foreign_header_is_not_erased(desk: Desk) -> None:
    desk.up(replace(stacked(), levels=(WantedLevel(layer="STORAGE", size=8 * MIB + HEADER),)))
    put_header(desk, str(uuid4()))
    file = desk.backing()
    desk.reach(stacked(new=False, wanted=False))
    header = header_of(file)
    assert header is not None
    assert header.slots, "the keys of somebody else's header were erased"


# -- another key --------------------------------------------------------------------------------------


def test_another_key_is_added_while_the_volume_is_open_and_the_old_one_goes_when_told(desk: Desk) -> None:
    device = desk.up(stacked())
    desk.host.disk.use(device, "mounted at /mnt")
    desk.up(stacked(BOTH, new=False))
    assert desk.slots() == {"0", "1"}
    desk.up(stacked({**BOTH, "retired": "0"}, new=False))
    assert desk.slots() == {"1"}
    desk.host.power_loss()
    desk.up(stacked({"slot": "1", "key.1": "luks/second"}, new=False))


def test_the_last_key_is_never_removed(desk: Desk) -> None:
    desk.up(stacked(BOTH))
    assert desk.reach(stacked({**BOTH, "retired": "0 1"}, new=False)).settled
    assert not [argv for argv in desk.host.ran if "luksKillSlot" in argv]
    assert desk.slots() == {"1"}


def test_the_old_key_stays_while_the_new_one_opens_nothing(desk: Desk) -> None:
    desk.up(stacked(BOTH))  # slot 1 has the second key, slot 0 none
    desk.host.run(("cryptsetup", "luksAddKey", "--key-slot", "0", "/dev/loop0"), b"two\none\n")
    wrong = {"slot": "1", "key.0": "luks/first", "key.1": "luks/first", "retired": "0"}
    assert "No key available" in desk.reach(stacked(wrong, new=False)).problem
    assert desk.slots() == {"0", "1"}


def test_a_header_that_no_key_on_record_opens_says_so(desk: Desk) -> None:
    desk.up(stacked())
    said = desk.reach(stacked({"slot": "5", "key.5": "luks/second", "key.4": "luks/second"}, new=False))
    assert "none of the keys on record" in said.problem
    assert desk.slots() == {"0"}


# -- crashes ------------------------------------------------------------------------------------------


def life(desk: Desk) -> None:
    device = desk.up(stacked())
    desk.host.disk.write(device, 0, SECRET)
    desk.up(stacked(BOTH, new=False))
    desk.up(stacked({**BOTH, "retired": "0"}, size=16 * MIB, new=False))


@pytest.mark.parametrize("reboot", [True, False], ids=["power", "satellite"])
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_life_cut_at_any_step_goes_on(moment: Any, reboot: bool) -> None:
    for step in range(1, 20):
        desk = Desk()
        desk.host.faults.crash(step, moment)
        if not _cut(desk, lambda desk=desk: life(desk)):
            assert step > 6
            return
        if reboot:
            desk.host.power_loss()
        formatted = desk.host.disk.destroyed[:]
        whole = {**BOTH, "retired": "0"}
        was_written = any(at >= HEADER for at in desk.backing().blocks) if "res_00000" in _files(desk) else False
        desk.up(stacked(BOTH, size=16 * MIB, new=not was_written))
        device = desk.up(stacked(whole, size=16 * MIB, new=False))
        assert desk.slots() == {"1"}
        assert not was_written or desk.host.disk.read(device, 0, BLOCK) == SECRET
        assert formatted == desk.host.disk.destroyed == []
    raise AssertionError("the life never ended")


def _files(desk: Desk) -> Any:
    return desk.host.disk.folders["/srv/orlop"]


def _cut(desk: Desk, act: Callable[[], None]) -> bool:
    try:
        act()
    except Crash:
        return True
    return False


# -- options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {luks_options.FORMAT: "--uuid 1"},
        {luks_options.FORMAT: "--header /tmp/x"},
        {luks_options.FORMAT: "--pbkdf"},
        {luks_options.FORMAT: "--pbkdf -x"},
        {luks_options.FORMAT: "'"},
        {luks_options.OPEN: "--readonly"},
    ],
)
def test_options_that_would_change_identity_or_place_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(BadProperty):
        Luks.check_options(options)


def test_options_reach_cryptsetup(desk: Desk) -> None:
    level = WantedLevel(
        layer="LUKS",
        size=8 * MIB,
        data=FIRST,
        options={luks_options.FORMAT: "-c aes-xts-plain64 --pbkdf pbkdf2", luks_options.DISCARDS: "true"},
    )
    desk.up(stacked(levels=(level, WantedLevel(layer="STORAGE", size=8 * MIB + HEADER))))
    (made,) = [argv for argv in desk.host.ran if "luksFormat" in argv]
    assert made[-5:-1] == ("--cipher", "aes-xts-plain64", "--pbkdf", "pbkdf2")
    (opened,) = [argv for argv in desk.host.ran if "open" in argv]
    assert "--allow-discards" in opened


def test_devices_with_the_same_last_name_are_told_apart() -> None:
    from orlop_layers.luks_look import _distinct

    assert list(_distinct(["/dev/a/x", "/dev/b/x", "/dev/a/y"])) == [["/dev/a/x", "/dev/a/y"], ["/dev/b/x"]]


def test_one_unreadable_device_spoils_only_itself() -> None:
    from orlop_layers.luks_look import contents

    class Reader:
        def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
            if "/dev/bad" in argv:
                raise NodeError("Input/output error")
            return '{"signatures": []}'

    reader: Any = Reader()
    found, problems = contents(reader, ["/dev/bad", "/dev/good"])
    assert list(found) == ["/dev/good"]
    assert "Input/output error" in problems["/dev/bad"]
