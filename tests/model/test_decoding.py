"""Types are found out by one thread at a time: otherwise msgspec ends the process."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIRECT = re.compile(r"msgspec\.(json\.decode\([^\n]*type=|convert\(|json\.Decoder\()")
PROGRAM = """
import sys, threading, msgspec
from orlop.model.decoding import {name}
sys.setswitchinterval(1e-6)
for _ in range(300):
    inner = msgspec.defstruct("Inner", [(f"field{{n}}", dict[str, int] | None, None) for n in range(40)])
    outer = msgspec.defstruct("Outer", [("inner", tuple[inner, ...]), ("one", inner)])
    begin = threading.Barrier(8)
    def meet():
        begin.wait()
        {call}
    threads = [threading.Thread(target=meet) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""
DOCUMENT = '{"inner": [{"field1": {"a": 1}}], "one": {"field39": {"b": 2}}}'


def run(name: str, call: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(name=name, call=call)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_many_threads_may_meet_a_type_for_the_first_time():
    assert run("decoded", f"decoded({DOCUMENT!r}, outer)").returncode == 0
    assert run("converted", f"converted(msgspec.json.decode({DOCUMENT!r}), outer)").returncode == 0


def test_types_are_decoded_nowhere_else():
    sources = [path for top in ("core", "plugins", "adapters") for path in (ROOT / top).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in sources if DIRECT.search(path.read_text())}
    # The store makes its decoders when it is opened, before there are threads.
    assert found == {"core/orlop/model/decoding.py", "core/orlop/controller/store/shapes.py"}
