"""Runs in a network namespace of its own: a controller and a satellite on addresses that are not loopback.

Prints, as JSON, what the test wants to know. Ends whatever it started.
"""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = Path(sys.executable).parent
CONTROLLER, NODE = "192.0.2.10", "192.0.2.11"  # RFC 5737: for documentation, and never anybody's


def orlop(*words: str, stdin: str = "") -> str:
    done = subprocess.run([PROGRAMS / "orlop", *words], input=stdin, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def state() -> str:
    (node,) = json.loads(orlop("--machine-readable", "node", "list"))[0]
    return str(node["connection_status"])


def wait_for(condition: object) -> None:
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.2)


def answers() -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", 3370)) == 0


def plain_words_are_refused() -> bool:
    """The satellite's port speaks TLS only."""
    with socket.create_connection((NODE, 3367), timeout=5) as connection:
        connection.sendall(b"GET /orlop/1/info HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            return b"200" not in connection.recv(100)
        except OSError:
            return True


def main(directory: Path) -> None:
    for command in ("link set lo up", f"addr add {CONTROLLER}/32 dev lo", f"addr add {NODE}/32 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    with open(directory / "log", "w") as log:
        started = [
            subprocess.Popen(
                [
                    *(PROGRAMS / "orlop-controller", "--state-directory", directory / "controller"),
                    *("--enrolment-address", CONTROLLER),
                ],
                stderr=log,
            )
        ]
        try:
            wait_for(answers)
            orlop("node", "create", "alpha", NODE, "--communication-type", "SSL")
            lines = orlop("node", "join-command", "alpha").splitlines()
            command = next(line.split() for line in lines if line.startswith("orlop-satellite join"))
            token = next(line.split()[1] for line in lines if line.startswith("token:"))
            where = ["--state-directory", str(directory / "alpha")]
            subprocess.run(
                [PROGRAMS / command[0], *command[1:], *where], input=token, text=True, check=True, stdout=log
            )
            started.append(
                subprocess.Popen([PROGRAMS / "orlop-satellite", "run", "--address", NODE, *where], stderr=log)
            )
            wait_for(lambda: state() == "ONLINE")
            pool = orlop("storage-pool", "create", "filethin", "alpha", "pool1", str(directory / "pool"))
            print(json.dumps({"state": state(), "pool": pool, "plain is refused": plain_words_are_refused()}))
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(30)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
