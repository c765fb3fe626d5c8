"""Wait for the satellites after a change was committed, and say what each of them did."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orlop.codes import Fail, Info, Warn
from orlop.controller import joining, stacks
from orlop.controller.answers import Answers
from orlop.controller.core import WAIT, Core
from orlop.controller.diskless import diskful
from orlop.controller.usecases import wait_presets
from orlop.controller.wait import presets
from orlop.model import ReportedResource, Resource, ResourceDefinition, key


def offline(core: Core, answers: Answers, node: str, what: str) -> None:
    """A node that is away is a warning at once; the work is done when it returns."""
    answers.warning(
        f"No connection to node '{node}': {what} when it is back.",
        Warn.NOT_CONNECTED,
        cause=core.reported.node(node).problem,
        correction=f"Start the satellite on '{node}', or forget the node with 'orlop node lost {node}'.",
        Node=node,
    )


def settled(
    core: Core,
    answers: Answers,
    name: str,
    nodes: Iterable[str],
    done: str,
    later: str,
    until: wait_presets.Waited | None = None,
) -> dict[str, str]:
    """One entry per node: done, failed with its reason, away, or still at it when the time was over.

    `done` and `later` are sentences without subject: "created 'web'", "it will be created". `until`: the policy that
    says when it is enough, whatever is left to do then. Returns by node why it failed.
    """

    def outcomes(of: list[str]) -> dict[str, ReportedResource | None] | None:
        found = {node: core.reported.current(node, name) for node in of}
        finished = all(
            not core.reported.online(node) or (report is not None and (report.settled or report.problem))
            for node, report in found.items()
        )
        return found if finished and not core.pending(name) else None

    asked = sorted(set(nodes), key=key)
    waiting = [node for node in asked if core.reported.online(node)]
    for node in asked:
        if node not in waiting:
            offline(core, answers, node, later)
    if waiting and until is not None:
        bare = _without_disk(core, name, waiting)
        core.wait(lambda: _is_enough(core, until, outcomes(bare), outcomes(waiting)) or None, until.seconds)
        found = outcomes(waiting)
    else:
        found = core.wait(lambda: outcomes(waiting)) if waiting else {}
    enough = until is not None and wait_presets.is_satisfied(core, until)
    problems = {}
    for node in waiting:
        report = found.get(node) if found is not None else None
        if found is None and not core.pending(name):  # what is not committed yet is not done
            report = core.reported.current(node, name)
        _entry(core, answers, node, report, done, later, enough)
        if report is not None and report.problem:
            problems[node] = report.problem
    if asked and until is not None:
        wait_presets.explain(core, answers, until)
    return problems


def _is_enough(core: Core, until: wait_presets.Waited, bare: object | None, everywhere: object | None) -> bool:
    """What has no disk counts for no policy: whoever asked for it wants it to be there all the same."""
    return bare is not None and wait_presets.is_over(core, until, at_rest=everywhere is not None)


def _without_disk(core: Core, name: str, nodes: list[str]) -> list[str]:
    definition = core.picture.definition(name)
    disks = {key(r.node) for r in diskful(definition)} if definition else set()
    return [node for node in nodes if key(node) not in disks]


def _entry(
    core: Core,
    answers: Answers,
    node: str,
    report: ReportedResource | None,
    done: str,
    later: str,
    enough: bool = False,
) -> None:
    """`enough`: nobody waits for the nodes that are still at work."""
    if report is None and not core.reported.online(node):
        offline(core, answers, node, later)
    elif enough and (report is None or not (report.settled or report.problem)):
        answers.info(f"Node '{node}' is still at work: {later}.", Info.NOOP, Node=node)
    elif report is None or not (report.settled or report.problem):
        answers.warning(
            f"Node '{node}' is still at work: {later}.",
            Warn.STLT_NOT_UPDATED,
            details="\n".join(report.plan) if report else "",
            correction="The work goes on; see 'orlop resource list' and 'orlop job list'.",
            Node=node,
        )
    elif report.problem:
        answers.error(
            f"Node '{node}' failed: {report.problem}",
            failure_code(report.problem),
            details="Steps that were left:\n" + "\n".join(report.plan) if report.plan else "",
            correction="It is tried again with growing pauses; delete the object to give up.",
            Node=node,
        )
    else:
        answers.success(f"Node '{node}' {done}.", Node=node)


def gone(
    core: Core, answers: Answers, name: str, nodes: Iterable[str], present: Callable[[str], bool], what: str = ""
) -> None:
    """Like `settled`, for removals: `present(node)` says whether the controller still knows the object there.

    `what` is removed, "'web'" unless it is only a part of the definition `name`.
    """

    def finished() -> bool | None:
        return all(not present(n) or not core.reported.online(n) or failure(n) for n in waiting) or None

    def failure(node: str) -> str:
        report = core.reported.current(node, name)
        return report.problem if report else ""

    waiting = sorted(set(nodes), key=key)
    for node in [n for n in waiting if not core.reported.online(n)]:
        waiting.remove(node)
        offline(core, answers, node, "it will be removed there")
    if waiting:
        _try_again(core, name, [node for node in waiting if failure(node)])
        core.wait(finished)
    for node in waiting:
        if not present(node):
            answers.success(f"Node '{node}' removed {what or repr(name)}.", Node=node)
        else:
            _entry(core, answers, node, core.reported.current(node, name), "removed", "it will be removed there")


def _try_again(core: Core, name: str, nodes: Iterable[str]) -> None:
    """A removal that failed is asked for once more: it is tried now, and what was said of the earlier try is over."""
    definition = core.picture.definition(name)
    if definition is None or core.links is None:
        return
    for node in nodes:
        core.reported.node(node).required[key(name)] = definition.revision
        core.links.changed(node, key(name), True)


# What the kernel, and what ZFS says.
FULL = ("no space left", "insufficient free space", "quota exceeded", "out of space", "greater than available space")


def failure_code(problem: str, told: int = Fail.UNKNOWN_ERROR) -> Fail:
    """Clients ask by number whether something was in use or full. What the node has `told` counts if it is known."""
    if told in Fail.__members__.values() and told != Fail.UNKNOWN_ERROR:
        return Fail(told)
    text = problem.lower()
    if "in use" in text:
        return Fail.IN_USE
    if any(words in text for words in FULL):
        return Fail.NOT_ENOUGH_FREE_SPACE
    return Fail.UNKNOWN_ERROR


def deployed(core: Core, answers: Answers, definition: ResourceDefinition, made: list[Resource]) -> dict[str, str]:
    """By node why it failed."""
    if not definition.volume_definitions:
        answers.warning(
            f"Resource definition '{definition.name}' has no volumes yet; nothing is created on the nodes.",
            Warn.NO_EFFECT,
            correction=f"orlop volume-definition create {definition.name} SIZE",
        )
    until = wait_presets.of(core, definition.name, presets.RESOURCE)
    began = core.clock.monotonic()
    core.wait(lambda: not _joining(core, definition, made) or None, until.seconds if until else WAIT)
    if until:
        until = until._replace(seconds=max(until.seconds - (core.clock.monotonic() - began), 0.0))
    apart = _joining(core, definition, made)
    for node, missed in apart.items():
        answers.warning(
            f"Node '{node}' has '{definition.name}' without its disk yet: it waits to meet {', '.join(missed)}.",
            Warn.NOT_CONNECTED,
            cause="While another replica is missed, a new one counts only after it has met the others: whoever uses "
            f"'{definition.name}' now would lose quorum.",
            correction="See that the nodes reach each other; the disk is made as soon as they do.",
            Node=node,
        )
    nodes = [r.node for r in made if r.node not in apart]
    return settled(core, answers, definition.name, nodes, f"created '{definition.name}'", "it will be created", until)


def _joining(core: Core, definition: ResourceDefinition, made: list[Resource]) -> dict[str, list[str]]:
    """Nodes whose replica is to meet others before it gets its disk, with those that it has not met.

    Where something went wrong, or nobody is there, nothing more is to be waited for.
    """
    current = core.picture.definition(definition.name)
    uuids = {r.uuid for r in made}
    found: dict[str, list[str]] = {}
    for resource in current.resources if current else ():
        report = core.reported.current(resource.node, definition.name)
        stopped = not core.reported.online(resource.node) or (report is not None and report.problem)
        if resource.uuid in uuids and joining.is_joining(resource) and current and not stopped:
            found[resource.node] = joining.missed(core.reported, current, resource)
    return found


def explain_copies(core: Core, answers: Answers, name: str) -> None:
    """Several replicas without a replicating layer are unrelated: say so whenever there is more than one."""
    definition = core.picture.definition(name)
    if definition is None or stacks.replicates(core.drivers, definition.layers):
        return
    nodes = [r.node for r in definition.resources if not r.deleting and not r.diskless]
    if len(nodes) > 1:
        answers.info(
            f"'{definition.name}' on {', '.join(nodes)} are {len(nodes)} unrelated copies: the layer stack "
            f"{', '.join(definition.layers)} replicates nothing.",
            Info.NOOP,
        )
