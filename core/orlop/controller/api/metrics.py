"""What Prometheus is told, computed from the picture and the reports at every scrape."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

import orlop
from orlop.controller.api.views import nodes, pools, states
from orlop.controller.core import Core
from orlop.controller.progress import reported_volume
from orlop.controller.reported import Status
from orlop.model import KIB, Resource, ResourceDefinition

STATUS_NUMBERS = {
    Status.OFFLINE: 0,
    Status.CONNECTED: 1,
    Status.ONLINE: 2,
    Status.VERSION_MISMATCH: 3,
    Status.FULL_SYNC_FAILED: 4,
    Status.AUTHENTICATION_ERROR: 5,
    Status.UNKNOWN: 6,
    Status.HOSTNAME_MISMATCH: 7,
    Status.OTHER_CONTROLLER: 8,
    Status.AUTHENTICATED: 9,
    Status.NO_STLT_CONN: 10,
}
UNKNOWN = -1
VOLUME_STATES = {"UpToDate": 1, states.CREATED: 2, states.DISKLESS: 4, states.FAILED: 6, "Foreign": 6, "Missing": 6}
TRANSITION = 7
RESOURCE_LABELS = ["node", "resource"]
VOLUME_LABELS = ["node", "resource", "volume", "storage_pool"]
POOL_LABELS = ["node", "storage_pool", "driver", "backing_pool"]


class Metrics(Collector):
    """One scrape. `error_reports` is their number, None to leave them out."""

    def __init__(
        self, core: Core, scrapes: Iterator[int], *, resources: bool, pools: bool, error_reports: int | None
    ) -> None:
        self._core = core
        self._scrapes = scrapes
        self._resources = resources
        self._pools = pools
        self._error_reports = error_reports

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        started = time.monotonic()
        yield from self._cluster()
        if self._resources:
            yield from self._of_resources()
        if self._pools:
            yield from self._of_pools()
        if self._error_reports is not None:
            reports = GaugeMetricFamily("linstor_error_reports_count", "Error reports", labels=["module"])
            reports.add_metric(["Controller"], self._error_reports)
            yield reports
        # A counter would be called `..._total`, which is not the name that dashboards know.
        yield UnknownMetricFamily("linstor_scrape_requests_count", "Scrapes since the start", value=next(self._scrapes))
        yield GaugeMetricFamily(
            "linstor_scrape_duration_seconds", "Time this scrape took", value=time.monotonic() - started
        )

    def _cluster(self) -> Iterator[Metric]:
        picture, reported = self._core.picture, self._core.reported
        about = GaugeMetricFamily(
            "linstor_info", "The controller", labels=["controller_hostname", "buildid", "gitid", "version"]
        )
        about.add_metric([socket.gethostname(), "", "", orlop.__version__], 1)
        yield about
        state = GaugeMetricFamily("linstor_node_state", "Connection status", labels=["hostname", "nodetype"])
        attempts = GaugeMetricFamily(
            "linstor_node_reconnect_attempt_count", "Attempts to reach an absent node", labels=["hostname", "nodetype"]
        )
        for node in picture.nodes.values():
            status = nodes.status(reported, node)
            state.add_metric([node.name, node.kind], STATUS_NUMBERS[status])
            attempts.add_metric([node.name, node.kind], reported.node(node.name).attempts)
        yield state
        yield attempts
        yield GaugeMetricFamily(
            "linstor_resource_definition_count", "Resource definitions", value=len(picture.definitions)
        )

    def _of_resources(self) -> Iterator[Metric]:
        counts = GaugeMetricFamily(
            "linstor_resource_definition_resource_count", "Resources of a definition", labels=["resource"]
        )
        sizes = GaugeMetricFamily(
            "linstor_volume_definition_size_bytes", "Size as asked for", labels=["resource", "volume"]
        )
        roles = GaugeMetricFamily(
            "linstor_resource_state", "-1 unknown, 0 not in use, 1 in use", labels=RESOURCE_LABELS
        )
        state = GaugeMetricFamily("linstor_volume_state", "State of a volume", labels=VOLUME_LABELS)
        allocated = GaugeMetricFamily(
            "linstor_volume_allocated_size_bytes", "Taken from the pool", labels=VOLUME_LABELS
        )
        for definition in self._core.picture.definitions.values():
            counts.add_metric([definition.name], len(definition.resources))
            for volume in definition.volume_definitions:
                sizes.add_metric([definition.name, str(volume.number)], volume.size)
            for resource in definition.resources:
                self._of_resource(definition, resource, roles, state, allocated)
        return iter((counts, sizes, roles, state, allocated))

    def _of_resource(
        self,
        definition: ResourceDefinition,
        resource: Resource,
        roles: GaugeMetricFamily,
        state: GaugeMetricFamily,
        allocated: GaugeMetricFamily,
    ) -> None:
        report = self._core.reported.resource(resource.node, definition.name)
        use = states.in_use(report)
        roles.add_metric([resource.node, definition.name], UNKNOWN if use is None else int(use))
        for volume in resource.volumes:
            labels = [resource.node, definition.name, str(volume.number), volume.pool]
            seen = reported_volume(report, volume.uuid)
            word = states.disk_state(volume, seen)
            state.add_metric(labels, UNKNOWN if word is None else VOLUME_STATES.get(word, TRANSITION))
            if seen is not None and seen.allocated is not None:
                allocated.add_metric(labels, seen.allocated)

    def _of_pools(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("linstor_storage_pool_capacity_free_bytes", "Free space", labels=POOL_LABELS)
        total = GaugeMetricFamily("linstor_storage_pool_capacity_total_bytes", "Size", labels=POOL_LABELS)
        errors = GaugeMetricFamily("linstor_storage_pool_error_count", "Problems of the pool", labels=POOL_LABELS)
        for pool in pools.pools(self._core.drivers, self._core.picture, self._core.reported):
            backing = pool.props.get("StorDriver/StorPoolName", "")
            labels = [pool.node_name or "", pool.storage_pool_name, pool.provider_kind, backing]
            errors.add_metric(labels, sum(entry.is_error for entry in pool.reports))
            if pool.free_capacity is None or pool.free_capacity == pools.INFINITE:
                continue
            free.add_metric(labels, pool.free_capacity * KIB)
            total.add_metric(labels, (pool.total_capacity or 0) * KIB)
        return iter((free, total, errors))
