"""A controller that dies in the middle of its work leaves whole transactions."""

import subprocess
import sys
from pathlib import Path

import pytest

from orlop.controller.store import Store

SCRIPT = Path(__file__).with_name("commit_until_killed.py")


@pytest.mark.parametrize("commits", [1, 40, 77])
def test_a_killed_controller_leaves_whole_transactions(url: str, commits: int) -> None:
    with subprocess.Popen([sys.executable, SCRIPT, url], stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        answered = [int(controller.stdout.readline()) for _ in range(commits)]
        controller.kill()
        answered += [int(line) for line in controller.stdout.read().split()]
    with Store.open(url) as store:
        loaded = store.load()
        assert loaded.problems == ()
        assert answered[-1] <= loaded.picture.sequence <= answered[-1] + 1
        mark = str(loaded.picture.sequence)
        one, two = (loaded.picture.definitions[name] for name in ("one", "two"))
        assert one.resources == two.resources
        assert {resource.uuid for resource in one.resources} == {mark}
        assert {volume.uuid for resource in one.resources for volume in resource.volumes} == {mark}
        assert len(one.resources) == 1 + loaded.picture.sequence % 3
        assert loaded.picture.groups["dfltrscgrp"].description == mark
        assert store.activate().term == 2
