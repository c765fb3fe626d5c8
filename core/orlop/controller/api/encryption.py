"""Routes of the master passphrase and of the keys of volumes. What they are given is in no answer and no log."""

from __future__ import annotations

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.definitions import VOLUME
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import HERE, Routes
from orlop.controller.usecases import encryption

route = Routes("encryption", Subject.CTRL_CONF)
PASSPHRASE = "/v1/encryption/passphrase"  # noqa: S105 - a path


@route("GET", PASSPHRASE, answer=wire.PassphraseStatus)
def status(call: Call) -> wire.PassphraseStatus:
    return wire.PassphraseStatus(status=encryption.status(call.core))


@route("POST", PASSPHRASE, body=wire.PassPhraseCreate, status=201, unplanned=HERE)
def create(call: Call) -> Answers:
    return encryption.create(call.core, call.body.new_passphrase)


@route("PUT", PASSPHRASE, body=wire.PassPhraseCreate, unplanned=HERE)
def modify(call: Call) -> Answers:
    return encryption.modify(call.core, call.body.old_passphrase, call.body.new_passphrase)


@route("PATCH", PASSPHRASE, body=str, unplanned=HERE)
def enter(call: Call) -> Answers:
    return encryption.enter(call.core, call.body)


@route("PUT", f"{VOLUME}/encryption-passphrase", body=wire.VolumeDefinitionModifyPassphrase, about=Subject.VLM_DFN)
def change_volume_key(call: Call, resource: str, volume_number: int) -> Answers:
    return encryption.change_volume_key(call.core, resource, volume_number, call.body.new_passphrase)
