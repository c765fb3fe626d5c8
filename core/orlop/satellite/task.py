"""What is to be done for one resource of a node, and when."""

from typing import NamedTuple

from orlop.model import WantedResource
from orlop.satellite.converge import Course
from orlop.satellite.plan import Key, Part

NOW, NEVER = float("-inf"), float("inf")


class Task:
    """What is wanted of one resource, and when to work on it."""

    def __init__(self, wanted: WantedResource) -> None:
        self.wanted = wanted
        self.due = NOW
        self.failures = 0
        self.looked = False  # since the last `Sync`
        self.course: Course | None = None
        self.stands = False  # only what is held back differs from the order before: what was reported then still holds
        self.lacking: frozenset[str] = frozenset()  # secrets that the last look found missing
        self.refused: frozenset[Key] = frozenset()  # what the last attempt could not even plan


class Job(NamedTuple):
    """Something to carry out for one resource."""

    task: Task
    course: Course
    parts: tuple[Part, ...]
