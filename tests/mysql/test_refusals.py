"""MySQL's number in whatever form an error has it, and by the words of a real server where it has none."""

from __future__ import annotations

from collections.abc import Callable

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.rdsdata.answers import NUMBERS, Answers, Numbers
from aurora_tenants.mysql.refusals import number_of, said
from tests.mysql_server import execute_as

Act = Callable[[mysqld.Server], object]


def by(*statements: str) -> Act:
    """As root; the last one is refused."""

    def act(server: mysqld.Server) -> None:
        execute = execute_as(server)
        for statement in statements:
            execute(statement)

    return act


def login(account: str, password: str = "hush-0", *, then: str = "") -> Act:
    """Of a user that is made like this; then a statement as that user."""

    def act(server: mysqld.Server) -> None:
        root = execute_as(server)
        root("DROP USER IF EXISTS refused")
        root(f"CREATE USER refused IDENTIFIED BY 'hush-0' {account}")
        sessions = [execute_as(server, "refused", password) for _ in range(2)]
        sessions[0](then)

    return act


# Every number that the code goes by, and a statement that brings it about.
REFUSALS: dict[int, Act] = {
    1007: by("CREATE DATABASE IF NOT EXISTS refused", "CREATE DATABASE refused"),
    1044: login("", then="CREATE DATABASE refused"),
    1045: login("", "hush-another"),
    1054: by("CREATE USER IF NOT EXISTS granted", "GRANT SELECT (x) ON mysql.db TO granted"),
    1062: by(
        "CREATE DATABASE IF NOT EXISTS refused",
        "CREATE TABLE IF NOT EXISTS refused.t (a INT PRIMARY KEY)",
        "REPLACE INTO refused.t VALUES (1)",
        "INSERT INTO refused.t VALUES (1)",
    ),
    1064: by("SELEC 'a (1234)'"),
    1141: by("CREATE USER IF NOT EXISTS granted", "REVOKE SELECT ON nothing.* FROM granted"),
    1146: by("CREATE USER IF NOT EXISTS granted", "GRANT SELECT ON nothing.`ERROR 1045 (28000): y` TO granted"),
    1147: by("CREATE USER IF NOT EXISTS granted", "REVOKE SELECT ON mysql.db FROM granted"),
    1226: login("WITH MAX_USER_CONNECTIONS 1"),
    1305: by(
        "CREATE USER IF NOT EXISTS granted",
        "CREATE DATABASE IF NOT EXISTS refused",
        "GRANT EXECUTE ON PROCEDURE refused.nothing TO granted",
    ),
    1295: by("PREPARE refused FROM 'CREATE ROLE refused'"),
    1396: by("DROP USER `nobody (1234)`"),
    1403: by(
        "CREATE USER IF NOT EXISTS granted",
        "CREATE DATABASE IF NOT EXISTS refused",
        "DROP FUNCTION IF EXISTS refused.f",
        "CREATE FUNCTION refused.f() RETURNS INT DETERMINISTIC RETURN 1",
        "REVOKE EXECUTE ON FUNCTION refused.f FROM granted",
    ),
    1410: by("GRANT SELECT ON nothing.* TO `nobody; Error code: 1; x`"),
    1524: by("CREATE USER refused_2 IDENTIFIED WITH nothing"),
    1862: login("PASSWORD EXPIRE"),
    3118: login("ACCOUNT LOCK"),
    3523: by("GRANT nobody TO root@localhost"),
    3530: by("CREATE USER IF NOT EXISTS granted", "SET DEFAULT ROLE root@localhost TO granted"),
    3638: by(
        "DROP USER IF EXISTS refused",
        "CREATE USER refused IDENTIFIED BY 'hush-0' PASSWORD HISTORY 1",
        "ALTER USER refused IDENTIFIED BY 'hush-0'",
    ),
}


@pytest.mark.parametrize("number", REFUSALS)
def test_a_refusal_is_known_by_its_number_in_any_form_and_by_its_words(server: mysqld.Server, number: int):
    with pytest.raises(pymysql.MySQLError) as caught:
        REFUSALS[number](server)
    stated, message = caught.value.args
    assert stated == number
    for form in NUMBERS:
        text = Answers(error_numbers=form).text(message, number, "HY000")
        assert (number_of(text), said(text)) == (number, message), form


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (1040, "Too many connections"),  # a shared server would have to refuse everybody
        (1203, "User shop already has more than 'max_user_connections' active connections"),  # likewise
        (1820, "You must reset your password using ALTER USER statement before executing this statement."),
    ],
)
def test_words_of_refusals_that_need_a_server_of_their_own(number: int, message: str):
    """From the server's errmsg.sys."""
    assert number_of(message) == number


@pytest.mark.parametrize(
    "text",
    [
        "error returned from database: 1304 (42000): FUNCTION f already exists",
        "ERROR 1304 (42000) at line 1: FUNCTION f already exists",
        "ERROR 1304: FUNCTION f already exists",
        "Error 1304: FUNCTION f already exists",
        "1304: FUNCTION f already exists",
        "Database error code: 1304. Message: FUNCTION f already exists",
        "FUNCTION f already exists; error code: 1304",
        "FUNCTION f already exists (1304).",
    ],
)
def test_other_forms_that_clients_have_seen(text: str):
    assert (number_of(text), said(text)) == (1304, "FUNCTION f already exists")


@pytest.mark.parametrize(
    "text",
    [
        "Invalid resource ARN: x",
        "45000 ms have passed",
        "Unknown database 'x (1045)'",
        "Table 'x.ERROR 1045 (28000): y' already exists",
        "near 'Error code: 1045; SQLState: 28000' at line 1",
        "",
    ],
)
def test_what_a_message_quotes_is_no_number(text: str):
    assert (number_of(text), said(text)) == (0, text)


def test_every_form_of_the_sandbox_is_one_of_those_that_are_known():
    forms: tuple[Numbers, ...] = NUMBERS
    assert [number_of(Answers(error_numbers=form).text("x", 9999, "HY000")) for form in forms] == [9999] * 4 + [0] * 2
