"""The rules for names and sizes (`semantics.md` section 2 of the specification). All raise `BadName`."""

import ipaddress
import re

from orlop.codes import Fail
from orlop.errors import BadName

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
RESERVED = frozenset({"all", "proxy"})


def key(name: str) -> str:
    """What names are compared by: they are case-insensitive, the display form is the one of creation."""
    return name.lower()


def node(name: str) -> str:
    labels = name.split(".")
    if 2 <= len(name) <= 255 and all(_LABEL.fullmatch(label) for label in labels):
        return name
    raise BadName(
        f"{name!r} is not a valid node name",
        cause="A node name is a host name of 2 to 255 characters: letters, digits, '-', dots between labels.",
        correction="Use the name that 'uname -n' prints on the node.",
        code=Fail.INVLD_NODE_NAME,
    )


def _word(name: str, what: str, shortest: int, longest: int, code: Fail) -> str:
    if shortest <= len(name) <= longest and _WORD.fullmatch(name) and re.search("[A-Za-z]", name):
        return name
    raise BadName(
        f"{name!r} is not a valid {what} name",
        cause=f"A {what} name has {shortest} to {longest} characters, begins with a letter or '_' and goes on with "
        "letters, digits, '_' or '-', at least one of them a letter.",
        correction="Choose another name.",
        code=code,
    )


def resource(name: str) -> str:
    _word(name, "resource", 2, 48, Fail.INVLD_RSC_NAME)
    if key(name) in RESERVED:
        raise BadName(
            f"{name!r} is a reserved word", correction="Choose another resource name.", code=Fail.INVLD_RSC_NAME
        )
    return name


def resource_group(name: str) -> str:
    return _word(name, "resource group", 2, 48, Fail.INVLD_RSC_GRP_NAME)


def snapshot(name: str) -> str:
    return _word(name, "snapshot", 2, 48, Fail.INVLD_SNAPSHOT_NAME)


def key_value_store(name: str) -> str:
    return _word(name, "key-value store", 2, 48, Fail.INVLD_KVS_NAME)


def storage_pool(name: str) -> str:
    return _word(name, "storage pool", 3, 48, Fail.INVLD_STOR_POOL_NAME)


def net_interface(name: str) -> str:
    return _word(name, "net interface", 3, 32, Fail.INVLD_NET_NAME)


def shared_space(name: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,47}", name):
        return name
    raise BadName(f"{name!r} is not a valid shared-space name", code=Fail.INVLD_FREE_SPACE_MGR_NAME)


def address(text: str) -> str:
    """An IPv4 or IPv6 address in its usual spelling."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadName(
            f"{text!r} is not an IP address",
            correction="Give the address of the interface, for example 192.168.0.10 or fd00::10.",
            code=Fail.INVLD_NET_ADDR,
        ) from None


def port(number: int) -> int:
    if 1 <= number <= 65535:
        return number
    raise BadName(f"{number} is not a TCP port: 1 to 65535", code=Fail.INVLD_NET_PORT)


def volume_number(number: int) -> int:
    if 0 <= number <= 65534:
        return number
    raise BadName(f"{number} is not a volume number: 0 to 65534", code=Fail.INVLD_VLM_NR)


SMALLEST = 4 * 1024
LARGEST = 1 << 50


def size(amount: int) -> int:
    """Bytes of a volume: 4 KiB to 1 PiB."""
    if SMALLEST <= amount <= LARGEST:
        return amount
    raise BadName(
        f"a volume of {amount} bytes is not possible: 4 KiB to 1 PiB",
        correction="Sizes in the REST API are KiB; the command line takes units, GiB without one.",
        code=Fail.INVLD_VLM_SIZE,
    )
