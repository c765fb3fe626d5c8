"""What a request says of sites, against nodes and about a choice. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from orlop.controller.placement.bounds import Bounds
from orlop.controller.placement.objections import Objection
from orlop.model import Node, SelectFilter, key

UNBOUNDED = 1 << 30


class OfSites:
    """`taken`: nodes with replicas that stay. A node that is in no site cannot satisfy a rule about them."""

    def __init__(self, rule: SelectFilter, taken: list[Node], site_of: Callable[[Node], str]) -> None:
        self._site_of = site_of
        self._wanted = {key(site): site for site in rule.sites}
        self._counted = rule.most_per_site is not None or rule.least_per_site is not None
        self.asked = bool(self._wanted) or self._counted
        seen = Counter(key(site_of(node)) for node in taken) if self._counted else {}
        needed = frozenset(self._wanted) if rule.least_per_site is not None else frozenset[str]()
        self.bounds = Bounds(rule.most_per_site or UNBOUNDED, rule.least_per_site or 0, needed, seen)

    @property
    def grouping(self) -> tuple[Bounds, ...]:
        return (self.bounds,) if self._counted else ()

    def cell(self, node: Node) -> tuple[str, ...]:
        return (key(self._site_of(node)),) if self._counted else ()

    def objections(self, node: Node) -> Iterator[Objection]:
        if not self.asked:
            return
        site = self._site_of(node)
        listed = " or ".join(self._wanted.values())
        if not site:
            where = f"site {listed}" if listed else "a site"
            yield Objection("sites", "it is in no site", f"put node {node.name} into {where}")
        elif self._wanted and key(site) not in self._wanted:
            yield Objection("sites", f"it is in site {site}, not in {listed}", f"ask for site {site} too")
        elif self._counted and self.bounds.seen.get(key(site), 0) >= self.bounds.most:
            count = self.bounds.seen[key(site)]
            yield Objection("most_per_site", f"{count} of the replicas are in site {site} already")
