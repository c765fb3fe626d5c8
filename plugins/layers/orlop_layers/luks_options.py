"""What may be added to cryptsetup by properties. Only options that change neither identity nor place are known."""

import re
import shlex
from collections.abc import Mapping

from orlop.errors import BadProperty

FORMAT = "StorDriver/LuksFormatOptions"
OPEN = "StorDriver/LuksOpenOptions"
DISCARDS = "Luks/AllowDiscards"
ALL = frozenset({FORMAT, OPEN, DISCARDS})

SHORT = {"-c": "--cipher", "-s": "--key-size", "-h": "--hash", "-i": "--iter-time"}
KDF = frozenset({"--pbkdf", "--pbkdf-memory", "--pbkdf-parallel", "--pbkdf-force-iterations", "--iter-time", "--hash"})
FORMATTING = KDF | {"--cipher", "--key-size", "--sector-size"}
OPENING = frozenset(
    {
        "--allow-discards",
        "--perf-same_cpu_crypt",
        "--perf-submit_from_crypt_cpus",
        "--perf-no_read_workqueue",
        "--perf-no_write_workqueue",
    }
)
# The keys are random, so guessing them is out of reach whatever a guess costs; opening must not take gigabytes.
USUAL = ("--pbkdf", "argon2id", "--pbkdf-memory", "65536", "--pbkdf-parallel", "1", "--pbkdf-force-iterations", "4")

_VALUE = re.compile(r"[A-Za-z0-9_.:-]+")


def check(options: Mapping[str, str]) -> None:
    """Raises `BadProperty`."""
    of_format(options)
    of_open(options)


def of_format(options: Mapping[str, str]) -> tuple[str, ...]:
    """
    >>> of_format({FORMAT: "-c aes-xts-plain64 --pbkdf=pbkdf2"})
    ('--cipher', 'aes-xts-plain64', '--pbkdf', 'pbkdf2')
    """
    given = _pairs(options.get(FORMAT, ""))
    usual = () if any(name.startswith(("--pbkdf", "--iter")) for name, _ in given) else USUAL
    return (*(word for pair in given for word in pair), *usual)


def of_new_key(options: Mapping[str, str]) -> tuple[str, ...]:
    """What of that concerns a further key."""
    words = of_format(options)
    pairs = zip(words[::2], words[1::2], strict=True)
    return tuple(word for name, value in pairs if name in KDF for word in (name, value))


def of_open(options: Mapping[str, str]) -> tuple[str, ...]:
    words = _words(options.get(OPEN, ""), OPEN)
    for word in words:
        if word not in OPENING:
            raise BadProperty(
                f"{OPEN} must not contain {word!r}", correction=f"Possible are {', '.join(sorted(OPENING))}."
            )
    discards = ["--allow-discards"] if options.get(DISCARDS, "").lower() == "true" else []
    return tuple(dict.fromkeys([*discards, *words]))


def _pairs(text: str) -> list[tuple[str, str]]:
    words = [part for word in _words(text, FORMAT) for part in (word.split("=", 1) if word[:2] == "--" else [word])]
    found = []
    while words:
        name = SHORT.get(words[0], words[0])
        if name not in FORMATTING:
            raise BadProperty(
                f"{FORMAT} must not contain {words[0]!r}",
                cause="The layer itself decides about the version, identity, keys and place of the header.",
                correction=f"Possible are {', '.join(sorted(FORMATTING))}.",
            )
        if len(words) == 1:
            raise BadProperty(f"{FORMAT}: {words[0]} has no value")
        if not _VALUE.fullmatch(words[1]) or words[1].startswith("-"):
            raise BadProperty(f"{FORMAT}: {words[1]!r} is no value of {words[0]}")
        found.append((name, words[1]))
        del words[:2]
    return found


def _words(text: str, key: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadProperty(f"{key} cannot be understood: {error}") from error
