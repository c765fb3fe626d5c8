"""`orlop resource wait` and its like: until enough copies are there, have a size, hold a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import completion, exit_codes, options
from orlop.cli.sizes import SIZE

if TYPE_CHECKING:
    from orlop.cli.grammar import Menu
    from orlop.cli.session import Session
    from orlop.client import Wait, WaitProgress

_POLICY = click.argument("policy", nargs=-1)
_TIMEOUT = click.option(
    "--wait-timeout",
    "timeout",
    type=click.FloatRange(min=0),
    help="Give up after so many seconds; the exit code is 21 then, and the work goes on.",
)


def add_to_resources(menu: Menu) -> None:
    menu.verb("wait", example="orlop resource wait backups redundancy=2 --wait-timeout 600")(wait)


def add_to_volumes(menu: Menu) -> None:
    menu.verb("wait", example="orlop volume-definition wait backups 0 --size 1TiB")(wait_for_size)


def add_to_snapshots(menu: Menu) -> None:
    menu.verb("wait", example="orlop snapshot wait backups before_upgrade all")(wait_for_snapshot)


@options.resource()
@_POLICY
@click.option("-n", "--volume", "number", type=int, help="Only this volume counts.")
@_TIMEOUT
def wait(session: Session, resource: str, policy: tuple[str, ...], number: int | None, timeout: float | None) -> None:
    """Wait until enough copies of a resource are there. POLICY is count=N, ratio=SHARE, redundancy=N, quorum or
    all, joined by `and` and `or`; without one that of the resource group counts, else all. What can never be
    satisfied is refused. Ctrl-C ends the waiting, not the work."""
    from orlop.client import Wait

    _wait(session, Wait(resource=resource, volume_number=number, policy=_joined(policy), timeout=timeout))


@options.resource()
@options.number()
@_POLICY
@click.option("--size", type=SIZE, default=0, help="It has at least this size.  [default: the one it is to have]")
@_TIMEOUT
def wait_for_size(
    session: Session, resource: str, number: int, policy: tuple[str, ...], size: int, timeout: float | None
) -> None:
    """Wait until enough copies of a volume have a size. POLICY as with `resource wait`; without one, and none of the
    resource group, every copy has to have it, in step or not."""
    from orlop.client import Wait

    wanted = Wait(resource=resource, volume_number=number, size_kib=size, policy=_joined(policy), timeout=timeout)
    _wait(session, wanted)


@options.resource()
@click.argument("snapshot", shell_complete=completion.SNAPSHOTS)
@_POLICY
@_TIMEOUT
def wait_for_snapshot(
    session: Session, resource: str, snapshot: str, policy: tuple[str, ...], timeout: float | None
) -> None:
    """Wait until a snapshot is taken. It counts on all of its nodes at once; POLICY, as with `resource wait`, says
    how many of them have to be there."""
    from orlop.client import Wait

    _wait(session, Wait(resource=resource, snapshot=snapshot, policy=_joined(policy), timeout=timeout))


def _joined(policy: tuple[str, ...]) -> str | None:
    return " ".join(policy) or None


def _wait(session: Session, wanted: Wait) -> None:
    """Every change on stderr, the end on stdout; the exit code tells a timeout from a failure."""
    last = None
    for last in session.client.watch(wanted):
        if not last.ended:
            click.echo(f"{_name(last)}: {_how_far(last)}", err=True)
    assert last is not None
    if session.settings.machine_readable:
        from orlop.cli import output

        output.json([last])
    elif last.satisfied:
        session.say(f"{_name(last)}: {last.policy} is satisfied.")
    if last.timed_out:
        click.echo(f"orlop: the time is over. {_name(last)}: {_how_far(last)}", err=True)
        click.echo(f"orlop: {last.policy} is not satisfied; the work goes on", err=True)
        session.exit_code = exit_codes.TIMED_OUT


def _name(progress: WaitProgress) -> str:
    if progress.snapshot_name:
        return f"{progress.resource_name}, snapshot {progress.snapshot_name}"
    return (
        progress.resource_name
        if progress.volume_number is None
        else (f"{progress.resource_name}, volume {progress.volume_number}")
    )


def _how_far(progress: WaitProgress) -> str:
    said = "; ".join(f"{c.policy}: {c.said}" for c in progress.conditions)
    numbers = {m.volume_number for m in progress.missing}
    missing = [
        f"{m.node_name}{f' volume {m.volume_number}' if len(numbers) > 1 else ''} ({m.reason})"
        for m in progress.missing
    ]
    return f"{said}. Missing: {', '.join(missing)}" if missing else f"{said}."
