"""Every endpoint of the common API is routed; those that are not served say so."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from orlop.codes import Fail
from orlop.controller.api.absent import ABSENT
from orlop.controller.api.table import every_route

ENDPOINTS = (Path(__file__).parent / "endpoints.txt").read_text().splitlines()
NOT_SERVED = {text for texts in ABSENT.values() for text in texts}


def test_every_endpoint_is_routed_once() -> None:
    routes = [f"{route.method} {route.path}" for route in every_route()]
    assert set(ENDPOINTS) - set(routes) == set()
    assert len(routes) == len(set(routes))
    beyond = {text for text in routes if text not in ENDPOINTS}
    assert all(text.split(" ")[1].startswith("/v1/orlop/") for text in beyond)


def test_the_number_of_endpoints_that_are_not_served_is_told(counted: Callable[[int], None]) -> None:
    assert set(ENDPOINTS) >= NOT_SERVED
    counted(len(NOT_SERVED))


@pytest.mark.parametrize("endpoint", sorted(NOT_SERVED))
def test_what_is_not_served_says_so_in_an_envelope(api: FlaskClient, endpoint: str) -> None:
    method, path = endpoint.split(" ")
    answer = api.open(re.sub(r"{\w+}", "1", path), method=method)
    assert answer.status_code == 500
    entry = answer.get_json()[0]
    assert entry["ret_code"] < 0
    assert entry["ret_code"] & 0x7FFF == Fail.INVLD_REQUEST
    assert entry["message"].startswith("Not part of this version: ")
