"""What a plan says of each object: its differences in the file's own words, what of them weakens, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from aurora_tenants.errors import Location
from aurora_tenants.model import Configuration, Privilege, RoleGrant, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.grants import Grant, Scope
from aurora_tenants.mysql.names import NOWHERE, Account
from aurora_tenants.mysql.options import Options, Require
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Contents, Database, Live, State, User
from aurora_tenants.revision import FIRST, all_counted_up
from aurora_tenants.stack import Deployed
from aurora_tenants.tenant.items import Item, items_of_all, reason
from aurora_tenants.tenant.moves import Move
from aurora_tenants.tenant.plan import TenantPlan
from aurora_tenants.tenant.reasons import explain
from aurora_tenants.tenant.secrets import SecretDrift
from aurora_tenants.tenant.settings import new_settings, setting_differences, settings_of
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER, EMPTY, NOTHING_DEPLOYED, SERVER, live_after, planned, stack_of

PATTERNS = SERVER._replace(partial_revokes=False)


def items(
    *now: Tenant,
    before: Iterable[Tenant] = (),
    live: Live | None = None,
    deployed: Deployed | None = None,
    templates: Any = None,
    **of_plan: Any,
) -> list[Item]:
    """The items of the only tenant that something happens to; before: what is deployed."""
    before = tuple(before)
    live = live or live_after(*before)
    deployed = deployed or Deployed(None, {it.name: stack_of(it) for it in before})
    bodies = {it.name: template(CLUSTER, it).body for it in before} if templates is None else templates
    plans = tuple(replace(it, **of_plan) for it in planned(*now, live=live, deployed=deployed).tenants)
    configuration = Configuration(CLUSTER, now)
    lines = explain(plans, configuration, live, deployed, bodies)
    (found,) = items_of_all(plans, lines, configuration, live, deployed, bodies).values()
    shown_of = [line for item in found for line in item.lines]
    assert sorted(map(id, shown_of)) == sorted(map(id, lines.get(plans[0].name, ())))
    return list(found)


def said(found: Iterable[Item]) -> list[str]:
    """As they are shown, without what the program writes down for itself."""
    return [
        f"{item.sign} {item.kind} {item.name}  {'; '.join(str(part) for part in item.parts if not part.is_record)}"
        for item in found
        if not item.is_record
    ]


def shop(user: TenantUser | None = None, *, database: TenantDatabase | None = None, **rest: Any) -> Tenant:
    users = (user,) if user else ()
    return Tenant("shop", (database or TenantDatabase("shop"),), users, **rest)


def user(*permissions: str, name: str = "app", **rest: Any) -> TenantUser:
    privileges = (Privilege(permissions, "shop"),) if permissions else ()
    return TenantUser(name, rest.pop("privileges", privileges), **rest)


def changed(new: TenantUser, old: TenantUser) -> str:
    """What is said of the only difference, that of the user app."""
    (line,) = said(items(shop(new), before=[shop(old)]))
    return line.removeprefix("~ user app  ")


OPTIONS = {
    "require: SSL → none (weaker)": (Options(), Options(require=Require("SSL"))),
    "require: none → X509": (Options(require=Require("X509")), Options()),
    "require: subject /CN=a → cipher AES (weaker)": (
        Options(require=Require("SPECIFIED", cipher="AES")),
        Options(require=Require("SPECIFIED", subject="/CN=a")),
    ),
    "max_user_connections: 10 → no limit (weaker)": (Options(), Options(max_user_connections=10)),
    "max_queries_per_hour: 10 → 2,000 (weaker)": (
        Options(max_queries_per_hour=2000),
        Options(max_queries_per_hour=10),
    ),
    "max_updates_per_hour: no limit → 10": (Options(max_updates_per_hour=10), Options()),
    "locked: yes → no (weaker)": (Options(), Options(is_locked=True)),
    "locked: no → yes": (Options(is_locked=True), Options()),
    "password_expire_after_days: 30 → never (weaker)": (Options(expire_after_days=0), Options(expire_after_days=30)),
    "password_history: the server's → 5": (Options(history=5), Options()),
    "password_reuse_after_days: 90 → 30 (weaker)": (Options(reuse_after_days=30), Options(reuse_after_days=90)),
    "password_require_current: yes → the server's (weaker)": (Options(), Options(require_current=True)),
    "comment: none → `reads and writes`": (Options(comment="reads and writes"), Options()),
    "plugin: caching_sha2_password → mysql_native_password (weaker)": (
        Options(plugin="mysql_native_password"),
        Options(plugin="caching_sha2_password"),
    ),
}


@pytest.mark.parametrize(("text", "options"), OPTIONS.items(), ids=OPTIONS)
def test_an_option_is_told_old_and_new_in_the_words_of_the_file(text: str, options: tuple[Options, Options]):
    new, old = options
    assert changed(user("SELECT", options=new), user("SELECT", options=old)) == text


RIGHTS: dict[str, tuple[tuple[Privilege, ...], tuple[Privilege, ...]]] = {
    "shop.*: SELECT → ALL (wider)": ((Privilege(("ALL",), "shop"),), (Privilege(("SELECT",), "shop"),)),
    "shop.*: ALL → SELECT, INSERT": ((Privilege(("INSERT", "SELECT"), "shop"),), (Privilege(("ALL",), "shop"),)),
    "shop.*: SELECT → SELECT with GRANT OPTION (wider)": (
        (Privilege(("SELECT",), "shop", grant_option=True),),
        (Privilege(("SELECT",), "shop"),),
    ),
    "shop.*: SELECT → none; shop.orders: none → SELECT": (
        (Privilege(("SELECT",), "shop", "orders"),),
        (Privilege(("SELECT",), "shop"),),
    ),
    "shop.customers: SELECT → SELECT (country, id)": (
        (Privilege(("SELECT",), "shop", "customers", ("id", "country")),),
        (Privilege(("SELECT",), "shop", "customers"),),
    ),
    "shop.customers: SELECT (country), UPDATE (country) → SELECT (country, id) (wider)": (
        (Privilege(("SELECT",), "shop", "customers", ("id", "country")),),
        (Privilege(("SELECT", "UPDATE"), "shop", "customers", ("country",)),),
    ),
    "procedure shop.report: none → EXECUTE (wider)": (
        (Privilege(("EXECUTE",), "shop", procedure="report"),),
        (),
    ),
    "function shop.rate: ALL → none": ((), (Privilege(("ALL",), "shop", function="rate"),)),
    "*.*: PROCESS → PROCESS, APPLICATION_PASSWORD_ADMIN (wider)": (
        (Privilege(("APPLICATION_PASSWORD_ADMIN", "PROCESS"), "*"),),
        (Privilege(("PROCESS",), "*"),),
    ),
}


@pytest.mark.parametrize(("text", "privileges"), RIGHTS.items(), ids=RIGHTS)
def test_rights_are_told_by_what_they_are_on(text: str, privileges: tuple[Any, Any]):
    new, old = privileges
    assert changed(user(privileges=new), user(privileges=old)) == text


def test_of_many_columns_those_that_differ_are_named():
    columns = tuple(f"c{number}" for number in range(20))
    new, old = (user(privileges=(Privilege(("SELECT",), "shop", "t", some),)) for some in (columns, columns[:-1]))
    assert changed(new, old) == "shop.t: SELECT (19 columns) → SELECT (20 columns, among them c19) (wider)"


def test_a_role_is_granted_and_its_rights_are_a_line_of_its_own():
    role = TenantRole("reader", (Privilege(("SELECT",), "shop"),))
    with_role = user(roles=(RoleGrant("reader"),))
    assert said(items(shop(with_role, roles=(role,)), before=[shop(user())])) == [
        "~ user app  role reader: none → granted (wider)",
        "+ role reader  SELECT on shop.*",
    ]
    moved = said(items(shop(with_role, roles=(role,)), before=[shop(user("SELECT", "INSERT"))]))
    assert moved[1] == "~ user app  role reader: none → granted; shop.*: SELECT, INSERT → none"
    may_pass_on = user(roles=(RoleGrant("reader", admin_option=True),), default_roles=())
    assert said(items(shop(may_pass_on, roles=(role,)), before=[shop(with_role, roles=(role,))])) == [
        "~ user app  role reader: granted → granted, to be granted on (wider); default roles: reader → none"
    ]


def test_hosts_of_a_user_are_one_line():
    one, two = user("SELECT", hosts=("10.0.%",)), user("SELECT", hosts=("10.0.%", "10.1.%"))
    assert changed(two, one) == "host: 10.0.% → 10.0.%, 10.1.% (wider)"
    assert changed(one, two) == "host: 10.0.%, 10.1.% → 10.0.%"
    assert changed(one, user("SELECT")) == "host: % → 10.0.%"
    assert changed(user("ALL", hosts=("10.0.%", "10.1.%")), two) == "shop.*: SELECT → ALL (wider)"
    assert said(items(shop(two), before=[shop()])) == [
        "+ user app  host: 10.0.%, 10.1.%; SELECT on shop.*; secret, rotates every 30 days"
    ]


def test_a_difference_of_one_host_alone_says_which():
    two = user("SELECT", hosts=("10.0.%", "10.1.%"))
    live = live_after(shop(two))
    grants = live.state.grants - {Grant(Account("app", "10.1.%"), Scope("DATABASE", "shop"), "SELECT")}
    (item,) = items(shop(two), before=[shop(two)], live=live._replace(state=replace(live.state, grants=grants)))
    assert said([item]) == ["~ user app  shop.* at 10.1.%: none → SELECT (wider)"]
    assert item.origins == ("drift",)


def test_an_account_that_was_never_finished_is_no_host_of_its_user():
    it = shop(user("SELECT"))
    live = live_after(it)
    unfinished = Account("app", f"1.{NOWHERE}")
    users = {**live.state.users, unfinished: live.state.users[Account("app")]._replace(account=unfinished)}
    (item,) = items(it, before=[it], live=live._replace(state=replace(live.state, users=users)))
    assert said([item]) == [f"~ user app  DROP USER IF EXISTS `app`@`1.{NOWHERE}`"]


def test_what_cloudformation_alone_knows_is_told():
    assert changed(user("SELECT", rotate_after_days=7), user("SELECT")) == "rotates: every 30 days → every 7 days"
    rarer = changed(user("SELECT", rotate_after_days=0), user("SELECT", rotate_after_days=1))
    assert rarer == "rotates: every day → never (weaker)"
    assert changed(user("SELECT", on_remove="keep"), user("SELECT", on_remove="lock")) == (
        "on_remove: lock → keep (weaker)"
    )
    assert changed(user("SELECT", adopt=True), user("SELECT")) == "adopt: no → yes"
    droppable = shop(database=TenantDatabase("shop", on_remove="drop"))
    assert said(items(droppable, before=[shop()])) == ["~ database shop  on_remove: retain → drop (weaker)"]


def test_a_user_changes_between_a_password_and_iam_with_its_secret():
    iam = user("SELECT", auth="iam", options=Options(require=Require("SSL")))
    assert changed(iam, user("SELECT")) == ("auth: password → iam; require: none → SSL; its secret is deleted")
    assert changed(user("SELECT"), iam) == (
        "auth: iam → password (weaker); require: SSL → none (weaker); secret: none → a new one, rotates every 30 days"
    )


def test_a_database_is_shared_and_gets_another_character_set():
    billing = Tenant("billing", (TenantDatabase("billing"),))
    before = shop(database=TenantDatabase("shop", charset="utf8mb3", shared_with=("billing",)))
    after = shop(database=TenantDatabase("shop", charset="utf8mb4", shared_with=()))
    assert said(items(after, billing, before=[before, billing])) == [
        "~ database shop  charset: utf8mb3 → utf8mb4; its tables keep the character set and collation that they have; "
        "shared with: billing → none"
    ]
    assert said(items(before, billing, before=[after, billing]))[0].endswith("shared with: none → billing (wider)")


def test_what_weakens_or_loses_something_comes_first():
    before = shop(user("SELECT", name="b", options=Options(require=Require("SSL"))))
    after = shop(user("SELECT", name="b"), roles=(TenantRole("a"),))
    assert [(item.name, item.weakens) for item in items(after, before=[before])] == [("b", True), ("a", False)]
    dropped = Tenant("shop", (TenantDatabase("z", on_remove="drop"), TenantDatabase("a")), (user(),))
    found = items(before=[dropped])
    assert [(item.name, item.loses_data) for item in found] == [("z", True), ("a", False), ("app", False)]


def test_what_leaves_the_file_says_what_becomes_of_it():
    before = Tenant("shop", (TenantDatabase("old", on_remove="drop"), TenantDatabase("shop")), (user("SELECT"),))
    live = live_after(before)
    rest = ["- database shop  kept, belongs to nobody from then on", "- user app  dropped, and its secret deleted"]
    for contents, text in (
        ({"old": Contents(31, 12_400, 210_000_000)}, "DROPPED: 31 tables, about 12,400 rows, 210 MB"),
        ({"old": Contents(0, 0, 0)}, "DROPPED: there is no table in it"),
        ({}, "DROPPED with everything in it"),
    ):
        there = live._replace(state=replace(live.state, contents=contents))
        assert said(items(before=[before], live=there)) == [f"- database old  {text}", *rest]


def test_an_adopted_user_that_leaves_keeps_what_it_has():
    before = shop(user("SELECT", adopt=True))
    live = live_after(before)
    users = {
        account: it._replace(owner=it.owner and it.owner._replace(adopted=True))
        for account, it in live.state.users.items()
    }
    live = live._replace(state=replace(live.state, users=users))
    assert said(items(shop(), before=[before], live=live)) == [
        "- user app  kept: it keeps its password and its rights on shop.*; its secret is deleted"
    ]


def there(*users: User, databases: Iterable[Database] = ()) -> Live:
    return Live(SERVER, State({it.name: it for it in databases}, {it.account: it for it in users}))


def test_what_is_adopted_keeps_its_password_until_the_first_rotation():
    live = there(User(Account("app")), databases=[Database("shop")])
    adopting = shop(user("SELECT", adopt=True), database=TenantDatabase("shop", adopt=True))
    assert said(items(adopting, live=live)) == [
        "~ user app  adopted: it belongs to this tenant from then on; the password that it has now works until the"
        " first rotation, in 30 days; shop.*: none → SELECT (wider); secret, rotates every 30 days",
        "~ database shop  adopted: it belongs to this tenant from then on",
    ]
    never = shop(user("SELECT", adopt=True, rotate_after_days=0), database=TenantDatabase("shop", adopt=True))
    assert "works beside the secret's: it is never rotated" in said(items(never, live=live))[0]


def test_what_its_stack_has_kept_is_taken_back():
    kept = Owner("shared-shop", "DatabaseShop", released=True)
    live = there(databases=[Database("shop", owner=kept)])
    assert said(items(shop(), before=[shop()], live=live)) == [
        "~ database shop  taken back: it was kept when it left the file"
    ]


def test_what_was_dropped_by_hand_is_made_again():
    it = shop(user("SELECT"))
    found = items(it, before=[it], live=EMPTY)
    assert said(found) == [
        "+ database shop  made again: it was dropped by hand; empty",
        "+ user app  made again, with the password of its secret: it was dropped by hand; SELECT on shop.*",
    ]
    assert {item.origins for item in found} == {("drift",)}


def test_a_name_that_mysql_takes_for_a_pattern_is_told_in_plain_words():
    it = Tenant("shop", (TenantDatabase("a_b"),), (TenantUser("app", (Privilege(("SELECT",), "a_b"),)),))
    literal = live_after(it)
    (item,) = items(it, before=[it], live=literal._replace(server=PATTERNS))
    assert said([item]) == [
        "~ user app  rights on a_b.* reach: also databases with any other letter for _ → this database alone"
    ]
    assert item.origins == ("spelling",)


def test_drift_is_told_from_what_the_file_asks_for():
    before, after = shop(user("SELECT")), shop(user("SELECT", "INSERT"))
    live = live_after(before)
    by_hand = Grant(Account("app"), Scope("TABLE", "shop", "my orders"), "DELETE")
    live = live._replace(state=replace(live.state, grants=live.state.grants | {by_hand}))
    (item,) = items(after, before=[before], live=live)
    assert said([item]) == ["~ user app  shop.*: SELECT → SELECT, INSERT (wider); shop.`my orders`: DELETE → none"]
    assert item.origins == ("file", "drift")


def of_plan(tenant: Tenant, before: Tenant) -> TenantPlan:
    (plan,) = planned(tenant, live=live_after(before), deployed=Deployed(None, {"shop": stack_of(before)})).tenants
    return plan


def test_another_form_of_the_template_is_said_to_change_nothing():
    it = shop(user("SELECT"))
    older = Deployed(None, {"shop": replace(stack_of(it), outputs={"Digest": "of an older version"})})
    (item,) = items(it, before=[it], deployed=older)
    assert said([item]) == [
        "~ stack shared-shop  a newer version of this program writes its template in another form; nothing changes by"
        " that"
    ]
    assert (item.origins, reason(of_plan(it, it), [item])) == (("program",), "this program has a newer version")


def test_a_word_for_what_has_moved_or_was_renamed_long_ago_is_the_files_and_not_the_programs():
    it = shop(user("SELECT"))
    words = shop(replace(user("SELECT"), moved_from="elsewhere"))
    for before, now in ((it, words), (words, it)):
        (item,) = items(now, before=[before])
        assert said([item]) == [
            "~ stack shared-shop  moved_from: written or taken out, where what it is about is here already; nothing"
            " changes by that"
        ]
        assert (item.origins, reason(of_plan(now, before), [item])) == (("file",), "the file changed")


def test_a_template_that_cannot_be_read_is_said_so():
    it = shop(user("SELECT"))
    older = Deployed(None, {"shop": replace(stack_of(it), outputs={"Digest": "of an older version"})})
    for body in ({}, {"Resources": []}, {"Resources": {"A": {"Properties": 1}}}):
        (item,) = items(it, before=[it], deployed=older, templates={"shop": body})
        assert said([item]) == [
            "~ stack shared-shop  its template is another than the file's, and what is deployed could not be read"
        ]


def test_what_the_file_asks_for_and_somebody_has_done_by_hand_already_is_told():
    before, after = shop(user("SELECT")), shop(user("ALL"))
    assert said(items(after, before=[before], live=live_after(after))) == [
        "~ user app  privileges: MySQL has it already as the file says now"
    ]


def test_an_entry_alone_is_shown_to_who_asks_for_it():
    it = shop(user("SELECT"))
    live = live_after(it)
    account = Account("app")
    before = live.state.users[account]
    users = {account: before._replace(owner=before.owner and before.owner._replace(secret=""))}
    found = items(it, before=[it], live=live._replace(state=replace(live.state, users=users)))
    assert (said(found), [item.is_record for item in found]) == ([], [True])


def test_rights_that_wait_for_what_is_not_there_yet_are_told():
    privilege = {"Permission": ["SELECT"], "Database": "shop", "Table": "orders"}
    waits, fails = (
        {"U": {"Type": "Custom::DatabaseUser", "Properties": {"Privileges": [{**privilege, **more}]}}}
        for more in ({"WhenMissing": "skip"}, {})
    )
    new, old = settings_of(waits)["U"], settings_of(fails)["U"]
    assert [str(part) for part in setting_differences(new, old)] == ["when_missing on shop.orders: fail → skip"]
    assert [str(part) for part in setting_differences(old, new)] == ["when_missing on shop.orders: skip → fail"]
    assert [str(part) for part in new_settings(new)] == ["waits for shop.orders, if it is not there yet"]


def test_a_secret_that_was_changed_by_hand_is_a_line_of_its_user():
    it = shop(user("SELECT"))
    drift = SecretDrift("app", "/shared/database/app", "rotation: off → every 30 days", ("rotation",))
    live = live_after(it)
    grants = live.state.grants | {Grant(Account("app"), Scope("DATABASE", "shop"), "DROP")}
    changed_too = live._replace(state=replace(live.state, grants=grants))
    (item,) = items(it, before=[it], live=changed_too, secrets=(drift,))
    assert said([item]) == ["~ user app  shop.*: SELECT, DROP → SELECT; rotation: off → every 30 days"]
    assert item.origins == ("drift",)


def test_what_moves_says_that_nothing_is_dropped():
    before = shop(user("SELECT"))
    after = replace(before, users=(replace(before.users[0], rotate_after_days=7),))
    moves = {
        "moves here from tenant old, nothing is dropped": Move("user", "app", "old", "shop", "app"),
        "renamed from ap: password, secret and rights stay": Move("user", "app", "shop", "shop", "ap"),
    }
    for text, move in moves.items():
        (item,) = items(after, before=[before], moves=(move,))
        assert said([item]) == [f"~ user app  {text}; rotates: every 30 days → every 7 days"]
    gives = Move("database", "gone", "shop", "other", "gone")
    assert said(items(after, before=[before], moves=(gives,)))[0] == (
        "~ database gone  moves to tenant other, nothing is dropped"
    )


def test_a_stack_that_failed_says_what_becomes_of_it():
    it = shop(user("SELECT"))
    broken = Deployed(None, {"shop": stack_of(it, status="UPDATE_ROLLBACK_FAILED")})
    (item,) = items(it, before=[it], deployed=broken)
    assert said([item]) == [
        "~ stack shared-shop  its last update failed, and so did undoing it (UPDATE_ROLLBACK_FAILED): undoing it is"
        " continued, then it is updated"
    ]
    assert reason(of_plan(it, it), [item]) == "something was changed by hand"


def test_a_template_that_was_changed_by_hand_is_a_line_of_its_stack_whatever_else_there_is():
    it, edited = shop(user("SELECT")), "~ stack shared-shop  its template was changed by hand: it is written again"
    found = Deployed(None, {"shop": replace(stack_of(it), is_edited=True)})
    (item,) = items(it, before=[it], deployed=found)
    assert (said([item]), reason(of_plan(it, it), [item])) == ([edited], "something was changed by hand")
    (plan,) = planned(it, live=live_after(it), deployed=found).tenants
    assert (plan.stack.action, plan.stack.origin, plan.stack.parameters) == (
        "update",
        "drift",
        {"Revision": all_counted_up(FIRST)},
    )
    # Without its digest, or with what nobody can read, it is said no other way.
    for outputs, templates in (({}, None), ({}, {"shop": {}})):
        silent = Deployed(None, {"shop": replace(found.tenants["shop"], outputs=outputs)})
        assert said(items(it, before=[it], deployed=silent, templates=templates)) == [edited]
    both = items(shop(user("SELECT", rotate_after_days=7)), before=[it], deployed=found)
    assert [*said(both)] == [edited, "~ user app  rotates: every 30 days → every 7 days"]
    assert reason(of_plan(it, it), both) == "the file changed and something was changed by hand"


def test_an_item_says_where_the_file_asks_for_it():
    at = Location("tenants.yaml", 9, 5)
    before = shop(user("SELECT"))
    (item,) = items(shop(user("SELECT", rotate_after_days=7, where=at)), before=[before])
    assert item.where == (at,)
    assert items(shop(), live=EMPTY, deployed=NOTHING_DEPLOYED)[0].where == ()
