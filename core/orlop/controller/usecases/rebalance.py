"""Level the pools of the nodes, after some were added: a plan to look at, rows to carry it out, an end to it."""

from __future__ import annotations

from orlop import codes
from orlop.codes import Fail, Info, Subject, Warn
from orlop.controller import moving, rebalancing, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.moving import REBALANCE, Plan
from orlop.controller.placement import Cluster
from orlop.controller.usecases import lookup, moves
from orlop.errors import Refused
from orlop.model import KIB, key

MOST_CONCURRENT = 1000


def plan(core: Core, pools: tuple[str, ...] = (), threshold: float | None = None) -> Plan:
    """What a rebalancing would move now."""
    for name in pools:
        if all(name_key != key(name) for _, name_key in core.picture.pools):
            lookup.pool_definition(core.picture, name)
    percent = rebalancing.THRESHOLD if threshold is None else threshold
    if not 0 <= percent <= 100:
        raise Refused(f"A threshold is 0 to 100 percent, not {percent:g}.", code=Fail.INVLD_REQUEST)
    return rebalancing.plan(_cluster(core), percent, pools, core.hooks.vetoes)


def shown(core: Core, found: Plan, pools: tuple[str, ...] = ()) -> wire.MovePlan:
    """With how full the pools are now and would be then."""
    cluster = _cluster(core)
    pairs = zip(rebalancing.spreads(cluster, (), pools), rebalancing.spreads(cluster, found.moves, pools), strict=True)
    spreads = tuple(
        wire.Spread(
            storage_pool=now.pool,
            provider_kind=now.provider,
            pools=now.pools,
            emptiest=round(now.emptiest, 1),
            mean=round(now.mean, 1),
            fullest=round(now.fullest, 1),
            emptiest_then=round(then.emptiest, 1),
            fullest_then=round(then.fullest, 1),
        )
        for now, then in pairs
    )
    return as_wire(found, spreads)


def as_wire(found: Plan, spreads: tuple[wire.Spread, ...] = ()) -> wire.MovePlan:
    return wire.MovePlan(
        moves=tuple(
            wire.Move(
                resource_name=move.definition,
                kind=move.kind,
                source=move.source,
                target=move.target,
                storage_pool=move.pool,
                size_kib=move.size // KIB or None,
            )
            for move in found.moves
        ),
        staying=tuple(
            wire.Staying(
                resource_name=each.definition,
                node_name=each.node or None,
                cause=each.cause,
                correction=each.correction,
            )
            for each in found.staying
        ),
        spreads=spreads,
        size_kib=sum(move.size for move in found.moves) // KIB,
    )


def start(core: Core, request: wire.Rebalance) -> Answers:
    """Has a plan that is made now carried out; answered at once."""
    if request.concurrent is not None and not 1 <= request.concurrent <= MOST_CONCURRENT:
        raise Refused(
            f"{request.concurrent} replicas cannot be filled at the same time: 1 to {MOST_CONCURRENT} can.",
            code=Fail.INVLD_REQUEST,
        )
    answers = Answers(codes.MODIFY, Subject.NODE)
    if left := under_way(core):
        answers.warning(
            f"{left} replicas are still moving; nothing was added to that.",
            Warn.NO_EFFECT,
            correction="See 'orlop job list'; 'orlop node rebalance --cancel' ends it.",
        )
        return answers
    found = plan(core, request.storage_pools, request.threshold)
    more = {"concurrent": request.concurrent} if request.concurrent is not None else {}
    count = moves.enqueue(core, found.moves, **more)
    if count:
        answers.success(
            f"{count} replicas with {sum(move.size for move in found.moves) // KIB} KiB are to move.",
            codes.MODIFIED,
            details="Each of them is removed from its node when the new one and all others have all of the data and "
            "nobody uses it.",
            correction="See 'orlop job list'; 'orlop node rebalance --cancel' ends it.",
        )
    else:
        answers.info("No replica has to move, or none can.", Info.NOOP)
    for each in found.staying:
        moves.explain_staying(answers, [each], f" on node '{each.node}'")
    moves.begin(core, [key(move.definition) for move in found.moves])
    return answers


def under_way(core: Core) -> int:
    """Replicas that an earlier request moves."""
    return sum(
        operation.kind == REBALANCE
        for definition in core.picture.definitions.values()
        if definition.operations
        for operation in moving.of(definition)
    )


def cancel(core: Core) -> Answers:
    """What waits does not begin; what has begun is undone, unless the old replica is on its way out already."""
    answers = Answers(codes.MODIFY, Subject.NODE)
    found = moves.cancel_all(core, REBALANCE)
    if not found:
        answers.info("No replica is moving because of a rebalancing.", Info.NOOP)
    else:
        answers.success(f"Rebalancing was ended with {len(found)} moves left.", codes.MODIFIED)
    for name, what in found:
        answers.info(f"Resource '{name}': {what}.", RscDfn=name)
    return answers


def _cluster(core: Core) -> Cluster:
    return Cluster(core.picture, core.reported, core.drivers)
