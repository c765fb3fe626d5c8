"""Every command that people know from the guide or from LINSTOR's client makes the requests it is known for."""

import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _table(name: str) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, list[str]]] = []
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("linstor "):
            found.append((line.removeprefix("linstor "), []))
        elif line.startswith("    "):
            found[-1][1].append(line.strip())
    return [(command, tuple(requests)) for command, requests in found]


def _readable(request: str) -> tuple[str, object]:
    """Method and target, and the body as a value: the order of its members says nothing."""
    method, target, *body = request.split(" ", 2)
    return f"{method} {target}", json.loads(body[0]) if body else None


@pytest.mark.parametrize(("command", "expected"), _table("guide_commands.txt"))
def test_a_command_of_the_guide_makes_its_requests(orlop, command, expected):
    done = orlop(command, stdin="secret\nsecret\nsecret\n")
    assert done.code == 0, done.err
    assert [_readable(each) for each in done.requests] == [_readable(each) for each in expected]


@pytest.mark.parametrize(("command", "expected"), _table("todays_commands.txt"))
def test_a_command_in_todays_spelling_makes_its_requests(orlop, command, expected):
    done = orlop(command)
    assert done.code in (0, 3), done.err  # 3: the table of the test has no such object
    assert [_readable(each) for each in done.requests] == [_readable(each) for each in expected]


def test_the_tables_are_not_empty():
    assert len(_table("guide_commands.txt")) > 70
    assert len(_table("todays_commands.txt")) > 200
