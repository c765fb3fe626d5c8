"""A request to change properties: checked as a whole, then applied as a whole."""

import difflib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from orlop.controller.properties import values
from orlop.controller.properties.whitelist import Kind, Rule, best_match, keys_of, rules, whitelist
from orlop.errors import BadName, BadProperty
from orlop.model import names

Props = Mapping[str, str]
AUXILIARY = "Aux"
PATHS = "Paths"
ANY_TEXT = Rule(type="string", objects=frozenset())
CONNECTIONS = (Kind.NODE_CONNECTION, Kind.RESOURCE_CONNECTION)


class PropertyChange(NamedTuple):
    """The properties afterwards, and what became of each key of the request."""

    props: Props
    set_keys: tuple[str, ...]
    removed_keys: tuple[str, ...]
    unknown_deleted: tuple[str, ...]  # keys to delete that were not set


def apply(
    kind: Kind,
    props: Props,
    override: Mapping[str, str],
    delete: Iterable[str] = (),
    delete_namespaces: Iterable[str] = (),
    options: frozenset[str] = frozenset(),
) -> PropertyChange:
    """Set, then delete, then delete whole namespaces; raises `BadProperty` and changes nothing on the first error.

    `options` are keys that the object accepts beyond the whitelist, because a storage driver heeds them.
    """
    after = dict(props)
    for given, value in override.items():
        key = normalised(given)
        after[key] = checked(kind, key, value, options)
    removed: list[str] = []
    unknown: list[str] = []
    for given in delete:
        key = normalised(given)
        _refuse_read_only(kind, key)
        if after.pop(key, None) is None:
            unknown.append(key)
        else:
            removed.append(key)
    for given in delete_namespaces:
        for key in _inside(kind, normalised(given.rstrip("/")), after):
            del after[key]
            removed.append(key)
    kept = tuple(key for key in dict.fromkeys(map(normalised, override)) if key in after)
    return PropertyChange(after, kept, tuple(removed), tuple(unknown))


def normalised(key: str) -> str:
    """A key without leading slashes; raises `BadProperty` where a path element is empty."""
    found = key.lstrip("/")
    if not all(found.split("/")) or len(found) > values.LONGEST_KEY or not found.isprintable():
        raise BadProperty(
            f"Invalid property key: {key[: values.LONGEST_KEY]!r}",
            cause=f"A key is a path of at most {values.LONGEST_KEY} printable characters without empty elements.",
            correction="Remove double and trailing slashes.",
        )
    return found


def checked(kind: Kind, key: str, value: str, options: frozenset[str] = frozenset()) -> str:
    """The value in the spelling that is kept; raises `BadProperty`."""
    _refuse_read_only(kind, key)
    if len(value) > values.LONGEST_VALUE:
        raise BadProperty(
            f"The value of property {key!r} is too long",
            details=f"It has {len(value)} characters; the longest that can be kept has {values.LONGEST_VALUE}.",
        )
    top, _, rest = key.partition("/")
    if kind is Kind.KEY_VALUE_STORE or (top == AUXILIARY and rest):
        return value
    if top == PATHS and kind in CONNECTIONS:
        return _path(key, value)
    rule = keys_of(kind).get(key)
    if rule is None and key in options:
        rule = whitelist().get(key, ANY_TEXT)
    if rule is None:
        raise _not_whitelisted(kind, key)
    return _legal(key, rule, value)


def _legal(key: str, rule: Rule, value: str) -> str:
    try:
        return values.legal(key, rule, value)
    except ValueError as error:
        raise BadProperty(
            f"Invalid value for property {key!r}: {value[:100]!r}",
            details=f"Expected {values.expected(key, rule)}.",
            correction="Give a value of that form, or delete the property to get its default.",
        ) from error


def _path(key: str, value: str) -> str:
    """`Paths/<name>/<node>` = a net interface of that node."""
    parts = key.split("/")
    try:
        if len(parts) != 3:
            raise BadName("the key has another form")
        names.node(parts[2])
        return names.net_interface(value)
    except BadName as error:
        raise BadProperty(
            f"Invalid path property {key!r}: {value!r}",
            cause=str(error),
            details="Expected Paths/<name of the path>/<node> with the name of one of the node's net interfaces.",
        ) from error


def _refuse_read_only(kind: Kind, key: str) -> None:
    reason = None if kind is Kind.KEY_VALUE_STORE else best_match(rules().read_only, key)
    if reason is not None:
        raise BadProperty(f"Property {key!r} cannot be changed", cause=reason)


def _not_whitelisted(kind: Kind, key: str) -> BadProperty:
    near = difflib.get_close_matches(key, keys_of(kind), n=3, cutoff=0.7)
    advice = f"Did you mean {' or '.join(near)}? " if near else ""
    return BadProperty(
        f"Invalid property key: {key!r}",
        cause=f"The key is not whitelisted for a {kind.words}.",
        correction=f"{advice}Keys of your own begin with Aux/.",
    )


def _inside(kind: Kind, namespace: str, props: Props) -> list[str]:
    """Keys of a namespace that may go; the controller's own stay."""
    read_only = {} if kind is Kind.KEY_VALUE_STORE else rules().read_only
    inside = [key for key in props if key.startswith(f"{namespace}/")]
    return [key for key in inside if best_match(read_only, key) is None]
