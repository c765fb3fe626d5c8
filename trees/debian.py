"""Trees of Debian 12 made with mmdebstrap, from the mirror that this machine uses if it has one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

SUITE = "bookworm"
COMPONENTS = "main contrib"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LEAN = (
    'APT::Install-Recommends "false"',
    'Acquire::Languages "none"',
)
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
# How packages are reached from here is known to the host's apt.
ACQUIRE = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date")


def bootstrap(target: Path, packages: Iterable[str], *options: str, variant: str = "minbase") -> None:
    """Fill `target`, a folder or a name that ends with .tar, with these packages and what they need."""
    with tempfile.TemporaryDirectory(prefix="orlop-lab-apt-") as scratch:
        configuration = Path(scratch) / "apt.conf"
        configuration.write_text("".join(f"{line};\n" for line in (*LEAN, *_acquire())))
        lines = _sources()
        sources = Path(scratch) / "sources.list"
        sources.write_text("".join(f"{line}\n" for line in lines))
        mirror = [str(sources)] if lines else []
        command = [
            *("mmdebstrap", "--quiet", "--mode=root", f"--variant={variant}"),
            *(f"--components={COMPONENTS}", f"--aptopt={configuration}"),
            *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
            *(f"--include={','.join(packages)}", *options, SUITE, str(target), *mirror),
        ]
        run(command)


def run(command: list[str], **more: str) -> str:
    """Output of a command; its complaints are shown if it fails. `more` goes to its environment."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "HOME": "/root",
    }
    done = subprocess.run(
        command, env={**environment, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-4000:]
        raise SystemExit(f"'{' '.join(command)}' ended with {done.returncode}:\n{said}")
    return done.stdout


def _acquire() -> list[str]:
    dump = run(["apt-config", "dump", "--format", "%F %v%n", *ACQUIRE]).splitlines()
    return [f'{name} "{value}"' for name, _, value in (line.partition(" ") for line in dump) if value]


def _sources() -> list[str]:
    """Lines for sources.list from a host with the same Debian; none leaves the choice to mmdebstrap."""
    columns = "$(ORIGIN) $(REPO_URI) $(RELEASE)"
    found = run(["apt-get", "indextargets", "--format", columns, "Created-By: Packages"]).splitlines()
    rows = dict.fromkeys(tuple(line.split(" ", 2)) for line in found)
    wanted = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
    lines = [
        f"deb [signed-by={KEYRING}] {address} {release} {COMPONENTS}"
        for origin, address, release in rows
        if origin == "Debian" and release in wanted
    ]
    return lines if any(f" {SUITE} " in line for line in lines) else []
