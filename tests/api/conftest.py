"""A real core over commits kept in memory, and satellites that are values fed into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from orlop.controller.api import create_application
from orlop.controller.error_reports import ErrorReports
from tests.api.cluster import Cluster

MISSING = pytest.StashKey[int]()


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def reports(tmp_path: Path, cluster: Cluster) -> ErrorReports:
    return ErrorReports(tmp_path / "error-reports", cluster.clock, "controller")


@pytest.fixture
def application(cluster: Cluster, reports: ErrorReports) -> Flask:
    return create_application(cluster.core, reports)


@pytest.fixture
def api(application: Flask) -> Iterator[FlaskClient]:
    with application.test_client() as client:
        yield client


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Any:
    """Tell how many endpoints are not part of this version."""

    def count(number: int) -> None:
        request.config.stash[MISSING] = number

    return count


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    number = config.stash.get(MISSING, None)
    if number is not None:
        terminalreporter.write_line(f"REST API: {number} endpoints of the common API are not part of this version")
