"""What users see of a plan: whole texts as files under tests/golden, JSON from the same value, names as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aurora_tenants import config
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import Configuration, Privilege, RoleGrant, TenantRole, TenantUser
from aurora_tenants.mysql.grants import MEMBER, Grant, Scope, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.plan import Proposal, make_plan
from aurora_tenants.render.items import View
from aurora_tenants.render.plan import plan_text
from aurora_tenants.render.plan_json import plan_data
from aurora_tenants.render.problems import problem_text
from aurora_tenants.safety import dangers
from aurora_tenants.stack import Deployed
from aurora_tenants.tenant.items import items_of_all
from aurora_tenants.tenant.reasons import explain, rule
from aurora_tenants.tenant.template import template
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


def proposed(
    configuration: Configuration,
    live: Live,
    deployed: Deployed,
    templates: Mapping[str, Mapping[str, Any]] | None = None,
) -> Proposal:
    """What is shown of a plan. templates: what is deployed, by tenant."""
    made = make_plan(configuration, live, deployed)
    lines = explain(made.tenants, configuration, live, deployed, templates or {})
    items = items_of_all(made.tenants, lines, configuration, live, deployed, templates or {})
    return Proposal(made, live, lines, items, dangers(made), account="123456789012", region="eu-west-1")


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
    templates = {it.name: template(CLUSTER, it).body for it in (app, drifted, rarely, gone, same)}
    return proposed(Configuration(CLUSTER, tenants), live, Deployed(None, stacks), templates)


def at(line: int) -> Location:
    return Location("tenants.yaml", line, 5)


def shown(proposal: Proposal, *, width: int = 80, **how: bool) -> str:
    return text_of(plan_text(proposal, file="tenants.yaml", width=width, view=View(**how)))


def test_a_plan_with_everything_in_it():
    text = shown(of_every_kind())
    assert text == golden("plan.txt", text)


def test_a_plan_with_the_rule_behind_each_line():
    text = shown(of_every_kind(), explain=True)
    assert text == golden("plan_explain.txt", text)


def test_explain_adds_each_statement_and_the_rule_behind_it():
    made = of_every_kind()
    lines, explained = (shown(made, width=1000, explain=is_so).splitlines() for is_so in (False, True))
    added = [line for line in explained if line.startswith("      ") and line not in lines]
    asked = [line for of_one in made.lines.values() for line in of_one if line.change.action != "record"]
    told = [(f"      {line.change.statement};", f"        rule: {rule(line)}") for line in asked]
    assert sorted(zip(added[::2], added[1::2], strict=True)) == sorted(told)
    assert [line for line in lines if not any(each.startswith(line) for each in explained)] == []


def test_what_is_written_down_for_itself_is_shown_on_request_alone():
    made = of_every_kind()
    usual, everything = shown(made, explain=True), shown(made, width=1000, explain=True, verbose=True)
    assert "aurora_tenants." not in usual
    records = [line.change.statement for of_one in made.lines.values() for line in of_one]
    assert [sql for sql in records if sql not in everything] == []
    assert "  - user gone  dropped, and its secret deleted; the entry that says whose it is, is deleted\n" in everything


def test_a_plan_without_changes_says_what_was_compared():
    live = live_after(SHOP)
    assert shown(of_shop(live), width=100) == (
        "Compared 1 tenant of tenants.yaml with cluster shared: MySQL 8.0.42 with 1 database and 1 user.\n"
        "\n"
        "No changes: MySQL and CloudFormation hold what the file says.\n"
    )


def test_one_line_for_each_tenant():
    head = shown(of_every_kind(), summary=True).partition("\n\n")[0]
    assert head.splitlines() == [
        "+ tenant new  new: 1 database, 1 user",
        "~ tenant app  file: 1 role, 1 user",
        "~ tenant drifted  by hand: 1 user; 1 weaker",
        "~ tenant rarely  file: 1 user",
        "~ tenant broken  to be made again: 1 stack, 1 database, 1 user",
        "+ tenant taken  new: 1 database, 1 user",
        "- tenant gone  no longer in the file: 1 database, 1 user; 1 DROPPED",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_plan_fits_its_width_and_breaks_no_name(width: int):
    made = of_every_kind()
    for how in ({}, {"summary": True}):
        lines = shown(made, width=width, **how).splitlines()
        assert [line for line in lines if len(line) > width] == []
    words = shown(made, width=width).split()
    assert words == shown(made, width=1000).split()


def test_the_plan_of_the_example_fits_a_screen():
    """With the line that says which account it is, which the command prints first."""
    configuration = config.load(Path(__file__).parents[2] / "examples" / "tenants.yaml")
    lines = shown(proposed(configuration, EMPTY, NOTHING_DEPLOYED)).splitlines()
    assert len(lines) + 1 <= 20
    assert "  + user shop-dev  ALL on shop-dev.*; secret, rotates every 30 days" in lines


def test_the_document_shows_what_plans_show():
    root = Path(__file__).parents[2]
    document = (root / "docs" / "plan.md").read_text()
    example = proposed(config.load(root / "examples" / "tenants.yaml"), EMPTY, NOTHING_DEPLOYED)
    assert f"```\n{shown(example)}```\n" in document
    assert f"```\n{shown(of_every_kind()).partition(chr(10) * 2)[0]}\n```\n" in document


def test_sixty_new_tenants_fit_two_hundred_lines_and_sixty_in_short():
    made = proposed(
        Configuration(CLUSTER, tuple(tenant(f"t{number}") for number in range(60))), EMPTY, NOTHING_DEPLOYED
    )
    assert len(shown(made).splitlines()) <= 200
    assert len(shown(made, summary=True).splitlines()) == 61


def test_a_plan_as_json():
    made = of_every_kind()
    text = json.dumps(plan_data(made), indent=2) + "\n"
    assert text == golden("plan.json", text)


def test_text_and_json_say_the_same():
    made = of_every_kind()
    data, text = plan_data(made), shown(made, width=1000)
    in_json = [change["sql"] for it in data["tenants"] for change in it["changes"]]
    assert in_json == [change.statement for it in made.plan.changed for change in it.changes]
    items = [item for it in data["tenants"] for item in it["items"]]
    assert [
        item for item in items if f"  {item['sign']} {item['kind']} {item['name']}  {item['text']}\n" not in text
    ] == []
    told = [*(it["text"] for it in data["notices"]), *(it["what"] for it in (*data["dangers"], *data["problems"]))]
    assert [what for what in told if what not in text] == []
    assert [it["tenant"] for it in data["tenants"] if it["action"] == "none"] == ["same"]
    assert data["has_changes"] is True


def test_each_statement_belongs_to_one_item():
    for it in plan_data(of_every_kind())["tenants"]:
        numbers = [number for item in it["items"] for number in item["changes"]]
        assert sorted(numbers) == list(range(len(it["changes"])))


def test_a_tenant_that_is_as_it_should_be_has_no_origin_of_a_change():
    live = live_after(SHOP)
    data = plan_data(of_shop(live))
    nothing = {"origin": None, "reason": None, "items": [], "changes": [], "drops": [], "dropped": []}
    shop = {"tenant": "shop", "group": None, "stack": "shared-shop", "action": "none"}
    assert (data["tenants"], data["rollout"]) == ([{**shop, **nothing}], None)
    assert data["has_changes"] is False


def test_a_user_dropped_behind_our_back_is_called_drift():
    live = without_user(live_after(SHOP), "shop")
    assert shown(of_shop(live)) == (
        "~ tenant shop  something was changed by hand\n"
        "  + user shop  made again, with the password of its secret: it was dropped by\n"
        "    hand; ALL on shop.*\n"
        "\n"
        "Tenants: 1 to update (1 by drift). 3 statements in MySQL.\n"
    )


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
        of_nobody(held, deployed(SHOP)), width=100
    )
