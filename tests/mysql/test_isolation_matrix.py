"""Effective access as computed, against effective access as tried: every account with every database, cell by cell.

First 20 tenants with names that invite mistakes, as the product itself sets them up, beside accounts of others with
all that MySQL allows them. Then random worlds: hosts, patterns, roles of roles, mandatory roles, partial revokes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_tenants.mysql.access import Access, reach
from aurora_tenants.mysql.changes import changes
from aurora_tenants.mysql.grants import expand, statements
from aurora_tenants.mysql.live import Execute, read_server, read_state
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Database, State, User
from aurora_tenants.tenant.isolation import fix
from tests.mysql.attempts import attempt, fill, has_address, quoted
from tests.mysql_server import execute_as, hashes

TENANTS = (
    *("a_b", "axb", "a-b", "A_b", "ab", "a", "abc", "a_b_c", "axb_c", "a_", "a__b", "_", "__"),
    *("shop", "Shop", "shop_eu", "shop-eu", "shop$eu", "SHOP_EU", "shop_eu-dev"),
)
OTHERS = ("p%q", "p_q", "pzq", "p\\q", "p\\_q", "%", "a%b", "é_q", "old data")
CLIENTS = tuple(client for client in ("127.0.0.1", "127.0.0.7", "127.0.9.9") if has_address(client))

Cell = tuple[Account, str]


@pytest.fixture(
    scope="module",
    params=[
        "literal",
        pytest.param("patterns", marks=pytest.mark.long),
        pytest.param("patterns, folded names", marks=pytest.mark.long),
    ],
)
def server(request: pytest.FixtureRequest, mysqld_binary: mysqld.Binary) -> Iterator[mysqld.Server]:
    """A server of its own: what is tried here, such as an anonymous account, would change what others' tests see."""
    literal, folded = request.param == "literal", "folded" in request.param
    with mysqld.start(mysqld_binary, partial_revokes=literal, lower_case_names=folded) as running:
        yield running


@pytest.fixture
def execute(server: mysqld.Server) -> Iterator[Execute]:
    execute = execute_as(server)
    yield execute
    execute("SET GLOBAL mandatory_roles = ''")
    for user, host in execute(
        "SELECT User, Host FROM mysql.user WHERE User NOT IN ('root') AND User NOT LIKE 'mysql.%'"
    ):
        execute(f"DROP USER {quoted(str(user))}@{quoted(str(host))}")
    system = ("information_schema", "mysql", "performance_schema", "sys")
    for (name,) in execute("SHOW DATABASES"):
        if name not in system:
            execute(f"DROP DATABASE {quoted(str(name))}")


def own(name: str, execute: Execute) -> str:
    """The name as this server stores it."""
    return read_server(execute).stored(name)


def computed(execute: Execute, accounts: set[Account]) -> dict[Cell, Access]:
    server, state = read_server(execute), read_state(execute)
    system = ("mysql", "sys")
    return {
        (access.account, access.database): access
        for access in reach(state, server)
        if access.account in accounts and access.database not in system
    }


def tried(server: mysqld.Server, execute: Execute, accounts: set[Account]) -> dict[Cell, set[str]]:
    """What can be done, for every pair of account and database with which anything can be done at all."""
    state = read_state(execute)
    system = ("information_schema", "mysql", "performance_schema", "sys")
    databases = [name for name in state.databases if name not in system]
    mandatory = {role for role in read_server(execute).mandatory_roles if role in state.users}
    cells: dict[Cell, set[str]] = {}
    for account in sorted(accounts):
        granted = {
            Account(scope.name, scope.database)
            for of, scope, _ in state.grants
            if of == account and scope.level == "ROLE"
        }
        for database, done in attempt(server, account, databases, granted | mandatory, CLIENTS).items():
            cells[account, database] = done
    return cells


def agreed(server: mysqld.Server, execute: Execute, accounts: set[Account]) -> dict[Cell, set[str]]:
    """What was tried, once it is what was computed: the same cells, and in none of them more than its ways explain."""
    may, does = computed(execute, accounts), tried(server, execute, accounts)
    assert {cell: may[cell] for cell in may.keys() - does.keys()} == {}, "computed, but denied"
    assert {cell: does[cell] for cell in does.keys() - may.keys()} == {}, "possible, but not computed"
    unexplained = {cell: (done - explained(may[cell]), may[cell]) for cell, done in does.items()}
    assert {cell: why for cell, why in unexplained.items() if why[0]} == {}, "possible by other grants than computed"
    return does


def explained(access: Access) -> set[str]:
    """The statements that the ways in account for."""
    done: set[str] = set()
    for (_, scope, privilege), _ in access.via:
        if privilege == "EXECUTE":
            done |= {f"EXECUTE {name}" for name in (["p", "f"] if not scope.name else [scope.name])}
        else:
            done.add(privilege)
    return done


def test_every_account_gets_into_exactly_the_databases_that_were_computed(server: mysqld.Server, execute: Execute):
    facts = read_server(execute)
    names = sorted({facts.stored(name) for name in TENANTS})
    for name in (*names, *OTHERS):
        fill(execute, name)
    users = tenants_by_the_product(execute, names)
    users |= accounts_of_others(execute)
    does = agreed(server, execute, users)
    tenants = {Account(name) for name in names}
    # The anonymous account of others lets everybody into two databases of others.
    assert {cell for cell in does if cell[0] in tenants and cell[1] not in OTHERS} == {
        (Account(name), name) for name in names
    }
    execute("SET GLOBAL mandatory_roles = 'everyone'")
    agreed(server, execute, users)


def tenants_by_the_product(execute: Execute, names: list[str]) -> set[Account]:
    """Each tenant's database and user, with the statements that the product runs for it."""
    server = read_server(execute)
    for number, name in enumerate(names):
        account = Account(name)
        wanted = expand(account, ["ALL"], database=name, partial_revokes=server.partial_revokes)
        if number % 3 == 1:
            wanted = expand(account, ["SELECT"], database=name, table="t", partial_revokes=server.partial_revokes)
        elif number % 3 == 2:
            wanted = expand(account, ["EXECUTE"], database=name, procedure="p", partial_revokes=server.partial_revokes)
        desired = State({name: Database(name)}, {account: User(account)}, wanted)
        for change in changes(desired, read_state(execute), server=server, password=hashes("secret")):
            execute(change.statement)
        # Whoever tries what an account may logs in without a password, which the product gives to nobody.
        execute(f"ALTER USER {account} IDENTIFIED BY ''")
    return {Account(name) for name in names}


# Accounts of others: its statements, with the account as {}; the roles are made first.
ROLES = ("reader", "writer", "outer role", "idle", "caller", "everyone", "dba")
ROLE_GRANTS = (
    "GRANT SELECT ON `a_b`.* TO reader",
    "GRANT INSERT ON `a%`.* TO writer",
    "GRANT reader TO `outer role`",
    "GRANT writer TO `outer role`",
    "GRANT EXECUTE ON FUNCTION `shop`.f TO caller",
    "GRANT DELETE ON `p\\_q`.* TO caller",
    "GRANT SELECT (a) ON `axb`.t TO everyone",
    "GRANT UPDATE ON *.* TO dba",
)
# None of them has a role to activate but the ones its own statements give it, and the mandatory one.
OF_OTHERS = {
    "escaped": ["GRANT SELECT ON `shop\\_eu`.* TO {}"],
    "unescaped": ["GRANT SELECT ON `shop_eu`.* TO {}"],
    "overlapping": ["GRANT SELECT ON `a\\_b`.* TO {}", "GRANT INSERT ON `a_b`.* TO {}", "GRANT DELETE ON `a%`.* TO {}"],
    "first_wins": ["GRANT USAGE ON `axb`.* TO {} WITH GRANT OPTION", "GRANT SELECT ON `a%`.* TO {}"],
    "first_wins_twice": ["GRANT USAGE ON `a_b`.* TO {} WITH GRANT OPTION", "GRANT SELECT ON `%`.* TO {}"],
    "grant_option_alone": ["GRANT USAGE ON `ab`.* TO {} WITH GRANT OPTION"],
    "backslash": ["GRANT SELECT ON `p\\\\q`.* TO {}", "GRANT INSERT ON `p\\q`.* TO {}"],
    "escaped_percent": ["GRANT SELECT ON `p\\%q`.* TO {}"],
    "percent": ["GRANT SELECT ON `p%q`.* TO {}"],
    "everything": ["GRANT SELECT ON `%`.* TO {}"],
    "bytes": ["GRANT SELECT ON `___q`.* TO {}"],
    "upper_case": ["GRANT SELECT ON `SHOP\\_EU`.* TO {}", "GRANT INSERT ON `AB`.* TO {}"],
    "table": ["GRANT SELECT ON `a_b`.t TO {}"],
    "column": ["GRANT SELECT (a) ON `a-b`.t TO {}"],
    "procedure": ["GRANT EXECUTE ON PROCEDURE `shop`.p TO {}"],
    "function": ["GRANT EXECUTE ON FUNCTION `shop-eu`.f TO {}"],
    "nowhere": ["GRANT ALL ON `gone`.* TO {}", "GRANT SELECT ON `gone\\_%`.* TO {}"],
    "names_alone": ["GRANT SHOW DATABASES, PROCESS ON *.* TO {}"],
    "whole_server": ["GRANT SELECT ON *.* TO {}"],
    "by_role": ["GRANT reader TO {}"],
    "by_default_role": ["GRANT reader TO {}", "SET DEFAULT ROLE reader TO {}"],
    "by_role_of_role": ["GRANT `outer role` TO {}"],
    "by_idle_role": ["GRANT idle TO {}", "GRANT SELECT ON `shop_eu`.* TO {}"],
    "own_and_role": ["GRANT writer, caller TO {}", "GRANT DELETE ON `axb`.* TO {}"],
    "passes_on": ["GRANT caller TO {} WITH ADMIN OPTION"],
    "as_a_user": ["GRANT `escaped` TO {}"],
    "by_global_role": ["GRANT dba TO {}"],
}
RESTRICTED = {
    "restricted": ["GRANT SELECT, INSERT ON *.* TO {}", "REVOKE SELECT ON `a_b`.* FROM {}"],
    "shut_out": ["GRANT SELECT ON *.* TO {}", "REVOKE SELECT ON `a_b`.* FROM {}", "REVOKE SELECT ON `shop`.* FROM {}"],
    "restricted_with_role": ["GRANT SELECT ON *.* TO {}", "REVOKE SELECT ON `a_b`.* FROM {}", "GRANT reader TO {}"],
    "back_by_table": ["GRANT SELECT ON *.* TO {}", "REVOKE SELECT ON `ab`.* FROM {}", "GRANT SELECT ON `ab`.t TO {}"],
}
SEVERAL_HOSTS = (
    ("several", "%", ["GRANT SELECT ON `abc`.* TO {}", "GRANT SELECT ON `a_`.t TO {}"]),
    ("several", "127.0.0.%", ["GRANT INSERT ON `shop-eu`.* TO {}"]),
    ("several", "127.0.0.7", ["GRANT idle TO {}"]),
    ("networked", "127.0.0.0/255.255.255.0", ["GRANT USAGE ON *.* TO {}"]),
    ("networked", "%", ["GRANT SELECT ON `shop$eu`.* TO {}"]),
    ("", "%", ["GRANT SELECT ON `old data`.* TO {}", "GRANT SELECT ON `pzq`.t TO {}"]),
)


def accounts_of_others(execute: Execute) -> set[Account]:
    server = read_server(execute)
    for role in ROLES:
        execute(f"CREATE ROLE {quoted(role)}")
    for statement in ROLE_GRANTS:
        execute(statement)
    accounts = set()
    wanted = [
        (name, "%", given) for name, given in (OF_OTHERS | (RESTRICTED if server.partial_revokes else {})).items()
    ]
    for user, host, _ in (*wanted, *SEVERAL_HOSTS):
        if host == "%" or len(CLIENTS) > 1:
            execute(f"CREATE USER {quoted(user)}@{quoted(host)}")
    for user, host, given in (*wanted, *SEVERAL_HOSTS):
        if host != "%" and len(CLIENTS) == 1:
            continue
        for statement in given:
            execute(statement.replace("{}", f"{quoted(user)}@{quoted(host)}"))
        accounts.add(Account(user, host))
    return accounts


WORLD = ("a_b", "A_b", "axb", "a-b", "ab", "a_b_c", "a%b", "a\\_b")
PATTERNS = (
    "a_b",
    "a\\_b",
    "A_b",
    "axb",
    "a%",
    "a_",
    "a__",
    "%b",
    "_-b",
    "a\\%b",
    "ab",
    "a\\\\\\_b",
    "a%\\_c",
    "%",
    "gone",
)
HOSTS = ("%", "127.0.0.%", "127.0.0.7", "127.0.0.0/24") if len(CLIENTS) == 3 else ("%",)
USERS = (
    *(Account(user, host) for user in ("one", "two") for host in HOSTS),
    *(Account("", host) for host in HOSTS[:2]),
)
RANDOM_ROLES = tuple(Account(name) for name in ("r1", "r2", "r3", "r4"))
OF_LEVEL = {
    "GLOBAL": ("SELECT", "INSERT", "EXECUTE"),
    "DATABASE": ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "EXECUTE"),
    "TABLE": ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"),
    "COLUMN": ("SELECT", "INSERT", "UPDATE"),
    "PROCEDURE": ("EXECUTE",),
    "FUNCTION": ("EXECUTE",),
}
ROUNDS, SEED = 25, 97


def test_random_worlds_agree_cell_by_cell(server: mysqld.Server, execute: Execute):
    """Each round is another world. Revoking what an access names then really closes it, and so does the advice."""
    chance = random.Random(SEED)
    databases = sorted({read_server(execute).stored(name) for name in WORLD})
    for database in databases:
        fill(execute, database)
    for _ in range(ROUNDS):
        accounts = random_world(execute, chance, databases)
        agreed(server, execute, accounts)
        for close in (revoke_all, follow_the_advice, revoke_all):
            for access in sorted(computed(execute, accounts).values())[:1]:
                close(execute, access)
                assert (access.account, access.database) not in computed(execute, accounts)
        agreed(server, execute, accounts)


def revoke_all(execute: Execute, access: Access) -> None:
    for sql, _ in statements((), access.grants):
        execute(sql)


def follow_the_advice(execute: Execute, access: Access) -> None:
    """What the product says is to be done about it; where that is to rename a database, its grants go instead."""
    for step in fix(access, read_state(execute), read_server(execute)).split("; "):
        if step.startswith("rename "):
            revoke_all(execute, access)
            return
        execute("SET GLOBAL mandatory_roles = ''" if step.startswith("take the role ") else step)


def random_world(execute: Execute, chance: random.Random, databases: list[str]) -> set[Account]:
    """Makes the accounts anew with random grants. Returns those that a client of this machine can be."""
    restricts = read_server(execute).partial_revokes
    execute("SET GLOBAL mandatory_roles = ''")
    accounts = chance.sample(USERS, 4)
    for account in (*USERS, *RANDOM_ROLES):
        execute(f"DROP USER IF EXISTS {account}")
    for account in accounts:
        execute(f"CREATE USER {account}")
    for role in RANDOM_ROLES:
        execute(f"CREATE ROLE {role}")
    for _ in range(chance.randrange(1, 12)):
        holder = chance.choice((*accounts, *RANDOM_ROLES))
        attempted(execute, random_grant(chance, holder, databases))
    for number in range(1, 4):
        if chance.random() < 0.5:
            attempted(
                execute,
                f"GRANT {chance.choice(RANDOM_ROLES[:number])} TO {chance.choice((*accounts, RANDOM_ROLES[number]))}",
            )
    if restricts:
        for _ in range(chance.randrange(3)):
            holder, privilege = chance.choice((*accounts, *RANDOM_ROLES)), chance.choice(OF_LEVEL["GLOBAL"])
            attempted(execute, f"GRANT SELECT, {privilege} ON *.* TO {holder}")
            attempted(execute, f"REVOKE {privilege} ON {quoted(chance.choice(databases))}.* FROM {holder}")
    if chance.random() < 0.3:
        execute(f"SET GLOBAL mandatory_roles = '{chance.choice(RANDOM_ROLES).user}'")
    return {account for account in accounts if can_log_in(account, accounts)}


def random_grant(chance: random.Random, holder: Account, databases: list[str]) -> str:
    level = chance.choices(tuple(OF_LEVEL), (1, 12, 2, 2, 1, 1))[0]
    privilege = chance.choice(OF_LEVEL[level])
    database = chance.choice(databases)
    if level == "GLOBAL":
        return f"GRANT {privilege} ON *.* TO {holder}"
    if level == "DATABASE" and chance.random() < 0.2:
        # With a wildcard, it may be as specific as another row; which of the two MySQL then takes, it does not say.
        return f"GRANT USAGE ON {quoted(chance.choice(('ab', 'axb')))}.* TO {holder} WITH GRANT OPTION"
    if level == "DATABASE":
        return f"GRANT {privilege} ON {quoted(chance.choice(PATTERNS))}.* TO {holder}"
    if level == "TABLE":
        return f"GRANT {privilege} ON {quoted(database)}.t TO {holder}"
    if level == "COLUMN":
        return f"GRANT {privilege} (a) ON {quoted(database)}.t TO {holder}"
    return f"GRANT {privilege} ON {level} {quoted(database)}.{level[0].lower()} TO {holder}"


def attempted(execute: Execute, statement: str) -> None:
    """Runs what may not make sense in this world: a role for the anonymous user, a revoke of what is not there."""
    try:
        execute(statement)
    except pymysql.MySQLError as error:
        if error.args[0] not in (1141, 3523, 3524, 3876, 4027):
            raise


def can_log_in(account: Account, accounts: list[Account]) -> bool:
    """Whether a client is taken for the account: an address of CLIENTS that none before it matches."""
    matching = {
        "%": set(CLIENTS),
        "127.0.0.%": {"127.0.0.1", "127.0.0.7"},
        "127.0.0.0/24": {"127.0.0.1", "127.0.0.7"},
        "127.0.0.7": {"127.0.0.7"},
    }
    order = ("127.0.0.7", "127.0.0.0/24", "127.0.0.%", "%")
    before = [
        other
        for other in accounts
        if other.user in (account.user, "")
        and (order.index(other.host), not other.user) < (order.index(account.host), not account.user)
    ]
    return bool(matching[account.host] - {client for other in before for client in matching[other.host]})
