"""CI with the shared stack's policies and nothing else: PlanPolicy for pull requests, both for the main branch.

The sandbox checks the role of whoever signs with a function's key, so each role here has a function that tells its key,
and the command line signs with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aurora_tenants.aws import changesets, healing, rotation
from aurora_tenants.aws.importing import import_secrets
from aurora_tenants.model import Cluster, Tenant, TenantUser
from aurora_tenants.naming import tenant_tags
from aurora_tenants.revision import FIRST
from aurora_tenants.stack import StackPlan
from aurora_tenants.tenant.template import template
from tests.cli.conftest import CommandLine, Ended
from tests.cloud import CLUSTER, ROTATION, SHARED, Cloud
from tests.endpoint import client

SHOP = """
  shop:
    databases: {shop: {}}
    users:
      shop: {privileges: [{permission: %s, database: shop}]}
      token: {auth: iam}
"""
TELLS_ITS_KEY = """
import os, cfnresponse
def handler(event, context):
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Key": os.environ["AWS_ACCESS_KEY_ID"]})
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def role_of(name: str, policies: list[str]) -> dict[str, Any]:
    """Resources of a role with these managed policies, and of the function that tells its key."""
    function = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Code": {"ZipFile": TELLS_ITS_KEY},
        "Role": {"Fn::GetAtt": [f"{name}Role", "Arn"]},
    }
    role = {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": policies}
    return {
        f"{name}Role": {"Type": "AWS::IAM::Role", "Properties": role},
        f"{name}Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        name: {"Type": "Custom::Key", "Properties": {"ServiceToken": {"Fn::GetAtt": [f"{name}Function", "Arn"]}}},
    }


@pytest.fixture(scope="module")
def keys(cloud: Cloud) -> Iterator[dict[str, str]]:
    """The access keys of two roles: Plan has PlanPolicy, Apply both."""
    cloudformation = cloud.client("cloudformation")
    shared = cloudformation.describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
    plan, apply = (
        next(it["OutputValue"] for it in shared if it["OutputKey"] == name) for name in ("PlanPolicy", "ApplyPolicy")
    )
    resources = role_of("Plan", [plan]) | role_of("Apply", [plan, apply])
    outputs = {name: {"Value": {"Fn::GetAtt": [name, "Key"]}} for name in ("Plan", "Apply")}
    status = cloud.deploy("ci", {"Resources": resources, "Outputs": outputs}, Capabilities=["CAPABILITY_IAM"])
    assert status == "CREATE_COMPLETE"
    told = cloudformation.describe_stacks(StackName="ci")["Stacks"][0]["Outputs"]
    yield {it["OutputKey"]: it["OutputValue"] for it in told}
    cloud.clean()


class Roles:
    """Runs command lines as one of the roles."""

    def __init__(self, run: CommandLine, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._run, self._keys, self._patch = run, keys, monkeypatch

    def __call__(self, role: str, line: str) -> Ended:
        with self._patch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", self._keys[role])
            return self._run(line)


@pytest.fixture
def ci(run: CommandLine, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Roles:
    return Roles(run, keys, monkeypatch)


def test_a_pull_request_plans_and_the_main_branch_applies(run: CommandLine, cloud: Cloud, ci: Roles):
    """The whole life of a tenant, with every kind of call that it takes: templates read, stacks made and deleted."""
    run.file(SHOP % "[SELECT, INSERT]")
    assert ci("Plan", "aurora-tenants plan --detailed-exitcode").code == 2
    refused = ci("Plan", "aurora-tenants apply --yes")
    assert (refused.code, "cloudformation:CreateStack" in refused.err, "shop" in str(cloud.stacks())) == (
        1,
        True,
        False,
    )
    assert ci("Apply", "aurora-tenants apply --yes").code == 0
    # The file changed and MySQL differs: the template that is deployed tells the two apart.
    cloud.sql("REVOKE SELECT ON shop.* FROM shop")
    run.file(SHOP % "[SELECT]")
    before = cloud.calls()
    planned = ci("Plan", "aurora-tenants plan --output json")
    assert (cloud.calls() - before)["cloudformation:GetTemplate"] == 1
    changes = json.loads(planned.out)["tenants"][0]["changes"]
    assert [(it["sql"].split()[0], it["origins"]) for it in changes] == [("GRANT", ["drift"]), ("REVOKE", ["file"])]
    assert ci("Apply", "aurora-tenants apply --yes").code == 0
    for line in ("plan --detailed-exitcode", "validate --live", "env shop", "env shop --user token", "status"):
        ended = ci("Plan", f"aurora-tenants {line}")
        assert ended.code == 0, ended
    run.file(" {}\n", head="version: 1\ncluster: {stack: shared-global}\ntenants:")
    removed = ci("Apply", "aurora-tenants apply --yes --allow-mass-removal")
    assert removed.code == 0, removed
    assert cloud.stacks() == {"ci": "CREATE_COMPLETE"}
    cloud.sql("DROP DATABASE shop")  # it is kept, and the next test's stack is another one


def test_the_main_branch_saves_the_cluster_before_a_drop_and_looks_for_what_is_left(
    run: CommandLine, cloud: Cloud, ci: Roles, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(changesets, "_LONGEST", timedelta(0))
    head = "version: 1\ncluster: {stack: shared-global, snapshot_before_drop: true}\ntenants:\n"
    gone, stays = "  gone: {databases: {gone: {on_remove: drop}}}\n", "  stays: {databases: {stays: {}}}\n"
    run.file(gone + stays, head=head)
    assert ci("Apply", "aurora-tenants apply --yes").code == 0
    cloud.sql("CREATE TABLE gone.orders (id INT)")
    name = "aurora-tenants-1800000000000000000"
    wanted = {"UsePreviousTemplate": True, "Parameters": [{"ParameterKey": "Revision", "ParameterValue": "2"}]}
    cloud.client("cloudformation").create_change_set(StackName=f"{SHARED}-stays", ChangeSetName=name, **wanted)
    run.file(stays, head=head)
    ended = ci("Apply", "aurora-tenants apply --yes --allow-drop gone")
    assert ended.code == 0, ended
    assert re.search(r"Snapshot aurora-tenants-\S+ is available after", ended.err), ended
    assert f"Deleted change set {name} of stack {SHARED}-stays" in ended.err, ended
    run.file(" {}\n", head="version: 1\ncluster: {stack: shared-global}\ntenants:")
    assert ci("Apply", "aurora-tenants apply --yes --allow-mass-removal").code == 0


@pytest.mark.usefixtures("blind")
def test_a_failed_stack_is_told_by_its_cause_and_made_anew(run: CommandLine, cloud: Cloud, ci: Roles):
    run.file(SHOP % "SELECT, table: missing")
    failed = ci("Apply", "aurora-tenants apply --yes")
    assert failed.code == 1
    assert "error: UserShop: Table 'shop.missing' doesn't exist (1146)  [stack-failed]\n" in failed.err
    run.file(SHOP % "SELECT")
    applied = ci("Apply", "aurora-tenants apply --yes")
    assert applied.code == 0, applied


def test_the_policies_are_what_lets_them_in(run: CommandLine, cloud: Cloud, ci: Roles):
    """Without them the same key may not even list stacks, so the tests above can fail."""
    run.file(SHOP % "SELECT")
    iam = cloud.client("iam")
    name = next(it["RoleName"] for it in iam.list_roles()["Roles"] if "-PlanRole-" in it["RoleName"])
    (attached,) = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    try:
        refused = ci("Plan", "aurora-tenants plan")
    finally:
        iam.attach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    assert (refused.code, refused.out) == (1, "")
    assert "cloudformation:DescribeStacks" in refused.err
    assert "attach the plan or the apply policy that the shared stack makes" in refused.err


NEIGHBOUR = f"{SHARED}-prod"
QUEUE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
OTHER_QUEUE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}}}


def tags(stack: str) -> list[dict[str, str]]:
    return [{"Key": "aurora-tenants:cluster", "Value": stack}, {"Key": "aurora-tenants:tenant", "Value": "shop"}]


class Attacker:
    """Calls CloudFormation as one of the roles; every call is refused, in IAM's words."""

    def __init__(self, cloud: Cloud, key: str) -> None:
        self._cloudformation = client({**cloud.environment, "AWS_ACCESS_KEY_ID": key}, "cloudformation")
        self._secrets = client({**cloud.environment, "AWS_ACCESS_KEY_ID": key}, "secretsmanager")

    def __call__(self, operation: str, **parameters: Any) -> None:
        of = self._secrets if "SecretId" in parameters else self._cloudformation
        with pytest.raises(ClientError) as caught:
            getattr(of, operation)(**parameters)
        assert caught.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), operation


@pytest.fixture
def role(cloud: Cloud) -> str:
    """What CloudFormation works with for tenants of the shared stack."""
    outputs = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
    return str(next(it["OutputValue"] for it in outputs if it["OutputKey"] == "CloudFormationRole"))


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "untagged"])
def test_stacks_of_a_shared_stack_whose_name_begins_like_ours_are_out_of_reach(
    cloud: Cloud, keys: dict[str, str], role: str, tagged: bool
):
    """Its tenant's, which has its tag, and the shared stack itself, which has none."""
    name = f"{NEIGHBOUR}-shop" if tagged else NEIGHBOUR
    made = cloud.deploy(name, QUEUE, **({"Tags": tags(NEIGHBOUR)} if tagged else {}))
    cloudformation, attack = cloud.client("cloudformation"), Attacker(cloud, keys["Apply"])
    new = {"TemplateBody": json.dumps(OTHER_QUEUE), "Tags": tags(SHARED), "RoleARN": role}
    wait = {"StackName": name, "ChangeSetName": "theirs"}
    cloudformation.create_change_set(**wait, TemplateBody=json.dumps(OTHER_QUEUE))
    attack("delete_stack", StackName=name, RoleARN=role)
    attack("delete_stack", StackName=cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"])
    attack("create_change_set", StackName=name, ChangeSetName="mine", ChangeSetType="UPDATE", **new)
    for operation in ("execute_change_set", "describe_change_set", "delete_change_set"):
        attack(operation, **wait)
    attack("get_template", StackName=name)
    attack("list_stack_resources", StackName=name)
    attack("create_stack", StackName=f"{NEIGHBOUR}-new", **new | {"Tags": tags(NEIGHBOUR)})
    assert (made, cloud.stacks()[name], f"{NEIGHBOUR}-new" in cloud.stacks()) == (
        "CREATE_COMPLETE",
        "CREATE_COMPLETE",
        False,
    )


def test_stacks_are_made_by_our_role_and_with_our_tag_or_not_at_all(cloud: Cloud, keys: dict[str, str], role: str):
    attack, body = Attacker(cloud, keys["Apply"]), json.dumps(QUEUE)
    name, other = f"{SHARED}-mine", role.replace("CloudFormationRole", "Administrator")
    attack("create_stack", StackName=name, TemplateBody=body, RoleARN=role)
    attack("create_stack", StackName=name, TemplateBody=body, RoleARN=role, Tags=tags("other"))
    attack("create_stack", StackName=name, TemplateBody=body, Tags=tags(SHARED))
    attack("create_stack", StackName=name, TemplateBody=body, Tags=tags(SHARED), RoleARN=other)
    attack("create_stack", StackName="mine", TemplateBody=body, Tags=tags(SHARED), RoleARN=role)
    change_set = {"StackName": name, "ChangeSetName": "x", "ChangeSetType": "CREATE", "TemplateBody": body}
    attack("create_change_set", **change_set, Tags=tags(SHARED), RoleARN=role)
    assert name not in cloud.stacks()


def test_the_clusters_stack_and_the_shared_one_are_nothing_for_ci(cloud: Cloud, keys: dict[str, str], role: str):
    """The first has our tag, and a name that a tenant's could be."""
    attack = Attacker(cloud, keys["Apply"])
    for stack in (CLUSTER, SHARED):
        new = {"TemplateBody": json.dumps(QUEUE), "Tags": tags(SHARED), "RoleARN": role}
        attack("delete_stack", StackName=stack, RoleARN=role)
        attack("create_change_set", StackName=stack, ChangeSetName="mine", ChangeSetType="UPDATE", **new)
        attack("continue_update_rollback", StackName=stack, RoleARN=role)


def test_ci_takes_a_secret_into_a_tenants_stack(cloud: Cloud, keys: dict[str, str], role: str):
    """The stack is made for it, then the secret imported: with the tags and the role that the policy asks for."""
    secrets, name = cloud.client("secretsmanager"), f"/{SHARED}/database/taken"
    arn = secrets.create_secret(Name=name, SecretString='{"username": "taken", "password": "x"}')["ARN"]
    tenant, cluster = Tenant("taken", (), (TenantUser("taken"),)), Cluster(SHARED)
    plan = StackPlan(
        f"{SHARED}-taken",
        "taken",
        "tenant taken",
        template=template(cluster, tenant),
        parameters={"Revision": FIRST},
        tags=tenant_tags(cluster, "taken"),
        role_arn=role,
        imports={"SecretTaken": arn},
    )
    by_ci = client(cloud.environment | {"AWS_ACCESS_KEY_ID": keys["Apply"]}, "cloudformation")
    import_secrets(by_ci, plan, tell=lambda event: None)
    assert cloud.stacks()[plan.name] == "IMPORT_COMPLETE"
    cloud.client("cloudformation").delete_stack(StackName=plan.name)
    assert cloud.settled(plan.name) == "gone"
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_a_plan_sees_no_value_of_a_tenants_secret_and_changes_none(
    run: CommandLine, cloud: Cloud, keys: dict[str, str], ci: Roles
):
    run.file(SHOP % "SELECT")
    assert ci("Apply", "aurora-tenants apply --yes").code == 0
    attack, secret = Attacker(cloud, keys["Plan"]), f"/{SHARED}/database/shop"
    for operation in ("get_secret_value", "cancel_rotate_secret", "restore_secret", "rotate_secret"):
        attack(operation, SecretId=secret)
    for role in ("Plan", "Apply"):
        ended = ci(role, "aurora-tenants plan --logins")
        assert (ended.code, "secretsmanager:GetSecretValue" in ended.err) == (1, True)
        assert "or leave --logins out" in ended.err


def test_a_plan_that_may_not_list_secrets_says_how_it_may(run: CommandLine, cloud: Cloud, ci: Roles):
    """As with the policies of a shared stack from before."""
    iam = cloud.client("iam")
    name = next(it["RoleName"] for it in iam.list_roles()["Roles"] if "-PlanRole-" in it["RoleName"])
    deny = {"Effect": "Deny", "Action": "secretsmanager:ListSecrets", "Resource": "*"}
    iam.put_role_policy(
        RoleName=name, PolicyName="old", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    )
    run.file(SHOP % "SELECT")
    ended = ci("Plan", "aurora-tenants plan")
    iam.delete_role_policy(RoleName=name, PolicyName="old")
    assert (ended.code, ended.out) == (1, "")
    assert f"allow secretsmanager:ListSecrets on *, as PlanPolicy does once stack {SHARED} is deployed again" in (
        " ".join(ended.err.split())
    )


def test_secrets_are_healed_with_the_policies_alone(
    run: CommandLine, cloud: Cloud, keys: dict[str, str], ci: Roles, monkeypatch: pytest.MonkeyPatch
):
    """Each call that healing takes: restoring, labels, rotating; and what CloudFormation makes again in its role."""
    monkeypatch.setattr(healing, "_POLL_SECONDS", 0.02)
    run.file(SHOP % "SELECT" + "      fixed: {rotate_after_days: 0}\n      gone: {}\n")
    assert ci("Apply", "aurora-tenants apply --yes").code == 0
    secrets, prefix = cloud.client("secretsmanager"), f"/{SHARED}/database/"
    rotates = secrets.describe_secret(SecretId=f"{prefix}shop")["RotationLambdaARN"]
    secrets.put_secret_value(SecretId=f"{prefix}shop", SecretString="{}", VersionStages=["AWSPENDING"])
    secrets.cancel_rotate_secret(SecretId=f"{prefix}shop")
    secrets.rotate_secret(SecretId=f"{prefix}fixed", RotationLambdaARN=rotates, RotateImmediately=False)
    secrets.delete_secret(SecretId=f"{prefix}fixed", RecoveryWindowInDays=7)
    secrets.delete_secret(SecretId=f"{prefix}gone", ForceDeleteWithoutRecovery=True)
    planned = ci("Plan", "aurora-tenants plan --output json")
    assert {each["name"] for each in json.loads(planned.out)["tenants"][0]["items"]} == {"shop", "fixed", "gone"}
    applied = ci("Apply", "aurora-tenants apply --yes")
    assert applied.code == 0, applied
    assert ci("Plan", "aurora-tenants plan --detailed-exitcode").code == 0


def test_passwords_are_rotated_with_the_policies_alone(
    run: CommandLine, cloud: Cloud, keys: dict[str, str], ci: Roles, monkeypatch: pytest.MonkeyPatch
):
    """The log of the function may be read, which says its steps; without that, a rotation is only not seen."""
    monkeypatch.setattr(rotation, "_POLL_SECONDS", 0.02)
    run.file(SHOP % "SELECT")
    assert ci("Apply", "aurora-tenants apply --yes").code == 0
    refused = ci("Plan", "aurora-tenants rotate shop --yes")
    assert (refused.code, "secretsmanager:RotateSecret" in refused.err) == (1, True)
    ended = ci("Apply", "aurora-tenants rotate shop --revoke-old --yes")
    assert (ended.code, ended.out) == (0, "User shop has a new password, and no other. It logs in.\n")
    assert "  4/4 finishSecret" in ended.err
    secret = f"/{SHARED}/database/shop"
    value = cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    cloud.client("secretsmanager").put_secret_value(
        SecretId=secret, SecretString=value.replace('"password": "', '"password": "x'), VersionStages=["AWSPENDING"]
    )
    assert ci("Apply", "aurora-tenants rotate shop --stuck --force").code == 0
    iam = cloud.client("iam")
    name = next(it["RoleName"] for it in iam.list_roles()["Roles"] if "-ApplyRole-" in it["RoleName"])
    deny = {"Effect": "Deny", "Action": "logs:FilterLogEvents", "Resource": "*"}
    iam.put_role_policy(
        RoleName=name, PolicyName="old", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    )
    ended = ci("Apply", "aurora-tenants rotate shop --force")
    iam.delete_role_policy(RoleName=name, PolicyName="old")
    assert (ended.code, "It logs in." in ended.out, "/4" in ended.err) == (0, True, False)
    assert f"notice: the log /aws/lambda/{ROTATION} cannot be read" in ended.err
