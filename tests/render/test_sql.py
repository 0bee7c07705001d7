"""The statements of a plan alone: what comes out is SQL that a server takes as it is, whatever things are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pymysql
import pytest
from pymysql.constants import CLIENT

from aurora_sandbox import mysqld
from aurora_sandbox.mysqld import as_root
from aurora_tenants.model import Configuration, Privilege, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.live import read_server, read_state
from aurora_tenants.mysql.names import Account, identifier
from aurora_tenants.mysql.state import Live
from aurora_tenants.plan import Proposal
from aurora_tenants.render.sql import plan_sql
from tests.mysql_server import execute_as, hashes, make_owners
from tests.render.test_plan import of_every_kind, proposed
from tests.values import CLUSTER, EMPTY, NOTHING_DEPLOYED, deployed, live_after

ODD = "a`; DROP DATABASE mysql; -- `"


def statements(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("-- ")]


def test_every_statement_of_the_plan_is_a_line_and_nothing_else_is():
    made = of_every_kind()
    asked = [f"{change.statement};" for it in made.plan.changed for change in it.changes]
    text = plan_sql(made)
    assert statements(text) == asked
    assert "\n-- tenant gone, database gone, file\nDROP DATABASE `gone`;\n" in text
    assert "Where '***' stands goes the hash of a password" in text


def test_a_plan_without_statements_says_so():
    text = plan_sql(proposed(Configuration(CLUSTER, ()), EMPTY, NOTHING_DEPLOYED))
    assert (statements(text), text.splitlines()[-1]) == ([], "-- nothing")


def test_a_plan_without_a_new_user_needs_no_word_on_passwords():
    before = live_after(of_one(()))
    text = plan_sql(proposed(Configuration(CLUSTER, ()), before, deployed(of_one(()))))
    assert "***" not in text
    assert statements(text)[0] == "DROP USER IF EXISTS `sqlone`@`%`;"


def of_one(privileges: tuple[Privilege, ...]) -> Tenant:
    return Tenant("sqlone", (TenantDatabase("sqlone"),), (TenantUser("sqlone", privileges),))


def test_who_shares_a_database_comes_before_who_needs_that():
    needs = replace(of_one((Privilege(("SELECT",), "sqltwo"),)))
    shares = Tenant("sqltwo", (TenantDatabase("sqltwo", shared_with=("sqlone",)),), (TenantUser("sqltwo"),))
    text = plan_sql(proposed(Configuration(CLUSTER, (needs, shares)), EMPTY, NOTHING_DEPLOYED))
    assert text.index("CREATE DATABASE `sqltwo`;") < text.index("ON `sqltwo`.* TO `sqlone`@`%`;")
    both = replace(needs, databases=(TenantDatabase("sqlone", shared_with=("sqltwo",)),))
    back = replace(shares, users=(TenantUser("sqltwo", (Privilege(("SELECT",), "sqlone"),)),))
    made = proposed(Configuration(CLUSTER, (both, back)), EMPTY, NOTHING_DEPLOYED)
    assert sorted(statements(plan_sql(made))) == sorted(
        f"{change.statement};" for it in made.plan.changed for change in it.changes
    )


@pytest.fixture
def clean(server: mysqld.Server) -> Iterator[None]:
    yield
    root = execute_as(server)
    for sql in ("DROP DATABASE IF EXISTS sqlone", "DROP USER IF EXISTS sqlone, `sqlone-reader`, `sql;gone`"):
        root(sql)


def run(server: mysqld.Server, text: str) -> None:
    """All of it at once, as a client sends what is pasted; the server finds where statements and comments end."""
    with (
        pymysql.connect(**as_root(server.socket), client_flag=CLIENT.MULTI_STATEMENTS, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(text.replace("'***'", hashes("a-password-of-a-test")["caching_sha2_password"]))
        while cursor.nextset():
            pass


def asked(now: Tenant, live: Live, before: Tenant | None = None) -> Proposal:
    return proposed(Configuration(CLUSTER, (now,)), live, deployed(before) if before else NOTHING_DEPLOYED)


@pytest.mark.usefixtures("clean")
def test_what_is_printed_runs_on_a_server_and_makes_what_the_plan_said(server: mysqld.Server):
    root = execute_as(server)
    make_owners(root)
    reader = TenantRole("sqlone-reader", (Privilege(("SELECT",), "sqlone"),), comment="reads; `all` -- of it")
    it = replace(of_one((Privilege(("ALL",), "sqlone"),)), roles=(reader,))
    run(server, plan_sql(asked(it, Live(read_server(root), read_state(root)))))
    root(f"CREATE TABLE sqlone.{identifier(ODD)} (id INT)")
    root(f"GRANT DELETE ON sqlone.{identifier(ODD)} TO sqlone")
    again = asked(it, Live(read_server(root), read_state(root)), it)
    text = plan_sql(again)
    assert statements(text) == [f"REVOKE DELETE ON `sqlone`.{identifier(ODD)} FROM `sqlone`@`%`;"]
    run(server, text)
    assert not asked(it, Live(read_server(root), read_state(root)), it).plan.stacks


@pytest.mark.parametrize("odd", ["t\nDROP DATABASE mysql;", "t\x1b[2J", "t\u202egnp", "t\u200b"])
def test_a_name_that_a_terminal_would_obey_is_only_told_of(odd: str):
    it = of_one((Privilege(("SELECT",), "sqlone"),))
    live = live_after(it)
    held = Grant(Account("sqlone"), Scope("TABLE", "sqlone", odd), "DELETE")
    live = live._replace(state=replace(live.state, grants=live.state.grants | {held}))
    text = plan_sql(asked(it, live, it))
    assert statements(text) == []
    assert "-- left out, because a name in it has characters that nobody sees: REVOKE DELETE" in text
    assert [character for character in text if character != "\n" and not character.isprintable()] == []
