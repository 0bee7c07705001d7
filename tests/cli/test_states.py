"""A tenant's stack in every state that CloudFormation knows: what its plan says, and where apply leads it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from aurora_tenants.status import STATES
from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

STACK = "shared-global-shop"
SHOP = "  shop:\n    databases: {shop: }\n    users:\n      shop: {privileges: [{permission: ALL, database: shop}]}\n"
LINES = {
    "update": "No changes",
    "wait": f"tenant shop: stack {STACK} is in the middle of an operation: %s; apply waits for it  [stack-busy]",
    "go on": f"  ~ stack {STACK}  its last update failed and was not rolled back (%s): it is updated",
    "roll back": f"  ~ stack {STACK}  its last update failed, and so did undoing it (%s): undoing it is continued",
    "make again": "~ tenant shop  to be made again",
    "by hand": f"error: stack {STACK} is %s: nothing can be deployed on it  [stack-stuck]",
}


@pytest.fixture(autouse=True)
def clean(cloud: Cloud) -> Iterator[None]:
    yield
    if cloud.stacks().get(STACK, "").endswith("_IN_PROGRESS"):
        cloud.put(STACK, "UPDATE_COMPLETE")
    cloud.clean()


def test_each_state_has_a_line_in_the_plan_and_apply_leads_out_of_it_or_says_who_can(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql("CREATE TABLE shop.t (id INT)", "INSERT INTO shop.t VALUES (7)")
    for status, state in STATES.items():
        if status in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE", "ROLLBACK_COMPLETE"):
            continue  # there is nothing of the tenant then
        cloud.put(STACK, status)
        plan = run("aurora-tenants plan --detailed-exitcode")
        line = LINES[state.way]
        shown = " ".join(plan.out.split())  # lines are broken at the terminal's width
        assert " ".join((line % status if "%s" in line else line).split()) in shown, (status, plan)
        if state.way in ("update", "wait", "by hand"):
            assert plan.code == {"update": 0, "wait": 2, "by hand": 1}[state.way]
            continue
        if state.way == "make again":
            # Its database is kept, and belongs to nobody then: the file has to say that it is this tenant's.
            run.file(SHOP.replace("databases: {shop: }", "databases: {shop: {adopt: true}}"))
        assert run("aurora-tenants apply --yes").code == 0, status
        assert run("aurora-tenants plan --detailed-exitcode").code == 0, status
        assert cloud.sql("SELECT id FROM shop.t") == [(7,)]
    cloud.put(STACK, "IMPORT_ROLLBACK_FAILED")
    refused = run("aurora-tenants apply --yes")
    assert (refused.code, cloud.stacks()[STACK]) == (1, "IMPORT_ROLLBACK_FAILED")
    assert f"aws cloudformation delete-stack --stack-name {STACK}" in refused.err + refused.out
    # What it says is what helps.
    cloud.client("cloudformation").delete_stack(StackName=STACK)
    assert cloud.settled(STACK) == "gone"
    assert run("aurora-tenants apply --yes").code == 0
    assert cloud.sql("SELECT id FROM shop.t") == [(7,)]
    # A tenant that leaves the file takes such a stack along.
    cloud.put(STACK, "IMPORT_ROLLBACK_FAILED")
    run.file(" {}\n", head="version: 1\ncluster: {stack: shared-global}\ntenants:")
    removed = run("aurora-tenants apply --yes --allow-mass-removal")
    assert "(IMPORT_ROLLBACK_FAILED): it is deleted" in " ".join(removed.out.split())
    assert (removed.code, cloud.stacks()) == (0, {})


def test_a_stack_whose_update_was_not_rolled_back_is_gone_on_with(run: CommandLine, cloud: Cloud):
    """As somebody leaves it who updates it by hand, without rollback."""
    run.file(SHOP)
    assert run("aurora-tenants apply --yes").code == 0
    cloudformation = cloud.client("cloudformation")
    body = cloudformation.get_template(StackName=STACK)["TemplateBody"]
    body["Resources"]["UserShop"]["Properties"]["Privileges"] = [
        {"Permission": ["SELECT"], "Database": "shop", "Table": "not_there"}
    ]
    cloudformation.update_stack(StackName=STACK, TemplateBody=json.dumps(body), DisableRollback=True)
    assert cloud.settled(STACK) == "UPDATE_FAILED"
    assert "its last update failed and was not rolled back (UPDATE_FAILED)" in run("aurora-tenants plan").out
    assert run("aurora-tenants apply --yes").code == 0
    assert cloud.stacks()[STACK] == "UPDATE_COMPLETE"
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
