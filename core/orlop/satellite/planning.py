"""What would be done for orders that were not given: looked at and planned as ever, and only told."""

from collections.abc import Iterable, Sequence

from orlop.drivers import Drivers
from orlop.errors import OrlopError
from orlop.host import Host
from orlop.model import Presence, WantedPool, WantedResource, WantedVolume
from orlop.satellite import file_systems
from orlop.satellite.observe import Observation, levels, observe
from orlop.satellite.plan import plan, with_contents
from orlop.transport.messages import Planned, PlannedSteps


def planned(
    host: Host, drivers: Drivers, pools: tuple[WantedPool, ...], resources: Sequence[WantedResource], cluster: str
) -> Planned:
    """Nothing of it changes the node."""
    wanted = list(resources)
    seen = observe(host, drivers, pools, wanted, cluster)
    seen = with_contents(seen, lambda device, system: file_systems.look(host, device, system), wanted)
    return Planned(
        pools=tuple(told for pool in pools if pool.new and (told := _of_pool(pool, seen))),
        resources=tuple(_of_resource(resource, seen) for resource in wanted),
    )


def _of_pool(pool: WantedPool, seen: Observation) -> PlannedSteps | None:
    try:
        if problem := seen.problem(pool.name):
            return PlannedSteps(name=pool.name, problems=(problem,))
        steps = seen.driver(pool.name).mark_pool(pool)
    except OrlopError as error:
        return PlannedSteps(name=pool.name, problems=(str(error),))
    return PlannedSteps(name=pool.name, steps=tuple(map(str, steps))) if steps else None


def _of_resource(wanted: WantedResource, seen: Observation) -> PlannedSteps:
    parts = plan(wanted, seen)
    steps = [f"hold back all I/O of {wanted.name} for a moment"] if wanted.hold is not None else []
    steps += [str(step) for part in parts for step in part.steps]
    return PlannedSteps(
        name=wanted.name,
        steps=tuple(steps),
        problems=tuple(dict.fromkeys(part.problem for part in parts if part.problem)),
        later=tuple(dict.fromkeys(later for volume in wanted.volumes for later in _later(volume, seen))),
    )


def _later(volume: WantedVolume, seen: Observation) -> Iterable[str]:
    """What cannot be planned before what is below is there: layers, file system; or what is left of a removal."""
    try:
        ready = sum(at.presence is Presence.READY for at in levels(volume, seen))
    except OrlopError:
        return
    if not volume.wanted:
        if ready > 1:
            yield f"remove {volume.name} from pool {volume.pool}"
        return
    if not volume.active:
        return
    for level in list(reversed(volume.levels))[ready + 1 :]:
        yield f"set up {level.layer} of {volume.name}"
    if volume.file_system is not None and ready < len(volume.levels):
        yield f"make file system {volume.file_system.kind} on {volume.name}"
