"""Who is connected and who has logged in: counted for the inspector, who sees nothing else of a connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_tenants.errors import OF_MYSQL, DatabaseError, Problem
from aurora_tenants.mysql.grants import Grant, statements
from aurora_tenants.mysql.inspector import RIGHTS
from aurora_tenants.mysql.live import Execute, Row
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import OWNERS
from aurora_tenants.mysql.sessions import CONNECTIONS, Counted, Sessions, read_sessions
from tests.mysql_server import data_api, execute_as, make_owners

SHOP = 'shop_é"\\'


def made(server: mysqld.Server, name: str) -> Execute:
    """Runs statements as a new user with the inspector's rights; what MySQL refuses is an error of the product's."""
    root, account = execute_as(server), Account(name)
    make_owners(root)
    root(f"CREATE USER {account}")
    for statement in statements([Grant(account, scope, privilege) for privilege, scope in RIGHTS], ()):
        root(statement.sql)
    connected = execute_as(server, name)

    def execute(statement: str) -> list[Row]:
        try:
            return list(connected(statement))
        except pymysql.MySQLError as error:
            number = int(error.args[0])
            raise DatabaseError(Problem("refused", str(error)), number=number, code=OF_MYSQL) from error

    return execute


@pytest.fixture(scope="module")
def counting(server_with: Callable[..., mysqld.Server]) -> mysqld.Server:
    """performance_schema is ON, as where Performance Insights is; the servers of other tests have it OFF."""
    return server_with("--performance-schema=ON")


@pytest.fixture
def shop(counting: mysqld.Server) -> Iterator[str]:
    root = execute_as(counting)
    root(f"CREATE USER {Account(SHOP)}")
    yield SHOP
    root(f"DROP USER {Account(SHOP)}")


def settled(read: Callable[[], Sessions], user: str, connections: int) -> Counted | None:
    """What is counted of a user, once its connections are as many: a server takes a moment to end one."""
    until = time.monotonic() + 5
    while (found := read().of(user)) and found.connections != connections and time.monotonic() < until:
        time.sleep(0.02)
    return found


def test_connections_and_logins_are_counted_by_user(counting: mysqld.Server, shop: str):
    inspector = made(counting, "sessions_inspector")
    assert read_sessions(inspector).of(shop) == Counted(0, 0)
    first, second = counting.connect(shop, ""), counting.connect(shop, "")
    assert settled(lambda: read_sessions(inspector), shop, 2) == Counted(2, 2)
    first.close()
    assert settled(lambda: read_sessions(inspector), shop, 1) == Counted(1, 2)
    found = read_sessions(data_api(counting).execute)
    assert (found.of(shop), found.counts_logins, found.uptime_seconds < 3600) == (Counted(1, 2), True, True)
    assert found.connections >= 2
    second.close()


def test_without_performance_schema_connections_are_counted_and_logins_are_not(server: mysqld.Server):
    inspector = made(server, "sessions_without")
    mine = server.connect("sessions_without", "")
    found = read_sessions(inspector)
    # The one that asks is counted as its definer's.
    assert (found.of("sessions_without"), found.counts_logins) == (Counted(1, 0), False)
    mine.close()


def test_nobody_but_the_inspector_may_ask(server: mysqld.Server):
    execute_as(server)("CREATE USER sessions_nobody")
    execute = execute_as(server, "sessions_nobody")
    with pytest.raises(pymysql.OperationalError) as refused:
        execute(f"SELECT {OWNERS}.{CONNECTIONS}()")
    assert refused.value.args[0] == 1370


@pytest.mark.parametrize("how", ["DROP FUNCTION {}", "REVOKE EXECUTE ON FUNCTION {} FROM sessions_before"])
def test_where_it_may_not_ask_there_is_the_number_of_all(server: mysqld.Server, how: str):
    """As on a shared stack from before."""
    inspector = made(server, "sessions_before")
    root = execute_as(server)
    root(how.format(f"{OWNERS}.{CONNECTIONS}"))
    try:
        found = read_sessions(inspector)
        assert (found.by_user, found.of("shop"), found.connections > 0) == (None, None, True)
    finally:
        root("DROP USER sessions_before")
        make_owners(root)
