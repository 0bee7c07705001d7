"""What a file names and MySQL does not have: what is asked, what waits for it, and what would fail without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from aurora_tenants.model import Configuration, Privilege, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.grants import Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.objects import sought
from aurora_tenants.mysql.state import Contents, Live, Server
from aurora_tenants.naming import logical_id
from aurora_tenants.plan import Plan
from aurora_tenants.safety import dangers
from aurora_tenants.stack import Deployed
from aurora_tenants.tenant.missing import asked
from tests.values import CLUSTER, EMPTY, NOTHING_DEPLOYED, SERVER, deployed, live_after, planned, stack_of, tenant

ORDERS = Scope("TABLE", "shop", "orders")
ID, COUNTRY = (ORDERS._replace(level="COLUMN", column=name) for name in ("id", "country"))
REPORT = Scope("PROCEDURE", "shop", "report")


def shop(*privileges: Privilege, name: str = "shop-report") -> Tenant:
    """A tenant with a database and a user that has these privileges."""
    return Tenant("shop", (TenantDatabase("shop"),), (TenantUser(name, privileges),))


def on_orders(*columns: str, when_missing: str = "fail") -> Privilege:
    return Privilege(("SELECT",), "shop", "orders", columns, when_missing=when_missing)


def without(live: Live, *missing: Scope, unseen: Iterable[Scope] = ()) -> Live:
    """The same where this was looked for and is not there."""
    return live._replace(state=replace(live.state, missing=frozenset(missing), unseen=frozenset(unseen)))


def told(plan: Plan) -> list[tuple[str, str]]:
    return [(problem.code, problem.what) for problem in plan.problems]


def waits(plan: Plan) -> list[str]:
    return [notice.text for notice in plan.notices if notice.code == "waits"]


def ran(plan: Plan) -> list[str]:
    return [change.statement for change in plan.tenants[0].changes if change.action in ("grant", "revoke")]


# What is asked


def asked_for(it: Tenant, server: Server = SERVER) -> frozenset[Scope]:
    return sought(asked(Configuration(CLUSTER, (it,)), NOTHING_DEPLOYED, server).grants, ())


def test_what_privileges_are_on_is_asked_and_nothing_else():
    report = Privilege(("EXECUTE",), "shop", procedure="Report")
    net = Privilege(("EXECUTE",), "shop", function="net")
    it = shop(on_orders("ID"), report, net, Privilege(("ALL",), "shop"), Privilege(("PROCESS",), "*"))
    assert asked_for(it) == {ORDERS, ID, REPORT, Scope("FUNCTION", "shop", "net")}


def test_roles_and_every_host_ask():
    users = (TenantUser("u", (on_orders(),), hosts=("10.0.0.1", "10.0.0.2")),)
    it = Tenant("shop", users=users, roles=(TenantRole("r", (on_orders(),)),))
    accounts = {grant.account for grant in asked(Configuration(CLUSTER, (it,)), NOTHING_DEPLOYED, SERVER).grants}
    assert accounts == {Account("u", "10.0.0.1"), Account("u", "10.0.0.2"), Account("r")}


def test_a_file_without_such_privileges_asks_nothing():
    assert not any(asked(Configuration(CLUSTER, (tenant("shop"),)), deployed(tenant("shop")), SERVER))


def test_databases_are_measured_that_the_file_no_longer_names():
    old, kept = tenant("Old", on_remove="drop"), tenant("kept", on_remove="drop")
    file = Configuration(CLUSTER, (kept,))
    assert asked(file, deployed(old, kept, tenant("retained")), SERVER).databases == {"Old"}
    folding = SERVER._replace(lower_case_names=True)
    assert asked(file, deployed(old, kept), folding).databases == {"old"}


def test_names_are_asked_as_the_server_stores_them():
    it = Tenant("shop", users=(TenantUser("u", (Privilege(("SELECT",), "Shop", "Orders"),)),))
    assert asked_for(it, SERVER._replace(lower_case_names=True)) == {ORDERS}


# What would fail


def test_a_grant_on_a_table_that_is_not_there_is_a_problem_with_a_way_out():
    (problem,) = planned(shop(on_orders()), live=without(EMPTY, ORDERS)).problems
    assert (problem.code, problem.context) == ("unknown-table", "tenant shop")
    assert problem.what == "table shop.orders does not exist, and user shop-report is to be granted SELECT on it"
    assert problem.why == (
        "MySQL grants nothing on a table that does not exist (1146); its database does not exist yet"
    )
    assert problem.fix.startswith("run the migration first, or set when_missing: skip")


def test_columns_of_a_table_that_is_not_there_are_told_once():
    it = shop(on_orders("id", "country"))
    what = "table shop.orders does not exist, and user shop-report is to be granted SELECT (country), SELECT (id) on it"
    assert told(planned(it, live=without(EMPTY, ORDERS, ID, COUNTRY))) == [("unknown-table", what)]


def test_a_column_that_is_not_there_is_told_by_its_name():
    it = shop(on_orders("id", "Country"))
    what = "column shop.orders.country does not exist, and user shop-report is to be granted SELECT on it"
    assert told(planned(it, live=without(EMPTY, COUNTRY))) == [("unknown-column", what)]


def test_a_routine_that_is_not_there_is_told():
    it = shop(Privilege(("ALL",), "shop", procedure="Report"))
    what = "procedure shop.report does not exist, and user shop-report is to be granted ALL on it"
    assert told(planned(it, live=without(EMPTY, REPORT))) == [("unknown-routine", what)]


def test_what_is_held_already_needs_nothing():
    """MySQL keeps a grant whose table is dropped, and the plan has no GRANT that could fail."""
    for when_missing in ("fail", "skip"):
        it = shop(on_orders(when_missing=when_missing))
        plan = planned(it, live=without(live_after(it), ORDERS), deployed=deployed(it))
        assert (plan.problems, waits(plan), plan.stacks) == ((), [], ())


# What waits


def test_what_may_wait_is_a_notice_and_not_part_of_the_plan():
    it = shop(on_orders(when_missing="skip"), Privilege(("INSERT",), "shop"))
    plan = planned(it, live=without(EMPTY, ORDERS))
    assert plan.problems == ()
    assert waits(plan) == [
        "user shop-report waits for table shop.orders with SELECT; granted by the first apply after the migration"
    ]
    assert ran(plan) == ["GRANT INSERT ON `shop`.* TO `shop-report`@`%`"]


def test_while_it_waits_nothing_is_left_to_do():
    it = shop(on_orders(when_missing="skip"))
    live = without(live_after(it), ORDERS)
    without_grant = live._replace(state=replace(live.state, grants=frozenset()))
    assert planned(it, live=without_grant, deployed=deployed(it)).stacks == ()


def test_once_it_is_there_the_grant_is_shown_with_its_reason():
    it = shop(on_orders(when_missing="skip"))
    live = live_after(it)._replace(state=replace(live_after(it).state, grants=frozenset()))
    plan = planned(it, live=live, deployed=deployed(it))
    assert ran(plan) == ["GRANT SELECT ON `shop`.`orders` TO `shop-report`@`%`"]
    (change,) = plan.tenants[0].changes
    assert change.why == "it has waited for this to be there, or somebody revoked it"
    assert (plan.tenants[0].stack.action, plan.tenants[0].stack.origin) == ("update", "drift")


def test_a_grant_that_never_waited_was_revoked():
    it = shop(on_orders())
    live = live_after(it)._replace(state=replace(live_after(it).state, grants=frozenset()))
    (change,) = planned(it, live=live, deployed=deployed(it)).tenants[0].changes
    assert change.why == ""


def test_each_column_waits_for_itself():
    it = shop(on_orders("id", "country", when_missing="skip"))
    plan = planned(it, live=without(EMPTY, COUNTRY))
    assert ran(plan) == ["GRANT SELECT (`id`) ON `shop`.`orders` TO `shop-report`@`%`"]
    assert waits(plan) == [
        "user shop-report waits for column shop.orders.country with SELECT; "
        "granted by the first apply after the migration"
    ]


def test_what_one_entry_waits_for_and_another_does_not_is_a_problem():
    it = shop(on_orders(when_missing="skip"), on_orders())
    assert [code for code, _ in told(planned(it, live=without(EMPTY, ORDERS)))] == ["unknown-table"]


def test_where_nobody_can_look_what_may_wait_does_and_the_rest_is_left_to_mysql():
    it = Tenant(
        "shop",
        (TenantDatabase("shop"),),
        (TenantUser("a", (on_orders(when_missing="skip"),)), TenantUser("b", (on_orders(),))),
    )
    plan = planned(it, live=without(EMPTY, unseen=(ORDERS,)))
    assert plan.problems == ()
    assert ran(plan) == ["GRANT SELECT ON `shop`.`orders` TO `b`@`%`"]
    assert waits(plan) == [
        "user a waits for table shop.orders with SELECT; whether it is there cannot be seen: granted by the next "
        "deployment of the tenant if it is there then"
    ]
    (unseen,) = (notice.text for notice in plan.notices if notice.code == "unseen-objects")
    assert unseen.endswith("to see it, run: aurora-tenants shared repair --stack shared")


def test_an_account_that_gets_another_host_keeps_what_it_holds():
    before, after = (
        Tenant("shop", (TenantDatabase("shop"),), (TenantUser("u", (on_orders(when_missing="skip"),), hosts=(host,)),))
        for host in ("10.0.0.1", "10.0.0.2")
    )
    plan = planned(after, live=without(live_after(before), ORDERS), deployed=deployed(before))
    assert (waits(plan), ran(plan)) == ([], [])
    assert plan.tenants[0].desired.users.keys() == {Account("u", "10.0.0.2")}


def test_a_user_that_gets_another_name_keeps_what_it_holds():
    before, after = (
        Tenant("shop", (TenantDatabase("shop"),), (TenantUser(name, (on_orders(),), renamed_from=old),))
        for name, old in (("old", None), ("new", "old"))
    )
    made = stack_of(before)
    stack = replace(made, outputs={logical_id("Secret", "old"): "/shared/database/old", **made.outputs})
    plan = planned(after, live=without(live_after(before), ORDERS), deployed=Deployed(None, {"shop": stack}))
    assert (plan.problems, waits(plan), ran(plan)) == ((), [], [])
    assert plan.tenants[0].desired.users.keys() == {Account("new")}


# How much would be lost


def test_the_danger_of_a_drop_says_how_much_is_in_the_database():
    old = tenant("shop-old", on_remove="drop")
    live = live_after(old)
    measured = live._replace(
        state=replace(live.state, contents={"shop-old": Contents(31, 12_400, 210_400_000)}),
    )
    (danger,) = (it for it in dangers(planned(live=measured, deployed=deployed(old))) if it.code == "drops-database")
    what = "database shop-old would be dropped with everything in it: 31 tables, about 12,400 rows, 210 MB"
    assert danger.what == what
    empty = live._replace(state=replace(live.state, contents={"shop-old": Contents(0, 0, 0)}))
    (danger,) = (it for it in dangers(planned(live=empty, deployed=deployed(old))) if it.code == "drops-database")
    assert danger.what == "database shop-old would be dropped; there is no table in it"
    (unmeasured,) = (it for it in dangers(planned(live=live, deployed=deployed(old))) if it.code == "drops-database")
    assert unmeasured.what == "database shop-old would be dropped with everything in it"


def test_contents_are_counted_in_words():
    contents = (
        *(Contents(1, 1, 16_384), Contents(0, 0, 0), Contents(2, 5, 3_400_000_000_000), Contents(1, 0, 0)),
        *(Contents(12, 3_412_345, 1_234_567_890), Contents(1_200, 12_345_678_901, 999)),
    )
    assert [*map(str, contents)] == [
        "1 table, about 1 row, 16 kB",
        "there is no table in it",
        "2 tables, about 5 rows, 3.4 TB",
        "1 table, about 0 rows, 0 bytes",
        "12 tables, about 3.4 million rows, 1.2 GB",
        "1,200 tables, about 12 billion rows, 999 bytes",
    ]
