"""The options that say where replicas are to be placed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

import click

from orlop.cli import completion
from orlop.cli.grammar import WORDS
from orlop.cli.kinds import Kind
from orlop.cli.options import Decorated, layers, many, stacked
from orlop.cli.words import Maybe

if TYPE_CHECKING:
    from orlop.client import SelectFilter


class Count(Kind):
    """A number of replicas; `+2` is two more than there are."""

    name = "[+]count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.removeprefix("+").isdigit():
            self.fail(f"{text!r} is not a number of replicas; write 3, or +1 for one more.", param, ctx)
        return text


def placement(
    count: str = "--place-count", providers: tuple[str, ...] = ("-p", "--providers")
) -> Callable[[Decorated], Decorated]:
    """The options reach the command as `select`, a `SelectFilter`, and `layers`."""

    def decorate(function: Decorated) -> Decorated:
        def called(*args: Any, **more: Any) -> Any:
            chosen = {name: more.pop(name) for name in _NAMES}
            return function(*args, select=filter_of(chosen, more["layers"]), **more)

        update_wrapper(called, function)
        return stacked(
            click.option(count, "place_count", type=Count(), help="Replicas with a disk; +1 for one more."),
            many("-s", "--storage-pool", help="Only pools of these names.", shell_complete=completion.POOLS),
            many("--diskless-storage-pool", help="Pools for diskless resources."),
            many(
                "--do-not-place-with",
                help="Not on nodes with one of these resources.",
                shell_complete=completion.RESOURCES,
            ),
            click.option("--do-not-place-with-regex", help="Not on nodes with a resource that matches."),
            many("--replicas-on-same", help="Nodes alike in these own properties: KEY or KEY=VALUE, without Aux/."),
            many("--replicas-on-different", help="Nodes that differ in these own properties."),
            many("--x-replicas-on-different", help="KEY N: groups of nodes alike in KEY get N replicas each."),
            click.option(
                "--diskless-on-remaining",
                cls=Maybe,
                alone="yes",
                type=click.Choice(["yes", "no", "true", "false"], case_sensitive=False),
                help="Diskless resources on all other nodes.  [yes|no]",
            ),
            layers(),
            click.option("--policy", help="How places are ranked: balanced, most-free-space, pack, round-robin..."),
            many("--site", "sites", help="Only nodes of these sites.", shell_complete=completion.SITES),
            click.option("--most-per-site", type=click.IntRange(min=0), help="So many replicas in one site at most."),
            click.option(
                "--least-per-site",
                type=click.IntRange(min=0),
                help="So many in each --site, or in each site that is used, at least.",
            ),
            many(
                "--prefer-node",
                "preferred",
                help="Rather on these nodes than on others.",
                shell_complete=completion.NODES,
            ),
            click.option(*providers, "providers", type=WORDS, help="Only these kinds of pools: lvm,lvm_thin,zfs..."),
        )(called)

    return decorate


_NAMES = (
    "place_count",
    "storage_pool",
    "diskless_storage_pool",
    "do_not_place_with",
    "do_not_place_with_regex",
    "replicas_on_same",
    "replicas_on_different",
    "x_replicas_on_different",
    "diskless_on_remaining",
    "policy",
    "sites",
    "most_per_site",
    "least_per_site",
    "preferred",
    "providers",
)


def filter_of(chosen: dict[str, Any], layers: tuple[str, ...] | None, diskless_type: str | None = None) -> SelectFilter:
    """What the options say; what was not given stays unset, what was given empty is cleared."""
    from orlop.client import SelectFilter

    count: str | None = chosen["place_count"]
    more = count is not None and count.startswith("+")
    remaining = chosen["diskless_on_remaining"]
    return SelectFilter(
        place_count=int(count) if count and not more else None,
        additional_place_count=int(count) if count and more else None,
        storage_pool_list=_list(chosen["storage_pool"]),
        storage_pool_diskless_list=_list(chosen["diskless_storage_pool"]),
        not_place_with_rsc=_list(chosen["do_not_place_with"]),
        not_place_with_rsc_regex=chosen["do_not_place_with_regex"],
        replicas_on_same=_keys(chosen["replicas_on_same"]),
        replicas_on_different=_keys(chosen["replicas_on_different"]),
        x_replicas_on_different_map=_pairs(chosen["x_replicas_on_different"]),
        layer_stack=_list(layers),
        provider_list=_list(chosen["providers"]),
        diskless_on_remaining=None if remaining is None else remaining.lower() in ("yes", "true"),
        diskless_type=diskless_type,
        placement_policy=chosen["policy"],
        site_list=_list(chosen["sites"]),
        most_per_site=chosen["most_per_site"],
        least_per_site=chosen["least_per_site"],
        preferred_node_list=_list(chosen["preferred"]),
    )


def _list(words: Iterable[str] | None) -> list[str] | None:
    return None if words is None else list(words)


def _keys(words: Iterable[str] | None) -> list[str] | None:
    """Own properties live below Aux/; the prefix may be written or left out."""
    return None if words is None else [word if word.startswith("Aux/") else f"Aux/{word}" for word in words]


def _pairs(words: tuple[str, ...] | None) -> dict[str, int] | None:
    if words is None:
        return None
    if len(words) % 2 or not all(word.isdigit() for word in words[1::2]):
        raise click.UsageError("--x-replicas-on-different takes pairs: KEY N.")
    return {key: int(count) for key, count in zip(_keys(words[::2]) or [], words[1::2], strict=True)}
