"""What is configured for replicas that went on separately: `after-sb-0pri`, `-1pri` and `-2pri`."""

from orlop.testing.drbd9_generations import Strategy
from orlop.testing.drbd9_model import Connection
from orlop.testing.drbd9_sync import End


def resolve(connection: Connection, one: End, other: End) -> Strategy:
    """Of `one`, when both went on from the same generation; SPLIT_BRAIN where an administrator has to decide."""
    primaries = [end for end in (one, other) if end.resource.role == "Primary"]
    policy = connection.options.get(f"after-sb-{len(primaries)}pri", "disconnect")
    if policy == "disconnect":
        return Strategy.SPLIT_BRAIN
    if len(primaries) == 1 and policy == "discard-secondary":
        return Strategy.SOURCE if primaries[0] is one else Strategy.TARGET
    if not primaries:
        return _without_primary(policy, one, other)
    found = _without_primary(connection.options.get("after-sb-0pri", "disconnect"), one, other)
    if found is Strategy.SPLIT_BRAIN or policy == "violently-as0p":
        return found
    target = one if found is Strategy.TARGET else other
    return _with_primary(policy, found, target)


def _with_primary(policy: str, found: Strategy, target: End) -> Strategy:
    """`consensus`: only where it is not the primary that would lose; `call-pri-lost-after-sb`: it gives its role up."""
    if target.resource.role == "Secondary":
        return found
    if policy == "call-pri-lost-after-sb" and not target.resource.disk.used.get(f"/dev/drbd{target.device.minor}"):
        target.resource.role = "Secondary"
        return found
    return Strategy.SPLIT_BRAIN


def _without_primary(policy: str, one: End, other: End) -> Strategy:
    changed, their_changed = _changes(one), _changes(other)
    if policy == "discard-zero-changes" and changed and their_changed:
        return Strategy.SPLIT_BRAIN
    match policy:
        case "discard-zero-changes" | "discard-least-changes" | "discard-younger-primary" | "discard-older-primary":
            loses = changed < their_changed or (
                changed == their_changed and one.resource.node_id > other.resource.node_id
            )
        case "discard-local":
            loses = True
        case "discard-remote":
            loses = False
        case _:
            return Strategy.SPLIT_BRAIN
    return Strategy.TARGET if loses else Strategy.SOURCE


def _changes(end: End) -> int:
    return end.slot.bits.amount(end.metadata.size)
