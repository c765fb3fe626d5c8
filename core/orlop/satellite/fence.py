"""Whom to obey: the one activation of the controller with the highest term. Kept on disk, or two could be obeyed."""

import logging
import os

import msgspec

from orlop.errors import CannotRead, Fenced
from orlop.host import Host
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop.plugin import WriteFile
from orlop.transport.messages import Fence

log = logging.getLogger(__name__)

NAME = "fence.json"


class Kept(Value, frozen=True, kw_only=True):
    cluster: str
    term: int
    nonce: str


class FenceKeeper:
    """Not thread-safe: the node calls it under its lock."""

    def __init__(self, host: Host, directory: str) -> None:
        self._host, self._directory = host, directory
        self._kept = self._read()
        self.sequence = 0  # highest commit of the controller heard of since the start

    @property
    def cluster(self) -> str:
        return self._kept.cluster if self._kept else ""

    def admit(self, fence: Fence) -> None:
        """Raises `Fenced` unless this one is to be obeyed; a higher term is on disk before this returns."""
        kept = self._kept
        if kept is not None:
            self._refuse(kept, fence)
        if kept is None or fence.term > kept.term:
            self._keep(Kept(cluster=fence.cluster, term=fence.term, nonce=fence.nonce))
        self.sequence = max(self.sequence, fence.sequence)

    def _refuse(self, kept: Kept, fence: Fence) -> None:
        if fence.cluster != kept.cluster:
            raise Fenced(kept.term, kept.nonce, f"this node belongs to cluster {kept.cluster}, not {fence.cluster}")
        if fence.term < kept.term:
            raise Fenced(kept.term, kept.nonce, f"term {fence.term} is over: this node has seen term {kept.term}")
        if fence.term > kept.term and fence.sequence < self.sequence:
            raise Fenced(
                kept.term, kept.nonce, f"commit {self.sequence} is known here, the controller's database ends before it"
            )
        if fence.term == kept.term and fence.nonce != kept.nonce:
            raise Fenced(kept.term, kept.nonce, f"another controller has claimed term {kept.term} before")

    def _keep(self, kept: Kept) -> None:
        self._host.run(("mkdir", "--parents", "--mode=0700", self._directory))
        self._host.write(WriteFile(path=self._path, content=msgspec.json.encode(kept).decode()))
        self._kept = kept
        log.info("obeying term %d of cluster %s", kept.term, kept.cluster)

    def _read(self) -> Kept | None:
        text = self._host.read(self._path)
        if text is None:
            return None
        try:
            return decoded(text, Kept)
        except msgspec.DecodeError as error:
            raise CannotRead(
                f"{self._path} cannot be understood: {error}",
                correction="Restore it, or remove it when you are sure that no second controller is alive.",
            ) from error

    @property
    def _path(self) -> str:
        return os.path.join(self._directory, NAME)
