"""Operations on replicated resources, and how split brains are shown."""

import pytest

SIDES = [
    {
        "node_name": "alpha",
        "connection": "StandAlone",
        "role": "Primary",
        "in_use": True,
        "disk_state": "UpToDate",
        "generations": ["AAAA", "CCCC"],
        "out_of_sync_kib": 2048,
        "written_kib": 4096,
    },
    {"node_name": "bravo", "connection": "StandAlone", "generations": ["BBBB", "CCCC"], "out_of_sync_kib": 12},
]
SPLIT = {
    "resource_name": "db",
    "node_a": "alpha",
    "node_b": "bravo",
    "certain": True,
    "since": 1_800_000_000_000,
    "volumes": [{"volume_number": 0, "sides": SIDES}],
}


def replica(node: str, peer: str, message: str = "StandAlone") -> dict[str, object]:
    connections = {peer: {"connected": message == "Connected", "message": message}}
    return {
        "name": "db",
        "node_name": node,
        "layer_object": {"type": "DRBD", "drbd": {"connections": connections}},
        "state": {"in_use": False},
    }


@pytest.mark.parametrize("verb", ["verify", "invalidate", "connect", "disconnect", "pause-sync", "resume-sync"])
def test_an_operation_goes_to_one_node_and_maybe_one_peer(orlop, verb):
    where = f"POST /v1/orlop/resource-definitions/db/resources/alpha/{verb}"
    assert orlop(f"resource {verb} alpha db").requests == [f"{where} {{}}"]
    assert orlop(f"r {verb} alpha db --peer bravo").requests == [f'{where} {{"peer":"bravo"}}']


@pytest.mark.parametrize("role", ["primary", "secondary"])
def test_a_role_is_changed_on_one_node(orlop, role):
    assert orlop(f"resource {role} alpha db").requests == [
        f"POST /v1/orlop/resource-definitions/db/resources/alpha/{role} {{}}"
    ]


def test_the_victim_has_to_be_named(orlop):
    done = orlop("resource resolve-split-brain db")
    assert done.code != 0
    assert not done.requests
    assert "--victim" in done.err
    assert orlop("resource resolve-split-brain db --victim bravo --snapshot kept").requests == [
        'POST /v1/orlop/resource-definitions/db/resolve-split-brain {"victim":"bravo","snapshot":"kept"}'
    ]


def test_a_split_brain_is_explained_with_both_sides_and_what_can_be_done(orlop):
    orlop.answers["split-brains"] = (200, [SPLIT])
    told = orlop("resource split-brain db").out
    for word in (
        "AAAA CCCC",
        "BBBB CCCC",
        "2 MiB",
        "12 KiB",
        "InUse",
        "Unknown",
        "both have data that the other lacks",
    ):
        assert word in told
    assert "close what uses it on alpha, then orlop resource resolve-split-brain db --victim alpha" in told
    assert "has: orlop resource resolve-split-brain db --victim bravo" in told
    assert orlop("--machine-readable resource split-brain db").json[0][0]["certain"] is True


def test_no_split_brain_is_said(orlop):
    assert orlop("resource split-brain db").out == "No connection of db was given up.\n"


def test_a_split_brain_is_shown_in_the_list_as_what_it_is(orlop):
    orlop.answers["split-brains"] = (200, [SPLIT])
    orlop.answers["view/resources"] = (200, [replica("alpha", "bravo"), replica("bravo", "alpha")])
    done = orlop("resource list")
    assert "SplitBrain(bravo)" in done.out
    assert "SplitBrain(alpha)" in done.out
    orlop.answers["split-brains"] = (200, [SPLIT | {"certain": False}])
    assert "StandAlone(bravo)" in orlop("resource list").out


def test_nobody_is_asked_for_split_brains_where_nothing_was_given_up(orlop):
    orlop.answers["view/resources"] = (200, [replica("alpha", "bravo", "Connecting")])
    assert [request.split("?")[0] for request in orlop("resource list").requests] == ["GET /v1/view/resources"]


def test_a_split_brain_is_among_what_needs_attention(orlop):
    orlop.answers["split-brains"] = (200, [SPLIT])
    orlop.answers["view/resources"] = (200, [replica("alpha", "bravo")])
    told = orlop("advise resource --filter split-brain").out
    assert "orlop resource split-brain db" in told
    assert "a split brain" in told
