"""What users see of a plan: whole texts as files under tests/golden, JSON from the same value, names as they are."""

from __future__ import annotations

import json
from dataclasses import replace

from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import Configuration, Privilege, RoleGrant, TenantRole, TenantUser
from aurora_tenants.mysql.grants import MEMBER, Grant, Scope, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.plan import Proposal, make_plan
from aurora_tenants.render.plan import plan_data, plan_text
from aurora_tenants.render.problems import problem_text
from aurora_tenants.safety import dangers
from aurora_tenants.stack import Deployed
from aurora_tenants.tenant.reasons import explain
from tests.goldens import golden
from tests.render.printed import text_of
from tests.values import (
    CLUSTER,
    EMPTY,
    NOTHING_DEPLOYED,
    SHOP,
    deployed,
    live_after,
    stack_of,
    tenant,
    without_user,
)


def proposed(configuration: Configuration, live: Live, deployed: Deployed) -> Proposal:
    """What is shown of a plan, without the templates that are deployed."""
    made = make_plan(configuration, live, deployed)
    lines = explain(made.tenants, configuration, live, deployed, {})
    return Proposal(made, live, lines, dangers(made), account="123456789012", region="eu-west-1")


def of_shop(live: Live) -> Proposal:
    return proposed(Configuration(CLUSTER, (SHOP,)), live, deployed(SHOP))


def of_nobody(live: Live, there: Deployed = NOTHING_DEPLOYED) -> Proposal:
    """Of a file without tenants."""
    return proposed(Configuration(CLUSTER, ()), live, there)


def of_every_kind() -> Proposal:
    """A plan that holds one tenant of every kind, a notice, a danger and a problem."""
    app = tenant("app")
    privileges = (
        Privilege(("SELECT",), "app", table="orders", columns=("id", "country"), where=at(12)),
        Privilege(("INSERT",), "app", table="orders", where=at(13)),
    )
    reader = TenantUser("app", privileges, roles=(RoleGrant("app-reader", where=at(14)),), where=at(10))
    role = TenantRole("app-reader", (Privilege(("SELECT",), "app", where=at(8)),), where=at(7))
    changed = replace(app, users=(reader,), roles=(role,))
    drifted, rarely = tenant("drifted"), tenant("rarely")
    rotated = replace(rarely, users=(replace(rarely.users[0], rotate_after_days=7),))
    gone, same, taken = tenant("gone", on_remove="drop"), tenant("same"), tenant("taken")
    live = live_after(app, drifted, rarely, gone, same)
    grants = live.state.grants - {Grant(Account("drifted"), Scope("DATABASE", "drifted"), "DROP")}
    databases = {**live.state.databases, "stray": Database("stray"), "taken": Database("taken")}
    account = Account("app")
    users = {**live.state.users, account: live.state.users[account]._replace(objects=2)}
    live = live._replace(state=State(databases, users, grants))
    stacks = {it.name: stack_of(it) for it in (app, drifted, rarely, gone, same)}
    stacks["broken"] = stack_of(tenant("broken"), status="ROLLBACK_COMPLETE")
    tenants = (tenant("new"), changed, drifted, rotated, same, tenant("broken"), taken)
    return proposed(Configuration(CLUSTER, tenants), live, Deployed(None, stacks))


def at(line: int) -> Location:
    return Location("tenants.yaml", line, 5)


def shown(proposal: Proposal, **how: bool) -> str:
    return text_of(plan_text(proposal, file="tenants.yaml", **how))


def test_a_plan_with_everything_in_it():
    text = shown(of_every_kind())
    assert text == golden("plan.txt", text)


def test_a_plan_with_the_rule_behind_each_line():
    text = shown(of_every_kind(), explain=True)
    assert text == golden("plan_explain.txt", text)


def test_the_rules_are_all_that_explain_adds():
    made = of_every_kind()
    explained = shown(made, explain=True).splitlines()
    assert [line for line in explained if not line.startswith("              rule: ")] == shown(made).splitlines()
    assert len(explained) - len(shown(made).splitlines()) == sum(map(len, made.lines.values()))


def test_a_plan_without_changes_says_what_was_compared():
    live = live_after(SHOP)
    assert shown(of_shop(live)) == (
        "Compared 1 tenant of tenants.yaml with cluster shared: MySQL 8.0.42 with 1 database and 1 user.\n"
        "\n"
        "No changes: MySQL and CloudFormation hold what the file says.\n"
    )


def test_a_plan_as_json():
    made = of_every_kind()
    text = json.dumps(plan_data(made), indent=2) + "\n"
    assert text == golden("plan.json", text)


def test_text_and_json_say_the_same():
    made = of_every_kind()
    data, text = plan_data(made), shown(made)
    in_json = [change["sql"] for it in data["tenants"] for change in it["changes"]]
    assert in_json == [change.statement for it in made.plan.changed for change in it.changes]
    assert [sql for sql in in_json if sql not in text] == []
    told = [*(it["text"] for it in data["notices"]), *(it["what"] for it in (*data["dangers"], *data["problems"]))]
    assert [what for what in told if what not in text] == []
    assert [it["tenant"] for it in data["tenants"] if it["action"] == "none"] == ["same"]
    assert data["has_changes"] is True


def test_a_tenant_that_is_as_it_should_be_has_no_origin_of_a_change():
    live = live_after(SHOP)
    data = plan_data(of_shop(live))
    assert data["tenants"] == [
        {
            "tenant": "shop",
            "stack": "shared-shop",
            "action": "none",
            "origin": None,
            "changes": [],
            "drops": [],
            "secrets": [],
        }
    ]
    assert data["has_changes"] is False


def test_a_user_dropped_behind_our_back_is_called_drift():
    live = without_user(live_after(SHOP), "shop")
    text = shown(of_shop(live))
    assert "~ update tenant shop  (stack shared-shop: drift: MySQL was changed by somebody else)\n" in text
    assert text.endswith("Tenants: 0 to create, 1 to update (1 by drift), 0 to remove, 0 unchanged. "
                         "3 statements in MySQL.\n")  # fmt: skip


def test_what_looks_like_markup_is_shown_as_it_is():
    odd = "[red]:smile:[/red] https://example.com 'quoted' 12"
    made = of_nobody(Live(EMPTY.server, State(users={Account(odd): User(Account(odd))})))
    assert f"user {odd} belongs to nobody" in shown(made)
    assert text_of(problem_text(Problem("x", odd))) == f"error: {odd}  [x]\n"


def test_a_name_cannot_write_to_the_terminal_what_it_likes():
    odd = "evil\x1b[2J\nNo changes\r\x9b2J"
    made = of_nobody(Live(EMPTY.server, State(users={Account(odd): User(Account(odd))})))
    text = shown(made)
    assert "  user evil\\x1b[2J\\nNo changes\\r\\x9b2J belongs to nobody" in text
    assert [character for character in text if character != "\n" and not character.isprintable()] == []
    held = live_after(SHOP)
    member = Grant(Account(odd), role_scope(Account("shop")), MEMBER)
    held = held._replace(state=replace(held.state, grants=held.state.grants | {member}))
    assert "careful: it is a role of user evil\\x1b[2J\\nNo changes\\r\\x9b2J, who lose it too\n" in shown(
        of_nobody(held, deployed(SHOP))
    )
