"""What holds for every test: who may run it, and whether a skip is good enough."""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

STRICT = os.environ.get("ORLOP_TEST_STRICT") == "1"  # set where everything has to run: a skip is a failure then

# A change is judged on examples that are the same in every run; new ones are looked for by hand and by developers.
settings.register_profile("strict", derandomize=True)
if STRICT:
    settings.load_profile("strict")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root and real loop devices")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _no_skip(report) if not hasattr(report, "wasxfail") else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _no_skip(report)


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _no_skip(report: Report) -> Report:
    if STRICT and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"ORLOP_TEST_STRICT forbids skipping. {reason}"
    return report
