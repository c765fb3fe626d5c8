"""Configuration files: `[global]` with the long global options as keys, the format of LINSTOR's client."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orlop.errors import OrlopError

_NAMES = (("orlop", "orlop-client.conf"), ("linstor", "linstor-client.conf"))


class BadConfiguration(OrlopError):
    """A configuration file cannot be read."""


def places(environment: Mapping[str, str] = os.environ, system: Path = Path("/etc")) -> list[Path]:
    """Where files are looked for; the first that exists counts, Orlop's before LINSTOR's, the user's first."""
    named = environment.get("ORLOP_CONFIG")
    home = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/")) / ".config")
    found = [base / folder / name for folder, name in _NAMES for base in (home, system)]
    return [Path(named), *found] if named else found


def read(paths: Sequence[Path]) -> dict[str, str]:
    """The global options of the first file that exists, keys spelled as click's parameters."""
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return {}
    from configparser import ConfigParser, Error

    parser = ConfigParser(allow_no_value=True, interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (Error, OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(
            f"the configuration {path} cannot be read",
            cause=" ".join(str(error).split()),
            correction="Correct the file, or call orlop with --disable-config.",
        ) from error
    if not parser.has_section("global"):
        return {}
    return {key.replace("-", "_"): "true" if value is None else value for key, value in parser.items("global")}
