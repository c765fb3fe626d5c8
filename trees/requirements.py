"""Programs that trees are made with, and the Debian or Ubuntu packages that bring them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from trees.debian import KEYRING

PROGRAMS = {"mmdebstrap": "mmdebstrap"}
FILES = {KEYRING: "debian-archive-keyring"}


def missing(programs: Mapping[str, str], files: Mapping[str, str] = FILES) -> list[str]:
    """Packages to install, by name, for programs that are looked for in PATH and files that are looked for as such."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = [package for program, package in programs.items() if not shutil.which(program, path=path)]
    return sorted({*lacking, *(package for file, package in files.items() if not Path(file).exists())})


def provide(packages: list[str], what: str) -> None:
    """Install what is missing; who may not is told what to install."""
    if not packages:
        return
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"The {what} needs {', '.join(packages)} here. On Debian and Ubuntu, as root:\n  {' '.join(install)}")
    print(f"{what}: installing {' '.join(packages)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=quiet, stdout=subprocess.DEVNULL, check=True)
    subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    provide(missing(PROGRAMS), "managed plugin")
