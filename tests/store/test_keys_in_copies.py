"""Keys of encrypted volumes are in every copy of the database, and only somebody with the passphrase can read them."""

from collections.abc import Callable
from pathlib import Path

from orlop.controller.key_ring import KeyRing
from orlop.controller.picture import Aggregate, Picture
from orlop.controller.store import Store, restore
from tests.store.conftest import PASSPHRASE

Put = Callable[..., Picture]
IN_CLEAR = b"key of a volume"


def test_an_export_holds_every_key_sealed(tmp_path: Path, put: Put, small_cluster: tuple[Aggregate, ...]) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'one.db'}") as store:
        store.activate()
        put(store, *small_cluster)
        store.export(tmp_path / "export.json")
    restore(f"sqlite:///{tmp_path / 'two.db'}", tmp_path / "export.json")
    with Store.open(f"sqlite:///{tmp_path / 'two.db'}") as store:
        picture = store.load().picture
    ring = KeyRing(4)
    assert picture.master_key is not None
    ring.unlock(picture.master_key, PASSPHRASE)
    found = [key for d in picture.definitions.values() for v in d.volume_definitions for key in v.keys]
    found += [
        key for d in picture.definitions.values() for s in d.snapshots for v in s.volume_definitions for key in v.keys
    ]
    assert len(found) == 9
    assert {ring.reveal(key) for key in found} == {IN_CLEAR}
    for file in tmp_path.iterdir():
        assert IN_CLEAR not in file.read_bytes()
        assert PASSPHRASE.encode() not in file.read_bytes()
