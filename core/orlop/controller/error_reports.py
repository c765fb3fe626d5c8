"""Reports about errors that nobody foresaw: one file each, named by an id that answers carry."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import socket
import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import orlop
from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.contracts import Clock
from orlop.errors import NotFound, OrlopError

log = logging.getLogger(__name__)
_FILE = re.compile(r"ErrorReport-([0-9A-F]{8}-[0-9A-F]{5}-\d{6})\.log")
_FIELD = re.compile(r"^([A-Z][A-Za-z ]+):\s+(.*)$", re.MULTILINE)


class ErrorReports:
    """Thread-safe. The files are the truth; a summary of each is kept in memory so that lists read no files."""

    def __init__(self, directory: Path, clock: Clock, node: str = "") -> None:
        """`node`: what this machine is called, by default its host name."""
        node = node or socket.gethostname()
        self._directory = directory
        self._node = node
        self._clock = clock
        self._prefix = f"{int(time.time()):08X}-{hashlib.sha256(node.encode()).hexdigest()[:5].upper()}"
        self._number = 0
        self._lock = threading.Lock()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._summaries = {s.filename: s for s in map(_read, directory.glob("ErrorReport-*.log")) if s}

    def __len__(self) -> int:
        return len(self._summaries)

    def write(self, error: Exception, place: str) -> str:
        """The id of the new report; `place` says what was being done. Never fails: a full disk costs the report."""
        with self._lock:
            identity = f"{self._prefix}-{self._number:06d}"
            self._number += 1
        now = self._clock.milliseconds()
        path = self._directory / f"ErrorReport-{identity}.log"
        text = _text(identity, self._node, now, place, error)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as problem:
            log.error("error report %s could not be written (%s):\n%s", identity, problem, text)
            return identity
        summary = _summary(path.name, text)
        if summary:
            self._summaries[path.name] = summary
        return identity

    def list(self, since: int = 0, to: int = 0, node: str = "", texts: bool = False) -> list[wire.ErrorReport]:
        """Newest last; times in milliseconds, 0 is no limit."""
        found = [
            s
            for s in list(self._summaries.values())
            if s.error_time >= since and (not to or s.error_time <= to) and node.lower() in ("", self._node.lower())
        ]
        found.sort(key=lambda s: (s.error_time, s.filename or ""))
        return [self._with_text(s) for s in found] if texts else found

    def get(self, identity: str) -> wire.ErrorReport:
        """With its text; raises `NotFound`."""
        summary = self._summaries.get(f"ErrorReport-{identity}.log")
        if summary is None:
            # There is no code of its own for a missing report; 300 to 399 make it an HTTP 404.
            raise NotFound(f"Error report '{identity}' not found.", code=Fail.NOT_FOUND_EXT_FILE)
        return self._with_text(summary)

    def delete(self, identity: str) -> None:
        """Raises `NotFound`."""
        self.get(identity)
        self._remove(f"ErrorReport-{identity}.log")

    def delete_matching(self, request: wire.ErrorReportDelete) -> int:
        """How many were removed; all conditions have to hold."""
        removed = 0
        for summary in self.list(request.since or 0, request.to or 0):
            identity = (summary.filename or "").removeprefix("ErrorReport-").removesuffix(".log")
            if (
                (not request.nodes or self._node.lower() in [n.lower() for n in request.nodes])
                and (not request.ids or identity in request.ids)
                and (not request.exception or request.exception == summary.exception)
                and (not request.version or request.version == summary.version)
            ):
                self._remove(summary.filename or "")
                removed += 1
        return removed

    def _remove(self, name: str) -> None:
        self._summaries.pop(name, None)
        (self._directory / name).unlink(missing_ok=True)

    def _with_text(self, summary: wire.ErrorReport) -> wire.ErrorReport:
        try:
            text = (self._directory / (summary.filename or "")).read_text(encoding="utf-8", errors="replace")
        except OSError as problem:
            text = f"The file could not be read: {problem.strerror}"
        return msgspec.structs.replace(summary, text=text)


def _text(identity: str, node: str, now: int, place: str, error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:] if error.__traceback__ else []
    fields = {
        "Report": identity,
        "Application": "Orlop",
        "Module": "Controller",
        "Version": orlop.__version__,
        "Time": datetime.fromtimestamp(now / 1000, UTC).isoformat(),
        "Milliseconds": str(now),
        "Node": node,
        "While": place,
        "Class": type(error).__qualname__,
        "Message": " ".join(str(error).split()),
    }
    for frame in last:
        fields |= {"File": Path(frame.filename).name, "Method": frame.name, "Line": str(frame.lineno)}
    if isinstance(error, OrlopError):
        parts = {"Cause": error.cause, "Details": error.details, "Correction": error.correction}
        fields |= {name: " ".join(part.split()) for name, part in parts.items() if part}
    head = "\n".join(f"{name + ':':<14} {value}" for name, value in fields.items())
    return f"{head}\n\nCall backtrace:\n\n{''.join(traceback.format_exception(error))}"


def _read(path: Path) -> wire.ErrorReport | None:
    try:
        return _summary(path.name, path.read_text(encoding="utf-8", errors="replace"))
    except OSError as problem:
        log.warning("error report %s cannot be read: %s", path, problem)
        return None


def _summary(name: str, text: str) -> wire.ErrorReport | None:
    """None for a file that is not one of ours."""
    fields = dict(_FIELD.findall(text.partition("\n\n")[0]))
    if not _FILE.fullmatch(name) or not fields.get("Milliseconds", "").isdigit():
        return None
    line = fields.get("Line", "")
    return wire.ErrorReport(
        node_name=fields.get("Node"),
        error_time=int(fields["Milliseconds"]),
        filename=name,
        module=fields.get("Module"),
        version=fields.get("Version"),
        exception=fields.get("Class"),
        exception_message=fields.get("Message"),
        origin_file=fields.get("File"),
        origin_method=fields.get("Method"),
        origin_line=int(line) if line.isdigit() else None,
    )
