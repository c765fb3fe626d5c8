"""Which options of mkfs and mount a volume may ask for: those that stay within its own device.

mkfs and mount are run by root with what a user wrote. A word too many would name another device, and some options read
or write other files of the host (`-d`, `-p`, `logdev=`, `loop`), so that only known ones are passed on.
"""

import re
import shlex
from collections.abc import Mapping

from orlop.errors import Refused

EXT4, XFS = "ext4", "xfs"
KINDS = (EXT4, XFS)
_NUMBER = r"[0-9]+(\.[0-9]+)?[bskmgtpKMGTP]?"
_WORDS = r"[A-Za-z0-9_^.-]+(,[A-Za-z0-9_^.-]+)*"
_LABEL = r"[A-Za-z0-9_.-]{1,16}"


def _settings(names: str) -> str:
    """A list `name=value,name` of these names only."""
    one = rf"(?:{'|'.join(names.split())})(?:=[A-Za-z0-9_.:-]+)?"
    return rf"{one}(?:,{one})*"


# Option -> form of its value; None: it has none.
_MKFS: Mapping[str, Mapping[str, str | None]] = {
    EXT4: {
        **dict.fromkeys(("-b", "-C", "-g", "-G", "-i", "-I", "-m", "-N"), _NUMBER),
        **dict.fromkeys(("-O", "-T"), _WORDS),
        "-e": "continue|remount-ro",
        "-L": _LABEL,
        "-U": r"[0-9a-fA-F-]{36}|random|time|clear",
        "-E": _settings(
            "discard nodiscard stride stripe_width lazy_itable_init lazy_journal_init num_backup_sb packed_meta_blocks "
            "quotatype resize mmp_update_interval encoding encoding_flags hash_seed orphan_file_size"
        ),
        "-J": _settings("size fast_commit_size location"),
        "-j": None,
        "-q": None,
    },
    XFS: {
        **dict.fromkeys(("-b", "-n", "-s"), _settings("size version ftype sectsize log")),
        "-d": _settings(
            "agcount agsize sunit swidth su sw noalign sectsize concurrency rtinherit projinherit extszinherit "
            "cowextsize"
        ),
        "-i": _settings("size perblock maxpct attr projid32bit sparse nrext64 exchange"),
        "-l": _settings("agnum internal size version sunit su sectsize lazy-count concurrency"),
        "-m": _settings("crc finobt uuid rmapbt reflink inobtcount bigtime"),
        "-L": r"[A-Za-z0-9_.-]{1,12}",
        "-K": None,
        "-q": None,
    },
}

# mount(8), ext4(5), xfs(5)
_MOUNT = frozenset(
    re.findall(
        r"\S+",
        """
        async atime noatime diratime nodiratime dirsync exec noexec lazytime nolazytime nodev nosuid relatime norelatime
        ro rw strictatime nostrictatime sync suid

        acl noacl user_xattr nouser_xattr auto_da_alloc noauto_da_alloc barrier nobarrier commit data data_err delalloc
        nodelalloc discard nodiscard errors init_itable noinit_itable journal_async_commit journal_checksum
        nojournal_checksum journal_ioprio max_batch_time min_batch_time stripe

        allocsize attr2 noattr2 filestreams ikeep noikeep inode32 inode64 largeio nolargeio logbsize logbufs noalign
        nouuid quota noquota usrquota grpquota prjquota uquota gquota pquota sunit swidth swalloc wsync
        """,
    )
)
_NO_PANIC = re.compile(r"(?!panic$)[A-Za-z0-9_.-]+")


def mkfs(kind: str, text: str) -> tuple[str, ...]:
    """The words of `fsopts`; raises `Refused` for all that is not known to be harmless."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Refused(f"fsopts={text} cannot be read: {error}") from None
    left = list(words)
    while left:
        word = left.pop(0)
        option, value = word[:2], word[2:]
        if option not in _MKFS[kind]:
            raise _not_allowed("fsopts", word, kind, sorted(_MKFS[kind]))
        form = _MKFS[kind][option]
        if form is None:
            fits = not value
        else:
            value = value or (left.pop(0) if left else "")
            fits = re.fullmatch(form, value) is not None
        if not fits:
            raise Refused(
                f"fsopts: '{value}' cannot be the value of {option} of mkfs.{kind} here",
                correction="Options that name other devices or files of the host are not passed on.",
            )
    return tuple(words)


def mount(text: str) -> tuple[str, ...]:
    """The options of `mountopts`; raises `Refused` for all that is not known to be harmless."""
    options = tuple(option for option in text.split(",") if option)
    for option in options:
        name, given, value = option.partition("=")
        if name not in _MOUNT or (given and not _NO_PANIC.fullmatch(value)):
            raise _not_allowed("mountopts", option, "a mount", sorted(_MOUNT))
    return options


def _not_allowed(name: str, word: str, of: str, known: list[str]) -> Refused:
    return Refused(
        f"{name}: '{word}' is no option of {of} that is passed on",
        correction=f"Known are: {' '.join(known)}",
    )
