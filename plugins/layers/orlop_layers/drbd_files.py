"""What lies on a node for one resource: its configuration, and a note of what was carried out last."""

import hashlib
from collections.abc import Mapping

from orlop.model import WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import RemoveFile, Step, WriteFile, run

DIRECTORY = "/var/lib/orlop/drbd"
INCLUDE = "/etc/drbd.d/orlop.res"
INCLUDED = f'include "{DIRECTORY}/*.res";\n'


class Note(Value, frozen=True, kw_only=True):
    """`done` stands for the file that was carried out, empty while that is going on; `nodes` are ids of peers that the
    metadata may have a place for.
    """

    done: str = ""
    nodes: frozenset[int] = frozenset()

    @property
    def text(self) -> str:
        return f"{self.done}\n{' '.join(map(str, sorted(self.nodes)))}\n"


def noted(text: str) -> Note:
    done, _, nodes = text.partition("\n")
    return Note(done=done.strip(), nodes=frozenset(map(int, nodes.split())))


def mark(text: str, secret: str, beside: Mapping[str, str]) -> str:
    """Of a configuration, the name of its secret, which is not in the text, and the files beside it."""
    more = "".join(f"\n{path}\n{beside[path]}" for path in sorted(beside))
    return hashlib.sha256(f"{secret}\n{text}{more}".encode()).hexdigest()


class Writing(Value, frozen=True, kw_only=True):
    """The file of a resource that is to be carried out."""

    name: str
    text: str
    secret: str
    before: Note
    nodes: frozenset[int]
    prepared: bool = True  # DRBD's own tools know our files
    alone: bool = False  # 8.4: the file names a peer, and there is none
    skip_disk: bool = False
    apart: bool = False  # without any connection, which is made again at the end
    beside: Mapping[str, str] = {}  # files that its handlers go by
    left: tuple[Step, ...] = ()  # that takes away those they do not any more
    forgets: bool = False  # the metadata has places for peers, which those that left give free


def carried_out(writing: Writing) -> list[Step]:
    """It is tried before it takes the place of the last one; what is cut is done again, for the note says so."""
    name = writing.name
    draft = draft_of(name)
    steps: list[Step] = []
    if not writing.prepared:
        steps += [run("mkdir", "-p", DIRECTORY), WriteFile(path=INCLUDE, content=INCLUDED)]
    steps += [
        WriteFile(path=note_of(name), content=Note(nodes=writing.before.nodes | writing.nodes).text),
        *(WriteFile(path=path, content=content) for path, content in sorted(writing.beside.items())),
        WriteFile(path=draft, content=writing.text, secret=writing.secret),
        run("drbdadm", "-c", draft, "sh-nop"),
        WriteFile(path=file_of(name), content=writing.text, secret=writing.secret),
        RemoveFile(path=draft),
        *([run("drbdadm", "disconnect", name)] if writing.apart else []),
        run("drbdadm", "adjust", *(["--skip-disk"] if writing.skip_disk else []), name),
    ]
    if writing.alone:
        steps.append(run("drbdadm", "disconnect", name))
    if writing.forgets:
        gone = sorted(writing.before.nodes - writing.nodes)
        steps += [run("drbdsetup", "forget-peer", name, str(node)) for node in gone]
    done = mark(writing.text, writing.secret, writing.beside)
    return [
        *steps,
        *writing.left,
        WriteFile(path=note_of(name), content=Note(done=done, nodes=writing.nodes).text),
    ]


def file_of(resource: str) -> str:
    return f"{DIRECTORY}/{resource}.res"


def draft_of(resource: str) -> str:
    return f"{DIRECTORY}/{resource}.draft"


def left_by(resource: str) -> list[str]:
    """What is to go with the last volume. The note comes last: as long as it is there, so may be the others."""
    return [draft_of(resource), file_of(resource), note_of(resource)]


def note_of(resource: str) -> str:
    return f"{DIRECTORY}/{resource}.done"


def judged_of(volume: WantedVolume) -> str:
    """There once a replica was found to be spared: its removal goes on whatever is seen afterwards."""
    return f"{DIRECTORY}/{volume.resource}_{volume.number}.{volume.uuid}.spared"


def lent_of(resource: str) -> str:
    """There while a resource is primary only to grow."""
    return f"{DIRECTORY}/{resource}.lent"


def spared(volume: WantedVolume) -> list[Step]:
    """The same, of a replica that nobody has to be asked about."""
    return [run("mkdir", "-p", DIRECTORY), WriteFile(path=judged_of(volume), content="")]
