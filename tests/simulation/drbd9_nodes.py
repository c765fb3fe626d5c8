"""Simulated nodes with DRBD 9 and one resource, driven by the real tools' commands; no controller, no satellite."""

from itertools import combinations

from orlop.errors import NodeError
from orlop.model import MIB
from orlop.testing import SimulatedHost
from orlop.testing.disk import BLOCK
from orlop.testing.drbd_network import SimulatedNetwork

RESOURCE = "r0"
BACKING = "/dev/sdb"
MINOR = 1000
DEVICE = f"/dev/drbd{MINOR}"


def text(names, diskless=(), clients=(), options="", net="", backing=BACKING, subnet="10.0.0"):
    """The file of the resource: node ids in the order of `names`, a connection between any two."""
    lines = [f'resource "{RESOURCE}" {{', f"options {{ {options} }}", f"net {{ {net} }}"]
    for number, name in enumerate(names):
        disk = "disk none;" if name in diskless else f'disk "{backing}"; meta-disk internal;'
        vote = " tiebreaker no;" if name in clients else ""
        lines.append(f'on "{name}" {{ node-id {number}; volume 0 {{ device minor {MINOR}; {disk}{vote} }} }}')
    for one, other in combinations(names, 2):
        if one in diskless and other in diskless:
            continue
        ends = " ".join(f'host "{n}" address ipv4 {subnet}.{names.index(n) + 1}:7000;' for n in (one, other))
        lines.append(f"connection {{ {ends} }}")
    return "\n".join([*lines, "}", ""])


class Nodes:
    """`names` of nodes, in the order of their node ids."""

    def __init__(self, names="ABC", diskless="", clients="", options="", net="", size=MIB, **words):
        """`words`: more that the file is made of."""
        self.network, self.words = SimulatedNetwork(), words
        self.names, self.diskless, self.clients = list(names), set(diskless), set(clients)
        self.options, self.net = options, net
        self.hosts = {name: SimulatedHost(name=name) for name in names}
        for name, host in self.hosts.items():
            host.join(self.network, "9")
            if clients:
                host.drbd.tools = (9, 34, 0)
            host.disk.add_disk(words.get("backing", BACKING), size)
            host.disk.make_folder("/var/lib/orlop/drbd")
            self.configure(name)

    def configure(self, name):
        content = text(self.names, self.diskless, self.clients, self.options, self.net, **self.words)
        host = self.hosts[name]
        file = host.disk.new_file(len(content), BLOCK)
        file.text = content
        host.disk.put(f"/var/lib/orlop/drbd/{RESOURCE}.res", file)

    # -- commands -------------------------------------------------------------------------------------------

    def run(self, name, *argv):
        return self.hosts[name].run(argv)

    def admin(self, name, *words):
        return self.run(name, "drbdadm", *words)

    def create(self, name, slots=7):
        self.run(name, "drbdmeta", "--force", str(MINOR), "v09", BACKING, "internal", "create-md", str(slots))

    def up(self, *names):
        for name in names or self.names:
            self.admin(name, "adjust", RESOURCE)

    def started(self):
        """Everybody is up, and the data, which nobody wrote, is good."""
        for name in self.names:
            if name not in self.diskless:
                self.create(name)
        self.up()
        first = next(name for name in self.names if name not in self.diskless)
        self.admin(first, "new-current-uuid", "--clear-bitmap", f"{RESOURCE}/0")
        return self

    def primary(self, name, *options):
        self.admin(name, "primary", *options, RESOURCE)

    def secondary(self, name):
        self.admin(name, "secondary", RESOURCE)

    def may_promote(self, name):
        """Whether the node can be made primary now, found out by doing it."""
        try:
            self.primary(name)
        except NodeError:
            return False
        self.secondary(name)
        return True

    # -- what happens ---------------------------------------------------------------------------------------

    def cut(self, *pairs):
        """`AB`: these two do not reach each other any more."""
        self.network.cut |= {frozenset(pair) for pair in pairs}
        self.settle()

    def heal(self, *pairs):
        self.network.cut -= {frozenset(pair) for pair in pairs} if pairs else set(self.network.cut)
        self.settle()

    def isolate(self, name):
        self.cut(*((name, other) for other in self.names if other != name))

    def power_loss(self, *names):
        for name in names:
            self.hosts[name].power_loss()
        self.settle()

    def settle(self, looks=6):
        for _ in range(looks):
            self.network.settle()

    # -- what is there --------------------------------------------------------------------------------------

    def resource(self, name):
        return self.hosts[name].drbd.resources.get(RESOURCE)

    def device(self, name):
        return self.resource(name).devices[0]

    def disk(self, name):
        return self.device(name).disk

    def disks(self):
        return {name: self.disk(name) for name in self.names}

    def quorum(self, name):
        return self.device(name).quorum

    def role(self, name):
        return self.resource(name).role

    def connection(self, name, peer):
        return self.resource(name).connections[self.names.index(peer)].state

    def replication(self, name, peer):
        return self.resource(name).connections[self.names.index(peer)].volumes[0].replication

    def generation(self, name):
        return self.metadata(name).generations.current

    def metadata(self, name):
        return self.hosts[name].drbd.metadata[self.hosts[name].disk.content(BACKING).inode]

    def write(self, name, data, block=0):
        self.hosts[name].disk.write(DEVICE, block * BLOCK, token(data))

    def stored(self, name, block=0):
        """What lies on the node's own disk."""
        return self.hosts[name].disk.content(BACKING).blocks.get(block * BLOCK, b"").rstrip(b".").decode()


def token(data):
    return data.encode().ljust(BLOCK, b".")
