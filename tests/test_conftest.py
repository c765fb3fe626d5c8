"""The rules about skipping, tried on a small suite of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import pytest

@pytest.mark.root
def test_of_root(): pass

def test_without_a_package(): pytest.skip("the package is missing")

@pytest.mark.xfail(reason="known")
def test_known_to_fail(): assert False
"""
AS_USER = [
    pytest.param("0", 0, "2 skipped, 1 xfailed", "needs root", id="user"),
    pytest.param("1", 1, "1 failed, 1 xfailed, 1 error", "needs root", id="user-strict"),
]
AS_ROOT = [
    pytest.param("0", 0, "1 passed, 1 skipped, 1 xfailed", "the package is missing", id="root"),
    pytest.param("1", 1, "1 failed, 1 passed, 1 xfailed", "the package is missing", id="root-strict"),
]


@pytest.mark.parametrize(("strict", "status", "summary", "reason"), AS_USER if os.geteuid() else AS_ROOT)
def test_skips_are_named_and_forbidden_where_everything_has_to_run(
    tmp_path: Path, strict: str, status: int, summary: str, reason: str
) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = root: needs root\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", str(tmp_path / "test_suite.py")],
        env=os.environ | {"ORLOP_TEST_STRICT": strict, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout
    assert summary in done.stdout
    assert reason in done.stdout
