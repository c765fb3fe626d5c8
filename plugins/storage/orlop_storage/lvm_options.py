"""What may be added to lvcreate by properties. Only options that change neither identity nor safety are known."""

import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from orlop.errors import BadProperty

CREATE = "StorDriver/LvcreateOptions"
TYPE = "StorDriver/LvcreateType"
SNAPSHOT = "StorDriver/LvcreateSnapshotOptions"
RATIO = "StorDriver/PoolRatio"  # per cent of a volume's size that its own thin pool gets

TYPES = ("linear", "striped", "mirror", "raid0", "raid1", "raid4", "raid5", "raid6", "raid10")
SHORT = {
    **{"-C": "--contiguous", "-I": "--stripesize", "-R": "--regionsize", "-c": "--chunksize", "-i": "--stripes"},
    **{"-m": "--mirrors", "-r": "--readahead"},
}
ANYWHERE = frozenset({"--alloc", "--contiguous", "--monitor", "--readahead", "--setautoactivation"})
STRIPES = frozenset({"--stripes", "--stripesize"})
RAID = frozenset(
    {
        *("--mirrorlog", "--mirrors", "--maxrecoveryrate", "--minrecoveryrate", "--raidintegrity"),
        *("--raidintegrityblocksize", "--raidintegritymode", "--regionsize", "--type"),
    }
)
THICK = ANYWHERE | STRIPES | RAID
THIN = frozenset({"--monitor", "--readahead", "--setautoactivation"})
THIN_POOL = ANYWHERE | STRIPES | {"--chunksize", "--discards", "--errorwhenfull", "--poolmetadatasize"}
THICK_SNAPSHOT = ANYWHERE | {"--chunksize"}
FLAGS = frozenset({"--nosync"})  # without a value

_VALUE = re.compile(r"[A-Za-z0-9.%+]+")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9_.:/+-]+|@[A-Za-z0-9_+.][A-Za-z0-9_+.-]*")


class Added(NamedTuple):
    """Options in their long form, and the devices or tags of devices to allocate from."""

    options: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def value(self, name: str) -> str:
        return self.options[self.options.index(name) + 1] if name in self.options else ""


def added(text: str, allowed: frozenset[str], key: str = CREATE) -> Added:
    """Raises `BadProperty` for what is not known or has the wrong form.

    >>> added("-i2 --stripesize 64k /dev/sdb", THICK)
    Added(options=('--stripes', '2', '--stripesize', '64k'), devices=('/dev/sdb',))
    """
    words = _words(text, key)
    options: list[str] = []
    devices: list[str] = []
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            devices.append(_checked(_DEVICE, word, key, "names no device"))
        elif word in FLAGS and "--mirrors" in allowed:
            options.append(word)
        elif word not in allowed:
            raise BadProperty(
                f"{key} must not contain {word!r}",
                cause="The driver itself decides about names, sizes, tags and what is wiped.",
                correction=f"Possible are {', '.join(sorted(allowed))}.",
            )
        elif not words:
            raise BadProperty(f"{key}: {word} has no value")
        else:
            options += [word, _checked(_VALUE, words.pop(0), key, f"is no value of {word}")]
    return Added(tuple(options), tuple(devices))


def of_thick(options: Mapping[str, str]) -> Added:
    found = added(options.get(CREATE, ""), THICK)
    kind = found.value("--type") or options.get(TYPE, "")
    if kind and kind not in TYPES:
        raise BadProperty(f"{kind!r} is no type of a logical volume", correction=f"Possible are {', '.join(TYPES)}.")
    if kind and not found.value("--type"):
        return Added(("--type", kind, *found.options), found.devices)
    return found


def stripes(found: Added) -> int:
    """How many extents are handed out at once."""
    count = found.value("--stripes")
    if count and not (count.isdecimal() and 1 <= int(count) <= 128):
        raise BadProperty(f"{CREATE}: {count!r} is no number of stripes", correction="Possible are 1 to 128.")
    return int(count) if count else 1


def ratio(options: Mapping[str, str]) -> int:
    text = options.get(RATIO, "135").removesuffix("%").strip()
    if not text.isdecimal() or not 100 <= int(text) <= 1000:
        raise BadProperty(
            f"{RATIO} must be a number from 100 to 1000, not {text!r}",
            cause="It is the size of a volume's own thin pool in per cent of the volume's size.",
        )
    return int(text)


def _words(text: str, key: str) -> list[str]:
    """Every option and every value a word of its own, options in their long form."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadProperty(f"{key} cannot be read: {error}") from None
    found: list[str] = []
    for word in words:
        if word.startswith("--"):
            found += word.split("=", 1)
        elif word[:2] in SHORT:
            found += [SHORT[word[:2]], *([word[2:]] if word[2:] else [])]
        else:
            found.append(word)
    return found


def _checked(form: re.Pattern[str], word: str, key: str, otherwise: str) -> str:
    if not form.fullmatch(word):
        raise BadProperty(f"{key}: {word!r} {otherwise}")
    return word
