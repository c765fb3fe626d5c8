"""Find what a request names, or say that it does not exist."""

from orlop.codes import Fail
from orlop.controller.picture import Picture
from orlop.errors import NotFound
from orlop.model import (
    KeyValueStore,
    Node,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    Snapshot,
    StoragePool,
    StoragePoolDefinition,
    VolumeDefinition,
    VolumeGroup,
    key,
)


def node(picture: Picture, name: str) -> Node:
    found = picture.node(name)
    if found is None:
        raise NotFound(
            f"Node '{name}' not found.",
            correction="See 'orlop node list' for the names of the nodes.",
            code=Fail.NOT_FOUND_NODE,
        )
    return found


def pool(picture: Picture, node_name: str, name: str) -> StoragePool:
    node(picture, node_name)
    found = picture.pool(node_name, name)
    if found is None:
        raise NotFound(
            f"Storage pool '{name}' on node '{node_name}' not found.",
            correction="See 'orlop storage-pool list' for the pools of each node.",
            code=Fail.NOT_FOUND_STOR_POOL,
        )
    return found


def group(picture: Picture, name: str) -> ResourceGroup:
    found = picture.group(name)
    if found is None:
        raise NotFound(
            f"Resource group '{name}' not found.",
            correction="See 'orlop resource-group list'.",
            code=Fail.NOT_FOUND_RSC_GRP,
        )
    return found


def definition(picture: Picture, name: str) -> ResourceDefinition:
    found = picture.definition(name)
    if found is None:
        raise NotFound(
            f"Resource definition '{name}' not found.",
            correction="See 'orlop resource-definition list'.",
            code=Fail.NOT_FOUND_RSC_DFN,
        )
    return found


def volume_definition(of: ResourceDefinition, number: int) -> VolumeDefinition:
    for found in of.volume_definitions:
        if found.number == number:
            return found
    raise NotFound(
        f"Volume definition {number} of resource definition '{of.name}' not found.",
        correction="See 'orlop volume-definition list'.",
        code=Fail.NOT_FOUND_VLM_DFN,
    )


def resource(of: ResourceDefinition, node_name: str) -> Resource:
    for found in of.resources:
        if key(found.node) == key(node_name):
            return found
    raise NotFound(
        f"Resource '{of.name}' on node '{node_name}' not found.",
        correction="See 'orlop resource list' for where the resource is deployed.",
        code=Fail.NOT_FOUND_RSC,
    )


def snapshot(of: ResourceDefinition, name: str) -> Snapshot:
    for found in of.snapshots:
        if key(found.name) == key(name):
            return found
    raise NotFound(
        f"Snapshot '{name}' of resource '{of.name}' not found.",
        correction="See 'orlop snapshot list'.",
        code=Fail.NOT_FOUND_SNAPSHOT,
    )


def pool_definition(picture: Picture, name: str) -> StoragePoolDefinition:
    found = picture.pool_definitions.get(key(name))
    if found is None:
        raise NotFound(f"Storage pool definition '{name}' not found.", code=Fail.NOT_FOUND_STOR_POOL_DFN)
    return found


def volume_group(of: ResourceGroup, number: int) -> VolumeGroup:
    for found in of.volume_groups:
        if found.number == number:
            return found
    raise NotFound(f"Volume group {number} of resource group '{of.name}' not found.", code=Fail.NOT_FOUND_VLM_GRP)


def key_value_store(picture: Picture, name: str) -> KeyValueStore:
    found = picture.key_values.get(key(name))
    if found is None:
        raise NotFound(f"Key-value store '{name}' not found.", code=Fail.NOT_FOUND_KVS)
    return found
