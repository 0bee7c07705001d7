"""What a file says of things that move, get another name, leave it, or are not there yet, and what it cannot say."""

from __future__ import annotations

import pytest

from aurora_tenants import config
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import Privilege
from tests.tenants_file import HEAD, fixes, granting, problems, tenants, told


def givers(body: str) -> dict[str, str | None]:
    """Where every database, role and user of a file comes from."""
    return {
        thing.name: thing.moved_from
        for tenant in tenants(body)
        for thing in (*tenant.databases, *tenant.roles, *tenant.users)
    }


# What a file means


def test_what_moves_says_where_it_comes_from():
    body = """
  shop:
    stages: [dev, prod]
    databases: {"shop-{stage}": {moved_from: "store-{stage}"}, "other-{stage}": }
    roles: {"reader-{stage}": {moved_from: billing}}
    users: {"shop-{stage}": {moved_from: "store-{stage}"}}
"""
    assert givers(body) == {
        "shop-dev": "store-dev",
        "other-dev": None,
        "reader-dev": "billing",
        "shop-prod": "store-prod",
        "other-prod": None,
        "reader-prod": "billing",
    }


@pytest.mark.parametrize(
    ("moved_from", "dev", "prod"),
    [
        ('"store-{stage}"', "store-dev", "store-prod"),
        ("{prod: store}", None, "store"),
        ('{dev: "{stage}-store", prod: store}', "dev-store", "store"),
    ],
)
def test_all_of_a_tenant_comes_from_where_the_tenant_does(moved_from: str, dev: str | None, prod: str | None):
    body = f"""
  shop:
    stages: [dev, prod]
    moved_from: {moved_from}
    databases: {{"a-{{stage}}": , "b-{{stage}}": {{moved_from: billing}}}}
    roles: {{"r-{{stage}}": }}
    users: {{"u-{{stage}}": }}
"""
    assert givers(body) == {
        f"{name}-{stage}": "billing" if name == "b" else giver
        for stage, giver in (("dev", dev), ("prod", prod))
        for name in "abru"
    }


def test_a_tenant_without_stages_comes_from_one_tenant():
    assert givers("  a: {moved_from: b, databases: {a: }}\n") == {"a": "b"}


def test_a_tenant_with_one_stage_may_come_from_one_without():
    assert givers("  a: {stages: [prod], moved_from: a, databases: {a: }}\n") == {"a": "a"}


def test_a_user_says_what_it_was_called():
    (tenant,) = tenants('  a: {stages: [dev], users: {"new-{stage}": {renamed_from: "old-{stage}"}, b: }}\n')
    assert [user.renamed_from for user in tenant.users] == ["old-dev", None]


def test_a_user_says_what_becomes_of_it():
    text = f"defaults: {{on_remove: drop}}\n{HEAD}  a: {{users: {{a: , b: {{on_remove: lock, adopt: true}}}}}}\n"
    (tenant,) = config.parse(text, "f").tenants
    assert [user.on_remove for user in tenant.users] == [None, "lock"]


def test_what_is_adopted_is_not_dropped_because_of_the_defaults():
    text = f"defaults: {{on_remove: drop}}\n{HEAD}  a: {{databases: {{a: {{adopt: true}}, b: {{adopt: false}}}}}}\n"
    (tenant,) = config.parse(text, "f").tenants
    assert [database.on_remove for database in tenant.databases] == ["retain", "drop"]


@pytest.mark.parametrize(
    ("entry", "privilege"),
    [
        ("table: t, when_missing: skip", Privilege(("SELECT",), "app", "t", when_missing="skip")),
        ("table: t, columns: [c], when_missing: skip", Privilege(("SELECT",), "app", "t", ("c",), when_missing="skip")),
        ("table: t, when_missing: fail", Privilege(("SELECT",), "app", "t")),
        ("table: t", Privilege(("SELECT",), "app", "t")),
    ],
)
def test_a_privilege_says_whether_it_waits(entry: str, privilege: Privilege):
    (tenant,) = tenants(granting(f"{{permission: SELECT, database: app, {entry}}}"))
    assert tenant.users[0].privileges == (privilege,)


@pytest.mark.parametrize("kind", ["procedure", "function"])
def test_a_privilege_on_a_routine_may_wait_too(kind: str):
    (tenant,) = tenants(granting(f"{{permission: EXECUTE, database: app, {kind}: r, when_missing: skip}}"))
    assert tenant.users[0].privileges[0].when_missing == "skip"


# What it cannot say


def test_a_problem_says_place_reason_and_way_out():
    body = "  a:\n    users:\n      new: {renamed_from: old}\n  b: {users: {old: }}\n"
    assert problems(HEAD + body) == [
        Problem(
            "renamed-and-kept",
            "old is still in the file",
            "it is declared at f:7:15, and a user that is renamed has its old name no more",
            "remove it there, or remove renamed_from",
            Location("f", 6, 27),
            "tenant a, user new",
        )
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "  a: {databases: {a: {moved_from: »a}}}",
            ["moved-from-itself: moved_from is a, the tenant itself"],
        ),
        (
            '  a: {stages: [dev], users: {u: {moved_from: »"a-{stage}"}}}',
            ["moved-from-itself: moved_from is a-dev, the tenant itself"],
        ),
        ("  a: {moved_from: »a, users: {u: }}", ["moved-from-itself: moved_from is a, the tenant itself"]),
        (
            "  a: {stages: [dev], moved_from: {dev: »a-dev}, users: {u: }}",
            ["moved-from-itself: moved_from is a-dev, the tenant itself"],
        ),
        ("  a: {roles: {r: {moved_from: »B}}}", ['invalid-name: tenant name B begins with "B"']),
        (
            '  a: {users: {u: {moved_from: »"b-{stage}"}}}',
            ["no-stages: {stage} is used, but tenant a has no stages"],
        ),
        ('  a: {moved_from: »"b-{x}", users: {u: }}', ["unknown-placeholder: unknown placeholder {x}"]),
        (
            "  a: {stages: [dev, prod], moved_from: »b}",
            ["name-without-stage: every stage of a would come from b"],
        ),
        ("  a: {stages: [dev], moved_from: {»prd: b}}", ["unknown-stage: tenant a has no stage prd"]),
        ("  a: {moved_from: {»prod: b}}", ["unknown-stage: tenant a has no stage prod"]),
        ("  a: {stages: [dev], moved_from: {dev: »1}}", ["wrong-type: dev is the number 1"]),
        ("  a: {stages: [dev], moved_from: »{}}", ["empty-value: moved_from is empty"]),
        ("  a: {users: {u: {moved_from: »''}}}", ["empty-value: moved_from is empty"]),
    ],
)
def test_nothing_comes_from_what_cannot_be_a_tenant_or_from_itself(body: str, expected: list[str]):
    assert told(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("  a: {users: {u: {renamed_from: »u}}}", ["renamed-from-itself: renamed_from is u, the user itself"]),
        ("  a: {roles: {r: }, users: {u: {renamed_from: »r}}}", ["renamed-and-kept: r is still in the file"]),
        (
            "  a: {users: {u: {renamed_from: v}, w: {renamed_from: »v}}}",
            ["renamed-twice: users u and w were both called v"],
        ),
        (
            '  a: {stages: [dev, prod], users: {"u-{stage}": {renamed_from: »u}}}',
            ["name-without-stage: the users of every stage would have been called u"],
        ),
        ("  a: {users: {u: {renamed_from: »a b}}}", ["invalid-name: user name a b contains a space"]),
        (
            "  a: {users: {u: {moved_from: b, renamed_from: »v}}}",
            ["renamed-and-moved: this user is renamed and comes from tenant b at once"],
        ),
        (
            "  a: {moved_from: b, users: {u: {renamed_from: »v}}}",
            ["renamed-and-moved: this user is renamed and comes from tenant b at once"],
        ),
        (
            "  a: {users: {u: {adopt: true, renamed_from: »v}}}",
            ["renamed-and-adopted: this user is renamed and taken over at once"],
        ),
        (
            "  a: {users: {u: {renamed_from: »v}, v: {renamed_from: »u}}}",
            ["renamed-and-kept: v is still in the file", "renamed-and-kept: u is still in the file"],
        ),
    ],
)
def test_no_user_is_renamed_from_a_name_that_is_not_free(body: str, expected: list[str]):
    assert told(body) == expected


def test_the_stages_of_one_entry_are_renamed_each_from_its_own():
    body = '  a: {stages: [dev, prod], users: {"u-{stage}": {renamed_from: "v-{stage}"}}}\n'
    assert [tenant.users[0].renamed_from for tenant in tenants(body)] == ["v-dev", "v-prod"]


@pytest.mark.parametrize("group", ["databases", "users"])
def test_what_is_adopted_is_not_to_be_dropped(group: str):
    noun = group.removesuffix("s")
    what = f"adopt-and-drop: this {noun} is to be taken over, and dropped when it is removed"
    assert told(f"  a: {{{group}: {{a: {{adopt: true, on_remove: »drop}}}}}}") == [what]


def test_a_user_is_not_retained_but_kept():
    body = "  a: {users: {a: {on_remove: »retain}}}"
    assert told(body) == ["wrong-value: on_remove is retain"]
    assert fixes(body) == ["write drop, lock or keep"]


@pytest.mark.parametrize(
    "entry",
    [
        "permission: ALL, database: app, when_missing: »skip",
        "permission: ALL, database: app, table: '*', when_missing: »fail",
        "permission: PROCESS, database: '*', when_missing: »skip",
    ],
)
def test_only_what_can_be_missing_is_waited_for(entry: str):
    assert told(granting(f"{{{entry}}}")) == [
        "nothing-to-wait-for: when_missing is set for what cannot be missing",
    ]


def test_a_privilege_waits_or_fails():
    body = granting("{permission: SELECT, database: app, table: t, when_missing: »wait}")
    assert told(body) == ["wrong-value: when_missing is wait"]
    assert fixes(body) == ["write fail or skip"]
