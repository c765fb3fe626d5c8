"""How much space there is for resources of a group."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.capacity import THIN_RATIO, ratios
from orlop.controller.core import Core
from orlop.controller.placement import (
    Attempt,
    Candidate,
    Cluster,
    NodeRule,
    Request,
    attempt,
    in_turns,
    largest,
    refusal,
)
from orlop.controller.properties import Kind, Source
from orlop.controller.usecases import choosing, filters, lookup
from orlop.drivers import STORAGE
from orlop.errors import Refused
from orlop.model import KIB, ResourceGroup, SelectFilter, StoragePool, key

SMALLEST = 4 * KIB


def _request(core: Core, rule: SelectFilter, layers: tuple[str, ...], count: int) -> Request:
    return Request(count, SMALLEST, rule, layers, overprovision=rule.overprovision, **choosing.plugins(core))


def _cluster(core: Core, group: ResourceGroup | None) -> Cluster:
    asked = {Kind.RESOURCE_GROUP: Source(group.name, group.props)} if group else {}
    return choosing.cluster(core, core.picture, asked)


def _layers(core: Core, rule: SelectFilter) -> tuple[str, ...]:
    return stacks.checked_stack(core.drivers, rule.layers or stacks.default_stack(core.drivers, core.reported))


def _thin(core: Core, pool: StoragePool) -> bool:
    return bool(core.drivers.load(STORAGE, pool.provider).thin)


def query_size_info(core: Core, group_name: str, request: wire.QuerySizeInfoRequest) -> wire.QuerySizeInfoResponse:
    """Sizes are those of what pools hold, before any layer takes its share, as LINSTOR's are."""
    group = lookup.group(core.picture, group_name)
    rule = filters.merged(filters.asked(request.select_filter), group.select_filter)
    layers = _layers(core, rule)
    count = rule.place_count if rule.place_count is not None else 1
    answers = Answers(codes.MODIFY, Subject.RSC_GRP, RscGrp=group.name)
    cluster = _cluster(core, group)
    wanted = _request(core, rule, layers, count)
    next_one = attempt(cluster, wanted)
    size = largest(cluster, wanted)[0] if next_one.succeeded and count > 0 else 0
    if not next_one.succeeded:
        answers.refused(refusal(cluster, next_one))
    chosen = next_one.chosen
    general = [ratios(core.picture, c.pool) for c in chosen]
    return wire.QuerySizeInfoResponse(
        space_info=wire.QuerySizeInfoResponseSpaceInfo(
            max_vlm_size_in_kib=size // KIB,
            available_size_in_kib=_together(next_one, count, lambda c: c.free) // KIB,
            capacity_in_kib=_together(next_one, count, lambda c: c.total) // KIB,
            default_max_oversubscription_ratio=THIN_RATIO,
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


def _together(tried: Attempt, count: int, size: Callable[[Candidate], int]) -> int:
    """What volumes of `count` replicas could hold altogether, with one pool of each node: the roomiest."""
    best: dict[str, Candidate] = {}
    for candidate in tried.candidates:
        at = key(candidate.node.name)
        if at not in best or candidate.free > best[at].free:
            best[at] = candidate
    return in_turns([size(candidate) for candidate in best.values()], count)


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
    layers = _layers(core, rule)
    count = max(1, rule.place_count or 1)
    cluster = _cluster(core, group)
    names = sorted({c.pool.name for c in attempt(cluster, _request(core, rule, layers, 1)).candidates})
    found = []
    for name in names:
        size, tried = largest(cluster, _request(core, replace(rule, storage_pools=(name,)), layers, count))
        if size:
            found.append(
                wire.Candidate(
                    storage_pool=name,
                    max_volume_size_kib=size // KIB,
                    node_names=tuple(c.node.name for c in tried.chosen),
                    all_thin=all(_thin(core, c.pool) for c in tried.chosen),
                )
            )
    return wire.MaxVolumeSizes(candidates=tuple(found), default_max_oversubscription_ratio=THIN_RATIO)


def free(
    core: Core, redundancy: int, rule: SelectFilter, group_name: str | None, node_rule: NodeRule | None = None
) -> wire.FreeSpace:
    """The largest single volume that fits `redundancy` times, as DRBD Manage counted it (guide, 24.1).

    What is promised and not made yet is not free. `node_rule` leaves nodes out: it says why.
    """
    if redundancy < 1:
        raise Refused(f"A redundancy of {redundancy} is not possible: 1 at least.", code=Fail.INVLD_PLACE_COUNT)
    group = lookup.group(core.picture, group_name) if group_name else None
    if group is not None:
        rule = filters.merged(rule, group.select_filter)
    layers = _layers(core, rule)
    cluster = _cluster(core, group)
    request = _request(core, rule, layers, redundancy)._replace(node_rule=node_rule, size=0)
    size, tried = largest(cluster, request)
    if not tried.succeeded:
        raise refusal(cluster, tried)
    every = attempt(cluster, request)
    return wire.FreeSpace(
        redundancy=redundancy,
        layer_stack=layers,
        max_volume_size_kib=_usable(core, layers, size) // KIB,
        free_kib=size // KIB,
        available_kib=_together(every, redundancy, lambda c: c.free) // KIB,
        total_kib=sum(c.total for c in every.candidates) // KIB,
        node_names=tuple(c.node.name for c in tried.chosen),
    )


def _usable(core: Core, layers: tuple[str, ...], gross: int) -> int:
    """The largest volume that takes no more than `gross` bytes of each pool: layers keep some for themselves."""
    low, high = 0, gross // SMALLEST
    while low < high:
        middle = (low + high + 1) // 2
        levels = stacks.levels(core.drivers, layers, middle * SMALLEST, stacks.SMALLEST, {})
        if levels[-1].size <= gross:
            low = middle
        else:
            high = middle - 1
    return low * SMALLEST
