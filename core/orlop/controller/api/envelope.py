"""From what a handler or an error gives to an HTTP answer."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from flask import Response, request

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller.answers import Answers, Entry
from orlop.controller.api.limits import Busy
from orlop.controller.api.requests import BadRequest
from orlop.errors import OrlopError

JSON = "application/json"
COMPRESSED = 1000  # bytes from which an answer is compressed, if the client can read that
encode = msgspec.json.Encoder().encode


class Document:
    """JSON that is kept ready, and compressed once at most."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._packed: bytes | None = None

    @property
    def packed(self) -> bytes:
        if self._packed is None:
            self._packed = pack(self.plain)
        return self._packed


def pack(plain: bytes) -> bytes:
    """Level 1: a list of ten thousand resources is ready in tens of milliseconds."""
    return gzip.compress(plain, 1, mtime=0)


def respond(result: Any, status: int) -> Response:
    """What a handler returned, as JSON; `status` is the one of success."""
    if isinstance(result, Response):
        return result
    if isinstance(result, Answers):
        entries = list(result)
        return Response(encode(entries), status_of(entries, status), mimetype=JSON)
    if isinstance(result, Document):
        if len(result.plain) >= COMPRESSED and reads_gzip():
            return Response(result.packed, status, {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}, JSON)
        return Response(result.plain, status, mimetype=JSON)
    return Response(encode(result), status, mimetype=JSON)


def reads_gzip() -> bool:
    return bool(request.accept_encodings.quality("gzip") > 0)


def status_of(entries: Iterable[Entry], success: int) -> int:
    """The first error decides; warnings never do."""
    error = next((entry for entry in entries if entry.is_error), None)
    if error is None:
        return success
    if 300 <= error.code <= 399:
        return 404
    if error.code == Fail.SIGN_IN_MISSING_CREDENTIALS:
        return 401
    if 400 <= error.code <= 499 or error.code == Fail.SIGN_IN:
        return 403
    return 500


def refusal(error: OrlopError, operation: int, about: Subject, references: Mapping[str, str], report: str) -> Response:
    answers = Answers(operation, about, **references)
    answers.refused(error, report)
    entries = list(answers)
    match error:
        case BadRequest():
            entries = [msgspec.structs.replace(entries[0], ret_code=codes.API_CALL_PARSE_ERROR)]
            return Response(encode(entries), 400, mimetype=JSON)
        case Busy():
            return Response(encode(entries), 503, {"Retry-After": "1"}, JSON)
        case _:
            return Response(encode(entries), status_of(entries, 200), mimetype=JSON)


def nothing_to_delete(error: OrlopError, about: Subject, references: Mapping[str, str]) -> Answers:
    """What is to be deleted does not exist: that is what was asked for."""
    answers = Answers(codes.DELETE, about, **references)
    answers.warning(error.message, Warn.NOT_FOUND)
    return answers


def unexpected(operation: int, about: Subject, references: Mapping[str, str], report: str) -> Response:
    """A fault of the controller: all that leaves it is the id of the report about it."""
    answers = Answers(operation, about, **references)
    correction = f"See 'orlop error-report show {report}' and pass it on to the developers."
    answers.refused(
        OrlopError("The controller met an error of its own.", correction=correction, code=Fail.IMPL_ERROR), report
    )
    return Response(encode(list(answers)), 500, mimetype=JSON)


def failure(status: int, message: str) -> Response:
    """What the HTTP server refuses before any route is reached."""
    answers = Answers(0, Subject.NONE)
    answers.error(message, Fail.UNKNOWN_ERROR)
    return Response(encode(list(answers)), status, mimetype=JSON)
