"""Secrets that go from one stack to another through a real CloudFormation API, step by step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from aurora_tenants.aws import stacks
from aurora_tenants.aws.importing import import_secrets
from aurora_tenants.errors import AwsError, StackFailed
from aurora_tenants.model import Cluster, Privilege, Tenant, TenantDatabase, TenantUser
from aurora_tenants.naming import tenant_tags
from aurora_tenants.revision import FIRST, all_counted_up, counted_up
from aurora_tenants.stack import StackPlan, Template
from aurora_tenants.tenant.handover import giving, without_gifts
from aurora_tenants.tenant.template import template
from tests.cloud import SHARED, Cloud
from tests.endpoint import until
from tests.quick import look_often

CLUSTER = Cluster(SHARED)
GIVER, RECEIVER = f"{SHARED}-giver", f"{SHARED}-receiver"
ALL = (Privilege(("ALL",), "moving"),)
THINGS = ((TenantDatabase("moving"),), (TenantUser("mover", ALL),))
MOVED = (
    (TenantDatabase("moving", adopt=True, moved_from="giver"),),
    (TenantUser("mover", ALL, adopt=True, moved_from="giver"),),
)


def quiet(event: stacks.Event) -> None:
    """Nobody listens."""


@pytest.fixture
def cloudformation(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    look_often(monkeypatch)
    yield cloud.client("cloudformation")
    cloud.throttle("secretsmanager", "UpdateSecret", 0)
    cloud.clean()
    for name in cloud.secrets():
        if "/mover" in name:
            cloud.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def plan_of(cloudformation: Any, tenant: str, wanted: Template, **more: Any) -> StackPlan:
    shared = stacks.read_stack(cloudformation, SHARED)
    assert shared is not None
    plan = StackPlan(
        f"{SHARED}-{tenant}",
        tenant,
        f"tenant {tenant}",
        "update",
        template=wanted,
        parameters={"Revision": FIRST},
        tags=tenant_tags(CLUSTER, tenant),
        role_arn=shared.outputs["CloudFormationRole"],
    )
    return replace(plan, **more)


def let_go(cloudformation: Any, cloud: Cloud) -> str:
    """The ARN of the secret of a user that its stack has made and let go of, with its database."""
    made = template(CLUSTER, Tenant("giver", *THINGS))
    giver = plan_of(cloudformation, "giver", made)
    stacks.deploy(cloudformation, giver, tell=quiet)
    arn = str(cloud.client("secretsmanager").describe_secret(SecretId=f"/{SHARED}/database/mover")["ARN"])
    gifts = {"UserMover": RECEIVER, "DatabaseMoving": RECEIVER}
    for step in (giving(made.body, gifts), without_gifts(made.body, gifts)):
        stacks.deploy(cloudformation, replace(giver, template=step), tell=quiet)
    return arn


def value(cloud: Cloud) -> str:
    answer = cloud.client("secretsmanager").get_secret_value(SecretId=f"/{SHARED}/database/mover")
    return str(answer["SecretString"])


def versions(cloud: Cloud, arn: str) -> set[str]:
    listed = cloud.client("secretsmanager").list_secret_version_ids(SecretId=arn)["Versions"]
    return {version["VersionId"] for version in listed}


def test_a_secret_goes_from_stack_to_stack_as_it_is_and_rotates_there(cloudformation: Any, cloud: Cloud):
    arn = let_go(cloudformation, cloud)
    before, known = value(cloud), versions(cloud, arn)
    assert {"username", "password", "host", "port", "engine", "dbClusterIdentifier"} == set(json.loads(before))
    wanted = template(CLUSTER, Tenant("receiver", *MOVED))
    receiver = plan_of(cloudformation, "receiver", wanted, imports={"SecretMover": arn})
    told: list[tuple[str, str]] = []
    import_secrets(cloudformation, receiver, tell=lambda event: told.append((event.resource, event.status)))
    assert cloud.stacks()[RECEIVER] == "IMPORT_COMPLETE"
    assert ("SecretMover", "IMPORT_COMPLETE") in told
    assert ("DatabaseMoving", "CREATE_COMPLETE") in told
    assert (value(cloud), versions(cloud, arn)) == (before, known)
    import_secrets(cloudformation, receiver, tell=quiet)
    assert cloud.stacks()[RECEIVER] == "IMPORT_COMPLETE", "there was nothing left to import"
    assert stacks.deploy(cloudformation, receiver, tell=quiet)
    described = cloud.client("secretsmanager").describe_secret(SecretId=arn)
    assert described["RotationEnabled"]
    assert {"aws:cloudformation:stack-name": RECEIVER}.items() <= {
        tag["Key"]: tag["Value"] for tag in described["Tags"]
    }.items()
    assert json.loads(value(cloud)) == json.loads(before)
    # What is deployed then is the file's own: nothing of the way is left.
    assert not stacks.deploy(cloudformation, receiver, tell=quiet)
    assert stacks.read_template(cloudformation, RECEIVER) == json.loads(wanted.text())
    stacks.delete(cloudformation, GIVER, tell=quiet)
    cloud.client("secretsmanager").rotate_secret(SecretId=arn)

    def rotated() -> dict[str, Any] | None:
        login: dict[str, Any] = json.loads(value(cloud))
        return login if login["password"] != json.loads(before)["password"] else None

    login = until(rotated)
    with cloud.connect("mover", login["password"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")


def test_an_import_into_a_stack_that_is_there_leaves_the_rest_of_it_alone(cloudformation: Any, cloud: Cloud):
    arn = let_go(cloudformation, cloud)
    own = (TenantDatabase("own"),)
    there = plan_of(cloudformation, "receiver", template(CLUSTER, Tenant("receiver", own)))
    fours = counted_up("4", ())
    # Without a role, as stacks were that were made before the shared stack had one.
    stacks.deploy(cloudformation, replace(there, role_arn="", parameters={"Revision": fours}), tell=quiet)
    wanted = template(CLUSTER, Tenant("receiver", (*own, *MOVED[0]), MOVED[1]))
    receiver = replace(there, template=wanted, imports={"SecretMover": arn})
    import_secrets(cloudformation, receiver, tell=quiet)
    stack = stacks.read_stack(cloudformation, RECEIVER)
    assert stack is not None
    assert (stack.status, stack.role_arn, stack.revision) == ("IMPORT_COMPLETE", there.role_arn, all_counted_up(fours))
    assert stacks.read_template(cloudformation, RECEIVER)["Resources"].keys() == {"DatabaseOwn", "SecretMover"}
    assert stacks.deploy(cloudformation, receiver, tell=quiet)


def test_a_secret_that_cannot_be_taken_in_fails_with_cloudformations_words(cloudformation: Any, cloud: Cloud):
    wanted = template(CLUSTER, Tenant("receiver", (), MOVED[1]))
    gone = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:/{SHARED}/database/mover-AbCdEf"
    receiver = plan_of(cloudformation, "receiver", wanted, imports={"SecretMover": gone})
    with pytest.raises(StackFailed) as caught:
        import_secrets(cloudformation, receiver, tell=quiet)
    (problem,) = caught.value.problems
    assert f"Resource of type 'AWS::SecretsManager::Secret' with identifier '{gone}' was not found." in problem.what
    assert cloud.stacks()[RECEIVER] == "CREATE_COMPLETE", "with nothing in it yet"
    owner = template(CLUSTER, Tenant("giver", (), (TenantUser("mover"),)))
    stacks.deploy(cloudformation, plan_of(cloudformation, "giver", owner), tell=quiet)
    arn = str(cloud.client("secretsmanager").describe_secret(SecretId=f"/{SHARED}/database/mover")["ARN"])
    with pytest.raises(StackFailed, match="already exists in stack"):
        import_secrets(cloudformation, replace(receiver, imports={"SecretMover": arn}), tell=quiet)
    assert cloud.stacks() == {GIVER: "CREATE_COMPLETE", RECEIVER: "CREATE_COMPLETE"}


def test_an_import_that_fails_half_way_says_so_and_can_be_tried_again(cloudformation: Any, cloud: Cloud):
    arn = let_go(cloudformation, cloud)
    cloud.client("secretsmanager").delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    wanted = template(CLUSTER, Tenant("receiver", (), MOVED[1]))
    receiver = plan_of(cloudformation, "receiver", wanted, imports={"SecretMover": arn})
    with pytest.raises(StackFailed) as caught:
        import_secrets(cloudformation, receiver, tell=quiet)
    (problem,) = caught.value.problems
    assert problem.what.startswith("SecretMover: ")
    assert problem.why == f"stack {RECEIVER} was rolled back to what it was"
    assert cloud.stacks()[RECEIVER] == "IMPORT_ROLLBACK_COMPLETE"
    cloud.client("secretsmanager").restore_secret(SecretId=arn)
    import_secrets(cloudformation, receiver, tell=quiet)
    assert cloud.stacks()[RECEIVER] == "IMPORT_COMPLETE"


def test_a_stack_that_is_not_one_of_this_programs_takes_in_nothing(cloudformation: Any, cloud: Cloud):
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "somebody-elses"}}
    assert cloud.deploy(RECEIVER, {"Resources": {"Log": group}}) == "CREATE_COMPLETE"
    wanted = template(CLUSTER, Tenant("receiver", *MOVED))
    plan = plan_of(cloudformation, "receiver", wanted, imports={"SecretMover": "arn"}, role_arn="")
    with pytest.raises(AwsError) as caught:
        import_secrets(cloudformation, plan, tell=quiet)
    assert [problem.code for problem in caught.value.problems] == ["foreign-template"]
