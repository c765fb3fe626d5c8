"""What keeps replicas where and as many as they are wanted, without anybody asking: looked at again and again.

Nodes that are being emptied go on being emptied, whoever was restarted meanwhile; nodes that are away for long are
given up; missing replicas are made and superfluous ones go (`BalanceResources*`); moves that wait are begun.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from orlop import codes
from orlop.codes import Info, Subject
from orlop.controller import balancing
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.moving import REPLACE, Plan
from orlop.controller.patience import Patience
from orlop.controller.placement import MAINTENANCE, Cluster
from orlop.controller.usecases import evacuation, lookup, moves, spawning
from orlop.controller.usecases.auto_evict import AutoEvict
from orlop.errors import OrlopError
from orlop.model import key

log = logging.getLogger(__name__)
AGAIN = 60.0  # seconds until what could not be done is tried again
SHARE = 20  # planning takes at most one part in so many of the time


class Healing:
    """`look` is called again and again, by one thread."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._patience = Patience(core)
        self._auto_evict = AutoEvict(core, self._patience)
        self._tried = self._balanced = core.clock.monotonic()
        self._next: dict[str, float] = {}  # key of a node that is being emptied -> when it is planned again

    def look(self) -> None:
        """Raises nothing: what cannot be done now is logged and tried again."""
        core, now = self._core, self._core.clock.monotonic()
        if core.suspended:
            return
        self._auto_evict.look()
        again = now - self._tried >= AGAIN
        if again:
            self._tried = now
            moves.fail_lost(core)
            self._empty_nodes()
            if self._patience.is_over():
                self._replace_evicted()
        if self._patience.is_over() and now - self._balanced >= _setting(core, balancing.INTERVAL):
            self._balanced = now
            self._try(lambda: balance(core), "balancing")
        moves.begin(core, again=again)

    def _empty_nodes(self) -> None:
        clock = self._core.clock
        for name, node in list(self._core.picture.nodes.items()):
            began = clock.monotonic()
            if "EVACUATE" in node.flags and MAINTENANCE not in node.flags and began >= self._next.get(name, 0.0):
                self._try(partial(evacuation.go_on, self._core, node), f"the evacuation of {node.name}")
                self._next[name] = began + SHARE * (clock.monotonic() - began)

    def _replace_evicted(self) -> None:
        core = self._core
        if not any("EVICTED" in node.flags for node in core.picture.nodes.values()):
            return
        names = [d.name for d in core.picture.definitions.values() if any("EVICTED" in r.flags for r in d.resources)]
        self._try(lambda: evacuation.replace_missing(core, names), "replacing what was evicted")

    def _try(self, act: Callable[[], object], what: str) -> None:
        try:
            act()
        except OrlopError as error:
            log.warning("%s is tried again: %s", what, error)


def _setting(core: Core, name: str) -> int:
    said = core.picture.controller.props.get(name, "")
    return int(said) if said.isdecimal() else balancing.SECONDS


def balance_plan(core: Core, group: str | None = None) -> Plan:
    """What balancing would do now, for one group or for all."""
    cluster = Cluster(core.picture, core.reported, core.drivers)
    if group is not None:
        lookup.group(core.picture, group)
    definitions = [d for d in core.picture.definitions.values() if group is None or key(d.group) == key(group)]
    now, grace = core.clock.milliseconds(), _setting(core, balancing.GRACE)
    return balancing.plan(cluster, definitions, partial(spawning.choose, core), now, grace)


def balance_now(core: Core, group: str | None) -> Answers:
    """As it is done from time to time, because somebody asks for it."""
    found = balance(core, group)
    answers = Answers(codes.MODIFY, Subject.RSC_GRP, RscGrp=group or "")
    if found.moves:
        answers.success(f"{len(found.moves)} replicas are to be made or removed; see 'orlop job list'.", codes.MODIFIED)
    else:
        answers.info("There are as many replicas as the resource groups ask for, or none can be changed.", Info.NOOP)
    moves.explain_staying(answers, found.staying, "")
    return answers


def balance(core: Core, group: str | None = None) -> Plan:
    """Has the plan carried out, a few replicas at a time."""
    found = balance_plan(core, group)
    cluster = Cluster(core.picture, core.reported, core.drivers)
    missing, surplus = [], []
    for move in found.moves:
        definition = lookup.definition(core.picture, move.definition)
        if move.kind == REPLACE:
            missing.append((move, balancing.place_count(cluster, definition)))
        else:
            surplus.append(move)
        log.info("balancing: %s of %s, from %s to %s", move.kind, move.definition, move.source, move.target)
    evacuation.enqueue_missing(core, missing)
    if surplus:
        moves.enqueue(core, surplus)
        moves.begin(core, [key(move.definition) for move in surplus])
    return found
