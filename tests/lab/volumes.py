"""One volume on one node, made and used through the real product; its content is judged by hash, on the device."""

from __future__ import annotations

from orlop.client import ApiError, Client, NewResource
from tests.lab.cluster import Cluster
from tests.lab.node import Node

MIB = 1 << 20


def take(client: Client, name: str, snapshot: str) -> None:
    """Of replicas. Emulated nodes may be so slow that the lease runs out: that is told, and nothing is lost by it."""
    for _ in range(6):
        try:
            client.create_snapshot(name, snapshot)
        except ApiError as error:
            assert "lasted too long" in str(error)  # noqa: PT017
            client.delete_snapshot(name, snapshot)
        else:
            return
    raise AssertionError("no lease was long enough")


class Volume:
    """A resource of one replica in `pool`. Sizes in MiB. Nothing here keeps its device open between two calls."""

    def __init__(
        self, cluster: Cluster, node: Node, pool: str, name: str, layers: tuple[str, ...] = ("STORAGE",)
    ) -> None:
        self.layers = list(layers)
        self.cluster, self.client = cluster, cluster.client
        self.node, self.pool, self.name = node, pool, name

    # -- what a user asks for -----------------------------------------------------------------------------------

    def define(self, size: int) -> None:
        self.client.create_resource_definition(self.name, layers=self.layers)
        self.client.create_volume_definition(self.name, size << 10)

    def deploy(self) -> None:
        self.client.create_resource(self.name, NewResource(node=self.node.name, storage_pool=self.pool))

    def create(self, size: int) -> Volume:
        self.define(size)
        self.deploy()
        return self

    def snapshot(self, name: str) -> None:
        self.client.create_snapshot(self.name, name)

    def restore(self, snapshot: str, to: str) -> Volume:
        """A new resource with the content of a snapshot."""
        copy = Volume(self.cluster, self.node, self.pool, to, tuple(self.layers))
        self.client.create_resource_definition(to, layers=self.layers)
        self.client.restore_volume_definitions(self.name, snapshot, to)
        self.client.restore_resource(self.name, snapshot, to)
        return copy

    def clone(self, to: str) -> Volume:
        """A new resource with the content that this one has."""
        self.client.clone_resource_definition(self.name, to)
        self.cluster.wait(f"{to} is complete", lambda: self.client.clone_status(self.name, to) == "COMPLETE")
        return Volume(self.cluster, self.node, self.pool, to, tuple(self.layers))

    def roll_back(self, snapshot: str) -> None:
        self.client.rollback_snapshot(self.name, snapshot)

    def grow(self, size: int) -> None:
        self.client.modify_volume_definition(self.name, 0, size_kib=size << 10)

    def delete_snapshot(self, name: str) -> None:
        self.client.delete_snapshot(self.name, name)

    def delete(self) -> None:
        self.client.delete_resource_definition(self.name)

    # -- what is found ------------------------------------------------------------------------------------------

    @property
    def device(self) -> str:
        return self.cluster.device(self.name, self.node)

    def usable(self, size: int) -> bool:
        """Whether the device is there and at least that large."""
        return int(self.node.run("blockdev", "--getsize64", self.device)) >= size * MIB

    def gone(self) -> bool:
        return self.name not in [each.name for each in self.client.resource_definitions()]

    def snapshot_flags(self, name: str) -> set[str]:
        return {flag for each in self.client.snapshots([self.name]) if each.name == name for flag in each.flags}

    def write(self, size: int, offset: int = 0) -> None:
        """Random data that is on the disk afterwards."""
        block = ("bs=1M", f"count={size}", f"seek={offset}", "oflag=direct", "conv=notrunc,fsync", "status=none")
        self.node.run("dd", "if=/dev/urandom", f"of={self.device}", *block)

    def hash(self, size: int) -> str:
        """Of the first so many MiB, read from the device and not from memory."""
        reading = f"dd if={self.device} bs=1M count={size} iflag=direct status=none | sha256sum"
        return self.node.shell(reading).split()[0]
