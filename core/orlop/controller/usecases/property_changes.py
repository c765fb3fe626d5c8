"""Properties of any object: apply a request and say what became of each key."""

from collections.abc import Iterable, Mapping

from orlop.codes import Info, Warn
from orlop.controller import options, wire
from orlop.controller.answers import Answers
from orlop.controller.external_metadata import POOL as METADATA_POOL
from orlop.controller.placement import DEFAULT_POLICY, POLICY
from orlop.controller.properties import Kind, apply
from orlop.controller.wait import presets
from orlop.drivers import PLACEMENT, Drivers
from orlop.errors import BadProperty

NOT_RUN = frozenset({"Autoplacer/PreSelectScript", "Autoplacer/PreSelectScriptTimeout"})


def changed(
    drivers: Drivers,
    answers: Answers,
    kind: Kind,
    props: Mapping[str, str],
    request: wire.PropertiesModify,
    provider: str = "",
) -> Mapping[str, str]:
    """The properties after the request, with an entry per key; raises `BadProperty` and changes nothing.

    `provider` is the kind of the storage pool that has them.
    """
    heeded = _heeded(drivers, kind)
    change = apply(kind, props, request.override_props, request.delete_props, request.delete_namespaces, heeded)
    if kind in options.KINDS:
        options.check(drivers, change.props, change.set_keys, provider)
    _check_policy(drivers, change.props, change.set_keys)
    presets.check_values(drivers, change.props, change.set_keys)
    for name in change.set_keys:
        answers.info(f"Property '{name}' is set to '{change.props[name]}'.", Info.PROP_SET)
    for name in NOT_RUN.intersection(change.set_keys):
        answers.warning(
            f"Property '{name}' has no effect: the controller runs no scripts.",
            Warn.UNEFFECTIVE_PROP,
            correction="A plugin with the hook orlop_preselect_placement does that.",
        )
    for name in change.removed_keys:
        answers.info(f"Property '{name}' is removed.", Info.PROP_REMOVED)
    if METADATA_POOL in (*change.set_keys, *change.removed_keys):
        answers.info(
            f"'{METADATA_POOL}' takes effect for replicas that are made from now on.",
            details="Those that are there keep their metadata where it is.",
        )
    for name in change.unknown_deleted:
        answers.warning(f"Property '{name}' was not set.", Warn.DEL_UNSET_PROP)
    return change.props


def checked(drivers: Drivers, kind: Kind, props: Mapping[str, str], provider: str = "") -> Mapping[str, str]:
    """The properties a new object gets, in their canonical spelling."""
    found = apply(kind, {}, props, options=_heeded(drivers, kind)).props
    if kind in options.KINDS:
        options.check(drivers, found, found, provider)
    _check_policy(drivers, found, found)
    presets.check_values(drivers, found, found)
    return found


def _check_policy(drivers: Drivers, props: Mapping[str, str], changed: Iterable[str]) -> None:
    installed = drivers.names(PLACEMENT)
    if POLICY in changed and props[POLICY].lower() not in (DEFAULT_POLICY, *installed):
        raise BadProperty(
            f"There is no placement policy '{props[POLICY]}'.",
            details=f"Installed: {', '.join(installed) or 'none'}.",
            correction="Name one of these, or install the plugin that brings it where the controller runs.",
        )


def _heeded(drivers: Drivers, kind: Kind) -> frozenset[str]:
    return options.heeded_by_any(drivers) if kind in options.KINDS else frozenset()
