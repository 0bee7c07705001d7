"""Who gets to read others' statements by a plan, and that only --allow-access allows it."""

from __future__ import annotations

from dataclasses import replace

from aurora_tenants.errors import Problem
from aurora_tenants.model import Privilege, RoleGrant, Tenant, TenantRole, TenantUser
from aurora_tenants.mysql.grants import MEMBER, Grant, Scope, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.state import State, User
from aurora_tenants.safety import Allowed, dangers, not_allowed, unused
from aurora_tenants.tenant.watching import Watcher, watchers
from tests.values import EMPTY, SERVER, deployed, live_after, planned

PROCESS = Privilege(("PROCESS",), "*")
DIRECTLY = Tenant("shop", users=(TenantUser("shop", (PROCESS,)),))
ROLE = TenantRole("shop-sees", (PROCESS,))
THROUGH_ROLE = Tenant("shop", users=(TenantUser("shop", roles=(RoleGrant("shop-sees"),)),), roles=(ROLE,))


def danger(through: str = "") -> Problem:
    return Problem(
        "shows-statements",
        "after this apply, user shop could read the statements that everybody else is running",
        why=f"PROCESS on *.*{through}; statements show what is in them: other tenants' data, and passwords",
        fix="take PROCESS out of the file; or, if that is meant: --allow-access shop@%",
    )


def test_who_is_given_process_is_a_danger_that_its_own_flag_allows():
    plan = planned(DIRECTLY)
    assert dangers(plan) == not_allowed(plan, Allowed()) == (danger(),)
    for name in ("shop", "shop@%"):
        allowed = Allowed(access=(name,))
        assert not_allowed(plan, allowed) == () and unused(plan, allowed) == ()
    assert not_allowed(plan, Allowed(access=("other",))) == (danger(),)


def test_so_is_who_gets_it_through_a_role():
    assert dangers(planned(THROUGH_ROLE)) == (danger(" through role shop-sees"),)
    alone = replace(THROUGH_ROLE, users=(TenantUser("shop"),))
    assert dangers(planned(alone)) == ()
    joined = planned(THROUGH_ROLE, live=live_after(alone), deployed=deployed(alone))
    assert dangers(joined) == (danger(" through role shop-sees"),)


def test_who_has_it_already_is_not_told_of_again():
    for tenant in (DIRECTLY, THROUGH_ROLE):
        more = replace(tenant, users=(replace(tenant.users[0], options=Options(max_user_connections=5)),))
        plan = planned(more, live=live_after(tenant), deployed=deployed(tenant))
        assert plan.changed and dangers(plan) == ()


def test_roles_of_roles_and_mandatory_roles_count_and_locked_accounts_do_not():
    inner, outer, member, other = map(Account, ("inner", "outer", "member", "other"))
    locked = Options(is_locked=True)
    users = {account: User(account, options=locked, is_role=True) for account in (inner, outer)}
    users |= {member: User(member), other: User(other)}
    grants = {
        Grant(inner, Scope("GLOBAL"), "PROCESS"),
        Grant(outer, role_scope(inner), MEMBER),
        Grant(inner, role_scope(outer), MEMBER),
        Grant(member, role_scope(outer), MEMBER),
    }
    state = State(users=users, grants=frozenset(grants))
    assert watchers(state, SERVER) == {member: Watcher(member, outer)}
    assert watchers(state, SERVER._replace(mandatory_roles=(inner,))).keys() == {member, other}
    shut = replace(state, users={**users, member: User(member, options=locked)})
    assert watchers(shut, SERVER) == watchers(EMPTY.state, SERVER) == {}
