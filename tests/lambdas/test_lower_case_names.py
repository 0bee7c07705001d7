"""The provider at a server that stores the names of databases and tables in lower case (lower_case_table_names=1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.aurora import create_master
from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas.database import delete_database, serve_database
from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.lambdas.user import serve_user
from aurora_tenants.mysql.live import Execute, Row, read_databases, read_owners
from tests.lambdas.world import ONCE, fresh
from tests.mysql_server import execute_as, hashes

pytestmark = ONCE

SECRET = "arn:aws:secretsmanager:eu-west-1:1:secret:/shared-global/database/app-AbCdEf"


class Folding(NamedTuple):
    """The server, as its root and as its master, whose refusals are those of the Data API."""

    root: Execute
    master: Execute

    def request(self, stack: str, physical_id: str = "", **properties: Any) -> Request:
        event = {
            "RequestType": "Update" if physical_id else "Create",
            "StackId": f"arn:aws:cloudformation:eu-west-1:1:stack/{stack}/1",
            "LogicalResourceId": "Resource",
            "ResourceProperties": properties,
            **({"PhysicalResourceId": physical_id} if physical_id else {}),
        }
        its = Secret(SECRET, "/shared-global/database/app", "App", hashes("hush"))
        return Request(event, self.master, lambda _: self.root, lambda _: its, "arn", math.inf)

    def databases(self) -> set[str]:
        return set(read_databases(self.root, has_owners=True))


@pytest.fixture(scope="module")
def folding(mysqld_binary: mysqld.Binary) -> Iterator[Folding]:
    with mysqld.start(mysqld_binary, partial_revokes=True, lower_case_names=True) as server:
        create_master(server, "admin", "secret", partial_revokes=True)
        connection = server.connect("admin", "secret")

        def master(statement: str) -> list[Row]:
            with connection.cursor() as cursor:
                try:
                    cursor.execute(statement)
                except pymysql.MySQLError as error:
                    raise DatabaseError(Problem("database-refused", str(error)), number=error.args[0]) from error
                return list(cursor.fetchall())

        yield Folding(execute_as(server), master)


def test_database_keeps_the_id_it_came_with_and_is_one_whatever_its_case(folding: Folding) -> None:
    stack, name = fresh("stack"), fresh("Shop")
    outcome = serve_database(folding.request(stack, Name=name))
    assert (outcome.physical_id, outcome.data["Name"]) == (name, name.lower())
    assert name.lower() in folding.databases()
    for written in (name, name.upper(), name.lower()):
        assert serve_database(folding.request(stack, name, Name=written)).physical_id == name
    with pytest.raises(ValueError, match=f"^database {name.lower()} belongs to stack {stack}, resource Resource$"):
        serve_database(folding.request(fresh("stack"), Name=name.upper()))
    assert read_owners(folding.root, "databases", name.lower())[name.lower()].stack == stack


def test_database_is_dropped_by_the_id_it_came_with(folding: Folding) -> None:
    stack, name = fresh("stack"), fresh("Shop")
    serve_database(folding.request(stack, Name=name))
    folding.root(f"CREATE TABLE `{name}`.T (id INT)")
    properties = {"Name": name, "OnRemove": "drop"}
    delete_database(folding.request(fresh("stack"), name, **properties, AllowDrop=name), name)
    assert name.lower() in folding.databases()
    delete_database(folding.request(stack, name, **properties, AllowDrop=name.upper()), name)
    assert name.lower() not in folding.databases()
    assert read_owners(folding.root, "databases", name.lower()) == {}


def test_rights_converge_on_names_in_lower_case(folding: Folding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "provider")
    stack, name = fresh("stack"), fresh("Shop_x")
    serve_database(folding.request(stack, Name=name))
    folding.root(f"CREATE TABLE `{name}`.Orders (Id INT)")
    privileges = [
        {"Permission": "SELECT", "Database": name, "Table": "*"},
        {"Permission": "INSERT", "Database": name, "Table": "Orders"},
        {"Permission": "UPDATE", "Database": name, "Table": "ORDERS", "Columns": ["Id"]},
    ]
    expected = {
        (f"GRANT SELECT ON `{name.lower()}`.* TO `App`@`%`",),
        (f"GRANT INSERT, UPDATE (`Id`) ON `{name.lower()}`.`orders` TO `App`@`%`",),
    }
    statements: list[str] = []

    def listening(statement: str) -> list[Row]:
        statements.append(statement)
        return list(folding.master(statement))

    for physical_id in ("", SECRET):
        statements.clear()
        request = folding.request(stack, physical_id, SecretId="app", Privileges=privileges)
        assert serve_user(request._replace(execute=listening)).physical_id == SECRET
        assert expected <= {tuple(row) for row in folding.root("SHOW GRANTS FOR `App`")}
    assert [statement for statement in statements if not statement.startswith(("SELECT ", "SHOW "))] == []
