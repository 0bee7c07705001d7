"""Attacks on a neighbour that has done nothing wrong: none of its data is read, nothing of its own fails."""

from __future__ import annotations

from typing import Any, NamedTuple

import pymysql
import pytest

from aurora_tenants.mysql.changes import changes
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.live import read_state
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Server, State, User
from tests.lambdas.world import ONCE, PREFIX, World, database, fresh, on, ref, user

pytestmark = ONCE

NOWHERE = "1.aurora-tenants.invalid"


class Tenant(NamedTuple):
    """A stack with a database, two rows in it, and a user with all rights there that it may pass on."""

    world: World
    stack: str
    database: str
    user: str
    secret: str

    def deploy(self, *privileges: Any, **properties: Any) -> dict[str, str]:
        """What failed when its user was given other privileges."""
        app = user(self.secret, *(privileges or (on(ref("Db"), GrantOption=True),)), **properties)
        resources = {"Db": database(self.database), "App": app}
        return dict(self.world.deploy(self.stack, resources, consent=False).failures)

    def sql(self, *statements: str) -> list[Any]:
        return login(self.world, self.user, *statements)


def login(world: World, name: str, *statements: str) -> list[Any]:
    """The rows of the last statement, as this user."""
    with world.sandbox.mysql.connect(name, b"hush-0", tls=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def tenant(world: World, what: str) -> Tenant:
    stack, name, app = fresh(f"{what}stack"), fresh(what), fresh(f"{what}user")
    made = Tenant(world, stack, name, app, world.secret(app))
    assert made.deploy() == {}
    world.make_table(name)
    return made


@pytest.fixture
def evil(world: World) -> Tenant:
    return tenant(world, "evil")


@pytest.fixture
def victim(world: World) -> Tenant:
    return tenant(world, "shop")


@pytest.mark.parametrize("on_remove", ["drop", "retain"])
def test_rights_on_a_database_that_is_gone_do_not_open_the_next_of_its_name(world: World, on_remove: str) -> None:
    """MySQL keeps grants when their database is dropped, and a user that nothing happens to gets no event."""
    stack, app, name, own = fresh("stack"), fresh("evil"), fresh("shop"), fresh("own")
    arn = world.secret(app)
    both = {"Db": database(name, OnRemove=on_remove), "Own": database(own)}
    world.deploy(stack, {**both, "App": user(arn, on(ref("Db"), GrantOption=True))}, consent=False)
    world.deploy(stack, {"Own": both["Own"], "App": user(arn, on(name, GrantOption=True))}, consent=False)
    assert world.grants(app) != set()
    adopt = {"Adopt": True} if on_remove == "retain" else {}
    assert world.deploy(fresh("stack"), {"Db": database(name, **adopt)}, consent=False).failures == {}
    world.make_table(name)
    assert world.grants(app) == set()
    with pytest.raises(pymysql.OperationalError, match="denied"):
        login(world, app, f"SELECT * FROM `{name}`.t")


def test_a_routine_of_an_account_that_is_gone_does_not_run_as_the_next_of_its_name(world: World, evil: Tenant) -> None:
    squatter, later = fresh("shopuser"), fresh("shop")
    stack, arn = fresh("stack"), world.secret(squatter, name=f"{PREFIX}{fresh('squatter')}")
    world.deploy(evil.stack, {"Db": database(evil.database, SharedWith=[stack])}, consent=False)
    world.deploy(stack, {"App": user(arn, on(evil.database))}, consent=False)
    body = f"SQL SECURITY DEFINER SELECT * FROM `{later}`.t"
    login(world, squatter, f"CREATE PROCEDURE `{evil.database}`.p() {body}")
    world.delete(stack)
    assert not world.has_user(squatter)
    resources = {"Db": database(later), "App": user(world.secret(squatter), on(ref("Db")))}
    ended = world.deploy(fresh("stack"), resources, consent=False)
    reason = f"1 views, routines, triggers or events run as user {squatter}@%, who is not there"
    assert ended.failures["App"].startswith(reason)
    assert (world.has_user(squatter), world.entries(squatter)) == (False, {})


def test_no_account_can_wait_where_accounts_are_made(world: World) -> None:
    """Its owner would know the password of the account that another stack makes there."""
    name = fresh("shopuser")
    arn = world.secret(name)
    stack = fresh("stack")
    assert world.deploy(stack, {"App": user(arn)}, consent=False).failures == {}
    ended = world.deploy(stack, {"App": user(arn, Hosts=[NOWHERE])}, consent=False)
    assert ended.failures["App"].startswith(f"'{NOWHERE}' cannot be a host")
    other = fresh("stack")
    ended = world.deploy(other, {"App": user(world.secret(name, name=f"{PREFIX}{fresh('x')}"))}, consent=False)
    assert ended.failures == {"App": f"user {name} belongs to stack {stack}, resource App"}


def test_an_account_of_nobodys_where_accounts_are_made_is_not_gone_on_with() -> None:
    owner, plugin = Owner("stack", "App"), "caching_sha2_password"
    old, new, left = Account("app"), Account("app", "10.%"), Account("app", NOWHERE)
    live = State(users={it: User(it, mine, Options(plugin=plugin)) for it, mine in ((old, owner), (left, None))})
    desired = State(users={it: User(it, owner, Options(plugin=plugin)) for it in (old, new)})
    todo = changes(desired, live, server=Server("9.7.4", True, plugin))
    [made] = (change.statement for change in todo if change.action == "create")
    assert made.startswith("CREATE USER `app`@`2.aurora-tenants.invalid`")


def test_an_account_of_nobodys_is_adopted_without_its_rights_on_others(world: World, victim: Tenant) -> None:
    name = fresh("backup")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-hand'", f"GRANT SELECT ON `{victim.database}`.* TO `{name}`")
    arn = world.secret(name)
    adopting = user(arn, on(victim.database, "SELECT"), Adopt=True)
    ended = world.deploy(fresh("stack"), {"App": adopting}, consent=False)
    reason = f"nothing can be granted on database {victim.database}: it belongs to stack"
    assert ended.failures["App"].startswith(reason)
    assert (world.takes(name, "hush-hand"), world.takes(name, "hush-0")) == (True, False)


@pytest.mark.parametrize(
    "planted",
    [
        ["GRANT REFERENCES (x) ON t TO {user}", "GRANT REFERENCES (X) ON t TO {user}"],
        ["GRANT SELECT (x) ON t TO {user}", "GRANT SELECT (X) ON t TO {user}", "GRANT ALL ON t TO {user}"],
        ["GRANT EXECUTE ON PROCEDURE p TO {user} WITH GRANT OPTION", "GRANT CREATE ON z TO {user}"],
    ],
    ids=str,
)
@pytest.mark.parametrize("is_gone", [False, True])
def test_what_is_planted_stops_no_deployment(evil: Tenant, victim: Tenant, planted: list[str], is_gone: bool) -> None:
    evil.sql(
        f"USE `{evil.database}`",
        "DROP TABLE t",
        "CREATE TABLE t (x INT)",
        "CREATE PROCEDURE p() SELECT 1",
        *(statement.format(user=f"`{victim.user}`") for statement in planted),
        *([f"DROP DATABASE `{evil.database}`"] if is_gone else []),
    )
    assert victim.deploy(on(ref("Db"), "SELECT")) == {}
    assert f"GRANT SELECT ON `{victim.database}`.* TO `{victim.user}`@`%`" in victim.world.grants(victim.user)


def test_any_number_of_planted_columns_is_revoked(evil: Tenant, victim: Tenant) -> None:
    """One statement with all of them would be longer than the Data API takes."""
    columns = [f"c{number:04}{'漢' * 58}" for number in range(900)]
    listed = ", ".join(f"`{name}`" for name in columns)
    evil.sql(
        f"CREATE TABLE `{evil.database}`.wide ({', '.join(f'`{name}` TINYINT' for name in columns)})",
        f"GRANT SELECT ({listed}), INSERT ({listed}) ON `{evil.database}`.wide TO `{victim.user}`",
    )
    assert victim.deploy(on(ref("Db"), "SELECT")) == {}
    assert victim.world.grants(victim.user) == {f"GRANT SELECT ON `{victim.database}`.* TO `{victim.user}`@`%`"}


def test_long_texts_of_an_account_stop_no_plan(world: World, evil: Tenant, master: DataApi) -> None:
    require = {"Subject": "漢" * 1025}
    assert evil.deploy(on(ref("Db")), Require=require) == {"App": "Subject must not have more than 1024 characters"}
    # An account that somebody made otherwise, too.
    name = fresh("long")
    world.sql(f"CREATE USER `{name}` REQUIRE SUBJECT '{'漢' * 20_000}' ISSUER '{'漢' * 20_000}'")
    assert len(read_state(master.execute).users[Account(name)].options.require.subject) == 1025
    world.sql(f"DROP USER `{name}`")


def test_text_is_no_list(world: World) -> None:
    arn = world.secret(fresh("app"))
    ended = world.deploy(fresh("stack"), {"App": user(arn, Comment=["a"])}, consent=False)
    assert ended.failures == {"App": "Comment must be a text, not a list or a mapping"}
