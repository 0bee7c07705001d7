"""Whether what a file names is there: asked in bulk, in one statement, by the inspector alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_sandbox import mysqld
from aurora_tenants.errors import OF_MYSQL, DatabaseError, Problem
from aurora_tenants.lambdas.ownership import make_views
from aurora_tenants.mysql import objects
from aurora_tenants.mysql.grants import Grant, Scope, row_scope, statements
from aurora_tenants.mysql.inspector import RIGHTS
from aurora_tenants.mysql.live import Execute, Row, function_exists, read_server, read_state
from aurora_tenants.mysql.names import Account, identifier
from aurora_tenants.mysql.objects import OBJECTS, Asked
from aurora_tenants.mysql.owners import OWNERS
from aurora_tenants.mysql.properties import folded
from aurora_tenants.mysql.state import Contents
from tests.mysql_server import execute_as, make_owners, through_data_api

LOOKER = Account("looker")
# Of tables, columns and routines that are there, under the names that a file may give them.
THERE = (
    Scope("TABLE", "look", "orders"),
    Scope("TABLE", "look", "all_orders"),
    Scope("TABLE", "look", 'it\'s "ü" \\%_'),
    Scope("COLUMN", "look", "orders", "ID"),
    Scope("COLUMN", "look", "orders", "country"),
    Scope("COLUMN", "look", "all_orders", "id"),
    Scope("PROCEDURE", "look", "monthly_report"),
    Scope("FUNCTION", "look", "net_price"),
)
MISSING = (
    Scope("TABLE", "look", "order"),
    Scope("TABLE", "look", "net_price"),
    Scope("TABLE", "look", "it's"),
    Scope("TABLE", "nowhere", "orders"),
    Scope("COLUMN", "look", "orders", "city"),
    Scope("COLUMN", "look", "customers", "id"),
    Scope("PROCEDURE", "look", "net_price"),
    Scope("FUNCTION", "look", "monthly_report"),
    Scope("FUNCTION", "nowhere", "net_price"),
)
TENANT = Account("look_tenant")


def for_all(*scopes: Scope) -> frozenset[Grant]:
    """Grants that need all of this."""
    return frozenset(
        Grant(TENANT, it, "EXECUTE" if it.level in ("PROCEDURE", "FUNCTION") else "SELECT") for it in scopes
    )


EVERYTHING = Asked(for_all(*THERE, *MISSING), frozenset(("look", "look_empty")))
# A column needs its table, too.
ALL_MISSING = frozenset(MISSING) | {Scope("TABLE", "look", "customers")}
SCOPES = objects.sought(EVERYTHING.grants, ())


def fill(root: Execute) -> None:
    for statement in (
        "CREATE DATABASE look",
        "CREATE DATABASE look_empty",
        "CREATE TABLE look.orders (Id INT PRIMARY KEY, country INT, KEY (country))",
        'CREATE TABLE look.`it\'s "ü" \\%_` (a INT)',
        "CREATE VIEW look.all_orders AS SELECT id FROM look.orders",
        "CREATE PROCEDURE look.Monthly_Report() SELECT 1",
        "CREATE FUNCTION look.net_price() RETURNS INT DETERMINISTIC RETURN 1",
        "INSERT INTO look.orders VALUES (1, 1), (2, 1), (3, 2)",
        "ANALYZE TABLE look.orders",
        "CREATE VIEW look_empty.v AS SELECT 1 AS one",
    ):
        root(statement)


@pytest.fixture(scope="module")
def looking(server: mysqld.Server) -> Iterator[Execute]:
    """A user with the inspector's rights, on a server with these objects."""
    root = execute_as(server)
    make_owners(root)
    fill(root)
    root(f"CREATE USER {LOOKER}")
    for statement in statements([Grant(LOOKER, scope, privilege) for privilege, scope in RIGHTS], ()):
        root(statement.sql)
    yield execute_as(server, LOOKER.user)
    root(f"DROP USER {LOOKER}")
    for name in ("look", "look_empty"):
        root(f"DROP DATABASE {name}")


def test_what_a_file_names_is_found_as_mysql_finds_it(looking: Execute):
    assert read_state(looking, EVERYTHING).missing == ALL_MISSING


def test_it_is_told_how_much_is_in_a_database(looking: Execute):
    contents = read_state(looking, EVERYTHING).contents
    assert contents["look_empty"] == Contents(0, 0, 0)
    assert (contents["look"].tables, contents["look"].rows) == (2, 3)
    assert contents["look"].bytes >= 3 * 16_384  # two clustered indexes and another


def test_the_data_api_gives_the_same(looking: Execute, server: mysqld.Server):
    everybody = through_data_api(server, base64=True, reversed_keys=True)
    assert read_state(everybody, EVERYTHING).missing == ALL_MISSING
    assert read_state(everybody, EVERYTHING).contents == read_state(looking, EVERYTHING).contents


def test_all_that_is_asked_for_is_one_statement(looking: Execute):
    def count(asked: Asked) -> int:
        sent: list[str] = []

        def recording(statement: str) -> list[Row]:
            sent.append(statement)
            return list(looking(statement))

        read_server(recording)
        read_state(recording, asked)
        return len(sent)

    assert (count(objects.NOTHING), count(EVERYTHING)) == (12, 13)


def test_what_is_held_is_not_asked(looking: Execute, server: mysqld.Server):
    """So a file of a thousand tenants asks nothing when there is nothing to do."""
    root = execute_as(server)
    root(f"CREATE USER {TENANT}")
    try:
        root(f"GRANT SELECT, SELECT (Id) ON look.orders TO {TENANT}")
        grants = for_all(Scope("TABLE", "look", "orders"), Scope("COLUMN", "look", "orders", "ID"))
        root("RENAME TABLE look.orders TO look.moved")
        sent: list[str] = []

        def recording(statement: str) -> list[Row]:
            sent.append(statement)
            return list(looking(statement))

        assert read_state(recording, Asked(grants)).missing == frozenset()
        assert not any(f"{OWNERS}.{OBJECTS}(" in statement for statement in sent)
    finally:
        root("RENAME TABLE look.moved TO look.orders")
        root(f"DROP USER {TENANT}")


def test_what_is_too_much_for_a_statement_is_asked_in_several(looking: Execute, monkeypatch: pytest.MonkeyPatch):
    at_once, sent = read_state(looking, EVERYTHING), list[str]()
    monkeypatch.setattr(objects, "_MOST_BYTES", 200)

    def recording(statement: str) -> list[Row]:
        sent.append(statement)
        return list(looking(statement))

    assert read_state(recording, EVERYTHING) == at_once
    assert sum(f"{OWNERS}.{OBJECTS}(" in statement for statement in sent) > 3


def test_no_statement_is_longer_than_the_data_api_takes():
    scopes = {Scope("COLUMN", "d" * 64, "ü" * 64, f"{number:064}") for number in range(1_000)}
    pages = list(objects.pages(scopes, ()))
    assert max(len(page.expression) for page in pages) < 65_000
    assert frozenset(scope for page in pages for scope in page.about) == scopes


def test_nobody_but_the_inspector_may_ask(looking: Execute, server: mysqld.Server):
    """A tenant could ask for the names of others' tables."""
    root, tenant = execute_as(server), TENANT
    root(f"CREATE USER {tenant}")
    try:
        root(f"GRANT ALL ON look.* TO {tenant} WITH GRANT OPTION")
        execute = execute_as(server, tenant.user)
        (page,) = objects.pages(SCOPES, ())
        with pytest.raises(pymysql.OperationalError) as refused:
            execute(f"SELECT {page.expression}")
        assert refused.value.args[0] == 1370
        assert not function_exists(execute, OBJECTS)
        assert looking(f"SELECT {page.expression}")
    finally:
        root(f"DROP USER {tenant}")


def test_where_nobody_can_look_nothing_is_said_to_be_missing(looking: Execute, server: mysqld.Server):
    root = execute_as(server)
    root(f"DROP FUNCTION {OWNERS}.{OBJECTS}")
    try:
        state = read_state(looking, EVERYTHING)
        assert (state.missing, state.unseen, state.contents) == (frozenset(), SCOPES, {})
    finally:
        make_views(root)
        root(f"GRANT EXECUTE ON FUNCTION {OWNERS}.{OBJECTS} TO {LOOKER}")
    assert read_state(looking, EVERYTHING).unseen == frozenset()


def test_a_server_that_cannot_have_the_function_has_everything_else(server_with: Callable[..., mysqld.Server]):
    server = server_with("--log-bin", "--server-id=1")
    root = execute_as(server)
    root("CREATE USER master")
    root("GRANT ALL ON *.* TO master WITH GRANT OPTION")
    root("REVOKE SUPER ON *.* FROM master")
    master, refused = execute_as(server, "master"), set[int]()

    def execute(statement: str) -> list[Row]:
        try:
            return list(master(statement))
        except pymysql.err.OperationalError as error:
            refused.add(error.args[0])
            raise DatabaseError(Problem("refused", str(error)), number=error.args[0], code=OF_MYSQL) from error

    make_owners(execute)
    assert (refused, function_exists(root, OBJECTS)) == ({1419}, False)
    assert read_state(execute, EVERYTHING).unseen == SCOPES


def test_a_server_that_folds_names_is_asked_for_the_folded_ones(server_folding_names: mysqld.Server):
    root = execute_as(server_folding_names)
    make_owners(root)
    stored = read_server(root).stored
    name = stored("Look_Folded")
    root("CREATE DATABASE Look_Folded")
    root("CREATE TABLE Look_Folded.Orders (Id INT)")
    try:
        there = {Scope("TABLE", name, stored("ORDERS")), Scope("COLUMN", name, stored("ORDERS"), "ID")}
        gone = {Scope("TABLE", name, stored("ORDER"))}
        assert read_state(root, Asked(for_all(*there, *gone))).missing == gone
    finally:
        root(f"DROP DATABASE {identifier(name)}")


@given(
    *[
        st.sets(
            st.builds(
                Grant,
                st.just(Account("shop")),
                st.builds(
                    Scope,
                    st.sampled_from(["TABLE", "COLUMN"]),
                    st.just("shop"),
                    st.sampled_from(["a", "A"]),
                    st.sampled_from(["", "id", "ID", "Id"]),
                ),
                st.sampled_from(["SELECT", "INSERT"]),
            ),
            max_size=5,
        )
    ]
    * 2
)
def test_what_is_sought_is_what_is_not_held_in_any_spelling(wanted: set[Grant], held: set[Grant]):
    scopes = {grant.scope for grant in folded(wanted) - folded(held)}
    assert objects.sought(wanted, held) == scopes | {row_scope(scope) for scope in scopes}
