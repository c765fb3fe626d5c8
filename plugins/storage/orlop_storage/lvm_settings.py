"""The settings every LVM command is given: it shall neither open nor scan what stands on top of our volumes.

LVM opens every block device it finds. On a DRBD device whose I/O is suspended it would hang, and a volume group that
a guest made inside of a volume would become visible on the node.
"""

import re
from collections.abc import Iterator

from orlop.plugin import Probe

FILES = ("/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf")  # what is in the later one counts
HIDDEN = ('"r|^/dev/drbd|"', '"r|^/dev/zd[0-9]|"', '"r|^/dev/zvol/|"')
FILTERS = ("filter", "global_filter")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*|[{}\[\]=,]|[^\s{}\[\]=,#"]+')


def settings(probe: Probe) -> str:
    """For `--config`. The filters of the administrator stay in force, `devices/use_devicesfile` is not touched.

    A device has to pass both filters of LVM. Ours goes into the one that the administrator left empty: put before
    his patterns, it would be undone where he accepts another name of the same device, lvm.conf(5).
    """
    theirs: dict[str, list[str]] = {}
    for path in FILES:
        theirs |= filters(probe.read(path) or "")
    ours = "filter" if "global_filter" in theirs and "filter" not in theirs else "global_filter"
    patterns = [*HIDDEN, *(theirs.get(ours, []) if "filter" in theirs else [])]
    return f'devices{{{ours}=[{",".join(patterns)}]}} report{{time_format="%s" list_item_separator=","}}'


def filters(text: str) -> dict[str, list[str]]:
    """The patterns of both filters of a configuration file, quoted as they are there, lvm.conf(5)."""
    found: dict[str, list[str]] = {}
    for name, values in _assignments(text):
        section, _, key = name.rpartition("/")
        if section == "devices" and key in FILTERS:
            found[key] = [value for value in values if value.startswith('"')]
    return found


def _assignments(text: str) -> Iterator[tuple[str, list[str]]]:
    """`section { key = value }` or `section/key = [ value, value ]`."""
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith("#")]
    sections: list[str] = []
    at = 0
    while at < len(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        if tokens[at] == "}":
            sections = sections[:-1]
            at += 1
        elif after == "{":
            sections.append(tokens[at])
            at += 2
        elif after == "=":
            end = tokens.index("]", at) if tokens[at + 2 : at + 3] == ["["] else at + 2
            yield "/".join([*sections, tokens[at]]), tokens[at + 2 : end + 1]
            at = end + 1
        else:
            at += 1
