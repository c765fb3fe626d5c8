"""How requests reach a controller, and what happens when they do not."""

import pytest
import requests
import responses
from urllib3.exceptions import ProtocolError

from orlop.client import (
    ApiError,
    Client,
    Credentials,
    TimedOut,
    Tls,
    UnexpectedReply,
    Unreachable,
    addresses,
)
from orlop.client.address import BadAddress
from orlop.client.wire import InsecureLogin, path, query
from orlop.codes import Fail

DONE = [{"ret_code": 1, "message": "done"}]
A, B = "http://a:3370", "http://b:3370"


@pytest.fixture
def controller():
    with responses.RequestsMock() as mock:
        yield mock


def test_the_next_controller_is_tried_when_one_cannot_be_reached(controller):
    controller.get(f"{A}/v1/nodes", body=requests.ConnectionError("refused"))
    controller.get(f"{B}/v1/nodes", json=[])
    assert Client(["a", "b"]).nodes() == []


def test_the_controller_that_answered_is_asked_first_the_next_time(controller):
    controller.get(f"{A}/v1/nodes", body=requests.ConnectionError("refused"))
    controller.get(f"{B}/v1/nodes", json=[])
    client = Client(["a,b"])
    client.nodes()
    client.nodes()
    assert [call.request.url for call in controller.calls] == [f"{A}/v1/nodes", f"{B}/v1/nodes", f"{B}/v1/nodes"]


def test_every_controller_is_named_with_its_reason_when_none_can_be_reached(controller):
    controller.get(f"{A}/v1/nodes", body=requests.ConnectionError("refused"))
    controller.get(f"{B}/v1/nodes", body=requests.ConnectTimeout("no route"))
    with pytest.raises(Unreachable) as caught:
        Client([A, B]).nodes()
    assert caught.value.problems == {A: "refused", B: "no route"}


def test_a_refusal_is_final_and_not_asked_elsewhere(controller):
    controller.get(f"{A}/v1/nodes", status=503, json=[])
    with pytest.raises(ApiError) as caught:
        Client([A, B]).nodes()
    assert caught.value.status == 503


def test_a_time_out_is_final_and_not_asked_elsewhere(controller):
    controller.delete(f"{A}/v1/nodes/x", body=requests.ReadTimeout("slow"))
    with pytest.raises(TimedOut):
        Client([A, B], timeout=7).delete_node("x")


def test_a_command_that_may_have_arrived_is_not_sent_again(controller):
    controller.delete(f"{A}/v1/nodes/x", body=requests.ConnectionError(ProtocolError("reset by peer")))
    with pytest.raises(UnexpectedReply) as caught:
        Client([A, B]).delete_node("x")
    assert "may have begun" in caught.value.details


def test_a_question_is_asked_again_even_if_it_may_have_arrived(controller):
    controller.get(f"{A}/v1/nodes", body=requests.ConnectionError(ProtocolError("reset by peer")))
    controller.get(f"{B}/v1/nodes", json=[])
    assert Client([A, B]).nodes() == []


def test_a_redirect_to_tls_is_followed_on_the_same_host_with_the_same_verb(controller):
    controller.post(f"{A}/v1/nodes", status=302, headers={"Location": "https://elsewhere:3371/v1/nodes"})
    controller.post("https://a:3371/v1/nodes", json=DONE)
    assert Client([A]).create_node("x")[0].message == "done"
    assert controller.calls[1].request.body == controller.calls[0].request.body


def test_a_login_is_not_sent_in_clear(controller):
    controller.get(f"{A}/v1/controller/version", json={})
    with pytest.raises(InsecureLogin):
        Client([A], credentials=Credentials(user="me", password="geheim")).nodes()
    assert "Authorization" not in controller.calls[0].request.headers


def test_a_login_goes_to_the_tls_port_that_the_plain_one_names(controller):
    controller.get(f"{A}/v1/controller/version", status=302, headers={"Location": "https://a:3371/"})
    controller.get("https://a:3371/v1/nodes", json=[])
    Client([A], credentials=Credentials(token="geheim")).nodes()
    assert "Authorization" not in controller.calls[0].request.headers
    assert controller.calls[1].request.headers["Authorization"] == "Bearer geheim"


def test_a_login_goes_in_clear_only_if_allowed(controller):
    controller.get(f"{A}/v1/controller/version", json={})
    controller.get(f"{A}/v1/nodes", json=[])
    Client([A], credentials=Credentials(user="me", password="geheim", insecure=True)).nodes()
    assert controller.calls[1].request.headers["Authorization"].startswith("Basic ")


def test_credentials_do_not_show_their_secrets():
    assert "geheim" not in repr(Credentials(user="me", password="geheim", token="geheim"))


def test_certificates_are_used(controller):
    controller.get("https://a:3371/v1/nodes", json=[])
    Client(["https://a"], tls=Tls(ca_file="ca.pem", cert_file="c.pem", key_file="k.pem")).nodes()
    options = controller.calls[0].request.req_kwargs
    assert (options["verify"], options["cert"]) == ("ca.pem", ("c.pem", "k.pem"))


def test_compressed_answers_are_asked_for(controller):
    controller.get(f"{A}/v1/nodes", json=[])
    Client([A]).nodes()
    assert "gzip" in controller.calls[0].request.headers["Accept-Encoding"]


def test_an_answer_that_is_no_json_is_an_error_of_its_own(controller):
    controller.get(f"{A}/v1/nodes", body="<html>")
    with pytest.raises(UnexpectedReply):
        Client([A]).nodes()


def test_an_error_page_of_something_in_between_is_reported_by_its_status(controller):
    controller.get(f"{A}/v1/nodes", status=502, body="<html>bad gateway</html>")
    with pytest.raises(ApiError) as caught:
        Client([A]).nodes()
    assert "502" in str(caught.value)


def test_an_error_carries_its_code_and_parts(controller):
    entry = {"ret_code": -(1 << 62) | 501, "message": "It is there.", "cause": "c", "correction": "d"}
    controller.post(f"{A}/v1/resource-definitions", status=500, json=[entry])
    with pytest.raises(ApiError) as caught:
        Client([A]).create_resource_definition("db")
    error = caught.value
    assert (error.message, error.cause, error.correction, error.code) == ("It is there.", "c", "d", Fail.EXISTS_RSC_DFN)
    assert error.has(Fail.EXISTS_RSC_DFN)
    assert not error.not_found


def test_an_error_entry_counts_even_with_a_good_status(controller):
    controller.put(f"{A}/v1/nodes/x/evict", json=[*DONE, {"ret_code": -(1 << 62) | 997, "message": "In use."}])
    with pytest.raises(ApiError) as caught:
        Client([A]).evict_node("x")
    assert caught.value.message == "In use."
    assert len(caught.value.entries) == 2


def test_events_are_read_one_by_one(controller):
    stream = (
        ': alive\n\nevent: may-promote-change\ndata: {"resource_name": "db",\n'
        'data:  "may_promote": true}\n\nevent: nothing\n\nevent: next\ndata: 1\n\n'
    )
    controller.get(f"{A}/v1/events/drbd/promotion", body=stream)
    events = list(Client([A]).promotion_events())
    assert [(event.name, event.data) for event in events] == [
        ("may-promote-change", {"resource_name": "db", "may_promote": True}),
        ("next", 1),
    ]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("alice", "http://alice:3370"),
        ("alice:80", "http://alice:80"),
        ("https://alice", "https://alice:3371"),
        ("linstor://alice", "http://alice:3370"),
        ("linstor+ssl://alice", "https://alice:3371"),
        ("[fd00::1]", "http://[fd00::1]:3370"),
        ("http://alice:3370/", "http://alice:3370"),
    ],
)
def test_an_address_may_be_written_in_many_ways(text, url):
    assert addresses([text]) == [url]


@pytest.mark.parametrize("text", ["ftp://alice", "alice:many", "http://"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(BadAddress):
        addresses([text])


def test_names_in_paths_are_escaped():
    assert path("files", "/etc/a b") == "/v1/files/%2Fetc%2Fa%20b"


def test_empty_parameters_are_left_out():
    assert query(nodes=[], node=None, zero=0, flag=False) == (("zero", "0"), ("flag", "false"))
