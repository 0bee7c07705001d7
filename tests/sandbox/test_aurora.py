"""What makes Aurora of a MySQL server: what its master user may do, and that nothing is left when it is wiped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.aurora import AWS_ROLES, create_master, wipe


@pytest.fixture(scope="module", params=[True, False], ids=["partial_revokes", "no_partial_revokes"])
def aurora(request: pytest.FixtureRequest, mysqld_binary: mysqld.Binary) -> Iterator[tuple[mysqld.Server, bool]]:
    """A server of its own with the master user `boss`, and whether its partial_revokes is ON."""
    with mysqld.start(mysqld_binary, partial_revokes=request.param) as server:
        create_master(server, "boss", "word", partial_revokes=request.param)
        yield server, request.param


def run(server: mysqld.Server, *statements: str, user: str = "boss", password: str = "word") -> Any:
    """Rows of the last statement."""
    with server.connect(user, password) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def refusal(server: mysqld.Server, statement: str) -> int:
    """The number of the error with which MySQL refuses the master's statement."""
    with pytest.raises(pymysql.MySQLError) as caught:
        run(server, statement)
    return int(caught.value.args[0])


def test_master_has_its_privileges_through_a_role_only(aurora: tuple[mysqld.Server, bool]) -> None:
    server, _ = aurora
    own = "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = \"'boss'@'%'\""
    assert run(server, own, user="root", password="") == (("USAGE",),)
    assert run(server, "SELECT CURRENT_ROLE()") == (("`rds_superuser_role`@`%`",),)


def test_master_lets_an_inspector_read_the_grant_tables(aurora: tuple[mysqld.Server, bool]) -> None:
    server, _ = aurora
    run(
        server,
        "CREATE USER inspector IDENTIFIED BY 'word'",
        "GRANT SELECT ON mysql.db TO inspector",
        "GRANT SELECT (User, Host) ON mysql.user TO inspector",
        "GRANT SHOW DATABASES ON *.* TO inspector",
        "CREATE DATABASE inspected",
    )
    seen = run(server, "SELECT User FROM mysql.user WHERE User = 'boss'", user="inspector")
    assert seen == (("boss",),)
    assert ("inspected",) in run(server, "SHOW DATABASES", user="inspector")
    with pytest.raises(pymysql.MySQLError, match="command denied"):
        run(server, "SELECT authentication_string FROM mysql.user", user="inspector")


def test_master_does_all_that_tenants_need(aurora: tuple[mysqld.Server, bool]) -> None:
    server, _ = aurora
    run(
        server,
        "CREATE DATABASE needed",
        "CREATE USER needy IDENTIFIED BY 'word' REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 ATTRIBUTE '{\"a\": 1}'",
        "GRANT ALL ON needed.* TO needy",
        "ALTER USER needy IDENTIFIED BY 'word2' RETAIN CURRENT PASSWORD",
        "ALTER USER needy DISCARD OLD PASSWORD",
        "CREATE ROLE helper",
        "GRANT helper TO needy",
        "SET DEFAULT ROLE helper TO needy",
        "REVOKE ALL PRIVILEGES ON needed.* FROM needy",
        "DROP ROLE helper",
        "DROP USER needy",
        "DROP DATABASE needed",
    )


def test_master_drops_a_user_whose_views_lose_their_definer(aurora: tuple[mysqld.Server, bool]) -> None:
    """Without SET_USER_ID, or what MySQL 8.4 has in its place, DROP USER is refused (4006)."""
    server, _ = aurora
    run(server, "CREATE DATABASE viewed", "CREATE USER definer", "CREATE DEFINER = definer VIEW viewed.v AS SELECT 1")
    run(server, "DROP USER definer")
    assert refusal(server, "SELECT * FROM viewed.v") == 1045
    run(server, "DROP DATABASE viewed")


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("GRANT ALL ON *.* TO victim", 1045),
        ("SET GLOBAL max_connections = 10", 1227),
        ("DROP USER rdsadmin@localhost", 1227),
        ("ALTER USER rdsadmin@localhost ACCOUNT UNLOCK", 1227),
    ],
)
def test_master_is_not_root(aurora: tuple[mysqld.Server, bool], statement: str, number: int) -> None:
    server, _ = aurora
    run(server, "CREATE USER IF NOT EXISTS victim")
    assert refusal(server, statement) == number


@pytest.mark.parametrize("aurora", [True], indirect=True)
def test_restrictions_of_the_role_reach_the_master_and_all_it_grants(aurora: tuple[mysqld.Server, bool]) -> None:
    """What Aurora MySQL 3 does to its master user."""
    server, _ = aurora
    run(server, "CREATE USER restricted", "GRANT SELECT, INSERT ON *.* TO restricted")
    assert refusal(server, "CREATE TABLE mysql.scratch (a INT)") == 1142
    assert refusal(server, "UPDATE mysql.user SET User = 'x'") == 1142
    assert refusal(server, "GRANT INSERT ON mysql.* TO restricted") == 1044
    assert refusal(server, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM restricted") == 3879
    assert ("REVOKE INSERT ON `mysql`.* FROM `restricted`@`%`",) in run(server, "SHOW GRANTS FOR restricted")


@pytest.mark.parametrize("aurora", [False], indirect=True)
def test_without_partial_revokes_nothing_restricts_the_master(aurora: tuple[mysqld.Server, bool]) -> None:
    """The one thing in which this master differs from Aurora's."""
    server, _ = aurora
    run(server, "CREATE TABLE mysql.scratch (a INT)", "DROP TABLE mysql.scratch")


def test_creating_the_master_again_sets_its_password(aurora: tuple[mysqld.Server, bool]) -> None:
    server, partial_revokes = aurora
    for password in ("first", "it's \\ 100%"):
        create_master(server, "again", password, partial_revokes=partial_revokes)
    assert run(server, "SELECT 1", user="again", password="it's \\ 100%") == ((1,),)


def test_reserved_accounts_are_there_to_be_ignored(aurora: tuple[mysqld.Server, bool]) -> None:
    server, _ = aurora
    accounts = {f"{user}@{host}" for user, host in run(server, "SELECT User, Host FROM mysql.user")}
    assert {"rdsadmin@localhost", "rds_superuser_role@%", *(f"{role}@%" for role in AWS_ROLES)} <= accounts


def test_wiped_server_is_as_new(mysqld_binary: mysqld.Binary) -> None:
    with mysqld.start(mysqld_binary) as server:
        accounts, databases = "SELECT User, Host FROM mysql.user ORDER BY User", "SHOW DATABASES"
        before = [run(server, query, user="root", password="") for query in (accounts, databases)]
        create_master(server, "boss", "word", partial_revokes=True)
        run(server, "CREATE DATABASE `odd``name`", "CREATE USER 'it''s'@'10.%'")
        wipe(server)
        assert [run(server, query, user="root", password="") for query in (accounts, databases)] == before
