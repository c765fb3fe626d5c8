"""Explained placements."""

from __future__ import annotations

from orlop.controller import wire
from orlop.controller.api.views.groups import select_filter
from orlop.controller.placement.explaining import NodeExplained, PoolExplained
from orlop.controller.usecases import explaining
from orlop.model import KIB


def explanation(of: explaining.Answer) -> wire.PlacementExplanation:
    explanation, rule, summary = of
    tried = explanation.attempt
    return wire.PlacementExplanation(
        possible=tried.succeeded,
        summary=summary,
        wanted=tried.request.wanted,
        size_kib=tried.request.size // KIB,
        policy=tried.scores.policy,
        layer_stack=tried.request.layers,
        select_filter=select_filter(rule),
        complete=tried.choice.complete,
        changes=tuple(wire.PlacementChange(steps=c.steps, request=c.request) for c in explanation.changes),
        nodes=tuple(_node(node) for node in explanation.nodes),
    )


def _node(node: NodeExplained) -> wire.ExplainedNode:
    return wire.ExplainedNode(
        node_name=node.name,
        replica=node.replica,
        reasons=tuple(objection.text for objection in node.objections),
        pools=tuple(_pool(pool) for pool in node.pools),
    )


def _pool(of: PoolExplained) -> wire.ExplainedPool:
    candidate = of.candidate
    return wire.ExplainedPool(
        storage_pool_name=candidate.pool.name,
        provider_kind=candidate.pool.provider,
        free_kib=candidate.free // KIB,
        promised_kib=candidate.reserved // KIB,
        chosen=of.chosen,
        rank=of.rank,
        score=of.score,
        points=dict(of.points),
        reasons=tuple(objection.text for objection in of.objections),
        note=of.note or None,
    )
