"""The simulated DRBD 9 says what the real one was heard to say, where it was asked the same."""

import re
from pathlib import Path

import pytest

from orlop.errors import CommandFailed, NodeError
from tests.simulation.drbd9_nodes import DEVICE, RESOURCE, Nodes, text, token

RECORDED = Path(__file__).parent.parent / "recorded"
BELOW = "/dev/vg0/r0"
COUNTS = re.compile(r"(size|read|written|al-writes|bm-writes|received|sent):\d+")


def cluster(names, diskless, options="quorum majority; on-no-quorum io-error;"):
    nodes = Nodes(names, diskless=diskless, options=options, backing=BELOW, subnet="10.77.0")
    for name in names:
        if name not in diskless:
            nodes.run(name, "drbdmeta", "--force", "1000", "v09", BELOW, "internal", "create-md", "7")
    nodes.up()
    nodes.settle()
    return nodes


def played(path):
    """Pairs of a line that says what was done, and what was printed."""
    found = []
    for line in path.read_text().splitlines():
        if line.startswith(("$ ", "! ")):
            found.append((line, []))
        elif not line.startswith("#"):
            found[-1][1].append(line)
    return found


def test_a_recorded_session_goes_the_same_way():
    nodes = cluster(["node1", "node2", "node3", "node4"], ["node4"])
    for line, expected in played(RECORDED / "drbd-session-9.3.3.txt"):
        sign, name, *words = line.split()
        if sign == "!":
            happen(nodes, *line.split()[1:])
            continue
        if words[1:] == ["drbdadm", "connect", RESOURCE]:
            nodes.admin(name, "connect", RESOURCE)
            nodes.settle()
            continue
        said = nodes.run(name, *words[1:]).splitlines()
        assert sorted(said) == sorted(expected), line


def happen(nodes, what, name):
    disk = nodes.hosts[name].disk
    match what:
        case "open":
            disk.use(DEVICE, "mounted")
        case "close":
            disk.release(DEVICE)
        case "write":
            disk.write(DEVICE, 0, token(f"of {name}"))
    nodes.settle()


@pytest.mark.parametrize(
    ("recorded", "node", "prepare"),
    [
        ("connected", "node1", lambda nodes: None),
        ("diskless", "node3", lambda nodes: None),
        ("alone", "node1", lambda nodes: nodes.isolate("node1")),
    ],
)
def test_events_have_the_recorded_words_in_the_recorded_order(recorded, node, prepare):
    nodes = cluster(["node1", "node2", "node3"], ["node3"])
    nodes.admin("node1", "new-current-uuid", "--clear-bitmap", "r0/0")
    prepare(nodes)
    said = nodes.run(node, "drbdsetup", "events2", "--now", "--statistics")
    expected = (RECORDED / f"drbdsetup-events-{recorded}-9.3.3.txt").read_text()
    assert sorted(COUNTS.sub(r"\1:N", said).splitlines()) == sorted(COUNTS.sub(r"\1:N", expected).splitlines())


def test_what_is_shown_names_the_same_things():
    nodes = cluster(["node1", "node2", "node3"], ["node3"])
    said = nodes.run("node1", "drbdsetup", "show")
    expected = (RECORDED / "drbdsetup-show-9.3.3.txt").read_text()
    for pattern in (r"minor \d+;", r'disk\s+"[^"]+"', r"_peer_node_id \d;", r"_\w+_host ipv4 \S+;", r"node-id\s+\d;"):
        assert re.findall(pattern, said) == re.findall(pattern, expected), pattern


def test_the_version_is_told_as_the_tools_tell_it():
    said = Nodes("A").admin("A", "--version").splitlines()
    expected = (RECORDED / "drbdadm-version-9.22.0.txt").read_text().splitlines()
    assert {line for line in expected if line.startswith("DRBDADM_VERSION")} <= set(said)
    assert {line.partition("=")[0] for line in expected} <= {line.partition("=")[0] for line in said}


def test_older_tools_know_no_node_without_a_vote():
    nodes = Nodes("ABT", diskless="T", clients="T")
    nodes.create("A")
    nodes.hosts["A"].drbd.tools = (9, 22, 0)
    with pytest.raises(CommandFailed, match="got 'tiebreaker'"):
        nodes.up("A")


def test_options_that_are_known_are_those_of_the_tools():
    nodes = cluster(["node1", "node2"], [])
    for section in ("resource-options", "peer-device-options", "disk-options"):
        expected = (RECORDED / f"drbdsetup-{section}-9.22.0.xml").read_text()
        said = nodes.run("node1", "drbdsetup", "xml-help", section)
        known = set(re.findall(r'option name="([^"]+)"', said))
        assert known == set(re.findall(r'option name="([^"]+)"', expected)) - {"set-defaults"}, section


# -- what the tools refuse --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        pytest.param("options {", "optoins {", "expected,\n\tbut got 'optoins'", id="misspelt-section"),
        pytest.param("net {", "skip {} net {", "expected,\n\tbut got 'skip'", id="foreign-section"),
        pytest.param("net {", "net { quorum all;", "but got 'quorum'", id="option-of-another-section"),
        pytest.param("meta-disk internal;", "", "'meta-disk' keyword missing", id="no-metadata"),
        pytest.param("node-id 1;", "", "'node-id' keyword missing", id="no-node-id"),
        pytest.param("node-id 1;", "node-id 0;", "duplicate node-id", id="same-node-id"),
        pytest.param("device minor 1000;", "device minor 1000", "Parse error", id="no-semicolon"),
        pytest.param('on "A"', 'on "Z"', "no host A", id="not-about-this-node"),
    ],
)
def test_a_file_that_is_wrong_is_refused_before_anything_happens(before, after, complaint):
    nodes = Nodes("AB")
    file = nodes.hosts["A"].disk.get(f"/var/lib/orlop/drbd/{RESOURCE}.res")
    file.text = text("AB").replace(before, after).replace('host "A"', 'host "A"' if before != 'on "A"' else 'host "Z"')
    with pytest.raises(CommandFailed, match=re.escape(complaint)):
        nodes.admin("A", "-c", f"/var/lib/orlop/drbd/{RESOURCE}.res", "sh-nop")
    with pytest.raises(CommandFailed):
        nodes.up("A")
    assert nodes.resource("A") is None


def test_what_is_connected_is_not_connected_again():
    nodes = cluster(["node1", "node2"], [])
    with pytest.raises(NodeError, match=re.escape("Failure: (125) Device has a net-config (use disconnect first)")):
        nodes.admin("node2", "connect", "r0")


def test_metadata_in_use_is_not_touched():
    nodes = Nodes("AB").started()
    with pytest.raises(NodeError, match="Device or resource busy"):
        nodes.create("A")


def test_without_metadata_nothing_comes_up():
    nodes = Nodes("AB")
    with pytest.raises(NodeError, match="No valid meta data found"):
        nodes.up("A")
    nodes.create("A")
    nodes.up("A")
    assert nodes.disk("A") == "Inconsistent"
