"""Which of several objects decides a property, and what the API tells about the keys."""

from collections.abc import Mapping
from typing import NamedTuple

from orlop.controller.properties import values
from orlop.controller.properties.whitelist import Kind, best_match, keys_of, rules


class Source(NamedTuple):
    """One object that may carry properties."""

    name: str
    props: Mapping[str, str]


class Effective(NamedTuple):
    """The value that counts, the object it comes from, and the ones that it hides, nearest first."""

    value: str
    origin_kind: Kind
    origin_name: str
    shadowed: tuple["Effective", ...] = ()


Objects = Mapping[Kind, Source]


def effective(key: str, objects: Objects) -> Effective | None:
    """The first object in the order of the key that has it; None where none has."""
    if not any(key in source.props for source in objects.values()):
        return None  # by far the most frequent answer
    order = [Kind(short) for short in best_match(rules().precedence, key)]
    found = [
        Effective(objects[kind].props[key], kind, objects[kind].name)
        for kind in order
        if kind in objects and key in objects[kind].props
    ]
    if key in rules().false_wins["keys"]:
        found.sort(key=lambda one: one.value.lower() != "false")
    return found[0]._replace(shadowed=tuple(found[1:])) if found else None


def effective_all(objects: Objects) -> dict[str, dict[str, object]]:
    """`effective_props` of the view: value, short name and description of its origin, and what it hides."""
    keys = sorted({key for source in objects.values() for key in source.props})
    found = {key: effective(key, objects) for key in keys}
    return {
        key: _described(one) | {"other": [_described(hidden) for hidden in one.shadowed]}
        for key, one in found.items()
        if one is not None
    }


def _described(one: Effective) -> dict[str, object]:
    name = f" ({one.origin_name})" if one.origin_name else ""
    return {"value": one.value, "type": one.origin_kind.value, "descr": one.origin_kind.words.capitalize() + name}


def info(kind: Kind) -> dict[str, dict[str, str]]:
    """What `properties/info` answers: by key its form in words, type, legal values, default and unit."""
    return {key: _info(key, kind) for key in keys_of(kind)}


def _info(key: str, kind: Kind) -> dict[str, str]:
    rule = keys_of(kind)[key]
    span = "" if rule.lowest is None else f"{rule.lowest}-{rule.highest}"
    found = {
        "info": values.expected(key, rule).capitalize(),
        "prop_type": rule.type,
        "value": span or "|".join(rule.symbols),
        "dflt": rule.default,
        "unit": rule.unit,
    }
    return {name: text for name, text in found.items() if text}
