"""Passphrases. They are shown by nothing that prints a value."""

from __future__ import annotations

from orlop.controller.wire.base import Body


class PassphraseStatus(Body, frozen=True, kw_only=True):
    status: str


class PassPhraseCreate(Body, frozen=True, kw_only=True):
    new_passphrase: str = ""
    old_passphrase: str = ""

    def __repr__(self) -> str:
        return "PassPhraseCreate()"


class VolumeDefinitionModifyPassphrase(Body, frozen=True, kw_only=True):
    new_passphrase: str = ""

    def __repr__(self) -> str:
        return "VolumeDefinitionModifyPassphrase()"
