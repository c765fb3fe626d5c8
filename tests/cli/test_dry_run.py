"""A dry run asks what would be done, by one place for all commands."""

import json

import pytest

PLAN = {
    "changes": [
        {"kind": "resource", "name": "web/alpha", "change": "modify", "fields": [{"name": "flags", "after": "DELETE"}]}
    ],
    "nodes": [
        {
            "node_name": "alpha",
            "connected": True,
            "objects": [
                {"name": "web", "commands": ["lvremove vg0/web_00000"], "later": ["tidy up"], "problems": ["?"]}
            ],
        },
        {"node_name": "bravo", "connected": False, "problem": "it is off", "objects": [{"name": "web"}]},
    ],
    "messages": ["a warning"],
}
SHOWN = """\
Dry run: nothing was changed. This would be done:
  modify resource web/alpha
      flags: (nothing) -> DELETE
On node alpha:
  web
      $ lvremove vg0/web_00000
      then tidy up
      in the way: ?
Node bravo is not connected (it is off); it is told when it is back: web
Note: a warning
"""
ASKED = {"method": "DELETE", "path": "/v1/resource-definitions/web/resources/alpha", "body": None}


@pytest.fixture
def planned(orlop):
    orlop.answers["/v1/orlop/plan$"] = (200, PLAN)
    return orlop


@pytest.mark.parametrize(
    "line",
    ["--dry-run resource delete alpha web", "resource delete alpha web --dry-run", "r d --dry-run alpha web"],
)
def test_the_request_is_asked_about_and_not_sent(planned, line):
    done = planned(line)
    assert done.code == 0
    [request] = done.requests
    assert request.startswith("POST /v1/orlop/plan ")
    assert json.loads(request.removeprefix("POST /v1/orlop/plan ")) == ASKED
    assert done.out == SHOWN


def test_every_request_of_a_command_is_asked_about(planned):
    done = planned("resource-definition delete one two --dry-run")
    assert [r.split(" ")[1] for r in done.requests] == ["/v1/orlop/plan"] * 2


def test_programs_get_the_plan_itself(planned):
    done = planned("-m resource delete alpha web --dry-run")
    assert done.json["nodes"][1]["problem"] == "it is off"


def test_what_only_reads_is_sent(planned):
    assert planned("node list --dry-run").requests == ["GET /v1/nodes"]


def test_a_controller_that_knows_no_plans_does_nothing(orlop):
    entry = [{"ret_code": -(1 << 62), "message": "Path '/v1/orlop/plan' not found on server."}]
    orlop.answers["/v1/orlop/plan$"] = (404, entry)
    done = orlop("node delete alpha --dry-run")
    assert done.code == 10
    assert "not found on server" in done.out
    assert [r.split(" ")[1] for r in done.requests] == ["/v1/orlop/plan"]


def test_a_word_after_two_hyphens_is_a_word(planned):
    done = planned("resource-definition delete -- --dry-run")
    assert done.requests == ["DELETE /v1/resource-definitions/--dry-run"]
