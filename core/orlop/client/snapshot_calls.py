"""Snapshots."""

from collections.abc import Mapping, Sequence

from orlop.client.answer import Answer
from orlop.client.bodies import Changes, given
from orlop.client.caller import Caller
from orlop.client.values import Snapshot
from orlop.client.wire import path, query

_ROOT = "resource-definitions"


class SnapshotCalls(Caller):
    def snapshots(self, resources: Sequence[str] = (), nodes: Sequence[str] = ()) -> list[Snapshot]:
        wanted = query(nodes=list(nodes), resources=list(resources))
        return self.read(list[Snapshot], path("view", "snapshots"), wanted)

    def snapshots_of(self, resource: str) -> list[Snapshot]:
        return self.read(list[Snapshot], path(_ROOT, resource, "snapshots"))

    def snapshot(self, resource: str, name: str) -> Snapshot:
        return self.read(Snapshot, path(_ROOT, resource, "snapshots", name))

    def create_snapshot(self, resource: str, name: str, nodes: Sequence[str] = ()) -> Answer:
        """Without nodes on every node that has a disk."""
        body = given(name=name, nodes=list(nodes) or None)
        return self.command("POST", path(_ROOT, resource, "snapshots"), body)

    def create_snapshots(self, name: str, resources: Sequence[str], nodes: Sequence[str] = ()) -> Answer:
        """Of several resources at one moment."""
        wanted = [given(name=name, resource_name=each, nodes=list(nodes) or None) for each in resources]
        return self.command("POST", path("actions", "snapshot", "multi"), {"snapshots": wanted})

    def modify_snapshot(self, resource: str, name: str, changes: Changes) -> Answer:
        return self.command("PUT", path(_ROOT, resource, "snapshots", name), changes.body())

    def lock_snapshot(self, resource: str, name: str, locked: bool = True) -> Answer:
        """Locked, it is not deleted until it is unlocked."""
        where = path("orlop", _ROOT, resource, "snapshots", name, "lock" if locked else "unlock")
        return self.command("POST", where)

    def delete_snapshot(self, resource: str, name: str, nodes: Sequence[str] = ()) -> Answer:
        return self.command("DELETE", path(_ROOT, resource, "snapshots", name), query=query(nodes=list(nodes)))

    def restore_volume_definitions(self, resource: str, snapshot: str, to: str) -> Answer:
        """Give an existing, empty definition the volumes of the snapshot."""
        where = path(_ROOT, resource, "snapshot-restore-volume-definition", snapshot)
        return self.command("POST", where, {"to_resource": to})

    def restore_resource(
        self,
        resource: str,
        snapshot: str,
        to: str,
        nodes: Sequence[str] = (),
        pool_names: Mapping[str, str] | None = None,
    ) -> Answer:
        """`pool_names` maps the pools of the snapshot to others."""
        body = given(to_resource=to, nodes=list(nodes) or None, stor_pool_rename=pool_names or None)
        return self.command("POST", path(_ROOT, resource, "snapshot-restore-resource", snapshot), body)

    def rollback_snapshot(self, resource: str, snapshot: str, zfs_strategy: str | None = None) -> Answer:
        body = given(zfs_rollback_strategy=zfs_strategy)
        return self.command("POST", path(_ROOT, resource, "snapshot-rollback", snapshot), body)
