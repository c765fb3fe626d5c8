"""A node joins a cluster, and afterwards serves it over TLS. Everything over real sockets on loopback."""

import logging
import socket
import stat
import threading
from contextlib import closing

import pytest
import urllib3

from orlop.controller.cluster_key import ClusterKeys
from orlop.controller.enrolment import Enrolment
from orlop.errors import Refused, TransportError, Unauthenticated
from orlop.satellite.join import already_joined, join
from orlop.transport import identity
from orlop.transport.certificates import draw_key, key_pem, request_pem
from orlop.transport.channel import Channel
from orlop.transport.identity import ClusterKey, TlsFiles
from orlop.transport.messages import JoinRequest, encode
from orlop.transport.server import serve
from orlop.transport.tls import trusting

NODE = "n1.example"


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(tmp_path, fence):
    return ClusterKeys.open(tmp_path / "controller", fence.cluster)


@pytest.fixture
def enrolment(keys, tmp_path, clock):
    running = Enrolment(keys, tmp_path / "controller", port=0, clock=clock, monotonic=clock)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def state(tmp_path):
    return tmp_path / "satellite"


def joining(enrolment, keys, state, **other):
    right = {
        "controller": f"https://127.0.0.1:{enrolment.port}",
        "ca_fingerprint": keys.fingerprint,
        "node": NODE,
        "state_directory": state,
    }
    arguments = right | other
    if "token" not in arguments:
        arguments["token"] = enrolment.join_command(arguments["node"]).token
    return join(**arguments)


def test_a_node_joins_and_then_serves_over_tls(enrolment, keys, state, agent, fence):
    joined = joining(enrolment, keys, state)
    assert (joined.cluster, joined.name) == (fence.cluster, NODE)
    server = serve(agent, "127.0.0.1", 0, joined, tls=joined.tls)
    server.start()
    with closing(over_tls(server, keys, fence)) as channel:
        assert channel.connect().name == NODE
        assert channel.physical_storage()
    server.stop()


def over_tls(server, keys, fence, **other):
    right = {"node": NODE, "address": "127.0.0.1", "port": server.port}
    right |= {"key": keys.identity.key, "fence": fence, "tls": keys.tls}
    return Channel(**(right | other))


def test_what_the_command_says_is_what_join_needs_and_the_token_is_no_argument(enrolment, keys, clock):
    offer = enrolment.join_command(NODE)
    assert offer.command == (
        f"orlop-satellite join --controller https://127.0.0.1:{enrolment.port} "
        f"--ca-fingerprint {keys.fingerprint} --node {NODE}"
    )
    assert offer.token not in repr(offer)
    assert offer.expires_at == int((clock.now + 3600) * 1000)


def test_a_wrong_fingerprint_keeps_the_token_at_home(enrolment, keys, state, caplog):
    offer = enrolment.join_command(NODE)
    with pytest.raises(Unauthenticated, match="not the controller that was expected"):
        joining(enrolment, keys, state, ca_fingerprint="sha256:" + "00" * 32, token=offer.token)
    assert "not the controller that was expected" in caplog.text
    assert identity.load(state) is None
    joining(enrolment, keys, state, token=offer.token)  # it was not used up


def test_a_node_that_poses_as_the_controller_gets_no_token(enrolment, keys, state, agent):
    """A node's certificate is of the right authority, but it is not the enrolment port's."""
    from orlop.listener import Listener
    from orlop.transport.server import LOAD
    from orlop.transport.tls import server_context

    joined = joining(enrolment, keys, state)
    asked = []

    def impostor(environ, start_response):
        asked.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Length", str(len(keys.authority)))])
        return [keys.authority]

    listener = Listener(impostor, ("127.0.0.1", 0), server_context(joined.tls, ask_client=False), LOAD, "127.0.0.1")
    listener.start()
    with pytest.raises(Unauthenticated, match="did not prove itself"):
        join(f"https://127.0.0.1:{listener.port}", keys.fingerprint, "n2", "token", state.parent / "second")
    listener.stop()
    assert asked == ["/v1/orlop/authority"]


def test_a_token_serves_once(enrolment, keys, state, caplog):
    offer = enrolment.join_command(NODE)
    joining(enrolment, keys, state, token=offer.token)
    with pytest.raises(Unauthenticated, match="was used before"):
        joining(enrolment, keys, state.parent / "second", token=offer.token)
    assert caplog.text.count("was used before") == 2  # in the log of each side
    assert identity.load(state.parent / "second") is None


def test_a_token_serves_an_hour(enrolment, keys, state, clock):
    offer = enrolment.join_command(NODE)
    clock.now += 3600
    with pytest.raises(Unauthenticated, match="has expired"):
        joining(enrolment, keys, state, token=offer.token)


def test_a_token_serves_its_node_only(enrolment, keys, state):
    offer = enrolment.join_command("n2")
    with pytest.raises(Unauthenticated, match="is for node n2, not for n1.example"):
        joining(enrolment, keys, state, token=offer.token)


def test_an_invented_token_is_refused_and_many_of_them_have_to_wait(enrolment, keys, state, clock):
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="is not known here"):
            joining(enrolment, keys, state, token="invented")
    with pytest.raises(Unauthenticated, match="has to wait a minute"):
        joining(enrolment, keys, state)
    clock.now += 61
    joining(enrolment, keys, state)


def test_tokens_outlive_a_restart_of_the_controller_and_only_their_hashes_are_kept(keys, tmp_path, state, clock):
    first = Enrolment(keys, tmp_path / "controller", port=0, clock=clock)
    token = first.join_command(NODE).token
    assert token not in (tmp_path / "controller" / "join-tokens.json").read_text()
    second = Enrolment(keys, tmp_path / "controller", port=0, clock=clock)
    second.start()
    joining(second, keys, state, token=token)
    second.stop()


def test_joining_again_is_noticed_and_another_cluster_is_refused(enrolment, keys, state, fence):
    joined = joining(enrolment, keys, state)
    found = already_joined(keys.fingerprint, NODE, state)
    assert found is not None
    assert found.key.reveal() == joined.key.reveal()
    assert already_joined("sha256:" + "00" * 32, NODE, state) is None
    with pytest.raises(Refused, match=f"belongs to cluster {fence.cluster}") as refused:
        joining(enrolment, keys, state)
    assert f"--leave-cluster {fence.cluster}" in refused.value.correction
    with pytest.raises(Refused):
        joining(enrolment, keys, state, leave="another cluster")
    again = joining(enrolment, keys, state, leave=fence.cluster)
    assert again.cluster == fence.cluster
    assert [path.name for path in state.iterdir()] == ["identity"]


def test_whom_a_node_obeys_is_forgotten_with_its_cluster_and_not_before(enrolment, keys, state, fence, tmp_path):
    joining(enrolment, keys, state)
    (state / "fence.json").write_text("term 7")
    joining(enrolment, keys, state, leave=fence.cluster)
    assert (state / "fence.json").exists()
    other_keys = ClusterKeys.open(tmp_path / "other", "other")
    other = Enrolment(other_keys, tmp_path / "other", port=0)
    other.start()
    assert joining(other, other_keys, state, leave=fence.cluster).cluster == "other"
    other.stop()
    assert not (state / "fence.json").exists()


def test_leaving_what_was_never_joined_is_refused(enrolment, keys, state):
    with pytest.raises(Refused, match="no cluster that it could leave"):
        joining(enrolment, keys, state, leave="x")


@pytest.mark.parametrize("url", ["http://127.0.0.1:3371", "127.0.0.1:3371", "https://", "https://h:x", "https://h/p"])
def test_only_https_addresses_are_taken(url, state):
    with pytest.raises(Refused, match="is not the address of a controller"):
        join(url, "sha256:00", NODE, "token", state)


def test_a_failed_join_leaves_nothing_behind(enrolment, keys, state):
    with pytest.raises(Unauthenticated):
        joining(enrolment, keys, state, token="invented")
    assert not state.exists()


def test_all_files_with_secrets_are_for_their_owner_only(enrolment, keys, state, tmp_path):
    joining(enrolment, keys, state)
    for directory in (tmp_path / "controller", state):
        for path in directory.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_key_that_others_can_read_is_refused(enrolment, keys, state):
    joining(enrolment, keys, state)
    for name in ("cluster.key", "private-key.pem"):
        path = state / "identity" / name
        path.chmod(0o640)
        with pytest.raises(TransportError, match="can be read by others"):
            identity.load(state)
        path.chmod(0o600)
    assert identity.load(state)


def test_secrets_show_in_no_repr_and_no_log(enrolment, keys, state, caplog):
    caplog.set_level(logging.DEBUG)
    offer = enrolment.join_command(NODE)
    joined = joining(enrolment, keys, state, token=offer.token)
    request = JoinRequest(token=offer.token, node=NODE, csr="")
    shown = " ".join(map(repr, (keys, joined, keys.identity, offer, request, enrolment))) + caplog.text
    assert offer.token not in shown
    assert joined.key.reveal().hex() not in shown
    assert "PRIVATE KEY" not in shown


def test_the_keys_of_a_cluster_are_made_once(keys, tmp_path, fence):
    again = ClusterKeys.open(tmp_path / "controller", fence.cluster)
    assert again.fingerprint == keys.fingerprint
    assert again.identity.key.reveal() == keys.identity.key.reveal()
    with pytest.raises(TransportError, match="the database is cluster other"):
        ClusterKeys.open(tmp_path / "controller", "other")


def test_a_request_that_makes_no_sense_is_refused(enrolment, keys):
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1", enrolment.port, ssl_context=trusting(keys.authority.decode()), assert_hostname="_enrolment.orlop",
        server_hostname="_enrolment.orlop",
    ) as pool:  # fmt: skip
        token = enrolment.join_command(NODE).token
        bodies = [b"{", b"[]", encode(JoinRequest(token=token, node=NODE, csr="none")), b"x" * 70000]
        assert [pool.request("POST", "/v1/orlop/join", body=body).status for body in bodies] == [400] * 4
        assert pool.request("GET", "/v1/orlop/join").status == 404


# -- TLS between controller and satellite ---------------------------------------------------------


@pytest.fixture
def secured(enrolment, keys, state, agent):
    joined = joining(enrolment, keys, state)
    server = serve(agent, "127.0.0.1", 0, joined, tls=joined.tls)
    server.start()
    yield server
    server.stop()


def test_a_satellite_of_another_authority_is_not_talked_to(secured, fence, tmp_path, keys, agent, caplog):
    other = ClusterKeys.open(tmp_path / "other", fence.cluster)
    wrong = over_tls(secured, other, fence, key=keys.identity.key)
    with closing(wrong) as channel, pytest.raises(Unauthenticated, match="certificate"):
        channel.connect()
    secured.stop()  # it has written all it has to say about the connection
    assert agent.fence is None
    assert {record.name for record in caplog.records} >= {"orlop.transport.channel", "orlop.listener"}


def test_a_controller_of_another_authority_is_refused(secured, fence, tmp_path, keys, agent):
    other = ClusterKeys.open(tmp_path / "other", fence.cluster)
    mixed = TlsFiles(certificate=other.tls.certificate, private_key=other.tls.private_key, authority=keys.tls.authority)
    with closing(over_tls(secured, keys, fence, tls=mixed)) as channel, pytest.raises(TransportError):
        channel.connect()
    assert agent.fence is None


def test_a_node_cannot_give_orders_to_another_although_it_holds_the_cluster_key(
    secured, enrolment, keys, state, fence, agent
):
    second = joining(enrolment, keys, state.parent / "second", node="n2")
    with closing(over_tls(secured, keys, fence, tls=second.tls)) as channel, pytest.raises(TransportError):
        channel.connect()
    assert agent.fence is None


def test_a_node_cannot_pose_as_another(enrolment, keys, state, fence, agent):
    second = joining(enrolment, keys, state, node="n2")
    server = serve(agent, "127.0.0.1", 0, second, tls=second.tls)
    server.start()
    with closing(over_tls(server, keys, fence)) as channel, pytest.raises(Unauthenticated, match="over TLS"):
        channel.connect()
    server.stop()


def test_who_closes_without_a_word_has_not_failed_to_prove_himself(keys, fence):
    """As a port that is forwarded to a machine that still boots."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def close_each():
            with listening.accept()[0] as connection:
                connection.recv(4096)

        threading.Thread(target=close_each, daemon=True).start()
        channel = Channel(
            node=NODE, address="127.0.0.1", port=listening.getsockname()[1], key=keys.identity.key, fence=fence,
            tls=keys.tls,
        )  # fmt: skip
        with closing(channel), pytest.raises(TransportError, match="closed the connection") as refused:
            channel.connect()
        assert not isinstance(refused.value, Unauthenticated)


def test_a_client_without_certificate_is_refused(secured, keys, caplog):
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1", secured.port, ssl_context=trusting(keys.authority.decode()), server_hostname=NODE,
        assert_hostname=NODE, retries=False,
    ) as pool, pytest.raises(urllib3.exceptions.HTTPError):  # fmt: skip
        pool.request("GET", "/orlop/1/info")
    secured.stop()
    assert "no proof by TLS" in caplog.text


def test_plain_talk_to_a_tls_port_is_refused(secured, keys, fence, agent):
    with closing(over_tls(secured, keys, fence, tls=None)) as channel, pytest.raises(TransportError):
        channel.connect()
    assert agent.fence is None


def test_the_right_certificate_without_the_cluster_key_is_refused(secured, keys, fence, agent):
    wrong = over_tls(secured, keys, fence, key=ClusterKey.draw())
    with closing(wrong) as channel, pytest.raises(Unauthenticated, match="did not prove"):
        channel.connect()
    assert agent.fence is None


def test_a_silent_peer_does_not_hold_up_others(secured, keys, fence):
    with socket.create_connection(("127.0.0.1", secured.port)), closing(over_tls(secured, keys, fence)) as channel:
        done = threading.Event()
        threading.Thread(target=lambda: (channel.connect(), done.set()), daemon=True).start()
        assert done.wait(5)


def test_a_certificate_for_another_key_is_not_accepted(keys):
    from orlop.transport.certificates import check_issued

    mine, other = draw_key(), draw_key()
    certificate = keys.issue_for_node(request_pem(other, NODE).decode(), NODE)
    check_issued(certificate, keys.authority, other)
    with pytest.raises(Unauthenticated, match="for another key"):
        check_issued(certificate, keys.authority, mine)
    with pytest.raises(Unauthenticated, match="not of the cluster's authority"):
        check_issued(key_pem(mine), keys.authority, mine)


def test_a_cluster_with_nodes_gets_no_new_keys(tmp_path):
    with pytest.raises(TransportError, match="are not in"):
        ClusterKeys.open(tmp_path / "controller", "cluster", may_make=False)
    assert not (tmp_path / "controller").exists()
    made = ClusterKeys.open(tmp_path / "controller", "cluster")
    assert ClusterKeys.open(tmp_path / "controller", "cluster", may_make=False).fingerprint == made.fingerprint
