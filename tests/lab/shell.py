"""A cluster of virtual nodes to play with: `make lab-shell`. It ends with the shell."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.lab.backings import BACKINGS, Backing
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab
from tests.lab.node import GIB, Node

NODES = 3
DISKS = (2 * GIB,) * 4  # one for each pool, and one left
POOLS = {"thin-xfs": "files", "lvm-thin": "thin", "zfs-thin": "zfs"}  # row of the table -> name of the pool
WELCOME = """
Three nodes, each with the pools {pools} and disks that are not used yet.

  orlop node list          orlop storage-pool list          orlop physical-storage list
  node1 lsblk              run a command in a node; without one, a shell line by line
  lab kill node1           take its power          lab start node1        give it back
  lab cut node1 node2      between those two       lab mend node1 node2
  lab freeze node1         lab thaw node1          lab console node1      lab log node1      lab steps node1

The controller's log is {log}. Everything ends with this shell.
"""


class Remote(socketserver.StreamRequestHandler):
    """One command of the shell's programs, as a line of JSON; the answer is its exit code and output."""

    def handle(self) -> None:
        words = json.loads(self.rfile.readline())
        try:
            code, output = self.server.desk.obey(words)  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown to who typed the command
            code, output = 1, f"{error}\n"
        self.wfile.write(json.dumps([code, output]).encode())


class Desk:
    """What can be done from the prompt."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.nodes = {node.name: node for node in cluster.nodes}

    def obey(self, words: list[str]) -> tuple[int, str]:
        if words[0] in self.nodes:
            return self._run(self.nodes[words[0]], words[1:])
        action, *names = words[1:] or ["help"]
        if action not in self._actions or not names or any(name not in self.nodes for name in names):
            return 2, f"lab {'|'.join(self._actions)} NODE, and a second NODE for cut and mend\n"
        return 0, self._actions[action](*(self.nodes[name] for name in names)) or ""

    def _run(self, node: Node, words: list[str]) -> tuple[int, str]:
        argv = words if len(words) > 1 else ["sh", "-c", words[0]]
        done = node.attempt(*argv, seconds=3600)
        return done.code, done.output + done.errors

    @property
    def _actions(self) -> dict[str, Any]:
        return {
            "kill": Node.kill,
            "start": self.cluster.start_node,
            "freeze": Node.freeze,
            "thaw": Node.thaw,
            "cut": Node.cut,
            "mend": Node.mend,
            "console": Node.console,
            "log": Node.satellite_log,
            "steps": lambda node: "".join(f"{step['event']:8} {step['step']}\n" for step in node.executed()),
        }


# What `node1` and `lab` are at the prompt: they hand their arguments on.
PROGRAM = """#!{python}
import json, os, socket, sys

def ask(words):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect({address!r})
        connection.sendall(json.dumps(words).encode() + b"\\n")
        code, output = json.load(connection.makefile())
    sys.stdout.write(output)
    sys.stdout.flush()
    return code

name = os.path.basename(sys.argv[0])
if sys.argv[1:] or name == "lab":
    sys.exit(ask([name, *sys.argv[1:]]))
while True:
    try:
        line = input(name + "# ")
    except (EOFError, KeyboardInterrupt):
        print()
        sys.exit()
    if line in ("exit", "logout"):
        sys.exit()
    if line.strip():
        ask([name, line])
"""


def make_pools(cluster: Cluster) -> list[str]:
    rows = {backing.name: backing for backing in BACKINGS}
    wanted = [(rows[row], name) for row, name in POOLS.items() if row in rows]

    def make(node: Node) -> None:
        for number, (backing, _) in enumerate(wanted):
            node.shell(backing.make.format(disk=node.disks[number].path))

    cluster.lab.each(make)
    for node in cluster.nodes:
        for backing, name in wanted:
            create(cluster, node, backing, name)
    return [name for _, name in wanted]


def create(cluster: Cluster, node: Node, backing: Backing, name: str) -> None:
    cluster.client.create_storage_pool(node.name, name, backing.kind, dict(backing.props))


def serve(desk: Desk, folder: Path) -> socketserver.ThreadingUnixStreamServer:
    """Also makes the programs, in `folder`."""
    folder.mkdir()
    address = str(folder / ".desk")
    server = socketserver.ThreadingUnixStreamServer(address, Remote)
    server.desk = desk  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("lab", *desk.nodes):
        program = folder / name
        program.write_text(PROGRAM.format(python=sys.executable, address=address))
        program.chmod(0o755)
    return server


def prompt(cluster: Cluster, folder: Path) -> int:
    """Exit code of the shell, or of the command line in $LAB_COMMAND."""
    environment = cluster.environment()
    environment |= {"PATH": f"{folder}:{environment['PATH']}", "PS1": "lab$ "}
    environment.pop("COLUMNS")
    command = os.environ.get("LAB_COMMAND")
    argv = ["bash", "-e", "-c", command] if command else ["bash", "--norc", "--noprofile", "-i"]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the prompt is the shell's
    try:
        return subprocess.call(argv, env=environment, preexec_fn=_hear_interrupts)
    finally:
        signal.signal(signal.SIGINT, before)


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(*_: object) -> None:
    sys.exit("ended")


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    print("Starting three nodes, a controller and three satellites", flush=True)
    try:
        with Lab(NODES, DISKS) as lab, Cluster(lab) as cluster:
            pools = make_pools(cluster)
            server = serve(Desk(cluster), lab.directory / "programs")
            print(WELCOME.format(pools=shlex.join(pools), log=cluster.log), flush=True)
            code = prompt(cluster, lab.directory / "programs")
            server.shutdown()
            return code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
