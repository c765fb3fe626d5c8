"""Sizes as people write and read them, in KiB (see `semantics.md` section 2 of the specification)."""

import re
from fractions import Fraction

_PREFIXES = "kmgtp"
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_BINARY = ("KiB", "MiB", "GiB", "TiB", "PiB")


def _units() -> dict[str, int]:
    """Unit in lower case to bytes: a letter and `*ib` count by 1024, `*b` by 1000."""
    units = {"b": 1, "s": 512}
    for power, letter in enumerate(_PREFIXES, start=1):
        units[letter] = units[f"{letter}ib"] = 1024**power
        units[f"{letter}b"] = 1000**power
    return units


UNITS = _units()


def kib(text: str, default_unit: str = "GiB") -> int:
    """KiB, rounded up; raises `ValueError` with a sentence.

    >>> kib("10"), kib("1.5M"), kib("1 kB")
    (10485760, 1536, 1)
    """
    found = _WRITTEN.fullmatch(text.strip())
    unit = (found[2] or default_unit).lower() if found else ""
    if not found or unit not in UNITS:
        raise ValueError(
            f"{text!r} is not a size; write a number and a unit: B, S (sectors), K, M, G, T, P (by 1024), "
            f"kB, MB, GB, TB, PB (by 1000). Without a unit it is {default_unit}"
        )
    exact = Fraction(found[1]) * UNITS[unit]
    return -(-exact // 1024)


def shown(size: int | None) -> str:
    """KiB for people.

    >>> shown(1536), shown(512)
    ('1.50 MiB', '512 KiB')
    """
    if size is None:
        return ""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_BINARY) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_BINARY[unit]}" if value.is_integer() else f"{value:.2f} {_BINARY[unit]}"
