"""Properties of any object: apply a request and say what became of each key."""

from collections.abc import Mapping

from orlop.codes import Info, Warn
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.properties import Kind, apply


def changed(
    answers: Answers, kind: Kind, props: Mapping[str, str], request: wire.PropertiesModify
) -> Mapping[str, str]:
    """The properties after the request, with an entry per key; raises `BadProperty` and changes nothing."""
    change = apply(kind, props, request.override_props, request.delete_props, request.delete_namespaces)
    for name in change.set_keys:
        answers.info(f"Property '{name}' is set to '{change.props[name]}'.", Info.PROP_SET)
    for name in change.removed_keys:
        answers.info(f"Property '{name}' is removed.", Info.PROP_REMOVED)
    for name in change.unknown_deleted:
        answers.warning(f"Property '{name}' was not set.", Warn.DEL_UNSET_PROP)
    return change.props


def checked(kind: Kind, props: Mapping[str, str]) -> Mapping[str, str]:
    """The properties a new object gets, in their canonical spelling."""
    return apply(kind, {}, props, (), ()).props
