"""Find the one driver that data names: `drivers.load("orlop.storage", "FILE")`."""

import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from stevedore import ExtensionManager

from orlop.errors import NodeError, UnknownDriver
from orlop.plugin import API_VERSION

log = logging.getLogger(__name__)

STORAGE = "orlop.storage"
LAYER = "orlop.layer"
PLACEMENT = "orlop.placement"
KEY_STORE = "orlop.key_store"
WAIT_FOR = "orlop.wait_for"


def one(namespace: str, name: str) -> Any:
    """The driver of that name alone, for programs that have to start fast: none of the others is imported."""
    found = [entry for entry in entry_points(group=namespace) if entry.name == name.lower()]
    if not found:
        raise UnknownDriver(namespace, name, sorted(entry.name for entry in entry_points(group=namespace)))
    driver = found[0].load()
    version = getattr(driver, "api_version", None)
    if version != API_VERSION:
        raise NodeError(f"plugin {name} was written for version {version} of the plugin interface, not {API_VERSION}")
    return driver


class Drivers:
    """The drivers of some namespaces. An ordinary object: a test makes one with the drivers it wants."""

    def __init__(self, found: Mapping[str, Mapping[str, Any]], broken: Mapping[str, str] | None = None) -> None:
        self._found = {namespace: dict(drivers) for namespace, drivers in found.items()}
        self.broken = dict(broken or {})  # "<namespace> <name>" -> why it cannot be used

    @classmethod
    def installed(cls, *namespaces: str) -> "Drivers":
        """What entry points offer. A plugin that fails to import is kept with its error, named in the log."""
        broken: dict[str, str] = {}
        found: dict[str, dict[str, Any]] = {}
        for namespace in namespaces or (STORAGE, LAYER, PLACEMENT, KEY_STORE, WAIT_FOR):

            def failed(_: object, entry: EntryPoint, error: BaseException, namespace: str = namespace) -> None:
                broken[f"{namespace} {entry.name}"] = f"{type(error).__name__}: {error}"

            extensions: ExtensionManager[Any] = ExtensionManager(namespace, on_load_failure_callback=failed)
            found[namespace] = {}
            for extension in extensions:
                version = getattr(extension.plugin, "api_version", None)
                if version != API_VERSION:
                    broken[f"{namespace} {extension.name}"] = (
                        f"written for version {version} of the plugin interface; this is version {API_VERSION}"
                    )
                else:
                    found[namespace][extension.name] = extension.plugin
        for name, error in broken.items():
            log.error("plugin %s cannot be used: %s", name, error)
        return cls(found, broken)

    def load(self, namespace: str, name: str) -> Any:
        """The driver named `name` (any case); raises `UnknownDriver` with the list of what there is."""
        try:
            return self._found[namespace][name.lower()]
        except KeyError:
            error = UnknownDriver(namespace, name, self.names(namespace))
            if why := self.broken.get(f"{namespace} {name.lower()}"):
                error.cause = f"It is installed but cannot be used: {why}"
            raise error from None

    def names(self, namespace: str) -> list[str]:
        return sorted(self._found.get(namespace, {}))

    def all(self, namespace: str) -> dict[str, Any]:
        return dict(self._found.get(namespace, {}))
