"""What belongs to the cluster as a whole: controller properties, log level, key-value stores."""

from __future__ import annotations

import logging

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.properties import Kind
from orlop.controller.usecases import lookup
from orlop.controller.usecases.property_changes import changed
from orlop.errors import Refused
from orlop.model import KeyValueStore, key, names
from orlop.model.cluster import Properties

SECRET = ("encryption/", "Auth/Tokens/", "Internal/")  # namespaces that are never shown
RESTART = ("REST/", "netcom/")  # read at the start of the controller only
LEVELS = {
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": logging.DEBUG,
}
LOG = logging.getLogger("orlop")


def shown(core: Core) -> Properties:
    """The controller's properties without those that hold secrets."""
    props = core.picture.controller.props
    return {name: value for name, value in sorted(props.items()) if not name.startswith(SECRET)}


def modify(core: Core, body: wire.PropertiesModify) -> Answers:
    answers = Answers(codes.MODIFY, Subject.CTRL_CONF)
    answers.success("The controller's properties are modified.", codes.MODIFIED)
    with core.change() as draft:
        controller = draft.controller
        draft.put(replace(controller, props=changed(core.drivers, answers, Kind.CONTROLLER, controller.props, body)))
    later = sorted(name for name in (*body.override_props, *body.delete_props) if name.startswith(RESTART))
    if later:
        answers.warning(
            "Some of these properties take effect when the controller is started the next time.",
            Warn.UNEFFECTIVE_PROP,
            details=", ".join(later),
            correction="Restart the controller.",
        )
    return answers


def delete_property(core: Core, name: str) -> Answers:
    return modify(core, wire.ControllerPropsModify(delete_props=(name,)))


def log_level() -> str:
    level = LOG.getEffectiveLevel()
    return next((name for name, value in LEVELS.items() if value <= level), "INFO")


def configure(body: wire.ControllerConfig) -> Answers:
    """Only the log level can be changed while the controller runs."""
    levels = _levels(body)
    if not levels:
        raise Refused(
            "Only the log level can be changed.",
            correction="Change the configuration file and restart the controller.",
            code=Fail.ACC_DENIED_CTRL_CFG,
        )
    level = levels[0].upper()
    if level not in LEVELS:
        raise Refused(f"'{level}' is not a log level: {', '.join(LEVELS)} are.", code=Fail.INVLD_CONF)
    LOG.setLevel(LEVELS[level])
    answers = Answers(codes.MODIFY, Subject.CTRL_CONF)
    answers.success(f"The log level is {level} until the controller is restarted.", codes.MODIFIED)
    return answers


def _levels(body: wire.ControllerConfig) -> list[str]:
    """The log levels asked for, most specific first; nothing when anything else is asked for as well."""
    log = body.log or wire.ControllerConfigLog()
    rest = replace(log, level=None, level_global=None, level_linstor=None, level_linstor_global=None)
    if replace(body, log=None) != wire.ControllerConfig() or rest != wire.ControllerConfigLog():
        return []
    return [level for level in (log.level_linstor, log.level, log.level_linstor_global, log.level_global) if level]


def modify_key_value_store(core: Core, name: str, body: wire.KeyValueStoreModify) -> Answers:
    """A store exists as long as it has a key: the first one makes it, removing the last one removes it."""
    with core.change() as draft:
        before = draft.key_values.get(key(name))
        store = before or KeyValueStore(name=names.key_value_store(name))
        answers = Answers(codes.MODIFY, Subject.KVS, KVS=store.name)
        answers.success(f"Key-value store '{store.name}' is modified.", codes.MODIFIED)
        after = replace(store, props=changed(core.drivers, answers, Kind.KEY_VALUE_STORE, store.props, body))
        if after.props:
            draft.put(after)
        elif before:
            draft.remove(before)
    return answers


def delete_key_value_store(core: Core, name: str) -> Answers:
    with core.change() as draft:
        store = lookup.key_value_store(draft, name)
        draft.remove(store)
    answers = Answers(codes.DELETE, Subject.KVS, KVS=store.name)
    answers.success(f"Key-value store '{store.name}' is deleted.", codes.DELETED)
    return answers
