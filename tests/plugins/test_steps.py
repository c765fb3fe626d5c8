"""Steps as values."""

from collections.abc import Sequence

from orlop.hooks import Hooks
from orlop.host import execute
from orlop.plugin import run
from orlop.testing import SimulatedHost
from orlop.testing.disk import Disk


def test_secrets_arrive_on_stdin_in_their_order_and_a_printed_step_only_names_them() -> None:
    step = run("open-safe", secrets=("one", "two"))
    assert str(step) == "open-safe < secret:one < secret:two"
    host, given = SimulatedHost(), []

    def safe(disk: Disk, arguments: Sequence[str], stdin: bytes) -> str:
        given.append(stdin)
        return ""

    host.reads_stdin["open-safe"] = safe
    execute("res", (step,), host, Hooks(), lambda name: f"<{name}>".encode())
    assert given == [b"<one>\n<two>\n"]
    assert host.ran == [("open-safe",)]
