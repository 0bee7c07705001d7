"""What an account gets into at the most is never too little, and mostly no more than what it gets into."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_tenants.mysql.access import reach
from aurora_tenants.mysql.bounds import Bound, bounds
from aurora_tenants.mysql.grants import MEMBER, Grant, Scope, expand, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Database, Server, State, User
from tests.mysql.nasty import ACCOUNTS, World, worlds

SERVER = Server("9.7.4", True, "caching_sha2_password")


@settings(max_examples=2_000, deadline=None)
@given(worlds)
def test_nobody_gets_into_more_than_its_bound(world: World):
    state, server = world
    bound = bounds(state, server)
    assert bound.keys() == state.users.keys()
    assert [it for it in reach(state, server) if it.database not in bound[it.account].databases] == []


@settings(max_examples=1_000, deadline=None)
@given(worlds, st.sampled_from(ACCOUNTS))
def test_an_account_alone_gets_in_where_it_does_among_all(world: World, account: Account):
    state, server = world
    of = {it: bound for it, bound in bounds(state, server).items() if it == account}
    assert reach(state, server, of) == tuple(it for it in reach(state, server) if it.account == account)


def test_whoever_is_alone_is_bound_to_what_it_holds():
    shop, report = Account("shop"), Account("report")
    granted = (
        *expand(shop, ["ALL"], database="shop", partial_revokes=True),
        *expand(report, ["SELECT"], database="shop", table="orders", partial_revokes=True),
        *expand(report, ["SELECT"], database="blog", table="posts", columns=["id"], partial_revokes=True),
        Grant(report, Scope("GLOBAL"), "PROCESS"),
        Grant(report, Scope("DATABASE", "gone"), "SELECT"),
    )
    databases = {name: Database(name) for name in ("shop", "blog", "other")}
    state = State(databases, {it: User(it) for it in (shop, report)}, frozenset(granted))
    assert bounds(state, SERVER) == {shop: Bound({"shop"}, [shop]), report: Bound({"shop", "blog"}, [report])}


def test_roles_namesakes_and_the_anonymous_user_count_for_it():
    app, elsewhere, nobody, role = Account("app"), Account("app", "10.%"), Account("", "10.%"), Account("r")
    granted = [Grant(it, Scope("DATABASE", it.host + it.user), "SELECT") for it in (app, elsewhere, nobody, role)]
    databases = {grant.scope.database: Database(grant.scope.database) for grant in granted}
    member = Grant(app, role_scope(role), MEMBER)
    state = State(databases, {it: User(it) for it in (app, role)}, frozenset((*granted, member)))
    assert bounds(state, SERVER)[app].databases == databases.keys()
    assert set(bounds(state, SERVER)[app].holders) == {app, elsewhere, nobody, role}
