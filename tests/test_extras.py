"""An installation with one extra has all its program needs: everything else is made impossible to import."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest
from packaging.requirements import Requirement

BLOCKED = """
import sys
blocked = set({blocked!r})
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(name + " is not part of this extra", name=name)
sys.meta_path.insert(0, Blocker())
{program}
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name: str, extras: frozenset[str], found: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Distributions that `name[extras]` installs, itself included."""
    if (name, extras) in found:
        return set()
    found.add((name, extras))
    try:
        requires = distribution(name).requires or []
    except PackageNotFoundError:
        return set()  # only for another platform or version of Python
    wanted = {normal(name)}
    for requirement in map(Requirement, requires):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            wanted |= closure(requirement.name, frozenset(requirement.extras), found)
    return wanted


@pytest.mark.parametrize(
    ("extras", "program"),
    [
        ("cli", "from orlop.cli import main; sys.exit(main(['node', 'list', '--help']))"),
        (
            "cli",
            "from orlop.cli import main; sys.exit(main(['--controllers', 'http://127.0.0.1:1', 'node', 'list']) - 20)",
        ),
        ("satellite", "from orlop.satellite.program import cli; cli(['run', '--help'])"),
        (
            "satellite",
            "from pathlib import Path; from orlop.satellite.program import make_agent;"
            "import orlop.transport.server, orlop.satellite.join;"
            "print(make_agent('n1', Path('/nonexistent')).info().providers)",
        ),
        ("controller", "from orlop.controller.program import cli; cli(['--help'])"),
        ("controller", "import orlop.controller.service"),
        ("docker", "from orlop_docker.program import cli; cli(['--help'])"),
        ("docker", "from orlop_docker.running import Running"),
    ],
)
def test_an_extra_brings_what_its_program_needs(extras: str, program: str) -> None:
    allowed = closure("orlop", frozenset({extras}), set())
    blocked = [
        module
        for module, owners in packages_distributions().items()
        if module not in sys.stdlib_module_names and not {normal(owner) for owner in owners} & allowed
    ]
    assert "pytest" in blocked
    code = BLOCKED.format(blocked=blocked, program=program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
