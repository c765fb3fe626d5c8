"""The command line against a controller that answers from a table."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import responses
from click.testing import CliRunner
from requests import PreparedRequest

from orlop.cli import main

DONE = [{"ret_code": 1, "message": "done", "obj_refs": {"RscDfn": "x"}}]
OBJECTS: dict[str, Any] = {
    r"/query-size-info$": {"space_info": {"max_vlm_size_in_kib": 1048576}},
    r"/(query-max-volume-size)$": {"candidates": [], "default_max_oversubscription_ratio": 20},
    r"/clone$": {"location": "/", "source_name": "a", "clone_name": "b"},
    r"/clone/": {"status": "COMPLETE"},
    r"/sync-status$": {"synced_on_all": True},
    r"/controller/version$": {"version": "1.34.0", "rest_api_version": "1.27.0"},
    r"/controller/properties$": {"Aux/site": "a"},
    r"/space-report$": {"reportText": "all is used"},
    r"/v1/remotes$": {"s3_remotes": [], "linstor_remotes": []},
    r"/schedules": {"data": []},
    r"/backups$": {"linstor": {}},
    r"/backup/queue$": {"node_queues": []},
    r"/backups/info$": {"rsc": "a", "full": "b", "latest": "c", "dl_size_kib": 1, "alloc_size_kib": 1},
    r"/passphrase$": {"status": "unset"},
    r"/files/": {"path": "/a", "content": "aGVsbG8="},
    r"/join-command$": {"command": "orlop-satellite join", "token": "secret", "expires_at": 1800000000000},
    r"/storage-pool-definitions/": {"storage_pool_name": "p", "props": {}},
    r"/resource-connections/": {"node_a": "a", "node_b": "b", "props": {}},
}


class Outcome(NamedTuple):
    code: int
    out: str
    err: str
    requests: list[str]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Orlop:
    """Runs command lines; `answers` are replies by a pattern of the path, before the usual ones."""

    def __init__(self, home: Path, mock: responses.RequestsMock) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.home = home
        self.environment: dict[str, str | None] = {}
        self.requests: list[str] = []
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            mock.add_callback(method, re.compile(r"http://[a-z0-9.]+:3370/"), callback=self._reply)

    def __call__(self, line: str, stdin: str = "") -> Outcome:
        self.requests.clear()
        names = ("ORLOP_CONTROLLERS", "LS_CONTROLLERS", "ORLOP_TOKEN", "ORLOP_CONFIG", "XDG_CONFIG_HOME", "NO_COLOR")
        environment = {**dict.fromkeys(names), "HOME": str(self.home), "COLUMNS": "100", **self.environment}
        with CliRunner().isolation(input=stdin, env=environment) as (out, err, _):
            code = main(shlex.split(line))
            return Outcome(code, out.getvalue().decode(), err.getvalue().decode(), list(self.requests))

    def _reply(self, request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = f" {request.body.decode()}" if isinstance(request.body, bytes) else ""
        self.requests.append(f"{request.method} {request.path_url}{body}")
        path = request.path_url.partition("?")[0]
        for pattern, (status, answer) in self.answers.items():
            if re.search(pattern, path):
                return status, {}, json.dumps(answer)
        return 200, {}, json.dumps(self._usual(request.method or "", path))

    @staticmethod
    def _usual(method: str, path: str) -> Any:
        reads = method in ("GET", "OPTIONS") or re.search(r"size-info$|/clone$|/backups/info$|/join-command$", path)
        found = (answer for pattern, answer in OBJECTS.items() if re.search(pattern, path))
        return next(found, []) if reads else DONE


@pytest.fixture
def orlop(tmp_path: Path) -> Iterator[Orlop]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Orlop(tmp_path, mock)
