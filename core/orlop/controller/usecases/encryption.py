"""The master passphrase, and the keys of volumes."""

from __future__ import annotations

import logging
from collections.abc import Collection

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import volume_keys
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.key_ring import Locked, checked_passphrase, free_slot
from orlop.controller.picture import Picture
from orlop.controller.usecases import guards, lookup, waiting
from orlop.drivers import KEY_STORE
from orlop.errors import OrlopError, Refused
from orlop.model import MasterKey, ResourceDefinition, VolumeDefinition, VolumeKey, key

log = logging.getLogger(__name__)


class NoPassphrase(Refused):
    code = Fail.NOT_FOUND_CRYPT_KEY

    def __init__(self) -> None:
        super().__init__(
            "There is no master passphrase yet.",
            cause="The keys of encrypted volumes are kept under a master key that a passphrase unlocks.",
            correction="Create it with 'orlop encryption create-passphrase'.",
        )


def status(core: Core) -> str:
    """`unset`, `locked` or `unlocked`."""
    if core.picture.master_key is None:
        return "unset"
    return "locked" if core.key_ring.locked else "unlocked"


def create(core: Core, passphrase: str) -> Answers:
    answers = Answers(codes.CREATE, Subject.CTRL_CONF)
    _refuse_second(core.picture)
    made, plain = core.key_ring.new_master(checked_passphrase(passphrase, "master passphrase"))
    with core.change() as draft:
        _refuse_second(draft)
        draft.put(made)
    core.key_ring.use(plain)
    answers.success("The master passphrase is created; encrypted volumes can be made.", codes.CREATED)
    return answers


def _refuse_second(picture: Picture) -> None:
    if picture.master_key is not None:
        raise Refused(
            "There is a master passphrase already.",
            correction="Change it with 'orlop encryption modify-passphrase'.",
            code=Fail.EXISTS_CRYPT_PASSPHRASE,
        )


def modify(core: Core, old: str, new: str) -> Answers:
    """Only the master key is sealed anew: the keys of volumes stay as they are."""
    answers = Answers(codes.MODIFY, Subject.CTRL_CONF)
    master = _master(core.picture)
    resealed = core.key_ring.resealed(master, old, checked_passphrase(new, "master passphrase"))
    with core.change() as draft:
        if _master(draft) != master:
            raise Refused("The master passphrase was changed meanwhile.", correction="Try again.", code=Fail.RSC_BUSY)
        draft.put(resealed)
    _unlock(core, new)
    answers.success("The master passphrase is changed.", codes.MODIFIED)
    return answers


def enter(core: Core, passphrase: str) -> Answers:
    answers = Answers(codes.MODIFY, Subject.CTRL_CONF)
    _master(core.picture)
    _unlock(core, passphrase)
    answers.success("The master passphrase is accepted; the keys are unlocked.", codes.PASSPHRASE_ACCEPTED)
    return answers


def unlock_from(core: Core, store: str) -> None:
    """At the start, where a key store has the passphrase. Whatever goes wrong leaves the controller locked."""
    if core.picture.master_key is None:
        return
    try:
        passphrase = core.drivers.load(KEY_STORE, store).passphrase()
        if passphrase is not None:
            _unlock(core, passphrase)
            log.info("the keys of encrypted volumes are unlocked: key store %s has the master passphrase", store)
            return
    except OrlopError as error:
        log.error("key store %s could not unlock the keys of encrypted volumes: %s", store, error)
    log.warning("the keys of encrypted volumes are locked until somebody runs 'orlop encryption enter-passphrase'")


def _unlock(core: Core, passphrase: str) -> None:
    core.key_ring.unlock(_master(core.picture), passphrase)
    if core.links:
        core.links.secrets_available()


def _master(picture: Picture) -> MasterKey:
    if picture.master_key is None:
        raise NoPassphrase()
    return picture.master_key


# -- keys of volumes ------------------------------------------------------------------------------------------


def new_key(core: Core, picture: Picture, used: list[VolumeKey], passphrase: str = "") -> VolumeKey:
    """Raises `Refused` while the controller is locked."""
    _master(picture)
    if passphrase:
        checked_passphrase(passphrase, "passphrase of a volume")
    return core.key_ring.new_key(core.new_uuid(), free_slot(used), passphrase)


def with_keys(
    core: Core, picture: Picture, definition: ResourceDefinition, fresh: Collection[str]
) -> ResourceDefinition:
    """The definition with a key for each encrypted volume that is about to be made. Raises where none can be given."""
    numbers = {
        v.number for r in definition.resources for v in r.volumes if v.uuid in fresh and volume_keys.encrypted(v)
    }
    if not numbers:
        return definition
    _master(picture)
    if core.key_ring.locked:
        raise Locked()
    return replace(
        definition,
        volume_definitions=tuple(
            replace(of, keys=(new_key(core, picture, []),)) if of.number in numbers and not of.keys else of
            for of in definition.volume_definitions
        ),
    )


def with_passphrase(core: Core, picture: Picture, of: VolumeDefinition, passphrase: str) -> VolumeDefinition:
    """The volume definition with the key that a user gave for it."""
    return replace(of, keys=(new_key(core, picture, [], passphrase),)) if passphrase else of


def change_volume_key(core: Core, name: str, number: int, passphrase: str) -> Answers:
    """Another key for a volume, on every replica; without a passphrase a random one."""
    answers = Answers(codes.MODIFY, Subject.VLM_DFN, RscDfn=name, VlmNr=str(number))
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.not_deleting(definition)
        guards.no_operation(definition)
        of = lookup.volume_definition(definition, number)
        _can_change(definition, of)
        fresh = new_key(core, draft, volume_keys.all_known(definition, number), passphrase)
        after = replace(of, keys=(*of.keys, fresh))
        volumes = tuple(after if v.number == number else v for v in definition.volume_definitions)
        draft.put(replace(definition, volume_definitions=volumes))
    core.settle([key(name)])
    answers.success(f"Volume {number} of '{definition.name}' gets another key.", codes.MODIFIED)
    nodes = [r.node for r in definition.resources if not r.deleting and any(v.number == number for v in r.volumes)]
    later = "the old key stays valid until it, too, has the new one"
    waiting.settled(core, answers, definition.name, nodes, "has the new key only", later)
    return answers


def _can_change(definition: ResourceDefinition, of: VolumeDefinition) -> None:
    if volume_keys.LUKS not in definition.layers:
        raise Refused(
            f"Volume {of.number} of '{definition.name}' is not encrypted: the layer stack is "
            f"{', '.join(definition.layers)}.",
            code=Fail.INVLD_LAYER_STACK,
        )
    if len(of.keys) > 1:
        raise Refused(
            f"The key of volume {of.number} of '{definition.name}' is being changed already.",
            cause="A replica still has an older key: a change ends when every replica has only the new one.",
            correction="Wait until all nodes of the resource are back and its volumes are active.",
            code=Fail.RSC_BUSY,
        )
