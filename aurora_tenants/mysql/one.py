"""What the provider reads for one resource, beside what mysql/live.py reads of everything."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from aurora_tenants.mysql.live import Execute, Query, keys, owners_query, select
from aurora_tenants.mysql.names import key
from aurora_tenants.mysql.owners import OWNERS, Owner


class Droppable(NamedTuple):
    """What there is of a database: whether it is there, how much is in it, and how many shares it has.

    objects: its tables, views, routines and events.
    """

    is_there: bool
    objects: int
    shares: int


def read_contents(execute: Execute, database: str) -> Droppable:
    """In one statement what decides whether a database may be dropped."""
    parts = (("TABLES", "TABLE"), ("ROUTINES", "ROUTINE"), ("EVENTS", "EVENT"))
    objects = (
        f"(SELECT COUNT(*) FROM information_schema.{table} WHERE {column}_SCHEMA = {key(database)})"
        for table, column in parts
    )
    there = f"(SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {key(database)})"
    shares = f"(SELECT COUNT(*) FROM {OWNERS}.shares WHERE name = {key(database)} AND NOT withdrawn)"
    ((schemata, count, shared),) = execute(select((there, " + ".join(objects), shares), "FROM DUAL"))
    return Droppable(schemata != "0", int(count or 0), int(shared or 0))


def of_resource(names: Collection[str], mine: Owner, secret: str) -> Query:
    """The entries of accounts that decide about one resource: of users of these names, its own, those of its secret.

    secret: its name; empty for none.
    """
    where = f"(stack = {key(mine.stack)} AND resource = {key(mine.resource)}"
    for what, values in (("REGEXP_REPLACE(name, '@[^@]*$', '')", names), ("secret", [secret] * bool(secret))):
        where += f" OR {what} IN ({keys(values)})"
    return owners_query("users")._replace(where=f"{where})")


def definers_query(accounts: Iterable[str]) -> Query:
    """How many views, routines, triggers and events run as each of these accounts that has any."""
    return Query(("Definer", "Objects"), f"{OWNERS}.definers", 1).of(*accounts)
