"""What others left behind: who is reported, who is not, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_tenants.errors import Notice
from aurora_tenants.model import Configuration, Ignore
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.plan import make_plan
from aurora_tenants.stack import Deployed, Shared
from tests.schedule.test_template import OFFICE
from tests.values import CLUSTER, NOTHING_DEPLOYED, SERVER, SHOP, deployed, live_after, live_with, planned

STRAY = Account("stray")
PATTERNS = SERVER._replace(partial_revokes=False)
IGNORE_NOTHING = Ignore()
STRAYS = live_with(
    databases=(Database("old"), Database("kept", owner=Owner("shared-old", "DatabaseKept", released=True))),
    users=(
        User(Account("stray")),
        User(Account("shop", "10.0.0.1")),
        User(Account("left"), Owner("shared-left", "UserLeft", "s")),
    ),
)


def notices_of(
    live: Live, *, ignore: Ignore = IGNORE_NOTHING, deployed: Deployed = NOTHING_DEPLOYED
) -> tuple[Notice, ...]:
    return make_plan(Configuration(CLUSTER, (SHOP,), ignore), live, deployed).notices


def notices(
    *users: User, grants: tuple[Grant, ...] = (), ignore: Ignore | None = None, literal: bool = False
) -> list[tuple[str, str]]:
    state = State({"there": Database("there")}, {user.account: user for user in users}, frozenset(grants))
    live = Live(SERVER if literal else PATTERNS, state)
    ignore = ignore or Ignore(databases=("there",))
    return [(notice.code, notice.text) for notice in notices_of(live, ignore=ignore) if notice.code != "ignored"]


def on(database: str, level: str = "DATABASE", account: Account = STRAY) -> Grant:
    return Grant(account, Scope(level, database, "" if level == "DATABASE" else "orders"), "SELECT")


def test_a_user_that_nobody_owns():
    assert notices(User(STRAY)) == [("unmanaged-user", "user stray belongs to nobody and is not in the file")]


def test_a_role_that_nobody_owns_is_called_a_role():
    role = User(Account("readers"), options=Options(is_locked=True), is_role=True, has_no_password=True)
    assert notices(role) == [("unmanaged-role", "role readers belongs to nobody and is not in the file")]


def test_a_role_that_a_stack_let_go_of_or_left_over_is_called_a_role():
    options = Options(is_locked=True)
    owner = Owner("shared-gone", "RoleReaders")
    role = User(Account("readers"), owner, options, is_role=True, has_no_password=True)
    kept = role._replace(owner=owner._replace(adopted=True, released=True))
    assert notices(kept) == [("kept-role", "role readers was kept when stack shared-gone let go of it")]
    assert notices(role) == [
        (
            "left-over",
            "role readers was made by stack shared-gone, which does not name it any more, and was not dropped;"
            " that stack is gone: drop it by hand, or keep it by putting it back into the file with adopt: true",
        )
    ]


def test_the_hosted_functions_own_user_is_not_left_over():
    owner = Owner("shared-hosted-rotation", "User", "/shared/database/hosted_rotation")
    assert notices(User(Account("hosted_rotation"), owner)) == []
    (notice,) = notices(User(Account("hosted_rotation"), owner._replace(secret="/shared/database/another")))
    assert notice[0] == "left-over"


def test_a_user_of_a_tenants_name_at_another_host_takes_its_logins():
    assert notices(User(Account("shop", "10.%"))) == [
        (
            "unmanaged-user",
            "user shop@10.% belongs to nobody, and a client at its host logs in to it instead of the one in the file",
        )
    ]


def test_the_second_user_of_an_alternating_rotation():
    text = "user shop_clone was made by a rotation that alternates between two users; nothing rotates it any more"
    assert notices(User(Account("shop_clone"))) == [("clone-user", text)]
    assert notices(User(Account("other_clone")))[0][0] == "unmanaged-user"


def test_who_may_log_in_without_a_password():
    open_door = User(STRAY, has_no_password=True)
    assert notices(open_door)[0] == (
        "no-password",
        "user stray has no password: whoever knows its name may log in",
    )
    locked = open_door._replace(options=Options(is_locked=True))
    assert [code for code, _ in notices(locked)] == ["unmanaged-user"]


def test_the_anonymous_user_is_told_of_though_its_name_is_reserved():
    (notice,) = notices(User(Account("", "localhost")))
    assert notice == (
        "anonymous-user",
        "user ''@localhost is anonymous: whoever logs in with an unknown name gets its rights",
    )


def test_rights_on_a_database_that_is_not_there_wake_up_with_its_name():
    text = "user stray has rights on database gone, which does not exist: they take effect once it does"
    for grant in (on("gone"), on("gone", "TABLE")):
        assert notices(User(STRAY), grants=(grant, on("there")))[1:] == [("orphan-grant", text)]


@pytest.mark.parametrize("spelling", ["sho_", "sh%", "shop\\_a_"])
def test_rights_by_pattern_also_reach_databases_to_come(spelling: str):
    text = f"user stray has rights on every database that matches {spelling}, also on those to come"
    assert notices(User(STRAY), grants=(on(spelling),))[1:] == [("pattern-grant", text)]


def test_an_escaped_name_is_no_pattern_and_with_partial_revokes_none_is():
    assert [code for code, _ in notices(User(STRAY), grants=(on("gone\\_a"),))] == ["unmanaged-user", "orphan-grant"]
    assert [code for code, _ in notices(User(STRAY), grants=(on("gone_a"),), literal=True)] == [
        "unmanaged-user",
        "orphan-grant",
    ]


def test_what_the_file_ignores_is_not_told_of():
    ignore = Ignore(users=("stray",), databases=("there",))
    assert notices(User(STRAY, has_no_password=True), grants=(on("gone"), on("sh%")), ignore=ignore) == []


def test_the_servers_own_accounts_are_not_told_of():
    own = (Account("mysql.sys", "localhost"), Account("rdsadmin", "localhost"), Account("AWS_LAMBDA_ACCESS"))
    assert notices(*(User(account) for account in own)) == []


def test_another_tenants_user_is_not_told_of_as_a_stranger():
    owned = User(Account("billing"), Owner("other-billing", "UserBilling"))
    assert notices(owned, grants=(on("sh%", account=Account("billing")),)) == []


@pytest.mark.parametrize("privilege", ["CREATE USER", "GRANT OPTION", "ROLE_ADMIN"])
def test_who_can_give_itself_every_right(privilege: str):
    level = "DYNAMIC" if privilege == "ROLE_ADMIN" else "GLOBAL"
    held = Grant(STRAY, Scope(level, name=privilege if level == "DYNAMIC" else ""), privilege)
    text = f"user stray has {privilege} on *.*: it can get into every tenant's database"
    assert notices(User(STRAY), grants=(held,))[1:] == [("self-service", text)]
    assert [code for code, _ in notices(User(STRAY, options=Options(is_locked=True)), grants=(held,))] == [
        "unmanaged-user"
    ]


def test_an_account_that_gets_another_host_is_not_called_left_over():
    elsewhere = replace(SHOP, users=(replace(SHOP.users[0], hosts=("10.%",)),))
    made = planned(elsewhere, live=live_after(SHOP), deployed=deployed(SHOP))
    assert "rename" in {change.action for change in made.tenants[0].changes}
    assert made.notices == ()


def test_what_nobody_names_is_noticed_and_not_touched():
    assert notices_of(STRAYS) == (
        Notice(
            "left-over",
            "user left was made by stack shared-left, which does not name it any more, and was not dropped; "
            "that stack is gone: delete the secret s if it is still there, drop it by hand, or keep it by putting it "
            "back into the file with adopt: true",
        ),
        Notice("kept-database", "database kept was kept when stack shared-old let go of it"),
        Notice("unmanaged-database", "database old belongs to nobody and is not in the file"),
        Notice(
            "unmanaged-user",
            "user shop@10.0.0.1 belongs to nobody, and a client at its host logs in to it instead of the one in"
            " the file",
        ),
        Notice("unmanaged-user", "user stray belongs to nobody and is not in the file"),
    )


def test_what_the_file_ignores_is_not_noticed():
    ignore = Ignore(users=("st*", "left", "shop"), databases=("old", "kep?"))
    assert notices_of(STRAYS, ignore=ignore) == (
        Notice(
            "ignored",
            "3 accounts are not reported, because ignore.users names them: left, shop@10.0.0.1, stray;"
            " 1 of them can get into 1 database of 1 tenant: shop",
        ),
        Notice("ignored", "2 databases are not reported, because ignore.databases names them: kept, old"),
    )


def test_the_servers_own_and_other_stacks_things_are_not_noticed():
    live = live_with(
        databases=(Database("mysql"), Database("aurora_tenants"), Database("x", owner=Owner("service", "Database"))),
        users=(User(Account("rdsadmin", "localhost")), User(Account("service"), Owner("service", "DatabaseUser"))),
    )
    assert notices_of(live) == ()


def test_the_clusters_master_user_is_not_noticed():
    shared = Shared("shared", "arn", "secret", 1, master_user="admin")
    live = live_with(users=(User(Account("admin")),))
    assert notices_of(live, deployed=Deployed(shared, {})) == ()


def test_a_stack_that_waits_for_a_change_set_is_told_unless_the_file_has_it_made():
    deployed = Deployed(None, {}, waiting=("shared-gone", "shared-pause-schedule"))
    text = "stack {} waits for a change set that nobody has executed, and there is nothing in it; apply deletes it"
    told = [notice.text.partition(", if")[0] for notice in notices_of(live_with(), deployed=deployed)]
    assert told == [text.format(name) for name in deployed.waiting]
    cluster = replace(CLUSTER, pause_schedule=OFFICE)
    made = make_plan(Configuration(cluster, ()), live_with(), deployed)
    assert [it.code for it in made.notices] == ["waiting-stack"]


def test_a_grant_on_a_routine_that_mysql_cannot_revoke_is_told_with_the_way_out():
    account = Account("stray")
    user = User(account, options=Options(is_locked=True), objects=2)
    told = dict(notices(user, grants=(Grant(account, Scope("PROCEDURE", "shop", "größe"), "EXECUTE"),)))
    assert told["grant-not-revocable"] == (
        "user stray holds rights on procedure `shop`.`größe`, which MySQL cannot revoke: the name is not ASCII; to end"
        " them, DROP USER `stray`@`%`; 2 views, routines, triggers or events run as it, so give these another definer"
        " first"
    )
