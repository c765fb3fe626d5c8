"""Legal values: each check returns the value as it is kept, or raises `ValueError` with the expected form."""

import math
import re
import shlex
from collections.abc import Callable

from orlop.controller.properties.whitelist import Rule, best_match, rules
from orlop.errors import BadName
from orlop.model import names

LONGEST_KEY = 256
LONGEST_VALUE = 65536
INT64 = 1 << 63


def legal(key: str, rule: Rule, value: str) -> str:
    """The value in the spelling that is kept."""
    if not value.isprintable():
        raise ValueError("text without control characters")
    form = best_match(rules().forms, key)
    return FORMS[form](value) if form else TYPES[rule.type](rule, value)


def expected(key: str, rule: Rule) -> str:
    """The form of a key's value, in words."""
    form = best_match(rules().forms, key)
    if form:
        return EXPECTED[form]
    match rule.type:
        case "range":
            return f"a whole number from {rule.lowest} to {rule.highest}"
        case "symbol":
            return f"one of: {', '.join(rule.symbols)}"
        case "numeric-or-symbol":
            return f"a whole number from 1 to 32, or one of: {', '.join(rule.symbols)}"
        case _:
            return EXPECTED[rule.type]


def _boolean(_: Rule, value: str) -> str:
    if value.lower() in ("yes", "no"):
        return value.lower()
    raise ValueError


def _boolean_true_false(_: Rule, value: str) -> str:
    if value.lower() in ("true", "false"):
        return value
    raise ValueError


def _symbol(rule: Rule, value: str) -> str:
    if value in rule.symbols:
        return value
    raise ValueError


def _between(value: str, lowest: int, highest: int) -> str:
    if re.fullmatch(r"-?[0-9]{1,19}", value) and lowest <= int(value) <= highest:
        return str(int(value))
    raise ValueError


def _range(rule: Rule, value: str) -> str:
    assert rule.lowest is not None
    assert rule.highest is not None
    return _between(value, rule.lowest, rule.highest)


def _numeric_or_symbol(rule: Rule, value: str) -> str:
    return value if value in rule.symbols else _between(value, 1, 32)


def _ratio(_: Rule, value: str) -> str:
    if 0 < _finite(value) <= 1000:
        return value
    raise ValueError


def _finite(value: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


TYPES: dict[str, Callable[[Rule, str], str]] = {
    "boolean": _boolean,
    "boolean_true_false": _boolean_true_false,
    "long": lambda _, value: _between(value, -INT64, INT64 - 1),
    "numeric-or-symbol": _numeric_or_symbol,
    "range": _range,
    "range-float": _ratio,
    "regex": lambda _, value: _matches(r".+", value),
    "string": lambda _, value: value,
    "symbol": _symbol,
}


def _matches(pattern: str, value: str) -> str:
    if re.fullmatch(pattern, value):
        return value
    raise ValueError


def _percentage(value: str) -> str:
    if 0 <= _finite(value.removesuffix("%")) <= 100:
        return value
    raise ValueError


def _number(value: str) -> str:
    _finite(value)
    return value


def _numbers_from_to(value: str, lowest: int, highest: int) -> str:
    first, dash, last = value.partition("-")
    if dash and int(_between(first, lowest, highest)) <= int(_between(last, lowest, highest)):
        return value
    raise ValueError


def _ports(value: str) -> str:
    for part in value.split(",") if value else []:
        if "-" in part:
            _numbers_from_to(part.strip(), 1, 65535)
        else:
            _between(part.strip(), 1, 65535)
    return value


def _name(check: Callable[[str], str]) -> Callable[[str], str]:
    def checked(value: str) -> str:
        try:
            return check(value)
        except BadName as error:
            raise ValueError(error.message) from error

    return checked


def _path(value: str) -> str:
    if value.startswith("/") and not {".", ".."} & set(value.split("/")):
        return value
    raise ValueError


def _backing(value: str) -> str:
    """A volume group, thin pool, dataset or directory: never an option of a program, never a step upwards."""
    _matches(r"/?[A-Za-z0-9_.+][A-Za-z0-9_.+:/-]*", value)
    if ".." in value.split("/"):
        raise ValueError
    return value


def _options(value: str) -> str:
    shlex.split(value)
    return value


FORMS: dict[str, Callable[[str], str]] = {
    "address": _name(names.address),
    "backing": _backing,
    "block_size": lambda value: _matches(r"[1-9][0-9]{0,8}[kKmM]?", value),
    "metadata_pool": lambda value: value if value in ("", ".internal") else FORMS["pool"](value),
    "minor_range": lambda value: _numbers_from_to(value, 0, (1 << 20) - 1),
    "natural": lambda value: _between(value, 0, INT64 - 1),
    "net_interface": _name(names.net_interface),
    "number": _number,
    "options": _options,
    "path": _path,
    "percentage": _percentage,
    "pool": _name(names.storage_pool),
    "port": lambda value: _between(value, 1, 65535),
    "port_range": lambda value: _numbers_from_to(value, 1, 65535),
    "ports": _ports,
    "share": lambda value: _matches(r"[0-9]{1,15}(\.[0-9]+)?%?", value),
}
EXPECTED = {
    "address": "an IP address",
    "backing": "the name of a volume group, thin pool or dataset, or a directory",
    "block_size": "a size as dd takes it, for example 64k",
    "boolean": "yes or no",
    "boolean_true_false": "true or false",
    "long": "a whole number",
    "metadata_pool": "the name of a storage pool, or .internal",
    "minor_range": "two device minors with a dash between them, for example 1000-49999",
    "natural": "a whole number, not negative",
    "net_interface": "the name of a net interface: 3 to 32 letters, digits, '_' or '-'",
    "number": "a decimal number",
    "options": "options as on a command line, with quotes closed",
    "path": "an absolute path without . and ..",
    "percentage": "a percentage, for example 10%",
    "pool": "the name of a storage pool: 3 to 48 letters, digits, '_' or '-'",
    "port": "a TCP port from 1 to 65535",
    "port_range": "two TCP ports with a dash between them, for example 7000-7999",
    "ports": "TCP ports and ranges of them with commas between them, for example 7000,7010-7019",
    "range-float": "a decimal number above 0, at most 1000",
    "regex": "text that is not empty",
    "share": "a size or a percentage, for example 5%",
    "string": "text without control characters",
}
