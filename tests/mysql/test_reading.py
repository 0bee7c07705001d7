"""Reading a server with several statements at once: what comes of it, in which order, and what when one fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurora_sandbox import mysqld
from aurora_tenants.errors import DatabaseError
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.live import Execute, read_server, read_state
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.objects import NOTHING, Asked
from aurora_tenants.mysql.owners import OWNERS, Owner, forget_owner, record_owner
from aurora_tenants.mysql.reading import read
from aurora_tenants.mysql.state import Live
from tests.mysql_server import data_api, execute_as, make_owners

OWNER = Owner("shared-app", "UserApp", "/shared/database/app")
NAMES = ("app_1", "app_2", "ä'b")
ACCOUNTS = tuple(f"`{name}`@`{host}`" for name in NAMES for host in ("%", "10.0.0.%"))


@pytest.fixture
def root(server: mysqld.Server) -> Iterator[Execute]:
    """Root on a server with the schema of owners; what the test makes goes away afterwards."""
    execute = execute_as(server)
    make_owners(execute)
    data_api(server)  # its user stays
    before = read_state(execute)
    yield execute
    after = read_state(execute)
    for account in after.users.keys() - before.users.keys():
        execute(f"DROP USER {account}")
    for name in after.databases.keys() - before.databases.keys():
        execute(f"DROP DATABASE `{name}`")
    for kind in ("databases", "users", "shares"):
        execute(f"DELETE FROM {OWNERS}.`{kind}` WHERE stack LIKE 'shared-%'")


@dataclass
class Watched:
    """A client that counts, and may fail. before: called with each statement, before it is sent."""

    client: Any
    before: Callable[[str], None] = lambda _: None
    statements: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def execute_statement(self, **parameters: Any) -> Any:
        with self.lock:
            self.statements.append(parameters["sql"])
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.before(parameters["sql"])
            return self.client.execute_statement(**parameters)
        finally:
            with self.lock:
                self.at_once -= 1


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ExecuteStatement")


def watched(server: mysqld.Server, before: Callable[[str], None] = lambda _: None, **options: Any) -> DataApi:
    api = data_api(server)
    return replace(api, client=Watched(api.client, before), **options)


def changes() -> st.SearchStrategy[str]:
    """What may be done to a server; much of it is refused, as what is there already."""
    name, account = st.sampled_from(NAMES), st.sampled_from(ACCOUNTS)
    owner = st.builds(
        lambda kind, name, adopted: record_owner(kind, name, OWNER._replace(adopted=adopted)),
        st.sampled_from(["databases", "users"]),
        st.sampled_from([*NAMES, "app_1@%", "app_2@10.0.0.%"]),
        st.booleans(),
    )
    return st.one_of(
        st.builds("CREATE DATABASE `{}`".format, name),
        st.builds("DROP DATABASE `{}`".format, name),
        st.builds("CREATE TABLE `{}`.t (id INT, country INT)".format, name),
        st.builds("CREATE SQL SECURITY INVOKER VIEW `{}`.v AS SELECT 1 AS a".format, name),
        st.builds("CREATE USER {}".format, account),
        st.builds("CREATE ROLE {}".format, account),
        st.builds("DROP USER {}".format, account),
        st.builds("GRANT SELECT, DROP ON `{}`.* TO {} WITH GRANT OPTION".format, name, account),
        st.builds("GRANT SELECT, INSERT (id) ON `{}`.t TO {}".format, name, account),
        st.builds("GRANT ROLE_ADMIN, PROCESS ON *.* TO {}".format, account),
        st.builds("GRANT {} TO {}".format, account, account),
        st.builds("SET DEFAULT ROLE ALL TO {}".format, account),
        owner,
        st.builds(
            f'INSERT INTO {OWNERS}.shares VALUES ("{{}}", "shared-{{}}", {{}})'.format, name, name, st.booleans()
        ),
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    done=st.lists(changes(), max_size=40), grants=st.sets(st.sampled_from(NAMES)), sizes=st.sets(st.sampled_from(NAMES))
)
def test_several_statements_at_once_read_what_one_after_the_other_reads(
    server: mysqld.Server, root: Execute, done: list[str], grants: set[str], sizes: set[str]
):
    for statement in done:
        try:
            root(statement)
        except Exception as error:  # as the driver has it: MySQL's refusal
            assert error.args[0] in REFUSALS, (statement, error)
    asked = Asked(
        frozenset(Grant(Account("app_1"), Scope("TABLE", name, "t"), "SELECT") for name in grants), frozenset(sizes)
    )
    expected = Live(read_server(root), read_state(root, asked))
    assert read(data_api(server), lambda _: asked) == expected
    assert read(data_api(server)) == Live(expected.server, read_state(root, NOTHING))


# There already, not there, no such account, role or user: what comes of changes in any order.
REFUSALS = {1007, 1008, 1046, 1049, 1050, 1062, 1146, 1133, 1396, 1410, 3523, 3530}


def test_a_server_without_the_schema_of_owners(server_without_partial_revokes: mysqld.Server):
    execute, api = execute_as(server_without_partial_revokes), data_api(server_without_partial_revokes)
    assert read(api) == Live(read_server(execute), read_state(execute))


def test_a_plan_that_looks_for_nothing_is_eleven_statements_of_which_four_are_under_way_at_once(
    server: mysqld.Server, root: Execute
):
    meet = threading.Barrier(4, timeout=30)
    reads_lanes = iter([False, *[True] * 4])
    lock = threading.Lock()

    def before(_: str) -> None:
        with lock:
            is_first_of_lane = next(reads_lanes, False)
        if is_first_of_lane:
            meet.wait()  # all four are sent before one of them is answered

    api = watched(server, before)
    read(api)
    assert (len(api.client.statements), api.client.most_at_once) == (11, 4)


def test_what_comes_into_being_meanwhile_is_never_seen_as_nobodys(server: mysqld.Server, root: Execute):
    """Its entry is recorded first, as the provider does."""
    done, api = threading.Event(), data_api(server)

    def make() -> None:
        execute = execute_as(server)
        try:
            for number in range(60):
                name = f"new{number}"
                execute(record_owner("databases", name, OWNER))
                execute(f"CREATE DATABASE {name}")
                execute(record_owner("users", f"{name}@%", OWNER))
                execute(f"CREATE USER {name}")
                execute(f"GRANT ALL ON {name}.* TO {name}")
                if number % 2:
                    execute(f"DROP USER new{number - 1}")
        finally:
            done.set()

    thread = threading.Thread(target=make)
    thread.start()
    seen = 0
    while not done.is_set():
        _, state = read(api)
        new = [user for account, user in state.users.items() if account.user.startswith("new")]
        made = [database for name, database in state.databases.items() if name.startswith("new")]
        assert [each for each in (*new, *made) if each.owner is None] == []
        seen = max(seen, len(new))
    thread.join()
    for number in range(60):
        root(forget_owner("databases", f"new{number}"))
    assert seen


@pytest.mark.parametrize("part", ["tables_priv", "global_variables", ".definers", "SCHEMATA"])
def test_a_statement_that_is_refused_ends_the_reading(server: mysqld.Server, root: Execute, part: str):
    def before(statement: str) -> None:
        if part in statement:
            raise refused("BadRequestException", f"refused: {part}")

    with pytest.raises(DatabaseError, match=f"refused: {part}"):
        read(watched(server, before))


def test_of_several_that_are_refused_the_first_is_told(server: mysqld.Server, root: Execute):
    def before(statement: str) -> None:
        if "global_variables" not in statement:
            raise refused("BadRequestException", "accounts" if ".accounts" in statement else "another")

    for _ in range(20):
        with pytest.raises(DatabaseError) as caught:
            read(watched(server, before))
        assert "another" not in str(caught.value) or "accounts" not in str(caught.value)


def test_one_that_is_refused_ends_what_the_others_wait_for(server: mysqld.Server, root: Execute):
    """The cluster is as if paused for all but one lane, which says that it is of no use."""
    slept = list[float]()

    def before(statement: str) -> None:
        if ".tables_priv" in statement:
            raise refused("BadRequestException", "of no use")
        if "global_variables" not in statement:
            raise refused("DatabaseResumingException")

    with pytest.raises(DatabaseError, match="of no use"):
        read(watched(server, before, sleep=slept.append, wait_seconds=1e9))


def test_a_cluster_that_pauses_in_between_is_waited_for_once_and_told_once(server: mysqld.Server, root: Execute):
    """Four lanes that wait three seconds each have waited three seconds together, not twelve."""
    told, seen, lock = list[str](), set[str](), threading.Lock()

    def before(statement: str) -> None:
        with lock:
            is_new = statement not in seen
            seen.add(statement)
        if is_new:
            raise refused("DatabaseResumingException")

    api = watched(
        server, before, sleep=lambda _: None, wait_seconds=13, woken=lambda: told.append("woken"), now=lambda: 0.0
    )
    assert read(api) == Live(read_server(root), read_state(root))
    assert told == ["woken"]


def test_the_first_statement_and_the_others_share_the_time_to_wait(server: mysqld.Server, root: Execute):
    count, passed = 0, list[float]()

    def before(statement: str) -> None:
        nonlocal count
        if "global_variables" in statement and count < 3:
            count += 1
            raise refused("DatabaseResumingException")
        if "columns_priv" in statement:
            raise refused("DatabaseResumingException")

    with pytest.raises(DatabaseError, match="did not answer within 1 s"):
        read(watched(server, before, sleep=passed.append, wait_seconds=10, now=lambda: sum(passed)))


def test_what_is_raised_while_waiting_is_raised(server: mysqld.Server, root: Execute):
    """As of a cluster that is stopped; another lane that waits as well does not ask again."""
    asked = list[str]()

    def before(statement: str) -> None:
        if "global_variables" not in statement:
            raise refused("ThrottlingException", "slowly")

    def waiting(reason: str) -> None:
        asked.append(reason)
        raise LookupError("it is stopped")

    with pytest.raises(LookupError, match="it is stopped"):
        read(watched(server, before, sleep=lambda _: None, waiting=waiting))
    assert asked == ["slowly"]


def test_what_is_looked_for_may_fail(server: mysqld.Server, root: Execute):
    def looked_for(_: object) -> Asked:
        raise LookupError("the stacks could not be read")

    with pytest.raises(LookupError, match="the stacks could not be read"):
        read(data_api(server), looked_for)
