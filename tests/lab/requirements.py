"""Programs that the lab needs on the host, and the Debian or Ubuntu packages that bring them."""

from __future__ import annotations

from trees import requirements

PROGRAMS = requirements.PROGRAMS | {
    "qemu-system-x86_64": "qemu-system-x86",
    "cpio": "cpio",
    "depmod": "kmod",
    "objcopy": "binutils",
    "mke2fs": "e2fsprogs",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}

if __name__ == "__main__":
    requirements.provide(requirements.missing(PROGRAMS), "lab")
