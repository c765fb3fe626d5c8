"""Command lines of the simulated LVM."""

from orlop.errors import CommandFailed

FLAGS = {"--yes", "--snapshot", "--nolocking", "--nosuffix", "--ignoreactivationskip", "--norestorefile", "--nosync"}


class Arguments:
    """Options with their values, in the order given, and the rest."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self.options: list[tuple[str, str]] = []
        self.rest: list[str] = []
        words = iter(arguments)
        for word in words:
            if not word.startswith("-"):
                self.rest.append(word)
            else:
                self.options.append((word, "" if word in FLAGS else next(words)))

    def __contains__(self, name: str) -> bool:
        return any(option == name for option, _ in self.options)

    def all(self, name: str) -> list[str]:
        return [value for option, value in self.options if option == name]

    def get(self, name: str, default: str = "") -> str:
        return (self.all(name) or [default])[-1]

    def only(self, *known: str) -> None:
        for option, _ in self.options:
            if option not in ("--config", "--yes", *known):
                raise CommandFailed((option,), 3, f"unrecognized option '{option}'")
