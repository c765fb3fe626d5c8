"""Snapshots."""

from __future__ import annotations

from collections.abc import Iterator

from orlop import model
from orlop.controller import wire
from orlop.controller.picture import Picture
from orlop.controller.reported import Reported
from orlop.controller.snapshotting import reported_snapshot
from orlop.model import KIB, key


def snapshot(reported: Reported, of: model.ResourceDefinition, wanted: model.Snapshot) -> wire.Snapshot:
    return wire.Snapshot(
        name=wanted.name,
        resource_name=of.name,
        nodes=tuple(part.node for part in wanted.nodes),
        props=wanted.props,
        snapshot_definition_props=wanted.props,
        resource_definition_props=wanted.resource_definition_props,
        flags=tuple(sorted(wanted.flags)),
        volume_definitions=tuple(
            wire.SnapshotVolumeDefinition(
                volume_number=v.number, size_kib=v.size // KIB, volume_definition_props=v.props
            )
            for v in wanted.volume_definitions
        ),
        uuid=wanted.uuid,
        snapshots=tuple(_part(reported, of, wanted, part) for part in wanted.nodes),
    )


def of_definition(reported: Reported, of: model.ResourceDefinition) -> list[wire.Snapshot]:
    return [snapshot(reported, of, s) for s in sorted(of.snapshots, key=lambda s: key(s.name))]


def matching(picture: Picture, names: frozenset[str], nodes: frozenset[str]) -> Iterator[tuple[str, model.Snapshot]]:
    """(key of the definition, snapshot) by resource, then name; empty filters let everything through."""
    for name in sorted(names & picture.definitions.keys()) if names else sorted(picture.definitions):
        for found in sorted(picture.definitions[name].snapshots, key=lambda s: key(s.name)):
            if not nodes or any(key(part.node) in nodes for part in found.nodes):
                yield name, found


def _part(
    reported: Reported, of: model.ResourceDefinition, wanted: model.Snapshot, part: model.NodeSnapshot
) -> wire.SnapshotNode:
    report = reported.resource(part.node, of.name)
    volumes = []
    for volume in part.volumes:
        seen = reported_snapshot(report, volume.uuid)
        volumes.append(
            wire.SnapshotVolumeNode(
                uuid=volume.uuid, vlm_nr=volume.number, state=(seen.problem or seen.presence) if seen else None
            )
        )
    return wire.SnapshotNode(
        snapshot_name=wanted.name,
        node_name=part.node,
        create_timestamp=part.created,
        flags=tuple(sorted(part.flags)),
        uuid=part.uuid,
        snapshot_props=part.props,
        snapshot_volumes=tuple(volumes),
    )
