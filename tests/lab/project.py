"""The project's wheel, built from the clone as it is now, unpacked on a read-only disk that all nodes share."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.lab import cache
from tests.lab.image import CLONE, PYTHON, make_file_system, root, size_of
from trees.debian import run

FOLDER = "/opt/orlop"  # in a node
PARTS = ("core", "plugins", "adapters")
SPARE = 2 << 20  # bytes
LOADER = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


@functools.cache
def disk() -> Path:
    """File with the disk; built again when a file of the project has changed."""
    files = sorted(
        path for part in PARTS for path in (CLONE / part).rglob("*") if path.is_file() and path.suffix != ".pyc"
    )
    named = [part for path in files for part in (str(path.relative_to(CLONE)), path)]
    key = cache.digest(CLONE / "pyproject.toml", Path(__file__), PYTHON, *named)
    return cache.artefact("project", key, _build) / "project.ext4"


def _build(new: Path) -> None:
    with tempfile.TemporaryDirectory(dir=new) as scratch:
        tree = Path(scratch) / "tree"
        with zipfile.ZipFile(_wheel(Path(scratch))) as packed:
            packed.extractall(tree)
        _compile(tree, Path(scratch) / "debian")
        make_file_system(tree, new / "project.ext4", size_of(tree) + SPARE, "-O", "^metadata_csum,^has_journal")


def _compile(tree: Path, debian: Path) -> None:
    """With the nodes' own Python, started where it lies: byte code is of one version, and this one may be another."""
    debian.mkdir()
    parts = [f"./usr/bin/python{PYTHON}", f"./usr/lib/python{PYTHON}", "./usr/lib/x86_64-linux-gnu"]
    run(["tar", "-xf", str(root() / "root.tar"), "-C", str(debian), *parts])
    libraries = ["--library-path", str(debian / "usr/lib/x86_64-linux-gnu")]
    python = [str(debian / LOADER), *libraries, str(debian / f"usr/bin/python{PYTHON}")]
    options = ["-q", "-s", str(tree), "-p", FOLDER, "--invalidation-mode", "unchecked-hash"]
    run([*python, "-m", "compileall", *options, str(tree)], PYTHONHOME=str(debian / "usr"))


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
