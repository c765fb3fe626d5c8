"""Routes of error reports."""

from __future__ import annotations

from orlop import codes
from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import HERE, PAGED, Routes

route = Routes("error reports")
REPORTS = tuple[wire.ErrorReport, ...]
FILTERS = {"node": str, "since": int, "to": int, "withContent": bool, **PAGED}


@route("GET", "/v1/error-reports", answer=REPORTS, query=FILTERS)
def listed(call: Call) -> list[wire.ErrorReport]:
    """Newest last."""
    query = call.query
    found = call.site.reports.list(
        query.number("since"), query.number("to"), query.text("node"), texts=query.flag("withContent")
    )
    return query.page(found)


@route("PATCH", "/v1/error-reports", body=wire.ErrorReportDelete, waits=False, unplanned=HERE)
def delete_matching(call: Call) -> Answers:
    removed = call.site.reports.delete_matching(call.body)
    answers = Answers(codes.DELETE, Subject.NONE)
    answers.success(f"{removed} error reports are deleted.", codes.DELETED)
    return answers


@route("GET", "/v1/error-reports/{reportid}", answer=REPORTS, query=FILTERS)
def shown(call: Call, reportid: str) -> list[wire.ErrorReport]:
    """A list of one, with its text."""
    return [call.site.reports.get(reportid)]


@route("DELETE", "/v1/error-reports/{reportid}", waits=False, unplanned=HERE)
def delete(call: Call, reportid: str) -> Answers:
    call.site.reports.delete(reportid)
    answers = Answers(codes.DELETE, Subject.NONE)
    answers.success(f"Error report '{reportid}' is deleted.", codes.DELETED)
    return answers
