"""What the real programs were heard to say is understood."""

import json
from pathlib import Path
from typing import Any

from orlop_layers import luks_look

RECORDED = Path(__file__).parent.parent / "recorded"


class Said:
    """A probe that has nothing but recordings, by the first words of the command."""

    def __init__(self, **files: str) -> None:
        self._files = files

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
        found = self._files["_".join(word for word in argv[:2] if not word.startswith("--"))]
        return (RECORDED / found).read_text() if found.endswith((".txt", ".json")) else found


def probe(**files: str) -> Any:
    return Said(**files)


def test_the_slots_of_a_header() -> None:
    assert luks_look.slots(probe(cryptsetup_luksDump="cryptsetup-luks-dump-2.6.1.json"), "/dev/vg0/c") == {0}


def test_a_header_is_found_once_though_it_is_there_twice() -> None:
    said = probe(wipefs="wipefs-luks-2.38.1.json")
    name = json.loads((RECORDED / "wipefs-luks-2.38.1.json").read_text())["signatures"][0]
    found, problems = luks_look.contents(said, [f"/dev/vg0/{name['device']}"])
    assert problems == {}
    assert list(found.values()) == [luks_look.Content(("crypto_LUKS",), name["uuid"])]


def test_a_blank_device_has_nothing() -> None:
    found, _ = luks_look.contents(probe(wipefs="wipefs-blank-2.38.1.json"), ["/dev/vg0/c"])
    assert found == {"/dev/vg0/c": luks_look.Content()}


def test_open_mappings_with_their_size() -> None:
    table = (RECORDED / "dmsetup-table-1.02.185.txt").read_text().splitlines()
    crypt = "\n".join(line for line in table if " crypt " in line)
    names = (RECORDED / "dmsetup-info-1.02.185.txt").read_text().splitlines()
    said = probe(dmsetup_info="\n".join("|".join(line.split()[:2]) for line in names), dmsetup_table=crypt)
    uuid = "CRYPT-LUKS2-83c664d72996448a980f0cd496ee94be-opened"
    assert luks_look.mappings(said) == {"opened": luks_look.Mapped(uuid, 2064384 * 512)}


def test_nothing_is_open() -> None:
    none = "No devices found\n"
    assert luks_look.mappings(probe(dmsetup_info=none, dmsetup_table=none)) == {}
