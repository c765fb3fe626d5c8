"""What is waited for and how far it is; and how configurations of adapters say it."""

import ast
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from orlop.client.bodies import given
from orlop.client.values import Seen
from orlop.codes import Fail
from orlop.errors import Refused

POLICIES = ("ratio", "count", "redundancy")  # alternatives of DRBD Manage, in the order in which they are tried


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """What is waited for: a resource, one of its volumes, a size of it, or a snapshot.

    `size_kib` 0 is the size that the volume is to have. Without a policy the controller uses that of the resource
    group, or `all` (for a size `ratio=1`). `timeout` in seconds; None waits without end.
    """

    resource: str
    volume_number: int | None = None
    size_kib: int | None = None
    snapshot: str | None = None
    policy: str | None = None
    timeout: float | None = None

    def members(self) -> dict[str, Any]:
        """Of the request, except the timeout."""
        return given(
            resource=self.resource,
            volume_number=self.volume_number,
            size_kib=self.size_kib,
            snapshot=self.snapshot,
            policy=self.policy,
        )


class WaitCondition(Seen, frozen=True, kw_only=True):
    policy: str
    satisfied: bool = False
    said: str = ""


class WaitMissing(Seen, frozen=True, kw_only=True):
    """`stalled`: the node is away, or failed and will try again."""

    node_name: str
    volume_number: int = 0
    reason: str = ""
    stalled: bool = False


class WaitProgress(Seen, frozen=True, kw_only=True):
    """`timed_out`: the time is over and the policy is not satisfied; the work goes on all the same."""

    resource_name: str
    snapshot_name: str | None = None
    volume_number: int | None = None
    policy: str = ""
    satisfied: bool = False
    timed_out: bool = False
    conditions: tuple[WaitCondition, ...] = ()
    missing: tuple[WaitMissing, ...] = ()

    @property
    def ended(self) -> bool:
        return self.satisfied or self.timed_out


def wait_from(text: str, resource: str) -> Wait:
    """A wait as an adapter's configuration has it: a policy, or the keys of DRBD Manage, in either kind of quotes.

    >>> wait_from("redundancy=2 or all", "web").policy
    'redundancy=2 or all'
    >>> wait_from("{'count': '1', 'timeout': '60'}", "web")
    Wait(resource='web', volume_number=None, size_kib=None, snapshot=None, policy='count=1', timeout=60.0)

    Raises `Refused` for what is neither.
    """
    if not text.lstrip().startswith("{"):
        return Wait(resource=resource, policy=text.strip() or None)
    keys = _keys(text)
    unknown = sorted(keys.keys() - {*POLICIES, "policy", "timeout"})
    if unknown:
        raise _refused(text, f"it has unknown keys: {', '.join(unknown)}")
    alternatives = [f"{name}={keys[name]}" for name in POLICIES if keys.get(name)]
    policies = [keys["policy"]] if keys.get("policy") else []
    policy = " or ".join([*policies, *alternatives])
    return Wait(resource=resource, policy=policy or None, timeout=_seconds(text, keys.get("timeout", "")))


def _keys(text: str) -> Mapping[str, str]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        try:
            found = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise _refused(text, "it cannot be read") from None
    if not isinstance(found, dict) or not all(isinstance(value, str | int | float) for value in found.values()):
        raise _refused(text, "it is no set of keys with texts")
    return {str(name): str(value).strip() for name, value in found.items()}


def _seconds(text: str, timeout: str) -> float | None:
    if not timeout:
        return None
    try:
        found = float(timeout)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise _refused(text, f"'{timeout}' is no number of seconds")
    return found


def _refused(text: str, why: str) -> Refused:
    return Refused(
        f"The wait policy {text} cannot be used: {why}.",
        correction='Give a policy, such as redundancy=2, or keys: {"count": "1", "timeout": "60"}.',
        code=Fail.INVLD_CONF,
    )
