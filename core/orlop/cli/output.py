"""Answers in sentences, and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from orlop.client import Answer, Entry
    from orlop.errors import OrlopError

_COLOURS = {"ERROR": "red", "WARNING": "yellow", "INFO": "blue", "SUCCESS": "green"}


def json(data: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2))


def entries_as(answer: Answer, version: str) -> list[dict[str, Any]]:
    """The envelope for programs; v0 spells the references as a list of pairs."""
    plain: list[dict[str, Any]] = msgspec.to_builtins(list(answer))
    if version != "v0":
        return plain
    for entry in plain:
        references = entry.pop("obj_refs", {})
        entry.pop("created_at", None)
        if references:
            entry["object_refs"] = [{"key": key, "value": value} for key, value in references.items()]
    return plain


def answer(entries: Answer, colour: bool) -> None:
    """One paragraph per entry: what it is, and under it cause, details, correction and reports."""
    for entry in entries:
        _paragraph(entry.severity, entry.message, _parts(entry), colour, err=False)


def problem(error: OrlopError, colour: bool) -> None:
    """An error that came up on this side, on stderr."""
    parts = [("Cause", error.cause), ("Details", error.details), ("Correction", error.correction)]
    _paragraph("ERROR", error.message, parts, colour, err=True)


def _parts(entry: Entry) -> list[tuple[str, str]]:
    reports = " ".join(entry.error_report_ids)
    return [
        ("Cause", entry.cause or ""),
        ("Details", entry.details or ""),
        ("Correction", entry.correction or ""),
        ("Reports", f"orlop error-reports show {reports}" if reports else ""),
    ]


def _paragraph(severity: str, message: str, parts: list[tuple[str, str]], colour: bool, err: bool) -> None:
    click.echo(click.style(f"{severity}:", fg=_COLOURS[severity], bold=True) + f" {message}", err=err, color=colour)
    for title, text in parts:
        if not text:
            continue
        first, *more = text.splitlines()
        click.echo(f"    {title}: {first}", err=err)
        for line in more:
            click.echo(f"        {line}", err=err)
