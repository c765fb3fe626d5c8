"""Several ways between two nodes, on the connection of the nodes or of one resource."""

import pytest
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.paths import refuse_unknown
from orlop.controller.picture import Draft
from orlop.controller.replicas import wanted
from orlop.controller.replication import numbered
from orlop.errors import Refused
from orlop.model import NetInterface, NodeConnection, ResourceConnection, WantedPath
from tests.controller.conftest import node
from tests.controller.drbd9 import cluster, replica, replicated

BOTH = {
    "Paths/one/alpha": "fast",
    "Paths/one/bravo": "fast",
    "Paths/two/alpha": "default",
    "Paths/two/bravo": "default",
}


@pytest.fixture
def nine(picture):
    """Two nodes with two interfaces each."""
    draft = Draft(cluster(picture).picture.freeze())
    for number, name in enumerate(("alpha", "bravo"), 1):
        plain = replace(node(name).interfaces[0], address=f"10.0.0.{number}")
        fast = NetInterface(name="fast", uuid=f"f-{name}", address=f"10.1.0.{number}")
        draft.put(replace(draft.node(name), interfaces=(plain, fast)))
    return draft


def told(picture, of=None, at="alpha"):
    of = numbered(picture, of or replicated(replica("alpha"), replica("bravo")))
    resource = next(r for r in of.resources if r.node == at)
    (peer,) = wanted(picture, of, resource, resource.volumes[0]).replica.peers
    return peer.paths


def of_nodes(picture, **props):
    picture.put(NodeConnection(node_a="alpha", node_b="bravo", uuid="nc", props=props))


def test_without_any_the_addresses_of_the_nodes_are_used(nine):
    assert told(nine) == ()


def test_each_end_sees_them_from_its_side(nine):
    of_nodes(nine, **BOTH)
    assert told(nine) == (WantedPath(here="10.1.0.1", there="10.1.0.2"), WantedPath(here="10.0.0.1", there="10.0.0.2"))
    assert told(nine, at="bravo")[0] == WantedPath(here="10.1.0.2", there="10.1.0.1")


def test_those_of_the_resource_take_the_place_of_those_of_the_nodes(nine):
    of_nodes(nine, **BOTH)
    own = ResourceConnection(
        node_a="alpha", node_b="bravo", uuid="rc", props={"Paths/x/alpha": "fast", "Paths/x/Bravo": "FAST"}
    )
    of = replace(replicated(replica("alpha"), replica("bravo")), connections=(own,))
    assert told(nine, of) == (WantedPath(here="10.1.0.1", there="10.1.0.2"),)


@pytest.mark.parametrize(
    "props",
    [{"Paths/one/alpha": "fast"}, {"Paths/one/alpha": "fast", "Paths/one/bravo": "gone"}],
    ids=["one end", "an interface that is gone"],
)
def test_a_path_that_is_not_whole_is_left_out(nine, props):
    of_nodes(nine, **props)
    assert told(nine) == ()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Paths/one/alpha", "gone", Fail.NOT_FOUND_NET_IF),
        ("Paths/one/charlie", "default", Fail.INVLD_PROP),
    ],
)
def test_what_cannot_be_a_path_is_refused(nine, name, value, code):
    with pytest.raises(Refused) as refusal:
        refuse_unknown(nine, {name: value}, [name], ("alpha", "bravo"))
    assert refusal.value.code is code
    refuse_unknown(nine, BOTH, BOTH, ("alpha", "bravo"))
