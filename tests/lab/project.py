"""The project's wheel, built from the clone as it is now and made ready for the nodes."""

from __future__ import annotations

import compileall
import importlib.util
import io
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.lab.image import CLONE

FOLDER = "/opt/orlop"  # in a node
MAGIC = b"\xa7\r\r\n"  # of the byte code of CPython 3.11


def archive() -> bytes:
    """Tar archive of the unpacked wheel; with its byte code if this Python's is the nodes'."""
    with tempfile.TemporaryDirectory(prefix="orlop-lab-wheel-") as scratch:
        built, tree = Path(scratch) / "built", Path(scratch) / "tree"
        built.mkdir()
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
        done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the wheel can't be built:\n{done.stdout}{done.stderr}")
        (wheel,) = built.glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(tree)
        for adapter in tree.glob("orlop_*"):
            if adapter.name in ("orlop_openstack", "orlop_proxmox", "orlop_opennebula", "orlop_docker"):
                shutil.rmtree(adapter)
        if importlib.util.MAGIC_NUMBER == MAGIC:
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            compileall.compile_dir(tree, quiet=1, stripdir=str(tree), prependdir=FOLDER, invalidation_mode=mode)
        return _packed(tree)


def _packed(tree: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(tree.iterdir()):
            tar.add(path, path.name)
    return buffer.getvalue()
