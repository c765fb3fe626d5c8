"""Which volumes of Docker the cluster has."""

from __future__ import annotations

from orlop.client import ApiError, Client
from orlop.client.values import Resource, ResourceDefinition
from orlop.errors import NotFound, Refused
from orlop_docker import names, volume
from orlop_docker.volume import DockerVolume


class Catalog:
    """Reads only. Errors are those of the client, and `NotFound`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def definition(self, name: str) -> ResourceDefinition | None:
        """The resource definition that has the name of this volume, whatever it is."""
        found = self._client.resource_definitions(names=[names.resource_name(name)], with_volumes=True)
        return found[0] if found else None

    def volume(self, name: str, driver: str | None = None) -> DockerVolume:
        """A complete volume, of this driver or of any; raises `NotFound`."""
        found = self.any(name)
        if found is None or not found.complete or driver not in (None, found.driver):
            raise NotFound(f"there is no volume {name}")
        return found

    def any(self, name: str) -> DockerVolume | None:
        """Also one that is still being made."""
        definition = self.definition(name)
        found = volume.named(definition) if definition else None
        return found if found and found.name == name else None

    def all(self, driver: str) -> list[DockerVolume]:
        definitions = self._client.resource_definitions(props=[volume.NAME], with_volumes=True)
        found = (self._readable(definition) for definition in definitions)
        return [each for each in found if each is not None and each.complete and each.driver == driver]

    @staticmethod
    def _readable(definition: ResourceDefinition) -> DockerVolume | None:
        """One whose options somebody spoilt must not hide all the others."""
        try:
            return volume.named(definition)
        except Refused:
            return None

    def replicas(self, found: DockerVolume) -> list[Resource]:
        return self._client.resources(names=[found.resource])

    def snapshots(self, found: DockerVolume) -> list[str]:
        return [each.name for each in self._client.snapshots(resources=[found.resource])]

    def remove(self, found: DockerVolume) -> None:
        try:
            self._client.delete_resource_definition(found.resource)
        except ApiError as error:
            if not error.not_found:
                raise
