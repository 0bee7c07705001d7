"""SQL through the Data API, as it answers: rows as they come, and errors with their whole text.

    sql(world, "SELECT 1 z, 2 a", as_json=True)      {"formatted": '[{"z": 1, "a": 2}]'}
    sql(world, "SELEC")                              {"error": {"code": "DatabaseErrorException", "message": "…"}}
    sql(world, "SHOW DATABASES")                     {"records": [[{"stringValue": "mysql"}], …]}

What passes is waited for: a cluster that wakes or is not ready, a connection that is not made. A statement whose answer
was lost is repeated if that does no harm; any other ends its probe, which then says that it was not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError

from tools.smoke.clock import until
from tools.smoke.probe import NotRun
from tools.smoke.world import World, refusal

Json = Any
# Before these answers a statement has not run, and they pass.
NOT_YET = (
    *("DatabaseResumingException", "DatabaseUnavailableException", "ServiceUnavailableError", "ThrottlingException"),
    *("HttpEndpointNotEnabledException", "DatabaseNotFoundException", "InvalidResourceStateException"),
    "SecretsErrorException",
)
_PASSING_TEXTS = ("HttpEndpoint is not enabled", "Too many connections")
_UNREACHED, _LOST = "not reached", "answer lost"
_REPEATABLE = re.compile(r"SELECT |SHOW |GRANT |SET |DROP \w+ IF EXISTS |CREATE OR REPLACE |CREATE DATABASE IF NOT ")
_LONGEST_SECONDS = 180
DATABASE = "smoke_probe"


def sql(world: World, statement: str, *, secret: str | None = None, as_json: bool = False) -> dict[str, Json]:
    """The answer to one statement, as the master user unless a secret is named.

    Raises NotRun if the answer was lost, and the statement may have run.
    """
    login = secret or world.master_secret()
    found: dict[str, Json] = {}

    def look() -> bool:
        nonlocal found
        found = _ask(world, statement, login, as_json)
        if found.get("error", {}).get("code") == _LOST and not _REPEATABLE.match(statement):
            raise NotRun(f"the answer to a statement was lost; try again with --only: {found['error']['message']}")
        return not _is_passing(found)

    until(look, world.clock.pass_time, every=3, at_most=_LONGEST_SECONDS)
    return found


def _is_passing(answer: Mapping[str, Json]) -> bool:
    if "error" not in answer:
        return False
    code, message = answer["error"]["code"], answer["error"]["message"]
    return code in (*NOT_YET, _UNREACHED, _LOST) or any(text in message for text in _PASSING_TEXTS)


def _ask(world: World, statement: str, secret: str, as_json: bool) -> dict[str, Json]:
    try:
        answer = world.aws().rds_data.execute_statement(
            resourceArn=world.cluster_arn,
            secretArn=secret,
            sql=statement,
            **({"formatRecordsAs": "JSON"} if as_json else {}),
        )
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            return {"error": {**refusal(error), "code": _LOST}}
        return {"error": refusal(error)}
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        return {"error": {"code": _UNREACHED, "message": str(error)}}
    except HTTPClientError as error:  # closed or silent in the middle of the call
        return {"error": {"code": _LOST, "message": str(error)}}
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
