"""The distribution's kernel: its uncompressed image, which QEMU starts directly, and the modules that nodes need."""

from __future__ import annotations

import lzma
import shutil
import struct
import tempfile
from pathlib import Path

from tests.lab import cache
from trees import debian

PACKAGE = "linux-image-amd64"
MODULES = Path(__file__).with_name("modules.txt")
FIRST = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "overlay")  # to reach the root file system
SOURCE = Path(__file__)


def kernel() -> Path:
    """Folder with `vmlinux`, `release` and `modules`, the tree of one release."""
    return cache.artefact("kernel", cache.digest(SOURCE, MODULES, Path(debian.__file__)), _build)


def release(built: Path) -> str:
    return (built / "release").read_text()


def _build(new: Path) -> None:
    with tempfile.TemporaryDirectory(dir=new) as scratch:
        tree = Path(scratch) / "tree"
        debian.bootstrap(tree, [PACKAGE], variant="extract")
        (image,) = (tree / "boot").glob("vmlinuz-*")
        version = image.name.removeprefix("vmlinuz-")
        modules = next(path for path in (tree / "usr/lib/modules", tree / "lib/modules") if (path / version).is_dir())
        (new / "vmlinux").write_bytes(uncompressed(image.read_bytes()))
        _copy_modules(modules / version, new / "modules")
        (new / "release").write_text(version)


def uncompressed(image: bytes) -> bytes:
    """The ELF file in a bzImage that was packed with xz, as Debian's are; offsets from the x86 boot protocol."""
    sectors = image[0x1F1]
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    elf = lzma.LZMADecompressor().decompress(image[start : start + length])
    if not elf.startswith(b"\x7fELF"):
        raise SystemExit("the kernel's image is not what was expected: no ELF file in it")
    return elf


def _copy_modules(source: Path, target: Path) -> None:
    """The modules wanted with all that they depend on."""
    if not (source / "modules.dep").exists():
        debian.run(["depmod", "-b", str(source.parents[2]), source.name])
    needs = {}
    for line in (source / "modules.dep").read_text().splitlines():
        file, _, others = line.partition(":")
        needs[_name(file)] = (file, [_name(other) for other in others.split()])
    built_in = {_name(line) for line in (source / "modules.builtin").read_text().split()}
    asked = MODULES.read_text().split()
    unknown = [name for name in asked if name not in needs and name not in built_in]
    if unknown:
        raise SystemExit(f"this kernel has no modules {' '.join(unknown)}")
    wanted: dict[str, str] = {}
    left = asked
    while left:
        name = left.pop()
        if name in wanted or name in built_in:
            continue
        wanted[name], needed = needs[name]
        left += needed
    for file in wanted.values():
        copy = target / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / file, copy)
    for file in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(source / file, target / file)


def _name(file: str) -> str:
    return Path(file).name.split(".ko")[0].replace("-", "_")
