"""Commands of Docker, for an engine wherever it runs, and the only image there is: busybox."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

IMAGE = "bb:1"
# What containers call; each is a link to busybox.
APPLETS = ("sh", "ls", "cat", "echo", "sleep", "df", "dd", "sync", "test", "stat", "touch", "mkdir", "true")


class Ended(NamedTuple):
    code: int
    output: str
    errors: str


class DockerError(Exception):
    """A command of Docker did not end as it had to."""


class Commands(ABC):
    """`node` is the one that the engine is on."""

    def __init__(self, node: str) -> None:
        self.node = node

    @abstractmethod
    def command(self, *words: str, stdin: bytes = b"") -> Ended:
        """`docker` with these words, for this engine."""

    def docker(self, *words: str, stdin: bytes = b"") -> str:
        """What it prints; raises `DockerError` when it fails."""
        done = self.command(*words, stdin=stdin)
        if done.code:
            raise DockerError(f"docker {' '.join(words)} on {self.node}: {done.errors}")
        return done.output.strip()

    def refused(self, *words: str) -> str:
        """What it says when it fails, as it has to."""
        done = self.command(*words)
        if not done.code:
            raise DockerError(f"docker {' '.join(words)} on {self.node} did not fail: {done.output}")
        return done.errors

    def create(self, volume: str, *options: str) -> None:
        words = [word for option in options for word in ("--opt", option)]
        printed = self.docker("volume", "create", "--driver", "orlop", *words, volume)
        if printed != volume:
            raise DockerError(f"docker volume create on {self.node} printed {printed!r} instead of {volume}")

    def inspect(self, volume: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.docker("volume", "inspect", volume))[0]
        return found

    def volumes(self) -> list[str]:
        return self.docker("volume", "ls", "--quiet", "--filter", "driver=orlop").split()

    def run(self, volume: str, script: str, *options: str) -> str:
        """Output of a shell script in a container that has the volume at /data."""
        mount = ("--volume", f"{volume}:/data", "--volume-driver", "orlop")
        return self.docker("run", "--rm", "--network", "none", *mount, *options, IMAGE, "/bin/sh", "-c", script)

    def background(self, volume: str, name: str, *options: str, script: str = "exec sleep 3600") -> str:
        """The id of a container that goes on with a shell script, and has the volume at /data."""
        return self.docker(
            *("run", "--detach", "--name", name, "--network", "none", "--volume", f"{volume}:/data", *options),
            *(IMAGE, "/bin/sh", "-c", script),
        )
