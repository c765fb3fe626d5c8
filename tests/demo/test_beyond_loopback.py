import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("ip") or not shutil.which("unshare"), reason="needs iproute2 and util-linux"),
]


def test_a_node_beyond_loopback_is_reached_over_tls_only(tmp_path: Path) -> None:
    script = Path(__file__).with_name("beyond_loopback.py")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, script, tmp_path], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["state"] == "ONLINE", (tmp_path / "log").read_text()
    assert "is ready" in found["pool"]
    assert found["plain is refused"]
