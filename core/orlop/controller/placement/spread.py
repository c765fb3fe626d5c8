"""The rules of spreading of one placement: what they say against a node, and what a choice has to heed. Pure.

`semantics.md` section 7: replicas on the same or on different values of node properties, so many replicas for each
value, one replica per shared space, and kinds of pools and DRBDs that go together. Replicas that exist count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.placement.cells import Cell, Group, Grouping
from orlop.controller.placement.objections import Objection
from orlop.controller.placement.of_sites import OfSites
from orlop.errors import Refused
from orlop.model import Node, SelectFilter


class Undecidable(Refused):
    """Replicas that exist contradict a rule: no place for another one could satisfy it."""

    code = Fail.UNDECIDABLE_AUTOPLACMENT


def _pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, _, value = text.partition("=")
        yield name, value


def fits(nodes: list[Node], rule: SelectFilter) -> bool:
    """Whether a resource on these nodes is spread as the rule wants it."""
    for name, _ in _pairs(rule.replicas_on_same):
        if len({node.props.get(name) for node in nodes}) > 1:
            return False
    for name, _ in _pairs(rule.replicas_on_different):
        values = [node.props[name] for node in nodes if name in node.props]
        if len(values) != len(set(values)):
            return False
    for name, count in rule.x_replicas_on_different.items():
        sizes = Counter(node.props.get(name, "") for node in nodes).values()
        if any(size > count for size in sizes) or sum(size < count for size in sizes) > 1:
            return False
    return True


class _Different(NamedTuple):
    name: str
    forbidden: frozenset[str]
    taken: Mapping[str, str]  # value -> node with a replica


class Spread:
    """`taken`: nodes with replicas that stay."""

    def __init__(self, rule: SelectFilter, taken: list[Node], site_of: Callable[[Node], str] = lambda node: "") -> None:
        """`site_of` tells in which site a node is; empty: in none."""
        self._sites = OfSites(rule, taken, site_of)
        self._same = _same(rule, taken)
        self._different = _different(rule, taken)
        self._names = [one.name for one in self._different]
        self._groups = {
            name: Group(limit, Counter(node.props.get(name, "") for node in taken))
            for name, limit in rule.x_replicas_on_different.items()
        }
        self._begun = [(name, group) for name, group in self._groups.items() if group.seen]
        self.silent = not (self._same or self._different or self._groups or self._sites.asked)

    @property
    def grouping(self) -> Grouping:
        return (*self._groups.values(), *self._sites.grouping)

    def place(self, node: Node) -> tuple[tuple[Hashable, ...], tuple[str, ...], Cell]:
        """What no other replica may have, what all have in common, and the groups it belongs to."""
        props = node.props
        return (
            tuple([(name, props[name]) for name in self._names if name in props]),
            tuple([props[name] for name in self._same]),
            (*[props.get(name, "") for name in self._groups], *self._sites.cell(node)),
        )

    @property
    def names(self) -> Hashable:
        """The properties that the rules look at, by kind of rule; None where they look at more than the node."""
        return None if self._sites.grouping else (tuple(self._same), tuple(self._names), tuple(self._groups))

    def against(self, node: Node) -> bool:
        """Whether the rules say anything against a node: quicker than what they say."""
        if self._sites.asked and next(self._sites.objections(node), None) is not None:
            return True
        props = node.props
        for name, (value, _) in self._same.items():
            if name not in props or (value is not None and props[name] != value):
                return True
        for one in self._different:
            its = props.get(one.name)
            if its is not None and (its in one.forbidden or its in one.taken):
                return True
        return any(group.seen.get(props.get(name, ""), 0) >= group.limit for name, group in self._begun)

    def mended(self, node: Node) -> tuple[tuple[Hashable, ...], tuple[str, ...], Cell] | None:
        """The place of a node once it has the properties that it lacks; None where their values are not known."""
        lacking = {name: value for name, (value, _) in self._same.items() if name not in node.props}
        if not lacking:
            return self.place(node)
        props = {name: value for name, value in lacking.items() if value is not None}
        return self.place(replace(node, props={**node.props, **props})) if len(props) == len(lacking) else None

    def objections(self, node: Node) -> Iterator[Objection]:
        """What the rules say against a node whatever else is chosen."""
        props = node.props
        yield from self._sites.objections(node)
        for name, (value, source) in self._same.items():
            if name not in props:
                change = f"set {name} of node {node.name} to {value or 'a value'}"
                yield Objection("replicas_on_same", f"it lacks the property {name}", change)
            elif value is not None and props[name] != value:
                yield Objection("replicas_on_same", f"its {name} is {props[name]}, not {value}{source}")
        for one in self._different:
            value = props.get(one.name)
            if value is not None and value in one.forbidden:
                why = f"its {one.name} is {value}"
            elif value is not None and value in one.taken:
                why = f"its {one.name} is {value}, as that of {one.taken[value]}, which has a replica"
            else:
                continue
            yield Objection("replicas_on_different", why)
        for name, group in self._groups.items():
            value = props.get(name, "")
            if group.seen.get(value, 0) >= group.limit:
                yield Objection(
                    "x_replicas_on_different",
                    f"{group.seen[value]} replicas are on nodes whose {name} is {value or 'not set'}, and "
                    f"{group.limit} are wanted",
                )


def _same(rule: SelectFilter, taken: list[Node]) -> dict[str, tuple[str | None, str]]:
    """By property: the value that is wanted, if it is known, and where it comes from."""
    found: dict[str, tuple[str | None, str]] = {}
    for name, value in _pairs(rule.replicas_on_same):
        there = {node.props[name]: node.name for node in taken if name in node.props}
        if value:
            there.pop(value, None)
        if len(there) > (0 if value else 1):
            listed = ", ".join(f"{node}: {its}" for its, node in sorted(there.items()))
            raise Undecidable(
                f"Replicas are to be on nodes with the same {name}, and those that exist are not.",
                cause=f"{name} is to be {value}; {listed}." if value else f"{name} by node: {listed}.",
                correction="Leave the rule out, or move the replicas that are in the way.",
            )
        before, source = found.get(name, (None, ""))
        if value and before not in (None, value):
            raise Refused(
                f"{name} cannot be both {before} and {value}.",
                correction="Give replicas_on_same one value for each property.",
                code=Fail.INVLD_CONF,
            )
        if value:
            found[name] = (value, "")
        elif there and before is None:
            (its, node) = next(iter(there.items()))
            found[name] = (its, f" as that of {node}, which has a replica")
        else:
            found[name] = (before, source)
    return found


def _different(rule: SelectFilter, taken: list[Node]) -> list[_Different]:
    forbidden: dict[str, set[str]] = {}
    for name, value in _pairs(rule.replicas_on_different):
        forbidden.setdefault(name, set()).update({value} if value else ())
    return [
        _Different(name, frozenset(values), {n.props[name]: n.name for n in taken if name in n.props})
        for name, values in forbidden.items()
    ]
