"""What moves a saved plan and what does not, in each of the three inputs; and that what has moved is named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aurora_tenants import config
from aurora_tenants.fingerprint import Fingerprint, Place, differences, fingerprint, place_moved, with_plan
from aurora_tenants.model import Configuration, Group, Ignore, Rollout, TenantUser
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options, Require
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Contents, Database, Live, Server, State, User
from aurora_tenants.plan import make_plan
from aurora_tenants.schedule.template import Entry
from aurora_tenants.stack import Deployed, Shared, Stack, StackPlan
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.secrets import SecretDrift
from tests.values import CLUSTER, SERVER, live_after, stack_of, tenant

ROOT = Path(__file__).parents[1]
PLACE = Place("123456789012", "eu-west-1", "arn:aws:rds:eu-west-1:123456789012:cluster:one", "shared")
SHARED = Shared("shared", PLACE.cluster, "arn:secret", 3, status="UPDATE_COMPLETE")
TEXT = """
version: 1
cluster: {stack: shared, region: eu-west-1}
tenants:
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
  blog:
    databases: {blog: {}}
    users:
      blog: {privileges: [{permission: ALL, database: blog}]}
"""
SHOP_USER, BLOG_USER, DBA = Account("shop"), Account("blog"), Account("dba", "10.0.0.1")


class World(NamedTuple):
    """All that a fingerprint is made from."""

    configuration: Configuration
    live: Live
    deployed: Deployed
    place: Place = PLACE
    schedules: tuple[Entry, ...] | None = ()

    def fingerprint(self, *only: str) -> Fingerprint:
        return fingerprint(*self[:4], self.schedules, only=only)

    def planned(self, *only: str) -> Fingerprint:
        plan = make_plan(self.configuration, self.live, self.deployed, only=only)
        return with_plan(self.fingerprint(*only), plan)


def world() -> World:
    """Shop and blog are applied; there are a database and an account that are nobody's."""
    configuration = config.parse(TEXT, "tenants.yaml")
    server, state = live_after(*configuration.tenants)
    users = {**state.users, DBA: User(DBA, objects=3)}
    databases = {**state.databases, "scratch": Database("scratch")}
    live = Live(server, replace(state, users=users, databases=databases))
    stacks = {it.name: stack_of(it) for it in configuration.tenants}
    return World(configuration, live, Deployed(SHARED, stacks))


WORLD = world()


def moved(now: World, *only: str) -> tuple[str, ...]:
    return differences(WORLD.fingerprint(*only), now.fingerprint(*only))


# Something else is in one of the inputs


def in_file(old: str, new: str) -> World:
    assert old in TEXT
    return WORLD._replace(configuration=config.parse(TEXT.replace(old, new, 1), "tenants.yaml"))


def in_mysql(**changed: Any) -> World:
    return WORLD._replace(live=WORLD.live._replace(state=replace(WORLD.live.state, **changed)))


def user(account: Account, **changed: Any) -> World:
    users = WORLD.live.state.users
    return in_mysql(users={**users, account: users.get(account, User(account))._replace(**changed)})


def database(name: str, **changed: Any) -> World:
    databases = WORLD.live.state.databases
    return in_mysql(databases={**databases, name: databases.get(name, Database(name))._replace(**changed)})


def granted(account: Account, scope: Scope, privilege: str = "SELECT") -> World:
    return in_mysql(grants=WORLD.live.state.grants | {Grant(account, scope, privilege)})


def variables(**changed: Any) -> World:
    return WORLD._replace(live=WORLD.live._replace(server=SERVER._replace(**changed)))


def without(kind: str, name: Any) -> World:
    held = getattr(WORLD.live.state, kind)
    return in_mysql(**{kind: {key: value for key, value in held.items() if key != name}})


def stack(name: str, **changed: Any) -> World:
    stacks = WORLD.deployed.tenants
    return in_cloudformation(tenants={**stacks, name: replace(stacks[name], **changed)})


def in_cloudformation(**changed: Any) -> World:
    return WORLD._replace(deployed=replace(WORLD.deployed, **changed))


def shop_stack(**changed: str) -> dict[str, str]:
    return {**WORLD.deployed.tenants["shop"].outputs, **changed}


DIGEST = WORLD.deployed.tenants["shop"].outputs["Digest"]
ENTRY = Entry("awake-r1", "cron(0 7 ? * 2-6 *)", "UTC", "{}", "arn", "arn", "arn")
ORDERS = Scope("TABLE", "shop", "orders")
OF_SHOP = Owner("shared-shop", "UserShop", "/shared/database/shop")

MOVED: list[tuple[World, str]] = [
    (in_file("shop: {}}", "shop: {on_remove: drop}}"), "tenants.yaml: tenant shop was changed (databases)"),
    (in_file("ALL, database: shop", "SELECT, database: shop"), "tenants.yaml: tenant shop was changed (users)"),
    (
        in_file("    users:\n      blog", "    roles: {all: }\n    users:\n      blog"),
        "tenants.yaml: tenant blog was changed (roles)",
    ),
    (in_file("  blog:\n", "  news:\n"), "tenants.yaml: tenant blog was taken out"),
    (in_file("tenants:", "ignore: {users: [dba]}\ntenants:"), "tenants.yaml: ignore was changed (globs)"),
    (in_file(", region: eu-west-1", ", account: '123456789012'"), "tenants.yaml: cluster was changed (settings)"),
    (user(SHOP_USER, options=Options(require=Require("SSL"))), "MySQL: user shop@% was changed (options)"),
    (user(SHOP_USER, options=Options(is_locked=True)), "MySQL: user shop@% was changed (options)"),
    (user(SHOP_USER, default_roles=frozenset((Account("r"),))), "MySQL: user shop@% was changed (options)"),
    (user(SHOP_USER, has_no_password=True), "MySQL: user shop@% was changed (options)"),
    (user(SHOP_USER, objects=1), "MySQL: user shop@% was changed (options)"),
    (user(SHOP_USER, owner=None), "MySQL: user shop@% was changed (owner)"),
    (user(SHOP_USER, owner=OF_SHOP._replace(released=True)), "MySQL: user shop@% was changed (owner)"),
    (user(Account("shop", "10.%")), "MySQL: user shop@10.% was made"),
    (user(Account("old"), owner=OF_SHOP), "MySQL: user old@% was made"),
    (user(Account("shop", "h"), is_role=True), "MySQL: role shop@h was made"),
    (without("users", SHOP_USER), "MySQL: user shop@% was dropped"),
    (granted(SHOP_USER, Scope("DATABASE", "shop"), "GRANT OPTION"), "MySQL: user shop@% was changed (privileges)"),
    (granted(BLOG_USER, Scope("TABLE", "shop", "t")), "MySQL: user blog@% was changed (privileges)"),
    (in_mysql(definers={SHOP_USER: 2}), "MySQL: what runs as shop@%, who is not there, was made"),
    (in_mysql(missing=frozenset((ORDERS,))), "MySQL: table shop.orders is not there any more"),
    (
        in_mysql(unseen=frozenset((ORDERS._replace(level="COLUMN", column="id"),))),
        "MySQL: column shop.orders.id is not there any more",
    ),
    (database("shop", collation="latin1_bin"), "MySQL: database shop was changed (character set)"),
    (database("shop", owner=Owner("shared-other", "DatabaseShop")), "MySQL: database shop was changed (owner)"),
    (database("shop", shared_with=frozenset(("shared-blog",))), "MySQL: database shop was changed (shares)"),
    (database("shop", withdrawn_from=frozenset(("shared-blog",))), "MySQL: database shop was changed (shares)"),
    (database("other", owner=Owner("shared-shop", "DatabaseOther")), "MySQL: database other was made"),
    (without("databases", "shop"), "MySQL: database shop was dropped"),
    (variables(partial_revokes=False), "MySQL: the server was changed (variables)"),
    (variables(lower_case_names=True), "MySQL: the server was changed (variables)"),
    (variables(mandatory_roles=(Account("all"),)), "MySQL: the server was changed (variables)"),
    (variables(version="8.4.3"), "MySQL: the server was changed (version 8.0.42, now 8.4.3)"),
    (
        stack("shop", status="UPDATE_ROLLBACK_COMPLETE"),
        "CloudFormation: stack shared-shop was changed (status CREATE_COMPLETE, now UPDATE_ROLLBACK_COMPLETE)",
    ),
    (
        stack("shop", outputs=shop_stack(Digest="0f")),
        f"CloudFormation: stack shared-shop was changed (template {DIGEST}, now 0f)",
    ),
    (
        stack("shop", parameters={"Revision": "2"}),
        "CloudFormation: stack shared-shop was changed (revision)",
    ),
    (stack("shop", outputs=shop_stack(More="x")), "CloudFormation: stack shared-shop was changed (outputs)"),
    (
        stack("shop", parameters={"Revision": "1", "Other": "x"}),
        "CloudFormation: stack shared-shop was changed (parameters)",
    ),
    (stack("shop", role_arn="arn:role"), "CloudFormation: stack shared-shop was changed (role)"),
    (stack("shop", id="another"), "CloudFormation: stack shared-shop was changed (id)"),
    (in_cloudformation(tenants={"shop": stack_of(tenant("shop"))}), "CloudFormation: stack shared-blog was deleted"),
    (
        in_cloudformation(shared=replace(SHARED, version=4)),
        "CloudFormation: stack shared was changed (version 3, now 4; outputs)",
    ),
    (in_cloudformation(shared=replace(SHARED, role_arn="arn")), "CloudFormation: stack shared was changed (outputs)"),
    (
        in_cloudformation(others=frozenset(("shared-pause-schedule",))),
        "CloudFormation: stack shared-pause-schedule, of somebody else, was made",
    ),
    (
        in_cloudformation(pause_schedule=Stack("shared-pause-schedule", "CREATE_COMPLETE")),
        "CloudFormation: stack shared-pause-schedule was made",
    ),
    (WORLD._replace(schedules=(ENTRY,)), "EventBridge Scheduler: the pause schedule was changed (schedules)"),
    (WORLD._replace(schedules=None), "EventBridge Scheduler: the pause schedule was changed (schedules)"),
    (
        WORLD._replace(place=PLACE._replace(account="210987654321")),
        "the plan was made for account 123456789012, and this is 210987654321",
    ),
    (
        WORLD._replace(place=PLACE._replace(region="us-east-1")),
        "the plan was made for region eu-west-1, and this is us-east-1",
    ),
    (
        WORLD._replace(place=PLACE._replace(cluster="arn:other")),
        f"the plan was made for cluster {PLACE.cluster}, and this is arn:other",
    ),
    (
        WORLD._replace(place=PLACE._replace(stack="other")),
        "the plan was made for shared stack shared, and the file names other",
    ),
]


@pytest.mark.parametrize(("now", "sentence"), MOVED, ids=[sentence for _, sentence in MOVED])
def test_what_has_moved_is_named(now: World, sentence: str):
    assert sentence in moved(now)


@pytest.mark.parametrize(("now", "sentence"), MOVED, ids=[sentence for _, sentence in MOVED])
def test_nothing_else_is_named(now: World, sentence: str):
    """But a tenant that another took the place of."""
    assert len(moved(now)) == 1 + ("taken out" in sentence)


UNMOVED: dict[str, World] = {
    "a comment and empty lines in the file": in_file("tenants:", "# who\n\n\ntenants:   # all"),
    "the order of the tenants": WORLD._replace(
        configuration=replace(WORLD.configuration, tenants=WORLD.configuration.tenants[::-1])
    ),
    "a default that is written out": in_file("blog: {}}", "blog: {on_remove: retain}}"),
    "an account of nobody": user(Account("intern")),
    "what an account of nobody holds": granted(DBA, Scope("GLOBAL"), "RELOAD"),
    "how many objects run as an account": user(DBA, objects=7),
    "a database of nobody": database("more"),
    "another's database": database("scratch", collation="latin1_bin"),
    "how many connections the server takes": variables(max_connections=90, max_user_connections=45),
    "what runs as somebody whom the file does not name": in_mysql(definers={Account("gone"): 2}),
    "a stack of somebody else": in_cloudformation(others=frozenset(("website",))),
    "another shared stack": in_cloudformation(shared_stacks=("shared", "second")),
}


def rolled_out(*groups: tuple[str, str], stop_after: int | None = None, pauses: bool = False) -> World:
    """With a rollout whose groups have a name and a glob each. pauses: after the first one."""
    made = (Group(name, (glob,), pauses and not number) for number, (name, glob) in enumerate(groups))
    configuration = replace(WORLD.configuration, rollout=Rollout(tuple(made), stop_after))
    return WORLD._replace(configuration=configuration)


BY_GROUP = rolled_out(("canary", "shop"), ("rest", "*"))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (WORLD, "the rollout was taken out"),
        (rolled_out(("canary", "blog"), ("rest", "*")), "the rollout was changed (groups)"),
        (rolled_out(("canary", "shop"), ("rest", "*"), pauses=True), "the rollout was changed (groups)"),
        (rolled_out(("canary", "shop"), ("last", "*")), "the rollout was changed (groups)"),
        (
            rolled_out(("canary", "shop"), ("rest", "*"), stop_after=2),
            "the rollout was changed (stop_after None, now 2)",
        ),
    ],
)
def test_the_order_in_which_tenants_are_deployed_moves_a_plan(now: World, said: str):
    assert differences(BY_GROUP.fingerprint(), now.fingerprint()) == (f"tenants.yaml: {said}",)


def test_a_glob_that_means_the_same_tenants_moves_no_plan_and_a_tenant_elsewhere_none_of_its_group():
    same = rolled_out(("canary", "sh*"), ("rest", "[a-z]*"))
    assert differences(BY_GROUP.fingerprint(), same.fingerprint()) == ()
    other = rolled_out(("first", "shop"), ("rest", "*"))
    assert differences(BY_GROUP.fingerprint("blog"), other.fingerprint("blog")) == ()


@pytest.mark.parametrize("now", UNMOVED.values(), ids=UNMOVED)
def test_what_no_plan_depends_on_moves_none(now: World):
    assert moved(now) == ()


def test_more_objects_of_an_account_move_nothing_but_the_first_do():
    some, more = user(SHOP_USER, objects=1), user(SHOP_USER, objects=50)
    assert differences(some.fingerprint(), more.fingerprint()) == ()


def test_what_the_file_names_and_was_not_there_is_there_now():
    missing, unseen = in_mysql(missing=frozenset((ORDERS,))), in_mysql(unseen=frozenset((ORDERS,)))
    assert differences(missing.fingerprint(), WORLD.fingerprint()) == ("MySQL: table shop.orders is there now",)
    assert differences(missing.fingerprint("blog"), WORLD.fingerprint("blog")) == ()
    assert differences(missing.fingerprint(), unseen.fingerprint()) == (
        "MySQL: table shop.orders was changed (state missing, now not to be seen)",
    )


def test_a_database_to_drop_moves_a_plan_when_something_comes_to_be_in_it_and_not_when_it_grows():
    none, some, more = (in_mysql(contents={"shop": Contents(tables, 0, 0)}).fingerprint() for tables in (0, 1, 31))
    assert differences(none, some) == ("MySQL: database shop was changed (contents no table, now some)",)
    assert differences(some, more) == ()


# A plan of some tenants

OF_BLOG = [(now, sentence) for now, sentence in MOVED if "blog" in sentence.partition("(")[0]]


@pytest.mark.parametrize(("now", "sentence"), OF_BLOG, ids=[sentence for _, sentence in OF_BLOG])
def test_what_concerns_another_tenant_does_not_move_the_plan_of_one(now: World, sentence: str):
    assert len(OF_BLOG) >= 4
    assert (moved(now, "shop"), sentence in moved(now, "blog")) == ((), True)


def test_what_concerns_it_moves_the_plan_of_one_tenant():
    for now in (in_file("ALL, database: shop", "SELECT, database: shop"), user(SHOP_USER, owner=None)):
        assert moved(now, "shop") == moved(now) != ()
    assert moved(stack("shop", status="UPDATE_COMPLETE"), "shop") != ()


def test_a_database_of_another_tenant_on_which_something_is_granted_moves_the_plan_of_one():
    wanted = "[{permission: ALL, database: shop}, {permission: SELECT, database: blog}]"
    text = TEXT.replace("[{permission: ALL, database: shop}]", wanted)
    text = text.replace("{blog: {}}", "{blog: {shared_with: [shop]}}")
    reader = WORLD._replace(configuration=config.parse(text, "tenants.yaml"))
    now = reader._replace(live=database("blog", shared_with=frozenset(("shared-shop",))).live)
    assert differences(reader.fingerprint("shop"), now.fingerprint("shop")) == (
        "MySQL: database blog was changed (shares)",
    )


def test_what_concerns_the_tenant_that_something_comes_from_moves_the_plan_of_the_receiver():
    (shop, blog) = WORLD.configuration.tenants
    receiver = replace(shop, databases=(*shop.databases, replace(blog.databases[0], moved_from="blog")))
    configuration = replace(WORLD.configuration, tenants=(receiver, replace(blog, databases=())))
    before = WORLD._replace(configuration=configuration)
    now = before._replace(deployed=stack("blog", status="UPDATE_COMPLETE").deployed)
    assert len(differences(before.fingerprint("shop"), now.fingerprint("shop"))) == 1


def test_a_name_that_a_user_had_before_is_looked_at():
    (shop, blog) = WORLD.configuration.tenants
    renamed = replace(shop, users=(replace(shop.users[0], name="seller", renamed_from="shop"),))
    before = WORLD._replace(configuration=replace(WORLD.configuration, tenants=(renamed, blog)))
    now = before._replace(live=user(SHOP_USER, owner=None).live)
    assert differences(before.fingerprint("shop"), now.fingerprint("shop")) == (
        "MySQL: user shop@% was changed (owner)",
    )


def test_names_are_compared_as_the_server_stores_them():
    shop = tenant("Shop")
    before = WORLD._replace(configuration=Configuration(CLUSTER, (shop,)), live=variables(lower_case_names=True).live)
    now = before._replace(live=Live(before.live.server, database("shop", owner=None).live.state))
    assert differences(before.fingerprint("Shop"), now.fingerprint("Shop")) == (
        "MySQL: database shop was changed (owner)",
    )


# What is planned


def test_what_is_planned_is_compared_once_it_is_known_on_both_sides():
    saved = in_file("ALL, database: shop", "SELECT, database: shop").planned()
    now = WORLD.planned()
    same_inputs = replace(now, file=saved.file)
    assert differences(saved, replace(same_inputs, planned=None)) == ()
    assert differences(saved, same_inputs) == ("the plan: tenant shop was taken out",)


def test_a_plan_that_does_something_else_is_named():
    saved = in_file("ALL, database: shop", "SELECT, database: shop").planned()
    other = in_file("ALL, database: shop", "INSERT, database: shop").planned()
    (sentence,) = differences(saved, replace(other, file=saved.file))
    assert sentence == "the plan: tenant shop was changed (stack; statements)"


def test_an_account_of_nobody_that_can_get_in_now_moves_the_plan():
    now = granted(DBA, Scope("DATABASE", "shop"))
    assert differences(WORLD.planned(), now.planned()) == (
        "the plan: the access of dba@10.0.0.1 to others' databases was added",
    )


def test_how_a_difference_of_a_secret_is_said_moves_nothing_and_what_heals_it_does():
    plan = make_plan(WORLD.configuration, WORLD.live, WORLD.deployed)

    def with_drift(*drift: SecretDrift) -> Fingerprint:
        (shop, blog) = plan.tenants
        healed = replace(shop, stack=replace(shop.stack, action="update"), secrets=drift)
        return with_plan(WORLD.fingerprint(), replace(plan, tenants=(healed, blog)))

    overdue = SecretDrift("shop", "/shared/database/shop", "rotation: overdue by 1 day", ("rotate",))
    assert differences(with_drift(overdue), with_drift(overdue._replace(what="rotation: overdue by 2 days"))) == ()
    secret = "Secrets Manager: secret /shared/database/shop"
    assert differences(with_drift(overdue), with_drift(overdue._replace(heals=("remake",)))) == (
        f"{secret} was changed (healed by rotate, now remake)",
    )
    assert differences(with_drift(), with_drift(overdue)) == (f"{secret} differs now",)
    assert differences(with_drift(overdue), with_drift()) == (f"{secret} differs no more",)


def test_what_follows_from_something_else_that_has_moved_is_not_said_beside_it():
    now = in_file("ALL, database: shop", "SELECT, database: shop")
    assert differences(WORLD.planned(), now.planned()) == ("tenants.yaml: tenant shop was changed (users)",)


# Everything that there is


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (TenantPlan, "name stack changes live desired refusals not_shared secrets moves waits"),
        (State, "databases users grants definers missing unseen contents"),
        (Deployed, "shared tenants others pause_schedule shared_stacks made waiting"),
        (Stack, "name status reason tags parameters outputs exports id role_arn is_by_others is_edited"),
        (Configuration, "cluster tenants ignore rollout"),
        (Server, "version partial_revokes plugin lower_case_names charset collation mandatory_roles max_connections "
         "max_user_connections"),
        (User, "account owner options default_roles is_role has_no_password restrictions objects is_expired"),
        (Database, "name charset collation owner shared_with withdrawn_from"),
    ],
)  # fmt: skip
def test_whether_a_field_moves_a_plan_was_decided_for_each(kind: Any, known: str):
    """A new one: let fingerprint.py count it, or leave it out if it changes by itself; then name it here."""
    names = getattr(kind, "_fields", None) or tuple(each.name for each in fields(kind))
    assert [*names] == known.split()


def test_every_field_of_what_is_compared_as_a_whole_has_a_digest():
    """Of a StackPlan, a Shared and an Ignore, what is added to them later counts without a word."""
    assert {each.name for kind in (StackPlan, Shared, Ignore) for each in fields(kind) if not each.compare} == set()
    assert {each.name for each in fields(TenantUser) if not each.compare} == {"where"}


def test_every_process_makes_the_same_fingerprint():
    """Whose sets come in another order."""
    code = (
        "from tests.test_fingerprint import WORLD, in_file\n"
        "print(in_file('ALL, database: shop', 'SELECT, database: shop').planned(), WORLD.planned())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_the_place_is_compared_before_anything_is_read():
    assert place_moved(PLACE, PLACE.account, PLACE.region) == ()
    assert len(place_moved(PLACE, "210987654321", "us-east-1")) == 2
