"""What the API needs besides the core."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from orlop.controller import wire
from orlop.controller.api.limits import Limits
from orlop.controller.api.views.fragments import Fragments
from orlop.controller.error_reports import ErrorReports


@dataclass(frozen=True)
class Site:
    reports: ErrorReports
    limits: Limits
    config: wire.ControllerConfig
    fragments: Fragments = field(default_factory=Fragments)
    scrapes: Iterator[int] = field(default_factory=lambda: itertools.count(1))  # numbers of scrapes, atomic
