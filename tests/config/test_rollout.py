"""What a file says of the order in which its tenants are deployed, and what it cannot say."""

from __future__ import annotations

import pytest

from aurora_tenants import config
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import Group, Rollout
from tests.tenants_file import MARK, problems

HEAD = "version: 1\ncluster: {stack: shared}\n"
TENANTS = "tenants:\n  shop: {stages: [dev, test, prod]}\n  billing: {}\n  audit: {}\n"


def parsed(rollout: str, tenants: str = TENANTS) -> Rollout | None:
    return config.parse(HEAD + rollout + tenants, "f").rollout


def told(*groups: str, tenants: str = TENANTS) -> list[str]:
    """Every problem of these groups as `code: what`; each has to be at a place marked » in them, in this order."""
    text = HEAD + "rollout:\n  groups:\n" + "".join(f"    - {group}\n" for group in groups) + tenants
    marks = [
        (line, at + 1 - written[:at].count(MARK))
        for line, written in enumerate(text.split("\n"), 1)
        for at, character in enumerate(written)
        if character == MARK
    ]
    found = problems(text.replace(MARK, ""))
    assert [(problem.where.line, problem.where.column) for problem in found if problem.where] == marks
    return [f"{problem.code}: {problem.what}" for problem in found]


def test_a_rollout_is_its_groups_in_their_order():
    text = """rollout:
  stop_after: 3
  groups:
    - {name: canary, tenants: [shop-dev, "*-test"], pause: manual}
    - {name: rest, tenants: ["*"]}
"""
    groups = (Group("canary", ("shop-dev", "*-test"), pauses=True), Group("rest", ("*",)))
    assert parsed(text) == Rollout(groups, 3)
    assert parsed("") is None
    assert parsed('rollout: {groups: [{name: all, tenants: ["*"]}]}\n') == Rollout((Group("all", ("*",)),))


def test_a_tenant_is_of_the_first_group_that_has_a_glob_for_it():
    rollout = parsed('rollout: {groups: [{name: a, tenants: ["shop-*"]}, {name: b, tenants: ["*-prod", "?[iu]*"]}]}\n')
    assert rollout is not None
    assert {name: rollout.group_of(name).name for name in ("shop-prod", "billing", "audit")} == {
        "shop-prod": "a",
        "billing": "b",
        "audit": "b",
    }


def test_a_last_group_may_have_no_tenant_yet():
    tenants = "tenants: {shop: {stages: [dev]}}\n"
    assert parsed('rollout: {groups: [{name: a, tenants: ["*-dev"]}, {name: b, tenants: ["*"]}]}\n', tenants)


def test_a_file_without_tenants_may_have_a_rollout():
    assert parsed("rollout: {groups: [{name: a, tenants: [shop-dev]}]}\n", "tenants: {}\n")


ALL = '{name: rest, tenants: ["*"]}'


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (["{name: a, tenants: [»shop]}", ALL], ["unknown-tenant: there is no tenant shop"]),
        (["{name: a, tenants: [audit, »'*-tset']}", ALL], ["unknown-tenant: no tenant is called *-tset"]),
        (["{name: a, tenants: [audit, »audit]}", ALL], ["duplicate-tenant: tenant audit appears twice"]),
        (
            ["{name: a, tenants: ['a*']}", "{name: b, tenants: [»audit, billing]}", ALL],
            ["tenant-of-two-groups: tenant audit is of group a already"],
        ),
        ([ALL, "»{name: canary, tenants: [shop-dev]}"], ["group-of-nobody: no tenant can be of group canary"]),
        (
            ["{name: a, tenants: ['a*']}", "»{name: b, tenants: ['au*']}", ALL],
            ["group-of-nobody: no tenant is of group b"],
        ),
        (["{name: a, tenants: [audit]}", "{name: »a, tenants: ['*']}"], ["duplicate-group: group a appears twice"]),
        (
            ["{name: »A b, tenants: ['*']}"],
            ["invalid-name: group name A b has characters that none can have"],
        ),
        (
            [f"{{name: »{'a' * 65}, tenants: ['*']}}"],
            [f"name-too-long: group name {'a' * 57}... is 1 character too long"],
        ),
        (["{name: a, tenants: ['*'], pause: »manual}"], ["pause-at-the-end: nothing comes after group a"]),
        (["{name: a, tenants: ['*'], pause: »auto}"], ["wrong-value: pause is auto"]),
        (["{name: a, tenants: ['*'], »paws: manual}"], ["unknown-key: unknown key paws"]),
        (["{name: a, tenants: »[]}"], ["empty-value: tenants is empty"]),
        (["{name: a, tenants: »audit}"], ["wrong-type: tenants is text"]),
    ],
)  # fmt: skip
def test_what_no_rollout_can_say_is_told_at_its_place(groups: list[str], said: list[str]):
    assert told(*groups) == said


def test_tenants_of_no_group_are_told_once_together():
    (problem,) = problems(f"{HEAD}rollout:\n  groups:\n    - {{name: canary, tenants: [shop-dev, audit]}}\n{TENANTS}")
    assert problem == Problem(
        "tenant-of-no-group",
        "3 tenants of no group: shop-test, shop-prod, billing",
        "apply --group would never deploy them, and nobody would notice",
        'add them to a group, or "*" to the last one',
        Location("f", 4, 3),
        "rollout",
    )


def test_a_glob_of_a_service_with_stages_is_told_how_to_name_them():
    (problem,) = problems(f"{HEAD}rollout: {{groups: [{{name: a, tenants: [shop]}}, {ALL}]}}\n{TENANTS}")
    assert problem.fix == "write shop-*, for all of its stages"


@pytest.mark.parametrize("value", ["0", "-1", "10001"])
def test_stop_after_is_a_number_of_failures(value: str):
    (problem,) = problems(f"{HEAD}rollout: {{stop_after: {value}, groups: [{ALL}]}}\n{TENANTS}")
    assert (problem.code, problem.fix) == ("wrong-value", "write a number from 1 to 10000")
