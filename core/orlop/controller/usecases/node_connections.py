"""Properties of pairs of nodes; the order of the two does not matter."""

from __future__ import annotations

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import paths, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind
from orlop.controller.usecases import lookup
from orlop.controller.usecases.property_changes import changed
from orlop.errors import Refused
from orlop.model import NodeConnection, key


def find(picture: Picture, node_a: str, node_b: str) -> NodeConnection:
    """The connection of two nodes; one without properties, and without a uuid, if none is kept."""
    first, second = sorted((lookup.node(picture, node_a).name, lookup.node(picture, node_b).name), key=key)
    if first == second:
        raise Refused(
            f"Node '{first}' has no connection to itself.",
            correction="Name two nodes.",
            code=Fail.INVLD_NODE_NAME,
        )
    kept = picture.node_connections.get((key(first), key(second)))
    return kept or NodeConnection(node_a=first, node_b=second, uuid="")


def modify(core: Core, node_a: str, node_b: str, body: wire.NodeConnectionModify) -> Answers:
    """A connection exists as long as it has a property."""
    with core.change() as draft:
        before = find(draft, node_a, node_b)
        connection = before if before.uuid else replace(before, uuid=core.new_uuid())
        first, second = connection.node_a, connection.node_b
        answers = Answers(codes.MODIFY, Subject.NODE_CONN, FirstNode=first, SecondNode=second)
        answers.success(f"Connection between nodes '{first}' and '{second}' is modified.", codes.MODIFIED)
        after = replace(connection, props=changed(core.drivers, answers, Kind.NODE_CONNECTION, connection.props, body))
        paths.refuse_unknown(draft, after.props, body.override_props, (first, second))
        if after.props:
            draft.put(after)
        elif before.uuid:
            draft.remove(before)
    return answers
