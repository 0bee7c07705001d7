"""What the shared stack promises: public names, what is kept, and who may do what."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from aurora_sandbox.cloudformation.yaml import load
from aurora_sandbox.events.patterns import matches
from aurora_sandbox.mysqld import Server
from aurora_sandbox.policies import Need, decide, lets_service, trusts
from aurora_tenants.aws.clusters import READ_FROM_CLUSTER
from aurora_tenants.aws.code import ENTRIES, build
from aurora_tenants.aws.code import template as of_bucket
from aurora_tenants.aws.healing import ROTATION_DAYS
from aurora_tenants.lambdas import provider
from aurora_tenants.mysql.grants import expand, statements
from aurora_tenants.mysql.inspector import inspector_properties
from aurora_tenants.mysql.live import Row, read_state
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.objects import OBJECTS
from aurora_tenants.mysql.owners import OWNERS
from aurora_tenants.mysql.properties import wanted_user
from aurora_tenants.mysql.sessions import CONNECTIONS
from aurora_tenants.mysql.state import Server as Variables
from aurora_tenants.tenant.inspector import RIGHTS
from tests.mysql_server import execute_as, make_owners

FILE = Path(__file__).parents[1] / "cfn" / "shared.yml"
REGIONS = ("eu-central-1", "eu-west-1", "us-east-1", "us-west-2", "ap-southeast-2")
STACK = "shared-global"
# What AWS knows no resource for, or (Describe…) asks for all of them when it is called without a name.
WITHOUT_RESOURCE = {
    "cloudformation:DescribeStacks",
    "cloudformation:ListImports",
    "cloudformation:ListStacks",
    "cloudwatch:GetMetricData",
    "rds:DescribeDBInstances",
    "scheduler:ListSchedules",
    "secretsmanager:GetRandomPassword",
    "secretsmanager:ListSecrets",
}

SECRETS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:one"
OTHER_CLUSTER = "arn:aws:rds:eu-west-1:123456789012:cluster:other"
MASTER = f"{SECRETS}rds!cluster-1-AbCdEf"
TENANT = f"{SECRETS}/{STACK}/database/shop-AbCdEf"
INSPECTOR = f"{SECRETS}/{STACK}/database/aurora_tenants_inspector-AbCdEf"
OTHER = f"{SECRETS}/payments/card-AbCdEf"
TRIAL = f"{SECRETS}/{STACK}/database/rotation-test/token-1-??????"
STACKS = "arn:aws:cloudformation:eu-west-1:123456789012:stack/"
FUNCTIONS = "arn:aws:lambda:eu-west-1:123456789012:function:"
ROLE = "arn:aws:iam::123456789012:role/CloudFormationRole"
PAUSE_ROLE = "arn:aws:iam::123456789012:role/PauseScheduleRole"
GROUP = f"arn:aws:scheduler:eu-west-1:123456789012:schedule-group/{STACK}-pause-schedule"
SCHEDULE = f"arn:aws:scheduler:eu-west-1:123456789012:schedule/{STACK}-pause-schedule/awake-MON-FRI-0700-r1"
OTHER_SCHEDULE = "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/payroll"
PARAMETER = f"arn:aws:ssm:eu-west-1:123456789012:parameter/{STACK}/shop/DATABASE_HOST"
OTHER_PARAMETER = f"arn:aws:ssm:eu-west-1:123456789012:parameter/{STACK}-two/shop/DATABASE_HOST"
DEAD_LETTERS = "arn:aws:sqs:eu-west-1:123456789012:dead-letters"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
ALARMS = "arn:aws:sns:eu-west-1:123456789012:alarms"
ROTATION_ERRORS = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:rotation-errors"
# What conditions ask of a stack of this shared stack, and of who deploys it.
TAG = "aurora-tenants:cluster"
CONDITION_KEYS = ("aws:requesttag/", "cloudformation:")
OURS = {f"aws:resourcetag/{TAG}": STACK, f"aws:requesttag/{TAG}": STACK, "cloudformation:rolearn": ROLE}
ARNS = {
    "ProviderLog.Arn": "arn:aws:logs:eu-west-1:123456789012:log-group:provider:*",
    "RotationLog.Arn": "arn:aws:logs:eu-west-1:123456789012:log-group:rotation:*",
    "CloudFormationRole.Arn": ROLE,
    "PauseScheduleRole.Arn": PAUSE_ROLE,
    "RotationErrors.Arn": ROTATION_ERRORS,
    "PauseScheduleGroup.Arn": GROUP,
    "PauseScheduleDeadLetters.Arn": DEAD_LETTERS,
    "DatabaseProvider.Arn": f"{FUNCTIONS}{STACK}-database-provider",
    "DatabaseSecretRotation.Arn": f"{FUNCTIONS}{STACK}-database-secret-rotation",
}
VARIABLES = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
    "ClusterArn": CLUSTER,
    "MasterSecretArn": MASTER,
    "MasterSecretKeyArn": KEY,
    "InspectorSecret": INSPECTOR,
    "Alarms": ALARMS,
}


@cache
def template() -> dict[str, Any]:
    return load(FILE.read_text())


def resources(kind: str) -> dict[str, Any]:
    return {key: value for key, value in template()["Resources"].items() if value["Type"] == kind}


def resolved(value: Any) -> Any:
    """A policy's value in one account; only what the policies use."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda name: VARIABLES[name[1]], text)
        case {"Fn::GetAtt": [name, attribute]}:
            return ARNS[f"{name}.{attribute}"]
        case {"Ref": name}:
            return VARIABLES[name]
        case {"Fn::If": [_, value, _]}:
            return resolved(value)
        case dict():
            return {key: resolved(entry) for key, entry in value.items()}
        case list():
            return [resolved(entry) for entry in value]
    return value


def allowed_by(resource: Mapping[str, Any]) -> list[Any]:
    """The statements of a managed policy, or of a role's own policies."""
    properties = resource["Properties"]
    documents = [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    documents += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    return [resolved(statement) for document in documents for statement in document["Statement"]]


def policies() -> Iterator[tuple[str, list[Any]]]:
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, resource in resources(kind).items():
            yield name, allowed_by(resource)


def role(name: str) -> list[Any]:
    """Everything a function's role allows, its managed policies too."""
    own = resources("AWS::IAM::Role")[name]
    managed = resources("AWS::IAM::ManagedPolicy")
    attached = [managed[arn["Ref"]] for arn in own["Properties"]["ManagedPolicyArns"]]
    return [statement for policy in (own, *attached) for statement in allowed_by(policy)]


def permits(statements: list[Any], action: str, resource: str, **keys: str) -> bool:
    return decide(statements, Need(action, resource, keys, CONDITION_KEYS)) is None


@pytest.fixture(params=["inline", "from a bucket"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The template, with the functions' code in it or in a bucket."""
    if request.param == "inline":
        return FILE
    (tmp_path / "shared.yml").write_text(of_bucket("builds", build()))
    return tmp_path / "shared.yml"


def test_cloudformation_takes_the_template_in_a_request(either: Path) -> None:
    assert len(either.read_bytes()) <= 51_200


def test_cfn_lint_finds_nothing_in_any_region(either: Path) -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(either), "--regions", *REGIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_exports_keep_their_public_names() -> None:
    outputs = template()["Outputs"]
    exports = {name: resolved(output["Export"]["Name"]) for name, output in outputs.items() if "Export" in output}
    assert exports == {
        "DatabaseServer": f"{STACK}-database-server",
        "DatabaseServiceToken": f"{STACK}-database-service-token",
        "DatabaseUserServiceToken": f"{STACK}-database-user-service-token",
        "DatabaseSecretRotationLambda": f"{STACK}-database-secret-rotation-lambda",
        "DatabaseHost": f"{STACK}-database-host",
        "DatabasePort": f"{STACK}-database-port",
    }


def test_one_function_serves_databases_and_users() -> None:
    outputs = template()["Outputs"]
    assert outputs["DatabaseServiceToken"]["Value"] == outputs["DatabaseUserServiceToken"]["Value"]


def test_template_says_the_version_of_the_provider_in_it() -> None:
    assert template()["Outputs"]["ProviderVersion"]["Value"] == str(provider.VERSION)


def test_functions_run_the_entries_of_the_bundle_under_fixed_names() -> None:
    functions = resources("AWS::Lambda::Function").values()
    facts = {
        resolved(entry["Properties"]["FunctionName"]): entry["Properties"]["Handler"].removeprefix("index.")
        for entry in functions
    }
    assert facts == {f"{STACK}-database-provider": "provider", f"{STACK}-database-secret-rotation": "rotation"}
    assert set(facts.values()) == set(ENTRIES)


def test_functions_decrypt_the_master_secret_only_for_secrets_manager() -> None:
    via = {"kms:viaservice": "secretsmanager.eu-west-1.amazonaws.com"}
    assert permits(role("ProviderRole"), "kms:Decrypt", KEY, **via)
    assert not permits(role("ProviderRole"), "kms:Decrypt", KEY)


def test_it_leaves_room_for_what_comes() -> None:
    """Below what CloudFormation takes in a request."""
    assert FILE.stat().st_size <= 51_200 - 200


@pytest.mark.parametrize(
    ("service", "keys", "may"),
    [
        ("events.amazonaws.com", {}, True),
        ("cloudwatch.amazonaws.com", {"aws:sourcearn": ROTATION_ERRORS}, True),
        ("cloudwatch.amazonaws.com", {"aws:sourcearn": f"{ROTATION_ERRORS}-of-another"}, False),
        ("lambda.amazonaws.com", {}, False),
    ],
)
def test_alarms_are_published_by_the_rule_and_the_alarm_alone(service: str, keys: dict[str, str], may: bool) -> None:
    policy = resolved(template()["Resources"]["AlarmsPolicy"]["Properties"])
    assert policy["Topics"] == [ALARMS]
    assert lets_service(policy["PolicyDocument"]["Statement"], service, "sns:Publish", ALARMS, keys) is may


FAILED = "Received response status [FAILED] from custom resource. Message returned: the user is gone"


def of_resource(stack: str, status: str, reason: str, kind: str = "Custom::DatabaseUser") -> dict[str, Any]:
    details = {"status": status, "status-reason": reason}
    detail = {"stack-id": f"{STACKS}{stack}/1", "status-details": details, "resource-type": kind}
    return {"source": "aws.cloudformation", "detail-type": "CloudFormation Resource Status Change", "detail": detail}


def of_rotation(secret: str, name: str) -> dict[str, Any]:
    detail = {"eventName": name, "additionalEventData": {"SecretId": secret}}
    return {"source": "aws.secretsmanager", "detail-type": "AWS Service Event via CloudTrail", "detail": detail}


@pytest.mark.parametrize(
    ("event", "is_told"),
    [
        (of_resource(f"{STACK}-shop", "UPDATE_FAILED", FAILED), True),
        (of_resource(f"{STACK}-shop", "DELETE_FAILED", FAILED, "Custom::Database"), True),
        (of_resource(f"{STACK}-shop", "UPDATE_COMPLETE", ""), False),
        (of_resource(f"{STACK}-shop", "CREATE_FAILED", "Resource creation cancelled"), False),
        (of_resource(f"{STACK}-shop", "CREATE_FAILED", FAILED, "AWS::SecretsManager::Secret"), False),
        (of_resource("payments", "CREATE_FAILED", FAILED), False),
        (of_rotation(TENANT, "RotationFailed"), True),
        (of_rotation(INSPECTOR, "RotationFailed"), True),
        (of_rotation(TENANT, "RotationSucceeded"), False),
        (of_rotation(OTHER, "RotationFailed"), False),
    ],
)
def test_rule_takes_failures_of_this_shared_stack_and_no_other_event(event: dict[str, Any], is_told: bool) -> None:
    rule = resolved(template()["Resources"]["FailureEvents"]["Properties"])
    assert [target["Arn"] for target in rule["Targets"]] == [ALARMS]
    assert matches(rule["EventPattern"], event) is is_told


def test_it_holds_no_data() -> None:
    assert [
        name for name, it in template()["Resources"].items() if it["Type"].startswith(("AWS::RDS", "AWS::EC2"))
    ] == []


def test_the_inspector_asks_for_no_rights_since_the_provider_knows_them() -> None:
    asked = template()["Resources"]["Inspector"]["Properties"].keys()
    assert asked == {"ServiceToken", "ServiceTimeout", "SecretId", "OnRefusal", "Revision"}
    server = Variables("9.7.4", True, "caching_sha2_password")
    wanted = wanted_user(inspector_properties(), "inspector", server, may_reach_all=True)
    assert {(grant.privilege, grant.scope) for grant in wanted.grants} == RIGHTS


def test_a_repair_switches_rotation_on_as_the_template_does() -> None:
    rules = template()["Resources"]["InspectorRotation"]["Properties"]["RotationRules"]
    assert rules == {"AutomaticallyAfterDays": ROTATION_DAYS}


def test_its_parameters_are_those_that_are_read_from_a_cluster() -> None:
    assert template()["Parameters"].keys() == {*READ_FROM_CLUSTER, "InspectorUser", "ProviderConcurrency", "Repair"}


# The inspector


def inspector() -> list[dict[str, str]]:
    return inspector_properties()["Privileges"]


def read_by_live() -> set[str]:
    """The tables and views that are read when the schema of owners is complete; live answers about an empty server."""
    asked: list[str] = []

    def execute(statement: str) -> list[Row]:
        asked.append(statement)
        return [("root", "4", "1", "0")] if "information_schema.TABLES" in statement else []

    read_state(execute)
    return {name.replace("`", "") for name in re.findall(r"FROM ((?:mysql|aurora_tenants)\.[`\w]+)", " ".join(asked))}


def test_inspector_may_read_the_tables_that_are_read_and_no_other() -> None:
    tables = {f"mysql.{entry.get('Table')}" for entry in inspector() if entry["Database"] == "mysql"}
    of_owners = {"accounts", "databases", "definers", "shares", "users"}
    assert read_by_live() == tables | {f"{OWNERS}.{name}" for name in of_owners}
    assert "mysql.user" not in tables  # password hashes
    others = [(entry["Permission"], entry["Database"]) for entry in inspector() if entry["Database"] != "mysql"]
    assert sorted(others) == [*[("EXECUTE", OWNERS)] * 2, ("SELECT", OWNERS), ("SHOW DATABASES", "*")]
    assert [it["Function"] for it in inspector() if it["Permission"] == "EXECUTE"] == [CONNECTIONS, OBJECTS]
    assert {it["Permission"] for it in inspector() if it["Database"] == "mysql"} == {"SELECT"}


def test_inspector_sees_on_a_server_what_its_root_sees(server: Server) -> None:
    root, account = execute_as(server), Account(f"inspector-{uuid.uuid4().hex[:8]}")
    grants = [
        expand(
            account,
            [entry["Permission"]],
            database=entry["Database"],
            table=entry.get("Table", "*"),
            function=entry.get("Function", ""),
            partial_revokes=True,
        )
        for entry in inspector()
    ]
    make_owners(root)
    root(f"CREATE USER {account} IDENTIFIED BY 'secret'")
    for statement in statements(frozenset().union(*grants), ()):
        root(statement.sql)
    assert read_state(execute_as(server, account.user, "secret")) == read_state(root)


# Who may do what


def test_policies_name_what_they_are_about() -> None:
    every = [(name, statement) for name, of in policies() for statement in of]
    unbound = {
        action
        for _, statement in every
        if statement["Resource"] == "*"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert unbound == WITHOUT_RESOURCE
    allowing = [(name, statement) for name, statement in every if statement["Effect"] == "Allow"]
    assert [name for name, statement in allowing if "*" in str(statement["Action"])] == []


@pytest.mark.parametrize(
    ("name", "action", "resource", "may"),
    [
        ("ProviderRole", "rds-data:ExecuteStatement", CLUSTER, True),
        ("ProviderRole", "rds-data:ExecuteStatement", OTHER_CLUSTER, False),
        ("ProviderRole", "rds-data:BeginTransaction", CLUSTER, False),
        ("ProviderRole", "secretsmanager:GetSecretValue", MASTER, True),
        ("ProviderRole", "secretsmanager:GetSecretValue", TENANT, True),
        ("ProviderRole", "secretsmanager:GetSecretValue", OTHER, False),
        ("ProviderRole", "secretsmanager:PutSecretValue", TENANT, True),
        ("ProviderRole", "secretsmanager:PutSecretValue", OTHER, False),
        ("ProviderRole", "secretsmanager:PutSecretValue", MASTER, False),
        ("ProviderRole", "secretsmanager:UpdateSecretVersionStage", TENANT, False),
        ("ProviderRole", "cloudformation:DescribeStacks", f"{STACKS}any/1", True),
        ("ProviderRole", "cloudformation:DeleteStack", f"{STACKS}{STACK}-shop/1", False),
        ("ProviderRole", "logs:PutLogEvents", ARNS["RotationLog.Arn"], False),
        ("RotationRole", "secretsmanager:GetSecretValue", OTHER, False),
        ("ProviderRole", "kms:Encrypt", KEY, False),
        ("RotationRole", "secretsmanager:PutSecretValue", TENANT, True),
        ("RotationRole", "secretsmanager:PutSecretValue", OTHER, False),
        ("RotationRole", "secretsmanager:PutSecretValue", MASTER, False),
        ("RotationRole", "secretsmanager:UpdateSecretVersionStage", MASTER, False),
        ("RotationRole", "secretsmanager:CreateSecret", TRIAL, True),
        ("RotationRole", "secretsmanager:DeleteSecret", TENANT, False),
        ("RotationRole", "rds-data:ExecuteStatement", OTHER_CLUSTER, False),
    ],
)
def test_functions_may_do_their_work_and_no_more(name: str, action: str, resource: str, may: bool) -> None:
    assert permits(role(name), action, resource) is may


@pytest.mark.parametrize(
    ("name", "action", "resource", "may"),
    [
        ("PlanPolicy", "rds-data:ExecuteStatement", CLUSTER, True),
        ("PlanPolicy", "secretsmanager:GetSecretValue", INSPECTOR, True),
        ("PlanPolicy", "secretsmanager:GetSecretValue", TENANT, False),
        ("PlanPolicy", "secretsmanager:DescribeSecret", TENANT, True),
        ("PlanPolicy", "secretsmanager:RotateSecret", TENANT, False),
        ("PlanPolicy", "secretsmanager:GetSecretValue", MASTER, False),
        # A tenant's user could be named like the inspector and something more.
        ("PlanPolicy", "secretsmanager:GetSecretValue", INSPECTOR.replace("-AbCdEf", "-two-AbCdEf"), False),
        ("PlanPolicy", "cloudformation:GetTemplate", f"{STACKS}{STACK}-shop/1", True),
        ("PlanPolicy", "cloudformation:GetTemplate", f"{STACKS}payments/1", False),
        ("PlanPolicy", "cloudformation:CreateChangeSet", f"{STACKS}{STACK}-shop/1", False),
        ("PlanPolicy", "scheduler:GetSchedule", SCHEDULE, True),
        ("PlanPolicy", "scheduler:GetSchedule", OTHER_SCHEDULE, False),
        ("PlanPolicy", "scheduler:UpdateSchedule", SCHEDULE, False),
        ("PlanPolicy", "sqs:GetQueueAttributes", DEAD_LETTERS, True),
        ("PlanPolicy", "sqs:ReceiveMessage", DEAD_LETTERS, False),
        ("PlanPolicy", "rds:ModifyDBCluster", CLUSTER, False),
        ("ApplyPolicy", "rds:ModifyDBCluster", CLUSTER, True),
        ("ApplyPolicy", "rds:ModifyDBCluster", OTHER_CLUSTER, False),
        ("ApplyPolicy", "scheduler:CreateSchedule", SCHEDULE, False),
        ("ApplyPolicy", "cloudformation:CreateChangeSet", f"{STACKS}{STACK}-pause-schedule/1", True),
        ("ApplyPolicy", "cloudformation:ExecuteChangeSet", f"{STACKS}{STACK}-shop/1", True),
        ("ApplyPolicy", "cloudformation:ExecuteChangeSet", f"{STACKS}{STACK}/1", False),
        ("ApplyPolicy", "cloudformation:DeleteStack", f"{STACKS}payments/1", False),
        ("ApplyPolicy", "cloudformation:DeleteStack", f"{STACKS}{STACK}-cluster/1", False),
        ("ApplyPolicy", "cloudformation:DeleteStack", f"{STACKS}{STACK}-clusters/1", True),
        ("ApplyPolicy", "rds-data:ExecuteStatement", CLUSTER, False),
        ("ApplyPolicy", "secretsmanager:GetSecretValue", TENANT, False),
        ("ApplyPolicy", "secretsmanager:RestoreSecret", TENANT, True),
        ("ApplyPolicy", "secretsmanager:DeleteSecret", TENANT, False),
        ("ApplyPolicy", "secretsmanager:UpdateSecretVersionStage", INSPECTOR, False),
        ("CloudFormationRole", "secretsmanager:CreateSecret", TENANT, True),
        ("CloudFormationRole", "secretsmanager:CreateSecret", OTHER, False),
        ("CloudFormationRole", "secretsmanager:GetSecretValue", MASTER, False),
        ("CloudFormationRole", "lambda:InvokeFunction", ARNS["DatabaseProvider.Arn"], True),
        ("CloudFormationRole", "lambda:InvokeFunction", f"{FUNCTIONS}payments", False),
        ("CloudFormationRole", "scheduler:CreateSchedule", OTHER_SCHEDULE, False),
        ("CloudFormationRole", "rds:ModifyDBCluster", CLUSTER, False),
        ("CloudFormationRole", "ssm:PutParameter", OTHER_PARAMETER, False),
        ("CloudFormationRole", "ssm:GetParametersByPath", PARAMETER, False),
        ("PauseScheduleRole", "rds:ModifyDBCluster", CLUSTER, True),
        ("PauseScheduleRole", "rds:ModifyDBCluster", OTHER_CLUSTER, False),
        ("PauseScheduleRole", "rds:DeleteDBCluster", CLUSTER, False),
        ("PauseScheduleRole", "sqs:SendMessage", DEAD_LETTERS, True),
        ("PauseScheduleRole", "sqs:SendMessage", f"{DEAD_LETTERS}-of-another", False),
    ],
)
def test_ci_may_do_its_work_and_no_more(name: str, action: str, resource: str, may: bool) -> None:
    """With stacks that carry our tag, and in CloudFormation's role; tests/test_security.py has all the others."""
    assert permits(dict(policies())[name], action, resource, **OURS) is may


def test_apply_hands_cloudformation_one_role_and_nobody_else_any() -> None:
    statements = dict(policies())["ApplyPolicy"]
    passing = [statement for statement in statements if statement["Action"] == "iam:PassRole"]
    assert passing == [
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": ROLE,
            "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
        }
    ]


@pytest.mark.parametrize("operation", ["create", "read", "update", "delete"])
def test_cloudformation_may_do_with_a_schedule_what_aws_says_it_has_to(operation: str) -> None:
    """The permissions of its resource type, as AWS publishes them with its schema."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Scheduler::Schedule").schema["handlers"]
    statements, passing = dict(policies())["CloudFormationRole"], {"iam:passedtoservice": "scheduler.amazonaws.com"}
    for action in handlers[operation]["permissions"]:
        resource = PAUSE_ROLE if action == "iam:PassRole" else SCHEDULE
        assert decide(statements, Need(action, resource, passing)) is None, action


@pytest.mark.parametrize("operation", ["create", "read", "update", "delete"])
def test_cloudformation_may_do_with_a_parameter_what_aws_says_it_has_to(operation: str) -> None:
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::SSM::Parameter").schema["handlers"]
    for action in handlers[operation]["permissions"]:
        assert permits(dict(policies())["CloudFormationRole"], action, PARAMETER), action


@pytest.mark.parametrize("kind", ["Secret", "SecretTargetAttachment", "RotationSchedule"])
def test_cloudformation_may_read_what_a_drift_aware_change_set_compares(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", f"AWS::SecretsManager::{kind}").schema
    for action in schema["handlers"]["read"]["permissions"]:
        assert decide(dict(policies())["CloudFormationRole"], Need(action, TENANT, {})) is None, action


def test_cloudformation_hands_the_scheduler_one_role_and_nobody_else_any() -> None:
    statements = dict(policies())["CloudFormationRole"]
    passing = [statement for statement in statements if statement["Action"] == "iam:PassRole"]
    assert [(it["Resource"], it["Condition"]) for it in passing] == [
        (PAUSE_ROLE, {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}})
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [({}, True), ({"aws:sourceaccount": "123456789012"}, True), ({"aws:sourceaccount": "999999999999"}, False)],
)
def test_cloudformation_acts_in_its_role_whether_or_not_it_names_the_account(
    keys: dict[str, str], expected: bool
) -> None:
    trust = resolved(template()["Resources"]["CloudFormationRole"]["Properties"]["AssumeRolePolicyDocument"])
    assert trusts(trust["Statement"], "cloudformation.amazonaws.com", keys) is expected
    assert not trusts(trust["Statement"], "lambda.amazonaws.com", keys)


def test_only_schedules_of_the_pause_schedules_group_may_use_its_role() -> None:
    trust = resolved(template()["Resources"]["PauseScheduleRole"]["Properties"]["AssumeRolePolicyDocument"])
    ours = {"aws:sourceaccount": "123456789012", "aws:sourcearn": GROUP}
    assert trusts(trust["Statement"], "scheduler.amazonaws.com", ours)
    for other in ({"aws:sourceaccount": "999999999999"}, {"aws:sourcearn": GROUP.replace(STACK, "payroll")}):
        assert not trusts(trust["Statement"], "scheduler.amazonaws.com", ours | other)
    assert not trusts(trust["Statement"], "lambda.amazonaws.com", ours)
