"""Everything that writes down what the functions send to MySQL, and no password in any of it.

MySQL leaves passwords out when it writes down a statement that it understands, but not one with a syntax error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from aurora_sandbox.mysqld import Server
from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas.password import give_password, hashes_of
from aurora_tenants.lambdas.request import Request, Secret, credentials
from aurora_tenants.lambdas.rotation import _give_both
from aurora_tenants.lambdas.user import serve_user
from aurora_tenants.mysql.live import Execute, Row, read_users
from aurora_tenants.tenant.rotation import new_version
from tests.endpoint import own
from tests.lambdas.world import ONCE, PROVIDER, SHARED, World, assert_silent, fresh, on, until, user
from tests.mysql_server import execute_as

pytestmark = ONCE

ROTATION = f"{SHARED}-database-secret-rotation"
EVERYTHING_ON = (
    *("--performance-schema=ON", "--performance-schema-consumer-events-statements-history-long=ON"),
    *("--general-log=ON", "--log-raw=ON", "--slow-query-log=ON", "--long-query-time=0", "--log-output=TABLE"),
)
OFF = {"general_log": "OFF", "log_raw": "OFF", "slow_query_log": "OFF", "long_query_time": "10"}


def written(execute: Execute, *, schemas: tuple[str, ...] = ()) -> str:
    """What the server has written down: in its logs, and in the tables of these schemas."""
    ((path, directory),) = execute("SELECT @@log_error, @@datadir")
    names = ["mysql.general_log", "mysql.slow_log"]
    for schema in schemas:
        tables = execute(f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{schema}'")
        names += [f"{schema}.`{name}`" for (name,) in tables]
    found = [Path(str(directory), str(path)).read_text(errors="replace")]
    for name in names:
        for row in execute(f"SELECT * FROM {name}"):
            found += [column.decode(errors="replace") if isinstance(column, bytes) else str(column) for column in row]
    return "\n".join(found)


@pytest.fixture
def raw(world: World) -> Iterator[None]:
    """MySQL writes down every statement as it came."""
    world.sql("SET GLOBAL log_output = 'TABLE'", "TRUNCATE mysql.general_log", "TRUNCATE mysql.slow_log")
    world.sql("SET GLOBAL long_query_time = 0, log_raw = ON, slow_query_log = ON, general_log = ON")
    yield
    world.sql(*(f"SET GLOBAL {name} = {value}" for name, value in OFF.items()))


def test_users_are_made_changed_adopted_and_rotated_and_nobody_writes_a_password_down(world: World, raw: None) -> None:
    stack, name = fresh("stack"), fresh("app")
    world.make_database(shop := fresh("shop"))
    arn = world.secret(name, "hush-first")
    assert world.deploy(stack, {"App": user(arn, on(shop))}).failures == {}
    world.put(arn, name, "hush-second")
    sha256 = user(arn, on(shop), Plugin="sha256_password")
    assert world.deploy(stack, {"App": sha256}).failures == {}
    missing = user(arn, on(shop, "SELECT", Table="missing"), Plugin="caching_sha2_password")
    assert list(world.deploy(stack, {"App": missing}).failures) == ["App"]
    function = arn.replace(":secretsmanager:", ":lambda:").partition(":secret:")[0] + f":function:{ROTATION}"
    token = new_version(is_forced=True)  # the secret was written by hand a moment ago
    world.secrets.rotate_secret(SecretId=arn, RotationLambdaARN=function, ClientRequestToken=token)
    until(lambda: "AWSCURRENT" in world.secrets.describe_secret(SecretId=arn)["VersionIdsToStages"][token])
    rotated = json.loads(world.secrets.get_secret_value(SecretId=arn)["SecretString"])["password"]
    assert (world.takes(name, rotated), world.takes(name, "hush-second")) == (True, True)
    logs = written(world.sql)
    assert logs.count(f"USER `{name}`@`%` IDENTIFIED WITH `sha256_password` AS 0x2435") >= 3
    logs += "".join(own(world.sandbox.environment, f"logs/{function}") for function in (PROVIDER, ROTATION))
    assert_silent(logs)
    assert rotated not in logs
    assert "IDENTIFIED BY" not in logs


class Watched:
    """A server that writes down all it can, and its root, whose errors are those of the Data API."""

    def __init__(self, server: Server) -> None:
        self.root = execute_as(server)
        self.breaks = False

    def execute(self, statement: str) -> list[Row]:
        """With `breaks`, every statement with a password is sent with a mistake behind it or in front of it."""
        if self.breaks and " AS 0x" in statement:
            statement = statement.replace(" IDENTIFIED", " MISTAKE IDENTIFIED")
        try:
            return list(self.root(statement))
        except pymysql.MySQLError as error:
            raise DatabaseError(Problem("database-refused", error.args[1]), number=error.args[0]) from error

    def serve(self, password: str, **properties: Any) -> None:
        text = json.dumps({"username": "watched", "password": password})

        def secret(_: str) -> Secret:
            return Secret("arn", "/shared/database/watched", *credentials("arn", text))

        def login(_: str) -> Execute:
            raise AssertionError("no login is conclusive for a user without %")

        event = {
            "RequestType": "Create",
            "StackId": "arn:aws:cloudformation:eu-west-1:1:stack/watched/1",
            "LogicalResourceId": "App",
            "ResourceProperties": {"SecretId": "arn", "Privileges": [], "Hosts": ["10.0.0.1"], **properties},
        }
        serve_user(Request(event, self.execute, login, secret, "arn", math.inf))


@pytest.fixture
def watched(server_with: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)
    found = Watched(server_with(*EVERYTHING_ON))
    yield found
    found.root("DROP USER IF EXISTS watched@10.0.0.1")


def test_nothing_that_a_server_can_write_down_has_a_password_of_a_statement_with_a_mistake(
    watched: Watched, capfd: pytest.CaptureFixture[str]
) -> None:
    """performance_schema keeps a statement with a syntax error as it came."""
    watched.serve("hush-first")
    (account,) = read_users(watched.execute, "watched", has_owners=True)[0].values()
    refusals = []
    for breaks in (False, True):
        watched.breaks = breaks
        for act in (
            lambda: watched.serve("hush-second", Plugin="sha256_password"),
            lambda: watched.serve("hush-third", Plugin="caching_sha2_password"),
            lambda: give_password(watched.execute, account, hashes_of("its", "hush-fourth"), retain=True),
            lambda: _give_both(
                watched.execute, account, hashes_of("its", "hush-fifth"), hashes_of("its", "hush-sixth")
            ),
        ):
            try:
                act()
            except DatabaseError as error:
                refusals.append(str(error))
    watched.breaks = False
    with pytest.raises(pymysql.ProgrammingError, match="1064"):
        watched.root("ALTER USER watched@10.0.0.1 MISTAKE IDENTIFIED BY 'what a person sends'")
    assert refusals == ["MySQL refused a statement with the hash of a password (1064)"] * 4
    logs = written(watched.root, schemas=("performance_schema",))
    for found_in_both in ("MISTAKE IDENTIFIED WITH `sha256_password` AS 0x2435", "BY 'what a person sends'"):
        assert logs.count(found_in_both) >= 2  # the general log and performance_schema
    assert_silent(logs)
    assert_silent("".join(capfd.readouterr()))
