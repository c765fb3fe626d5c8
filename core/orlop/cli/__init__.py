"""The `orlop` command line: translation between words and calls of the client, nothing else."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    from orlop.cli.program import run

    return run(argv)
