"""The project's wheel, built from the clone as it is now, unpacked on a read-only disk that all nodes share."""

from __future__ import annotations

import compileall
import importlib.util
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.lab import cache
from tests.lab.image import CLONE, PYTHON, make_file_system, size_of

FOLDER = "/opt/orlop"  # in a node
PARTS = ("core", "plugins", "adapters")
SPARE = 2 << 20  # bytes
MAGIC = b"\xa7\r\r\n"  # of the byte code of Python 3.11


def disk() -> Path:
    """File with the disk; built again when a file of the project has changed."""
    files = sorted(
        path for part in PARTS for path in (CLONE / part).rglob("*") if path.is_file() and path.suffix != ".pyc"
    )
    named = [part for path in files for part in (str(path.relative_to(CLONE)), path)]
    key = cache.digest(CLONE / "pyproject.toml", Path(__file__), PYTHON, importlib.util.MAGIC_NUMBER, *named)
    return cache.artefact("project", key, _build) / "project.ext4"


def _build(new: Path) -> None:
    with tempfile.TemporaryDirectory(dir=new) as scratch:
        tree = Path(scratch) / "tree"
        with zipfile.ZipFile(_wheel(Path(scratch))) as packed:
            packed.extractall(tree)
        if importlib.util.MAGIC_NUMBER == MAGIC:
            # Otherwise the nodes compile what they import, each time anew: slower, not wrong.
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            compileall.compile_dir(tree, quiet=1, stripdir=str(tree), prependdir=FOLDER, invalidation_mode=mode)
        make_file_system(tree, new / "project.ext4", size_of(tree) + SPARE, "-O", "^metadata_csum,^has_journal")


def _wheel(scratch: Path) -> Path:
    # A copy: several runs may build from one clone, and none shall write to it.
    source, built = scratch / "source", scratch / "built"
    source.mkdir()
    for part in PARTS:
        shutil.copytree(CLONE / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CLONE / file, source / file)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the wheel can't be built:\n{done.stdout}{done.stderr}")
    (wheel,) = built.glob("*.whl")
    return wheel
