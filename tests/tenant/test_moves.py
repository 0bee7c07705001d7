"""What goes from one tenant to another, or gets another name: who gives it up, who takes it, and what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from aurora_tenants.model import Configuration, Privilege, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner, offer
from aurora_tenants.mysql.state import Live
from aurora_tenants.naming import RENAMED_USERS
from aurora_tenants.plan import Plan, make_plan
from aurora_tenants.safety import dangers
from aurora_tenants.stack import Deployed, Stack
from aurora_tenants.tenant.moves import Move
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.secrets import LiveSecret, Secrets
from tests.values import CLUSTER, deployed, live_after, planned, stack_of

OWN = Privilege(("ALL",), "orders")
GIVER = Tenant(
    "shop",
    (TenantDatabase("shop"), TenantDatabase("orders", on_remove="drop")),
    (TenantUser("shop", (Privilege(("ALL",), "shop"),)), TenantUser("orders", (OWN,), hosts=("%", "10.0.0.1"))),
    (TenantRole("orders-reader", (Privilege(("SELECT",), "orders"),)),),
)
LEFT = Tenant("shop", GIVER.databases[:1], GIVER.users[:1])
TAKER = Tenant(
    "orders",
    (replace(GIVER.databases[1], moved_from="shop"),),
    (replace(GIVER.users[1], moved_from="shop"),),
    (replace(GIVER.roles[0], moved_from="shop"),),
)
OFFER = ("shared-shop/DatabaseOrders", "shared-shop/UserOrders", "shared-shop/RoleOrdersReader")


def with_outputs(it: Tenant, *names: str, **outputs: str) -> Stack:
    """The stack of a tenant with the outputs that tell of its resources."""
    stack = stack_of(it)
    return replace(stack, outputs={**stack.outputs, **dict.fromkeys(names, "there"), **outputs})


DEPLOYED = Deployed(None, {"shop": with_outputs(GIVER, "DatabaseOrders", "SecretOrders", "RoleOrdersReader")})


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:/shared/database/orders-AbCdEf"
SECRETS = Secrets({"/shared/database/orders": LiveSecret("/shared/database/orders", ARN)}, "", datetime.now(UTC))


def planned_with_secrets(*tenants: Tenant, live: Live, deployed: Deployed) -> Plan:
    return make_plan(Configuration(CLUSTER, tenants), live, deployed, secrets=SECRETS)


def by_tenant(plan: Plan) -> dict[str, TenantPlan]:
    return {tenant.name: tenant for tenant in plan.tenants}


def offered(live: Live) -> Live:
    """The same once the giver has offered all that moves."""

    def given(owner: Owner | None, name: str) -> Owner | None:
        if owner is None or name not in ("orders", "orders-reader"):
            return owner
        resource = f"shared-shop/{owner.resource}"
        return owner._replace(stack="shared-orders", resource=resource, released=True, stack_id="")

    state = live.state
    databases = {name: it._replace(owner=given(it.owner, name)) for name, it in state.databases.items()}
    users = {account: it._replace(owner=given(it.owner, account.user)) for account, it in state.users.items()}
    return live._replace(state=replace(state, databases=databases, users=users))


def test_what_moves_is_given_up_by_one_stack_and_taken_by_another_and_nothing_is_dropped():
    plan = planned_with_secrets(LEFT, TAKER, live=live_after(GIVER), deployed=DEPLOYED)
    giver, taker = by_tenant(plan)["shop"], by_tenant(plan)["orders"]
    assert plan.problems == ()
    assert (giver.stack.action, giver.stack.gifts) == (
        "update",
        dict.fromkeys(("DatabaseOrders", "UserOrders", "RoleOrdersReader"), "shared-orders"),
    )
    assert {(change.action, change.subject) for change in giver.changes} == {
        ("offer", "database orders"),
        ("offer", "user orders"),
        ("offer", "user orders-reader"),
    }
    assert all(resource in str(giver.changes) for resource in OFFER)
    # The statement that the provider runs: one for all hosts of a user, and nobody else's entry is changed by it.
    (of_user,) = (change.statement for change in giver.changes if change.subject == "user orders")
    mine = Owner("shared-shop", "UserOrders", stack_id=DEPLOYED.tenants["shop"].id)
    assert of_user == offer("users", ["orders@%", "orders@10.0.0.1"], mine, "shared-orders")
    assert taker.stack.action == "create"
    assert taker.stack.imports == {"SecretOrders": ARN}
    assert (giver.stack.givers, taker.stack.givers) == ((), ("shared-shop",))
    assert {change.action for change in taker.changes} == {"record", "withdraw"}
    (withdrawn,) = (change.statement for change in taker.changes if change.action == "withdraw")
    assert withdrawn == "REPLACE INTO aurora_tenants.shares VALUES ('orders', 'shared-shop', 1)"
    assert not {"drop", "create", "release", "grant", "revoke"} & {it.action for it in (*giver.changes, *taker.changes)}


def test_a_secret_that_waits_for_its_deletion_is_restored_before_it_moves_and_one_that_is_gone_is_told():
    secret = SECRETS.by_name["/shared/database/orders"]._replace(is_deleted=True, has_pending=True)
    secrets = SECRETS._replace(by_name={secret.name: secret})
    for live, there in ((live_after(GIVER), DEPLOYED), (offered(live_after(GIVER)), deployed(LEFT))):
        plan = make_plan(Configuration(CLUSTER, (LEFT, TAKER)), live, there, secrets=secrets)
        found = by_tenant(plan)["orders"]
        assert found.stack.imports == {"SecretOrders": ARN}
        assert [(it.user, it.secret, it.heals) for it in found.secrets] == [
            ("orders", secret.name, ("restore",)),
            ("orders", secret.name, ("end-rotation",)),
        ]
        plan = make_plan(Configuration(CLUSTER, (LEFT, TAKER)), live, there, secrets=SECRETS._replace(by_name={}))
        found = by_tenant(plan)["orders"]
        assert found.stack.imports == {}
        assert [it.what for it in found.secrets] == ["secret: gone → made again, with another ARN and another password"]


def test_what_moves_stays_as_droppable_as_it_was():
    live = live_after(GIVER)
    adopted = live.state.databases["orders"]
    assert adopted.owner
    databases = {**live.state.databases, "orders": adopted._replace(owner=adopted.owner._replace(adopted=True))}
    for held in (live, live._replace(state=replace(live.state, databases=databases))):
        taker = by_tenant(planned(LEFT, TAKER, live=held, deployed=DEPLOYED))["orders"]
        before, after = held.state.databases["orders"].owner, taker.desired.databases["orders"].owner
        assert before
        assert after
        assert (after.stack, after.resource, after.adopted) == ("shared-orders", "DatabaseOrders", before.adopted)


def test_what_was_offered_and_not_taken_comes_back_without_a_word_with_its_secret():
    live = offered(live_after(GIVER))
    for there in (DEPLOYED, deployed(LEFT)):
        plan = planned_with_secrets(GIVER, live=live, deployed=there)
        (back,) = plan.tenants
        assert plan.problems == ()
        assert {(move.kind, move.name, move.giver) for move in back.moves} == {
            ("database", "orders", "orders"),
            ("user", "orders", "orders"),
            ("role", "orders-reader", "orders"),
        }
        assert back.stack.imports == ({} if there is DEPLOYED else {"SecretOrders": ARN})
        assert (back.stack.gifts, back.stack.givers) == ({}, ())
        assert not {"drop", "create", "release", "grant", "revoke"} & {it.action for it in back.changes}
        assert not dangers(plan)


def test_what_is_offered_to_another_tenant_is_refused_with_the_way_to_it():
    third = replace(TAKER, name="third", databases=(replace(TAKER.databases[0], moved_from="orders"),))
    plan = planned_with_secrets(LEFT, third, live=offered(live_after(GIVER)), deployed=deployed(LEFT))
    assert {(it.code, it.fix) for it in plan.problems} == {
        ("owned-by-another-stack", "put it into the tenant that it is offered to, apply, and move it then")
    }


def test_a_database_that_moves_into_a_stack_that_is_made_again_may_have_anything_in_it():
    """The notice is for those that the failed creation has made itself."""
    failed = Stack("shared-orders", "ROLLBACK_COMPLETE", id="failed")
    there = Deployed(None, {**deployed(LEFT).tenants, "orders": failed})
    plan = planned_with_secrets(LEFT, TAKER, live=offered(live_after(GIVER)), deployed=there)
    assert by_tenant(plan)["orders"].stack.action == "replace"
    assert [notice.text for notice in plan.notices if notice.code == "left-by-failed-creation"] == []


def test_a_move_that_was_interrupted_goes_on():
    live = offered(live_after(GIVER))
    plan = planned_with_secrets(LEFT, TAKER, live=live, deployed=DEPLOYED)
    giver, taker = by_tenant(plan)["shop"], by_tenant(plan)["orders"]
    assert plan.problems == ()
    assert len(giver.stack.gifts) == 3  # they are in its stack still
    assert giver.changes == ()
    assert taker.stack.givers == ("shared-shop",)
    plan = planned_with_secrets(LEFT, TAKER, live=live, deployed=deployed(LEFT))
    giver, taker = by_tenant(plan)["shop"], by_tenant(plan)["orders"]
    assert (giver.stack.action, taker.stack.action, taker.stack.givers) == ("none", "create", ())
    assert taker.stack.imports == {"SecretOrders": ARN}


def test_what_has_arrived_does_not_move_again():
    live, both = live_after(LEFT, TAKER), deployed(LEFT, TAKER)
    plan = planned(LEFT, TAKER, live=live, deployed=both)
    assert (plan.problems, plan.changed) == ((), ())


def test_a_tenant_that_gets_another_name_is_no_removal():
    renamed = Tenant(
        "store",
        tuple(replace(it, moved_from="shop") for it in GIVER.databases),
        tuple(replace(it, moved_from="shop") for it in GIVER.users),
        tuple(replace(it, moved_from="shop") for it in GIVER.roles),
    )
    plan = planned(renamed, live=live_after(GIVER), deployed=DEPLOYED)
    assert by_tenant(plan)["shop"].stack.action == "delete"
    assert {change.action for change in by_tenant(plan)["shop"].changes} == {"offer"}
    assert (plan.problems, dangers(plan)) == ((), ())


def test_two_tenants_change_places():
    one, two = (Tenant(name, (TenantDatabase(name),), ()) for name in ("one", "two"))
    stacks = {it.name: with_outputs(it, f"Database{it.name.title()}") for it in (one, two)}
    swapped = (
        Tenant("one", (TenantDatabase("two", moved_from="two"),)),
        Tenant("two", (TenantDatabase("one", moved_from="one"),)),
    )
    plan = planned(*swapped, live=live_after(one, two), deployed=Deployed(None, stacks))
    assert plan.problems == ()
    assert {name: (it.stack.gifts, it.stack.givers) for name, it in by_tenant(plan).items()} == {
        "one": ({"DatabaseOne": "shared-two"}, ("shared-two",)),
        "two": ({"DatabaseTwo": "shared-one"}, ("shared-one",)),
    }


def test_neither_of_the_two_moves_without_the_other():
    for only in ("shop", "orders"):
        plan = planned(LEFT, TAKER, live=live_after(GIVER), deployed=DEPLOYED, only=only)
        assert {problem.code for problem in plan.problems} == {"move-of-one"}
        assert "--tenant shop --tenant orders" in plan.problems[0].fix


def test_a_stack_that_can_only_be_deleted_gives_nothing_up():
    stacks = {"shop": replace(DEPLOYED.tenants["shop"], status="DELETE_FAILED")}
    plan = planned(LEFT, TAKER, live=live_after(GIVER), deployed=Deployed(None, stacks))
    assert {problem.code for problem in plan.problems} >= {"move-from-failed"}


def test_what_another_stack_owns_is_not_taken_by_a_word():
    wrong = replace(TAKER, databases=(replace(TAKER.databases[0], moved_from="billing"),), users=(), roles=())
    plan = planned(LEFT, wrong, live=live_after(GIVER), deployed=DEPLOYED)
    assert "owned-by-another-stack" in {problem.code for problem in plan.problems}


BEFORE = Tenant("shop", (TenantDatabase("shop"),), (TenantUser("shop", (Privilege(("ALL",), "shop"),)),))
RENAMED = replace(BEFORE, users=(TenantUser("store", (Privilege(("ALL",), "shop"),), renamed_from="shop"),))


def test_a_user_gets_another_name_and_keeps_everything():
    stacks = Deployed(None, {"shop": with_outputs(BEFORE, "SecretShop")})
    plan = planned(RENAMED, live=live_after(BEFORE), deployed=stacks)
    (tenant,) = plan.tenants
    assert plan.problems == ()
    assert tenant.moves == (Move("user", "store", "shop", "shop", "shop", "UserShop"),)
    assert [change.statement for change in tenant.changes if change.action not in ("record",)] == [
        "RENAME USER `shop`@`%` TO `store`@`%`"
    ]
    assert tenant.stack.template
    template = tenant.stack.template.text()
    assert '"UserName": "store"' in template
    assert '"RenamedFrom": "shop"' in template
    assert '"Name": "/shared/database/shop"' in template
    assert '"Value": "store=shop"' in template


def test_a_renamed_user_keeps_its_secret_for_ever():
    live = live_after(BEFORE)
    account = Account("store")
    user = live.state.users[Account("shop")]._replace(account=account)
    grants = frozenset(grant._replace(account=account) for grant in live.state.grants)
    live = live._replace(state=replace(live.state, users={account: user}, grants=grants))
    outputs = {RENAMED_USERS: "store=shop"}
    for tenant in (RENAMED, replace(RENAMED, users=(replace(RENAMED.users[0], renamed_from=None),))):
        plan = planned(tenant, live=live, deployed=Deployed(None, {"shop": with_outputs(BEFORE, **outputs)}))
        assert (plan.problems, plan.tenants[0].changes, plan.tenants[0].moves) == ((), (), ())
    back = replace(BEFORE, users=(replace(BEFORE.users[0], renamed_from="store"),))
    plan = planned(back, live=live, deployed=Deployed(None, {"shop": with_outputs(BEFORE, **outputs)}))
    assert [change.statement for change in plan.tenants[0].changes if change.action == "rename"] == [
        "RENAME USER `store`@`%` TO `shop`@`%`"
    ]
    assert [(move.old, move.name) for move in plan.tenants[0].moves] == [("store", "shop")]


def test_nobody_gets_the_name_by_which_the_secret_of_a_renamed_user_is_called():
    """Its resources would have the logical ids of the renamed one's, which would be gone then without a word."""
    live = live_after(BEFORE)
    user = live.state.users[Account("shop")]._replace(account=Account("store"))
    live = live._replace(state=replace(live.state, users={Account("store"): user}))
    store, shop, outputs = (
        replace(RENAMED.users[0], renamed_from=None),
        TenantUser("shop"),
        {RENAMED_USERS: "store=shop"},
    )
    own = [replace(BEFORE, users=(store, shop))]
    others = [replace(BEFORE, users=(store,)), Tenant("other", (), (shop,))]
    iam = [replace(BEFORE, users=(store,)), Tenant("other", (), (replace(shop, auth="iam"),))]
    for tenants, context in ((own, "tenant shop"), (others, "tenant other"), (iam, None)):
        for there in (with_outputs(BEFORE, **outputs), with_outputs(BEFORE)):  # the one without is on its way
            plan = planned(*tenants, live=live, deployed=Deployed(None, {"shop": there}))
            found = [problem.context for problem in plan.problems if problem.code == "name-of-a-renamed-user"]
            assert found == ([context] if context else [])


def test_a_user_gets_its_first_name_back_by_the_word_alone():
    live = live_after(BEFORE)
    user = live.state.users[Account("shop")]._replace(account=Account("store"))
    live = live._replace(state=replace(live.state, users={Account("store"): user}))
    there = Deployed(None, {"shop": with_outputs(BEFORE, "SecretShop", **{RENAMED_USERS: "store=shop"})})
    (problem,) = planned(BEFORE, live=live, deployed=there).problems
    assert (problem.code, problem.fix) == (
        "name-of-a-renamed-user",
        "if it is the same user: renamed_from: store; if not, apply without it first",
    )
    plan = planned(replace(BEFORE, users=(replace(BEFORE.users[0], renamed_from="store"),)), live=live, deployed=there)
    assert (plan.problems, [(it.old, it.name) for it in plan.tenants[0].moves]) == ((), [("store", "shop")])
    text = plan.tenants[0].stack.template.text()
    assert '"UserName": "shop"' in text
    assert '"RenamedFrom": "store"' in text
    assert '"Name": "/shared/database/shop"' in text
    # And another one after that.
    again = replace(BEFORE, users=(replace(BEFORE.users[0], name="third", renamed_from="shop"),))
    there = Deployed(None, {"shop": with_outputs(BEFORE, "SecretShop", **{RENAMED_USERS: "shop=shop"})})
    plan = planned(again, live=live_after(BEFORE), deployed=there)
    assert [(it.old, it.name) for it in plan.tenants[0].moves] == [("shop", "third")]
    assert '"third=shop"' in plan.tenants[0].stack.template.text()


def test_a_user_as_which_something_runs_keeps_its_name():
    live = live_after(BEFORE)
    users = {account: user._replace(objects=2) for account, user in live.state.users.items()}
    stacks = Deployed(None, {"shop": with_outputs(BEFORE, "SecretShop")})
    plan = planned(RENAMED, live=live._replace(state=replace(live.state, users=users)), deployed=stacks)
    assert [problem.code for problem in plan.problems] == ["definer-renamed"]


def test_a_new_tenant_has_nobody_to_rename():
    plan = planned(RENAMED)
    assert (plan.problems, plan.tenants[0].moves) == ((), ())
    assert (
        plan.tenants[0].stack.template_text()
        == planned(replace(RENAMED, users=(replace(RENAMED.users[0], renamed_from=None),)))
        .tenants[0]
        .stack.template_text()
    )
