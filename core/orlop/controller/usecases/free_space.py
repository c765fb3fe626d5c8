"""How much space there is for resources of a group."""

from __future__ import annotations

from typing import NamedTuple

from orlop import codes
from orlop.codes import Subject
from orlop.controller import placement, stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.capacity import ratios
from orlop.controller.core import Core
from orlop.controller.placement import Candidate, Cluster, NotEnoughNodes, place
from orlop.controller.properties import Kind, Source
from orlop.controller.usecases import choosing, filters, lookup
from orlop.drivers import STORAGE
from orlop.model import KIB, ResourceGroup, SelectFilter, StoragePool, key


class _Space(NamedTuple):
    candidate: Candidate
    free: int
    total: int


def _cluster(core: Core, group: ResourceGroup | None) -> Cluster:
    asked = {Kind.RESOURCE_GROUP: Source(group.name, group.props)} if group else {}
    return choosing.cluster(core, core.picture, asked)


def _spaces(
    core: Core, rule: SelectFilter, layers: tuple[str, ...], group: ResourceGroup | None = None
) -> list[_Space]:
    """Every pool that could take the smallest volume, most free first."""
    cluster = _cluster(core, group)
    found = []
    for candidate, why in placement.candidates(cluster, 4 * KIB, rule, layers, None):
        seen = core.reported.pool(candidate.node.name, candidate.pool.name)
        if why is None and seen is not None and seen.capacity is not None:
            found.append(_Space(candidate, candidate.free, int(seen.capacity.total * _ratio(core, candidate.pool))))
    return sorted(found, key=lambda s: (-s.free, key(s.candidate.node.name), key(s.candidate.pool.name)))


def _ratio(core: Core, pool: StoragePool) -> float:
    return ratios(core.picture, pool)[2] if _thin(core, pool) else 1.0


def _thin(core: Core, pool: StoragePool) -> bool:
    return bool(core.drivers.load(STORAGE, pool.provider).thin)


def _simulate(spaces: list[int], count: int) -> int:
    """Repeatedly take the `count` roomiest pools and subtract what the smallest of them has."""
    left = sorted((s for s in spaces if s > 0), reverse=True)
    total = 0
    while count > 0 and len(left) >= count:
        step = left[count - 1]
        total += step
        left = sorted([s - step for s in left[:count] if s > step] + left[count:], reverse=True)
    return total


def query_size_info(core: Core, group_name: str, request: wire.QuerySizeInfoRequest) -> wire.QuerySizeInfoResponse:
    group = lookup.group(core.picture, group_name)
    rule = filters.merged(filters.asked(request.select_filter), group.select_filter)
    layers = stacks.checked_stack(core.drivers, rule.layers or stacks.default_stack(core.drivers, core.reported))
    count = rule.place_count if rule.place_count is not None else 1
    answers = Answers(codes.MODIFY, Subject.RSC_GRP, RscGrp=group.name)
    cluster = _cluster(core, group)
    chosen: list[Candidate] = []
    try:
        chosen = place(cluster, count, 4 * KIB, rule, layers, None, **choosing.plugins(core))
    except NotEnoughNodes as error:
        answers.refused(error)
    per_node: dict[str, _Space] = {}
    for space in _spaces(core, rule, layers, group):
        per_node.setdefault(key(space.candidate.node.name), space)
    general = [ratios(core.picture, c.pool) for c in chosen]
    return wire.QuerySizeInfoResponse(
        space_info=wire.QuerySizeInfoResponseSpaceInfo(
            max_vlm_size_in_kib=min((c.free for c in chosen), default=0) // KIB,
            available_size_in_kib=_simulate([s.free for s in per_node.values()], count) // KIB,
            capacity_in_kib=_simulate([s.total for s in per_node.values()], count) // KIB,
            default_max_oversubscription_ratio=20.0,
            max_oversubscription_ratio=min((r[0] for r in general), default=None),
            max_free_capacity_oversubscription_ratio=min((r[1] for r in general), default=None),
            max_total_capacity_oversubscription_ratio=min((r[2] for r in general), default=None),
            next_spawn_result=tuple(
                wire.QuerySizeInfoSpawnResult(
                    node_name=c.node.name,
                    stor_pool_name=c.pool.name,
                    stor_pool_oversubscription_ratio=r[0],
                    stor_pool_free_capacity_oversubscription_ratio=r[1],
                    stor_pool_total_capacity_oversubscription_ratio=r[2],
                )
                for c, r in zip(chosen, general, strict=True)
            ),
        ),
        reports=tuple(answers),
    )


def query_all_size_info(core: Core, request: wire.QueryAllSizeInfoRequest) -> wire.QueryAllSizeInfoResponse:
    one = wire.QuerySizeInfoRequest(select_filter=request.select_filter)
    return wire.QueryAllSizeInfoResponse(
        result={g.name: query_size_info(core, g.name, one) for g in core.picture.groups.values()}
    )


def max_volume_sizes(core: Core, body: wire.AutoSelectFilter | None, group_name: str | None) -> wire.MaxVolumeSizes:
    """Per pool name: the largest volume that `place_count` nodes could take in pools of that name."""
    rule = filters.asked(body)
    group = lookup.group(core.picture, group_name) if group_name is not None else None
    if group is not None:
        rule = filters.merged(rule, group.select_filter)
    layers = stacks.checked_stack(core.drivers, rule.layers or stacks.default_stack(core.drivers, core.reported))
    count = max(1, rule.place_count or 1)
    by_name: dict[str, list[_Space]] = {}
    for space in _spaces(core, rule, layers, group):
        by_name.setdefault(space.candidate.pool.name, []).append(space)
    candidates = []
    for name, spaces in sorted(by_name.items()):
        if len(spaces) < count:
            continue
        candidates.append(
            wire.Candidate(
                storage_pool=name,
                max_volume_size_kib=spaces[count - 1].free // KIB,
                node_names=tuple(s.candidate.node.name for s in spaces[:count]),
                all_thin=all(_thin(core, s.candidate.pool) for s in spaces[:count]),
            )
        )
    return wire.MaxVolumeSizes(candidates=tuple(candidates), default_max_oversubscription_ratio=20.0)
