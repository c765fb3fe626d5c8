"""A stranger's distribution is installed, found and used, without a word about it in the core."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "example_plugin"
USE = """
from orlop.drivers import STORAGE, Drivers
from orlop.errors import BadProperty
from orlop.hooks import Hooks
from orlop.model import GIB, StoragePool, WantedPool
from orlop.testing import SimulatedHost, Workbench, check_layer, check_storage

drivers = Drivers.installed()
assert not drivers.broken, drivers.broken
driver = drivers.load(STORAGE, "FILE_QUOTA")
props = {"StorDriver/StorPoolName": "/srv/quota", "StorDriver/Example/Quota": str(GIB)}
pool = WantedPool(name="pool", uuid="pool-uuid", provider="FILE_QUOTA", props=props, new=True)
check_storage(driver, SimulatedHost(), pool)
check_layer(("STORAGE",), drivers, SimulatedHost(), pool)

bench = Workbench(driver, SimulatedHost(), pool, "cluster")
bench.until_done(lambda seen: seen.mark_pool(pool))
assert bench.look().capacity("pool").total == GIB
try:
    driver.check_pool({"StorDriver/StorPoolName": "/srv/quota"})
except BadProperty as error:
    assert "Quota" in str(error)
else:
    raise AssertionError("a quota is needed")

hooks = Hooks.installed()
place = StoragePool(node="n", name="pool", uuid="u", provider="FILE_QUOTA")
assert hooks.vetoes(4096, place) == ["pool pool takes no volumes below 1 MiB"]
assert hooks.vetoes(GIB, place) == []
assert "Example/Machine" in hooks.node_facts("n")
print("used")
"""
EXTEND = """
from flask import Flask
from orlop.hooks import Hooks

application = Flask("test")
Hooks.installed().routes(application)
print(application.test_client().get("/v1/orlop/example").get_json().keys())
"""
COMMAND = """
from orlop.cli import main
main(["example"])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index")
    own = ("--no-deps", "--no-build-isolation", "--target", str(target), str(EXAMPLE))
    subprocess.run((*pip, *own), check=True, capture_output=True)
    return target


def python(installed: Path, script: str, home: Path) -> str:
    path = os.pathsep.join([str(installed), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_strangers_driver_and_hooks_are_used(installed: Path, tmp_path: Path) -> None:
    assert python(installed, USE, tmp_path) == "used\n"


def test_a_stranger_adds_routes_and_commands(installed: Path, tmp_path: Path) -> None:
    assert python(installed, EXTEND, tmp_path) == "dict_keys(['machine'])\n"
    assert python(installed, COMMAND, tmp_path).strip() == platform.machine()


def test_a_plugin_that_cannot_be_imported_is_named_with_its_error(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    (broken / "broken-1.dist-info").mkdir(parents=True)
    (broken / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (broken / "broken-1.dist-info" / "entry_points.txt").write_text("[orlop.storage]\ntape = no_such_module:Tape\n")
    script = (
        "from orlop.drivers import Drivers; from orlop.hooks import Hooks; from orlop.satellite.info import info\n"
        "from orlop.testing import SimulatedHost\n"
        "said = info('n', SimulatedHost(), Drivers.installed(), Hooks(), '/var/lib/orlop')\n"
        "print([s.reasons for s in said.providers if s.name == 'TAPE'], [s.name for s in said.providers if s.usable])"
    )
    said = python(broken, script, tmp_path)
    assert "No module named 'no_such_module'" in said
    assert "FILE_THIN" in said, "the others work on"
