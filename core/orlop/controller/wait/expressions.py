"""Wait policies as people write them: `count=2`, `count=3 or ratio=0.75`, `redundancy=2 and (quorum or all)`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orlop.codes import Fail
from orlop.drivers import WAIT_FOR, Drivers
from orlop.errors import Refused
from orlop.model.cluster import Value

LONGEST = 64  # words of one expression
FORM = "a wait policy such as: count=2, ratio=0.51, redundancy=2, quorum, all; joined by 'and', 'or' and brackets"
_WORD = re.compile(r"\s*(?:([()])|([A-Za-z][A-Za-z0-9_-]*)(?:\s*=\s*([^\s()]+))?)")


class Policy(Value, frozen=True, kw_only=True):
    """One driver with its argument."""

    name: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.argument}" if self.argument else self.name


class AnyOf(Value, frozen=True, kw_only=True):
    """Alternatives, tried in their order."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


class AllOf(Value, frozen=True, kw_only=True):
    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


Expression = Policy | AnyOf | AllOf


def parse(text: str) -> Expression:
    """Raises `Refused`; whether the policies are installed shows in `check`. `and` binds closer than `or`."""
    words = _words(text)
    found, rest = _alternatives(words)
    if rest:
        raise _refused(text, f"'{_shown(rest[0])}' is not expected there")
    return found


def policies(expression: Expression) -> Iterator[Policy]:
    match expression:
        case Policy():
            yield expression
        case _:
            for part in expression.parts:
                yield from policies(part)


def check(drivers: Drivers, expression: Expression) -> None:
    """Raises for a policy that is not installed, or an argument that it does not take."""
    for policy in policies(expression):
        drivers.load(WAIT_FOR, policy.name).check(policy.argument)


Words = list[Policy | str]  # policies, `and`, `or` and brackets


def _words(text: str) -> Words:
    found: Words = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None or len(found) == LONGEST:
            raise _refused(text, "it is too long" if match else f"'{text[at:].strip()}' cannot be read")
        bracket, name, argument = match.groups()
        joins = name is not None and name.lower() in ("and", "or") and argument is None
        found.append(bracket or (name.lower() if joins else Policy(name=name.lower(), argument=argument or "")))
        at = match.end()
    return found


def _alternatives(words: Words) -> tuple[Expression, Words]:
    part, words = _conditions(words)
    parts = [part]
    while words and words[0] == "or":
        part, words = _conditions(words[1:])
        parts.append(part)
    return (AnyOf(parts=tuple(parts)) if len(parts) > 1 else part), words


def _conditions(words: Words) -> tuple[Expression, Words]:
    part, words = _one(words)
    parts = [part]
    while words and words[0] == "and":
        part, words = _one(words[1:])
        parts.append(part)
    return (AllOf(parts=tuple(parts)) if len(parts) > 1 else part), words


def _one(words: Words) -> tuple[Expression, Words]:
    first, *rest = words or [""]
    if isinstance(first, Policy):
        return first, rest
    if first != "(":
        raise _refused("", f"a policy is missing before '{first}'" if first else "a policy is missing at its end")
    inner, rest = _alternatives(rest)
    if not rest or rest[0] != ")":
        raise _refused("", "a bracket is not closed")
    return inner, rest[1:]


def _shown(word: Policy | str) -> str:
    return str(word)


def _refused(text: str, why: str) -> Refused:
    about = f" '{text}'" if text else ""
    return Refused(
        f"The wait policy{about} cannot be understood: {why}.",
        correction=f"Give {FORM}.",
        code=Fail.INVLD_REQUEST,
    )
