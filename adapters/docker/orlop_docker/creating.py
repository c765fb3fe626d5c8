"""Make a volume: new, as a clone, or of a snapshot. Whatever was begun before is taken up again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from orlop.client import ApiError, Changes, Client, Wait, wait_from
from orlop.client.values import ResourceDefinition
from orlop.codes import Fail
from orlop.errors import OrlopError, Refused
from orlop_docker import names, placing, volume
from orlop_docker.catalog import Catalog
from orlop_docker.here import Here
from orlop_docker.options import VolumeOptions
from orlop_docker.volume import CREATED, NAME, DockerVolume

DEPLOYED = "count=1"  # without another policy: one node has it
PATIENCE = 900.0  # seconds for copies to be made before an attempt is given up; the next one goes on
RECOVERY = 30.0  # seconds that nodes get to repeat a step that failed
PAUSE = 0.5  # seconds between looks at a clone


class Failed(OrlopError):
    """A volume could not be made, for a reason that only shows while it is made."""


class Creating:
    """Blocks until the volume is complete; another attempt with the same name may run at the same time elsewhere.

    The mark `CREATED` is the last thing that a volume gets. Until then the engine is told that there is no such volume,
    since it takes one that is there for what was asked for.
    """

    def __init__(self, client: Client, catalog: Catalog, at: Here, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self._catalog, self._at, self._pause = client, catalog, at, pause

    def create(self, name: str, driver: str, options: VolumeOptions) -> None:
        present = self._catalog.definition(name)
        if present is None or not self._is_complete(name, driver, present, options):
            self._make(name, driver, options, present)
            self._wait(names.resource_name(name), options)
            self._mark(name, driver, options)

    def _is_complete(self, name: str, driver: str, present: ResourceDefinition, options: VolumeOptions) -> bool:
        if "DELETE" in present.flags:
            raise Refused(f"{name} is being removed", correction="Try again when it is gone.")
        found = volume.named(present)
        if found is None and options.source and present.props.get(NAME) == options.source:
            return False  # a clone of it that was begun still has all its properties
        if found is None or found.name != name:
            raise Refused(
                f"there is a resource {present.name} already, which is no volume of Docker",
                correction="Choose another name for the volume.",
            )
        _refuse_other(found, driver, options)
        return found.complete

    def _make(self, name: str, driver: str, options: VolumeOptions, present: ResourceDefinition | None) -> None:
        if options.source is None:
            self._new(name, driver, options, present)
        elif options.snapshot is None:
            self._clone(name, self._source(options), options, present)
        else:
            self._restore(name, driver, self._source(options), options)

    def _source(self, options: VolumeOptions) -> DockerVolume:
        source = self._catalog.volume(str(options.source))
        if options.size is not None and options.size < source.size:
            raise Refused(
                f"a copy of {source.name} cannot be smaller than it is: {options.size} KiB instead of {source.size}",
                correction="Leave the size out, or choose a larger one.",
            )
        return source

    # -- a new one ----------------------------------------------------------------------------------------------

    def _new(self, name: str, driver: str, options: VolumeOptions, present: ResourceDefinition | None) -> None:
        group = self._client.resource_group(options.group or placing.DEFAULT_GROUP)
        nodes = self._client.nodes()
        placing.require_known(options, nodes)
        layers = placing.stack(options, group, nodes)
        select = placing.select(options, group, layers, self._at.among(nodes))
        resource = names.resource_name(name)
        if present is not None:
            return
        try:
            self._client.spawn(
                group.name, resource, [options.kib], select=select, props=volume.properties(name, driver, options)
            )
        except ApiError as error:
            if error.has(Fail.EXISTS_RSC_DFN):
                self._met_another(name, driver, options)
            elif not self._recovers(name):
                self._take_back(name)
                raise

    def _recovers(self, name: str) -> bool:
        """Nodes try again what went wrong there; only what lasts is a failure of the whole."""
        if self._catalog.any(name) is None:
            return False
        try:
            again = Wait(resource=names.resource_name(name), policy=DEPLOYED, timeout=RECOVERY)
            return self._client.wait_for(again).satisfied
        except ApiError:
            return False

    def _take_back(self, name: str) -> None:
        """What a failed attempt left holds nothing yet: nobody was told of it."""
        found = self._catalog.any(name)
        if found is not None and not found.complete:
            self._catalog.remove(found)

    def _met_another(self, name: str, driver: str, options: VolumeOptions) -> None:
        """Somebody else was faster: it may be the same request, to another node or repeated."""
        present = self._catalog.definition(name)
        if present is None:
            raise Failed(f"{name} was removed while it was made", correction="Try again.")
        self._is_complete(name, driver, present, options)

    # -- copies -------------------------------------------------------------------------------------------------

    def _clone(
        self, name: str, source: DockerVolume, options: VolumeOptions, present: ResourceDefinition | None
    ) -> None:
        resource = names.resource_name(name)
        if present is None:
            sizes = [options.size] if options.size else None
            try:
                self._client.clone_resource_definition(source.resource, resource, sizes=sizes)
            except ApiError as error:
                if not error.has(Fail.EXISTS_RSC_DFN):
                    raise
        while (state := self._client.clone_status(source.resource, resource)) == "CLONING":
            self._pause(PAUSE)
        if state != "COMPLETE":
            self._client.delete_resource_definition(resource)
            raise Failed(f"{source.name} could not be cloned", correction="'orlop job list' on a node has the reason.")

    def _restore(self, name: str, driver: str, source: DockerVolume, options: VolumeOptions) -> None:
        """Each step may have been done before."""
        client, resource, snapshot = self._client, names.resource_name(name), str(options.snapshot)
        known = self._catalog.snapshots(source)
        if snapshot not in known:
            raise Refused(
                f"{source.name} has no snapshot {snapshot}",
                correction=f"It has {', '.join(sorted(known))}." if known else "Take one with 'orlop snapshot create'.",
            )
        origin = client.resource_definition(source.resource)
        kept = {key: origin.props[key] for key in (volume.TYPE, volume.MKFS) if key in origin.props}
        props = volume.marks(name, driver, options) | kept
        try:
            self._fill(resource, origin, snapshot, props, options)
        except ApiError:
            self._take_back(name)
            raise

    def _fill(
        self, resource: str, origin: ResourceDefinition, snapshot: str, props: dict[str, str], options: VolumeOptions
    ) -> None:
        client, layers = self._client, [layer.type for layer in origin.layer_data]
        _unless(
            Fail.EXISTS_RSC_DFN,
            lambda: client.create_resource_definition(
                resource, layers=layers, group=origin.resource_group_name or None, props=props
            ),
        )
        _unless(Fail.EXISTS_VLM_DFN, lambda: client.restore_volume_definitions(origin.name, snapshot, resource))
        _unless(Fail.EXISTS_RSC, lambda: client.restore_resource(origin.name, snapshot, resource))
        if options.size is not None and options.size > client.volume_definition(resource, 0).size_kib:
            client.modify_volume_definition(resource, 0, Changes(), size_kib=options.size)

    # -- its end ------------------------------------------------------------------------------------------------

    def _wait(self, resource: str, options: VolumeOptions) -> None:
        asked = wait_from(options.wait or DEPLOYED, resource)
        timeout = PATIENCE if asked.timeout is None else asked.timeout
        done = self._client.wait_for(Wait(resource=resource, policy=asked.policy or DEPLOYED, timeout=timeout))
        if not done.satisfied:
            missing = "; ".join(f"{each.node_name}: {each.reason}" for each in done.missing)
            raise Failed(
                f"after {timeout:.0f} seconds '{done.policy}' is not satisfied; missing are {missing or 'copies'}",
                correction="The work goes on. Repeat the command to wait again.",
            )

    def _mark(self, name: str, driver: str, options: VolumeOptions) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        override = volume.marks(name, driver, options) | {CREATED: now}
        self._client.modify_resource_definition(names.resource_name(name), Changes(override=override))


def _unless(code: Fail, act: Callable[[], object]) -> None:
    try:
        act()
    except ApiError as error:
        if not error.has(code):
            raise


def _refuse_other(found: DockerVolume, driver: str, options: VolumeOptions) -> None:
    """Defaults may have changed since, and differ between nodes; what was asked for has to be there."""
    if found.driver != driver:
        raise Refused(
            f"the volume {found.name} exists under the driver {found.driver}",
            correction=f"Use it as a volume of {found.driver}, or choose another name.",
        )
    has = found.options.settings
    differing = [f"{key}={value}" for key, value in options.given.items() if has.get(key, value) != value]
    if differing:
        as_it_is = ", ".join(f"{key}={value}" for key, value in has.items())
        raise Refused(
            f"the volume {found.name} exists with other options ({as_it_is}), not with {', '.join(differing)}",
            correction="Remove it first, or choose another name.",
        )
