"""`node rebalance`, `node maintenance`, `resource-group balance`, `job cancel`, and how plans are shown."""

import pytest

PLAN = {
    "moves": [
        {
            "resource_name": "db",
            "kind": "rebalance",
            "source": "alpha",
            "target": "delta",
            "storage_pool": "ssd",
            "size_kib": 2097152,
        }
    ],
    "staying": [
        {"resource_name": "web", "node_name": "alpha", "cause": "It is the only copy.", "correction": "Copy it."}
    ],
    "spreads": [
        {
            "storage_pool": "ssd",
            "provider_kind": "LVM",
            "pools": 4,
            "emptiest": 0.0,
            "mean": 20.0,
            "fullest": 31.5,
            "emptiest_then": 15.0,
            "fullest_then": 24.5,
        }
    ],
    "size_kib": 2097152,
}

REQUESTS = [
    ("node maintenance on a b", [f'PUT /v1/orlop/nodes/{n}/maintenance {{"enabled":true}}' for n in "ab"]),
    ("n maintenance off a", ['PUT /v1/orlop/nodes/a/maintenance {"enabled":false}']),
    ("node rebalance", ["POST /v1/orlop/rebalance {}"]),
    (
        "node rebalance --threshold 2.5 --concurrent 3 -s ssd hdd",
        ['POST /v1/orlop/rebalance {"storage_pools":["ssd","hdd"],"threshold":2.5,"concurrent":3}'],
    ),
    ("node rebalance --dry-run --threshold 2 -s ssd", ["GET /v1/orlop/rebalance?storage_pools=ssd&threshold=2"]),
    ("node rebalance --cancel", ["DELETE /v1/orlop/rebalance"]),
    ("node evacuate a --target b --dry-run", ["GET /v1/orlop/nodes/a/evacuation?target=b"]),
    ("resource-group balance", ["POST /v1/orlop/balance {}"]),
    ("rg balance fast", ['POST /v1/orlop/balance {"resource_group":"fast"}']),
    ("rg balance fast --dry-run", ["GET /v1/orlop/balance?resource_group=fast"]),
    ("job cancel one two", ["DELETE /v1/orlop/jobs/one", "DELETE /v1/orlop/jobs/two"]),
]


@pytest.mark.parametrize(("line", "requests"), REQUESTS)
def test_a_command_makes_its_requests(orlop, line, requests):
    for path in ("rebalance$", "evacuation$", "balance$"):
        if requests[0].startswith("GET"):
            orlop.answers[path] = (200, {})
    done = orlop(line)
    assert done.code == 0, done.err
    assert done.requests == requests


def test_a_plan_is_shown_with_what_it_leaves_and_why(orlop):
    orlop.answers["rebalance$"] = (200, PLAN)
    done = orlop("node rebalance --dry-run")
    for words in ("db", "alpha", "delta", "2 GiB", "1 moves, 2 GiB to copy.", "0.0 - 31.5 %", "15.0 - 24.5 %"):
        assert words in done.out
    assert "web on node alpha stays as it is: It is the only copy.\n  Copy it." in done.out
    assert orlop("--machine-readable node rebalance --dry-run").json[0] == PLAN


def test_a_plan_without_moves_says_so(orlop):
    orlop.answers["evacuation$"] = (200, {})
    assert orlop("node evacuate a --dry-run").out == "Nothing would move.\n"


def test_maintenance_is_a_state_of_a_node(orlop):
    node = {"name": "a", "type": "SATELLITE", "connection_status": "ONLINE", "flags": ["MAINTENANCE"]}
    orlop.answers["/v1/nodes$"] = (200, [node])
    assert "Online (MAINTENANCE)" in orlop("node list").out


def test_jobs_show_where_replicas_go(orlop):
    job = {"uuid": "u", "kind": "evacuate", "resource_name": "db", "state": "filling", "source": "a", "target": "b"}
    orlop.answers["jobs$"] = (200, [job])
    shown = orlop("job list").out.replace("|", " ").split()
    assert shown[shown.index("db") : shown.index("db") + 4] == ["db", "a", "b", "filling"]
