"""What nodes say of their replicas that changes what is wanted: ports that are taken, disks that fail."""

import pytest
from msgspec.structs import replace

from orlop.controller.learnt import noticed
from orlop.controller.picture import Draft
from orlop.controller.replicas import SKIP_DISK, wanted
from orlop.controller.replication import BLOCKED_PORTS, numbered
from orlop.model import Controller, Node, Presence, ReportedLevel, ReportedResource, ReportedVolume
from tests.controller.drbd9 import cluster, replica, replicated


@pytest.fixture
def web(picture):
    """A picture with two replicas in it."""
    draft = Draft(cluster(picture).picture.freeze())
    draft.put(numbered(draft, replicated(replica("alpha"), replica("bravo"))))
    return draft.freeze()


def says(**facts):
    level = ReportedLevel(layer="DRBD", presence=Presence.READY, facts=facts)
    volume = ReportedVolume(number=0, uuid="v-alpha", presence=Presence.READY, levels=(level,))
    return {"web": ReportedResource(name="web", revision=1, settled=False, volumes=(volume,))}


def after(web, changes):
    draft = Draft(web)
    for change in changes:
        draft.put(change)
    return draft


def alpha(picture):
    return next(r for r in picture.definition("web").resources if r.node == "alpha")


def test_a_port_that_is_taken_is_blocked_on_that_node_and_another_one_chosen(web):
    changed = after(web, noticed(web, "alpha", says(port_taken="7000")))
    assert changed.node("alpha").props[BLOCKED_PORTS] == "7000"
    assert BLOCKED_PORTS not in changed.node("bravo").props
    assert alpha(changed).ports == (7001,)
    bravo = changed.definition("web").resources[1]
    (peer,) = wanted(changed, changed.definition("web"), bravo, bravo.volumes[0]).replica.peers
    assert peer.port == 7001


def test_said_once_more_nothing_changes(web):
    """The report may be about the port that it had before."""
    changed = after(web, noticed(web, "alpha", says(port_taken="7000"))).freeze()
    assert noticed(changed, "alpha", says(port_taken="7000")) == []


def test_ports_that_the_cluster_blocks_stay_blocked(web):
    draft = Draft(web)
    draft.put(Controller(props={BLOCKED_PORTS: "7001-7002"}))
    assert alpha(after(draft, noticed(draft, "alpha", says(port_taken="7000")))).ports == (7003,)


def test_where_none_is_left_the_port_is_blocked_all_the_same(web):
    draft = Draft(web)
    draft.put(Controller(props={"TcpPortAutoRange": "7000-7000"}))
    changes = noticed(draft, "alpha", says(port_taken="7000"))
    assert [type(change) for change in changes] == [Node]


def test_a_disk_that_failed_is_left_alone_until_somebody_takes_it_back(web):
    changed = after(web, noticed(web, "alpha", says(skip_disk="yes")))
    of = changed.definition("web")
    assert alpha(changed).props[SKIP_DISK] == "True"
    assert [wanted(changed, of, r, r.volumes[0]).replica.skip_disk for r in of.resources] == [True, False]
    assert noticed(changed.freeze(), "alpha", says(skip_disk="yes")) == []


def test_what_is_being_deleted_is_not_changed(web):
    draft = Draft(web)
    of = draft.definition("web")
    draft.put(replace(of, resources=(replace(alpha(web), flags=frozenset({"DELETE"})), of.resources[1])))
    assert noticed(draft, "alpha", says(port_taken="7000", skip_disk="yes")) == []


def test_nothing_else_changes_anything(web):
    assert noticed(web, "alpha", says(disk="UpToDate", port_taken="7005", skip_disk="no")) == []
    assert noticed(web, "charlie", says(port_taken="7000")) == []
