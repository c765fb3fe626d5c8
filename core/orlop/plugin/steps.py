"""Changes to a node, as values: compare them, print them, or execute them. One `match` carries them out."""

import shlex
from collections.abc import Mapping

from orlop.model.cluster import Value


class Run(Value, frozen=True, kw_only=True):
    """Run one program. `secrets` names what goes to its stdin, one per line; a plan never holds a key."""

    argv: tuple[str, ...]
    secrets: tuple[str, ...] = ()

    def __str__(self) -> str:
        return shlex.join(self.argv) + "".join(f" < secret:{name}" for name in self.secrets)


# What is being made is called this and its uuid, in the directory of its later name: a crash leaves a known name.
NEW_FILE = ".orlop-new-"

# Attributes of files. The host itself adds `CREATED` (milliseconds since 1970) to whatever it makes.
CLUSTER = "orlop.cluster"
UUID = "orlop.uuid"
CREATED = "orlop.created"


class CreateFile(Value, frozen=True, kw_only=True):
    """Make a file of `size` bytes that carries `attributes` from the moment it bears its name.

    Made under a temporary name, allocated (or sparse), marked, synced, then linked: it never replaces a file.
    """

    path: str
    size: int
    attributes: Mapping[str, str]
    sparse: bool = False

    def __str__(self) -> str:
        return f"create {'sparse ' if self.sparse else ''}file {self.path} ({self.size} bytes)"


class ResizeFile(Value, frozen=True, kw_only=True):
    """Grow a file to `size` bytes; refused where that would shrink it."""

    path: str
    size: int
    sparse: bool = False

    def __str__(self) -> str:
        return f"grow {self.path} to {self.size} bytes"


SECRET = "@secret@"  # in the content of a file that is written with a secret: where it is to stand


class WriteFile(Value, frozen=True, kw_only=True):
    """Write a small file, mode 0600, synced, under a temporary name and then renamed.

    `secret` names what takes the place of `SECRET` in the content at the moment of writing.
    """

    path: str
    content: str
    secret: str | None = None

    def __repr__(self) -> str:
        return f"WriteFile({str(self)!r})"

    def __str__(self) -> str:
        filled = f" with secret:{self.secret}" if self.secret else ""
        return f"write {self.path} ({len(self.content)} bytes{filled})"


class RemoveFile(Value, frozen=True, kw_only=True):
    path: str

    def __str__(self) -> str:
        return f"remove {self.path}"


class RenameFile(Value, frozen=True, kw_only=True):
    """Give a file another name in its folder; it never takes the place of another file."""

    path: str
    target: str

    def __str__(self) -> str:
        return f"rename {self.path} to {self.target}"


class SetAttributes(Value, frozen=True, kw_only=True):
    """Set extended attributes (`user.` name space, names without the prefix) of a file."""

    path: str
    attributes: Mapping[str, str]

    def __str__(self) -> str:
        return f"mark {self.path} " + " ".join(f"{k}={v}" for k, v in sorted(self.attributes.items()))


class LongCopy(Value, frozen=True, kw_only=True):
    """Copy a file's content to `target`, marked with `attributes`: a reflink where the file system can.

    Made under a temporary name with progress and without a time-out, cancelled when a newer order comes, then
    renamed. `size` extends the copy with zeros. `replaces` may name the uuid of the one file it may take the place of.
    """

    source: str
    target: str
    attributes: Mapping[str, str]
    size: int
    replaces: str | None = None
    reflink_only: bool = False
    sparse: bool = False  # False: every block of the copy is allocated

    def __str__(self) -> str:
        return f"copy {self.source} to {self.target}"


class CopyDevice(Value, frozen=True, kw_only=True):
    """Copy the first `size` bytes of a block device onto another one, with progress and without a time-out.

    Cancelled when a newer order comes; doing it again from the start is always right. `zeroed`: whatever was never
    written to the target reads as zeros, so zeros of the source need not be written.
    """

    source: str
    target: str
    size: int
    zeroed: bool = False

    def __str__(self) -> str:
        return f"copy {self.size} bytes of {self.source} to {self.target}"


class RequireUnused(Value, frozen=True, kw_only=True):
    """Stop here unless nothing uses the device: mounts in every namespace, holders, open descriptors."""

    device: str

    def __str__(self) -> str:
        return f"make sure that nothing uses {self.device}"


class RequireTold(Value, frozen=True, kw_only=True):
    """Run a program that only looks, and stop here unless a line that it prints fits the regular expression.

    For what was so when the steps were planned, and may have changed since. `otherwise` says what stopped it.
    """

    argv: tuple[str, ...]
    pattern: str
    otherwise: str
    correction: str = ""

    def __str__(self) -> str:
        return f"make sure that '{shlex.join(self.argv)}' tells {self.pattern}"


# Entries of the kernel's own file systems, configfs and sysfs: below /sys, and each right to be done twice.


class MakeDirectory(Value, frozen=True, kw_only=True):
    """Have the kernel make an object; one that is there stays as it is."""

    path: str

    def __str__(self) -> str:
        return f"make {self.path}"


class WriteAttribute(Value, frozen=True, kw_only=True):
    """Give an attribute that exists this text; it is not written where it reads so already."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"write {self.text} to {self.path}"


class MakeLink(Value, frozen=True, kw_only=True):
    """Link one object of the kernel to another; refused where something else bears the name."""

    path: str
    target: str

    def __str__(self) -> str:
        return f"link {self.path} to {self.target}"


class RemoveLink(Value, frozen=True, kw_only=True):
    path: str

    def __str__(self) -> str:
        return f"remove link {self.path}"


class RemoveDirectory(Value, frozen=True, kw_only=True):
    """Have the kernel remove an object that nothing is linked to. `unless_used`: one in use may stay."""

    path: str
    unless_used: bool = False

    def __str__(self) -> str:
        return f"remove {self.path}{' unless it is used' if self.unless_used else ''}"


class AwaitEntry(Value, frozen=True, kw_only=True):
    """Wait until a path is there and reads otherwise than `other_than`; an error after a few seconds.

    For what the kernel does in its own time after a program has ended.
    """

    path: str
    other_than: str = ""

    def __str__(self) -> str:
        return f"wait until {self.path} " + (f"is not {self.other_than}" if self.other_than else "is there")


KernelStep = MakeDirectory | WriteAttribute | MakeLink | RemoveLink | RemoveDirectory | AwaitEntry
Step = (
    Run
    | CreateFile
    | ResizeFile
    | WriteFile
    | RemoveFile
    | RenameFile
    | SetAttributes
    | LongCopy
    | CopyDevice
    | RequireUnused
    | RequireTold
    | KernelStep
)


def run(*argv: str, secrets: tuple[str, ...] = ()) -> Run:
    """
    >>> print(run("lvremove", "-y", "vg0/a b"))
    lvremove -y 'vg0/a b'
    """
    return Run(argv=argv, secrets=secrets)
