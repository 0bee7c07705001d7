"""Breaches, orphans and patterns, on plain values; what MySQL makes of the grants is tried in tests/mysql."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_tenants.model import (
    Cluster,
    Configuration,
    Ignore,
    Privilege,
    Tenant,
    TenantDatabase,
    TenantRole,
    TenantUser,
)
from aurora_tenants.mysql.access import reach
from aurora_tenants.mysql.grants import MEMBER, Grant, Scope, expand, role_scope
from aurora_tenants.mysql.names import Account, is_reserved_user
from aurora_tenants.mysql.options import Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, Server, State, User
from aurora_tenants.tenant.belonging import Belonging, stack_of
from aurora_tenants.tenant.inspector import is_inspector
from aurora_tenants.tenant.isolation import Breach, Judged, breaches, judged, orphans, patterns, summed_up, suspects
from tests.mysql.nasty import STACK, TENANTS, World, worlds

SERVER = Server("9.7.4", True, "caching_sha2_password")
CLUSTER = Cluster("shared")


def tenant(name: str, *, shared_with: tuple[str, ...] = ()) -> Tenant:
    user = TenantUser(name, (Privilege(("ALL",), name),))
    return Tenant(name, (TenantDatabase(name, shared_with=shared_with),), (user,))


SHOP, BLOG = tenant("shop"), tenant("blog")
FILE = Configuration(CLUSTER, (SHOP, BLOG))


def world(*grants: Grant, users: tuple[User, ...] = (), gone: tuple[str, ...] = ()) -> State:
    """Both tenants as the product sets them up, and these grants beside them; their accounts are there too."""
    everybody = {it.account: it for it in users}
    for name in ("shop", "blog"):
        everybody[Account(name)] = User(Account(name), owner=Owner(f"shared-{name}", "User"))
    for account, *_ in grants:
        everybody.setdefault(account, User(account))
    own = {grant for name in ("shop", "blog") for grant in on(name, name, "ALL")}
    databases = {
        name: Database(name, owner=Owner(f"shared-{name}", "Database")) for name in ("shop", "blog") if name not in gone
    }
    return State(databases, everybody, frozenset((*own, *grants)))


def on(user: str, database: str, *privileges: str) -> tuple[Grant, ...]:
    return tuple(sorted(expand(Account(user), privileges, database=database, partial_revokes=True)))


def member(user: str, role: str) -> Grant:
    return Grant(Account(user), role_scope(Account(role)), MEMBER)


def pairs(found: tuple[Breach, ...]) -> list[tuple[str, str]]:
    return [(breach.account.user, breach.database) for breach in found]


def test_tenants_as_they_should_be_have_no_breach():
    assert breaches(FILE, world(), SERVER) == ()


def test_a_user_of_one_tenant_that_can_get_into_another():
    (breach,) = breaches(FILE, world(*on("blog", "shop", "SELECT")), SERVER)
    assert breach[:4] == (Account("blog"), "shop", "shop", ("blog",))
    assert [way.grant for way in breach.access.via] == [*on("blog", "shop", "SELECT")]


def test_what_is_shared_is_no_breach():
    shared = Configuration(CLUSTER, (tenant("shop", shared_with=("blog",)), BLOG))
    state = world(*on("blog", "shop", "SELECT"), *on("shop", "blog", "SELECT"))
    assert pairs(breaches(shared, state, SERVER)) == [("shop", "blog")]


def test_an_account_of_nobodys_that_can_get_in():
    (breach,) = breaches(FILE, world(*on("report", "shop", "SELECT")), SERVER)
    assert breach[:4] == (Account("report"), "shop", "shop", ())


def test_a_database_of_nobodys_is_open_to_whoever_it_is_open_to():
    state = world(*on("report", "old", "SELECT"))
    state = replace(state, databases={**state.databases, "old": Database("old")})
    assert breaches(FILE, state, SERVER) == ()


def test_a_database_that_a_stack_of_this_cluster_owns_is_a_tenants_without_the_file_too():
    state = world(*on("report", "gone", "SELECT"), *on("shop", "gone", "SELECT"), *on("report", "foreign", "SELECT"))
    gone = Database("gone", owner=Owner("shared-gone", "Database", released=True))
    foreign = Database("foreign", owner=Owner("other-gone", "Database"))
    state = replace(state, databases={**state.databases, "gone": gone, "foreign": foreign})
    found = breaches(FILE, state, SERVER)
    assert [(breach.account.user, breach.database, breach.tenant) for breach in found] == [
        ("report", "gone", "gone"),
        ("shop", "gone", "gone"),
    ]


def test_a_host_that_the_file_does_not_name_is_another_account():
    elsewhere = Account("shop", "10.0.0.1")
    state = world(Grant(elsewhere, Scope("DATABASE", "shop"), "SELECT"))
    assert [breach.account for breach in breaches(FILE, state, SERVER)] == [elsewhere]
    owned = User(elsewhere, owner=Owner("shared-shop", "User"))
    assert breaches(FILE, replace(state, users={**state.users, elsewhere: owned}), SERVER) == ()
    wider = TenantUser("shop", SHOP.users[0].privileges, hosts=("%", "10.0.0.1"))
    assert breaches(Configuration(CLUSTER, (replace(SHOP, users=(wider,)), BLOG)), state, SERVER) == ()


def test_who_is_exempt():
    """Of the reserved names that of the anonymous user counts, and the inspector, which needs no tenant's data."""
    names = ("admin", "rdsadmin", "mysql.sys", "root", "aurora_tenants_inspector", "legacy_report", "")
    state = world(*(grant for name in names for grant in on(name, "shop", "SELECT")))
    ignoring = replace(FILE, ignore=Ignore(users=("legacy_*",)))
    found = breaches(ignoring, state, SERVER, master="admin")
    own = {breach.account.user for breach in found if breach.access.via[0].grant.account == breach.account}
    assert own == {"", "aurora_tenants_inspector"}
    assert "admin" in {breach.account.user for breach in breaches(ignoring, state, SERVER)}


def test_a_user_of_a_tenant_is_never_ignored():
    ignoring = replace(FILE, ignore=Ignore(users=("*",)))
    state = world(*on("blog", "shop", "SELECT"), *on("report", "shop", "SELECT"))
    assert pairs(breaches(ignoring, state, SERVER)) == [("blog", "shop")]


def test_a_locked_account_counts_through_its_members():
    role = User(Account("reader"), options=Options(is_locked=True), is_role=True)
    state = world(*on("reader", "shop", "SELECT"), member("report", "reader"), users=(role,))
    assert pairs(breaches(FILE, state, SERVER)) == [("report", "shop")]


def test_a_role_of_the_tenants_own_is_no_breach_and_anothers_is():
    with_role = replace(SHOP, roles=(TenantRole("shop-reader"),))
    role = User(Account("shop-reader"), options=Options(is_locked=True), is_role=True)
    grants = (*on("shop-reader", "shop", "SELECT"), member("shop", "shop-reader"), member("blog", "shop-reader"))
    state = world(*grants, users=(role,))
    assert pairs(breaches(Configuration(CLUSTER, (with_role, BLOG)), state, SERVER)) == [("blog", "shop")]


def test_an_orphan_grant_is_a_breach_in_the_state_that_has_the_database():
    """So a plan that creates the database can tell, by the state it would leave behind."""
    before = world(*on("report", "shop", "SELECT"), gone=("shop",))
    assert breaches(FILE, before, SERVER) == ()
    assert orphans(before, SERVER) == (*on("report", "shop", "SELECT"), *on("shop", "shop", "ALL"))
    after = replace(before, databases={**before.databases, "shop": Database("shop")})
    assert pairs(breaches(FILE, after, SERVER)) == [("report", "shop")]


def test_orphans_are_of_every_level_and_an_escaped_name_is_one_where_names_are_literal():
    account = Account("report")
    scopes = [
        *(Scope("DATABASE", "sh\\op"), Scope("DATABASE", "sho_"), Scope("DATABASE", "gone\\_x")),
        *(Scope("TABLE", "gone", "t"), Scope("COLUMN", "gone", "t", "c"), Scope("PROCEDURE", "gone", "p")),
        *(Scope("GLOBAL"), Scope("ROLE", "%", "gone"), Scope("TABLE", "shop", "t")),
    ]
    state = world(*(Grant(account, scope, "SELECT") for scope in scopes))
    asleep = {grant.scope for grant in orphans(state, SERVER) if grant.account == account}
    assert asleep == {scope for scope in scopes if scope.database not in ("", "%", "shop")}
    awake = {Scope("DATABASE", "sh\\op"), Scope("DATABASE", "sho_")}
    by_pattern = SERVER._replace(partial_revokes=False)
    assert {grant.scope for grant in orphans(state, by_pattern) if grant.account == account} == asleep - awake


def test_patterns_are_those_with_a_wildcard_where_names_are_patterns():
    spellings = ("shop", "sh\\_op", "sh_op", "%")
    state = world(*(Grant(Account("report"), Scope("DATABASE", spelling), "SELECT") for spelling in spellings))
    by_pattern = SERVER._replace(partial_revokes=False)
    assert [grant.scope.database for grant in patterns(state, by_pattern)] == ["%", "sh_op"]
    assert patterns(state, SERVER) == ()


def test_a_summary_says_how_and_what_closes_it():
    state = world(*on("report", "shop", "SELECT", "INSERT"), *on("report", "blog", "ALL"))
    found = summed_up(breaches(FILE, state, SERVER), state, SERVER)
    assert [(it.databases, it.how, it.fix) for it in found] == [
        (("blog",), "ALL PRIVILEGES on `blog`.*", "REVOKE ALL PRIVILEGES ON `blog`.* FROM `report`@`%`"),
        (("shop",), "INSERT, SELECT on `shop`.*", "REVOKE INSERT, SELECT ON `shop`.* FROM `report`@`%`"),
    ]


def test_one_grant_that_opens_everything_is_one_entry():
    state = world(Grant(Account("dba"), Scope("GLOBAL"), "SELECT"))
    (summary,) = summed_up(breaches(FILE, state, SERVER), state, SERVER)
    assert summary == (
        *(Account("dba"), ("blog", "shop"), ("blog", "shop"), ()),
        *("SELECT on *.*", "REVOKE SELECT ON *.* FROM `dba`@`%`"),
    )


def test_a_row_that_another_one_hides_is_revoked_too():
    grants = [Grant(Account("report"), Scope("DATABASE", name), "SELECT") for name in ("shop", "sho%", "%")]
    by_pattern = SERVER._replace(partial_revokes=False)
    state = world(*grants)
    found = [it for it in summed_up(breaches(FILE, state, by_pattern), state, by_pattern) if "shop" in it.databases]
    assert [(it.how, it.fix.split("; ")) for it in found] == [
        ("SELECT on `shop`.*", [f"REVOKE SELECT ON `{name}`.* FROM `report`@`%`" for name in ("%", "sho%", "shop")])
    ]


def test_a_role_is_taken_from_the_account_and_keeps_what_it_has():
    state = world(*on("reader", "shop", "SELECT"), member("blog", "reader"), users=(locked("reader"),))
    (summary,) = summed_up(breaches(FILE, state, SERVER), state, SERVER)
    assert summary.how == "SELECT on `shop`.* through role reader"
    assert summary.fix == "REVOKE `reader`@`%` FROM `blog`@`%`"
    mandatory = SERVER._replace(mandatory_roles=(Account("reader"),))
    (summary,) = summed_up(breaches(FILE, state, mandatory), state, mandatory)
    assert summary.fix == "take the role reader out of mandatory_roles; REVOKE `reader`@`%` FROM `blog`@`%`"


def locked(name: str) -> User:
    return User(Account(name), options=Options(is_locked=True), is_role=True)


def test_two_databases_that_an_active_role_confuses_have_to_be_renamed():
    """Their grants are as the file has them; no REVOKE would help (test_an_active_role_opens_the_database_of_…)."""
    lower, upper = tenant("my_shop"), tenant("My_Shop")
    databases = {name: Database(name) for name in ("my_shop", "My_Shop")}
    users = {Account(name): User(Account(name)) for name in databases} | {Account("r"): locked("r")}
    state = State(databases, users, frozenset((*on("my_shop", "my_shop", "ALL"), member("my_shop", "r"))))
    found = breaches(Configuration(CLUSTER, (lower, upper)), state, SERVER)
    assert pairs(found) == [("my_shop", "My_Shop")]
    (summary,) = summed_up(found, state, SERVER)
    assert summary.how == "ALL PRIVILEGES on `my_shop`.* as long as any role is active"
    assert summary.fix.startswith("rename database My_Shop or my_shop: ")


def test_rows_of_a_tenants_user_that_apply_to_another_host_are_not_to_be_revoked():
    """MySQL gives the clients of shop@10.% the rights of shop@% too; the tenant is to keep them."""
    elsewhere = Account("shop", "10.%")
    state = world(users=(User(elsewhere),))
    (summary,) = summed_up(breaches(FILE, state, SERVER), state, SERVER)
    assert (summary.account, summary.how, summary.fix) == (
        elsewhere,
        "ALL PRIVILEGES on `shop`.* of shop, which applies to its clients too",
        "drop user shop@10.%, or rename it: what lets it in are the rights of user shop, which is a tenant's and keeps"
        " them",
    )


def test_rows_of_the_anonymous_user_are_told_as_such():
    state = world(*on("", "shop", "SELECT"))
    found = summed_up(breaches(FILE, state, SERVER), state, SERVER)
    assert [(it.account.user, it.how) for it in found] == [
        ("", "SELECT on `shop`.*"),
        ("blog", "SELECT on `shop`.* of the anonymous user, which applies to its clients too"),
    ]
    assert {it.fix for it in found} == {"REVOKE SELECT ON `shop`.* FROM ``@`%`"}


# Who needs no closer look


def file_of(seed: int) -> Configuration:
    """A file about the tenants of the nasty worlds, or some of them, with some of their accounts."""
    chance = random.Random(seed)
    tenants = []
    for name in chance.sample(TENANTS, chance.randint(1, len(TENANTS))):
        named = dict.fromkeys((name, *chance.sample(TENANTS, chance.choice((0, 0, 1)))))
        shared = [tuple(chance.sample(TENANTS, chance.choice((0, 0, 1, 2)))) for _ in named]
        databases = (TenantDatabase(it, shared_with=others) for it, others in zip(named, shared, strict=True))
        hosts = chance.choice((("%",), ("%", "10.0.0.1"), ("localhost",)))
        roles = (TenantRole(role) for role in chance.sample(("r", "s"), chance.choice((0, 0, 1))))
        tenants.append(Tenant(name, tuple(databases), (TenantUser(name, hosts=hosts),), tuple(roles)))
    ignore = chance.choice(((), (), ("dba",), ("*",), ("a*",)))
    return Configuration(Cluster(STACK), tuple(tenants), ignore=Ignore(users=ignore))


def judged_one_by_one(configuration: Configuration, state: State, server: Server, master: str) -> Judged:
    """The same by a look at every account and all that it gets into."""
    belonging = Belonging.of(configuration, state, server)
    found: tuple[list[Breach], list[Breach]] = ([], [])
    for access in reach(state, server):
        account, name = access.account, access.account.user
        owner, own = belonging.databases.get(access.database), belonging.accounts.get(account, frozenset())
        is_of_server = bool(name) and not is_inspector(name) and (name == master or is_reserved_user(name))
        if owner is None or state.users[account].options.is_locked or (not own and is_of_server):
            continue
        if not own & owner.welcome and stack_of(state, account) not in owner.stacks:
            is_named = bool(name) and not is_inspector(name) and configuration.ignore.names_user(name)
            breach = Breach(account, access.database, owner.tenant, tuple(sorted(own)), access)
            found[not own and is_named].append(breach)
    return Judged(*map(tuple, found))


@settings(max_examples=2_000, deadline=None)
@given(worlds, st.integers(0, 2**32 - 1).map(file_of), st.sampled_from(("", "dba")))
def test_nobody_is_left_out_who_gets_in_where_it_does_not_belong(found: World, file: Configuration, master: str):
    state, server = found
    assert judged(file, state, server, master=master) == judged_one_by_one(file, state, server, master)


def test_tenants_as_they_should_be_need_no_closer_look():
    """With a role of their own, a second host, privileges on tables, and what another tenant shares with them too."""
    role, elsewhere = User(Account("shop-reader"), owner=Owner("shared-shop", "Role")), Account("shop", "10.%")
    hosts = TenantUser("shop", hosts=("%", "10.%"))
    shop = replace(SHOP, users=(hosts,), roles=(TenantRole("shop-reader"),))
    shared = Configuration(CLUSTER, (shop, tenant("blog", shared_with=("shop",))))
    state = world(
        *(*on("shop-reader", "shop", "SELECT"), *on("shop-reader", "blog", "SELECT"), member("shop", "shop-reader")),
        Grant(elsewhere, Scope("TABLE", "shop", "orders"), "SELECT"),
        *on("report", "old", "SELECT"),
        Grant(Account("shop"), Scope("GLOBAL"), "PROCESS"),
        users=(role,),
    )
    belonging = Belonging.of(shared, state, SERVER)
    assert suspects(belonging, state, SERVER, master="") == {}
    state = replace(state, grants=state.grants | {*on("report", "shop", "SELECT"), *on("shop-reader", "%", "SELECT")})
    assert suspects(belonging, state, SERVER, master="").keys() == {Account("report")}
    unshared = Belonging.of(Configuration(CLUSTER, (shop, BLOG)), state, SERVER)
    assert suspects(unshared, state, SERVER, master="").keys() == {*map(Account, ("report", "shop", "shop-reader"))}
