"""From one state of a server to another: the statements, their order, and what a real server makes of them."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.aurora import AWS_ROLES, SUPERUSER_ROLE, create_master
from aurora_tenants.mysql.changes import Change, changes, drop_database, drop_user, subject
from aurora_tenants.mysql.grants import Grant, Scope, expand, role_scope
from aurora_tenants.mysql.live import Execute, read_server, read_state
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import OWNERS, Owner, forget_owner, record_owner
from aurora_tenants.mysql.passwords import discard_old_password, set_password
from aurora_tenants.mysql.state import Database, Server, State, User
from tests.mysql_server import as_desired, execute_as, hashes, make_owners

SERVER = Server("8.0.42", False, "caching_sha2_password")
APP = Account("app")
OWNER = Owner("shared-app", "DatabaseApp")
USER_OWNER = Owner("shared-app", "UserApp", "/shared/database/app")


def difference(desired: State, live: State | None = None) -> tuple[Change, ...]:
    return changes(desired, live or State(), server=SERVER)


def database(**options: object) -> State:
    return State({"app": Database("app", **options)})


def granted(*privileges: str, on: str = "app", partial_revokes: bool = False) -> frozenset[Grant]:
    return expand(APP, privileges, database=on, partial_revokes=partial_revokes)


# Statements


def test_the_owner_of_a_database_is_written_down_before_it_is_made():
    """A crash in between leaves an entry that the next run makes true, not a database that is nobody's."""
    record = "REPLACE INTO aurora_tenants.`databases` VALUES ('app', 'shared-app', 'DatabaseApp', '', 0, 0, '')"
    create = "CREATE DATABASE `app` CHARACTER SET 'utf8mb4' COLLATE 'utf8mb4_bin'"
    assert difference(database(charset="utf8mb4", collation="utf8mb4_bin", owner=OWNER)) == (
        Change("record", "database app", record),
        Change("create", "database app", create),
    )


def test_a_database_without_an_owner_is_only_made():
    assert difference(database()) == (Change("create", "database app", "CREATE DATABASE `app`"),)


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        (None, "latin1"),
        ("utf8mb4", "utf8mb4"),
        ("UTF8MB4", "utf8mb4"),
        ("utf8", "utf8mb3"),
    ],
)
def test_a_character_set_that_is_the_same_by_another_name_is_no_change(desired: str | None, live: str):
    assert difference(database(charset=desired), database(charset=live)) == ()


def test_an_old_name_of_a_collation_is_no_change():
    assert difference(database(collation="utf8_bin"), database(collation="utf8mb3_bin")) == ()


def test_another_character_set_alters_the_database_and_says_what_it_does_not_do():
    assert difference(database(charset="utf8mb4"), database(charset="latin1", collation="latin1_bin")) == (
        Change(
            "alter",
            "database app",
            "ALTER DATABASE `app` CHARACTER SET 'utf8mb4'",
            "from latin1, latin1_bin; existing tables keep the character set and collation they have",
        ),
    )


def test_everything_is_created_before_anything_is_granted_and_revokes_come_last():
    desired = State({"app": Database("app")}, {APP: User(APP)}, granted("SELECT"))
    live = State({}, {}, granted("INSERT"))
    assert [change.statement for change in difference(desired, live)] == [
        "CREATE DATABASE `app`",
        "CREATE USER `app`@`%` IDENTIFIED WITH `caching_sha2_password` AS '***'",
        "GRANT SELECT ON `app`.* TO `app`@`%`",
        "REVOKE INSERT ON `app`.* FROM `app`@`%`",
    ]


def test_what_only_live_has_of_others_is_left_alone():
    other = Account("other")
    live = State({"x": Database("x")}, {other: User(other)}, frozenset({Grant(other, Scope("GLOBAL"), "SUPER")}))
    assert difference(State(), live) == ()


def test_a_hash_stands_in_the_statement_that_is_run_and_in_no_other():
    desired = State(users={APP: User(APP)})
    its = hashes("s3cret")["caching_sha2_password"]
    (run,) = changes(desired, State(), server=SERVER, password=hashes("s3cret"))
    assert run.statement == f"CREATE USER `app`@`%` IDENTIFIED WITH `caching_sha2_password` AS {its}"
    assert (its[:2], its in str(difference(desired))) == ("0x", False)


@pytest.mark.parametrize(
    ("partial_revokes", "stored", "why"),
    [
        (False, "a_b", "spelled a_b, it also matches other databases"),
        (True, "a\\_b", "spelled a\\_b, it matches no database"),
    ],
)
def test_the_other_spelling_of_a_database_is_granted_anew_before_it_is_revoked(
    partial_revokes: bool, stored: str, why: str
):
    desired = State(users={APP: User(APP)}, grants=granted("SELECT", on="a_b", partial_revokes=partial_revokes))
    old = Grant(APP, Scope("DATABASE", stored), "SELECT")
    live = State(users={APP: User(APP)}, grants=frozenset({old}))
    spelled = "a_b" if partial_revokes else "a\\_b"
    assert changes(desired, live, server=SERVER._replace(partial_revokes=partial_revokes)) == (
        Change("grant", "user app", f"GRANT SELECT ON `{spelled}`.* TO `app`@`%`", "", (*desired.grants,)),
        Change("revoke", "user app", f"REVOKE SELECT ON `{stored}`.* FROM `app`@`%`", why, (old,)),
    )


def test_an_account_at_a_further_host_is_complete_before_a_login_can_meet_it():
    """Made under a host that nobody has, and all that is said of it is said of the account that it becomes."""
    further = Account("app", "10.%")
    live = State(users={APP: User(APP, USER_OWNER)})
    desired = State(
        users={account: User(account, USER_OWNER) for account in (APP, further)},
        grants=expand(further, ["SELECT"], database="app", partial_revokes=False),
    )
    made = difference(desired, live)
    entries = [f"app@{host}" for host in ("1.aurora-tenants.invalid", "10.%", "1.aurora-tenants.invalid")]
    assert [(change.action, change.statement) for change in made] == [
        ("record", record_owner("users", entries[0], USER_OWNER)),
        ("create", made[1].statement),
        ("grant", "GRANT SELECT ON `app`.* TO `app`@`1.aurora-tenants.invalid`"),
        ("record", record_owner("users", entries[1], USER_OWNER)),
        ("rename", "RENAME USER `app`@`1.aurora-tenants.invalid` TO `app`@`10.%`"),
        ("record", forget_owner("users", entries[2])),
    ]
    assert made[1].statement.startswith("CREATE USER `app`@`1.aurora-tenants.invalid` IDENTIFIED")
    assert {change.subject for change in made} == {"user app@10.%"}
    assert made[2].grants == tuple(desired.grants)


def test_a_host_is_named_only_where_it_is_not_everywhere():
    assert (subject(APP), subject(Account("app", "10.%"))) == ("user app", "user app@10.%")


# A real server


@pytest.fixture(params=["server", "server_without_partial_revokes"])
def execute(request: pytest.FixtureRequest) -> Iterator[Execute]:
    """Root on each kind of server, with the schema of owners; everything called app* goes away afterwards."""
    execute = execute_as(request.getfixturevalue(request.param))
    make_owners(execute)
    yield execute
    remove_all(execute)


def remove_all(execute: Execute) -> None:
    state = read_state(execute)
    for account in state.users:
        if account.user.startswith("app"):
            execute(drop_user(account))
            execute(forget_owner("users", account.entry))
    for name in state.databases:
        if name.startswith("app"):
            execute(drop_database(name))
            execute(forget_owner("databases", name))


DESIRED = State(
    {
        "app_1": Database("app_1", "latin1", "latin1_bin", OWNER),
        "app-2": Database("app-2", "utf8mb4", "utf8mb4_0900_ai_ci", Owner("shared-app", "DatabaseApp2", adopted=True)),
    },
    {APP: User(APP, USER_OWNER), Account("app-2", "10.%"): User(Account("app-2", "10.%"), USER_OWNER)},
)


def with_grants(execute: Execute) -> State:
    """DESIRED with rights on both databases, as this server spells them."""
    literal = read_server(execute).partial_revokes
    everything = expand(APP, ["ALL"], database="app_1", grant_option=True, partial_revokes=literal)
    reading = expand(Account("app-2", "10.%"), ["SELECT"], database="app-2", partial_revokes=literal)
    return State(DESIRED.databases, DESIRED.users, everything | reading)


def converge(execute: Execute, desired: State) -> list[str]:
    made = changes(desired, read_state(execute), server=read_server(execute), password=hashes("s3cret"))
    for change in made:
        execute(change.statement)
    return [change.action for change in made]


def of_app(state: State) -> State:
    return State(
        {name: it for name, it in state.databases.items() if name.startswith("app")},
        {account: it for account, it in state.users.items() if account.user.startswith("app")},
        frozenset(grant for grant in state.grants if grant.account.user.startswith("app")),
    )


def test_what_was_run_reads_back_as_what_was_desired_and_leaves_nothing_to_do(execute: Execute):
    desired = with_grants(execute)
    converge(execute, desired)
    assert as_desired(read_state(execute), desired) == desired
    assert converge(execute, desired) == []


def test_a_run_that_ended_after_any_of_its_statements_is_finished_by_the_next(execute: Execute):
    """As when the function crashes in between: the next one reads what is there and goes on from it."""
    desired = with_grants(execute)
    todo = changes(desired, of_app(read_state(execute)), server=read_server(execute), password=hashes("s3cret"))
    assert len(todo) == 10
    for ran in range(len(todo)):
        for change in todo[:ran]:
            execute(change.statement)
        converge(execute, desired)
        assert as_desired(read_state(execute), desired) == desired, f"after {ran} statements"
        remove_all(execute)


def test_a_changed_owner_and_character_set_converge(execute: Execute):
    converge(execute, with_grants(execute))
    owner = Owner("other", "Database")
    changed = State({"app_1": Database("app_1", "utf8mb4", "utf8mb4_bin", owner)})
    # Whoever had it before has no part in it any more.
    assert converge(execute, changed) == ["record", "alter", "withdraw"]
    former = frozenset(("shared-app",))
    assert read_state(execute).databases["app_1"] == changed.databases["app_1"]._replace(withdrawn_from=former)


# What MySQL does in ways of its own


def state_of(*privileges: str, on: str = "app", partial_revokes: bool = True, **rest: object) -> State:
    """The account APP with these privileges."""
    grants = expand(APP, privileges, database=on, partial_revokes=partial_revokes, **rest) if privileges else ()
    return State(users={APP: User(APP)}, grants=frozenset(grants))


def shown(execute: Execute) -> set[str]:
    """What SHOW GRANTS says of APP: the server's memory, not its tables."""
    return {str(line) for (line,) in execute("SHOW GRANTS FOR app")} - {"GRANT USAGE ON *.* TO `app`@`%`"}


@pytest.fixture
def table(execute: Execute) -> None:
    execute("CREATE DATABASE app")
    execute("CREATE TABLE app.t (id INT, country INT)")
    execute("CREATE USER app IDENTIFIED BY 's3cret'")


@pytest.mark.usefixtures("table")
def test_column_that_was_granted_in_capitals_is_revoked(execute: Execute):
    execute("GRANT SELECT (COUNTRY), UPDATE (COUNTRY) ON app.t TO app")
    with pytest.raises(pymysql.OperationalError, match="1147"):
        execute("REVOKE SELECT (country) ON app.t FROM app")
    kept = state_of("SELECT", table="t", columns=["country"])
    assert converge(execute, kept) == ["revoke"]
    assert shown(execute) == {"GRANT SELECT (`COUNTRY`) ON `app`.`t` TO `app`@`%`"}
    assert converge(execute, state_of()) == ["revoke"]
    assert shown(execute) == set()


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("privilege", ["SELECT", "REFERENCES"])
def test_a_column_that_was_granted_in_two_spellings_is_revoked(execute: Execute, privilege: str):
    """Column by column the tables are empty in the end, but the server goes on granting the right."""
    for spelling in ("country", "COUNTRY"):
        execute(f"GRANT {privilege} ({spelling}) ON app.t TO app")
    for spelling in ("country", "COUNTRY"):
        execute(f"REVOKE {privilege} ({spelling}) ON app.t FROM app")
    assert execute("SELECT * FROM mysql.columns_priv WHERE User = 'app'") == []
    assert shown(execute) == {f"GRANT {privilege} (`country`) ON `app`.`t` TO `app`@`%`"}
    execute("FLUSH PRIVILEGES")
    for spelling in ("country", "COUNTRY"):
        execute(f"GRANT {privilege} ({spelling}), UPDATE (id) ON app.t TO app")
    kept = state_of("UPDATE", table="t", columns=["id"])
    converge(execute, kept)
    assert shown(execute) == {"GRANT UPDATE (`id`) ON `app`.`t` TO `app`@`%`"}
    assert converge(execute, kept) == []


@pytest.mark.usefixtures("table")
def test_a_privilege_that_was_revoked_in_part_is_granted(server: mysqld.Server, execute: Execute):
    if not read_server(execute).partial_revokes:
        pytest.skip("there are no partial revokes")
    restrict = ("GRANT EVENT ON *.* TO app", "REVOKE EVENT ON app.* FROM app")
    for statement in (*restrict, "GRANT EVENT ON app.* TO app"):
        execute(statement)
    assert shown(execute) == {"GRANT EVENT ON *.* TO `app`@`%`"}  # the restriction went, and no right came
    execute("REVOKE EVENT ON app.* FROM app")
    assert converge(execute, state_of("EVENT")) == ["revoke", "grant"]
    assert shown(execute) == {"GRANT EVENT ON `app`.* TO `app`@`%`"}


@pytest.mark.usefixtures("table")
def test_a_password_that_need_not_be_changed_any_more_does_not_expire(execute: Execute):
    """MySQL 9.7.4 writes DEFAULT into its table, and lets the password expire all the same until it starts again."""
    lifetime = ("SELECT password_lifetime FROM mysql.user WHERE User = 'app'", "SHOW CREATE USER app")
    execute("SET print_identified_with_as_hex = ON")
    execute("ALTER USER app PASSWORD EXPIRE INTERVAL 90 DAY")
    execute("ALTER USER app PASSWORD EXPIRE DEFAULT")
    assert (execute(lifetime[0]), "INTERVAL 90 DAY" in str(execute(lifetime[1]))) == ([(None,)], True)
    execute("ALTER USER app PASSWORD EXPIRE INTERVAL 90 DAY")
    assert converge(execute, state_of()) == ["alter", "alter"]
    assert (execute(lifetime[0]), "PASSWORD EXPIRE DEFAULT" in str(execute(lifetime[1]))) == ([(None,)], True)


@pytest.mark.usefixtures("table")
def test_a_plugin_that_comes_back_takes_the_same_password_again(execute: Execute):
    """The rules against an old password look at those of the same plugin in a row alone."""
    rules = Options(history=3, reuse_after_days=365)
    for plugin in ("sha256_password", "caching_sha2_password") * 2:
        desired = State(users={APP: User(APP, options=rules._replace(plugin=plugin))})
        converge(execute, desired)
        assert as_desired(read_state(execute), desired) == desired


@pytest.mark.usefixtures("table")
def test_admin_option_that_is_taken_away_leaves_the_default_role(execute: Execute):
    role = Account("app-role")
    for statement in (
        "CREATE ROLE `app-role`",
        "GRANT `app-role` TO app WITH ADMIN OPTION",
        "SET DEFAULT ROLE ALL TO app",
    ):
        execute(statement)
    member = frozenset({Grant(APP, role_scope(role), "MEMBER")})
    desired = State(users={APP: User(APP, default_roles=frozenset({role}))}, grants=member)
    assert converge(execute, desired) == ["revoke", "grant", "set"]
    assert shown(execute) == {"GRANT `app-role`@`%` TO `app`@`%`"}
    assert as_desired(read_state(execute), desired) == desired


@pytest.mark.usefixtures("table")
def test_the_option_of_a_dynamic_privilege_that_is_taken_away_leaves_the_privilege(execute: Execute):
    execute("GRANT FLUSH_STATUS ON *.* TO app WITH GRANT OPTION")
    assert converge(execute, state_of("FLUSH_STATUS", on="*")) == ["revoke", "grant"]
    assert shown(execute) == {"GRANT FLUSH_STATUS ON *.* TO `app`@`%`"}


def test_an_account_whose_host_changed_is_renamed_and_keeps_its_password(server: mysqld.Server):
    execute = execute_as(server)
    make_owners(execute)
    old, new = (
        State(users={Account("app", host): User(Account("app", host), USER_OWNER)}) for host in ("%", "127.0.0.%")
    )
    converge(execute, old)
    made = changes(new, read_state(execute), server=read_server(execute), password=hashes("another"))
    assert [change.action for change in made] == ["record", "rename", "record"]
    for change in made:
        execute(change.statement)
    server.connect("app", "s3cret").close()
    assert as_desired(read_state(execute), new) == new
    remove_all(execute)


def can_login(server: mysqld.Server, password: str) -> bool:
    try:
        server.connect("app", password).close()
    except pymysql.OperationalError as error:
        assert error.args[0] == 1045, error
        return False
    return True


@pytest.mark.parametrize(("retain", "old_works"), [(True, True), (False, False)])
def test_a_new_password_works_at_once_and_the_old_one_as_long_as_it_is_retained(
    server: mysqld.Server, retain: bool, old_works: bool
):
    execute = execute_as(server)
    running = read_server(execute)
    (create,) = changes(State(users={APP: User(APP)}), State(), server=running, password=hashes("old"))
    execute(create.statement)
    try:
        execute(set_password(APP, running.plugin, hashes("new"), retain=retain))
        assert (can_login(server, "new"), can_login(server, "old")) == (True, old_works)
    finally:
        execute(drop_user(APP))


def test_an_old_password_is_discarded_whether_there_is_one_or_not(server: mysqld.Server):
    execute = execute_as(server)
    running = read_server(execute)
    (create,) = changes(State(users={APP: User(APP)}), State(), server=running, password=hashes("old"))
    execute(create.statement)
    try:
        execute(discard_old_password(APP))
        assert can_login(server, "old")
        execute(set_password(APP, running.plugin, hashes("new"), retain=True))
        execute(discard_old_password(APP))
        assert (can_login(server, "new"), can_login(server, "old")) == (True, False)
    finally:
        execute(drop_user(APP))


@pytest.fixture
def master(server: mysqld.Server) -> Iterator[Execute]:
    """A master user like Aurora's: restricted on the schema mysql."""
    create_master(server, "master", "s3cret", partial_revokes=True)
    yield execute_as(server, "master", "s3cret")
    for name in ("master", "rdsadmin@localhost", SUPERUSER_ROLE, *AWS_ROLES):
        execute_as(server)(f"DROP USER {name}")


def test_a_master_like_auroras_can_take_away_what_it_has_given(master: Execute):
    """It is told 3879 when it revokes dynamic privileges and nothing else."""
    master("CREATE USER app")
    master("GRANT ROLE_ADMIN, XA_RECOVER_ADMIN ON *.* TO app")
    with pytest.raises(pymysql.OperationalError, match="3879"):
        master("REVOKE ROLE_ADMIN ON *.* FROM app")
    assert converge(master, State(users={APP: User(APP)})) == ["revoke", "revoke"]
    master("GRANT ROLE_ADMIN, SELECT, INSERT ON *.* TO app")
    assert converge(master, State(users={APP: User(APP)})) == ["revoke", "revoke"]
    assert of_app(read_state(master)).grants == frozenset()
    master("DROP USER app")


def test_hostile_names_pass_through_every_statement(execute: Execute):
    name = "app`'%_; DROP DATABASE mysql; --"
    account = Account(name[:32], "10.%")
    desired = State(
        {name: Database(name, "utf8mb4", "utf8mb4_bin", Owner("it's", "a 'stack'"))},
        {account: User(account, Owner("it's", "a 'user'", "/it's/a secret"))},
        expand(account, ["SELECT"], database=name, partial_revokes=read_server(execute).partial_revokes),
    )
    converge(execute, desired)
    assert as_desired(read_state(execute), desired) == desired
    assert OWNERS in read_state(execute).databases
