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
FIRST = 13370
NODES = tuple(Node(name, f"127.0.0.{21 + number}") for number, name in enumerate(("alpha", "bravo", "charlie")))


def free_ports() -> Ports:
    """Others may be testing on this machine at the same time."""
    for rest in range(FIRST, FIRST + 1000, 10):
        ports = Ports(rest=rest, enrolment=rest + 1, satellite=rest - 4)
        if not any(machine.port_user(address, port) for address, port in Cluster(PARENT, NODES, ports).addresses()):
            return ports
    raise ClusterError(f"no free ports for a cluster between {FIRST} and {FIRST + 1000}")


@contextmanager
def temporary_cluster(pools: bool = True) -> Iterator[Cluster]:
    """Three nodes online, each with a pool `pool1` unless `pools` is false. Nothing of it may be left at the end."""
    directory = Path(tempfile.mkdtemp(prefix="orlop-cluster-", dir=PARENT))
    cluster = Cluster(directory, NODES, free_ports())
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
