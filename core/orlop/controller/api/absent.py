"""Routes of the common API that this version knows but does not serve; each says which feature it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from orlop.codes import Fail
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes
from orlop.errors import Refused

DEFINITION = "/v1/resource-definitions/{resource}"
BACKUPS = "/v1/remotes/{remote_name}/backups"
REACTOR = "/v1/nodes/exec/drbd-reactorctl"
INTERNAL = "/v1/internal/backups"
TOKEN = "/v1/controller/auth/token"  # noqa: S105 - a path

# Feature -> "METHOD path" of each of its routes.
ABSENT: Mapping[str, tuple[str, ...]] = {
    "backups": (
        "GET /v1/view/backup/queue",
        f"GET {BACKUPS}",
        f"DELETE {BACKUPS}",
        f"POST {BACKUPS}",
        f"POST {BACKUPS}/restore",
        f"POST {BACKUPS}/abort",
        f"POST {BACKUPS}/ship",
        f"POST {BACKUPS}/info",
        f"POST {INTERNAL}/requestPrevSnap",
        f"POST {INTERNAL}/requestShip",
        f"POST {INTERNAL}/requestReceive",
        f"POST {INTERNAL}/requestReceiveDone",
        f"POST {INTERNAL}/requestPrepareAbort",
    ),
    "remotes": (
        "DELETE /v1/remotes",
        "POST /v1/remotes/s3",
        "PUT /v1/remotes/s3/{remoteName}",
        "POST /v1/remotes/linstor",
        "PUT /v1/remotes/linstor/{remoteName}",
        "POST /v1/remotes/ebs",
        "PUT /v1/remotes/ebs/{remoteName}",
        "POST /v1/nodes/ebs",
    ),
    "schedules": (
        "GET /v1/schedules",
        "POST /v1/schedules",
        "PUT /v1/schedules/{scheduleName}",
        "DELETE /v1/schedules/{scheduleName}",
        "GET /v1/view/schedules-by-resource",
        "GET /v1/view/schedules-by-resource/{rscName}",
        f"PUT {BACKUPS}/schedule/{{schedule_name}}/enable",
        f"PUT {BACKUPS}/schedule/{{schedule_name}}/disable",
        f"DELETE {BACKUPS}/schedule/{{schedule_name}}/delete",
    ),
    "external files": (
        "GET /v1/files",
        "GET /v1/files/{extFileName}",
        "PUT /v1/files/{extFileName}",
        "DELETE /v1/files/{extFileName}",
        "GET /v1/files/{extFileName}/check/{node}",
        "GET /v1/files/{extFileName}/status/{node}",
        f"POST {DEFINITION}/files/{{extFileName}}",
        f"DELETE {DEFINITION}/files/{{extFileName}}",
    ),
    "drbd-reactor": (
        f"POST {REACTOR}/status",
        f"POST {REACTOR}/evict",
        f"POST {REACTOR}/disable",
        f"POST {REACTOR}/enable",
        f"POST {REACTOR}/restart",
    ),
    "authentication tokens": (
        "POST /v1/controller/auth/initialize-token-auth",
        f"GET {TOKEN}",
        f"POST {TOKEN}",
        f"PUT {TOKEN}/{{authtokenid}}",
        f"DELETE {TOKEN}/{{authtokenid}}",
    ),
    "copies of the database by request": (
        "POST /v1/controller/backup/db",
        "POST /v1/controller/database/export",
    ),
    "support reports": (
        "GET /v1/sos-report",
        "GET /v1/sos-report/download",
    ),
    "space reports": ("GET /v1/space-report",),
    "configuration of satellites": (
        "GET /v1/nodes/{node}/config",
        "PUT /v1/nodes/{node}/config",
    ),
    "a list of targets for Prometheus": ("GET /metrics/scrape-target",),
}


def refusing(feature: str) -> Callable[..., NoReturn]:
    def refuse(call: Call, **_: object) -> NoReturn:
        raise Refused(
            f"Not part of this version: {feature}.",
            correction="See the documentation for what it offers instead.",
            code=Fail.INVLD_REQUEST,
        )

    return refuse


def routes() -> Routes:
    found = Routes("not part of this version")
    for feature, served in ABSENT.items():
        for text in served:
            method, path = text.split(" ")
            found(method, path, waits=False)(refusing(feature))
    return found
