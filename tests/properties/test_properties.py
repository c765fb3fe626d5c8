"""Which properties are legal where, and which object decides."""

import pytest

from orlop.codes import Fail
from orlop.controller.properties import Kind, Source, apply, effective, effective_all, info
from orlop.controller.properties.values import EXPECTED, FORMS, TYPES
from orlop.controller.properties.whitelist import Kind as EveryKind
from orlop.controller.properties.whitelist import best_match, rules, whitelist
from orlop.errors import BadProperty

C, N, SP, RG, VG = Kind.CONTROLLER, Kind.NODE, Kind.STORAGE_POOL, Kind.RESOURCE_GROUP, Kind.VOLUME_GROUP
RD, VD, R, V = Kind.RESOURCE_DEFINITION, Kind.VOLUME_DEFINITION, Kind.RESOURCE, Kind.VOLUME
NC, RC, SPD, KVS, S = (
    Kind.NODE_CONNECTION,
    Kind.RESOURCE_CONNECTION,
    Kind.STORAGE_POOL_DEFINITION,
    Kind.KEY_VALUE_STORE,
    Kind.SNAPSHOT,
)

LEGAL = [
    (RD, "DrbdOptions/Net/allow-two-primaries", "yes", "yes"),
    (RD, "DrbdOptions/Net/allow-two-primaries", "No", "no"),
    (RG, "DrbdOptions/Net/protocol", "C", "C"),
    (S, "DrbdOptions/Net/protocol", "A", "A"),
    (RD, "DrbdOptions/auto-add-quorum-tiebreaker", "True", "True"),
    (C, "DrbdOptions/auto-add-quorum-tiebreaker", "false", "false"),
    (C, "DrbdOptions/Resource/quorum", "majority", "majority"),
    (C, "DrbdOptions/Resource/quorum", "3", "3"),
    (C, "DrbdOptions/Net/ping-int", "120", "120"),
    (C, "DrbdOptions/Net/ping-int", "010", "10"),
    (C, "BackupShipping/MaxConcurrentBackupsPerNode", "-1", "-1"),
    (C, "TcpPortAutoRange", "7000-7999", "7000-7999"),
    (C, "MinorNrAutoRange", "1000-49999", "1000-49999"),
    (N, "TcpPortsBlocked", "7000,7010-7019", "7000,7010-7019"),
    (N, "PrefNic", "nic_10G", "nic_10G"),
    (R, "StorPoolName", "thin-pool", "thin-pool"),
    (VD, "StorPoolNameDrbdMeta", ".internal", ".internal"),
    (VG, "StorPoolNameDrbdMeta", "", ""),
    (SP, "StorDriver/StorPoolName", "vg0/thin", "vg0/thin"),
    (SP, "StorDriver/FileDir", "/var/lib/orlop/pool", "/var/lib/orlop/pool"),
    (SP, "StorDriver/LvcreateOptions", "-i 2 --config 'a=b'", "-i 2 --config 'a=b'"),
    (SPD, "MaxOversubscriptionRatio", "2.5", "2.5"),
    (C, "Autoplacer/MinThinFreeSpace", "10%", "10%"),
    (C, "Autoplacer/Weights/MaxFreeSpace", "0.5", "0.5"),
    (N, "Linstor/Drbd/OutsideAddress", "fd00::1", "fd00::1"),
    (V, "sys/fs/blkio_throttle_read", "1048576", "1048576"),
    (RD, "FileSystem/Type", "ext4", "ext4"),
    (RD, "FileSystem/MkfsParams", "-E nodiscard", "-E nodiscard"),
    (RG, "Orlop/WaitFor/Resource", "count=1 or quorum", "count=1 or quorum"),
    (C, "Orlop/WaitFor/Timeout", "060", "60"),
    (NC, "Paths/fast/alpha.example", "nic_25G", "nic_25G"),
    (RC, "Paths/fast/beta", "default", "default"),
    (N, "Aux/rack", "", ""),
    (N, "Aux/a/b/c", "line\nline", "line\nline"),
    (KVS, "DrbdCurrentGi", "anything", "anything"),
    (KVS, "csi/volume-1", '{"a": 1}', '{"a": 1}'),
]


@pytest.mark.parametrize(("kind", "key", "value", "kept"), LEGAL)
def test_legal_properties_are_kept(kind: Kind, key: str, value: str, kept: str) -> None:
    assert apply(kind, {}, {key: value}).props == {key: kept}


ILLEGAL = [
    (RD, "DrbdOptions/Net/allow-two-primaries", "true", "yes or no"),
    (RD, "DrbdOptions/auto-add-quorum-tiebreaker", "yes", "true or false"),
    (RD, "DrbdOptions/Net/protocol", "D", "one of: A, B, C"),
    (RD, "DrbdOptions/Net/protocol", "c", "one of: A, B, C"),
    (C, "DrbdOptions/Net/ping-int", "121", "from 1 to 120"),
    (C, "DrbdOptions/Net/ping-int", "1.5", "from 1 to 120"),
    (C, "DrbdOptions/Net/ping-int", "٣", "from 1 to 120"),
    (C, "DrbdOptions/Resource/quorum", "0", "from 1 to 32, or one of: off, majority, all"),
    (C, "TcpPortAutoRange", "7999-7000", "7000-7999"),
    (C, "TcpPortAutoRange", "7000", "7000-7999"),
    (C, "TcpPortAutoRange", "0-70000", "7000-7999"),
    (N, "TcpPortsBlocked", "7000;7001", "commas"),
    (N, "PrefNic", "a b", "net interface"),
    (R, "StorPoolName", "a/b", "name of a storage pool"),
    (VD, "StorPoolNameDrbdMeta", ".external", ".internal"),
    (SP, "StorDriver/StorPoolName", "--force", "volume group"),
    (SP, "StorDriver/StorPoolName", "/pools/../etc", "volume group"),
    (SP, "StorDriver/FileDir", "/pools/../etc", "absolute path"),
    (SP, "StorDriver/FileDir", "pools", "absolute path"),
    (SP, "StorDriver/LvcreateOptions", "--config 'a=b", "quotes closed"),
    (SP, "MaxOversubscriptionRatio", "nan", "decimal"),
    (SP, "MaxOversubscriptionRatio", "0", "decimal"),
    (C, "Autoplacer/MinThinFreeSpace", "101%", "percentage"),
    (C, "ExtCmd/WaitTimeout", "9" * 30, "whole number"),
    (N, "Linstor/Drbd/OutsideAddress", "host.example", "IP address"),
    (RD, "DrbdOptions/Handlers/split-brain", "mail\nroot", "without control characters"),
    (RD, "FileSystem/Type", "ntfs", "one of: ext4, xfs"),
    (RG, "Orlop/WaitFor/Timeout", "121", "from 0 to 120"),
    (NC, "Paths/fast", "default", "Paths/<name of the path>/<node>"),
    (NC, "Paths/fast/alpha/x", "default", "Paths/<name of the path>/<node>"),
    (NC, "Paths/fast/-alpha", "default", "Paths/<name of the path>/<node>"),
    (NC, "Paths/fast/alpha", "no nic", "Paths/<name of the path>/<node>"),
]


@pytest.mark.parametrize(("kind", "key", "value", "form"), ILLEGAL)
def test_an_illegal_value_is_refused_with_the_expected_form(kind: Kind, key: str, value: str, form: str) -> None:
    with pytest.raises(BadProperty) as refused:
        apply(kind, {}, {key: value})
    assert form in refused.value.details
    assert refused.value.code == Fail.INVLD_PROP == 213


NOT_WHITELISTED = [
    (N, "PrefNick", "PrefNic"),
    (RD, "DrbdOption/Net/protocol", "DrbdOptions/Net/protocol"),
    (RD, "drbdoptions/net/protocol", "DrbdOptions/Net/protocol"),
    (N, "Nonsense", "Aux/"),
    (N, "Aux", "Aux/"),
    (N, "MinorNrAutoRange", "Aux/"),
    (N, "Paths/fast/alpha", "Aux/"),
    (V, "DrbdOptions/Net/protocol", "Aux/"),
]


@pytest.mark.parametrize(("kind", "key", "advice"), NOT_WHITELISTED)
def test_a_key_that_is_not_whitelisted_is_refused_with_the_nearest_ones(kind: Kind, key: str, advice: str) -> None:
    with pytest.raises(BadProperty, match="Invalid property key") as refused:
        apply(kind, {}, {key: "x"})
    assert "not whitelisted" in refused.value.cause
    assert advice in refused.value.correction


@pytest.mark.parametrize("key", ["", "/", "Aux//x", "Aux/x/", "Aux/" + "x" * 300, "Aux/\n"])
def test_a_key_is_a_path_without_empty_elements(key: str) -> None:
    with pytest.raises(BadProperty, match="Invalid property key"):
        apply(N, {}, {key: "x"})


def test_leading_slashes_are_dropped_everywhere() -> None:
    change = apply(N, {"Aux/old": "1", "Aux/ns/a": "2"}, {"/Aux/new": "3"}, ["//Aux/old"], ["/Aux/ns/"])
    assert change.props == {"Aux/new": "3"}
    assert change.set_keys == ("Aux/new",)
    assert change.removed_keys == ("Aux/old", "Aux/ns/a")


def test_a_value_can_be_too_long() -> None:
    with pytest.raises(BadProperty, match="too long"):
        apply(N, {}, {"Aux/x": "x" * 70000})


READ_ONLY = [
    (VD, "DrbdCurrentGi"),
    (VD, "DrbdPrimarySetOn"),
    (VD, "Linstor/Drbd/InitialUptoDateOn"),
    (VD, "OverrideVlmId"),
    (VD, "Encryption/Passphrase"),
    (RD, "Internal/Drbd/QuorumSetBy"),
    (C, "Cluster/LocalID"),
]


@pytest.mark.parametrize(("kind", "key"), READ_ONLY)
def test_what_the_controller_writes_cannot_be_set_or_deleted(kind: Kind, key: str) -> None:
    with pytest.raises(BadProperty, match="cannot be changed"):
        apply(kind, {}, {key: "0"})
    with pytest.raises(BadProperty, match="cannot be changed"):
        apply(kind, {key: "0"}, {}, [key])


def test_deleting_a_namespace_leaves_what_the_controller_wrote() -> None:
    props = {"Linstor/Drbd/InitialUptoDateOn": "alpha", "Linstor/Drbd/auto-block-size": "true", "Linstor2/x": "y"}
    change = apply(VD, props, {}, delete_namespaces=["Linstor"])
    assert change.props == {"Linstor/Drbd/InitialUptoDateOn": "alpha", "Linstor2/x": "y"}


def test_deletion_comes_after_setting_and_namespaces_come_last() -> None:
    change = apply(N, {"Aux/ns/b": "0"}, {"Aux/a": "1", "Aux/ns/a": "2", "Aux/c": "3"}, ["Aux/a"], ["Aux/ns"])
    assert change.props == {"Aux/c": "3"}
    assert change.set_keys == ("Aux/c",)
    assert change.removed_keys == ("Aux/a", "Aux/ns/b", "Aux/ns/a")


def test_deleting_what_is_not_set_is_told_and_no_error() -> None:
    assert apply(N, {}, {}, ["Aux/x", "Nonsense"]).unknown_deleted == ("Aux/x", "Nonsense")


def test_an_error_changes_nothing() -> None:
    props = {"Aux/a": "1"}
    with pytest.raises(BadProperty):
        apply(N, props, {"Aux/a": "2", "Nonsense": "3"})
    assert props == {"Aux/a": "1"}


def test_the_table_is_complete_and_every_rule_has_its_check() -> None:
    assert len([key for key in whitelist() if not key.startswith("Orlop/")]) == 256
    assert {rule.type for rule in whitelist().values()} == TYPES.keys()
    assert {rules().forms[pattern] for pattern in rules().forms} == FORMS.keys()
    assert FORMS.keys() <= EXPECTED.keys()
    for pattern in rules().forms:
        assert any(best_match({pattern: True}, key) for key in whitelist()), pattern
    for key, rule in whitelist().items():
        assert rule.type != "range" or rule.lowest is not None, key
        assert not rule.type.endswith("symbol") or rule.symbols, key


PRECEDENCE = [
    ("StorPoolName", (R, VD, RD, RG, N)),
    ("StorPoolNameDrbdMeta", (VD, VG, R, RD, RG, N)),
    ("PrefNic", (SP, R, RD, RG, N, C)),
    ("Linstor/Drbd/OutsideAddress", (R, RD, RG, SP, N, C)),
    ("StorDriver/LvcreateOptions", (V, R, SP, N, VD, RD, VG, RG, C)),
    ("StorDriver/LuksFormatOptions", (V, R, SP, N, VD, RD, VG, RG, C)),
    ("DrbdOptions/Resource/quorum", (R, RD, RG, N, C)),
    ("DrbdOptions/Net/protocol", (RC, RD, NC, RG, C)),
    ("DrbdOptions/PeerDevice/c-max-rate", (RC, RD, NC, RG, C)),
    ("DrbdOptions/Disk/al-extents", (R, V, VD, VG, RD, RG, N, C)),
    ("MaxOversubscriptionRatio", (SP, SPD, C)),
    ("Autoplacer/MinThinFreeSpace", (SP, RD, RG, N, C)),
    ("DrbdOptions/auto-diskful", (R, N, RD, RG, C)),
    ("DrbdOptions/auto-add-quorum-tiebreaker", (RD, RG, C)),
    ("AllowMixingStoragePoolDriver", (RD, RG, C)),
    ("DrbdOptions/AutoEvictAfterTime", (N, C)),
    ("AutoSnapshot/RunEvery", (RD, RG, C)),
    ("BalanceResourcesEnabled", (RD, RG, C)),
]


@pytest.mark.parametrize(("key", "order"), PRECEDENCE)
def test_the_first_object_in_the_order_decides(key: str, order: tuple[Kind, ...]) -> None:
    objects = {kind: Source(kind.value, {key: kind.value}) for kind in EveryKind}
    seen = []
    while (found := effective(key, objects)) is not None:
        seen.append(found.origin_kind)
        assert [hidden.value for hidden in found.shadowed] == [kind.value for kind in order[len(seen) :]]
        del objects[found.origin_kind]
    assert tuple(seen) == order


def test_false_anywhere_takes_a_pool_out_of_placement() -> None:
    key = "AutoplaceTarget"
    objects = {SP: Source("p", {key: "true"}), N: Source("n", {key: "False"}), C: Source("", {key: "true"})}
    found = effective(key, objects)
    assert found is not None
    assert (found.value, found.origin_name) == ("False", "n")


def test_nothing_is_effective_where_nobody_says_anything() -> None:
    assert effective("PrefNic", {N: Source("n", {})}) is None


def test_the_view_tells_the_origin_and_what_is_hidden() -> None:
    key = "DrbdOptions/Resource/on-no-quorum"
    objects = {C: Source("", {key: "io-error"}), RD: Source("web", {key: "suspend-io"})}
    assert effective_all(objects) == {
        key: {
            "value": "suspend-io",
            "type": "RD",
            "descr": "Resource definition (web)",
            "other": [{"value": "io-error", "type": "C", "descr": "Controller"}],
        }
    }


INFO = [
    (C, "DrbdOptions/Net/ping-int", {"prop_type": "range", "value": "1-120", "dflt": "10", "unit": "seconds"}),
    (RG, "DrbdOptions/Net/protocol", {"prop_type": "symbol", "value": "A|B|C"}),
    (VG, "StorDriver/LvcreateType", {"prop_type": "symbol", "dflt": "linear"}),
]


@pytest.mark.parametrize(("kind", "key", "facts"), INFO)
def test_info_tells_type_values_default_and_unit(kind: Kind, key: str, facts: dict[str, str]) -> None:
    assert facts.items() <= info(kind)[key].items()


def test_info_covers_exactly_what_a_kind_accepts() -> None:
    assert info(RG).keys() == info(RD).keys()
    assert "MinorNrAutoRange" in info(C)
    assert "MinorNrAutoRange" not in info(N)
    assert info(KVS) == {}
