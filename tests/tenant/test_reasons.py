"""Why a line of a plan is there: the file, drift or spelling, the place that asks for it, and who relies on it."""

from __future__ import annotations

from dataclasses import replace

from aurora_tenants.errors import Location
from aurora_tenants.model import Privilege, RoleGrant, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.grants import MEMBER, Grant, Scope, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options, Require
from aurora_tenants.mysql.state import Live, State
from aurora_tenants.tenant.reasons import Line, rule
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER, SERVER, deployed, lines_of, live_after, with_stack

SHOP = Account("shop")
ON_SHOP = Scope("DATABASE", "shop")


def at(line: int) -> Location:
    return Location("tenants.yaml", line, 9)


def shop(*permissions: str, options: Options | None = None) -> Tenant:
    user = TenantUser(
        "shop", (Privilege(permissions, "shop", where=at(12)),), options=options or Options(), where=at(9)
    )
    return Tenant("shop", (TenantDatabase("shop", where=at(5)),), (user,))


def lines(now: Tenant, before: Tenant, *, more: set[Grant] = frozenset(), less: set[Grant] = frozenset(),
          live: Live | None = None) -> tuple[Line, ...]:  # fmt: skip
    """The lines of a plan for `now`, when `before` was deployed and these grants were changed by hand since."""
    held = live or live_after(before)
    held = held._replace(state=replace(held.state, grants=held.state.grants - less | more))
    templates = {before.name: template(CLUSTER, before).body}
    return lines_of(now, live=held, deployed=with_stack(before), templates=templates)


def test_what_the_file_newly_asks_for_is_the_files():
    (line,) = lines(shop("SELECT", "INSERT"), shop("SELECT"))
    assert (line.change.statement, line.origins, line.where) == (
        "GRANT INSERT ON `shop`.* TO `shop`@`%`",
        ("file",),
        (at(12),),
    )


def test_what_was_taken_away_by_hand_is_drift_though_the_file_changed_elsewhere():
    """One statement for both: INSERT is new in the file, SELECT was revoked by somebody."""
    (line,) = lines(shop("SELECT", "INSERT"), shop("SELECT"), less={Grant(SHOP, ON_SHOP, "SELECT")})
    assert (line.change.statement, line.origins) == (
        "GRANT INSERT, SELECT ON `shop`.* TO `shop`@`%`",
        ("file", "drift"),
    )


def test_what_was_granted_by_hand_is_revoked_as_drift_and_what_left_the_file_is_not():
    granted = Grant(SHOP, Scope("TABLE", "shop", "orders"), "DELETE")
    by_hand, by_file = lines(shop("SELECT"), shop("SELECT", "INSERT"), more={granted})[::-1]
    assert (by_hand.change.statement, by_hand.origins, by_hand.where) == (
        "REVOKE DELETE ON `shop`.`orders` FROM `shop`@`%`",
        ("drift",),
        (at(9),),
    )
    assert (by_file.change.statement, by_file.origins) == ("REVOKE INSERT ON `shop`.* FROM `shop`@`%`", ("file",))


def test_an_owner_whose_entry_was_lost_is_drift_though_it_was_adopted():
    """The entry that comes back says adopted, which no template does."""
    it = replace(shop("SELECT"), databases=(TenantDatabase("shop", adopt=True),))
    live = live_after(it)
    databases = {"shop": live.state.databases["shop"]._replace(owner=None)}
    (line,) = lines(it, it, live=live._replace(state=replace(live.state, databases=databases)))
    assert (line.change.action, line.origins) == ("record", ("drift",))


def test_without_the_deployed_template_a_changed_file_is_the_only_reason():
    changed = shop("SELECT", "INSERT")
    made = lines_of(changed, live=live_after(shop("SELECT")), deployed=deployed(shop("SELECT")))
    assert [line.origins for line in made] == [("file",)]


def test_a_template_that_somebody_else_wrote_gives_no_reasons_and_no_failure():
    changed, before = shop("SELECT", "INSERT"), shop("SELECT")
    strange = {"Resources": {"A": {"Type": "Custom::DatabaseUser", "Properties": {}}}}
    for body in ({}, {"Resources": []}, {"Resources": {"A": {}}}, strange):
        made = lines_of(changed, live=live_after(before), deployed=deployed(before), templates={"shop": body})
        assert [line.origins for line in made] == [("file",)]


def test_another_spelling_is_neither_the_files_doing_nor_drift():
    it = Tenant("shop", (TenantDatabase("a_b"),), (TenantUser("shop", (Privilege(("SELECT",), "a_b", where=at(3)),)),))
    literal = live_after(it)
    patterns = literal._replace(server=SERVER._replace(partial_revokes=False))
    granted, revoked = lines(it, it, live=patterns)
    assert (granted.change.statement, granted.origins, granted.where) == (
        "GRANT SELECT ON `a\\_b`.* TO `shop`@`%`",
        ("spelling",),
        (at(3),),
    )
    assert (revoked.change.statement, revoked.origins) == ("REVOKE SELECT ON `a_b`.* FROM `shop`@`%`", ("spelling",))


def test_a_right_by_pattern_that_the_file_never_asked_for_is_drift_not_spelling():
    it = shop("SELECT")
    patterns = live_after(it)._replace(server=SERVER._replace(partial_revokes=False))
    (line,) = lines(it, it, live=patterns, more={Grant(SHOP, Scope("DATABASE", "sh_p"), "SELECT")})
    assert (line.change.statement, line.origins) == ("REVOKE SELECT ON `sh_p`.* FROM `shop`@`%`", ("drift",))


def test_what_another_stacks_account_loses_on_a_database_is_no_spelling():
    held = live_after(shop("SELECT"))
    users = {
        name: it._replace(owner=it.owner and it.owner._replace(stack="shared-old"))
        for name, it in held.state.users.items()
    }
    held = held._replace(state=replace(held.state, databases={}, users=users))
    revoked = [line for line in lines_of(shop("SELECT"), live=held) if line.change.action == "revoke"]
    assert [(line.change.statement, line.origins) for line in revoked] == [
        ("REVOKE SELECT ON `shop`.* FROM `shop`@`%`", ("file",))
    ]


def test_an_option_changed_by_hand_is_drift_and_one_changed_in_the_file_is_not():
    plain, strict = shop("SELECT"), shop("SELECT", options=Options(require=Require("SSL")))
    (by_file,) = lines(strict, plain)
    assert (by_file.change.statement, by_file.origins, by_file.where) == (
        "ALTER USER `shop`@`%` REQUIRE SSL",
        ("file",),
        (at(9),),
    )
    (by_hand,) = lines(strict, strict, live=live_after(plain))
    assert by_hand.origins == ("drift",)
    locked = live_after(plain)
    users = {SHOP: locked.state.users[SHOP]._replace(options=Options(is_locked=True))}
    (both,) = lines(strict, plain, live=locked._replace(state=replace(locked.state, users=users)))
    assert (both.change.statement, both.origins) == (
        "ALTER USER `shop`@`%` REQUIRE SSL ACCOUNT UNLOCK",
        ("file", "drift"),
    )


def test_a_role_is_shown_where_it_is_granted():
    role = TenantRole("reader", (Privilege(("SELECT",), "shop", where=at(20)),), where=at(18))
    user = TenantUser("shop", roles=(RoleGrant("reader", where=at(25)),), where=at(22))
    it = Tenant("shop", (TenantDatabase("shop", where=at(5)),), (user,), (role,))
    where = {line.change.statement: line.where for line in lines_of(it)}
    assert where["GRANT SELECT ON `shop`.* TO `reader`@`%`"] == (at(20),)
    assert where["GRANT `reader`@`%` TO `shop`@`%`"] == (at(25),)
    assert where["SET DEFAULT ROLE `reader`@`%` TO `shop`@`%`"] == (at(22),)


def test_a_role_is_called_a_role_though_mysql_knows_users_alone():
    role = TenantRole("reader", (Privilege(("SELECT",), "shop"),))
    it = Tenant("shop", (TenantDatabase("shop"),), (TenantUser("shop", roles=(RoleGrant("reader"),)),), (role,))
    made = lines_of(it)
    assert {line.about for line in made} == {"database shop", "role reader", "user shop"}
    assert [line.about for line in made if "TO `reader`" in line.change.statement] == ["role reader"]
    gone = lines_of(live=live_after(it), deployed=deployed(it))
    assert [line.about for line in gone if "DROP USER" in line.change.statement] == ["role reader", "user shop"]


def test_a_privilege_that_goes_with_another_is_explained():
    granted = Grant(SHOP, Scope("DYNAMIC", name="ROLE_ADMIN"), "ROLE_ADMIN")
    (line,) = lines(shop("SELECT"), shop("SELECT"), more={granted})
    assert line.change.statement == "REVOKE RELOAD, ROLE_ADMIN ON *.* FROM `shop`@`%`"
    assert rule(line) == (
        "what the file does not mention of a managed user is revoked; RELOAD, which no tenant may have, goes with it:"
        " a master that is restricted on schema mysql could not take a dynamic privilege away alone"
    )


def relying(live: Live, **changed: object) -> Live:
    users = {**live.state.users, SHOP: live.state.users[SHOP]._replace(**changed)}
    return live._replace(state=State(live.state.databases, users, live.state.grants))


def test_views_that_run_as_a_user_are_told_of_before_it_is_dropped_or_loses_a_right():
    before = shop("SELECT", "INSERT")
    live = relying(live_after(before), objects=3)
    (revoked,) = lines(shop("SELECT"), before, live=live)
    assert revoked.relied_on == "3 views, routines, triggers or events run with its rights"
    gone = lines_of(live=live, deployed=deployed(before))
    assert gone[0].relied_on == "3 views, routines, triggers or events lose their definer and fail"
    assert [line.relied_on for line in gone[1:]] == ["", ""]
    (alone,) = lines(shop("SELECT"), before, live=relying(live_after(before), objects=1))
    assert alone.relied_on == "1 view, routine, trigger or event runs with its rights"


def test_who_else_holds_a_role_is_told_of():
    legacy = Grant(Account("legacy", "10.%"), role_scope(SHOP), MEMBER)
    (revoked,) = lines(shop("SELECT"), shop("SELECT", "INSERT"), more={legacy})
    assert revoked.relied_on == "it is a role of user legacy@10.%, who lose it too"


def test_every_line_has_a_rule():
    role = TenantRole("reader", (Privilege(("SELECT",), "shop"),), where=at(18))
    user = replace(shop("ALL").users[0], roles=(RoleGrant("reader"),))
    before, now = (
        Tenant("shop", shop("ALL").databases, (user,), (role,)),
        shop("SELECT", options=Options(is_locked=True)),
    )
    made = [*lines_of(before), *lines(now, before)]
    assert {line.change.action for line in made} == {"record", "create", "grant", "set", "alter", "revoke", "drop"}
    assert all(rule(line) for line in made)


def test_every_kind_of_change_has_a_rule():
    kinds = ["record", "offer", "share", "withdraw", "create", "alter", "rename", "grant", "set", "revoke", "drop"]
    kinds += ["release"]
    assert [rule(Line(Change(kind, "user shop", "SELECT 1"), "user shop")) for kind in kinds].count("") == 0
