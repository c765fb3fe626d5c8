"""Storage pools, their definitions and the devices they are made from."""

from collections.abc import Mapping, Sequence
from typing import Any

from orlop.client.answer import Answer
from orlop.client.bodies import Changes, SelectFilter, given
from orlop.client.caller import Caller
from orlop.client.controller_values import Count, FreeSpace
from orlop.client.values import MaxVolumeSizes, PhysicalStorage, PhysicalStorageNode, StoragePool, StoragePoolDefinition
from orlop.client.wire import path, query


class StorageCalls(Caller):
    def storage_pools(
        self,
        nodes: Sequence[str] = (),
        names: Sequence[str] = (),
        props: Sequence[str] = (),
        cached: bool | None = None,
    ) -> list[StoragePool]:
        """`cached` spares the satellites the question for the free space of thin pools."""
        wanted = query(nodes=list(nodes), storage_pools=list(names), props=list(props), cached=cached)
        return self.read(list[StoragePool], path("view", "storage-pools"), wanted)

    def storage_pools_of(self, node: str) -> list[StoragePool]:
        return self.read(list[StoragePool], path("nodes", node, "storage-pools"))

    def storage_pool(self, node: str, name: str) -> StoragePool:
        return self.read(StoragePool, path("nodes", node, "storage-pools", name))

    def create_storage_pool(
        self,
        node: str,
        name: str,
        provider: str,
        props: Mapping[str, str] | None = None,
        shared_space: str | None = None,
        external_locking: bool | None = None,
    ) -> Answer:
        """The backing is the property `StorDriver/StorPoolName`."""
        body = given(
            storage_pool_name=name,
            provider_kind=provider,
            props=dict(props) if props else None,
            free_space_mgr_name=shared_space,
            external_locking=external_locking,
        )
        return self.command("POST", path("nodes", node, "storage-pools"), body)

    def modify_storage_pool(self, node: str, name: str, changes: Changes) -> Answer:
        return self.command("PUT", path("nodes", node, "storage-pools", name), changes.body())

    def delete_storage_pool(self, node: str, name: str) -> Answer:
        return self.command("DELETE", path("nodes", node, "storage-pools", name))

    def lose_storage_pool(self, node: str, name: str) -> Answer:
        """Forget a pool whose devices are gone, with all that was in it."""
        return self.command("DELETE", path("nodes", node, "storage-pools", name, "lost"))

    def storage_pool_definitions(self) -> list[StoragePoolDefinition]:
        return self.read(list[StoragePoolDefinition], path("storage-pool-definitions"))

    def storage_pool_definition(self, name: str) -> StoragePoolDefinition:
        return self.read(StoragePoolDefinition, path("storage-pool-definitions", name))

    def create_storage_pool_definition(self, name: str, props: Mapping[str, str] | None = None) -> Answer:
        body = given(storage_pool_name=name, props=dict(props) if props else None)
        return self.command("POST", path("storage-pool-definitions"), body)

    def modify_storage_pool_definition(self, name: str, changes: Changes) -> Answer:
        return self.command("PUT", path("storage-pool-definitions", name), changes.body())

    def delete_storage_pool_definition(self, name: str) -> Answer:
        return self.command("DELETE", path("storage-pool-definitions", name))

    def storage_pool_count(self) -> int:
        return self.read(Count, path("stats", "storage-pools")).count

    def physical_storage(self) -> list[PhysicalStorage]:
        return self.read(list[PhysicalStorage], path("physical-storage"))

    def physical_storage_of(self, node: str) -> list[PhysicalStorageNode]:
        return self.read(list[PhysicalStorageNode], path("physical-storage", node))

    def create_device_pool(
        self,
        node: str,
        provider: str,
        devices: Sequence[str],
        pool: str | None = None,
        storage_pool: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Answer:
        """`storage_pool` {name, props, ...} also makes it known; `more` are further members of the body."""
        body = given(
            provider_kind=provider,
            device_paths=list(devices),
            pool_name=pool,
            with_storage_pool=dict(storage_pool) if storage_pool else None,
            **more,
        )
        return self.command("POST", path("physical-storage", node), body)

    def delete_device_pool(self, node: str, storage_pool: str) -> Answer:
        """Forget an empty storage pool, take apart what was made for it, and wipe the devices."""
        return self.command("DELETE", path("orlop", "physical-storage", node, storage_pool))

    def delete_backing(self, node: str, provider: str, pool: str) -> Answer:
        """The same for what is no storage pool."""
        wanted = query(provider_kind=provider, pool_name=pool)
        return self.command("DELETE", path("orlop", "physical-storage", node), query=wanted)

    def free_space(
        self, redundancy: int = 1, nodes: Sequence[str] = (), pools: Sequence[str] = (), group: str | None = None
    ) -> FreeSpace:
        """How large one volume with so many replicas could be."""
        wanted = query(redundancy=redundancy, nodes=list(nodes), storage_pools=list(pools), resource_group=group)
        return self.read(FreeSpace, path("orlop", "free-space"), wanted)

    def max_volume_sizes(self, select: SelectFilter) -> MaxVolumeSizes:
        return self.read(MaxVolumeSizes, path("query-max-volume-size"), method="OPTIONS", body=select)
