"""The REST client: all the HTTP there is. The command line and every adapter use nothing else.

>>> from orlop.client import Client
>>> client = Client(["http://127.0.0.1:3370"], timeout=30)
>>> nodes = client.nodes()  # doctest: +SKIP
"""

from orlop.client.address import addresses
from orlop.client.answer import (
    Answer,
    ApiError,
    ClientError,
    ConnectionBroken,
    Entry,
    TimedOut,
    UnexpectedReply,
    Unreachable,
)
from orlop.client.bodies import Changes, NewResource, SelectFilter
from orlop.client.client import Client
from orlop.client.wait_values import Wait, WaitProgress, wait_from
from orlop.client.wire import Credentials, Http, Reply, Request, Tls, Transport

__all__ = [
    "Answer",
    "ApiError",
    "Changes",
    "Client",
    "ClientError",
    "ConnectionBroken",
    "Credentials",
    "Entry",
    "Http",
    "NewResource",
    "Reply",
    "Request",
    "SelectFilter",
    "TimedOut",
    "Tls",
    "Transport",
    "UnexpectedReply",
    "Unreachable",
    "Wait",
    "WaitProgress",
    "addresses",
    "wait_from",
]
