"""Choose benchmarks, run them, print one table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from benchmarks import commands, drbd, healing, placement, real, satellite, simulated, store, table, view, votes
from benchmarks.seed import Scale
from benchmarks.table import Figure

Benchmark = Callable[[Path, Scale, float], Iterator[Figure]]
BENCHMARKS: dict[str, Benchmark] = {
    "store": store.figures,
    "view": view.figures,
    "placement": placement.figures,
    "votes": votes.figures,
    "satellite": satellite.figures,
    "commands": commands.figures,
    "drbd": drbd.figures,
    "healing": healing.figures,
    "real": real.figures,
    "simulated": simulated.figures,
}


def run(names: list[str], scale: Scale, seconds: float, parent: Path | None = None) -> Iterator[Figure]:
    for name in names:
        with tempfile.TemporaryDirectory(prefix=f"orlop-bench-{name}-", dir=parent) as directory:
            yield from BENCHMARKS[name](Path(directory), scale, seconds)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--nodes", default=Scale().nodes, show_default=True, help="Simulated nodes.")
@click.option("--resources", default=Scale().resources, show_default=True, help="Resources with two replicas each.")
@click.option("--seconds", default=10.0, show_default=True, help="How long each load lasts.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default="/var/tmp",
    show_default=True,
    help="Where databases and logs are put; on the kind of disk the controller would have.",
)
def main(names: tuple[str, ...], nodes: int, resources: int, seconds: float, directory: Path) -> None:
    """Measure Orlop and print what is wanted and what was found.

    \b
    store      commits and the load of the database
    placement  how long placements take, how evenly pools are filled
    view       lists of resources, inside the server
    votes      tiebreakers and quorum of all replicated definitions, in one change
    satellite  the memory of a satellite with nothing to do
    commands   external programs that each kind of pool needs
    drbd       programs that a satellite with replicated resources runs when it starts
    healing    plans that move replicas, with ten times as many nodes and resources
    real       real files and loop devices on this machine (root)
    simulated  the real controller with simulated nodes in a second process, clients in a third
    """
    table.show(run(list(names or BENCHMARKS), Scale(nodes, resources), seconds, directory))


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
