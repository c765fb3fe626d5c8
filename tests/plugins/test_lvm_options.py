"""What properties may add to lvcreate, and which devices no command of LVM may see."""

import pytest

from orlop.errors import BadProperty
from orlop.model import MIB
from orlop.plugin import WriteFile
from orlop.testing import SimulatedHost
from orlop.testing.bench import volume
from orlop_storage.logical_volumes import LogicalVolumes
from orlop_storage.lvm import Lvm
from orlop_storage.lvm_settings import filters, settings
from orlop_storage.lvm_thin import LvmThin
from orlop_storage.lvm_thin_pool import LvmThinPool
from tests.plugins.test_lvm import Desk, sized

CREATE, TYPE, SNAPSHOT = "StorDriver/LvcreateOptions", "StorDriver/LvcreateType", "StorDriver/LvcreateSnapshotOptions"


@pytest.mark.parametrize(
    "options",
    [
        *("--name x", "-n x", "--addtag orlop.uuid=x", "--deltag x", "-y", "--yes", "-Wn", "--wipesignatures n", "-Zn"),
        *("--size 1g", "-l 5", "--extents 5", "--config x", "--activate n", "-an", "-kn", "--thinpool x", "--snapshot"),
        *("--test", "--force", "--permission r", "--devices /dev/sda", "--stripes", "--stripes '2 --name x'", "'"),
        *("vg1", "vg0/other", "../x", "/etc/passwd", "--alloc $(reboot)"),
    ],
)
@pytest.mark.parametrize("driver", [Lvm, LvmThin, LvmThinPool])
def test_options_that_touch_identity_or_safety_are_refused(driver: type[LogicalVolumes], options: str) -> None:
    for key in (CREATE, SNAPSHOT):
        with pytest.raises(BadProperty):
            driver.check_options({key: options})


def test_stripes_and_types_reach_lvcreate_and_make_sizes_coarser() -> None:
    desk = Desk(Lvm)
    options = {CREATE: "-i 2 -I64k /dev/vdb @fast"}
    Lvm.check_options(options)
    (step,) = desk.look().bring_up(sized(volume(new=True), 24 * MIB, **options))
    said = str(step)
    assert "--extents 6 --stripes 2 --stripesize 64k --name res_00000 " in said
    assert said.endswith(" vg0 /dev/vdb @fast")
    assert (Lvm.granularity({}), Lvm.granularity(options)) == (4 * MIB, 8 * MIB)
    noted = {"StorDriver/internal/AllocationGranularity": "32768"}
    assert (LvmThin.granularity(noted), Lvm.granularity({**noted, **options})) == (32 * MIB, 64 * MIB)
    (step,) = desk.look().bring_up(sized(volume(new=True), 24 * MIB, **{TYPE: "raid1", CREATE: "--mirrors 1 --nosync"}))
    assert " --type raid1 --mirrors 1 --nosync " in str(step)


@pytest.mark.parametrize("options", [{TYPE: "lz4"}, {CREATE: "--type cache"}, {CREATE: "-i 0"}, {CREATE: "-i many"}])
def test_what_lvm_could_not_make_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(BadProperty):
        Lvm.check_options(options)


# -- the filter -----------------------------------------------------------------------------------


OURS = '"r|^/dev/drbd|","r|^/dev/zd[0-9]|","r|^/dev/zvol/|"'


def given(text: str, local: str = "") -> str:
    host = SimulatedHost()
    host.disk.make_folder("/etc/lvm")
    host.write(WriteFile(path="/etc/lvm/lvm.conf", content=text))
    host.write(WriteFile(path="/etc/lvm/lvmlocal.conf", content=local))
    return settings(host).removesuffix(' report{time_format="%s" list_item_separator=","}')


def test_without_filters_of_the_administrator_ours_is_the_global_one() -> None:
    assert settings(SimulatedHost()).startswith(f"devices{{global_filter=[{OURS}]}}")
    assert given('# filter = [ "a|.*|" ]\ndevices {\n\t# global_filter = [ "r|x|" ]\n}') == (
        f"devices{{global_filter=[{OURS}]}}"
    )


def test_filters_of_the_administrator_stay_in_force() -> None:
    only_filter = 'devices {\n dir = "/dev"\n filter = [ "a|^/dev/sd|", "r|.*|" ] # mine\n}\n'
    assert given(only_filter) == f"devices{{global_filter=[{OURS}]}}", "theirs is not touched"
    assert given('devices/global_filter = "a|^/dev/sd|"') == f"devices{{filter=[{OURS}]}}"
    both = 'devices {\n filter = [ "r|^/dev/sdz|" ]\n global_filter = [ "a|^/dev/sd|", "r|.*|" ]\n}'
    assert given(both) == f'devices{{global_filter=[{OURS},"a|^/dev/sd|","r|.*|"]}}'
    assert given(both, 'devices { global_filter = ["r|^/dev/sdy|"] }') == (
        f'devices{{global_filter=[{OURS},"r|^/dev/sdy|"]}}'
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('filter = [ "r|x|" ]', {}),
        ('devices { a = 1 b { filter = ["r|x|"] } c = [1, 2] }', {}),
        ('devices { a { x=1 } filter=["a|#{}|" , \'r|y|\' , "r|\\"|"] }', {"filter": ['"a|#{}|"', '"r|\\"|"']}),
        ("devices { filter =", {"filter": []}),
        ("}}", {}),
    ],
)
def test_the_configuration_is_read_as_lvm_reads_it(text: str, found: dict[str, list[str]]) -> None:
    assert filters(text) == found
