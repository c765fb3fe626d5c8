"""Lists of remotes. This version can hold none, so they are empty; the CSI driver reads them before it looks for
snapshots, and would take a refusal for a failure."""

from __future__ import annotations

from typing import Any

from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes

route = Routes("remotes")
NONE = tuple[dict[str, Any], ...]


@route("GET", "/v1/remotes", answer=dict[str, NONE])
def listed(call: Call) -> dict[str, NONE]:
    return {}


@route("GET", "/v1/remotes/s3", answer=NONE)
@route("GET", "/v1/remotes/linstor", answer=NONE)
@route("GET", "/v1/remotes/ebs", answer=NONE)
def listed_of_a_kind(call: Call) -> NONE:
    return ()
