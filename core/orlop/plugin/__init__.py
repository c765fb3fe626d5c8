"""What plugins may import: this package, orlop.model, orlop.errors and orlop.codes."""

from orlop.plugin.contracts import (
    API_VERSION,
    DeviceStorage,
    FileFacts,
    NodeLayer,
    Probe,
    StorageDriver,
)
from orlop.plugin.hookspecs import PROJECT, hookimpl
from orlop.plugin.steps import (
    CLUSTER,
    CREATED,
    NEW_FILE,
    UUID,
    CopyDevice,
    CreateFile,
    LongCopy,
    RemoveFile,
    RequireUnused,
    ResizeFile,
    Run,
    SetAttributes,
    Step,
    WriteFile,
    run,
)

__all__ = [
    "API_VERSION",
    "CLUSTER",
    "CREATED",
    "NEW_FILE",
    "PROJECT",
    "UUID",
    "CopyDevice",
    "CreateFile",
    "DeviceStorage",
    "FileFacts",
    "LongCopy",
    "NodeLayer",
    "Probe",
    "RemoveFile",
    "RequireUnused",
    "ResizeFile",
    "Run",
    "SetAttributes",
    "Step",
    "StorageDriver",
    "WriteFile",
    "hookimpl",
    "run",
]
