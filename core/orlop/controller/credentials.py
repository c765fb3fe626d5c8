"""The master passphrase as a credential of systemd: `LoadCredentialEncrypted=orlop-passphrase` in the unit."""

import os
from pathlib import Path
from typing import ClassVar

from orlop.errors import OrlopError
from orlop.plugin import API_VERSION

DIRECTORY = "CREDENTIALS_DIRECTORY"  # systemd sets it for a unit with credentials; only the unit can read them
NAME = "orlop-passphrase"


class SystemdCredentials:
    api_version: ClassVar[int] = API_VERSION

    @classmethod
    def passphrase(cls) -> str | None:
        directory = os.environ.get(DIRECTORY)
        if not directory or not (path := Path(directory) / NAME).exists():
            return None
        try:
            return path.read_text().rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise OrlopError(f"the credential {path} cannot be read: {error}") from error
