"""This machine, as the cluster knows it."""

from __future__ import annotations

from collections.abc import Iterable

from orlop.client import Client
from orlop.client.values import Node
from orlop.errors import Refused
from orlop.model import key


class Here:
    """`name` is the machine's own; nodes may be known by their short names, and in another spelling."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self._name = client, name
        self._found = ""

    def node(self) -> str:
        """As the cluster spells it; raises `Refused` for a machine that is no node."""
        self._found = self._found or self._looked_up()
        return self._found

    def among(self, nodes: Iterable[Node]) -> str | None:
        known = {key(node.name): node.name for node in nodes}
        return next((known[key(n)] for n in (self._name, self._name.split(".")[0]) if key(n) in known), None)

    def _looked_up(self) -> str:
        nodes = self._client.nodes()
        found = self.among(nodes)
        if found is None:
            raise Refused(
                f"this machine is no node of the cluster under the name {self._name}",
                correction="Say its name in the configuration of the plugin, 'node = NAME', or make it a node. "
                f"There are {', '.join(sorted(node.name for node in nodes)) or 'none'}.",
            )
        return found
