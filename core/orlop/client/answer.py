"""What the controller answers to a command, and the errors a caller can catch."""

from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

from orlop import codes
from orlop.errors import OrlopError

_CODE = 0x7FFF
_OBJECT = 0x7C0000
_WORD = (1 << 64) - 1
_LOGIN = "The token, or the user and password, may be missing, wrong or out of date; see to that, then try again."
_SEVERITIES = {codes.ERROR: "ERROR", codes.WARNING: "WARNING", codes.INFO: "INFO", codes.SUCCESS: "SUCCESS"}


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the answer envelope."""

    ret_code: int
    message: str = ""
    cause: str | None = None
    details: str | None = None
    correction: str | None = None
    error_report_ids: tuple[str, ...] = ()
    obj_refs: Mapping[str, str] = {}
    created_at: str | None = None

    @property
    def severity(self) -> str:
        """ERROR, WARNING, INFO or SUCCESS."""
        return _SEVERITIES[self.ret_code & _WORD & codes.SEVERITY]

    @property
    def operation(self) -> str:
        """CREATE, MODIFY, DELETE or nothing."""
        names = {codes.CREATE: "CREATE", codes.MODIFY: "MODIFY", codes.DELETE: "DELETE"}
        return names.get(self.ret_code & codes.OPERATION, "")

    @property
    def subject(self) -> codes.Subject:
        try:
            return codes.Subject(self.ret_code & _OBJECT)
        except ValueError:
            return codes.Subject.NONE

    @property
    def code(self) -> int:
        """The low bits; they say something only together with the severity."""
        return self.ret_code & _CODE

    @property
    def is_error(self) -> bool:
        return self.severity == "ERROR"

    @property
    def is_warning(self) -> bool:
        return self.severity == "WARNING"


class Answer(tuple[Entry, ...]):
    """The entries of one answer, or of several answers in a row."""

    __slots__ = ()

    @classmethod
    def joined(cls, answers: Iterable[Iterable[Entry]]) -> Self:
        return cls(entry for answer in answers for entry in answer)

    @property
    def errors(self) -> list[Entry]:
        return [entry for entry in self if entry.is_error]

    @property
    def warnings(self) -> list[Entry]:
        return [entry for entry in self if entry.is_warning]

    def reference(self, name: str) -> str | None:
        """The first object reference of that name, for example `RscDfn` after a spawn."""
        return next((entry.obj_refs[name] for entry in self if name in entry.obj_refs), None)


class ClientError(OrlopError):
    """Root of what can go wrong between the client and the controller."""


class ApiError(ClientError):
    """The controller refused or failed; `entries` is its whole answer, `status` the HTTP status."""

    def __init__(self, entries: Iterable[Entry], status: int) -> None:
        self.entries, self.status = Answer(entries), status
        worst = next(iter(self.entries.errors or self.entries), None)
        if worst is None:
            super().__init__(
                f"the controller answered with HTTP status {status} and no explanation",
                correction=_LOGIN if status in (401, 403) else "",
            )
            return
        super().__init__(
            worst.message or f"the controller answered with HTTP status {status}",
            cause=worst.cause or "",
            details=worst.details or "",
            correction=worst.correction or "",
            code=_fail(worst.code),
        )

    def has(self, code: codes.Fail) -> bool:
        """Whether one of the errors carries this code."""
        return any(entry.code == code for entry in self.entries.errors)

    @property
    def not_found(self) -> bool:
        return self.status == 404


def _fail(code: int) -> codes.Fail | None:
    try:
        return codes.Fail(code)
    except ValueError:
        return None


class Unreachable(ClientError):
    """No controller could be reached. Nothing was asked."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(
            "no controller could be reached",
            details="\n".join(f"{url}: {problem}" for url, problem in self.problems.items()),
            correction="See that the controller runs, and name it with --controllers or in the configuration.",
        )


class TimedOut(ClientError):
    """The controller took the request and did not answer in time. The work may still be going on."""

    def __init__(self, url: str, seconds: float) -> None:
        super().__init__(
            f"the controller at {url} did not answer within {seconds:g} seconds",
            details="It may still be working on the request.",
            correction="Look at the state of the objects before you repeat the command.",
        )


class UnexpectedReply(ClientError):
    """What came back is not what the API promises."""


class ConnectionBroken(UnexpectedReply):
    """The connection ended before the answer was complete."""
