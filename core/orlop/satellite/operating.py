"""What an administrator has done once with a replica: looked at right before, carried out, and told."""

import logging
from collections.abc import Callable, Sequence

from orlop.codes import Fail
from orlop.errors import OrlopError, Refused
from orlop.model import ReplicaOrder, WantedResource
from orlop.plugin import Operates, Step
from orlop.satellite.observe import Observation
from orlop.transport.messages import Operated

log = logging.getLogger(__name__)


def operated(
    wanted: WantedResource, seen: Observation, order: ReplicaOrder, carry_out: Callable[[Step], None]
) -> Operated:
    """What was to be expected is in the outcome; nothing of it is raised."""
    steps: Sequence[Step] = ()
    done: list[str] = []
    try:
        steps = _layer(wanted, seen).operate(wanted.name, order)
        for step in steps:
            carry_out(step)
            done.append(str(step))
    except OrlopError as error:
        log.warning("%s: %s was not done: %s", wanted.name, order.verb, error)
        left = tuple(map(str, steps[len(done) :]))
        told = str(error) + (f" {error.correction}" if error.correction else "")
        return Operated(problem=told, step=left[0] if left else "", left=left, code=error.code, done=tuple(done))
    return Operated(done=tuple(done))


def _layer(wanted: WantedResource, seen: Observation) -> Operates:
    for kind in dict.fromkeys(level.layer for volume in wanted.volumes for level in volume.levels):
        layer = seen.layer(kind)
        if isinstance(layer, Operates):
            return layer
    raise Refused(f"no layer of {wanted.name} knows how to do that", code=Fail.INVLD_LAYER_KIND)
