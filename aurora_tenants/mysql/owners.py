"""Who owns a database or a user: written down in MySQL itself, so that it outlives every stack and every state file.

The tables `aurora_tenants.databases` and `aurora_tenants.users` (by `user@host`) say it; nobody but the cluster's
master user may write them. Without an entry a thing is nobody's, and nothing of nobody's is ever changed or dropped.
A user's ATTRIBUTE also names its stack, for people to read: MySQL lets every user change its own, so it proves nothing.
"""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from aurora_tenants.mysql.names import literal

OWNERS = "aurora_tenants"
Kind = Literal["databases", "users"]


class Owner(NamedTuple):
    """The CloudFormation resource that manages something. adopted: it existed before and is never dropped.

    secret: a user's, by name. stack_id: of the stack that touched it last, which tells a stack that was deleted from
    one that was made again under its name; the provider alone knows it.
    """

    stack: str
    resource: str
    secret: str = ""
    adopted: bool = False
    released: bool = False
    stack_id: str = ""

    def __str__(self) -> str:
        return f"stack {self.stack}, resource {self.resource}"

    @property
    def identity(self) -> tuple[str, str]:
        """Which resource it is: the stack and the logical id, whatever else is known of it."""
        return self.stack, self.resource


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
    is_same = known.identity == owner.identity
    # A user that changes between a password and IAM stays the same account, under the id it has.
    owner = owner._replace(secret=owner.secret or known.secret) if is_same else owner
    if is_same and known.secret and known.secret != owner.secret:
        # The same account under two ids: whichever of them CloudFormation deletes in the end, the account would go.
        raise ValueError(f"{what} was made from secret {known.secret}: another secret needs another user name")
    if is_same or (known.stack == owner.stack and known.released):
        return owner._replace(adopted=known.adopted, stack_id=known.stack_id)
    if adopt and (known.released or known.stack == owner.stack):
        return owner._replace(adopted=True)
    if known.released:
        raise ValueError(f"{what} was kept when {known} let go of it; with adopt: true it would be taken over as it is")
    raise ValueError(f"{what} belongs to {known}")


def attribute_of(owner: Owner) -> str:
    """The JSON of a new user's ATTRIBUTE: whose it is, for people who look at the account."""
    return json.dumps({OWNERS: {"stack": owner.stack, "resource": owner.resource}})


def record_owner(kind: Kind, name: str, owner: Owner, verb: str = "REPLACE") -> str:
    """The statement that writes down who owns something. verb: INSERT fails (1062) where there is an entry already."""
    values = ", ".join(literal(value) for value in (name, owner.stack, owner.resource, owner.secret))
    values += f", {owner.adopted:d}, {owner.released:d}, {literal(owner.stack_id)}"
    return f"{verb} INTO {OWNERS}.`{kind}` VALUES ({values})"


def forget_owner(kind: Kind, name: str) -> str:
    """The statement that removes an entry."""
    return f"DELETE FROM {OWNERS}.`{kind}` WHERE name = {literal(name)}"


def create_owners() -> tuple[str, ...]:
    """The statements that make the tables of owners, and the views of what is in MySQL's own, safe to run again."""
    columns = (
        "name VARCHAR(320) PRIMARY KEY, stack VARCHAR(128) NOT NULL, resource VARCHAR(255) NOT NULL,"
        " secret VARCHAR(512) NOT NULL, adopted TINYINT NOT NULL, released TINYINT NOT NULL,"
        " stack_id VARCHAR(64) NOT NULL"
    )
    return (
        f"CREATE DATABASE IF NOT EXISTS {OWNERS} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        *(f"CREATE TABLE IF NOT EXISTS {OWNERS}.`{kind}` ({columns})" for kind in ("databases", "users")),
    )
