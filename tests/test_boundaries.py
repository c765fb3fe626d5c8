"""Which package may import which. Read this to learn the architecture."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODEL = {"orlop.model", "orlop.errors", "orlop.codes"}
PLUGIN = MODEL | {"orlop.plugin"}
DRIVERS = {"orlop.hooks", "orlop.drivers"}
SERVICE = {"orlop.programs", "orlop.listener"}  # of a program that runs on and is asked over a socket
ANYTHING = {"orlop"}

# Part of the tree -> what it may import of ours, beside the bare `orlop` with the version.
MAY_IMPORT = {
    "core/orlop/codes.py": set(),
    "core/orlop/errors.py": {"orlop.codes"},
    "core/orlop/model": MODEL,
    "core/orlop/plugin": PLUGIN,
    "core/orlop/hooks.py": PLUGIN,
    "core/orlop/drivers.py": PLUGIN,
    "core/orlop/programs.py": MODEL,
    "core/orlop/listener.py": MODEL,
    "core/orlop/host": PLUGIN | {"orlop.host"},
    "core/orlop/transport": MODEL | {"orlop.listener", "orlop.transport"},
    "core/orlop/controller": PLUGIN | DRIVERS | SERVICE | {"orlop.transport", "orlop.controller"},
    "core/orlop/satellite": PLUGIN | DRIVERS | {"orlop.host", "orlop.transport", "orlop.programs", "orlop.satellite"},
    "core/orlop/client": MODEL | {"orlop.client"},
    "core/orlop/cli": MODEL | {"orlop.client", "orlop.hooks", "orlop.cli"},
    "core/orlop/testing": ANYTHING,
    "core/orlop/__init__.py": set(),
    "plugins/storage": PLUGIN | {"orlop_storage"},
    "plugins/layers": PLUGIN | {"orlop_layers"},
    "plugins/layers/orlop_layers/storage.py": PLUGIN | {"orlop_layers", "orlop.drivers"},
    "plugins/policies": PLUGIN | {"orlop_policies"},
    "adapters/openstack": MODEL | {"orlop.client", "orlop.host", "orlop_openstack"},
    "adapters/proxmox": MODEL | {"orlop.client", "orlop.host", "orlop_proxmox"},
    "adapters/opennebula": MODEL | {"orlop.client", "orlop.host", "orlop_opennebula"},
    "adapters/docker": MODEL | SERVICE | {"orlop.client", "orlop.host", "orlop_docker"},
    "adapters/kubernetes": MODEL | {"orlop.client", "orlop.host", "orlop_kubernetes"},
}

# Planning reads values and returns values.
PURE = (
    "core/orlop/codes.py",
    "core/orlop/errors.py",
    "core/orlop/model",
    "core/orlop/plugin",
    "core/orlop/satellite/plan",
    "core/orlop/controller/picture",
    "core/orlop/controller/placement",
    "core/orlop/controller/wait",
    "core/orlop/controller/orders",
    "core/orlop/controller/properties",
    "plugins",
)
IO = {"subprocess", "os", "shutil", "socket", "requests", "urllib3", "sqlalchemy", "tempfile"}
PROCESSES = ("core/orlop/host", "core/orlop/testing")  # the only places that may start a program


def files(root: Path) -> Iterator[tuple[str, Path]]:
    for top in ("core", "plugins", "adapters"):
        for path in sorted((root / top).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path


def within(name: str, part: str) -> bool:
    return name == part or name == f"{part}.py" or name.startswith(f"{part}/")


def imports(root: Path, path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "a relative name"
        elif isinstance(node, ast.ImportFrom) and node.module == "orlop":
            yield from (f"orlop.{a.name}" if _is_module(root, a.name) else "orlop" for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _is_module(root: Path, name: str) -> bool:
    own = root / "core" / "orlop"
    return (own / name).is_dir() or (own / f"{name}.py").is_file() or f"core/orlop/{name}" in MAY_IMPORT


def violations(root: Path) -> list[str]:
    found = []
    for name, path in files(root):
        rows = [part for part in MAY_IMPORT if within(name, part)]
        if not rows:
            found.append(f"{name} belongs to no row of the table")
            continue
        allowed = MAY_IMPORT[max(rows, key=len)]
        pure = any(within(name, part) for part in PURE)
        for module in imports(root, path):
            top = module.split(".")[0]
            ours = top == "orlop" or top.startswith("orlop_")
            if module == "a relative name":
                found.append(f"{name} must spell its imports out")
            elif ours and module != "orlop" and not any(f"{module}.".startswith(f"{part}.") for part in allowed):
                found.append(f"{name} must not import {module}")
            elif pure and top in IO:
                found.append(f"{name} plans only and must not import {module}")
            elif top == "subprocess" and not any(within(name, part) for part in PROCESSES):
                found.append(f"{name} must start programs through orlop.host")
    return found


def test_every_import_points_inwards() -> None:
    assert violations(ROOT) == []


def test_what_is_no_test_needs_none() -> None:
    tops = ("core", "plugins", "adapters", "packaging", "trees", "demo", "benchmarks")
    paths = [path for top in tops for path in sorted((ROOT / top).rglob("*.py"))]
    assert [str(path) for path in paths for name in imports(ROOT, path) if name.split(".")[0] == "tests"] == []


PLANTED = [
    pytest.param("core/orlop/controller/api.py", "import orlop.satellite.agent", id="controller-satellite"),
    pytest.param("core/orlop/satellite/agent.py", "from orlop.controller import picture", id="satellite-controller"),
    pytest.param("core/orlop/satellite/agent.py", "from orlop import controller", id="submodule-by-name"),
    pytest.param("core/orlop/model/node.py", "from orlop.plugin import Step", id="model-outwards"),
    pytest.param("core/orlop/errors.py", "from orlop.model import Node", id="errors-model"),
    pytest.param("plugins/storage/orlop_storage/lvm.py", "from orlop.host import Host", id="plugin-host"),
    pytest.param("plugins/storage/orlop_storage/lvm.py", "from orlop.drivers import Drivers", id="plugin-drivers"),
    pytest.param("plugins/storage/orlop_storage/lvm.py", "import os.path", id="planning-io"),
    pytest.param("core/orlop/satellite/plan.py", "def plan():\n    import socket", id="planning-io-hidden"),
    pytest.param("core/orlop/satellite/agent.py", "import subprocess", id="process-outside-host"),
    pytest.param("adapters/docker/orlop_docker/plugin.py", "from orlop.cli import main", id="adapter-cli"),
    pytest.param("adapters/docker/orlop_docker/server.py", "import orlop.transport.server", id="adapter-transport"),
    pytest.param("core/orlop/client/session.py", "from . import answers", id="relative"),
    pytest.param("core/orlop/odds/and_ends.py", "", id="unknown-package"),
]


@pytest.mark.parametrize(("name", "source"), PLANTED)
def test_a_planted_violation_is_seen(tmp_path: Path, name: str, source: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert len(violations(tmp_path)) == 1


ALLOWED = [
    pytest.param("core/orlop/model/node.py", "from orlop.codes import Fail", id="codes-belong-to-errors"),
    pytest.param("core/orlop/controller/api.py", "from orlop import __version__", id="version"),
    pytest.param("plugins/layers/orlop_layers/storage.py", "from orlop.drivers import Drivers", id="storage-layer"),
    pytest.param("core/orlop/host/runner.py", "import subprocess", id="host"),
]


@pytest.mark.parametrize(("name", "source"), ALLOWED)
def test_what_the_table_allows_is_not_reported(tmp_path: Path, name: str, source: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(source)
    assert violations(tmp_path) == []
