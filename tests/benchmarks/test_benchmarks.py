"""The benchmarks run; how fast anything is here is nobody's business."""

from pathlib import Path

import pytest

from benchmarks import drbd
from benchmarks.__main__ import run
from benchmarks.seed import Scale
from benchmarks.table import Figure

TINY = Scale(nodes=3, resources=6)


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("store", "load of 6 definitions"),
        ("view", "view of one in the server, p99"),
        ("placement", "placements, 3 nodes, 6 resources"),
        ("votes", "tiebreakers for 6 definitions in one change, each"),
        ("satellite", "memory of an idle satellite"),
        ("commands", "FILE_THIN: look at 200 volumes"),
        ("drbd", "DRBD: start with 200 resources that are up"),
        ("healing", "evacuate one node of 40: the plan"),
        ("simulated", "resources spawned by 8 clients"),
        pytest.param("real", "create a resource over REST", marks=pytest.mark.root),
    ],
)
def test_each_benchmark_measures_what_it_is_for(name: str, figure: str, tmp_path: Path) -> None:
    found = {f.name: f for f in run([name], TINY, seconds=0.5, parent=tmp_path)}
    assert found[figure].measured > 0


def test_a_start_over_resources_that_are_up_takes_as_many_programs_whatever_their_number() -> None:
    few, many = ([figure.measured for figure in drbd.in_memory(number)][1] for number in (3, 30))
    assert few == many


def test_a_figure_above_its_bound_is_missed() -> None:
    assert [Figure("", measured, "ms", 10).missed for measured in (9.0, 10.0, 11.0)] == [False, False, True]


def test_a_rate_below_its_bound_is_missed() -> None:
    assert [Figure("", measured, "/s", 100, at_least=True).missed for measured in (99.0, 101.0)] == [True, False]


def test_a_figure_for_information_has_no_verdict() -> None:
    assert str(Figure("load", 0.5, "s")).split() == ["load", "0.5", "s"]
