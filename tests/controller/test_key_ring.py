"""Keys at rest."""

import os

import pytest
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.credentials import SystemdCredentials
from orlop.controller.key_ring import COST, KeyRing, checked_passphrase, free_slot
from orlop.errors import OrlopError, Refused
from orlop.model import VolumeKey


def ring(passphrase: str = "one", cost: int = 4) -> KeyRing:
    made = KeyRing(cost)
    _, plain = made.new_master(passphrase)
    made.use(plain)
    return made


def test_the_master_key_is_opened_by_its_passphrase_only() -> None:
    first = KeyRing(4)
    master, plain = first.new_master("one")
    assert plain.hex() not in master.sealed
    other = KeyRing(4)
    with pytest.raises(Refused) as refused:
        other.unlock(master, "two")
    assert refused.value.code == Fail.INVLD_CRYPT_PASSPHRASE
    assert other.locked
    first.use(plain)
    key = first.new_key("uuid", 0)
    other.unlock(master, "one")
    assert other.reveal(key) == first.reveal(key)


def test_the_derivation_of_the_product_takes_much_memory() -> None:
    assert COST >= 17  # scrypt with r=8: 128 MiB
    made = KeyRing()
    master, _ = made.new_master("one")
    made.unlock(master, "one")


def test_a_changed_passphrase_seals_the_same_master_key() -> None:
    made = KeyRing(4)
    master, plain = made.new_master("one")
    made.use(plain)
    key = made.new_key("uuid", 0)
    resealed = made.resealed(master, "one", "two")
    assert resealed.salt != master.salt
    again = KeyRing(4)
    again.unlock(resealed, "two")
    assert again.reveal(key) == made.reveal(key)
    with pytest.raises(Refused):
        again.unlock(resealed, "one")


def test_what_was_changed_in_the_database_is_noticed() -> None:
    made = ring()
    key = made.new_key("uuid", 0)
    flipped = f"{int(key.sealed, 16) ^ 1:0{len(key.sealed)}x}"
    for damaged in (replace(key, sealed=flipped), replace(key, uuid="another")):
        with pytest.raises(Refused, match="not sealed under this master key"):
            made.reveal(damaged)


def test_equal_keys_look_different_and_random_ones_are() -> None:
    made = ring()
    assert made.new_key("u", 0, "same").sealed != made.new_key("u", 0, "same").sealed
    assert made.reveal(made.new_key("u", 0)) != made.reveal(made.new_key("u", 0))
    assert len(made.reveal(made.new_key("u", 0))) >= 43  # 256 bits as text


def test_a_locked_ring_makes_and_shows_nothing() -> None:
    made = KeyRing(4)
    for act in (lambda: made.new_key("u", 0), lambda: made.reveal(VolumeKey(uuid="u", slot=0, sealed="00"))):
        with pytest.raises(Refused, match="locked") as refused:
            act()
        assert refused.value.code == Fail.NOT_FOUND_CRYPT_KEY
    assert repr(made) == "<KeyRing locked>"


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 513, "tab\t"])
def test_a_passphrase_is_one_line(text: str) -> None:
    with pytest.raises(Refused):
        checked_passphrase(text)


def test_a_slot_is_free_while_no_key_on_record_has_it() -> None:
    used = [VolumeKey(uuid=str(slot), slot=slot, sealed="") for slot in range(31)]
    assert free_slot(used) == 31
    with pytest.raises(Refused, match="snapshots"):
        free_slot([*used, VolumeKey(uuid="31", slot=31, sealed="")])


def test_systemd_hands_the_passphrase_over_in_a_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert SystemdCredentials.passphrase() is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert SystemdCredentials.passphrase() is None
    file = tmp_path / "orlop-passphrase"
    file.write_text("one\n")
    assert SystemdCredentials.passphrase() == "one"
    file.write_bytes(b"\xff")
    with pytest.raises(OrlopError, match=os.fspath(file)):
        SystemdCredentials.passphrase()
