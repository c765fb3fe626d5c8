"""Problems of an object as entries of its `reports`."""

from __future__ import annotations

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller.answers import Entry


def problem(message: str, code: Fail, about: Subject, correction: str = "") -> Entry:
    return Entry(ret_code=codes.signed(codes.ERROR | about | code), message=message, correction=correction)


def warning(message: str, code: Warn | int, about: Subject, correction: str = "") -> Entry:
    return Entry(ret_code=codes.signed(codes.WARNING | about | code), message=message, correction=correction)
