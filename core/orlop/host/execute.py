"""Carry out steps, in order. One `match`; the first failure stops and is raised."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from orlop.errors import Cancelled, Refused
from orlop.host.contract import UNWATCHED, Copying, Host
from orlop.plugin import (
    SECRET,
    CopyDevice,
    CreateFile,
    LongCopy,
    RemoveFile,
    RenameFile,
    RequireTold,
    RequireUnused,
    ResizeFile,
    Run,
    SetAttributes,
    Step,
    WriteFile,
)

Secret = Callable[[str], bytes]


class Watching(Protocol):
    """Who is told of every step: `orlop.hooks.Hooks`."""

    def step_started(self, resource: str, step: Step) -> None: ...

    def step_done(self, resource: str, step: Step, error: Exception | None) -> None: ...


def execute(
    resource: str, steps: Sequence[Step], host: Host, hooks: Watching, secret: Secret, copying: Copying = UNWATCHED
) -> None:
    """Before every step `copying.cancelled` is asked whether a newer order makes the rest pointless."""
    for step in steps:
        if copying.cancelled():
            raise Cancelled(f"a newer order for {resource} came before: {step}")
        hooks.step_started(resource, step)
        try:
            _carry_out(step, host, secret, copying)
        except Exception as error:
            hooks.step_done(resource, step, error)
            raise
        hooks.step_done(resource, step, None)


def _carry_out(step: Step, host: Host, secret: Secret, copying: Copying) -> None:
    match step:
        case Run(argv=argv, secrets=names):
            host.run(argv, b"".join(secret(name) + b"\n" for name in names))
        case CreateFile():
            host.create(step)
        case ResizeFile():
            host.resize(step)
        case WriteFile():
            host.write(_filled(step, secret))
        case RemoveFile() | RenameFile():
            _change_name(step, host)
        case SetAttributes():
            host.set_attributes(step)
        case LongCopy():
            host.copy(step, copying)
        case CopyDevice():
            host.copy_device(step, copying)
        case RequireUnused() | RequireTold():
            _require(step, host)
        case _:
            host.change_kernel(step)


def _change_name(step: RemoveFile | RenameFile, host: Host) -> None:
    if isinstance(step, RenameFile):
        host.rename(step)
    else:
        host.remove(step.path)


def _require(step: RequireUnused | RequireTold, host: Host) -> None:
    if isinstance(step, RequireUnused):
        host.require_unused(step.device)
    elif not any(re.search(step.pattern, line) for line in host.run(step.argv).splitlines()):
        raise Refused(step.otherwise, correction=step.correction)


def _filled(step: WriteFile, secret: Secret) -> WriteFile:
    if step.secret is None:
        return step
    return replace(step, content=step.content.replace(SECRET, secret(step.secret).decode()), secret=None)
