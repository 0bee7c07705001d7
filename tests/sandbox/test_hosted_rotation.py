"""The article's hosted rotation: an endpoint, security groups, and the function that AWS's transform deploys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from botocore.config import Config

from aurora_sandbox.cluster import State
from aurora_sandbox.server import Sandbox
from tests.endpoint import client as client_of
from tests.endpoint import own, until

TRANSFORM = "AWS::SecretsManager-2024-09-16"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
FUNCTION = "hosted-rotation"


def resource(kind: str, depends_on: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties, **({"DependsOn": depends_on} if depends_on else {})}


def subnet(number: int, zone: int) -> dict[str, Any]:
    where = {"Fn::Select": [zone, {"Fn::GetAZs": ""}]}
    return resource("EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=where)


NETWORK = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16", EnableDnsSupport=True, EnableDnsHostnames=True),
    "First": subnet(0, 0),
    "Second": subnet(1, 1),
    "Third": subnet(2, 1),
    "Clients": resource("EC2::SecurityGroup", GroupDescription="clients", VpcId={"Ref": "Vpc"}),
}


def endpoint(*subnets: str, **properties: Any) -> dict[str, Any]:
    given = {
        "VpcEndpointType": "Interface",
        "ServiceName": {"Fn::Sub": "com.amazonaws.${AWS::Region}.secretsmanager"},
        "VpcId": {"Ref": "Vpc"},
        "SubnetIds": [{"Ref": name} for name in subnets],
        "SecurityGroupIds": [{"Ref": "Clients"}],
        "PrivateDnsEnabled": True,
    }
    wanted = {name: value for name, value in (given | properties).items() if value is not None}
    return resource("EC2::VPCEndpoint", **wanted)


HOSTED = {
    "RotationType": "MySQLSingleUser",
    "RotationLambdaName": FUNCTION,
    "VpcSecurityGroupIds": {"Ref": "Clients"},
    "VpcSubnetIds": {"Fn::Join": [",", [{"Ref": "First"}, {"Ref": "Second"}]]},
}
TEMPLATE = {
    "Transform": TRANSFORM,
    "Resources": {
        **NETWORK,
        "Endpoint": endpoint("First", "Second"),
        "Cluster": {
            **resource(
                "RDS::DBCluster",
                Engine="aurora-mysql",
                MasterUsername="admin",
                ManageMasterUserPassword=True,
                ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 1},
            ),
            "DeletionPolicy": "Delete",
        },
        "Secret": resource(
            "SecretsManager::Secret",
            GenerateSecretString={"SecretStringTemplate": '{"username": "hosted"}', "GenerateStringKey": "password"},
        ),
        "Attachment": resource(
            "SecretsManager::SecretTargetAttachment",
            SecretId={"Ref": "Secret"},
            TargetId={"Ref": "Cluster"},
            TargetType="AWS::RDS::DBCluster",
        ),
        "Schedule": resource(
            "SecretsManager::RotationSchedule",
            ["Attachment", "Endpoint"],
            SecretId={"Ref": "Secret"},
            HostedRotationLambda=HOSTED,
            RotationRules={"ScheduleExpression": "cron(0 2 ? * SUN *)", "Duration": "3h"},
            RotateImmediatelyOnUpdate=False,
        ),
    },
    "Outputs": {
        "Secret": {"Value": {"Ref": "Secret"}},
        "Function": {"Value": {"Fn::GetAtt": ["ScheduleHostedRotationLambda", "Outputs.RotationLambdaARN"]}},
    },
}


class World:
    """A sandbox, and stacks in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.stacks, self.secrets = self.client("cloudformation"), self.client("secretsmanager")

    def client(self, service: str) -> Any:
        once = Config(retries={"total_max_attempts": 1})
        return client_of(self.sandbox.environment(), service, config=once)

    def deploy(self, name: str, template: dict[str, Any], capabilities: list[str] = CAPABILITIES) -> str:
        self.stacks.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=capabilities)
        return self.status(name)

    def status(self, name: str) -> str:
        """The one that a stack ends with."""

        def ended() -> str | None:
            found = str(self.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
            return None if found.endswith("_IN_PROGRESS") else found

        return until(ended, seconds=120)  # EC2 of moto takes a while to load

    def failure(self, name: str, template: dict[str, Any], capabilities: list[str] = CAPABILITIES) -> str:
        """Why a resource of a stack failed first; the stack is deleted then."""
        assert self.deploy(name, template, capabilities) == "ROLLBACK_COMPLETE"
        events = self.stacks.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in reversed(events) if event["ResourceStatus"] == "CREATE_FAILED"]
        self.delete(name)
        return str(failed[0]["ResourceStatusReason"])

    def delete(self, name: str) -> None:
        self.stacks.delete_stack(StackName=name)
        waiter = self.stacks.get_waiter("stack_delete_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})

    def content(self, secret: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.secrets.get_secret_value(SecretId=secret)["SecretString"])
        return value

    def rotate(self, secret: str) -> None:
        version = self.secrets.rotate_secret(SecretId=secret)["VersionId"]
        until(lambda: "AWSCURRENT" in self.secrets.describe_secret(SecretId=secret)["VersionIdsToStages"][version])

    def lets_in(self, content: dict[str, Any]) -> bool:
        try:
            self.sandbox.mysql.connect(content["username"], content["password"]).close()
        except pymysql.OperationalError as error:
            assert error.args[0] == 1045
            return False
        return True


@pytest.fixture(scope="module")
def world(sandbox: Sandbox) -> World:
    return World(sandbox)


@pytest.fixture(scope="module")
def outputs(world: World) -> Iterator[dict[str, str]]:
    """Of the whole stack, with a user in MySQL who has the secret's password."""
    before = _functions(world)
    assert world.deploy("hosted", TEMPLATE) == "CREATE_COMPLETE"
    found = world.stacks.describe_stacks(StackName="hosted")["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found}
    with world.sandbox.mysql.connect() as root, root.cursor() as cursor:
        cursor.execute("CREATE USER hosted IDENTIFIED BY %s", (world.content(outputs["Secret"])["password"],))
        stages = world.secrets.describe_secret
        until(lambda: "AWSPENDING" not in str(stages(SecretId=outputs["Secret"])["VersionIdsToStages"]))
        yield outputs
        cursor.execute("DROP USER hosted")
    world.delete("hosted")
    assert _functions(world) <= before


def _functions(world: World) -> set[str]:
    return {function["FunctionName"] for function in world.client("lambda").list_functions()["Functions"]}


def test_the_user_sets_its_own_password_and_the_old_one_is_of_no_use(world: World, outputs: dict[str, str]):
    secret = outputs["Secret"]
    before = world.content(secret)
    assert outputs["Function"].endswith(f":function:{FUNCTION}")
    world.rotate(secret)
    after = world.content(secret)
    assert {**after, "password": ""} == {**before, "password": ""}
    assert (world.lets_in(after), world.lets_in(before)) == (True, False)
    log = own(world.sandbox.environment(), f"logs/{FUNCTION}")
    assert "the sandbox's stand-in for SecretsManagerRDSMySQLRotationSingleUser" in log
    assert before["password"] not in log
    assert after["password"] not in log


def test_it_wakes_a_paused_cluster(world: World, outputs: dict[str, str]):
    (cluster,) = world.sandbox._account.clusters.all()
    cluster.pause()
    world.rotate(outputs["Secret"])
    assert cluster.state() != State.PAUSED


def test_a_password_that_nobody_has_is_told_by_the_step_that_needs_it(world: World, outputs: dict[str, str]):
    secret = outputs["Secret"]
    with world.sandbox.mysql.connect() as root, root.cursor() as cursor:
        cursor.execute("ALTER USER hosted IDENTIFIED BY 'by hand'")
        world.secrets.rotate_secret(SecretId=secret)
        outcome = world.sandbox._account.services["secretsmanager"].rotation_outcome(secret)
        assert outcome.step == "setSecret"
        assert outcome.error.startswith("Unable to log into database with previous, current, or pending secret")
        cursor.execute("ALTER USER hosted IDENTIFIED BY %s", (world.content(secret)["password"],))
    with pytest.raises(world.secrets.exceptions.InvalidRequestException, match="will be reattempted"):
        world.secrets.rotate_secret(SecretId=secret)
    assert world.sandbox._account.services["secretsmanager"].rotation_outcome(secret).error is None
    assert world.lets_in(world.content(secret))


def test_its_role_may_read_no_secret_but_those_that_it_rotates(world: World, outputs: dict[str, str]):
    other = world.secrets.create_secret(Name="of-somebody-else", SecretString="{}")["ARN"]
    role = world.client("lambda").get_function(FunctionName=FUNCTION)["Configuration"]["Role"]
    decided = world.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["secretsmanager:GetSecretValue"], ResourceArns=[other]
    )
    assert decided["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    world.secrets.delete_secret(SecretId=other, ForceDeleteWithoutRecovery=True)


def test_the_processed_template_holds_the_nested_stack(world: World, outputs: dict[str, str]):
    stages = {
        stage: json.dumps(world.stacks.get_template(StackName="hosted", TemplateStage=stage)["TemplateBody"])
        for stage in ("Original", "Processed")
    }
    assert ["AWS::CloudFormation::Stack" in stages[stage] for stage in ("Original", "Processed")] == [False, True]


def test_who_creates_the_stack_grants_what_the_transform_needs(world: World):
    alone = {"Transform": TRANSFORM, "Resources": without_network(HOSTED | {"RotationLambdaName": "refused"})}
    with pytest.raises(world.stacks.exceptions.InsufficientCapabilitiesException) as refused:
        world.deploy("refused", alone, ["CAPABILITY_IAM"])
    assert refused.value.response["Error"]["Message"] == "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    assert world.failure("refused", alone, ["CAPABILITY_AUTO_EXPAND"]) == "Requires capabilities : [CAPABILITY_IAM]"


def without_network(hosted: dict[str, Any]) -> dict[str, Any]:
    """A secret and its schedule."""
    kept = {name: value for name, value in hosted.items() if not name.startswith("Vpc")}
    return {
        "Secret": resource("SecretsManager::Secret", SecretString="{}"),
        "Schedule": resource("SecretsManager::RotationSchedule", SecretId={"Ref": "Secret"}, HostedRotationLambda=kept),
    }


@pytest.mark.parametrize(
    ("hosted", "reason"),
    [
        ({"RotationType": "MySQLMultiUser"}, "The sandbox imitates the RotationType MySQLSingleUser alone"),
        ({"RotationType": "MySqlSingleUser"}, "HostedRotationLambda has no RotationType MySqlSingleUser."),
        ({"VpcSubnetIds": None}, "A function in a VPC needs both"),
        ({"VpcSecurityGroupIds": {"Fn::GetAtt": ["Other", "DefaultSecurityGroup"]}}, "Security Groups are required"),
    ],
)
def test_a_function_that_aws_would_not_make_is_refused(world: World, hosted: dict[str, Any], reason: str):
    given = {name: value for name, value in (HOSTED | {"RotationLambdaName": "x"} | hosted).items() if value}
    schedule = resource("SecretsManager::RotationSchedule", SecretId={"Ref": "Secret"}, HostedRotationLambda=given)
    resources = {
        **NETWORK,
        "Other": resource("EC2::VPC", CidrBlock="10.1.0.0/16"),
        "Secret": resource("SecretsManager::Secret", SecretString="{}"),
        "Schedule": schedule,
    }
    assert world.failure("refused", {"Transform": TRANSFORM, "Resources": resources}).startswith(reason)


@pytest.mark.parametrize(
    ("endpoint_", "reason"),
    [
        (endpoint("First", ServiceName="com.amazonaws.mars-1.secretsmanager"), "The Vpc Endpoint Service 'com.amazo"),
        (endpoint("First", VpcEndpointType="Gateway"), "Endpoint type (Gateway) does not match"),
        (endpoint("Second", "Third"), "Found another VPC endpoint subnet in the availability zone of subnet-"),
        (endpoint("First", SecurityGroupIds=[{"Fn::GetAtt": ["Other", "DefaultSecurityGroup"]}]), "Security group sg-"),
        (endpoint(VpcId={"Ref": "Other"}, SecurityGroupIds=None), "Enabling private DNS requires both"),
        (endpoint("First", VpcId={"Ref": "Other"}), "The subnet 'subnet-"),
    ],
)
def test_an_endpoint_that_ec2_would_not_make_is_refused(world: World, endpoint_: dict[str, Any], reason: str):
    resources = {**NETWORK, "Other": resource("EC2::VPC", CidrBlock="10.1.0.0/16"), "Endpoint": endpoint_}
    assert world.failure("refused", {"Resources": resources}).startswith(reason)


def test_a_network_has_one_endpoint_with_the_services_name(world: World):
    second = {**endpoint("Second"), "DependsOn": "One"}
    reason = world.failure("refused", {"Resources": {**NETWORK, "One": endpoint("First"), "Two": second}})
    assert reason.startswith("private-dns-enabled cannot be set because there is already a conflicting DNS domain for")
