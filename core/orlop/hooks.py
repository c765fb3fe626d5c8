"""Typed front of the hooks; the only module that calls them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import pluggy

from orlop.model import StoragePool
from orlop.plugin import PROJECT, Step, hookspecs

log = logging.getLogger(__name__)


class Hooks:
    """Starts with the plugins it is given. `Hooks.installed()` adds what entry points offer."""

    _muted = False

    def __init__(self, *plugins: object) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        for plugin in plugins:
            self._manager.register(plugin)
        self._manager.check_pending()  # a misspelt hook is an error, not a silent no-op

    @classmethod
    def installed(cls) -> Hooks:
        """A plugin that cannot be imported stops start-up: a lost veto is worse than a late start."""
        hooks = cls()
        hooks._manager.load_setuptools_entrypoints(PROJECT)
        hooks._manager.check_pending()
        return hooks

    @property
    def implemented(self) -> frozenset[str]:
        """Names of the hooks that some plugin implements."""
        hooks = self._manager.hook.__dict__
        return frozenset(
            name for name, hook in hooks.items() if isinstance(hook, pluggy.HookCaller) and hook.get_hookimpls()
        )

    def preselected(self, size: int, pools: Sequence[StoragePool]) -> Sequence[StoragePool]:
        """The pools that every plugin with an opinion leaves."""
        for answer in self._manager.hook.orlop_preselect_placement(size=size, pools=pools):
            if answer is not None:
                left = {(pool.node, pool.name) for pool in answer}
                pools = [pool for pool in pools if (pool.node, pool.name) in left]
        return pools

    def silent(self) -> Hooks:
        """The same, as far as they are asked about placements; these plugins hear of nothing that happens."""
        quiet = copy(self)
        quiet._muted = True
        return quiet

    def vetoes(self, size: int, pool: StoragePool) -> list[str]:
        if not self._manager.hook.orlop_veto_placement.get_hookimpls():
            return []  # placement asks about every pool of the cluster
        answers = self._manager.hook.orlop_veto_placement(size=size, pool=pool)
        return [reason for reason in answers if reason]

    def weight(self, size: int, pool: StoragePool) -> float:
        if not self._manager.hook.orlop_weigh_placement.get_hookimpls():
            return 0.0
        return float(sum(w for w in self._manager.hook.orlop_weigh_placement(size=size, pool=pool) if w))

    def step_started(self, resource: str, step: Step) -> None:
        self._watch(self._manager.hook.orlop_step_started, resource=resource, step=step)

    def step_done(self, resource: str, step: Step, error: Exception | None) -> None:
        self._watch(self._manager.hook.orlop_step_done, resource=resource, step=step, error=error)

    def resource_ready(self, resource: str, node: str) -> None:
        self._watch(self._manager.hook.orlop_resource_ready, resource=resource, node=node)

    def resource_split_brain(self, resource: str, nodes: tuple[str, str]) -> None:
        self._watch(self._manager.hook.orlop_resource_split_brain, resource=resource, nodes=nodes)

    def node_facts(self, name: str) -> Mapping[str, str]:
        answers = self._watch(self._manager.hook.orlop_node_facts, name=name)
        return {k: v for facts in answers if facts for k, v in facts.items()}

    def routes(self, application: Any) -> None:
        self._manager.hook.orlop_routes(application=application)

    def commands(self, group: Any) -> None:
        self._manager.hook.orlop_commands(group=group)

    def _watch(self, hook: pluggy.HookCaller, **event: Any) -> list[Any]:
        """Each plugin is called on its own: one that fails keeps the event from no other."""
        answers: list[Any] = []
        if self._muted:
            return answers
        for implementation in reversed(hook.get_hookimpls()):  # as pluggy: the last registered first
            try:
                answers.append(implementation.function(*(event[name] for name in implementation.argnames)))
            except Exception:  # noqa: BLE001 - an observer must not stop storage work
                log.exception("plugin %s failed while watching %s", implementation.plugin_name, event)
        return answers
