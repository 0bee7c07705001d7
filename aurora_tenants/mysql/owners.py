"""Who owns a database or a user: written down in MySQL itself, so that it outlives every stack and every state file.

A user's owner stands in the account's ATTRIBUTE, which the view `aurora_tenants.users` shows; a database's in the
table `aurora_tenants.databases`, because MySQL keeps no attributes of databases. Without an entry it is nobody's, and
nothing of nobody's is ever changed or dropped.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from aurora_tenants.mysql.names import literal

OWNERS = "aurora_tenants"


class Owner(NamedTuple):
    """The CloudFormation resource that manages something. adopted: it existed before and is never dropped."""

    stack: str
    resource: str
    secret: str = ""
    adopted: bool = False
    released: bool = False

    def __str__(self) -> str:
        return f"stack {self.stack}, resource {self.resource}"


def claim(what: str, known: Owner | None, owner: Owner, *, adopt: bool) -> Owner:
    """The owner of something that exists, once `owner` has asked for it. known: who owns it now, None for nobody.

    what: "database shop". Raises ValueError with a sentence when it is not this resource's to take. What it takes
    over from nobody, from another resource or from a stack that let go of it counts as adopted: should the stack be
    rolled back, CloudFormation deletes the new resource. What its own stack let go of comes back.
    """
    if known is None:
        if not adopt:
            raise ValueError(f"{what} exists and belongs to nobody; with adopt: true it would be taken over as it is")
        return owner._replace(adopted=True)
    is_same = known.stack == owner.stack and known.resource == owner.resource
    if is_same and known.secret != owner.secret:
        # The same account under two ids: whichever of them CloudFormation deletes in the end, the account would go.
        raise ValueError(f"{what} was made from secret {known.secret}: another secret needs another user name")
    if is_same or (known.stack == owner.stack and known.released):
        return owner._replace(adopted=known.adopted)
    if adopt and (known.released or known.stack == owner.stack):
        return owner._replace(adopted=True)
    if known.released:
        raise ValueError(f"{what} was kept when {known} let go of it; with adopt: true it would be taken over as it is")
    raise ValueError(f"{what} belongs to {known}")


def attribute_of(owner: Owner) -> str:
    """The JSON of a user's ATTRIBUTE that says who owns it; MySQL merges it with what else the ATTRIBUTE holds."""
    about: dict[str, str | bool] = {"stack": owner.stack, "resource": owner.resource, "secret": owner.secret}
    return json.dumps({OWNERS: about | ({"adopted": True} if owner.adopted else {})})


def record_owner(database: str, owner: Owner) -> str:
    """The statement that writes down who owns a database."""
    values = ", ".join(literal(value) for value in (database, owner.stack, owner.resource))
    flags = f"{owner.adopted:d}, {owner.released:d}"
    return f"REPLACE INTO {OWNERS}.`databases` (name, stack, resource, adopted, released) VALUES ({values}, {flags})"


def create_owners() -> tuple[str, ...]:
    """The statements that make the schema of owners, safe to run again and again.

    The view shows the owners of users, and nothing else of ATTRIBUTE, to whoever may read this schema: the server
    keeps hashes of old passwords in the same column, and shows USER_ATTRIBUTES of others only to who may read it all.
    """
    owner = f"User_attributes->'$.metadata.{OWNERS}'"
    return (
        f"CREATE DATABASE IF NOT EXISTS {OWNERS} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        f"CREATE TABLE IF NOT EXISTS {OWNERS}.`databases` (name VARCHAR(64) PRIMARY KEY, stack VARCHAR(128) NOT NULL,"
        " resource VARCHAR(255) NOT NULL, adopted TINYINT NOT NULL DEFAULT 0, released TINYINT NOT NULL DEFAULT 0)",
        f"CREATE OR REPLACE SQL SECURITY DEFINER VIEW {OWNERS}.users AS"
        f" SELECT User, Host, CAST({owner} AS CHAR) AS owner FROM mysql.user WHERE {owner} IS NOT NULL",
    )


def forget_owner(database: str) -> str:
    """The statement that removes a database from the table of owners."""
    return f"DELETE FROM {OWNERS}.`databases` WHERE name = {literal(database)}"


def release_user() -> str:
    """The JSON that takes our part out of an ATTRIBUTE again; a null removes a key when MySQL merges."""
    return json.dumps({OWNERS: None})


def owner_in(attribute: str) -> Owner | None:
    """The owner that our part of an ATTRIBUTE names; None for anything that we did not write."""
    about = json.loads(attribute)
    if not isinstance(about, dict) or not all(isinstance(about.get(name), str) for name in ("stack", "resource")):
        return None
    return Owner(about["stack"], about["resource"], str(about.get("secret", "")), about.get("adopted") is True)
