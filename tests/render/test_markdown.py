"""A plan as a comment on a change: dangers on top, never too long, and no name means anything in it but itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from aurora_tenants.errors import Notice, Problem
from aurora_tenants.model import Configuration
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.state import Database, Live, State, User
from aurora_tenants.plan import Proposal
from aurora_tenants.render.plan_markdown import LONGEST, fenced, plan_markdown
from tests.goldens import golden
from tests.render.test_hostile import ODD
from tests.render.test_plan import of_every_kind, of_nobody, proposed
from tests.values import CLUSTER, EMPTY, NOTHING_DEPLOYED, tenant

BREAKING = "a\n```\n````` </code></details><img src=x> @everyone #1 [x](http://x) **b**"


def shown(proposal: Proposal, **how: int) -> str:
    return plan_markdown(proposal, file="tenants.yaml", **how)


def outside(text: str) -> str:
    """What is left of a page without its blocks of code."""
    left, fence = [], ""
    for line in text.split("\n"):
        opened = re.match(r"(`{3,})", line)
        if not fence and opened:
            fence = opened[1]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            left.append(line)
    assert not fence
    return "\n".join(left)


def test_a_plan_with_everything_in_it():
    text = shown(of_every_kind())
    assert text == golden("plan.md", text)


def test_dangers_and_problems_come_before_the_tenants():
    text = shown(of_every_kind())
    places = [
        text.index(part) for part in ("### Tenants: 2 to create", "danger: database gone", "error: ", "<details>")
    ]
    assert places == sorted(places)


def test_all_tenants_and_their_lines_are_in_it():
    made = of_every_kind()
    text = shown(made)
    assert text.count("<details>") == text.count("</details>") == len(made.plan.changed) + 1
    for of_one in made.items.values():
        assert [item.name for item in of_one if f" {item.kind} {item.name}  " not in text] == []


@pytest.mark.parametrize("odd", [*ODD.values(), BREAKING])
def test_no_name_breaks_out(odd: str):
    odd = f"a{odd}z"
    users = {account: User(account) for account in (Account(odd), Account("a", odd))}
    made = of_nobody(Live(EMPTY.server._replace(version=odd), State({odd: Database(odd)}, users)))
    plan = replace(made.plan, problems=(Problem("x", odd, odd, odd, context=odd),), notices=(Notice("x", odd),))
    text = shown(replace(made, plan=plan, dangers=(Problem("x", odd),)))
    assert [character for character in text if character != "\n" and not character.isprintable()] == []
    bare = re.sub(r"</?(details|summary|code)>", "", outside(text))
    assert [mark for mark in ("<", "@", "](", "`````", odd) if mark in bare] == []


def test_a_tenants_name_that_somebody_wrote_into_a_tag_does_not_either():
    made = proposed(Configuration(CLUSTER, (tenant("new"),)), EMPTY, NOTHING_DEPLOYED)
    (plan,) = made.plan.tenants
    odd = "</code></summary>@everyone<b>"
    named = replace(plan, name=odd)
    text = shown(replace(made, plan=replace(made.plan, tenants=(named,)), items={odd: made.items["new"]}))
    assert "<summary><code>+ tenant &lt;/code&gt;&lt;/summary&gt;@everyone&lt;b&gt;  new: " in text


def test_a_fence_is_longer_than_what_it_holds():
    assert fenced("a ```` b", "sql") == "`````sql\na ```` b\n`````"
    assert fenced("plain", "") == "```\nplain\n```"


def test_a_plan_that_does_not_fit_says_what_is_missing_and_how_to_see_it():
    tenants = tuple(tenant(f"t{number}") for number in range(1000))
    made = proposed(Configuration(CLUSTER, tenants), EMPTY, NOTHING_DEPLOYED)
    text = shown(made)
    assert len(text) <= len(text.encode()) <= LONGEST
    shown_count = text.count("<details>")
    assert shown_count > 100
    assert (
        f"**{1000 - shown_count} tenants and 1 line on what was compared do not fit here.** To see them: `aurora"
        in text
    )
    outside(text)


@pytest.mark.parametrize("longest", [1000, 2000, 3000, 5000])
def test_however_little_fits_it_is_whole_markdown(longest: int):
    made = of_every_kind()
    many = [Problem("drops-database", f"database d{number} would be dropped {'x' * 100}") for number in range(50)]
    text = shown(replace(made, dangers=tuple(many)), longest=longest)
    assert len(text.encode()) <= longest
    assert text.count("<details>") == text.count("</details>")
    assert outside(text).startswith("### Tenants: 2 to create")
    assert " not fit here.**" in text
