"""I/O of a simulated DRBD 8.4 that is suspended, goes on, or loses the peer. Seen on a real kernel:

A request that was under way when it was suspended is not answered, nor when I/O goes on: new ones only are let in, and
to resume another volume hangs. It is answered where I/O goes on without a connection, or when a connection is lost.
Each volume that lost its peer while suspended begins a new generation when it is resumed itself, not before.
"""

from collections.abc import Callable

from orlop.errors import CommandFailed
from orlop.testing.drbd8_model import Resource, Volume

NewGeneration = Callable[[], str]


def suspend(resource: Resource) -> None:
    """As a whole. Of whom uses it, there is always a request under way."""
    if not resource.held:
        resource.asked_for = int(resource.role == "Primary")
    resource.held = resource.held | {"user"}


def resume(resource: Resource, volume: Volume, generation: NewGeneration) -> None:
    """Lifts whatever the resource is suspended for."""
    if resource.asked_for and not resource.held:
        raise CommandFailed(("drbdsetup", "resume-io", str(volume.minor)), 124, "it hangs in the kernel")
    if volume.lost_peer:
        begin_generation(volume, generation)
    resource.held = set()
    if resource.state != "Connected":
        resource.asked_for = 0


def disconnected(resource: Resource, generation: NewGeneration) -> None:
    for volume in resource.volumes.values():
        volume.replication = "Off"
        volume.lost_peer = bool(resource.held) and resource.role == "Primary"
    if resource.held:
        return
    resource.asked_for = 0
    if resource.role == "Primary":
        begin_generations(resource, generation)


def begin_generations(resource: Resource, generation: NewGeneration) -> None:
    for volume in resource.volumes.values():
        begin_generation(volume, generation)


def begin_generation(volume: Volume, generation: NewGeneration) -> None:
    volume.lost_peer = False
    if volume.metadata.base is not None:
        return  # changes are noted since an earlier one already
    volume.metadata.base = dict(volume.file.blocks)
    volume.metadata.history.append(volume.metadata.generation)
    volume.metadata.generation = generation()
