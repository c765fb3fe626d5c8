"""The real program with an agent that has no storage; a test runs it as a process of its own."""

import secrets
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from memory_agent import MemoryAgent  # noqa: E402

from orlop.satellite.program import cli  # noqa: E402

cli(prog_name="orlop-satellite", obj=lambda name, _: MemoryAgent(name, run=secrets.token_hex(4)))
