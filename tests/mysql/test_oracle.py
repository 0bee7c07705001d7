"""Random walks over grants on a real server, judged by what the server itself says.

The judge shares no code with the product: it reads SHOW GRANTS and expands it by its own rules. Every transition must
end in exactly the wanted rights, be a no-op the second time, and read back the same through the product's own reader.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

import pytest

from aurora_tenants.mysql.grants import Grant, expand, normalise, statements
from aurora_tenants.mysql.live import Execute, read_server, read_users
from aurora_tenants.mysql.names import Account
from aurora_tenants.sandbox.mysqld import Server
from tests.mysql_server import execute_as

DATABASES = ("w-x_y", "w-xzy", "wx", "w$x%", "W-X_Y")
TABLES = ("orders", "or_ders", "Orders`")
COLUMNS = ("id", "Country", "a b")
USERS = (Account("walk"), Account("Walk"), Account("wa_lk", "10.0.0.%"), Account("walk-$", "localhost"))

# The judge's own lists, written down from MySQL's manual ("Privileges Provided by MySQL"), not imported.
ON_DATABASE = {
    *("ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "CREATE VIEW", "DELETE"),
    *("DROP", "EVENT", "EXECUTE", "INDEX", "INSERT", "LOCK TABLES", "REFERENCES", "SELECT", "SHOW VIEW", "TRIGGER"),
    "UPDATE",
}
ON_TABLE = ON_DATABASE - {
    *("ALTER ROUTINE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "EVENT", "EXECUTE", "LOCK TABLES"),
}
ON_COLUMN = {"SELECT", "INSERT", "UPDATE", "REFERENCES"}

Right = tuple[str, str, str, str]  # database as it is stored, table, column, privilege


@pytest.fixture(params=["partial_revokes", "patterns"])
def running(request: pytest.FixtureRequest) -> Server:
    name = "server" if request.param == "partial_revokes" else "server_without_partial_revokes"
    server: Server = request.getfixturevalue(name)
    return server


@pytest.fixture
def execute(running: Server) -> Iterator[Execute]:
    execute = execute_as(running)
    for database in DATABASES:
        execute(f"CREATE DATABASE `{database}`")
        for table in TABLES:
            columns = ", ".join(f"`{column}` INT" for column in COLUMNS)
            execute(f"CREATE TABLE `{database}`.`{table.replace('`', '``')}` ({columns})")
    for user in USERS:
        execute(f"CREATE USER `{user.user}`@`{user.host}`")
    yield execute
    for database in DATABASES:
        execute(f"DROP DATABASE `{database}`")
    for user in USERS:
        execute(f"DROP USER `{user.user}`@`{user.host}`")


def rights_by_show_grants(execute: Execute, user: Account) -> set[Right]:
    """What SHOW GRANTS says, with column rights that their table has anyway left out."""
    rights: set[Right] = set()
    for (line,) in execute(f"SHOW GRANTS FOR `{user.user}`@`{user.host}`"):
        found = re.match(r"GRANT (.*) ON (`(?:[^`]|``)+`|\*)\.(`(?:[^`]|``)+`|\*) TO ", str(line))
        assert found, line
        listed, database, table = found.groups()
        if database == "*":
            assert listed == "USAGE", line
            continue
        for privilege in re.findall(r"[A-Z ]+(?:\([^)]*\))?", listed):
            name, _, columns = privilege.strip().partition(" (")
            level = ON_DATABASE if table == "*" else ON_TABLE
            for one in level if name == "ALL PRIVILEGES" else {name} - {"USAGE"}:
                for column in re.findall(r"`((?:[^`]|``)+)`", columns) or [""]:
                    rights.add((database[1:-1], name_in(table), column.lower(), one))
        if str(line).endswith("WITH GRANT OPTION"):
            rights.add((database[1:-1], name_in(table), "", "GRANT OPTION"))
    return {right for right in rights if not (right[2] and (right[0], right[1], "", right[3]) in rights)}


def name_in(table: str) -> str:
    return "" if table == "*" else table[1:-1].replace("``", "`")


def test_every_random_transition_converges_in_one_pass_and_is_a_no_op_afterwards(execute: Execute):
    chance = random.Random(20_261)
    literal_names = read_server(execute).partial_revokes
    for step in range(150):
        user = chance.choice(USERS)
        wanted, rights = random_grants(chance, user, literal_names=literal_names)
        for statement in statements(wanted - live(execute, user), live(execute, user) - wanted):
            execute(statement.sql)
        assert rights_by_show_grants(execute, user) == rights, f"step {step}"
        assert live(execute, user) == wanted, f"step {step}"


def live(execute: Execute, user: Account) -> frozenset[Grant]:
    grants = read_users(execute, user.user, has_owners=False)[1]
    return frozenset(grant for grant in grants if grant.account == user)


def random_grants(chance: random.Random, user: Account, *, literal_names: bool) -> tuple[frozenset[Grant], set[Right]]:
    """Grants made by the product's `expand`, and beside them the rights that the judge expects of the same entries."""
    wanted: set[Grant] = set()
    rights: set[Right] = set()
    for _ in range(chance.randrange(6)):
        database, table = chance.choice(DATABASES), chance.choice((*TABLES, "*", "*"))
        columns = chance.sample(COLUMNS, chance.randrange(1, 3)) if table != "*" and chance.random() < 0.5 else []
        known = sorted(ON_COLUMN if columns else ON_DATABASE if table == "*" else ON_TABLE)
        names = known if chance.random() < 0.2 else chance.sample(known, chance.randrange(1, 4))
        option = chance.random() < 0.3
        says_all = names == known and not columns and chance.random() < 0.5
        wanted |= expand(
            user,
            ["ALL"] if says_all else [name.lower() for name in names],
            database=database,
            table=table,
            columns=columns,
            grant_option=option,
            partial_revokes=literal_names,
        )
        stored = spelled(database, literal=literal_names or table != "*")
        on = "" if table == "*" else table
        rights |= {(stored, on, column.lower(), name) for name in names for column in columns or [""]}
        if option:
            rights.add((stored, on, "", "GRANT OPTION"))
    absorbed = {right for right in rights if right[2] and (right[0], right[1], "", right[3]) in rights}
    return normalise(wanted), rights - absorbed


def spelled(database: str, *, literal: bool) -> str:
    return database if literal else re.sub(r"([\\_%])", r"\\\1", database)


def test_unescaped_underscore_would_open_another_database(server_without_partial_revokes: Server):
    """The reason for the escape: seen as the user itself, and gone with the spelling that expand chooses."""
    root = execute_as(server_without_partial_revokes)
    user = Account("spelling")
    root("CREATE DATABASE sp_ell")
    root("CREATE DATABASE spXell")
    root("CREATE USER spelling")
    try:
        root("GRANT SELECT ON `sp_ell`.* TO spelling")
        assert visible(server_without_partial_revokes, "spelling", "sp%") == {"sp_ell", "spXell"}
        wanted = expand(user, ["SELECT"], database="sp_ell", partial_revokes=False)
        for statement in statements(wanted - live(root, user), live(root, user) - wanted):
            root(statement.sql)
        assert visible(server_without_partial_revokes, "spelling", "sp%") == {"sp_ell"}
    finally:
        root("DROP DATABASE sp_ell")
        root("DROP DATABASE spXell")
        root("DROP USER spelling")


def visible(server: Server, user: str, like: str) -> set[str]:
    return {str(row[0]) for row in execute_as(server, user)(f"SHOW DATABASES LIKE '{like}'")}


def test_columns_survive_the_revoke_of_their_table(execute: Execute):
    user = USERS[0]
    run: Callable[[str], object] = execute
    run("GRANT SELECT ON `wx`.orders TO walk")
    wanted = expand(user, ["SELECT"], database="wx", table="orders", columns=["id"], partial_revokes=True)
    for statement in statements(wanted - live(execute, user), live(execute, user) - wanted):
        run(statement.sql)
    assert rights_by_show_grants(execute, user) == {("wx", "orders", "id", "SELECT")}
