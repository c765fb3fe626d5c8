"""`python -m demo`: the demo; `--keep` leaves its cluster running, `--stop` ends that one."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from demo import file_systems, machine
from demo.cluster import Cluster, ClusterError
from demo.story import Story

DIRECTORY = Path(os.environ.get("ORLOP_DEMO_DIRECTORY", "/var/tmp/orlop-demo"))
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Ctrl-C, or somebody ended the demo."""


def interrupt(number: int, _: FrameType | None) -> None:
    ignore_ending()
    raise Interrupted(signal.Signals(number).name)


def ignore_ending() -> None:
    """Cleaning up is not to be interrupted."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the cluster running at the end")
    parser.add_argument("--stop", action="store_true", help="end a cluster that was left running")
    options = parser.parse_args()
    cluster = Cluster(DIRECTORY)
    if options.stop and not DIRECTORY.exists():
        print(f"No demo is running: {DIRECTORY} does not exist.")
        return 0
    try:
        cluster.open()
        return stop(cluster) if options.stop else run(cluster, options.keep)
    except ClusterError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def stop(cluster: Cluster) -> int:
    problems = cluster.end()
    for problem in [*problems, *cluster.leftovers()]:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    print("The demo's cluster has ended; no process, mount, loop device or file of it is left.")
    return 0


def run(cluster: Cluster, keep: bool) -> int:
    if not fresh(cluster):
        return 1
    for number in ENDING:
        signal.signal(number, interrupt)
    done = False
    try:
        Story(cluster, keep).tell()
        done = True
    except Interrupted as reason:
        print(f"\n{reason}: cleaning up", file=sys.stderr)
    except (ClusterError, OSError, subprocess.SubprocessError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        print(cluster.last_words(), file=sys.stderr)
    ignore_ending()
    if done and keep:
        cluster.kept.touch()
        return 0
    return max(stop(cluster), 0 if done else 1)


def fresh(cluster: Cluster) -> bool:
    """Remove what a crashed demo left; whether the machine is ready for a new one."""
    if cluster.kept.exists() and cluster.running():
        raise ClusterError("a cluster of 'make demo KEEP=1' is running; end it with: make demo-stop")
    if any(cluster.directory.iterdir()):
        print(f"An earlier demo left something in {cluster.directory}: cleaning up first.", flush=True)
        problems = cluster.end()
        if problems:
            raise ClusterError("; ".join(problems))
        cluster.close()
        cluster.open()
    obstacles = machine.obstacles(
        cluster.directory, cluster.addresses(), {**machine.PACKAGES, **file_systems.growing().packages}
    )
    for obstacle in obstacles:
        print(f"The demo can't run here. {obstacle}", file=sys.stderr)
    if obstacles:
        cluster.directory.rmdir()
    return not obstacles


if __name__ == "__main__":
    sys.exit(main())
