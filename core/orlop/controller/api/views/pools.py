"""Storage pools."""

from __future__ import annotations

from orlop import model
from orlop.codes import Fail, Subject, Warn
from orlop.controller import wire
from orlop.controller.answers import Entry
from orlop.controller.api.views.entries import problem, warning
from orlop.controller.picture import Picture
from orlop.controller.reported import Reported, Status
from orlop.drivers import STORAGE, Drivers
from orlop.errors import UnknownDriver
from orlop.model import KIB, ReportedPool, key

INFINITE = (1 << 63) - 1  # KiB: the capacity of what needs none
DISKLESS = "DISKLESS"


def pool(drivers: Drivers, reported: Reported, wanted: model.StoragePool) -> wire.StoragePool:
    """Without capacity and with a warning while its node is away."""
    seen = _seen(reported, wanted)
    free, total = _capacity(wanted, seen)
    thin, snapshots = _traits(drivers, wanted.provider)
    return wire.StoragePool(
        storage_pool_name=wanted.name,
        node_name=wanted.node,
        provider_kind=wanted.provider,
        props=wanted.props,
        static_traits={
            "Provisioning": "Thin" if thin else "Fat",
            "SupportsSnapshots": str(snapshots).lower(),
        },
        free_capacity=free,
        total_capacity=total,
        free_space_mgr_name=wanted.shared_space or f"{wanted.node};{wanted.name}",
        uuid=wanted.uuid,
        reports=_reports(reported, wanted, seen),
        supports_snapshots=snapshots,
        shared_space=wanted.shared_space or None,
        external_locking=wanted.external_locking,
    )


def pools(drivers: Drivers, picture: Picture, reported: Reported) -> list[wire.StoragePool]:
    """By node, then pool."""
    return [pool(drivers, reported, picture.pools[at]) for at in sorted(picture.pools)]


def connected(reported: Reported, node: str) -> bool:
    found = reported.nodes.get(key(node))
    return found is not None and found.status in (Status.ONLINE, Status.CONNECTED)


def _seen(reported: Reported, wanted: model.StoragePool) -> ReportedPool | None:
    """What is reported about this pool, not about an earlier one of the same name."""
    found = reported.pool(wanted.node, wanted.name) if connected(reported, wanted.node) else None
    return found if found and found.uuid == wanted.uuid else None


def _capacity(wanted: model.StoragePool, seen: ReportedPool | None) -> tuple[int | None, int | None]:
    if wanted.provider == DISKLESS:
        return INFINITE, INFINITE
    if seen is None or seen.capacity is None:
        return None, None
    return seen.capacity.free // KIB, seen.capacity.total // KIB


def _traits(drivers: Drivers, provider: str) -> tuple[bool, bool]:
    try:
        driver = drivers.load(STORAGE, provider)
    except UnknownDriver:  # the pool is older than the removal of its driver; it is still listed
        return False, False
    return driver.thin, driver.snapshots


def _reports(reported: Reported, wanted: model.StoragePool, seen: ReportedPool | None) -> tuple[Entry, ...]:
    if not connected(reported, wanted.node):
        return (
            warning(
                f"No connection to node '{wanted.node}': the pool's capacity is not known.",
                Warn.NOT_CONNECTED,
                Subject.STOR_POOL,
            ),
        )
    if seen is not None and seen.problem:
        hint = (
            f"It comes back by itself when its backing does. If that is gone for good: "
            f"orlop storage-pool lost {wanted.node} {wanted.name}"
        )
        return (problem(seen.problem, Fail.STOR_POOL_CONFIGURATION_ERROR, Subject.STOR_POOL, hint),)
    if seen is not None and seen.warning:
        hint = f"Nothing new is placed in '{wanted.name}' on '{wanted.node}' meanwhile; free or add space there."
        return (warning(seen.warning, 0, Subject.STOR_POOL, hint),)
    return ()
