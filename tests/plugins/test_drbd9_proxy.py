"""Connections through DRBD Proxy, in the words that `drbdadm` 9.22 takes (tried with `sh-nop` and `dump`)."""

from orlop.model import WantedDrbd, WantedPeer, WantedProxy, WantedReplica
from orlop_layers.drbd_config import Member, text
from orlop_layers.drbd_version import Version

NINE = Version(kernel=(9, 2, 13), tools=(9, 22, 0))
THROUGH = """
        host "alpha" address ipv4 127.0.0.1:7000 via proxy on "alpha" {
            inside ipv4 127.0.0.2:7000;
            outside ipv4 10.0.0.1:7001;
        }
        host "bravo" address ipv4 127.0.0.1:7002 via proxy on "bravo" {
            inside ipv4 127.0.0.2:7002;
            outside ipv4 10.0.0.2:7003;
        }
"""
PROXY = """
    proxy {
        memlimit 100000000;
        plugin {
            zlib level 9;
        }
    }
"""
OPTIONS = {"Proxy/memlimit": "100000000", "ProxyCompression": "zlib", "ProxyCompression/level": "9"}


def written(proxy, options=OPTIONS):
    peer = WantedPeer(node="bravo", node_id=1, address="10.0.0.2", port=7002, proxy=proxy)
    replica = WantedReplica(definition="d", node_id=0, address="10.0.0.1", port=7000, peers=(peer,), options=options)
    member = Member(resource="web", number=0, drbd=WantedDrbd(replica=replica, minor=1000), below="/dev/x")
    return text("web", "alpha", [member], NINE)


def test_each_side_talks_to_the_proxy_beside_it():
    found = written(WantedProxy(here=7001, there=7003))
    assert THROUGH in found
    assert PROXY in found


def test_without_compression_there_is_no_plugin():
    found = written(WantedProxy(here=7001, there=7003), {"Proxy/memlimit": "100000000"})
    assert "plugin" not in found


def test_a_direct_connection_has_no_word_of_proxies():
    assert "proxy" not in written(None)
