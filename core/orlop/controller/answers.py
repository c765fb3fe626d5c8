"""The envelope of every command's answer: a non-empty list of entries, each with a signed return code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from orlop import codes
from orlop.codes import Fail, Info, Subject, Warn
from orlop.errors import OrlopError
from orlop.model.cluster import Value


class Entry(Value, frozen=True, kw_only=True, omit_defaults=True):
    """`ApiCallRc` of the wire; `ret_code` is signed, as clients in other languages need it."""

    ret_code: int
    message: str
    cause: str = ""
    details: str = ""
    correction: str = ""
    error_report_ids: tuple[str, ...] = ()
    obj_refs: Mapping[str, str] = {}
    created_at: str = ""

    @property
    def severity(self) -> int:
        return self.ret_code & codes.SEVERITY

    @property
    def is_error(self) -> bool:
        return self.severity == codes.ERROR

    @property
    def code(self) -> int:
        return self.ret_code & 0x7FFF


class Answers:
    """Collects the entries of one request; every entry gets the request's operation, object and references.

    The entry about the primary object has to be added first: clients read the first one.
    """

    def __init__(self, operation: int, subject: Subject, **references: str) -> None:
        self._bits = operation | subject
        self._references = {name: value for name, value in references.items() if value}
        self._entries: list[Entry] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def failed(self) -> bool:
        return any(entry.is_error for entry in self._entries)

    def success(self, message: str, code: int = 0, **parts: str) -> None:
        self._add(codes.SUCCESS, code, message, parts)

    def info(self, message: str, code: Info | int = 0, **parts: str) -> None:
        self._add(codes.INFO, code, message, parts)

    def warning(self, message: str, code: Warn | int = 0, **parts: str) -> None:
        self._add(codes.WARNING, code, message, parts)

    def error(self, message: str, code: Fail | int = Fail.UNKNOWN_ERROR, **parts: str) -> None:
        self._add(codes.ERROR, code, message, parts)

    def refused(self, error: OrlopError, report: str = "") -> None:
        """An expected error as an entry; `report` is the id of the error report written for it."""
        self._add(
            codes.ERROR,
            error.code,
            error.message,
            {"cause": error.cause, "details": error.details, "correction": error.correction},
            (report,) if report else (),
        )

    def refer(self, **references: str) -> None:
        """References for the entries that follow."""
        self._references |= references

    def extend(self, other: Answers) -> None:
        self._entries += other._entries

    def _add(
        self, severity: int, code: int, message: str, parts: Mapping[str, str], reports: tuple[str, ...] = ()
    ) -> None:
        references = {name: text for name, text in parts.items() if name not in ("cause", "details", "correction")}
        self._entries.append(
            Entry(
                ret_code=codes.signed(severity | self._bits | code),
                message=message,
                cause=parts.get("cause", ""),
                details=parts.get("details", ""),
                correction=parts.get("correction", ""),
                error_report_ids=reports,
                obj_refs=self._references | references,
                created_at=datetime.now(UTC).astimezone().isoformat(),
            )
        )
