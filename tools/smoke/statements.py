"""SQL through the Data API, as it answers: rows as they come, and errors with their whole text.

    sql(world, "SELECT 1 z, 2 a", as_json=True)      {"formatted": '[{"z": 1, "a": 2}]'}
    sql(world, "SELEC")                              {"error": {"code": "DatabaseErrorException", "message": "…"}}
    sql(world, "SHOW DATABASES")                     {"records": [[{"stringValue": "mysql"}], …]}

A cluster that pauses or wakes is waited for, and a read whose connection broke off is repeated; nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError

from tools.smoke.clock import until
from tools.smoke.world import World, refusal

Json = Any
_WAKING = ("DatabaseResumingException", "DatabaseUnavailableException", "ServiceUnavailableError")
_BROKEN = "no answer"
DATABASE = "smoke_probe"


def sql(world: World, statement: str, *, secret: str | None = None, as_json: bool = False) -> dict[str, Json]:
    """The answer to one statement, as the master user unless a secret is named."""

    passing = (*_WAKING, _BROKEN) if statement.startswith(("SELECT ", "SHOW ")) else _WAKING

    def look() -> dict[str, Json] | None:
        found = _ask(world, statement, secret or world.master_secret(), as_json)
        return None if found.get("error", {}).get("code") in passing else found

    found = until(look, world.clock.pass_time, every=3, at_most=180)
    return found or {"error": {"code": "none", "message": "the cluster did not wake within 180 s"}}


def _ask(world: World, statement: str, secret: str, as_json: bool) -> dict[str, Json]:
    try:
        answer = world.aws().rds_data.execute_statement(
            resourceArn=world.cluster_arn,
            secretArn=secret,
            sql=statement,
            **({"formatRecordsAs": "JSON"} if as_json else {}),
        )
    except ClientError as error:
        return {"error": refusal(error)}
    except HTTPClientError as error:  # closed or silent in the middle of the call
        return {"error": {"code": _BROKEN, "message": str(error)}}
    if "formattedRecords" in answer:
        return {"formatted": answer["formattedRecords"]}
    return {"records": answer.get("records", [])}


def each(world: World, *statements: str, secret: str | None = None) -> list[dict[str, Json]]:
    """The answers to several statements, one after the other; what one fails with does not stop the next."""
    return [{"sql": statement, **sql(world, statement, secret=secret)} for statement in statements]


def value(answer: Mapping[str, Json]) -> Json:
    """The one value of an answer with typed records. Raises KeyError, IndexError for another answer."""
    cell = answer["records"][0][0]
    return None if cell.get("isNull") else next(iter(cell.values()))


@contextmanager
def account(world: World, user: str, clauses: str = "", *, password: str | None = None) -> Iterator[str]:
    """A user of one probe, with a password: the ARN of a secret to log in with. Dropped afterwards."""
    password = password or world.password()
    sql(world, f"DROP USER IF EXISTS `{user}`")
    made = sql(world, f"CREATE USER `{user}` IDENTIFIED BY '{password}' {clauses}")
    if "error" in made:
        raise RuntimeError(f"user {user} cannot be made: {made['error']['message']}")
    secret = world.make_secret(user, password)
    try:
        yield secret
    finally:
        sql(world, f"DROP USER IF EXISTS `{user}`")


def database(world: World) -> str:
    """The name of a database that belongs to no tenant, for probes."""

    def make() -> str:
        sql(world, f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        return DATABASE

    return world.once("database", make)


# What is expected of answers


def problems(answers: Sequence[Mapping[str, Json]]) -> str:
    """Empty if no statement failed; otherwise the first that did."""
    for answer in answers:
        if "error" in answer:
            said = answer["error"]
            return f"{answer.get('sql', 'the statement')}: {said['code']}: {said['message']}"
    return ""


def not_refused(answer: Mapping[str, Json], number: int, words: str) -> str:
    """Empty if MySQL refused with this error, known by its number or by its words."""
    if "error" not in answer:
        return f"it was not refused ({number})"
    message = answer["error"]["message"]
    if re.search(rf"\b{number}\b", message) or words.lower() in message.lower():
        return ""
    return f"it was refused with {answer['error']['code']}: {message}"
