"""Controller and satellite over a real socket on loopback."""

import logging
import socket
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from itertools import islice

import msgspec
import pytest
import urllib3
from memory_agent import MemoryAgent
from msgspec.structs import replace

from orlop.errors import CannotRead, Fenced, TransportError, Unauthenticated
from orlop.listener import Listener
from orlop.model import (
    BackingObject,
    NewBacking,
    ReplicaOrder,
    ReplicaVerb,
    ReportedResource,
    WantedPool,
    WantedResource,
)
from orlop.transport.channel import Channel
from orlop.transport.identity import ClusterKey, Identity
from orlop.transport.messages import (
    Accepted,
    BackingOutcome,
    Hello,
    MakeBacking,
    ObjectTaken,
    Opening,
    Operate,
    Operated,
    Plan,
    Planned,
    PlannedSteps,
    Problem,
    RemoveBacking,
    Secrets,
    Sync,
    TakeObject,
    Update,
    Welcome,
    encode,
)
from orlop.transport.proof import SessionKeys, controller_proof, transcript
from orlop.transport.refusals import NotSynced, SessionLost
from orlop.transport.server import LOAD, serve


@pytest.fixture
def sync(fence):
    return Sync(fence=fence, node="n1.example", node_uuid="node-uuid")


def wanted(name, revision):
    return WantedResource(name=name, revision=revision)


def test_the_right_key_connects_and_orders_are_obeyed(channel, agent, sync, fence):
    assert channel.connect().name == "n1.example"
    assert channel.sync(sync).info == agent.info()
    channel.update(Update(fence=fence, resources=(wanted("data", 3),)))
    report = channel.reports(after=0, wait=5)
    assert [(r.name, r.revision) for r in report.resources] == [("data", 3)]
    assert report.synced
    assert channel.physical_storage()[0].device == "/dev/sdb"
    assert channel.info() == agent.info()
    assert agent.orders == [sync, Update(fence=fence, resources=(wanted("data", 3),))]


def test_backings_are_made_and_removed_while_the_controller_waits(channel, fence, sync):
    channel.connect()
    backing = NewBacking(provider="LVM", name="vg0", devices=("/dev/sdb",), arguments={"vgcreate": ("-s", "8m")})
    outcome = channel.make_backing(MakeBacking(fence=fence, backing=backing))
    assert outcome == BackingOutcome(problem="vg0 is not made", step="make it", left=("make it",), code=998)
    pool = WantedPool(name="pool", uuid="p", provider="LVM")
    assert channel.remove_backing(RemoveBacking(fence=fence, pool=pool)) == BackingOutcome()


def test_a_backing_is_not_made_for_another_activation_than_the_one_that_proved_itself(channel, fence):
    channel.connect()
    other = replace(fence, term=fence.term + 1)
    backing = NewBacking(provider="LVM", name="vg0", devices=("/dev/sdb",))
    with pytest.raises(TransportError, match="another fence"):
        channel.make_backing(MakeBacking(fence=other, backing=backing))


def test_what_is_done_once_is_done_when_it_is_answered(channel, fence, sync):
    channel.connect()
    order = ReplicaOrder(verb=ReplicaVerb.PAUSE_SYNC, peer="bravo")
    outcome = channel.operate(Operate(fence=fence, resource="web", order=order))
    assert outcome == Operated(done=("pause-sync web bravo",))


def test_nothing_is_done_for_another_activation_than_the_one_that_proved_itself(channel, fence):
    channel.connect()
    order = ReplicaOrder(verb=ReplicaVerb.INVALIDATE)
    with pytest.raises(TransportError, match="another fence"):
        channel.operate(Operate(fence=replace(fence, term=fence.term + 1), resource="web", order=order))


def test_an_object_is_taken_for_the_activation_that_proved_itself_only(channel, fence):
    channel.connect()
    thing = BackingObject(pool="pool", name="old", uuid="u", cluster="c", size=4096)
    order = TakeObject(fence=fence, object=thing, mark="m")
    assert channel.take_object(order) == ObjectTaken(found=thing, done=("take old",))
    with pytest.raises(TransportError, match="another fence"):
        channel.take_object(replace(order, fence=replace(fence, term=fence.term + 1)))


def test_a_plan_is_told_to_the_activation_that_proved_itself_only(channel, fence):
    channel.connect()
    order = Plan(fence=fence, resources=(WantedResource(name="web", revision=1),))
    assert channel.plan(order) == Planned(resources=(PlannedSteps(name="web", steps=("make it",)),))
    with pytest.raises(TransportError, match="another fence"):
        channel.plan(replace(order, fence=replace(fence, term=fence.term + 1)))


def test_secrets_arrive_whole_and_nothing_that_prints_them_shows_them(channel, agent, fence, caplog):
    caplog.set_level(logging.DEBUG)
    channel.connect()
    told = Secrets(fence=fence, known={"luks/a": b"\x00open sesame"}, refused={"luks/b": "locked"})
    channel.secrets(told)
    assert agent.told == told
    assert "sesame" not in repr(told) + caplog.text
    with pytest.raises(TransportError, match="another fence"):
        channel.secrets(replace(told, fence=replace(fence, term=fence.term + 1)))


def test_names_of_nodes_are_compared_without_case(channel_with):
    assert channel_with(node="N1.Example").connect().name == "n1.example"


def test_a_controller_with_another_key_is_refused_and_both_sides_say_so(channel_with, agent, caplog):
    with pytest.raises(Unauthenticated, match="n1.example at 127.0.0.1:.* did not prove"):
        channel_with(key=ClusterKey.draw()).connect()
    assert agent.fence is None
    assert [r.name for r in caplog.records if r.levelno == logging.WARNING] == ["orlop.transport.channel"]


def test_a_satellite_refuses_a_controller_that_proves_nothing(server, agent, fence, key, caplog):
    hello = Hello(version=1, fence=fence, node="n1.example", challenge="ab" * 32)
    welcome = msgspec.json.decode(post(server, "hello", encode(hello)).data, type=Welcome)
    wrong = controller_proof(ClusterKey.draw(), transcript(hello, welcome.session, welcome.challenge))
    answer = post(server, "session", encode(Opening(session=welcome.session, proof=wrong)))
    assert (answer.status, answer.json()["kind"]) == (401, "unauthenticated")
    assert "did not prove that it holds the key" in caplog.text
    right = controller_proof(key, transcript(hello, welcome.session, welcome.challenge))
    again = post(server, "session", encode(Opening(session=welcome.session, proof=right)))
    assert again.status == 401  # one attempt for each greeting
    assert agent.fence is None


def test_a_proof_cannot_be_sent_back_to_who_made_it(server, agent, fence):
    hello = Hello(version=1, fence=fence, node="n1.example", challenge="ab" * 32)
    welcome = msgspec.json.decode(post(server, "hello", encode(hello)).data, type=Welcome)
    assert post(server, "session", encode(Opening(session=welcome.session, proof=welcome.proof))).status == 401
    assert agent.fence is None


@pytest.mark.parametrize("path", ["sync", "update"])
def test_orders_without_a_session_are_refused(server, agent, sync, path, caplog):
    answer = post(server, path, encode(sync))
    assert (answer.status, answer.json()["kind"]) == (401, "no_session")
    assert f"/orlop/1/{path} from 127.0.0.1" in caplog.text
    assert agent.orders == []


def test_another_cluster_is_refused_by_name(channel_with, fence):
    other = msgspec.structs.replace(fence, cluster="other")
    with pytest.raises(Unauthenticated, match="belongs to cluster .*, not to other"):
        channel_with(fence=other).connect()


def test_another_node_at_the_address_is_refused_by_name(channel_with):
    with pytest.raises(Unauthenticated, match="this is satellite n1.example, not n2"):
        channel_with(node="n2").connect()


def test_an_older_activation_is_fenced_and_told_by_which(channel_with, fence):
    channel_with().connect()
    with pytest.raises(Fenced) as refused:
        channel_with(fence=msgspec.structs.replace(fence, term=6)).connect()
    assert (refused.value.term, refused.value.nonce) == (7, "first")
    with pytest.raises(Fenced):
        channel_with(fence=msgspec.structs.replace(fence, nonce="second")).connect()


def test_a_newer_activation_ends_the_sessions_of_older_ones(channel_with, fence, sync):
    old = channel_with()
    old.connect()
    newer = msgspec.structs.replace(fence, term=8, nonce="second")
    channel_with(fence=newer).connect()
    with pytest.raises(SessionLost):
        old.sync(sync)
    with pytest.raises(Fenced):
        old.connect()


def test_an_order_with_another_fence_than_its_session_is_refused(channel, fence, agent, sync):
    channel.connect()
    with pytest.raises(TransportError, match="another fence"):
        channel.sync(msgspec.structs.replace(sync, fence=msgspec.structs.replace(fence, term=99)))
    assert agent.orders == []
    assert agent.fence == fence


def test_the_number_of_the_commit_moves_on_within_a_session(channel, fence, sync):
    channel.connect()
    channel.sync(msgspec.structs.replace(sync, fence=msgspec.structs.replace(fence, sequence=12)))


def test_an_update_before_the_sync_says_what_is_missing(channel, fence):
    channel.connect()
    with pytest.raises(NotSynced, match="whole picture"):
        channel.update(Update(fence=fence))


def test_a_long_poll_wakes_at_once_and_orders_pass_it(channel, agent, sync):
    channel.connect()
    with ThreadPoolExecutor(1) as reports:
        poll = reports.submit(channel.reports, 0, 60)
        channel.sync(sync)
        assert not poll.done()
        agent.report(ReportedResource(name="data", revision=1, settled=True))
        assert poll.result(timeout=30).number == 1


def test_many_forgotten_long_polls_do_not_starve_orders(channel_with, agent, sync):
    channels = [channel_with() for _ in range(8)]
    for one in channels:
        one.connect()
    with ThreadPoolExecutor(8) as reports:
        polls = [reports.submit(one.reports, 0, 50) for one in channels]
        superseded = list(islice(as_completed(polls, timeout=30), 4))
        channels[0].sync(sync)
        agent.report(ReportedResource(name="data", revision=1, settled=True))
        assert {poll.result().number for poll in superseded} == {0}
        assert {poll.result(timeout=30).number for poll in polls if poll not in superseded} == {1}


def test_a_stopping_server_ends_its_long_polls(agent, identity, key, fence):
    server = serve(agent, "127.0.0.1", 0, identity)
    server.start()
    with closing(Channel("n1.example", "127.0.0.1", server.port, key=key, fence=fence)) as channel:
        channel.connect()
        with ThreadPoolExecutor(2) as threads:
            poll = threads.submit(channel.reports, 0, 55)
            channel.info()
            threads.submit(server.stop).result(timeout=30)
            with suppress(TransportError):  # it was on its way when the port closed
                assert poll.result(timeout=30).number == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_restarted_satellite_asks_for_another_connect(agent, identity, key, fence, sync):
    server = serve(agent, "127.0.0.1", free_port(), identity)
    server.start()
    channel = Channel("n1.example", "127.0.0.1", server.port, key=key, fence=fence)
    channel.connect()
    server.stop()
    with pytest.raises(TransportError, match=r"cannot be reached|closed the connection"):
        channel.sync(sync)
    again = serve(agent, "127.0.0.1", server.port, identity)
    again.start()
    with pytest.raises(SessionLost):
        channel.sync(sync)
    channel.connect()
    channel.sync(sync)
    channel.close()
    again.stop()


class BrokenAgent(MemoryAgent):
    def physical_storage(self):
        raise CannotRead("lsblk is not installed", correction="Install util-linux.")

    def info(self):
        if self.orders:
            raise ZeroDivisionError
        return super().info()

    def sync(self, message):
        self.orders.append(message)
        return Accepted()


@pytest.mark.parametrize("agent", [BrokenAgent("n1.example")], ids=["broken"])
def test_what_a_satellite_cannot_do_is_told_with_its_reason(channel, agent, sync, caplog):
    channel.connect()
    with pytest.raises(TransportError, match=r"satellite n1.example at .*: lsblk is not installed"):
        channel.physical_storage()
    channel.sync(sync)
    with pytest.raises(TransportError, match="its log says where"):
        channel.info()
    assert "ZeroDivisionError" in caplog.text


def test_a_controller_that_connects_again_and_again_keeps_the_newest_sessions(channel_with):
    channels = [channel_with() for _ in range(9)]
    for channel in channels:
        channel.connect()
    with pytest.raises(SessionLost):
        channels[0].info()
    channels[1].info()
    channels[-1].info()


def test_loopback_has_two_address_families(agent, identity, key, fence):
    server = serve(agent, "::1", 0, identity)
    server.start()
    channel = Channel("n1.example", "::1", server.port, key=key, fence=fence)
    assert channel.connect().name == "n1.example"
    channel.close()
    server.stop()


def test_two_satellites_live_in_one_process(identity, key, fence):
    for name in ("n1", "n2"):
        server = serve(MemoryAgent(name), "127.0.0.1", 0, Identity(cluster=fence.cluster, name=name, key=key))
        server.start()
        channel = Channel(name, "127.0.0.1", server.port, key=key, fence=fence)
        assert channel.connect().name == name
        channel.close()
        server.stop()


def test_a_satellite_that_is_not_there_is_named_with_its_address(key, fence):
    with pytest.raises(TransportError, match=r"satellite n1 at 127.0.0.1:1 cannot be reached") as refused:
        Channel("n1", "127.0.0.1", 1, key=key, fence=fence).connect()
    assert "systemctl status orlop-satellite" in refused.value.correction


def test_plain_beyond_loopback_is_refused_on_both_sides(agent, identity, key, fence):
    with pytest.raises(TransportError, match="does not listen on 192.0.2.1 without TLS"):
        serve(agent, "192.0.2.1", 0, identity)
    with pytest.raises(TransportError, match="does not listen on 0.0.0.0 without TLS"):
        serve(agent, "0.0.0.0", 0, identity)
    with pytest.raises(TransportError, match="not contacted without TLS"):
        Channel("n1", "192.0.2.1", 3366, key=key, fence=fence)


def test_a_port_that_is_taken_is_an_error_with_a_remedy(server, agent, identity):
    with pytest.raises(TransportError, match="cannot listen on 127.0.0.1 port") as refused:
        serve(agent, "127.0.0.1", server.port, identity).start()
    assert "another port" in refused.value.correction


def test_keys_show_in_no_repr_and_no_log(channel, key, identity, sync, caplog):
    caplog.set_level(logging.DEBUG)
    channel.connect()
    channel.sync(sync)
    shown = " ".join(map(repr, (key, identity, channel, channel._session))) + caplog.text
    assert key.reveal().hex() not in shown
    assert repr(key.reveal()) not in shown
    assert repr(key) == "ClusterKey(hidden)"


class Controller:
    """Speaks the protocol by hand, so that it can break its rules."""

    def __init__(self, server, key, fence):
        self.server = server
        hello = Hello(version=1, fence=fence, node="n1.example", challenge="ab" * 32)
        welcome = msgspec.json.decode(post(server, "hello", encode(hello)).data, type=Welcome)
        said = transcript(hello, welcome.session, welcome.challenge)
        self.session, self.keys = welcome.session, SessionKeys(key, said)
        opening = Opening(session=welcome.session, proof=controller_proof(key, said))
        assert post(server, "session", encode(opening)).status == 200

    def headers(self, counter, path, body):
        return {
            "X-Orlop-Session": self.session,
            "X-Orlop-Counter": str(counter),
            "X-Orlop-Signature": self.keys.sign_request(self.session, counter, "POST", f"/orlop/1/{path}", body),
        }


@pytest.fixture
def by_hand(server, key, fence):
    return Controller(server, key, fence)


def post(server, path, body, headers=None):
    return urllib3.request(
        "POST", f"http://127.0.0.1:{server.port}/orlop/1/{path}", body=body, headers=headers or {}, retries=False
    )


def test_a_replayed_order_is_not_carried_out_twice(server, by_hand, agent, sync, caplog):
    body = encode(sync)
    headers = by_hand.headers(1, "sync", body)
    assert post(server, "sync", body, headers).status == 200
    again = post(server, "sync", body, headers)
    assert (again.status, again.json()["kind"]) == (401, "unauthenticated")
    assert "received before" in caplog.text
    assert agent.orders == [sync]


@pytest.mark.parametrize(
    "change",
    [
        lambda path, body, headers: (path, body + b" ", headers),
        lambda path, body, headers: ("update", body, headers),
        lambda path, body, headers: (path + "?x=1", body, headers),
        lambda path, body, headers: (path, body, headers | {"X-Orlop-Counter": "2"}),
        lambda path, body, headers: (path, body, headers | {"X-Orlop-Counter": "x"}),
        lambda path, body, headers: (path, body, headers | {"X-Orlop-Signature": ""}),
        lambda path, body, headers: (path, body, headers | {"X-Orlop-Signature": "é"}),
    ],
    ids=["body", "path", "query", "counter", "no number", "no signature", "odd signature"],
)
def test_a_tampered_order_is_refused(server, by_hand, agent, sync, change):
    body = encode(sync)
    path, body, headers = change("sync", body, by_hand.headers(1, "sync", body))
    assert post(server, path, body, headers).json()["kind"] == "unauthenticated"
    assert agent.orders == []


def test_a_message_cut_off_is_refused(server, by_hand, agent, sync):
    body = encode(sync)
    lines = [f"{name}: {value}" for name, value in by_hand.headers(1, "sync", body).items()]
    head = ["POST /orlop/1/sync HTTP/1.1", "Host: n1", f"Content-Length: {len(body)}", *lines, "", ""]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall("\r\n".join(head).encode() + body[:-5])
        raw.shutdown(socket.SHUT_WR)
        answer = raw.recv(65536)
    assert b" 400 " in answer.splitlines()[0]
    assert agent.orders == []


def test_a_signed_message_that_makes_no_sense_is_refused_with_a_signature(server, by_hand):
    answer = post(server, "sync", b'{"fence": 5}', by_hand.headers(1, "sync", b'{"fence": 5}'))
    assert (answer.status, answer.json()["kind"]) == (400, "bad_message")
    assert answer.headers["X-Orlop-Signature"] == by_hand.keys.sign_answer(by_hand.session, 1, 400, answer.data)


@pytest.mark.parametrize("query", ["", "?after=x&wait=1", "?after=1&wait=nan", "?after=1&wait=inf", "?after=-1&wait=1"])
def test_a_poll_with_odd_numbers_is_refused(server, by_hand, query):
    path = f"/orlop/1/reports{query}"
    signature = by_hand.keys.sign_request(by_hand.session, 1, "GET", path, b"")
    headers = by_hand.headers(1, "reports", b"") | {"X-Orlop-Signature": signature}
    answer = urllib3.request("GET", f"http://127.0.0.1:{server.port}{path}", headers=headers, retries=False)
    assert (answer.status, answer.json()["kind"]) == (400, "bad_message")


def test_an_answer_without_signature_is_not_believed(key, fence):
    """Somebody else on the satellite's port claims that a newer controller is in force."""

    def liar(environ, start_response):
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        body = encode(Problem(kind="fenced", message="obey me", term=99, nonce="x"))
        start_response("409 Conflict", [("Content-Length", str(len(body)))])
        return [body]

    listener = Listener(liar, ("127.0.0.1", 0), None, LOAD, "127.0.0.1")
    listener.start()
    channel = Channel("n1", "127.0.0.1", listener.port, key=key, fence=fence)
    with pytest.raises(Unauthenticated, match="obey me"):
        channel.connect()
    channel.close()
    listener.stop()


def test_unknown_fields_are_ignored(server, by_hand, agent, sync):
    body = encode(msgspec.to_builtins(sync) | {"invented_later": {"x": 1}})
    assert post(server, "sync", body, by_hand.headers(1, "sync", body)).status == 200
    assert agent.orders == [sync]


def test_a_newer_version_is_answered_with_a_sentence(server, fence):
    hello = Hello(version=2, fence=fence, node="n1.example", challenge="ab" * 32)
    answer = post(server, "hello", encode(hello))
    assert answer.status == 400
    assert "up to version 1, the controller sent 2" in answer.json()["message"]
    later = urllib3.request("POST", f"http://127.0.0.1:{server.port}/orlop/2/sync", body=b"", retries=False)
    assert (later.status, later.json()["kind"]) == (404, "bad_message")


def test_a_greeting_of_great_length_is_refused_unread(server):
    answer = post(server, "hello", b"x" * 9000)
    assert "too long" in answer.json()["message"]


def test_a_stranger_cannot_write_lines_into_the_log(server, fence, caplog):
    hello = Hello(version=1, fence=msgspec.structs.replace(fence, cluster="x\nforged"), node="n", challenge="ab" * 32)
    post(server, "hello", encode(hello))
    assert "x?forged" in caplog.text
