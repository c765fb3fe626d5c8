"""A replicated resource on logical volumes, made and used through the real product."""

from __future__ import annotations

from collections.abc import Mapping

from orlop.client import NewResource
from orlop.client.values import Resource
from tests.lab.cluster import Cluster
from tests.lab.node import Node

FAST = {"DrbdOptions/PeerDevice/c-plan-ahead": "0", "DrbdOptions/PeerDevice/resync-rate": "102400"}


class Replicated:
    """A resource on some nodes, `size` in MiB; what is below DRBD is read from the logical volumes themselves."""

    def __init__(self, cluster: Cluster, name: str, size: int, more: Mapping[str, str] = {}) -> None:
        self.cluster, self.client, self.name, self.size, self.more = cluster, cluster.client, name, size, more

    def define(self, group: str | None = None) -> Replicated:
        props = {**FAST, **self.more}
        self.client.create_resource_definition(self.name, layers=["DRBD", "STORAGE"], props=props, group=group)
        if self.size:
            self.client.create_volume_definition(self.name, self.size << 10)
        return self

    def restored(self, snapshot: str, to: str) -> Replicated:
        """A new resource with the content of a snapshot."""
        copy = Replicated(self.cluster, to, 0, self.more).define()
        copy.size = self.size
        self.client.restore_volume_definitions(self.name, snapshot, to)
        self.client.restore_resource(self.name, snapshot, to)
        return copy

    def deploy(self, *nodes: Node, pool: str = "pool") -> None:
        for node in nodes:
            self.client.create_resource(self.name, NewResource(node=node.name, storage_pool=pool))

    def on(self, node: Node) -> Resource:
        return next(r for r in self.client.resources([self.name]) if r.node_name == node.name)

    def state(self, node: Node) -> str | None:
        return self.on(node).volumes[0].state.disk_state

    def wait_synchronized(self, *nodes: Node) -> None:
        """Every disk is up to date, and no node sees another that is not in step."""

        def done() -> bool:
            return all(
                self.state(node) == "UpToDate"
                and {s.replication_state for s in self.on(node).volumes[0].state.replication_states.values()}
                == {"Established"}
                for node in nodes
            )

        self.cluster.wait(f"{self.name} is synchronized", done)

    def device(self, node: Node) -> str:
        return self.cluster.device(self.name, node)

    def backing_hash(self, node: Node) -> str:
        """Of the data area of the logical volume, past all caches."""
        reading = f"dd if=/dev/vg0/{self.name}_00000 bs=1M count={self.size} iflag=direct status=none | sha256sum"
        return node.shell(reading).split()[0]

    def write(self, node: Node, size: int, seek: int = 0) -> None:
        where = (f"of=/dev/drbd/by-res/{self.name}/0", "bs=1M", f"count={size}", f"seek={seek}")
        node.run("dd", "if=/dev/urandom", *where, "oflag=direct", "conv=notrunc,fsync", "status=none")

    def make_primary(self, node: Node) -> None:
        node.run("drbdadm", "primary", self.name)

    def make_secondary(self, node: Node) -> None:
        node.run("drbdadm", "secondary", self.name)

    def delete(self) -> None:
        self.client.delete_resource_definition(self.name)
