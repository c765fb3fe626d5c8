"""Secrets come from a terminal or from standard input: arguments can be seen by every user of a machine."""

from __future__ import annotations

import sys

import click


def secret(question: str, given: str | None = None, twice: bool = False) -> str:
    """`given` if there is anything; one line of standard input where that is no terminal."""
    if given:
        return given
    if sys.stdin.isatty():
        return str(click.prompt(question, hide_input=True, confirmation_prompt=twice, err=True))
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        raise click.UsageError(f"{question}: nothing on standard input")
    return line
