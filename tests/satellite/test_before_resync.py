"""What DRBD runs before it overwrites data, as a real process. What it takes is in the simulation and in the lab."""

import sys

import msgspec
import pytest

from orlop.errors import CommandFailed
from orlop.host import LocalHost
from orlop.model import WantedLevel, WantedPool, WantedVolume
from orlop.model.decoding import decoded
from orlop.model.keeping import Keeping, Kept, snapshot_before_resync
from orlop.plugin.keeping import keeping_of, kept_of, take

VOLUME = WantedVolume(
    resource="web", number=0, uuid="u1", pool="pool", levels=(WantedLevel(layer="STORAGE", size=1 << 20),)
)
HEAVY = ("orlop.controller", "orlop.transport", "flask", "sqlalchemy", "orlop_layers")


def allow(folder, required):
    keeping = Keeping(
        cluster="c1",
        pool=WantedPool(name="pool", uuid="p1", provider="NONE_SUCH"),
        snapshot=snapshot_before_resync(VOLUME),
        required=required,
    )
    path = keeping_of(str(folder), "web", 0)
    LocalHost().run(("tee", path), msgspec.json.encode(keeping))


def called(folder):
    return LocalHost().run(("env", "DRBD_RESOURCE=web", "DRBD_VOLUME=0", *take(str(folder))))


def test_what_is_not_allowed_is_not_done(tmp_path):
    called(tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_it_the_synchronization_begins_and_the_reason_is_kept(tmp_path):
    allow(tmp_path, required=False)
    called(tmp_path)
    note = LocalHost().read(kept_of(str(tmp_path), snapshot_before_resync(VOLUME)))
    assert "NONE_SUCH" in decoded(note, Kept).problem


def test_where_it_is_required_the_synchronization_does_not_begin(tmp_path):
    allow(tmp_path, required=True)
    with pytest.raises(CommandFailed, match="NONE_SUCH"):
        called(tmp_path)


def test_what_makes_no_sense_stops_nothing(tmp_path):
    LocalHost().run(("tee", keeping_of(str(tmp_path), "web", 0)), b"{")
    called(tmp_path)


def test_it_starts_with_what_it_needs():
    source = "import sys, orlop.satellite.before_resync; print(*sys.modules)"
    loaded = LocalHost().run((sys.executable, "-c", source)).split()
    assert not [name for name in loaded if name.startswith(HEAVY)]
