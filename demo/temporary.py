"""Clusters for tests and measurements: beside the demo's, on ports and addresses of their own, gone at the end."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import machine
from demo.cluster import Cluster, ClusterError, Node, Ports

# Not where temporary files usually are: that may be a tmpfs, which keeps no extended attributes on older kernels.
PARENT = Path("/var/tmp")
PORTS = Ports(rest=13370, enrolment=13371, satellite=13366)
NODES = tuple(Node(name, f"127.0.0.{21 + number}") for number, name in enumerate(("alpha", "bravo", "charlie")))


@contextmanager
def temporary_cluster(pools: bool = True) -> Iterator[Cluster]:
    """Three nodes online, each with a pool `pool1` unless `pools` is false. Nothing of it may be left at the end."""
    directory = Path(tempfile.mkdtemp(prefix="orlop-cluster-", dir=PARENT))
    cluster = Cluster(directory, NODES, PORTS)
    obstacles = machine.obstacles(directory, cluster.addresses())
    if obstacles:
        directory.rmdir()
        raise ClusterError(" ".join(obstacles))
    try:
        cluster.assemble(pools)
        yield cluster
    except BaseException:
        print(cluster.last_words(), file=sys.stderr)
        raise
    finally:
        problems = cluster.end()
        cluster.close()
    if problems:
        raise ClusterError("; ".join(problems))
