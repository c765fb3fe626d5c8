"""The parts of the proof, without sockets."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orlop.errors import TransportError, Unauthenticated
from orlop.transport import private_files
from orlop.transport.identity import ClusterKey
from orlop.transport.messages import Hello, Opening
from orlop.transport.proof import Counters, SessionKeys, controller_proof, pack, satellite_proof, transcript
from orlop.transport.sessions import PENDING, PENDING_SECONDS, Sessions


@given(st.lists(st.integers(-5, 200)))
def test_no_number_is_ever_accepted_twice_and_recent_new_ones_always_are(numbers):
    counters, accepted = Counters(), set()
    for number in numbers:
        new = number > 0 and number not in accepted and number > max(accepted, default=0) - 64
        assert counters.accept(number) == new
        accepted |= {number} if new else set()


def test_a_very_large_number_costs_nothing():
    counters = Counters()
    assert counters.accept(10**17)
    assert not counters.accept(10**17)
    assert not counters.accept(5)


@given(st.lists(st.text()), st.lists(st.text()))
def test_different_fields_never_pack_alike(left, right):
    assert (pack(*left) == pack(*right)) == (left == right)


@pytest.fixture
def hello(fence):
    return Hello(version=1, fence=fence, node="n1.example", challenge="ab" * 32)


@pytest.mark.parametrize("name", ["node", "challenge", "version"])
def test_the_proof_covers_everything_that_was_said(hello, key, name):
    other = msgspec.structs.replace(hello, **{name: 2 if name == "version" else "other"})
    assert controller_proof(key, transcript(hello, "s", "c")) != controller_proof(key, transcript(other, "s", "c"))


@pytest.mark.parametrize("change", [{"term": 8}, {"nonce": "x"}, {"cluster": "x"}, {"sequence": 5}])
def test_the_proof_covers_the_whole_fence(hello, key, change):
    other = msgspec.structs.replace(hello, fence=msgspec.structs.replace(hello.fence, **change))
    assert controller_proof(key, transcript(hello, "s", "c")) != controller_proof(key, transcript(other, "s", "c"))


def test_the_two_sides_prove_different_things(key):
    assert satellite_proof(key, b"said") != controller_proof(key, b"said")


REQUEST = ("session", 1, "GET", "/path", b"body")
ANSWER = ("session", 1, 200, b"body")


@pytest.mark.parametrize("field", range(5))
def test_a_signature_covers_every_part_of_a_request(key, field):
    keys = SessionKeys(key, b"said")
    other = list(REQUEST)
    other[field] = {0: "other", 1: 2, 2: "POST", 3: "/other", 4: b"other"}[field]
    assert keys.sign_request(*other) != keys.sign_request(*REQUEST)


@pytest.mark.parametrize("field", range(4))
def test_a_signature_covers_every_part_of_an_answer(key, field):
    keys = SessionKeys(key, b"said")
    other = list(ANSWER)
    other[field] = {0: "other", 1: 2, 2: 409, 3: b"other"}[field]
    assert keys.sign_answer(*other) != keys.sign_answer(*ANSWER)


def test_other_words_give_other_session_keys(key):
    assert SessionKeys(key, b"said").sign_request(*REQUEST) != SessionKeys(key, b"meant").sign_request(*REQUEST)


def opening(hello, welcome, key):
    said = transcript(hello, welcome.session, welcome.challenge)
    return Opening(session=welcome.session, proof=controller_proof(key, said))


def test_a_proof_that_comes_too_late_is_refused(identity, hello, key):
    now = [0.0]
    sessions = Sessions(identity, clock=lambda: now[0])
    in_time, too_late = sessions.greet(hello), sessions.greet(hello)
    now[0] = PENDING_SECONDS
    assert sessions.prove(opening(hello, in_time, key)).fence == hello.fence
    now[0] += 0.1
    with pytest.raises(Unauthenticated, match="too late"):
        sessions.prove(opening(hello, too_late, key))


def test_greetings_that_are_never_followed_up_take_no_more_than_their_place(identity, hello, key):
    sessions = Sessions(identity)
    first, *_, last = [sessions.greet(hello) for _ in range(PENDING + 1)]
    with pytest.raises(Unauthenticated):
        sessions.prove(opening(hello, first, key))
    sessions.prove(opening(hello, last, key))


@pytest.mark.parametrize("text", ["", "00" * 31, "zz" * 32])
def test_a_damaged_key_is_refused_without_being_shown(text):
    with pytest.raises(TransportError) as refused:
        ClusterKey.from_hex(text)
    assert not text or text not in str(refused.value)


def test_a_private_file_replaces_nothing_and_follows_no_link(tmp_path):
    (tmp_path / "there").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            private_files.write(tmp_path / name, b"new")
    with pytest.raises(OSError, match="link"):
        private_files.read(tmp_path / "link")
    assert (tmp_path / "there").read_text() == "kept"


def test_a_directory_of_secrets_is_made_whole_or_not_at_all(tmp_path):
    with pytest.raises(OSError, match="x/y"):
        private_files.make_directory(tmp_path / "identity", {"one": b"1", "x/y": b"2"})
    assert list(tmp_path.iterdir()) == []
