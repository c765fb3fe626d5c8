"""Replicas that move: plans, maintenance, balancing, rebalancing."""

from collections.abc import Sequence

from orlop.client.answer import Answer
from orlop.client.bodies import given
from orlop.client.caller import Caller
from orlop.client.moving_values import MovePlan
from orlop.client.wire import path, query


class HealingCalls(Caller):
    """What has a plan can be looked at first; what is begun is listed by `jobs`."""

    def switch_maintenance(self, node: str, enabled: bool) -> Answer:
        """While it is on, nothing is placed, moved, balanced or evicted on the node by itself."""
        return self.command("PUT", path("orlop", "nodes", node, "maintenance"), {"enabled": enabled})

    def evacuation_plan(self, node: str, target: Sequence[str] = (), do_not_target: Sequence[str] = ()) -> MovePlan:
        wanted = query(target=list(target), do_not_target=list(do_not_target))
        return self.read(MovePlan, path("orlop", "nodes", node, "evacuation"), wanted)

    def rebalance_plan(self, pools: Sequence[str] = (), threshold: float | None = None) -> MovePlan:
        """`threshold` is how many percent of a pool it may differ from the mean."""
        wanted = query(storage_pools=list(pools), threshold=None if threshold is None else f"{threshold:g}")
        return self.read(MovePlan, path("orlop", "rebalance"), wanted)

    def rebalance(
        self, pools: Sequence[str] = (), threshold: float | None = None, concurrent: int | None = None
    ) -> Answer:
        """`concurrent` is how many replicas are filled at the same time."""
        body = given(storage_pools=list(pools) or None, threshold=threshold, concurrent=concurrent)
        return self.command("POST", path("orlop", "rebalance"), body)

    def cancel_rebalance(self) -> Answer:
        return self.command("DELETE", path("orlop", "rebalance"))

    def balance_plan(self, group: str | None = None) -> MovePlan:
        return self.read(MovePlan, path("orlop", "balance"), query(resource_group=group))

    def balance(self, group: str | None = None) -> Answer:
        return self.command("POST", path("orlop", "balance"), given(resource_group=group))

    def cancel_job(self, uuid: str) -> Answer:
        """Only moves of replicas can be ended."""
        return self.command("DELETE", path("orlop", "jobs", uuid))
