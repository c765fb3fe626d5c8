"""ZFS without a reservation: a volume takes what was written to it."""

from typing import ClassVar

from orlop_storage.zfs import Zfs


class ZfsThin(Zfs, frozen=True, kw_only=True):
    kind: ClassVar[str] = "ZFS_THIN"
    thin: ClassVar[bool] = True
