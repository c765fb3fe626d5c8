"""Programs that tests with Docker need, and the Debian or Ubuntu packages that bring them; no service is started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from trees import requirements

PROGRAMS = requirements.PROGRAMS | {
    "dockerd": "docker.io",
    "busybox": "busybox-static",
    "systemd-socket-activate": "systemd",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "unshare": "util-linux",
}
FILES = requirements.FILES | {
    # Another client or engine in PATH would not be the one of the distribution.
    "/usr/sbin/dockerd": "docker.io",
    "/usr/bin/docker": "docker.io",
}
POLICY = Path("/usr/sbin/policy-rc.d")


@contextlib.contextmanager
def no_service() -> Iterator[None]:
    """apt starts what it installs unless this file says no."""
    if POLICY.exists() or os.geteuid() != 0:
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


if __name__ == "__main__":
    with no_service():
        requirements.provide(requirements.missing(PROGRAMS, FILES), "test with Docker")
