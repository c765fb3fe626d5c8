"""All routes of the API."""

from __future__ import annotations

from collections.abc import Iterator

from orlop.controller.api import (
    absent,
    definitions,
    drbd_proxy,
    encryption,
    error_reports,
    events,
    extensions,
    groups,
    healing,
    monitoring,
    nodes,
    operating,
    placing,
    planning,
    pools,
    protection,
    remotes,
    resources,
    settings,
    sites,
    snapshots,
    statistics,
    toggle_disk,
    waiting,
)
from orlop.controller.api.routes import Route

SERVED = (
    settings.route,
    nodes.route,
    pools.route,
    definitions.route,
    encryption.route,
    resources.route,
    drbd_proxy.route,
    toggle_disk.route,
    snapshots.route,
    groups.route,
    error_reports.route,
    statistics.route,
    events.route,
    monitoring.route,
    remotes.route,
    extensions.route,
    operating.route,
    healing.route,
    protection.route,
    placing.route,
    planning.route,
    sites.route,
    waiting.route,
)


def every_route() -> Iterator[Route]:
    for served in SERVED:
        yield from served
    yield from absent.routes()
