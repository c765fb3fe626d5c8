"""`orlop remote ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import options
from orlop.cli.grammar import Menu, Verb
from orlop.cli.table import Column, Table, View
from orlop.cli.words import Maybe

if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("remote", help="Other clusters and object stores that hold backups.")
CREATE = MENU.menu("create", "c", help="Make a remote known.")
MODIFY = MENU.menu("modify", "m", help="Change a remote.")
_ASK = "\0"
_PATH_STYLE = click.option("--use-path-style", is_flag=True, help="The bucket is part of the path.")
_PASSPHRASE = click.option(
    "--passphrase", cls=Maybe, alone=_ASK, help="Master passphrase there; asked for if left out."
)
_CLUSTER = click.option("--cluster-id", help="Id of the other cluster.")


def _body(name: str, **members: Any) -> dict[str, Any]:
    from orlop.client.bodies import given

    for secret in ("passphrase", "secret_key"):
        if members.get(secret) == _ASK:
            members[secret] = click.prompt(secret.replace("_", " ").capitalize(), hide_input=True, err=True)
    return given(remote_name=name, **members)


def _create(session: Session, kind: str, **members: Any) -> Answer:
    from orlop.client.wire import path

    return session.client.command("POST", path("remotes", kind), _body(**members))


@CREATE.verb("s3", example="orlop remote create s3 cloud s3.example.com my_bucket eu-west-1 ACCESSKEY")
@click.argument("name")
@click.argument("endpoint")
@click.argument("bucket")
@click.argument("region")
@click.argument("access_key")
@click.argument("secret_key", required=False, default=_ASK)
@_PATH_STYLE
def create_s3(session: Session, use_path_style: bool, **members: Any) -> Answer:
    """Make an S3 bucket a remote. The secret key is asked for if it is left out."""
    return _create(session, "s3", use_path_style=use_path_style, **members)


@CREATE.verb("linstor", "l", example="orlop remote create linstor second 10.20.0.1")
@click.argument("name")
@click.argument("url")
@_PASSPHRASE
@_CLUSTER
def create_linstor(session: Session, **members: Any) -> Answer:
    """Make another cluster a remote."""
    return _create(session, "linstor", **members)


@CREATE.verb("ebs", example="orlop remote create ebs cloud eu-west-1a ACCESSKEY --region eu-west-1")
@click.argument("name")
@click.argument("availability_zone")
@click.argument("access_key")
@click.argument("secret_key", required=False, default=_ASK)
@click.option("--endpoint", help="Address of the service.")
@click.option("--region", help="Region of the service.")
def create_ebs(session: Session, **members: Any) -> Answer:
    """Make an EBS zone a remote. The secret key is asked for if it is left out."""
    return _create(session, "ebs", **members)


def _add_modify(kind: str, aliases: tuple[str, ...], names: tuple[str, ...]) -> Verb:
    made: list[Callable[..., Any]] = [
        click.option(
            *_spellings(name),
            name,
            help=f"New {name.replace('_', ' ')}.",
            **_secret(name),
        )
        for name in names
    ]

    @MODIFY.verb(
        kind,
        *aliases,
        example=f"orlop remote modify {kind} my_remote {_spellings(names[0])[0]} VALUE",
        help=f"Change a remote of the kind {kind}. What is not given stays.",
    )
    @click.argument("name")
    @options.stacked(*made)
    def modify(session: Session, name: str, **members: Any) -> Answer:
        from orlop.client.wire import path

        return session.client.command("PUT", path("remotes", kind, name), _body(name, **members))

    return modify


def _secret(name: str) -> dict[str, Any]:
    """A secret may be left out; then it is asked for."""
    return {"cls": Maybe, "alone": _ASK} if name in ("passphrase", "secret_key") else {}


def _spellings(name: str) -> tuple[str, ...]:
    """Today's spelling and, for two words, the one with an underscore that older commands have."""
    dashed = f"--{name.replace('_', '-')}"
    short = ("--az",) if name == "availability_zone" else ()
    return (dashed, *short, *((f"--{name}",) if "_" in name else ()))


_add_modify("s3", (), ("endpoint", "bucket", "region", "access_key", "secret_key"))
_add_modify("linstor", ("l",), ("url", "cluster_id", "passphrase"))
_add_modify("ebs", (), ("endpoint", "availability_zone", "region", "access_key", "secret_key"))


@MENU.verb("delete", "d", example="orlop remote delete cloud")
@click.argument("name")
def delete(session: Session, name: str) -> Answer:
    """Forget a remote. The backups on it stay where they are."""
    from orlop.client.wire import path, query

    return session.client.command("DELETE", path("remotes"), query=query(remote_name=name))


_REMOTES = Table(
    "remotes",
    (
        Column("Name", lambda row: row[1].get("remote_name", "")),
        Column("Type", lambda row: row[0]),
        Column("Info", lambda row: _info(row[1])),
    ),
)


def _info(remote: dict[str, Any]) -> str:
    where = remote.get("url") or ".".join(filter(None, (remote.get("endpoint"), remote.get("region"))))
    return "/".join(filter(None, (where, remote.get("bucket") or remote.get("availability_zone"))))


@MENU.verb("list", "l", example="orlop remote list")
@options.listing(groups=False, show_props=None)
def list_remotes(session: Session, view: View) -> None:
    """List the remotes."""
    from orlop.client.wire import path

    found = session.client.read(dict[str, list[dict[str, Any]]], path("remotes"))
    rows = [(kind.removesuffix("_remotes"), remote) for kind, remotes in found.items() for remote in remotes]
    session.show(_REMOTES, rows, view)
