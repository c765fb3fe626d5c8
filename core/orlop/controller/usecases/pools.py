"""Storage pools and their definitions."""

from __future__ import annotations

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller import stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import NOTHING, Draft, Picture
from orlop.controller.properties import Kind
from orlop.controller.usecases import lookup
from orlop.controller.usecases.property_changes import changed, checked
from orlop.drivers import STORAGE
from orlop.errors import Refused
from orlop.model import Node, ReportedPool, StoragePool, StoragePoolDefinition, key, names

DISKLESS = "DISKLESS"
DISKLESS_POOL = "DfltDisklessStorPool"
BUILT_IN = frozenset({key(DISKLESS_POOL), key("DfltStorPool")})
BACKING = "StorDriver/StorPoolName"
VERIFY = 30.0  # seconds a request waits for the satellite's look at a pool


def create(core: Core, node_name: str, body: wire.StoragePool) -> Answers:
    """Registers the pool, then waits for what its satellite says about the backing.

    A pool whose backing is wrong stays, listed with the problem, until it is repaired or deleted.
    """
    node = lookup.node(core.picture, node_name)
    with core.change() as draft:
        pool = new(core, draft, node, body)
        if key(pool.name) not in draft.pool_definitions:
            draft.put(StoragePoolDefinition(name=pool.name, uuid=core.new_uuid()))
        draft.put(pool)
    answers = Answers(codes.CREATE, Subject.STOR_POOL, Node=node.name, StorPool=pool.name, StorPoolDfn=pool.name)
    answers.success(
        f"Storage pool '{pool.name}' is registered on node '{node.name}'.",
        codes.CREATED,
        details=f"Its UUID is {pool.uuid}.",
    )
    if pool.provider != DISKLESS:
        _await_backing(core, node, pool, answers)
    return answers


def new(core: Core, picture: Picture, node: Node, body: wire.StoragePool) -> StoragePool:
    """The pool that a request describes; raises where it could not be registered. Nothing is changed."""
    driver = core.drivers.load(STORAGE, body.provider_kind)
    lookup.node(picture, node.name)
    if not node.has_satellite:
        raise Refused(
            f"Node '{node.name}' is of type {node.kind}: it carries no storage pools.",
            correction="Choose a satellite node.",
            code=Fail.INVLD_NODE_TYPE,
        )
    pool = StoragePool(
        node=node.name,
        name=names.storage_pool(body.storage_pool_name),
        uuid=core.new_uuid(),
        provider=driver.kind,
        props=checked(core.drivers, Kind.STORAGE_POOL, driver.check_pool(body.props), driver.kind),
        shared_space=_shared_space(body),
        external_locking=body.external_locking,
        new=driver.kind != DISKLESS,
    )
    if picture.pool(node.name, pool.name):
        raise Refused(
            f"Storage pool '{pool.name}' exists already on node '{node.name}'.",
            correction="Choose another name, or delete that pool first.",
            code=Fail.EXISTS_STOR_POOL,
        )
    _require_own_backing(picture, pool)
    return pool


def modify(core: Core, node_name: str, name: str, body: wire.StoragePoolDefinitionModify) -> Answers:
    with core.change() as draft:
        pool = lookup.pool(draft, node_name, name)
        answers = Answers(codes.MODIFY, Subject.STOR_POOL, Node=pool.node, StorPool=pool.name)
        answers.success(f"Storage pool '{pool.name}' on node '{pool.node}' is modified.", codes.MODIFIED)
        props = changed(core.drivers, answers, Kind.STORAGE_POOL, pool.props, body, pool.provider)
        after = replace(pool, props=core.drivers.load(STORAGE, pool.provider).check_pool(props))
        if after.props.get(BACKING) != pool.props.get(BACKING):
            require_unused(draft, pool, "get another backing")
            _require_own_backing(draft, after)
            # Another place is another pool, of an extent that nobody has seen yet.
            after = replace(after, uuid=core.new_uuid(), new=True, props=stacks.without_noted(after.props))
        draft.put(after)
    return answers


def delete(core: Core, node_name: str, name: str) -> Answers:
    with core.change() as draft:
        pool = lookup.pool(draft, node_name, name)
        if key(pool.name) == key(DISKLESS_POOL):
            raise Refused(
                f"'{pool.name}' belongs to every node and cannot be deleted.",
                code=Fail.INVLD_STOR_POOL_NAME,
            )
        require_unused(draft, pool, "be deleted")
        draft.remove(pool)
    answers = Answers(codes.DELETE, Subject.STOR_POOL, Node=pool.node, StorPool=pool.name, StorPoolDfn=pool.name)
    answers.success(
        f"Storage pool '{pool.name}' on node '{pool.node}' is deleted.",
        codes.DELETED,
        details="Its backing on the node is left as it is.",
    )
    return answers


def create_definition(core: Core, body: wire.StoragePoolDefinition) -> Answers:
    name = names.storage_pool(body.storage_pool_name or "")
    props = checked(core.drivers, Kind.STORAGE_POOL_DEFINITION, body.props)
    with core.change() as draft:
        if key(name) in draft.pool_definitions:
            raise Refused(f"Storage pool definition '{name}' exists already.", code=Fail.EXISTS_STOR_POOL_DFN)
        draft.put(StoragePoolDefinition(name=name, uuid=core.new_uuid(), props=props))
    answers = Answers(codes.CREATE, Subject.STOR_POOL_DFN, StorPoolDfn=name)
    answers.success(f"Storage pool definition '{name}' is created.", codes.CREATED)
    return answers


def modify_definition(core: Core, name: str, body: wire.StoragePoolDefinitionModify) -> Answers:
    with core.change() as draft:
        found = lookup.pool_definition(draft, name)
        answers = Answers(codes.MODIFY, Subject.STOR_POOL_DFN, StorPoolDfn=found.name)
        answers.success(f"Storage pool definition '{found.name}' is modified.", codes.MODIFIED)
        draft.put(replace(found, props=changed(core.drivers, answers, Kind.STORAGE_POOL_DEFINITION, found.props, body)))
    return answers


def delete_definition(core: Core, name: str) -> Answers:
    with core.change() as draft:
        found = lookup.pool_definition(draft, name)
        if key(name) in BUILT_IN:
            raise Refused(
                f"Storage pool definition '{found.name}' is built in and cannot be deleted.",
                code=Fail.INVLD_STOR_POOL_NAME,
            )
        nodes = sorted(pool.node for pool in draft.pools.values() if key(pool.name) == key(name))
        if nodes:
            raise Refused(
                f"Storage pool definition '{found.name}' is used by pools.",
                details=f"On nodes: {', '.join(nodes)}.",
                correction="Delete these pools first.",
                code=Fail.IN_USE,
            )
        draft.remove(found)
    answers = Answers(codes.DELETE, Subject.STOR_POOL_DFN, StorPoolDfn=found.name)
    answers.success(f"Storage pool definition '{found.name}' is deleted.", codes.DELETED)
    return answers


def _shared_space(body: wire.StoragePool) -> str:
    """Clients send the name in either member; with ';' or ':' it is the default that they were shown."""
    name = body.shared_space or body.free_space_mgr_name or ""
    return "" if not name or ";" in name or ":" in name else names.shared_space(name)


def _await_backing(core: Core, node: Node, pool: StoragePool, answers: Answers) -> None:
    if not core.reported.online(node.name):
        answers.warning(
            f"Node '{node.name}' is not connected: the pool is looked at when it comes back.",
            Warn.NOT_CONNECTED,
            cause=core.reported.node(node.name).problem,
        )
        return

    def looked() -> ReportedPool | None:
        seen = core.reported.pool(node.name, pool.name)
        if seen is None or seen.uuid != pool.uuid:
            return None
        kept = core.picture.pool(node.name, pool.name)
        noted = kept is None or kept.uuid != pool.uuid or not kept.new  # nobody is answered before it is durable
        return seen if seen.problem or (seen.marked and noted) else None

    seen = core.wait(looked, VERIFY)
    if seen is None:
        answers.warning(f"Node '{node.name}' has not looked at the pool yet.", Warn.STLT_NOT_UPDATED)
    elif seen.problem:
        answers.error(
            f"Storage pool '{pool.name}' on node '{node.name}' cannot be used: {seen.problem}",
            Fail.STOR_POOL_CONFIGURATION_ERROR,
            correction="Repair its backing, or delete the pool and create it with other properties.",
        )
    else:
        answers.success(f"Storage pool '{pool.name}' is ready on node '{node.name}'.")


def require_unused(draft: Draft, pool: StoragePool, what: str) -> None:
    """Raises while anything of ours is in the pool."""
    usage = draft.usage.get((key(pool.node), key(pool.name)), NOTHING)
    if usage.volumes or usage.snapshots:
        raise Refused(
            f"Storage pool '{pool.name}' on node '{pool.node}' cannot {what}: it is in use.",
            details=f"It holds {usage.volumes} volumes and {usage.snapshots} snapshots.",
            correction="Delete them first.",
            code=Fail.IN_USE,
        )


def _require_own_backing(picture: Picture, pool: StoragePool) -> None:
    """A path is one place for every kind of pool; any other name is known to its own kind only."""
    place = pool.props.get(BACKING)
    for other in picture.pools.values():
        if (key(other.node), other.props.get(BACKING)) != (key(pool.node), place) or key(other.name) == key(pool.name):
            continue
        if place is not None and (other.provider == pool.provider or place.startswith("/")):
            raise Refused(
                f"'{place}' on node '{pool.node}' is the place of storage pool '{other.name}' already.",
                correction=f"Choose another place, or use pool '{other.name}'.",
                code=Fail.STOR_POOL_CONFIGURATION_ERROR,
            )
