"""Privileges on routines and on the whole server: what may be granted there, and what each refused one would do."""

from __future__ import annotations

import pytest

from aurora_sandbox.mysqld import Server
from aurora_tenants.config.server_privileges import NEVER, ON_DATABASES
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import Privilege
from aurora_tenants.mysql.grants import DATABASE_PRIVILEGES, GLOBAL_PRIVILEGES, TENANT_GLOBAL
from tests.mysql_server import execute_as
from tests.tenants_file import HEAD, fixes, granting, problems, tenants, told


def privileges(entry: str) -> tuple[Privilege, ...]:
    return tenants(granting(entry))[0].users[0].privileges


# What may be granted


@pytest.mark.parametrize("kind", ["procedure", "function"])
@pytest.mark.parametrize("permission", ["EXECUTE", "[EXECUTE, ALTER ROUTINE]", "ALL", "all privileges"])
def test_a_routine_has_privileges_of_its_own(kind: str, permission: str):
    (privilege,) = privileges(
        f"{{permission: {permission}, database: app, {kind}: monthly_report, grant_option: true}}"
    )
    names = {"EXECUTE": ("EXECUTE",), "[EXECUTE, ALTER ROUTINE]": ("EXECUTE", "ALTER ROUTINE")}.get(
        permission, ("ALL",)
    )
    assert privilege == Privilege(names, "app", grant_option=True, **{kind: "monthly_report"})


def test_a_routine_is_named_with_its_stage():
    body = """  a:
    stages: [x]
    databases: {a: }
    users: {a: {privileges: [{permission: EXECUTE, database: a, procedure: "p_{stage}"}]}}
"""
    assert tenants(body)[0].users[0].privileges == (Privilege(("EXECUTE",), "a", procedure="p_x"),)


def test_everything_that_reaches_no_other_tenant_may_be_granted_on_the_whole_server():
    names = sorted(TENANT_GLOBAL)
    assert privileges(f"{{permission: [{', '.join(names)}], database: '*'}}") == (Privilege(tuple(names), "*"),)


@pytest.mark.parametrize("table", ["", ", table: '*'", ", grant_option: false"])
def test_the_whole_server_is_all_of_its_tables(table: str):
    assert privileges(f"{{permission: process, database: '*'{table}}}") == (Privilege(("PROCESS",), "*"),)


# What may not


def test_a_refused_privilege_says_what_it_would_let_the_tenant_do():
    body = granting("{permission: [PROCESS, create user], database: '*'}")
    assert problems(HEAD + body) == [
        Problem(
            "global-privilege",
            "create user cannot be granted to a tenant",
            "it would let the tenant change the password of every tenant's users, and drop them",
            "remove it",
            Location("f", 7, 49),
            "tenant app, user app, privilege 1",
        )
    ]


@pytest.mark.parametrize("name", sorted({*GLOBAL_PRIVILEGES, *NEVER, *ON_DATABASES} - TENANT_GLOBAL))
def test_no_other_privilege_may_be_granted_on_the_whole_server(name: str):
    (problem,) = problems(HEAD + granting(f"{{permission: {name}, database: '*'}}"))
    assert (problem.code, problem.what.startswith(f"{name} cannot be granted")) == ("global-privilege", True)
    assert problem.why == f"it would let the tenant {NEVER.get(name) or ON_DATABASES[name]}"


@pytest.mark.parametrize("name", sorted(NEVER.keys() - {"GRANT OPTION"}))
def test_a_privilege_on_the_whole_server_alone_is_refused_on_a_database_with_the_same_reason(name: str):
    (problem,) = problems(HEAD + granting(f"{{permission: {name}, database: app}}"))
    assert (problem.code, problem.why) == ("global-privilege", f"it would let the tenant {NEVER[name]}")


def test_every_privilege_of_the_server_is_allowed_or_refused(server: Server):
    """A new version of MySQL brings new privileges; each needs a decision."""
    listed = {str(row[0]).upper() for row in execute_as(server)("SHOW PRIVILEGES")}
    assert len(listed) > 70
    assert listed - TENANT_GLOBAL - NEVER.keys() - ON_DATABASES.keys() == {"USAGE"}
    assert not TENANT_GLOBAL & (NEVER.keys() | ON_DATABASES.keys())
    assert ON_DATABASES.keys() == {*DATABASE_PRIVILEGES}


_EVERYTHING = "it includes CREATE USER, FILE, SUPER and every right on every tenant's data"


@pytest.mark.parametrize("permission", ["ALL", "all  privileges", "[PROCESS, ALL]"])
def test_all_is_never_granted_on_the_whole_server(permission: str):
    (problem,) = problems(HEAD + granting(f"{{permission: {permission}, database: '*'}}"))
    assert (problem.code, problem.why) == ("global-privilege", _EVERYTHING)


@pytest.mark.parametrize(
    ("entry", "expected", "fix"),
    [
        (
            "permission: »SELECT, database: '*'",
            "global-privilege: SELECT cannot be granted on the whole server",
            'write the name of the database instead of "*"',
        ),
        (
            "permission: PROCESS, database: '*', grant_option: »true",
            "global-privilege: grant_option cannot be granted to a tenant",
            "remove it",
        ),
        (
            "permission: [PROCESS, »with grant option], database: '*'",
            "global-privilege: with grant option cannot be granted to a tenant",
            "remove it",
        ),
        (
            "permission: »PROCES, database: '*'",
            "unknown-privilege: unknown privilege PROCES",
            "did you mean PROCESS?",
        ),
        (
            "permission: »SOME_NEW_ADMIN, database: '*'",
            "global-privilege: SOME_NEW_ADMIN cannot be granted to a tenant",
            None,
        ),
        ("permission: »USAGE, database: '*'", "usage-privilege: USAGE grants nothing", "remove it"),
        (
            "permission: »PROCESS, database: app",
            "privilege-level: PROCESS cannot be granted on a database",
            'grant it in a separate entry with database: "*"',
        ),
        (
            "permission: »SHOW DATABASES, database: app, table: t",
            "privilege-level: SHOW DATABASES cannot be granted on a table",
            'grant it in a separate entry with database: "*"',
        ),
        (
            "permission: SELECT, database: '*', table: »t",
            'scope-conflict: table cannot be combined with database "*"',
            "write the name of the database, or remove table",
        ),
        (
            "permission: EXECUTE, database: app, procedure: »größe",
            "routine-not-ascii: nothing can be granted on procedure größe: its name is not ASCII",
            "give the procedure a name of ASCII characters, or grant on the whole database",
        ),
        (
            "permission: EXECUTE, database: '*', procedure: »p",
            'scope-conflict: procedure cannot be combined with database "*"',
            "write the name of the database, or remove procedure",
        ),
        (
            "permission: EXECUTE, database: '*', function: »f",
            'scope-conflict: function cannot be combined with database "*"',
            "write the name of the database, or remove function",
        ),
        (
            "permission: SELECT, database: '*', columns: »[a]",
            'scope-conflict: columns cannot be combined with database "*"',
            "write the name of the database, or remove columns",
        ),
        (
            "permission: EXECUTE, database: app, table: »t, procedure: p",
            "scope-conflict: table cannot be combined with procedure",
            "remove table, or write a separate entry for it",
        ),
        (
            "permission: EXECUTE, database: app, table: »'*', function: f",
            "scope-conflict: table cannot be combined with function",
            "remove table, or write a separate entry for it",
        ),
        (
            "permission: EXECUTE, database: app, procedure: p, function: »f",
            "scope-conflict: function cannot be combined with procedure",
            "remove function, or write a separate entry for it",
        ),
        (
            "permission: SELECT, database: app, columns: »[a], procedure: p",
            "scope-conflict: columns cannot be combined with procedure",
            "remove columns, or write a separate entry for it",
        ),
        (
            "permission: »SELECT, database: app, procedure: p",
            "privilege-level: SELECT cannot be granted on a procedure",
            "remove it, or grant it in a separate entry",
        ),
        (
            "permission: »CREATE ROUTINE, database: app, function: f",
            "privilege-level: CREATE ROUTINE cannot be granted on a function",
            "remove it, or grant it in a separate entry",
        ),
        (
            "permission: »EXECUTE, database: app, table: t",
            "privilege-level: EXECUTE cannot be granted on a table",
            "remove it, or remove table to grant it on the whole database",
        ),
        (
            "permission: »EXCUTE, database: app, procedure: p",
            "unknown-privilege: unknown privilege EXCUTE",
            "did you mean EXECUTE?",
        ),
        (
            "permission: [EXECUTE, »ALL], database: app, procedure: p",
            "all-with-others: ALL is combined with other permissions",
            "write ALL alone",
        ),
        (
            "permission: EXECUTE, database: app, procedure: »'*'",
            "procedure-wildcard: procedure * is a pattern",
            "list each procedure, or remove procedure to grant on the whole database",
        ),
        (
            "permission: EXECUTE, database: app, function: »f%",
            "function-wildcard: function f% is a pattern",
            "list each function, or remove function to grant on the whole database",
        ),
        (
            f"permission: EXECUTE, database: app, procedure: »{'p' * 65}",
            f"name-too-long: procedure name {'p' * 57}... is 1 character too long",
            "shorten it by 1 character",
        ),
        (
            "permission: EXECUTE, database: app, function: »'f`'",
            'invalid-name: function name f` contains "`"',
            "choose another function",
        ),
        (
            "permission: SELECT, database: app, table: t, columns: [»'{{resolve:ssm:a}}']",
            "invalid-text: column {{resolve:ssm:a}} contains {{resolve:",
            "remove {{resolve:",
        ),
        (
            "permission: EXECUTE, database: app, procedure: »'p_{stage}'",
            "no-stages: {stage} is used, but tenant app has no stages",
            "add stages: [dev, prod] to the tenant, or write the name without it",
        ),
    ],
)
def test_what_cannot_be_granted_is_one_problem(entry: str, expected: str, fix: str | None):
    body = granting(f"{{{entry}}}")
    assert told(body) == [expected]
    assert fix is None or fixes(body) == [fix]


def test_everything_that_stands_in_the_way_of_another_is_told():
    body = granting("{permission: SELECT, database: '*', table: »t, columns: »[c], procedure: »p, function: »f}")
    assert told(body) == [
        f'scope-conflict: {key} cannot be combined with database "*"'
        for key in ("table", "columns", "procedure", "function")
    ]
