"""Who owns a database or a user: recorded in MySQL itself, so that it outlives every stack and every state file.

The tables are `aurora_tenants.databases` and `aurora_tenants.users` (by `user@host`), and `aurora_tenants.shares`: the
stacks whose users may be granted something on a database of another stack (mysql/consent.py). Only the cluster's master
user may write them. What has no entry there belongs to nobody, and is never changed or dropped.
A user's ATTRIBUTE also names its stack, for people to read. It proves nothing: MySQL lets every user change its own, if
the same statement sets its password (without that, 1227; test_a_user_who_changes_its_own_attribute_…).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal, NamedTuple

from aurora_tenants.mysql.names import literal

OWNERS = "aurora_tenants"
_HOW_TO_ADOPT = "set adopt: true to take it over as it is"
Kind = Literal["databases", "users"]


class Owner(NamedTuple):
    """The CloudFormation resource that manages something. adopted: it existed before and is never dropped.

    secret: a user's, by name. stack_id: of the stack that changed it last, which tells a deleted stack from a new one
    of the same name; only the provider knows it.
    """

    stack: str
    resource: str
    secret: str = ""
    adopted: bool = False
    released: bool = False
    stack_id: str = ""

    def __str__(self) -> str:
        offer = f"stack {self.giver}, which offers it to stack {self.stack}" if self.giver else ""
        return offer or f"stack {self.stack}, resource {self.resource}"

    @property
    def giver(self) -> str:
        """The stack that offers it to `stack`, as `offered` writes that down; empty where nobody does."""
        return self.resource.rpartition("/")[0] if self.released else ""

    def is_of(self, other: Owner) -> bool:
        """Whether both are of the very same stack, which has what it offers until that is taken.

        An entry that was written without a stack id is of any.
        """
        return (self.giver or self.stack) == other.stack and self.stack_id in ("", other.stack_id)

    @property
    def identity(self) -> tuple[str, str]:
        """The stack and the logical id, which identify the resource."""
        return self.stack, self.resource


def offered(owner: Owner, stack: str) -> Owner:
    """The entry of something that its owner offers to a stack: whoever that is, it has to ask for it (`claim`)."""
    return owner._replace(stack=stack, resource=f"{owner.stack}/{owner.resource}", released=True)


def let_go(owner: Owner, giver: str = "") -> Owner:
    """The entry of something left in MySQL for whoever adopts it.

    giver: the stack that is to offer it again, `name/id`; one without an id cannot take it back.
    """
    stack, _, stack_id = giver.partition("/")
    resource = f"{stack}/{owner.resource}" if giver else owner.resource
    return owner._replace(resource=resource, released=True, stack_id=stack_id or owner.stack_id)


def received(known: Owner | None, mine: Owner, moved_from: str) -> Owner | None:
    """An entry as `mine` finds it: what the stack `moved_from` offers to it is its own, and what it offers itself.

    Without a stack id, so that it is seen to differ from what is to be recorded.
    """
    if known and known.giver:
        is_back = known.is_of(mine) and known.resource == f"{mine.stack}/{mine.resource}"
        if is_back or (known.giver, known.stack) == (moved_from, mine.stack):
            return known._replace(stack=mine.stack, resource=mine.resource, released=False, stack_id="")
    return known


def claim(what: str, known: Owner | None, owner: Owner, *, adopt: bool, moved_from: str = "") -> Owner:
    """The owner of something that exists, after `owner` has claimed it. known: who owns it now, None for nobody.

    what: "database shop". moved_from: the stack that it is to come from, with everything as it is.
    Raises ValueError with a sentence when this resource may not have it. What it takes over from nobody, from another
    resource or from a stack that released it counts as adopted: if the stack is rolled back, CloudFormation deletes the
    new resource. What its own stack released becomes its own again; another stack of the same name, which another stack
    id gives away, is another stack. Nobody is given what another stack offers without asking for it by moved_from.
    """
    known = received(known, owner, moved_from)
    if known is None:
        if not adopt:
            raise ValueError(f"{what} exists already and belongs to nobody; {_HOW_TO_ADOPT}")
        return owner._replace(adopted=True)
    if known.giver and not (adopt and owner.stack in (known.giver, known.stack)):
        fix = (
            f"; MovedFrom: {known.giver} takes it over (moved_from in tenants.yaml)"
            if known.stack == owner.stack
            else ""
        )
        raise ValueError(f"{what} belongs to {known}{fix}")
    is_own_stack = known.is_of(owner)
    is_same = is_own_stack and known.resource == owner.resource
    # A user that changes between a password and IAM stays the same account, and keeps its physical id.
    owner = owner._replace(secret=owner.secret or known.secret) if is_same else owner
    if is_same and known.secret and known.secret != owner.secret:
        # The same account under two physical ids: CloudFormation would delete one of them, and the account with it.
        raise ValueError(f"{what} was created from secret {known.secret}; another secret needs another user name")
    if is_same or (is_own_stack and known.released):
        return owner._replace(adopted=known.adopted, stack_id=known.stack_id)
    if adopt and (known.released or known.stack == owner.stack):
        return owner._replace(adopted=True)
    if known.released:
        raise ValueError(f"{what} was kept when {known} let go of it; {_HOW_TO_ADOPT}")
    if known.stack == owner.stack and not is_own_stack:
        raise ValueError(f"{what} belongs to an earlier stack {known.stack}, which did not give it up; {_HOW_TO_ADOPT}")
    if known.stack == moved_from:
        raise ValueError(f"{what} belongs to stack {moved_from}, which does not give it up")
    raise ValueError(f"{what} belongs to {known}")


def attribute_of(owner: Owner) -> str:
    """The JSON of a new user's ATTRIBUTE: its owner, for people who look at the account."""
    return json.dumps({OWNERS: {"stack": owner.stack, "resource": owner.resource}})


def record_owner(kind: Kind, name: str, owner: Owner, verb: str = "REPLACE") -> str:
    """The statement that records who owns something. verb: INSERT fails (1062) where there is an entry already."""
    values = ", ".join(literal(value) for value in (name, owner.stack, owner.resource, owner.secret))
    values += f", {owner.adopted:d}, {owner.released:d}, {literal(owner.stack_id)}"
    return f"{verb} INTO {OWNERS}.`{kind}` VALUES ({values})"


def forget_owner(kind: Kind, name: str) -> str:
    """The statement that removes an entry."""
    return f"DELETE FROM {OWNERS}.`{kind}` WHERE name = {literal(name)}"


def offer(kind: Kind, names: Iterable[str], mine: Owner, stack: str) -> str:
    """The statement with which `mine` offers to a stack what it owns of these; nobody else's entry is changed."""
    new = offered(mine, stack)
    return (
        f"UPDATE {OWNERS}.`{kind}` SET stack = {literal(stack)}, resource = {literal(new.resource)}, released = 1,"
        f" stack_id = {literal(mine.stack_id)} WHERE name IN ({', '.join(map(literal, names))})"
        f" AND stack_id IN ('', {literal(mine.stack_id)}) AND (resource = {literal(new.resource)}"
        f" OR NOT released AND stack = {literal(mine.stack)} AND resource = {literal(mine.resource)})"
    )


def record_shares(database: str, stacks: Iterable[str], *, withdrawn: bool) -> str:
    """The statement that records with which stacks a database is shared, or is not shared any more."""
    rows = ", ".join(f"({literal(database)}, {literal(stack)}, {withdrawn:d})" for stack in sorted(stacks))
    return f"REPLACE INTO {OWNERS}.shares VALUES {rows}"


def withdraw_all(database: str) -> str:
    """The statement after which a database is shared with nobody any more."""
    return f"UPDATE {OWNERS}.shares SET withdrawn = 1 WHERE name = {literal(database)}"


def defined(name: str, value: str, asked: str = "") -> str:
    """The statement that creates a function of the schema, which must not be there yet (1304).

    It runs with the rights of the cluster's master user, who creates it. value: of JSON, an expression in brackets.
    """
    return f"CREATE FUNCTION {OWNERS}.{name}({asked}) RETURNS JSON READS SQL DATA SQL SECURITY DEFINER RETURN {value}"


def create_owners() -> tuple[str, ...]:
    """The statements that create the tables of owners, safe to run again."""
    columns = (
        "name VARCHAR(320) PRIMARY KEY, stack VARCHAR(128) NOT NULL, resource VARCHAR(255) NOT NULL,"
        " secret VARCHAR(512) NOT NULL, adopted TINYINT NOT NULL, released TINYINT NOT NULL,"
        " stack_id VARCHAR(64) NOT NULL"
    )
    shares = "name VARCHAR(64), stack VARCHAR(128), withdrawn TINYINT NOT NULL, PRIMARY KEY (name, stack)"
    return (
        f"CREATE DATABASE IF NOT EXISTS {OWNERS} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        *(f"CREATE TABLE IF NOT EXISTS {OWNERS}.`{kind}` ({columns})" for kind in ("databases", "users")),
        f"CREATE TABLE IF NOT EXISTS {OWNERS}.shares ({shares})",
    )
