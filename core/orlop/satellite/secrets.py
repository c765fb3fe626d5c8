"""Keys that steps name. They come from the controller when something waits for them, and live in memory only."""

from collections.abc import Callable, Iterable, Sequence

from orlop.errors import NodeError
from orlop.model import WantedResource, objects_of
from orlop.plugin import Run
from orlop.satellite.converge import Course
from orlop.satellite.plan import Part
from orlop.transport.messages import Secrets


def no_secret(name: str) -> bytes:
    raise NodeError(f"secret {name!r} is not known on this node")


class SecretKeeper:
    """Call it with a name. Several threads use it: its collections are replaced, never changed."""

    def __init__(self, derived: Callable[[str], bytes] = no_secret) -> None:
        """`derived` makes those that travel nowhere."""
        self._derived = derived
        self._known: dict[str, bytes] = {}
        self._refused: dict[str, str] = {}
        self._asked: set[str] = set()

    def __call__(self, name: str) -> bytes:
        found = self._known.get(name)
        return self._derived(name) if found is None else found

    def __repr__(self) -> str:
        return f"SecretKeeper(known={sorted(self._known)})"

    @property
    def asked(self) -> tuple[str, ...]:
        return tuple(sorted(self._asked))

    def take(self, message: Secrets) -> None:
        self._known = {**self._known, **message.known}
        self._refused = {**self._refused, **message.refused}
        self._asked = self._asked - message.known.keys() - message.refused.keys()

    def lacks(self, names: Iterable[str]) -> bool:
        return any(name not in self._known and name not in self._refused for name in names)

    def sort(self, course: Course, parts: Sequence[Part]) -> tuple[tuple[Part, ...], frozenset[str]]:
        """Those whose secrets are there, and which ones the others lack: asked for, or refused just now."""
        ready: list[Part] = []
        lacking: set[str] = set()
        refused = self._refused
        for part in parts:
            missing = _named(part) - self._known.keys()
            if not missing:
                ready.append(part)
            elif told := [refused[name] for name in sorted(missing) if name in refused]:
                course.fail(part, told[0])
                self._refused = {name: reason for name, reason in self._refused.items() if name not in missing}
            else:
                self._asked = self._asked | missing
            lacking |= missing
        return tuple(ready), frozenset(lacking)

    def keep(self, orders: Iterable[WantedResource]) -> None:
        """Forget what no order names any more."""
        named = {
            value
            for wanted in orders
            for volume in wanted.volumes
            for each in objects_of(volume)
            for at in each.levels
            for value in at.data.values()
        }
        self._known = {name: value for name, value in self._known.items() if name in named}
        self._asked = self._asked & named


def _named(part: Part) -> set[str]:
    return {name for step in part.steps if isinstance(step, Run) for name in step.secrets}
