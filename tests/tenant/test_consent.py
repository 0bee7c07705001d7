"""Consent in a plan: who waits for whom, who is refused, and what is not shared any more."""

from __future__ import annotations

from dataclasses import replace

from aurora_tenants.model import Privilege, Tenant, TenantDatabase, TenantUser
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.plan import Plan
from aurora_tenants.stack import Deployed, StackPlan
from aurora_tenants.tenant.consent import without_consent
from tests.values import deployed, live_after, live_with, planned, stack_of, tenant


def sharing(name: str, *others: str, reads: tuple[str, ...] = ()) -> Tenant:
    """A tenant that shares its database with others, and whose user reads those of others, too."""
    privileges = (Privilege(("ALL",), name), *(Privilege(("SELECT",), other) for other in reads))
    return Tenant(name, (TenantDatabase(name, shared_with=others),), (TenantUser(name, privileges),))


SHOP, BILLING = sharing("shop", "billing"), sharing("billing", reads=("shop",))


def stacks(plan: Plan) -> dict[str, StackPlan]:
    return {tenant.name: tenant.stack for tenant in plan.tenants}


def not_shared(live: Live, name: str) -> Live:
    """The same, without what is recorded of whom a database is shared with."""
    state = live.state
    databases = {**state.databases, name: state.databases[name]._replace(shared_with=frozenset())}
    return live._replace(state=replace(state, databases=databases))


def test_a_tenant_waits_for_the_one_that_shares_a_database_with_it():
    plan = planned(SHOP, BILLING)
    assert plan.problems == ()
    assert {name: (stack.needs, stack.first) for name, stack in stacks(plan).items()} == {
        "shop": ((), None),
        "billing": (("shared-shop",), None),
    }


def test_nobody_waits_for_what_is_shared_already():
    writes = replace(BILLING, users=(TenantUser("billing", (Privilege(("INSERT",), "shop"),)),))
    plan = planned(SHOP, writes, live=live_after(SHOP, BILLING), deployed=deployed(SHOP, BILLING))
    assert (plan.problems, stacks(plan)["billing"].needs) == ((), ())


def test_of_two_that_share_with_each_other_both_are_made_first_without_the_others_database():
    both = sharing("shop", "billing", reads=("billing",)), sharing("billing", "shop", reads=("shop",))
    plan = planned(*both)
    assert plan.problems == ()
    for name, other in (("shop", "billing"), ("billing", "shop")):
        stack = stacks(plan)[name]
        assert stack.needs == (f"shared-{other}",)
        assert stack.first
        assert f'"Database": "{other}"' not in stack.first.text()
        assert f'"SharedWith": [\n     "shared-{other}"' in stack.first.text()
        assert f'"Database": "{other}"' in stack.template_text()


def test_a_tenant_alone_is_refused_what_nobody_has_shared_with_it_yet():
    live = not_shared(live_after(SHOP), "shop")
    plan = planned(SHOP, BILLING, live=live, deployed=deployed(SHOP), only="billing")
    (problem,) = plan.problems
    assert (problem.code, problem.context) == ("not-shared-yet", "tenant billing")
    assert "belongs to stack shared-shop, which does not share it" in problem.what
    assert planned(SHOP, BILLING, live=live, deployed=deployed(SHOP)).problems == ()


def test_what_is_held_without_consent_stays():
    live = not_shared(live_after(SHOP, BILLING), "shop")
    plan = planned(SHOP, BILLING, live=live, deployed=deployed(SHOP, BILLING), only="billing")
    assert (plan.problems, plan.changed) == ((), ())


def test_what_is_not_shared_any_more_is_revoked_from_whoever_asks_for_it_still():
    live = live_after(SHOP, BILLING)
    withdrawn = not_shared(live, "shop")
    shop = withdrawn.state.databases["shop"]._replace(withdrawn_from=frozenset({"shared-billing"}))
    state = replace(withdrawn.state, databases={**withdrawn.state.databases, "shop": shop})
    plan = planned(SHOP, BILLING, live=Live(live.server, state), deployed=deployed(SHOP, BILLING), only="billing")
    changes = [change.statement for change in plan.tenants[0].changes]
    assert changes == ["REVOKE SELECT ON `shop`.* FROM `billing`@`%`"]


def test_a_stack_that_goes_shares_nothing_any_more_before_its_database_is_released():
    plan = planned(BILLING, live=live_after(SHOP, BILLING), deployed=deployed(SHOP, BILLING))
    gone = next(tenant for tenant in plan.tenants if tenant.name == "shop")
    about = [change.action for change in gone.changes if change.subject == "database shop"]
    assert about == ["withdraw", "release"]


def test_what_an_earlier_stack_of_the_same_name_left_is_taken_back_only_by_adopting_it():
    left = Database("shop", owner=Owner("shared-shop", "DatabaseShop", released=True, stack_id="before"))
    live = live_with(databases=(left,))
    (problem,) = planned(tenant("shop"), live=live).problems
    assert problem.code == "exists-already"
    assert planned(tenant("shop", adopt=True), live=live).problems == ()


def test_the_name_of_a_user_of_another_stack_is_refused_at_any_host():
    account = Account("shop", "10.%")
    live = live_with(users=(User(account, Owner("shared-other", "UserShop")),))
    (problem,) = planned(tenant("shop", adopt=True), live=live).problems
    assert problem.code == "owned-by-another-stack"
    assert "and a name to one stack; choose another name" in problem.what


def test_the_id_of_its_own_stack_changes_nothing_that_is_recorded():
    stack = replace(stack_of(tenant("shop")), id="now")
    live = live_after(tenant("shop"))
    databases = {
        name: it._replace(owner=it.owner._replace(stack_id="now"))
        for name, it in live.state.databases.items()
        if it.owner
    }
    users = {
        name: it._replace(owner=it.owner._replace(stack_id="now")) for name, it in live.state.users.items() if it.owner
    }
    state = replace(live.state, databases=databases, users=users)
    plan = planned(tenant("shop"), live=Live(live.server, state), deployed=Deployed(None, {"shop": stack}))
    assert (plan.problems, plan.changed) == ((), ())


def test_what_is_withdrawn_is_told_once_until_it_is_revoked_and_needs_no_flag():
    live = live_after(SHOP, BILLING)
    alone = sharing("shop")
    plan = planned(alone, BILLING, live=live, deployed=deployed(SHOP, BILLING), only="shop")
    (breach,) = plan.isolation.breaches
    assert (breach.account.user, breach.databases, plan.isolation.opened) == ("billing", ("shop",), ())
    assert breach.fix.startswith("deploy stack shared-billing again: it is not shared with it any more")


def test_a_stack_outside_the_file_that_a_database_is_shared_with_may_get_in_until_that_ends():
    live = live_after(SHOP, BILLING)
    assert planned(SHOP, live=live, only="shop", deployed=deployed(SHOP)).isolation.breaches == ()
    ended = planned(sharing("shop"), live=live, only="shop", deployed=deployed(SHOP))
    assert [breach.account.user for breach in ended.isolation.breaches] == ["billing"]
    assert ended.isolation.opened == ()


def test_what_is_held_and_not_recorded_as_shared_is_found():
    live = live_after(SHOP, BILLING)
    assert without_consent(live.state) == {}
    assert without_consent(not_shared(live, "shop").state) == {
        (Account("billing"), "shop"): (
            "nothing can be granted on database shop: it belongs to stack shared-shop, which does not share it with"
            " stack shared-billing (SharedWith)"
        )
    }


def test_what_other_stacks_hold_on_a_name_that_is_made_is_revoked_before():
    """MySQL keeps grants when a database is dropped; the provider revokes them, so a plan shows it, and no danger."""
    old, scope = Account("old"), Scope("DATABASE", "shop")
    held = frozenset(Grant(old, scope, name) for name in ("SELECT", "INSERT"))
    owner = Owner("other", "UserOld", "/other/database/old", stack_id="1")
    state = State(users={old: User(old, owner)}, grants=held)
    plan = planned(sharing("shop"), live=live_with()._replace(state=state))
    first = plan.tenants[0].changes[0]
    assert (first.action, first.subject, first.grants) == ("revoke", "user old", tuple(sorted(held)))
    assert first.statement == "REVOKE INSERT, SELECT ON `shop`.* FROM `old`@`%`"
    assert (plan.isolation.opened, plan.isolation.breaches) == ((), ())
    # Who is nobody's is left to whoever made it: that is a danger.
    nobodys = replace(state, users={old: User(old)})
    plan = planned(sharing("shop"), live=live_with()._replace(state=nobodys))
    assert [change.action for change in plan.tenants[0].changes if change.subject == "user old"] == []
    assert [breach.account for breach in plan.isolation.opened] == [old]


def test_a_user_as_which_something_runs_is_refused_or_adopted():
    state = State(definers={Account("shop"): 2})
    (problem,) = planned(sharing("shop"), live=live_with()._replace(state=state)).problems
    assert (problem.code, problem.context) == ("definer-of-nobody", "tenant shop")
    adopting = sharing("shop")
    adopting = replace(adopting, users=tuple(replace(user, adopt=True) for user in adopting.users))
    assert planned(adopting, live=live_with()._replace(state=state)).problems == ()
