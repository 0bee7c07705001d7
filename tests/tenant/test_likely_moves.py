"""What looks like a move and is not said to be one: named with the key that would make it one; and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aurora_tenants.errors import Problem
from aurora_tenants.model import Configuration, Privilege, Tenant, TenantDatabase, TenantRole, TenantUser
from aurora_tenants.mysql.state import Live
from aurora_tenants.plan import make_plan
from aurora_tenants.stack import Deployed, Stack
from aurora_tenants.tenant.likely_moves import likely_moves
from aurora_tenants.tenant.template import template
from tests.values import CLUSTER, deployed, live_after, stack_of

CODE = "looks-like-a-move"
ON_SHOP = (Privilege(("SELECT", "INSERT"), "shop"),)


def having(name: str, *users: TenantUser, databases: tuple[str, ...] = ("shop",), on_remove: str = "retain") -> Tenant:
    held = tuple(TenantDatabase(it, on_remove="drop" if on_remove == "drop" else "retain") for it in databases)
    return Tenant(name, held, users)


def user(name: str, privileges: tuple[Privilege, ...] = ON_SHOP) -> TenantUser:
    return TenantUser(name, privileges)


SHOP, BLOG = having("shop", user("app")), having("blog", user("blog", ()), databases=("blog",))


def whole_stack(it: Tenant) -> Stack:
    """With all outputs: a user is renamed if the stack says that it has the one with the old name."""
    stack, outputs = stack_of(it), template(CLUSTER, it).body["Outputs"]
    return replace(stack, outputs=dict.fromkeys(outputs, "x") | stack.outputs)


def found(*wanted: Tenant, before: tuple[Tenant, ...] = (SHOP,), world: tuple[Live, Deployed] | None = None):
    live, stacks = world or (live_after(*before), Deployed(None, {it.name: whole_stack(it) for it in before}))
    return likely_moves(make_plan(Configuration(CLUSTER, wanted), live, stacks).tenants)


# A user under another name


def test_a_user_that_is_dropped_beside_one_with_its_rights_is_taken_for_renamed():
    assert found(having("shop", user("app2"))) == (
        Problem(
            CODE,
            "user app is dropped, and user app2 is made with the same rights",
            "it gets a new password, and whoever logs in with the old name and secret is shut out",
            "if it is the same user: renamed_from: app",
            context="tenant shop",
        ),
    )


def test_a_user_with_its_rights_in_another_tenant_is_told_of_both_words():
    before = (replace(SHOP, databases=(replace(SHOP.databases[0], shared_with=("blog",)),)), BLOG)
    (problem,) = found(replace(before[0], users=()), replace(BLOG, users=(*BLOG.users, user("app2"))), before=before)
    assert (problem.what, problem.context) == (
        "user app is dropped, and user app2 is made with the same rights",
        "tenant blog",
    )
    assert problem.fix == (
        "if it is the same user: keep the name app, with moved_from: shop; after that apply, give it its new name with"
        " renamed_from: app"
    )


def test_an_adopted_user_is_let_go_and_not_dropped():
    before = replace(SHOP, users=(replace(SHOP.users[0], adopt=True),))
    live = live_after(before)
    users = {
        account: it._replace(owner=it.owner and it.owner._replace(adopted=True))
        for account, it in live.state.users.items()
    }
    world = (live._replace(state=replace(live.state, users=users)), deployed(before))
    (problem,) = found(having("shop", user("app2")), world=world)
    assert (problem.what, problem.why) == (
        "user app is left behind, and user app2 is made with the same rights",
        "it gets a new password and a new secret, and the old user keeps its rights",
    )


def test_of_several_users_each_is_said_to_be_one():
    before = having("shop", user("a"), user("b"))
    fixes = [problem.fix for problem in found(having("shop", user("x"), user("y"), user("z")), before=(before,))]
    assert fixes == [f"if it is the same user: renamed_from: {name}" for name in "ab"]


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(SHOP, id="no change"),
        pytest.param(having("shop", user("app"), user("app2")), id="one more"),
        pytest.param(having("shop", user("app2", (Privilege(("SELECT",), "shop"),))), id="other rights"),
        pytest.param(having("shop"), id="dropped alone"),
        pytest.param(having("shop", replace(user("app"), hosts=("10.%",))), id="another host"),
        pytest.param(having("shop", replace(user("app2"), renamed_from="app")), id="renamed by the word"),
        pytest.param(having("shop", databases=("shop", "more")), id="a database more"),
    ],
)
def test_everything_else_is_taken_for_what_it_is(wanted: Tenant):
    assert found(wanted) == ()


def test_users_without_any_right_have_nothing_in_common():
    assert found(having("shop", user("app2", ())), before=(having("shop", user("app", ())),)) == ()


def test_a_role_is_not_taken_for_a_user():
    role = replace(having("shop"), roles=(TenantRole("reader", ON_SHOP),))
    assert found(role) == ()


# The same name in another tenant


def test_what_leaves_one_tenant_and_is_asked_for_by_another_is_taken_for_moved():
    wanted = replace(BLOG, databases=(*BLOG.databases, *SHOP.databases), users=(*BLOG.users, *SHOP.users))
    assert found(wanted, before=(SHOP, BLOG)) == (
        Problem(
            CODE,
            "database shop, user app leave tenant shop, and tenant blog asks for the same",
            "each stack is on its own: the one lets go, and the other may only make what is not there."
            " A user gets a new password.",
            "if that is a move: moved_from: shop on tenant blog, or on each of them",
            context="tenant blog",
        ),
    )


def test_a_tenant_of_another_name_with_the_same_things_is_taken_for_renamed():
    (problem,) = found(replace(SHOP, name="shop-prod"))
    assert problem.what == "database shop, user app leave tenant shop, and tenant shop-prod asks for the same"
    assert "moved_from: shop on tenant shop-prod" in problem.fix


def test_a_database_alone_is_told_without_a_word_on_passwords():
    (problem,) = found(having("shop", user("app"), databases=()), having("more", databases=("shop",)))
    assert problem.what == "database shop leaves tenant shop, and tenant more asks for the same"
    assert problem.why == "each stack is on its own: the one lets go, and the other may only make what is not there"
    assert problem.fix == "if that is a move: moved_from: shop on it in tenant more"


def test_a_role_is_told_as_one():
    before, after = (replace(having(name, databases=()), roles=(TenantRole("reader"),)) for name in ("shop", "more"))
    (problem,) = found(having("shop"), after, before=(replace(before, databases=SHOP.databases),))
    assert problem.what == "role reader leaves tenant shop, and tenant more asks for the same"


def test_what_moves_by_the_word_is_no_danger():
    moved = replace(
        SHOP,
        name="shop-prod",
        databases=tuple(replace(it, moved_from="shop") for it in SHOP.databases),
        users=tuple(replace(it, moved_from="shop") for it in SHOP.users),
    )
    assert found(moved) == ()


def test_what_is_forgotten_of_a_move_is_told():
    moved = replace(SHOP, name="shop-prod", databases=tuple(replace(it, moved_from="shop") for it in SHOP.databases))
    (problem,) = found(moved)
    assert problem.what == "user app leaves tenant shop, and tenant shop-prod asks for the same"


# An empty database in the place of another


@pytest.mark.parametrize(("on_remove", "gone"), [("retain", "left behind"), ("drop", "dropped")])
def test_a_database_that_is_made_beside_one_that_goes_is_told_to_be_empty(on_remove: str, gone: str):
    before = having("shop", databases=("shop",), on_remove=on_remove)
    assert found(having("shop", databases=("shop_2",)), before=(before,)) == (
        Problem(
            CODE,
            f"database shop_2 is made empty, while database shop is {gone}",
            "nothing that is in it goes along, and MySQL cannot rename a database",
            "if it is to be the same: keep the name shop in the file",
            context="tenant shop",
        ),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (having("shop"), having("shop-dev", databases=("shop-dev",))),
        (having("shop-dev", databases=("shop-dev",)), having("shop-test", databases=("shop-test",))),
        (having("shop-dev", databases=("shop_dev",)), having("shop", databases=("shop",))),
    ],
    ids=["staged", "another stage", "unstaged"],
)
def test_a_database_under_a_name_with_another_stage_is_told_too(old: Tenant, new: Tenant):
    (problem,) = found(new, before=(old,))
    (before,), (after,) = old.databases, new.databases
    assert problem.what == f"database {after.name} is made empty, while database {before.name} is left behind"
    assert problem.fix == (
        f"if it is to be the same: keep the name {before.name} in the file, with moved_from: {old.name}"
    )


def test_a_database_of_another_tenant_with_another_name_is_another_one():
    assert found(having("news", databases=("news",)), before=(SHOP,)) == ()
    assert found(having("news-dev", databases=("news-dev",)), before=(having("shop-dev"),)) == ()
    assert found(having("shop-prod", databases=("invoices",)), before=(having("shop-dev"),)) == ()


def test_very_many_are_counted():
    before = having("shop", databases=tuple(f"shop_{number}" for number in range(9)))
    (problem,) = found(having("shop", databases=("all",)), before=(before,))
    assert problem.what.endswith("database shop_4, … (9) are left behind")


def test_a_stack_that_is_made_again_gives_nothing_up():
    live, stack = live_after(SHOP), stack_of(SHOP, status="DELETE_FAILED")
    assert found(SHOP, world=(live, Deployed(None, {"shop": stack}))) == ()
