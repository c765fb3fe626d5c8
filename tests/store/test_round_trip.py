"""What was committed is what is loaded."""

from collections.abc import Callable
from itertools import product
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orlop import model
from orlop.controller.picture import NOTHING, TABLES, Aggregate, Draft, Picture, key_of
from orlop.controller.store import Store

NODES = ("alpha", "Beta", "gamma.example")
POOLS = ("thin", "Thick")
GROUPS = ("DfltRscGrp", "Fast_group")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
uuids = st.uuids().map(str)
props = st.dictionaries(texts, texts, max_size=3)
flags = st.frozensets(st.sampled_from(["DELETE", "INACTIVE", "DISKLESS"]))
layers = st.lists(st.sampled_from(["DRBD", "LUKS"]), unique=True).map(lambda found: (*found, "STORAGE"))
sizes = st.integers(4096, 1 << 50)
moments = st.none() | st.integers(0, 1 << 45)
numbers = st.lists(st.integers(0, 65534), unique=True, max_size=3)
words = st.from_regex(r"[A-Za-z_][A-Za-z][A-Za-z0-9_-]{1,20}", fullmatch=True)


def some(names: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=len(names))


def build(of: type, /, **fields: Any) -> st.SearchStrategy[Any]:
    made = {name: v if isinstance(v, st.SearchStrategy) else st.just(v) for name, v in fields.items()}
    return st.builds(of, **made)


def each(values: st.SearchStrategy[list[Any]], make: Callable[[Any], st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    return values.flatmap(lambda found: st.tuples(*(make(value) for value in found)))


def named(limit: int, make: Callable[[str], st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    return each(st.lists(words, unique_by=str.lower, max_size=limit), make)


interface = build(
    model.NetInterface,
    name="default",
    uuid=uuids,
    address=st.ip_addresses().map(str),
    port=st.none() | st.integers(1, 65535),
    encryption=st.sampled_from([None, "PLAIN", "SSL"]),
    active=st.booleans(),
)


def node(name: str) -> st.SearchStrategy[model.Node]:
    found = named(3, lambda own: interface.map(lambda value: msgspec.structs.replace(value, name=own)))
    kinds = st.sampled_from(["SATELLITE", "COMBINED", "CONTROLLER", "AUXILIARY"])
    return build(
        model.Node, name=name, uuid=uuids, kind=kinds, flags=flags, props=props, interfaces=found, evicted_at=moments
    )


def pool(where: tuple[str, str]) -> st.SearchStrategy[model.StoragePool]:
    return build(
        model.StoragePool,
        node=where[0],
        name=where[1],
        uuid=uuids,
        provider=st.sampled_from(["FILE", "LVM_THIN"]),
        props=props,
        shared_space=st.sampled_from(["", "san.1"]),
        external_locking=st.booleans(),
        new=st.booleans(),
    )


def group(name: str) -> st.SearchStrategy[model.ResourceGroup]:
    choice = build(
        model.SelectFilter,
        place_count=st.none() | st.integers(0, 9),
        node_names=some(NODES).map(tuple),
        x_replicas_on_different=st.dictionaries(texts, st.integers(0, 9), max_size=2),
        diskless_on_remaining=st.none() | st.booleans(),
        overprovision=st.none() | st.floats(0, 20),
    )
    volume_groups = each(
        numbers, lambda number: build(model.VolumeGroup, number=number, uuid=uuids, props=props, flags=flags)
    )
    return build(
        model.ResourceGroup,
        name=name,
        uuid=uuids,
        description=texts.filter(lambda found: "\0" not in found),
        props=props,
        select_filter=choice,
        peer_slots=st.none() | st.integers(1, 31),
        volume_groups=volume_groups,
    )


stacks = layers | st.just(("NVME",))  # the latter on a node that only reaches the data
levels = each(stacks.map(list), lambda layer: build(model.Level, layer=layer, size=sizes))


def volume(number: int) -> st.SearchStrategy[model.Volume]:
    return build(
        model.Volume,
        number=number,
        uuid=uuids,
        pool=st.sampled_from(POOLS),
        levels=levels,
        new=st.booleans(),
        source=st.none() | uuids,
        replaces=st.none() | uuids,
        flags=flags,
        props=props,
    )


def resource(name: str) -> st.SearchStrategy[model.Resource]:
    return build(
        model.Resource,
        node=name,
        uuid=uuids,
        flags=flags,
        props=props,
        layers=st.just(()) | layers,
        volumes=each(numbers, volume),
        created=moments,
    )


def node_snapshot(name: str) -> st.SearchStrategy[model.NodeSnapshot]:
    def part(number: int) -> st.SearchStrategy[model.SnapshotVolume]:
        return build(
            model.SnapshotVolume,
            number=number,
            uuid=uuids,
            volume=uuids,
            pool=st.sampled_from(POOLS),
            size=sizes,
            new=st.booleans(),
        )

    return build(
        model.NodeSnapshot,
        node=name,
        uuid=uuids,
        flags=flags,
        props=props,
        created=moments,
        volumes=each(numbers, part),
    )


keys = st.lists(
    build(
        model.VolumeKey, uuid=uuids, slot=st.integers(0, 31), sealed=st.binary().map(bytes.hex), retired=st.booleans()
    ),
    max_size=2,
    unique_by=lambda found: found.uuid,
).map(tuple)


def snapshot(name: str) -> st.SearchStrategy[model.Snapshot]:
    return build(
        model.Snapshot,
        name=name,
        uuid=uuids,
        flags=flags,
        props=props,
        layers=layers,
        resource_definition_props=props,
        volume_definitions=each(
            numbers,
            lambda number: build(
                model.SnapshotVolumeDefinition, number=number, size=sizes, flags=flags, props=props, keys=keys
            ),
        ),
        nodes=each(some(NODES), node_snapshot),
    )


operations = st.lists(
    build(
        model.Operation,
        uuid=uuids,
        kind="rollback",
        state=words,
        created=st.integers(0, 1 << 45),
        arguments=st.dictionaries(
            texts, texts | st.integers(0, 9) | st.none() | st.lists(texts, max_size=2), max_size=2
        ),
    ),
    max_size=2,
    unique_by=lambda found: found.uuid,
).map(tuple)


def definition(name: str) -> st.SearchStrategy[model.ResourceDefinition]:
    pairs = st.sampled_from([(), (("alpha", "Beta"),), (("gamma.example", "Beta"), ("alpha", "gamma.example"))])
    return build(
        model.ResourceDefinition,
        name=name,
        uuid=uuids,
        group=st.sampled_from(GROUPS),
        layers=layers,
        external_name=st.sampled_from([None, f"{name} ", f"größer als {name}/é"]),
        props=props,
        flags=flags,
        peer_slots=st.none() | st.integers(1, 31),
        volume_definitions=each(
            numbers,
            lambda number: build(
                model.VolumeDefinition,
                number=number,
                uuid=uuids,
                size=sizes,
                minor=st.none() | st.integers(1000, 49999),
                day0=st.sampled_from(["", "0123456789ABCDEF"]),
                props=props,
                flags=flags,
                keys=keys,
            ),
        ),
        resources=each(some(NODES), resource),
        connections=each(
            pairs.map(list),
            lambda pair: build(model.ResourceConnection, node_a=pair[0], node_b=pair[1], uuid=uuids, props=props),
        ),
        snapshots=named(2, snapshot),
        operations=operations,
    )


def everything() -> st.SearchStrategy[list[Aggregate]]:
    """Nodes, pools and groups that definitions can refer to, and some definitions."""
    parts = [
        st.tuples(*(node(name) for name in NODES)),
        st.tuples(*(pool(where) for where in product(NODES, POOLS))),
        st.tuples(*(group(name) for name in GROUPS)),
        each(some(("one", "Two", "three-3")), definition),
        each(some(("first", "Second")), lambda name: build(model.KeyValueStore, name=name, props=props)),
        each(some(POOLS), lambda name: build(model.StoragePoolDefinition, name=name, uuid=uuids, props=props)),
        st.just(()) | st.tuples(build(model.NodeConnection, node_a="Beta", node_b="alpha", uuid=uuids, props=props)),
        st.tuples(build(model.Controller, cluster="", props=props)),
        st.just(()) | st.tuples(build(model.MasterKey, salt=st.just("00"), cost=st.just(17), sealed=st.just("0a"))),
    ]
    return st.tuples(*parts).map(lambda found: [value for part in found for value in part])


NOTHING_LEFT: list[Aggregate] = []


def become(store: Store, present: Picture, wanted: list[Aggregate]) -> Picture:
    """Commit what makes the picture hold exactly the wanted aggregates."""
    draft = Draft(present)
    keys = {(type(value), key_of(value)) for value in wanted}
    for name in TABLES.values():
        for value in getattr(present, name).values():
            if (type(value), key_of(value)) not in keys:
                draft.remove(value)
    for value in wanted:
        draft.put(msgspec.structs.replace(value, cluster=present.controller.cluster) if _is_own(value) else value)
    draft.sequence = present.sequence + 1
    store.commit(draft.changes, draft.sequence)
    return draft.freeze()


def _is_own(value: Aggregate) -> bool:
    return isinstance(value, model.Controller)


def contents(picture: Picture) -> dict[str, Any]:
    found = {name: getattr(picture, name) for name in Picture.__slots__}
    return found | {"usage": {where: usage for where, usage in picture.usage.items() if usage != NOTHING}}


@given(wanted=st.lists(everything(), min_size=1, max_size=3))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_sequence_of_changes_is_loaded_as_it_was_committed(
    open_store: Store, wanted: list[list[Aggregate]]
) -> None:
    present = open_store.load().picture
    for target in [*wanted, NOTHING_LEFT]:
        present = become(open_store, present, target)
        loaded = open_store.load()
        assert loaded.problems == ()
        assert contents(loaded.picture) == contents(present)


def test_a_replica_without_a_disk_is_kept(
    url: str, put: Callable[..., Picture], small_cluster: tuple[Aggregate, ...]
) -> None:
    """Its volume has one level, in the pool that holds nothing."""
    volume = model.Volume(number=0, uuid="none", pool="nothing", levels=(model.Level(layer="DRBD", size=model.GIB),))
    flags = frozenset({"DISKLESS", "DRBD_DISKLESS", "TIE_BREAKER"})
    with Store.open(url) as store:
        store.activate()
        picture = put(
            store, *small_cluster, model.StoragePool(node="gamma", name="nothing", uuid="no", provider="DISKLESS")
        )
        one = picture.definitions["one"]
        made = model.Resource(node="gamma", uuid="tie", flags=flags, volumes=(volume,), node_id=2, ports=(7000,))
        put(store, msgspec.structs.replace(one, resources=(*one.resources, made)))
        assert store.load().picture.definitions["one"].resources[-1] == made
