"""I/O that this node holds back for a snapshot: a lease, over after a short time whatever dies meanwhile.

What is about to be held back is noted on disk first. Three look after it: the node, which lets go as soon as the order
is gone or time is up; a guard process, see `orlop.satellite.guard`, if the node cannot; and the next start of the
satellite. Whoever lets go looks first, and leaves alone what is held back for other reasons as well: it waits with them
until only ours is left.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec

from orlop.drivers import LAYER, Drivers
from orlop.errors import NodeError, OrlopError
from orlop.hooks import Hooks
from orlop.host import Host, LocalHost, execute
from orlop.host.commands import FIRST_LINE
from orlop.model import Hold, ReportedHold, ReportedResource, WantedResource, key
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop.plugin import ASKED, Flow, HoldsWrites, RemoveFile, Step, WriteFile
from orlop.satellite.secrets import no_secret
from orlop.satellite.task import NEVER, NOW

log = logging.getLogger(__name__)

LEASE = 20.0  # seconds from before I/O is held back until the guard lets go
MARGIN = 2.0  # seconds before that the node lets go itself: what it says then does not hang on who was faster
AGAIN = 0.25  # seconds between looks whether anything is still under way
RETRY = 1.0  # seconds between attempts to let go
NAME, SUFFIX = "held-", ".json"


class Note(Value, frozen=True, kw_only=True):
    """On disk while I/O of a resource may be held back. `until` is of the clock that never jumps."""

    resource: str
    layer: str
    hold: str  # uuid
    until: float


def path(directory: str, resource: str) -> str:
    return os.path.join(directory, f"{NAME}{resource}{SUFFIX}")


def read(host: Host, at: str) -> Note | None:
    """None also for what makes no sense: notes appear whole."""
    text = host.read(at)
    try:
        return decoded(text, Note) if text else None
    except msgspec.DecodeError:
        log.exception("%s, a note of what is held back, cannot be understood", at)
        return None


def let_go(host: Host, layer: HoldsWrites, at: str, note: Note, act: Callable[[list[Step]], None]) -> bool:
    """Whether nothing of what was noted is held back by us any more. Raises what a program says."""
    flow = layer.flow(host, note.resource)
    others = flow.held - {ASKED}
    if others and ASKED in flow.held:
        log.warning("I/O of %s is held back for other reasons, too: %s", note.resource, ", ".join(sorted(others)))
        return False
    if flow.devices and not others:  # also where it was cut in the middle
        act(layer.resume(flow))
    act([RemoveFile(path=at)])
    return True


def expired(host: Host, drivers: Drivers, at: str, hold: str, now: float) -> None:
    """What the guard does when time is up, if it still is. Raises what a program says."""
    note = read(host, at)
    if note is None or note.hold != hold or note.until > now:
        return
    log.warning("I/O of %s was suspended for too long: it goes on", note.resource)
    layer: HoldsWrites = drivers.load(LAYER, note.layer)
    let_go(host, layer, at, note, lambda steps: execute(note.resource, steps, host, Hooks(), no_secret))


def let_go_of_expired(at: str, hold: str) -> None:
    """The same on this machine; what fails is tried again by the caller."""
    try:
        expired(LocalHost(), Drivers.installed(), at, hold, time.monotonic())
    except OrlopError:
        log.exception("I/O is still suspended, see %s", at)


class Holding:
    """Of one satellite. Only the thread that looks calls it; others read `due`."""

    def __init__(self, host: Host, drivers: Drivers, hooks: Hooks, directory: str, clock: Callable[[], float]) -> None:
        self._host, self._hooks, self._directory, self._clock = host, hooks, directory, clock
        found = drivers.all(LAYER).items()
        self._layers: Mapping[str, HoldsWrites] = {k.upper(): v for k, v in found if isinstance(v, HoldsWrites)}
        self._held: dict[str, Note] = {}  # by key of the resource; not let go yet
        self._said: dict[str, ReportedHold] = {}
        self._traces: dict[str, str] = {}
        self._left = True  # an earlier process may have left notes
        self.due = NOW  # when to tend next

    def told(self, report: ReportedResource) -> ReportedResource:
        said = self._said.get(key(report.name))
        return msgspec.structs.replace(report, hold=said) if said else report

    def allowed(self, wanted: WantedResource) -> WantedResource:
        """Without the snapshots that would not be of one moment."""
        said = self._said.get(key(wanted.name))
        if wanted.hold is None or (said and said.uuid == wanted.hold.uuid and said.state is Hold.EVERYWHERE):
            return wanted
        return msgspec.structs.replace(wanted, snapshots=tuple(s for s in wanted.snapshots if not (s.wanted and s.new)))

    def tend(self, orders: Mapping[str, WantedResource], busy: Collection[str]) -> set[str]:
        """Let go, hold back, look how far it is. Returns keys of resources of which there is something new to say."""
        before = dict(self._said)
        self.due = NEVER
        self._recover()
        for name, note in list(self._held.items()):
            order = orders[name].hold if name in orders else None
            if order is None or order.uuid != note.hold:
                self._end(name, note, "it was given up")
            elif self._clock() >= note.until - MARGIN:
                self._end(name, note, "it lasted too long")
        for name, wanted in orders.items():
            if wanted.hold is not None and name not in busy and self._has_not(name, wanted.hold.uuid):
                self._begin(name, wanted, wanted.hold.uuid)
            self._follow(name, wanted)
        for name in [name for name in self._said if name not in orders and name not in self._held]:
            del self._said[name]
        for name, note in self._held.items():
            waits = self._said.get(name) is not None and self._said[name].state is Hold.WAITING
            self.due = min(self.due, self._clock() + AGAIN if waits else note.until - MARGIN)
        return {name for name, said in self._said.items() if before.get(name) != said}

    def _has_not(self, name: str, uuid: str) -> bool:
        said = self._said.get(name)
        return name not in self._held and (said is None or said.uuid != uuid)

    def _begin(self, name: str, wanted: WantedResource, uuid: str) -> None:
        kinds = [level.layer for volume in wanted.volumes for level in volume.levels]
        kind = next((kind for kind in kinds if kind in self._layers), "")
        if not kind:
            self._say(name, uuid, Hold.BROKEN, f"no layer of {wanted.name} can hold its I/O back")
            return
        note = Note(resource=wanted.name, layer=kind, hold=uuid, until=self._clock() + FIRST_LINE + LEASE)
        try:
            flow = self._layers[kind].flow(self._host, wanted.name)
            if problem := _unfit(wanted.name, flow):
                self._say(name, uuid, Hold.BROKEN, problem)
                return
            self._write(note)
            self._held[name] = note
            self._host.detach(guard(self._path(note), uuid))
            note = msgspec.structs.replace(note, until=self._clock() + LEASE)
            self._write(note)
            self._held[name] = note
            flow = self._layers[kind].flow(self._host, wanted.name)  # starting the guard took a while
            if problem := _unfit(wanted.name, flow):
                self._act(note)([RemoveFile(path=self._path(note))])
                del self._held[name]
                self._say(name, uuid, Hold.BROKEN, problem)
                return
            self._act(note)(self._layers[kind].hold(flow))
            self._say(name, uuid, Hold.WAITING)
        except OrlopError as error:
            self._break(name, note, str(error))

    def _follow(self, name: str, wanted: WantedResource) -> None:
        note, said = self._held.get(name), self._said.get(name)
        if note is None or said is None or wanted.hold is None or wanted.hold.uuid != said.uuid:
            return
        stand = said.state is Hold.IN_FORCE and wanted.hold.everywhere
        prove = said.state is Hold.EVERYWHERE and wanted.hold.prove
        if not (said.state is Hold.WAITING or stand or prove):
            return
        try:
            flow = self._layers[note.layer].flow(self._host, note.resource)
        except OrlopError as error:
            self._break(name, note, str(error))
            return
        if problem := _interrupted(flow):
            self._break(name, note, problem)
        elif stand:
            self._traces[name] = flow.trace
            self._say(name, note.hold, Hold.EVERYWHERE)
        elif prove and flow.trace != self._traces[name]:
            self._break(name, note, "data was still coming or going, or a replica did")
        elif prove and self._clock() >= note.until - MARGIN:
            self._break(name, note, "it lasted too long")
        elif prove:
            self._say(name, note.hold, Hold.PROVEN)
        elif not flow.under_way:
            self._say(name, note.hold, Hold.IN_FORCE)

    def _end(self, name: str, note: Note, problem: str) -> None:
        """I/O goes on: that is no failure where everything was proven before."""
        said = self._said.get(name)
        if said is None or said.uuid != note.hold or said.state is not Hold.PROVEN:
            self._break(name, note, problem)
        elif self._release(name, note):
            self._say(name, note.hold, Hold.ENDED)

    def _break(self, name: str, note: Note, problem: str) -> None:
        said = self._said.get(name)
        if said is None or said.uuid != note.hold or said.state is not Hold.BROKEN:
            self._say(name, note.hold, Hold.BROKEN, f"I/O of {note.resource} was not held back to the end: {problem}")
        self._release(name, note)

    def _release(self, name: str, note: Note) -> bool:
        self._traces.pop(name, None)
        try:
            if let_go(self._host, self._layers[note.layer], self._path(note), note, self._act(note)):
                self._held.pop(name, None)
                return True
        except OrlopError as error:
            log.warning("I/O of %s is still held back: %s", note.resource, error)
        late = msgspec.structs.replace(note, until=self._clock() + RETRY + MARGIN)
        self._held[name] = late  # in memory only: the guard goes by what is on disk
        return False

    def _recover(self) -> None:
        """What a process before this one held back."""
        if not self._left:
            return
        try:
            for note in list(self._notes()):
                if note.layer in self._layers:
                    log.warning("letting go of %s, which an earlier process held back", note.resource)
                    self._held[key(note.resource)] = note
                    self._release(key(note.resource), note)
            self._left = False
        except NodeError as error:
            log.warning("it cannot be told what an earlier process held back: %s", error)
            self.due = self._clock() + RETRY

    def _notes(self) -> Iterator[Note]:
        for name in self._host.files(self._directory) or {}:
            if name.startswith(NAME) and name.endswith(SUFFIX):
                note = read(self._host, os.path.join(self._directory, name))
                if note is not None:
                    yield note

    def _write(self, note: Note) -> None:
        text = msgspec.json.encode(note).decode()
        self._act(note)([WriteFile(path=self._path(note), content=text)])

    def _path(self, note: Note) -> str:
        return path(self._directory, note.resource)

    def _act(self, note: Note) -> Callable[[list[Step]], None]:
        return lambda steps: execute(note.resource, steps, self._host, self._hooks, no_secret)

    def _say(self, name: str, uuid: str, state: Hold, problem: str = "") -> None:
        self._said[name] = ReportedHold(uuid=uuid, state=state, problem=problem)


def guard(at: str, hold: str) -> tuple[str, ...]:
    """Arguments of the process that lets go when nobody else does."""
    return (sys.executable, "-m", "orlop.satellite.guard", at, hold)


def _unfit(resource: str, flow: Flow) -> str:
    if not flow.devices:
        return f"{resource} is not up here"
    if flow.held:
        words = ", ".join(sorted("somebody asked for it" if reason == ASKED else reason for reason in flow.held))
        return f"I/O of {resource} is held back already: {words}"
    return flow.obstacle


def _interrupted(flow: Flow) -> str:
    if not flow.devices:
        return "it went down"
    if flow.held != {ASKED}:
        return f"it is held back for other reasons: {', '.join(sorted(flow.held))}" if flow.held else "somebody let go"
    return flow.obstacle
