"""DRBD Manage's keys: what is asked, what was known, and both kinds of answer."""

import pytest
from msgspec.structs import replace

from orlop.controller.wait.drbdmanage import Asked, answer
from orlop.errors import NotFound, Refused
from orlop.model import GIB, VolumeDefinition
from tests.controller.drbd9 import replica, replicated
from tests.controller.test_wait_known import FACTS, Scene, snapshot, taken
from tests.controller.wait_volumes import DRIVERS

NOW = 1_800_000_000.0
STARTED, OVER = str(int(NOW)), str(int(NOW) - 100)
BEHIND = {**FACTS, "disk": "Inconsistent"}


@pytest.fixture
def scene(picture):
    """Three planned copies: one up to date, one out of step, one not there yet."""
    made = Scene(picture, replicated(replica("alpha"), replica("bravo"), replica("charlie")))
    made.say("alpha")
    made.say("bravo", facts=BEHIND)
    return made


def ask(scene, plugin="WaitForResource", original=False, **keys):
    scene.draft.put(scene.definition)
    named = {"resource": "web", **keys}
    return answer(DRIVERS, scene.draft, scene.reported, Asked(plugin, named, NOW, original))


def result(yes, policy, timeout=False):
    return {"result": str(yes).lower(), "timeout": str(timeout).lower(), "policy": policy}


TIMED_OUT = {"result": "false", "timeout": "true"}
SAME = [
    ({"count": "1"}, result(True, "count")),
    ({"count": "2"}, result(True, "count")),
    ({"count": "3"}, result(False, "count")),
    ({"ratio": "0.5"}, result(True, "ratio")),
    ({"ratio": "0.66"}, result(True, "ratio")),
    ({"ratio": "0.67"}, result(False, "ratio")),
    ({"ratio": "1", "count": "2"}, result(True, "count")),
    ({"ratio": "0.5", "count": "3"}, result(True, "ratio")),
    ({"ratio": "1", "count": "3"}, result(False, "count")),
    ({"count": "3", "ratio": ""}, result(False, "count")),
    ({"count": "2", "color": "green"}, result(True, "count")),
    ({"count": "2", "starttime": OVER}, result(True, "count")),
    ({"count": "2", "timeout": "60"}, result(True, "count")),
    ({"count": "3", "starttime": STARTED, "timeout": "60"}, result(False, "count")),
]


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize(("keys", "expected"), SAME)
def test_most_answers_are_those_of_old(scene, keys, expected, original):
    assert ask(scene, original=original, **keys) == expected


BETTER = [
    # keys, as it should be, as it was
    ({"count": "2", "starttime": OVER, "timeout": "60"}, result(True, "count"), TIMED_OUT),
    ({"count": "3", "starttime": OVER, "timeout": "60"}, result(False, "count", timeout=True), TIMED_OUT),
    ({"count": "4"}, "can never be satisfied", result(False, "count")),
    ({"redundancy": "1"}, result(True, "redundancy"), "never made"),
    ({"redundancy": "2"}, result(False, "redundancy"), "never made"),
    ({"count": "2", "redundancy": "2"}, result(True, "count"), result(True, "count")),
    ({"count": "3", "redundancy": "1"}, result(True, "redundancy"), "never made"),
]


@pytest.mark.parametrize(("keys", "better", "original"), BETTER)
def test_where_the_old_answers_were_odd_there_are_better_ones(scene, keys, better, original):
    for expected, as_it_was in ((better, False), (original, True)):
        if isinstance(expected, dict):
            assert ask(scene, original=as_it_was, **keys) == expected
        else:
            with pytest.raises(Refused, match=expected):
                ask(scene, original=as_it_was, **keys)


def with_second_volume(scene, number=1):
    """Only alpha has it."""
    second = VolumeDefinition(number=number, uuid="vd1", size=GIB)
    extra = [replace(replica(r.node, f"w-{r.node}", number=number)).volumes for r in scene.definition.resources]
    scene.definition = replace(
        scene.definition,
        volume_definitions=(*scene.definition.volume_definitions, second),
        resources=tuple(
            replace(r, volumes=(*r.volumes, *more)) for r, more in zip(scene.definition.resources, extra, strict=True)
        ),
    )
    scene.say("alpha")


def test_the_volume_with_the_fewest_copies_decides_unless_one_is_named(scene):
    with_second_volume(scene)
    assert ask(scene, count="2") == ask(scene, count="2", original=True) == result(False, "count")
    assert ask(scene, count="2", volnr="0") == result(True, "count")
    assert ask(scene, count="2", volnr="0", original=True) == result(False, "count")
    assert ask(scene, count="2", volnr="1") == result(False, "count")


def test_a_gap_in_the_numbers_of_volumes_was_an_error(scene):
    with_second_volume(scene, number=2)
    assert ask(scene, count="1") == result(True, "count")
    with pytest.raises(NotFound, match="without a gap"):
        ask(scene, count="1", original=True)


@pytest.mark.parametrize("original", [False, True])
def test_a_size_is_reached_when_every_copy_has_it(scene, original):
    def asked(size):
        return ask(scene, "WaitForVolumeSize", original, volnr="0", req_size=str(size))

    assert asked(1024) == result(False, "size")
    scene.say("charlie")
    assert asked(1024) == asked(GIB // 1024) == result(True, "size")


def test_a_size_that_nobody_ordered(scene):
    too_much = str(2 * GIB // 1024)
    with pytest.raises(Refused, match="is to have"):
        ask(scene, "WaitForVolumeSize", volnr="0", req_size=too_much)
    assert ask(scene, "WaitForVolumeSize", True, volnr="0", req_size=too_much) == result(False, "size")


@pytest.mark.parametrize("original", [False, True])
def test_a_snapshot_is_waited_for(scene, original):
    def asked(**keys):
        return ask(scene, "WaitForSnapshot", original, snapshot="daily", **keys)

    scene.definition = replace(scene.definition, snapshots=(snapshot("alpha", "bravo"),))
    taken(scene, "alpha")
    taken(scene, "bravo")
    assert asked(count="1") == result(False, "count")
    scene.definition = replace(scene.definition, snapshots=(snapshot("alpha", "bravo", flags=("SUCCESSFUL",)),))
    assert asked(count="2") == result(True, "count")
    assert asked(ratio="1", count="3") == result(True, "ratio")


MISUSED = [
    ("WaitForResource", {}, Refused, "without a policy", "DM_ENOTIMPL"),
    ("WaitForResource", {"count": ""}, Refused, "without a policy", "DM_ENOTIMPL"),
    ("WaitForResource", {"resource": "", "count": "1"}, Refused, "resource", "DM_EINVAL"),
    ("WaitForResource", {"resource": "none", "count": "1"}, NotFound, "not found", "DM_ENOENT"),
    ("WaitForSnapshot", {"count": "1"}, Refused, "snapshot", "DM_EINVAL"),
    ("WaitForSnapshot", {"count": "1", "snapshot": "none"}, NotFound, "not found", "DM_ENOENT"),
    ("WaitForVolumeSize", {"volnr": "0"}, Refused, "req_size", "DM_EINVAL"),
    ("WaitForVolumeSize", {"volnr": "zero", "req_size": "1"}, Refused, "'zero' is no value of 'volnr'", "DM_EINVAL"),
    ("WaitForVolumeSize", {"volnr": "0", "req_size": "nan"}, Refused, "req_size", "DM_EINVAL"),
    ("WaitForResource", {"count": "1", "starttime": "now", "timeout": "1"}, Refused, "starttime", "DM_EINVAL"),
    ("WaitForResource", {"count": "1", "starttime": "1", "timeout": "-1"}, Refused, "timeout", "DM_EINVAL"),
    ("WaitForGodot", {"count": "1"}, Refused, "WaitForResource", "DM_EPLUGIN"),
]


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize(("plugin", "keys", "kind", "message", "code"), MISUSED)
def test_misuse_is_an_error_with_the_old_code(scene, plugin, keys, kind, message, code, original):
    with pytest.raises(kind) as caught:
        ask(scene, plugin, original, **keys)
    assert message in f"{caught.value.message} {caught.value.correction}"
    assert code in caught.value.details
