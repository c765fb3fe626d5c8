"""What replicated resources are numbered by, and when a number is free again."""

import pytest
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.picture import Draft
from orlop.controller.progress import advance
from orlop.controller.replicas import address
from orlop.controller.replication import numbered, with_minor
from orlop.errors import Refused
from orlop.model import Controller, NetInterface, Presence, ReportedResource, ReportedVolume, key
from tests.controller.conftest import definition, node, resource, volume


def replicated(*resources, **more):
    return replace(definition(*resources, **more), layers=("DRBD", "STORAGE"))


def two(**more):
    return replicated(resource("alpha", volume("a", new=True)), resource("bravo", volume("b", new=True)), **more)


def test_every_number_is_the_lowest_free_one(picture):
    made = numbered(picture, two())
    assert made.volume_definitions[0].minor == 1000
    assert [(r.node_id, r.ports, r.peer_slots) for r in made.resources] == [(0, (7000,), 7), (1, (7000,), 7)]


def test_what_others_have_is_not_given_again(picture):
    draft = Draft(picture)
    draft.put(numbered(picture, two()))
    made = numbered(draft, two(name="mail"))
    assert made.volume_definitions[0].minor == 1001
    assert [r.ports for r in made.resources] == [(7001,), (7001,)]


def test_numbers_that_are_there_stay(picture):
    made = numbered(picture, two())
    assert numbered(picture, made) == made


def test_ranges_and_blocked_ports_are_heeded(picture):
    draft = Draft(picture)
    draft.put(Controller(props={"MinorNrAutoRange": "50-60", "TcpPortAutoRange": "8000-8003"}))
    draft.put(node("bravo", TcpPortsBlocked="8000,8001-8002"))
    made = numbered(draft, two())
    assert made.volume_definitions[0].minor == 50
    assert [r.ports for r in made.resources] == [(8000,), (8003,)]


@pytest.mark.parametrize(
    ("props", "code"),
    [
        ({"TcpPortAutoRange": "8000-8000", "TcpPortsBlocked": "8000"}, Fail.POOL_EXHAUSTED_TCP_PORT),
        ({"MinorNrAutoRange": "5-4"}, Fail.POOL_EXHAUSTED_MINOR_NR),
    ],
    ids=["ports", "minors"],
)
def test_when_none_is_left_it_is_told_which(picture, props, code):
    draft = Draft(picture)
    draft.put(Controller(props=props))
    with pytest.raises(Refused) as refusal:
        numbered(draft, two())
    assert refusal.value.code is code


def test_a_minor_that_somebody_has_is_not_given_on_request(picture):
    draft = Draft(picture)
    draft.put(numbered(picture, two()))
    assert with_minor(draft, two(name="mail"), 77).volume_definitions[0].minor == 77
    with pytest.raises(Refused) as refusal:
        with_minor(draft, two(name="mail"), 1000)
    assert refusal.value.code is Fail.INVLD_MINOR_NR


def test_there_have_to_be_slots_for_every_peer(picture):
    with pytest.raises(Refused) as refusal:
        numbered(
            picture,
            replace(
                two(),
                peer_slots=1,
                resources=(*two().resources, resource("charlie", volume("c", new=True))),
            ),
        )
    assert refusal.value.code is Fail.INSUFFICIENT_PEER_SLOTS


# -- the first data ---------------------------------------------------------------------------------------------------


def first(of):
    return of.volume_definitions[0].first


def test_one_of_the_first_replicas_has_the_data(picture):
    assert first(numbered(picture, two())) == "a"


def test_it_stays_the_first_one_whatever_comes_later(picture):
    made = numbered(picture, replicated(resource("alpha", volume("a", new=True))))
    later = replace(made, resources=(*made.resources, resource("bravo", volume("b", new=True))))
    assert first(numbered(picture, later)) == "a"


def test_nobody_becomes_the_first_where_data_is(picture):
    """The first one has gone; the one that is left got its data from there."""
    made = numbered(picture, two())
    left = replace(made, resources=(resource("bravo", volume("b")), resource("charlie", volume("c", new=True))))
    assert first(numbered(picture, left)) == "a"


def test_a_definition_whose_resources_are_gone_begins_anew(picture):
    made = replace(numbered(picture, two()), resources=(resource("charlie", volume("c", new=True)),))
    assert first(numbered(picture, made)) == "c"


# -- letting go -------------------------------------------------------------------------------------------------------


def report(of, *volumes, settled=True):
    return ReportedResource(name="web", revision=1, settled=settled, volumes=volumes)


def test_a_replica_is_known_until_its_peer_has_obeyed_without_it(picture):
    leaving = resource("bravo", volume("b"), flags={"DELETE"})
    whole = numbered(picture, replicated(resource("alpha", volume("a")), leaving))
    gone = {"bravo": report("bravo", ReportedVolume(number=0, uuid="b", presence=Presence.ABSENT))}
    empty = advance(whole, gone)
    assert [(r.node, len(r.volumes), r.node_id) for r in empty.resources] == [("alpha", 1, 0), ("bravo", 0, 1)]
    assert advance(empty, {}) is empty, "the peer has not answered"
    assert advance(empty, {"alpha": report("alpha", settled=False)}) is empty, "the peer is still at it"
    assert [r.node for r in advance(empty, {"alpha": report("alpha")}).resources] == ["alpha"]


def test_the_last_replica_waits_for_nobody(picture):
    whole = numbered(picture, replicated(resource("alpha", volume("a"), flags={"DELETE"})))
    gone = {key("alpha"): report("alpha", ReportedVolume(number=0, uuid="a", presence=Presence.ABSENT))}
    assert advance(whole, gone).resources == ()


# -- addresses --------------------------------------------------------------------------------------------------------


def test_peers_talk_over_the_preferred_interface(picture):
    draft = Draft(picture)
    found = draft.node("alpha")
    fast = NetInterface(name="fast", uuid="i", address="10.9.0.1")
    draft.put(replace(found, interfaces=(*found.interfaces, fast)))
    made = numbered(draft, two())
    assert address(draft, made, made.resources[0]) == "127.0.0.1"
    assert address(draft, replace(made, props={"PrefNic": "fast"}), made.resources[0]) == "10.9.0.1"
    assert address(draft, replace(made, props={"PrefNic": "none"}), made.resources[0]) == "127.0.0.1"
