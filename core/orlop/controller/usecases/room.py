"""Whether a pool can take what is to be made in it: refused with the pool's own sentence, or taken with a warning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orlop.codes import Fail
from orlop.controller import capacity
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import NOTHING, Picture
from orlop.controller.properties import Kind, Source
from orlop.drivers import STORAGE
from orlop.errors import Refused
from orlop.model import KIB, ReportedPool, Resource, ResourceDefinition, StoragePool, key

Need = Mapping[tuple[str, str], int]  # key of a pool -> bytes


def seen(core: Core, pool: StoragePool) -> ReportedPool | None:
    """What is reported about exactly this pool; None while that is not known."""
    return capacity.about(pool, core.reported.pool(pool.node, pool.name))


def refuse_unusable(core: Core, pool: StoragePool) -> None:
    """Raises for a pool that is known not to work, or whose satellite wants nothing new in it."""
    report = seen(core, pool)
    if report is None or not (report.problem or report.warning):
        return
    if report.problem:
        raise Refused(
            f"Storage pool '{pool.name}' on node '{pool.node}' cannot be used: {report.problem}",
            correction=f"Repair its backing on '{pool.node}', it is noticed by itself; or use another pool.",
            code=Fail.STOR_POOL_CONFIGURATION_ERROR,
        )
    raise Refused(
        f"Storage pool '{pool.name}' on node '{pool.node}' takes nothing new: {report.warning}",
        correction="Free or add space there, or use another pool.",
        code=Fail.NOT_ENOUGH_FREE_SPACE,
    )


def refuse_full(core: Core, picture: Picture, need: Need) -> None:
    """Raises when a pool is known to lack the space; a pool that has not reported yet is asked by trying."""
    for at, size in need.items():
        pool = picture.pools[at]
        refuse_unusable(core, pool)
        driver = core.drivers.load(STORAGE, pool.provider)
        free = capacity.usable_free(picture, pool, seen(core, pool), driver.thin)
        if free is not None and free < size:
            raise Refused(
                f"Storage pool '{pool.name}' on node '{pool.node}' has {free // KIB} KiB left, {size // KIB} KiB are "
                "needed.",
                correction="Free space there, use another pool, or raise MaxOversubscriptionRatio of a thin pool.",
                code=Fail.NOT_ENOUGH_FREE_SPACE,
            )


def asked_of(picture: Picture, definition: ResourceDefinition) -> dict[Kind, Source]:
    """The definition and its group, as objects that decide properties of placement."""
    group = picture.group(definition.group)
    return {
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
    }


def explain(core: Core, answers: Answers, definition: ResourceDefinition, resources: Iterable[Resource]) -> None:
    """Warns of thin pools that took something although little is left, or that promise more than they have."""
    picture = core.picture
    pools = {(key(r.node), key(pool)) for r in resources for v in r.volumes for pool in v.pools}
    for pool in [picture.pools[at] for at in sorted(pools) if at in picture.pools]:
        report = seen(core, pool)
        if report is None or report.capacity is None or not core.drivers.load(STORAGE, pool.provider).thin:
            continue
        where = f"Thin storage pool '{pool.name}' on node '{pool.node}'"
        if why := capacity.nearly_full(picture, pool, report, asked_of(picture, definition)):
            answers.warning(f"{where} is nearly full: {why}.", correction="Add space before it runs full.")
        promised = picture.usage.get((key(pool.node), key(pool.name)), NOTHING).reserved
        if promised > report.capacity.total:
            answers.warning(
                f"{where} promises {promised // KIB} KiB and has {report.capacity.total // KIB} KiB.",
                correction="Watch its free space, or limit what it promises with MaxOversubscriptionRatio.",
            )
