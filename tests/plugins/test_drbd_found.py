"""What DRBD left on a device, as drbdmeta 9.22.0 prints it: metadata that the kernel has had open is called unclean."""

import pytest

from orlop.errors import CommandFailed, Refused
from orlop.testing import SimulatedHost
from orlop_layers.drbd_found import UNUSED_MINOR, facts

DEVICE = "/dev/vg0/r0"
UNCLEAN = 'Found meta data is "unclean", please apply-al first\n'
DUMP = """# DRBD meta data dump
version "{form}";

This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.
# You should "apply-al" first, if you plan to restore this.

{peers}la-size-sect 57264;
"""
PEERS = {"v08": "", "v09": "max-peers 7;\nnode-id 1;\n"}
GENERATIONS = "3E72479DEF4A8087:0000000000000000:81B7507B9F0CFF68:0000000000000004"


def left(flags, form="v08"):
    """A host with metadata of a format, and what it was asked."""
    host, asked = SimulatedHost("alpha"), []

    def drbdmeta(disk, arguments):
        asked.append(arguments)
        if "get-gi" in arguments:
            return f"{GENERATIONS}:{flags}\n"
        if "--force" not in arguments:
            raise CommandFailed(("drbdmeta", *arguments), 1, UNCLEAN)
        return DUMP.format(form=form, peers=PEERS[form])

    host.installed["drbdmeta"] = drbdmeta
    return host, asked


def test_what_was_taken_down_in_order_is_told_though_it_is_called_unclean():
    host, asked = left("1:1:0:0:0:0:0")
    told = facts(host, DEVICE, UNUSED_MINOR, False)
    assert told == {"format": "8", "generation": "3E72479DEF4A8086", "size": str(57264 * 512)}
    assert "--force" not in asked[0], "forced, the tool also looks at a device that is in use"
    host, _ = left("1:1:0:0:0:0:0:0:0:0:0:1", "v09")
    told = facts(host, DEVICE, UNUSED_MINOR, True)
    assert (told["format"], told["node_id"], told["slots"]) == ("9", "1", "7")


@pytest.mark.parametrize(
    ("form", "flags"),
    [
        *(("v08", flags) for flags in ("1:1:1:0:0:0:0", "1:1:0:1:0:0:0", "1:1:0:0:1:0:0", "1:1:0:0:0:0:1")),
        *(("v09", f"{flags}:0:0:0:0:0:0:0:1") for flags in ("1:1:1:0", "1:1:0:1")),
    ],
)
def test_what_was_not_taken_down_in_order_is_refused(form, flags):
    host, _ = left(flags, form)
    with pytest.raises(Refused, match="not taken down in order"):
        facts(host, DEVICE, UNUSED_MINOR, form == "v09")


@pytest.mark.parametrize("flags", ["0:0:0:0:0:0:0", "1:0:0:0:0:0:0"])
def test_data_that_is_not_known_to_be_good_is_refused(flags):
    host, _ = left(flags)
    with pytest.raises(Refused, match="not known to be up to date"):
        facts(host, DEVICE, UNUSED_MINOR, False)
