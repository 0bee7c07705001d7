"""What accounts and schemas cost MySQL itself, on the sandbox's server: statements, logins, what a plan reads, memory.

    python -m bench.scale_mysql [N …] [--tables N] [--write-docs]

N: accounts, of one server that grows; a third as many databases. --tables: so many of these get a table at the end.
--write-docs: puts the table into docs/scale.md.

Tenants are as in `bench.world`: a database and three users. Accounts are rows that are copied
from one that CREATE USER has made, their grants and owners are inserted into the tables that hold them, and FLUSH
PRIVILEGES loads all of it: 30,000 times CREATE USER would take longer than all that is measured. Times are medians, in
ms: the server's CPU on Linux, which other work on the machine does not move much, and the wall elsewhere.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pymysql

from aurora_sandbox import mysqld
from aurora_sandbox.install import install
from aurora_sandbox.mysqld import Server, as_root
from aurora_tenants.lambdas.ownership import make_views
from aurora_tenants.mysql.grants import Grant, statements
from aurora_tenants.mysql.hashing import hashed
from aurora_tenants.mysql.inspector import RIGHTS
from aurora_tenants.mysql.live import Execute, Row, read_server, read_state
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import OWNERS, create_owners
from bench.scale import DOCUMENT, with_tables

PASSWORD = "a-password-of-all-of-them"
HASH = hashed(PASSWORD, "twenty-letters_salt.")["caching_sha2_password"]
IDENTIFIED = f"IDENTIFIED WITH caching_sha2_password AS {HASH}"
INSPECTOR, MODEL = "inspector", "model"
MS = 1000.0


def main(sizes: Sequence[int], tables: int, *, writes: bool) -> None:
    """Prints what was measured: for each size a column."""
    binary = mysqld.find() or install(mysqld.default_cache(), print)
    columns: dict[str, list[str]] = {}
    with mysqld.start(binary) as server:
        root = _on(server.connect())
        for statement in create_owners():
            root(statement)
        make_views(root)
        root(f"CREATE USER {MODEL} {IDENTIFIED}")
        _make_inspector(root)
        grown, empty = 0, _memory(server)
        for size in sizes:
            began = time.perf_counter()
            _grow(root, range(grown // 3, size // 3))
            grown = size
            print(f"{size:,} accounts: made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
            for what, figure in _measured(server, root, size // 3, empty):
                columns.setdefault(what, []).append(figure)
                print(f"  {what}: {figure}", file=sys.stderr, flush=True)
        if tables:
            for what, figure in _with_tables(server, root, sizes[-1] // 3, tables):
                columns[what] = ["–"] * (len(sizes) - 1) + [figure]
                print(f"  {what}: {figure}", file=sys.stderr, flush=True)
    lines = [*table(columns, sizes)]
    print("\n".join(lines))
    if writes:
        DOCUMENT.write_text(with_tables(DOCUMENT.read_text(), {"mysql": lines}))


def table(columns: dict[str, list[str]], sizes: Sequence[int]) -> list[str]:
    """As Markdown."""
    head = ["| accounts |" + "".join(f" {size:,} |" for size in sizes), "|---|" + "--:|" * len(sizes)]
    return [*head, *(f"| {what} | {' | '.join(figures)} |" for what, figures in columns.items())]


class _Clock:
    """What a server has used of CPU, in seconds; or the time, where a system does not tell."""

    def __init__(self, server: Server) -> None:
        # What clock_getcpuclockid makes of a process's id: <linux/posix-timers.h>, CPUCLOCK_SCHED.
        self._id = (~server._process.pid << 3) | 2 if sys.platform == "linux" else None

    def __call__(self) -> float:
        return time.perf_counter() if self._id is None else time.clock_gettime(self._id)

    def ms(self, act: Callable[[int], object], each: Iterable[int]) -> float:
        """The median of what one takes."""
        found = []
        for number in each:
            began = self()
            act(number)
            found.append((self() - began) * MS)
        return statistics.median(found)


def _on(connection: pymysql.Connection[pymysql.cursors.Cursor]) -> Execute:
    def execute(statement: str) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    return execute


def _make_inspector(root: Execute) -> None:
    """Whoever a plan reads as."""
    root(f"CREATE USER {INSPECTOR} {IDENTIFIED}")
    grants = frozenset(Grant(Account(INSPECTOR, "%"), scope, privilege) for privilege, scope in RIGHTS)
    for statement in statements(grants, frozenset()):
        root(statement.sql)


def name(number: int) -> str:
    return f"svc{number:05}"


def _grow(root: Execute, tenants: range) -> None:
    for number in tenants:
        root(f"CREATE DATABASE {name(number)}")
    users = [f"{name(number)}{suffix}" for number in tenants for suffix in ("", "-app", "-report")]
    of_user = "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'user'"
    others = ", ".join(f"`{column}`" for (column,) in root(of_user) if str(column).lower() != "user")
    for at in range(0, len(users), 300):
        names = " UNION ALL ".join(f"SELECT '{user}' AS name" for user in users[at : at + 300])
        copies = f"SELECT names.name, {others} FROM mysql.user JOIN ({names}) AS names WHERE User = '{MODEL}'"
        root(f"INSERT INTO mysql.user (User, {others}) {copies}")
    for at in range(0, len(tenants), 300):
        for statement in _inserts(tenants[at : at + 300]):
            root(statement)
    root("FLUSH PRIVILEGES")


def _inserts(tenants: Iterable[int]) -> Iterator[str]:
    names = [name(number) for number in tenants]
    owner, app = ", ".join(["'Y'"] * 18), ", ".join(["'Y'"] * 4 + ["'N'"] * 14)
    flags = (
        "Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, References_priv, Index_priv,"
        " Alter_priv, Create_tmp_table_priv, Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv,"
        " Alter_routine_priv, Execute_priv, Event_priv, Trigger_priv"
    )
    rows = [f"('%', '{it}', '{it}{who}', {how})" for it in names for who, how in (("", owner), ("-app", app))]
    yield f"INSERT INTO mysql.db (Host, Db, User, {flags}) VALUES {', '.join(rows)}"
    rows = [
        f"('%', '{it}', '{it}-report', '{table}', '', NOW(), '{whole}', '{part}')"
        for it in names
        for table, whole, part in (("a", "Select", ""), ("b", "Select", ""), ("c", "", "Select"))
    ]
    yield f"INSERT INTO mysql.tables_priv VALUES {', '.join(rows)}"
    columns = ("country", "id")
    rows = [f"('%', '{it}', '{it}-report', 'c', '{column}', NOW(), 'Select')" for it in names for column in columns]
    yield f"INSERT INTO mysql.columns_priv VALUES {', '.join(rows)}"
    arn, stack = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:/shared-global", "shared-global"
    rows = [f"('{it}', '{stack}-{it}', 'Database{it}', '', 0, 0, UUID())" for it in names]
    yield f"INSERT INTO {OWNERS}.`databases` VALUES {', '.join(rows)}"
    rows = [
        f"('{it}{who}@%', '{stack}-{it}', 'User{it}', '{arn}-{it}/database/{it}{who}-AbCdEf', 0, 0, UUID())"
        for it in names
        for who in ("", "-app", "-report")
    ]
    yield f"INSERT INTO {OWNERS}.`users` VALUES {', '.join(rows)}"


def _measured(server: Server, root: Execute, tenants: int, empty: float) -> Iterator[tuple[str, str]]:
    """What there is to say of a server with so many tenants. empty: its memory before, in MB."""
    clock = _Clock(server)
    last, many = name(tenants - 1), ", ".join(f"more{number}" for number in range(100))
    each = range(11)
    times = {
        "CREATE USER": clock.ms(lambda n: root(f"CREATE USER extra{n} {IDENTIFIED}"), each),
        "GRANT of four privileges on a database": clock.ms(
            lambda n: root(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {last}.* TO extra{n}"), each
        ),
        "REVOKE of one": clock.ms(lambda n: root(f"REVOKE DELETE ON {last}.* FROM extra{n}"), each),
        "ALTER USER, another password": clock.ms(lambda n: root(f"ALTER USER extra{n} {IDENTIFIED}"), each),
        "DROP USER": clock.ms(lambda n: root(f"DROP USER extra{n}"), each),
    }
    created = ", ".join(f"more{number} {IDENTIFIED}" for number in range(100))
    together = "of 100 accounts in one statement, for each"
    times[f"CREATE USER {together}"] = clock.ms(lambda _: root(f"CREATE USER {created}"), range(1)) / 100
    times[f"DROP USER {together}"] = clock.ms(lambda _: root(f"DROP USER {many}"), range(1)) / 100
    times["FLUSH PRIVILEGES"] = clock.ms(lambda _: root("FLUSH PRIVILEGES"), range(5))
    logins = [_login(server, name(number)) for number in range(0, tenants, max(tenants // 11, 1))]
    for at, what in enumerate(("login, the first of an account", "the same again", "the same with a database")):
        times[what] = statistics.median(login[at] for login in logins)
    times |= _shown(server, root, tenants)
    yield from ((what, _ms_text(value)) for what, value in times.items())
    with _connect(server, INSPECTOR) as connection:
        yield from _read(_on(connection), clock)
    yield "memory of mysqld, MB, without accounts", f"{empty:.0f}"
    yield "memory of mysqld, MB", f"{_memory(server):.0f}"


def _shown(server: Server, root: Execute, tenants: int) -> dict[str, float]:
    """What shows databases, to one who may see all of them and to a tenant, who may see one."""
    clock = _Clock(server)
    with _connect(server, name(tenants // 2)) as connection, connection.cursor() as cursor:
        own = clock.ms(lambda _: cursor.execute("SHOW DATABASES"), range(1))
        tables = "SELECT COUNT(*) FROM information_schema.TABLES"
        return {
            "SHOW DATABASES as root": clock.ms(lambda _: root("SHOW DATABASES"), range(3)),
            "SHOW DATABASES as a tenant's user": own,
            "information_schema.TABLES as a tenant's user": clock.ms(lambda _: cursor.execute(tables), range(3)),
        }


def _read(run: Execute, clock: _Clock) -> Iterator[tuple[str, str]]:
    """What a plan reads, statement by statement."""
    kept: list[tuple[str, float]] = []

    def execute(statement: str) -> Sequence[Row]:
        began = clock()
        rows = run(statement)
        kept.append((_about(statement), (clock() - began) * MS))
        return rows

    began = time.process_time()
    read_server(execute)
    read_state(execute)
    used = (time.process_time() - began) * MS
    for about in dict.fromkeys(it[0] for it in kept):
        pages = [it for it in kept if it[0] == about]
        yield (
            f"a plan reads {about} (pages)",
            f"{_ms_text(sum(it[1] for it in pages))} ({len(pages)})",
        )
    yield "a plan's statements", str(len(kept))
    yield "a plan's statements, ms together", _ms_text(sum(it[1] for it in kept))
    yield "CPU of the client meanwhile, driver and all", _ms_text(used)


def _about(statement: str) -> str:
    """The table that a statement of a plan is about."""
    names = {
        "information_schema.TABLES": "whether the schema of owners is there",
        f"{OWNERS}.`databases`": "owners of databases",
        f"{OWNERS}.shares": "shares",
        "information_schema.SCHEMATA": "databases",
        f"{OWNERS}.accounts": "accounts",
        f"{OWNERS}.`users`": "owners of users",
        "(SELECT": "routines, roles, global grants",
        "mysql.db": "grants on databases",
        "mysql.tables_priv": "grants on tables",
        "mysql.columns_priv": "grants on columns",
        f"{OWNERS}.definers": "what runs as whom",
    }
    return next((text for source, text in names.items() if f" FROM {source}" in statement), "variables")


def _login(server: Server, user: str) -> tuple[float, float, float]:
    """Of the first login since the caches were emptied, which computes the hash; the second; one with a database."""
    clock = _Clock(server)
    first = clock.ms(lambda _: _connect(server, user).close(), range(1))
    again = clock.ms(lambda _: _connect(server, user).close(), range(3))
    return first, again, clock.ms(lambda _: _connect(server, user, user).close(), range(3))


def _connect(server: Server, user: str, database: str | None = None) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """By the socket, which takes a password without TLS."""
    place = as_root(server.socket) | {"user": user, "password": PASSWORD}
    return pymysql.connect(**place, database=database)


def _with_tables(server: Server, root: Execute, tenants: int, tables: int) -> Iterator[tuple[str, str]]:
    """With so many tables, one in each schema, as far as there are schemas."""
    clock, wanted = _Clock(server), range(min(tables, tenants))
    before = _memory(server)
    yield (
        f"CREATE TABLE, {len(wanted):,} of them",
        _ms_text(clock.ms(lambda n: root(f"CREATE TABLE {name(n)}.a (id INT PRIMARY KEY, country INT)"), wanted)),
    )
    looked = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'aurora_tenants'"
    yield "information_schema.TABLES of one schema, with them", _ms_text(clock.ms(lambda _: root(looked), range(3)))
    total = "SELECT COUNT(*), SUM(DATA_LENGTH) FROM information_schema.TABLES"
    yield "the size of all tables, with them", _ms_text(clock.ms(lambda _: root(total), range(3)))
    yield (
        "SELECT of a table that is not open, with them",
        _ms_text(clock.ms(lambda n: root(f"SELECT * FROM {name(n)}.a"), wanted)),
    )
    yield "memory of mysqld, MB, with them", f"{_memory(server):.0f} (+{_memory(server) - before:.0f})"
    with _connect(server, name(0)) as connection, connection.cursor() as cursor:
        everything = "SELECT COUNT(*) FROM information_schema.TABLES"
        yield (
            "information_schema.TABLES as a tenant's user, with them",
            _ms_text(clock.ms(lambda _: cursor.execute(everything), range(3))),
        )
    yield "DROP DATABASE with a table", _ms_text(clock.ms(lambda n: root(f"DROP DATABASE {name(n)}"), range(11)))


def _ms_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _memory(server: Server) -> float:
    """What the server holds in memory, in MB; 0 where /proc does not say it."""
    status = Path(f"/proc/{server._process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    count = int(arguments.pop(arguments.index("--tables") + 1)) if "--tables" in arguments else 0
    numbers = [int(it) for it in arguments if not it.startswith("--")]
    main(numbers or (1_000, 10_000, 30_000), count, writes="--write-docs" in arguments)
