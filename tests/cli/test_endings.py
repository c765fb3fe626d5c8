"""What a command prints, and how it ends for the shell."""

import json

import pytest
import requests
import responses

from orlop.cli import exit_codes

ERROR = -4611686018427386905  # ERROR | 999
WARNING = -9223372036854775808 + 1002
REFUSED = [
    {
        "ret_code": ERROR,
        "message": "No.",
        "cause": "Too full.",
        "details": "One.\nTwo.",
        "correction": "Make room.",
        "error_report_ids": ["A-1"],
    }
]


def test_a_success_ends_with_zero_and_a_sentence(orlop):
    done = orlop("node delete alpha")
    assert done.code == 0
    assert done.out == "SUCCESS: done\n"


def test_a_refusal_is_explained_and_ends_with_ten(orlop):
    orlop.answers["/nodes"] = (500, REFUSED)
    done = orlop("node delete alpha")
    assert done.code == exit_codes.API_ERROR
    assert done.out == (
        "ERROR: No.\n    Cause: Too full.\n    Details: One.\n        Two.\n    Correction: Make room.\n"
        "    Reports: orlop error-reports show A-1\n"
    )


def test_an_error_entry_counts_even_with_a_good_status(orlop):
    orlop.answers["/nodes"] = (200, REFUSED)
    assert orlop("node delete alpha").code == exit_codes.API_ERROR


def test_a_refused_list_ends_with_ten(orlop):
    orlop.answers["/nodes"] = (500, REFUSED)
    assert orlop("node list").code == exit_codes.API_ERROR


def test_a_refusal_is_machine_readable_and_ends_with_ten(orlop):
    orlop.answers["/nodes"] = (500, REFUSED)
    done = orlop("-m node delete alpha")
    assert done.code == exit_codes.API_ERROR
    assert done.json == REFUSED


def test_a_warning_is_an_error_only_if_wished(orlop):
    orlop.answers["/nodes"] = (200, [{"ret_code": WARNING, "message": "It is away."}])
    assert orlop("node delete alpha").code == 0
    assert orlop("--warn-as-error node delete alpha").code == exit_codes.API_ERROR


def test_one_failure_does_not_keep_the_others_from_being_tried(orlop):
    orlop.answers["/nodes/a/"] = (500, REFUSED)
    done = orlop("node reconnect a b")
    assert done.code == exit_codes.API_ERROR
    assert done.requests == ["PUT /v1/nodes/a/reconnect", "PUT /v1/nodes/b/reconnect"]
    assert "SUCCESS: done" in done.out


def test_an_object_that_does_not_exist_ends_with_three(orlop):
    done = orlop("node list-properties alpha")
    assert done.code == exit_codes.NOT_FOUND
    assert "alpha does not exist" in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (requests.ConnectionError("refused"), exit_codes.UNREACHABLE),
        (requests.ReadTimeout("slow"), exit_codes.TIMED_OUT),
    ],
)
def test_no_answer_ends_with_its_own_code(orlop, error, code):
    with responses.RequestsMock() as mock:
        mock.get("http://localhost:3370/v1/nodes", body=error)
        done = orlop("node list")
    assert done.code == code
    assert done.err.startswith("ERROR: ")
    assert "Correction: " in done.err


def test_an_answer_that_cannot_be_read_ends_with_its_own_code(orlop):
    orlop.answers["/nodes"] = (200, {"not": "a list"})
    assert orlop("node list").code == exit_codes.UNEXPECTED_REPLY


def test_bad_arguments_end_with_two(orlop):
    assert orlop("node create alpha 10.0.0.1 --port many").code == exit_codes.BAD_ARGUMENTS


NODE = {
    "name": "alpha",
    "type": "SATELLITE",
    "connection_status": "ONLINE",
    "props": {"Aux/site": "a"},
    "net_interfaces": [
        {"name": "default", "address": "10.0.0.1", "satellite_port": 3366, "satellite_encryption_type": "PLAIN",
         "is_active": True}
    ],
    "a_field_of_the_future": 1,
}  # fmt: skip


def test_a_list_for_programs_is_what_the_controller_sent_in_a_list(orlop):
    orlop.answers["/nodes"] = (200, [NODE])
    assert orlop("-m node list").json == [[NODE]]


def test_the_older_form_for_programs_has_pairs_and_numbers(orlop):
    orlop.answers["/nodes"] = (200, [NODE])
    [nodes] = orlop("-m --output-version v0 node list").json
    assert nodes["nodes"][0]["props"] == [{"key": "Aux/site", "value": "a"}]
    assert nodes["nodes"][0]["connection_status"] == 2


def test_properties_for_programs_are_pairs(orlop):
    assert orlop("-m controller list-properties").json == [[{"key": "Aux/site", "value": "a"}]]


def test_a_node_is_shown_with_address_and_state(orlop):
    orlop.answers["/nodes"] = (200, [NODE])
    [_, titles, _, row, _] = orlop("node list --show-props Aux/site=Site").out.splitlines()
    assert [cell.strip() for cell in titles.strip("|").split("|")] == ["Node", "NodeType", "Addresses", "State", "Site"]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "alpha",
        "SATELLITE",
        "10.0.0.1:3366 (PLAIN)",
        "Online",
        "a",
    ]


def test_nothing_is_cut_in_a_pipe(orlop):
    orlop.answers["/nodes"] = (200, [NODE | {"name": "n" * 300}])
    assert "n" * 300 in orlop("node list").out


def test_rows_are_sorted_by_the_columns_they_are_grouped_by(orlop):
    rows = [NODE | {"name": name, "type": kind} for name, kind in (("x", "B"), ("y", "A"), ("z", "B"))]
    orlop.answers["/nodes"] = (200, rows)
    lines = orlop("node list --groupby node-type").out.splitlines()
    assert [line.split("|")[1].strip() for line in lines if line[:3] in ("| x", "| y", "| z")] == ["y", "x", "z"]


RESOURCE = {
    "name": "db",
    "node_name": "alpha",
    "flags": [],
    "state": {"in_use": True},
    "layer_object": {
        "type": "DRBD",
        "drbd": {"connections": {"bravo": {"connected": False, "message": "Connecting"}}, "tcp_ports": [7000]},
        "children": [{"type": "STORAGE"}],
    },
    "volumes": [
        {"volume_number": 0, "storage_pool_name": "ssd", "device_path": "/dev/drbd1000", "usable_size_kib": 1048576,
         "allocated_size_kib": 1048576, "state": {"disk_state": "UpToDate"},
         "layer_data_list": [{"type": "DRBD", "data": {"drbd_volume_definition": {"minor_number": 1000}}}]}
    ],
}  # fmt: skip


def test_a_resource_is_shown_with_layers_use_connections_and_state(orlop):
    orlop.answers["/view/resources"] = (200, [RESOURCE])
    row = orlop("resource list --show-drbd-ports").out.splitlines()[3]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:7] == ["db", "alpha", "7000", "DRBD,STORAGE", "InUse", "Connecting(bravo)", "UpToDate"]


def test_a_volume_is_shown_with_device_and_sizes(orlop):
    orlop.answers["/view/resources"] = (200, [RESOURCE])
    row = orlop("volume list").out.splitlines()[3]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["db", "alpha", "ssd", "0", "1000", "/dev/drbd1000", "1 GiB", "InUse", "UpToDate", ""]


def test_only_faulty_resources_are_shown_if_wished(orlop):
    good = {**RESOURCE, "name": "fine", "layer_object": {"type": "STORAGE"}}
    orlop.answers["/view/resources"] = (200, [RESOURCE, good])
    out = orlop("resource list --faulty").out
    assert "db" in out
    assert "fine" not in out


def test_a_list_can_be_shown_from_a_file(orlop):
    path = orlop.home / "nodes.json"
    path.write_text(json.dumps([NODE]))
    done = orlop(f"node list --from-file {path}")
    assert "alpha" in done.out
    assert not done.requests


def test_curl_prints_the_request_and_sends_nothing(orlop):
    done = orlop('--curl node set-property alpha Aux/text "it\'s"')
    assert done.out == (
        "curl -X PUT -H 'Content-Type: application/json' "
        """-d '{"override_props":{"Aux/text":"it'"'"'s"}}' http://localhost:3370/v1/nodes/alpha\n"""
    )
    assert not done.requests


def test_the_interactive_session_runs_commands_and_ends(orlop):
    done = orlop("", stdin="node list\nlinstor n l\nfly\nexit\nnode list\n")
    assert done.requests == ["GET /v1/nodes", "GET /v1/nodes"]
    assert "there is no command 'fly'" in done.err


def test_global_options_hold_in_the_interactive_session(orlop):
    assert "curl -X GET http://localhost:3370/v1/nodes" in orlop("--curl interactive", stdin="node list\n").out


def test_a_join_command_is_printed_with_its_token(orlop):
    done = orlop("node join-command delta")
    assert done.requests == ["POST /v1/orlop/nodes/delta/join-command"]
    assert done.out == "orlop-satellite join\ntoken: secret\n"
    assert "valid until" in done.err


def test_the_controller_that_answered_is_named_if_wished(orlop):
    assert orlop("--verbose node list").err == "answered by http://localhost:3370\n"


def test_a_bad_address_is_a_bad_argument(orlop):
    assert orlop("--controllers ftp://alice node list").code == exit_codes.BAD_ARGUMENTS


def test_an_interruption_is_one_line(orlop):
    def interrupted(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        raise KeyboardInterrupt

    with responses.RequestsMock() as mock:
        mock.add_callback("GET", "http://localhost:3370/v1/nodes", callback=interrupted)
        done = orlop("node list")
    assert done.code == exit_codes.INTERRUPTED
    assert done.err.count("\n") == 1
