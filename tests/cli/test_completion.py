"""Completion of commands, options and of what exists in the cluster."""

import pytest
import requests
import responses

from orlop.cli.interactive import candidates
from orlop.cli.program import orlop as program

URL = "http://localhost:3370/v1"


@pytest.fixture
def controller():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def test_commands_are_completed_without_a_controller():
    assert candidates(program, "node ", "re") == ["rebalance", "reconnect", "restore"]


def test_commands_are_completed_after_an_alias():
    assert candidates(program, "n ", "cre") == ["create"]


def test_options_are_completed():
    assert "--nodes" in candidates(program, "node list ", "--no")


def test_nodes_are_completed_by_name(controller):
    controller.get(f"{URL}/nodes", json=[{"name": "alpha"}, {"name": "bravo"}])
    assert candidates(program, "node delete ", "b") == ["bravo"]


def test_snapshots_are_those_of_the_resource_that_was_named(controller):
    controller.get(f"{URL}/view/snapshots", json=[{"name": "s1", "resource_name": "db"}])
    assert candidates(program, "snapshot delete db ", "") == ["s1"]
    assert controller.calls[0].request.params == {"resources": "db"}


def test_the_controller_that_was_named_is_asked(controller):
    controller.get("http://alice:3370/v1/nodes", json=[{"name": "alpha"}])
    assert candidates(program, "--controllers alice node delete ", "") == ["alpha"]


@pytest.mark.parametrize("error", [requests.ConnectionError("refused"), requests.ReadTimeout("slow")])
def test_completion_is_silent_when_nobody_answers(controller, error, capsys):
    controller.get(f"{URL}/nodes", body=error)
    assert candidates(program, "node delete ", "") == []
    assert capsys.readouterr() == ("", "")


def test_completion_is_silent_about_a_broken_configuration(orlop):
    broken = orlop.home / "broken.conf"
    broken.write_text("controllers=bob")
    orlop.environment |= {"ORLOP_CONFIG": str(broken), "_ORLOP_COMPLETE": "bash_complete"}
    orlop.environment |= {"COMP_WORDS": "orlop node re", "COMP_CWORD": "2"}
    done = orlop("")
    assert (done.out, done.err) == ("plain,rebalance\nplain,reconnect\nplain,restore\n", "")


def test_the_configured_controller_is_asked(orlop, controller):
    config = orlop.home / "good.conf"
    config.write_text("[global]\ncontrollers=bob\n")
    controller.get("http://bob:3370/v1/nodes", json=[{"name": "alpha"}])
    orlop.environment |= {"ORLOP_CONFIG": str(config), "_ORLOP_COMPLETE": "bash_complete"}
    orlop.environment |= {"COMP_WORDS": "orlop node delete ", "COMP_CWORD": "3"}
    assert orlop("").out == "plain,alpha\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(orlop, shell):
    out = orlop(f"completion {shell}").out
    assert "_ORLOP_COMPLETE" in out
    assert "orlop" in out


def test_victims_and_peers_are_nodes(controller):
    controller.get(f"{URL}/nodes", json=[{"name": "alpha"}, {"name": "bravo"}])
    assert candidates(program, "resource resolve-split-brain db --victim ", "b") == ["bravo"]
    assert candidates(program, "resource verify alpha db --peer ", "b") == ["bravo"]
