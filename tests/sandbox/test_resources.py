"""Each AWS resource type of the sandbox creates, updates and deletes what AWS would, and fails with AWS's words.

Records go to moto, secrets and functions to the sandbox's own services, the cluster to a real MySQL server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

import pymysql
import pytest

from aurora_sandbox import ACCOUNT, REGION, motoserver
from aurora_sandbox.aurora import switch_iam
from aurora_sandbox.awslambda import Lambda
from aurora_sandbox.backing import Backing
from aurora_sandbox.clients import Clients
from aurora_sandbox.cloudformation.handlers import check
from aurora_sandbox.cloudformation.types import (
    Importable,
    Outcome,
    Releasable,
    Request,
    ResourceFailed,
    ResourceType,
)
from aurora_sandbox.cluster import Clusters
from aurora_sandbox.encryption import Keys
from aurora_sandbox.functions import Functions, inline
from aurora_sandbox.iam import Policies
from aurora_sandbox.keys import new_key
from aurora_sandbox.mysqld import Server
from aurora_sandbox.policies import Need, decide
from aurora_sandbox.resources import resource_types
from aurora_sandbox.resources.api import Boto, generated_name
from aurora_sandbox.scaling import Scaling
from aurora_sandbox.secretsmanager.service import SecretsManager
from aurora_sandbox.wire import Caller, ServiceError

STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/Shop/0"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
         "Principal": {"Service": "lambda.amazonaws.com"}}]}  # fmt: skip
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
HANDLER = "def handler(event, context):\n    return event"


@pytest.fixture(scope="module")
def moto() -> Iterator[Boto]:
    """boto3 clients of moto."""
    with motoserver.running():
        yield clients_of(REGION)


def clients_of(region: str) -> Boto:
    return Clients("http://127.0.0.1:1", region=region, key=new_key(), inside=motoserver.ask)


@pytest.fixture
def boto(moto: Boto) -> Boto:
    """The same clients on an empty account."""
    motoserver.reset()
    return moto


class Account:
    """Every resource type with what it needs; the cluster's server is put in where a test has one."""

    def __init__(self, boto: Boto, server: Server | None = None) -> None:
        self.boto = boto
        self.clusters = Clusters()
        self.functions = Functions(endpoint_url="http://127.0.0.1:1", region=REGION)
        self.secrets = SecretsManager(
            account=ACCOUNT,
            region=REGION,
            invoke=self.functions.invoke,
            may_invoke=lambda arn: self.functions.allows(arn, "secretsmanager.amazonaws.com"),
        )
        keys = Keys(
            account=ACCOUNT,
            region=REGION,
            find=lambda key_id: motoserver.key(key_id, REGION),
            policies=Policies(lambda: boto("iam")),
            function_of=lambda key: None,
            session_of=lambda key: "",
        )
        self.types: Mapping[str, ResourceType] = resource_types(
            secrets=self.secrets,
            functions=self.functions,
            backing=Backing(self.secrets, self.clusters, server, keys),  # type: ignore[arg-type]
            boto=boto,
            rules_changed=lambda: None,
        )

    def create(self, type_name: str, logical_id: str = "Thing", /, **properties: Any) -> tuple[Request, Outcome]:
        """The outcome, and the request as it is before the next operation on the same resource."""
        request = Request(type_name, logical_id, "Shop", STACK_ID, properties, tags={"team": "a"})
        check(request)
        outcome = self.types[type_name].create(request)
        return replace(request, physical_id=outcome.physical_id), outcome

    def update(self, live: Request, /, **properties: Any) -> tuple[Request, Outcome]:
        request = replace(live, properties=properties, old_properties=live.properties)
        check(request)
        return replace(request, old_properties=None), self.types[live.type].update(request)

    def delete(self, live: Request) -> None:
        self.types[live.type].delete(live)

    def secret(self, operation: str, secret_id: str) -> dict[str, Any]:
        return self.secrets.handle(operation, {"SecretId": secret_id}, Caller("AKIATEST"))

    def value(self, secret_id: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.secrets.current(secret_id))
        return value

    def add_cluster(self) -> str:
        """The ARN of a cluster without a server, for what only needs to know where it would be."""
        arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:main"
        self.clusters.create(
            identifier="main", arn=arn, engine="aurora-mysql", engine_version="8.0", master_username="admin",
            master_secret_arn="", http_endpoint_enabled=True, host="127.0.0.1", port=3307,
        )  # fmt: skip
        return arn


@pytest.fixture
def account(boto: Boto) -> Iterator[Account]:
    account = Account(boto)
    yield account
    account.functions.close()


def failure(operation: Any, *arguments: Any, **properties: Any) -> str:
    with pytest.raises(ResourceFailed) as raised:
        operation(*arguments, **properties)
    return raised.value.reason


# Names


@pytest.mark.parametrize("stack_name", ["shop", "s" * 128])
def test_a_generated_name_keeps_both_names_readable_within_the_limit(stack_name: str) -> None:
    name = generated_name(Request("T", "L" * 40, stack_name, STACK_ID, {}), max_length=63)
    stack, logical_id, suffix = name.split("-")
    assert len(name) <= 63
    assert (set(stack), set(logical_id), len(suffix)) == (set(stack_name), {"L"}, 12)


# EC2


def test_a_network_for_a_database_stands_and_goes(account: Account, boto: Boto) -> None:
    vpc, made = account.create("AWS::EC2::VPC", CidrBlock="10.192.0.0/16", EnableDnsSupport=True,
                               EnableDnsHostnames=True)  # fmt: skip
    subnet, subnet_made = account.create("AWS::EC2::Subnet", CidrBlock="10.192.0.0/20", VpcId=made.physical_id,
                                         AvailabilityZone="eu-west-1b")  # fmt: skip
    rule = {"CidrIp": made.attributes["CidrBlock"], "FromPort": 3306, "ToPort": 3306, "IpProtocol": "tcp"}
    group, group_made = account.create("AWS::EC2::SecurityGroup", GroupDescription="Database", VpcId=made.physical_id,
                                       SecurityGroupIngress=[rule])  # fmt: skip
    live = boto("ec2").describe_security_groups(GroupIds=[group_made.attributes["GroupId"]])["SecurityGroups"][0]
    assert subnet_made.attributes["AvailabilityZone"] == "eu-west-1b"
    assert made.attributes["DefaultSecurityGroup"].startswith("sg-")
    assert [permission["IpRanges"] for permission in live["IpPermissions"]] == [[{"CidrIp": "10.192.0.0/16"}]]
    for resource in (group, subnet, vpc, vpc):  # deleting what is gone succeeds
        account.delete(resource)
    assert not boto("ec2").describe_vpcs(VpcIds=[], Filters=[{"Name": "cidr", "Values": ["10.192.0.0/16"]}])["Vpcs"]


def test_an_updated_security_group_has_the_new_rules_only(account: Account, boto: Boto) -> None:
    _, vpc = account.create("AWS::EC2::VPC", CidrBlock="10.0.0.0/16")
    rules = [{"CidrIp": f"10.0.{n}.0/24", "FromPort": 3306, "ToPort": 3306, "IpProtocol": "tcp"} for n in range(2)]
    base = {"GroupDescription": "Database", "VpcId": vpc.physical_id}
    group, _ = account.create("AWS::EC2::SecurityGroup", **base, SecurityGroupIngress=rules[:1])
    _, made = account.update(group, **base, SecurityGroupIngress=rules[1:])
    live = boto("ec2").describe_security_groups(GroupIds=[made.physical_id])["SecurityGroups"][0]
    assert [permission["IpRanges"] for permission in live["IpPermissions"]] == [[{"CidrIp": "10.0.1.0/24"}]]


# RDS


def test_a_subnet_group_covers_two_zones(account: Account) -> None:
    _, vpc = account.create("AWS::EC2::VPC", CidrBlock="10.0.0.0/16")
    subnets = [
        account.create(
            "AWS::EC2::Subnet", CidrBlock=f"10.0.{n}.0/24", VpcId=vpc.physical_id, AvailabilityZone=f"{REGION}{zone}"
        )[1].physical_id
        for n, zone in enumerate("aab")
    ]
    one_zone = failure(account.create, "AWS::RDS::DBSubnetGroup", DBSubnetGroupDescription="d", SubnetIds=subnets[:2])
    assert one_zone == (
        "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
        f"Current AZ coverage: {REGION}a. Add subnets to cover at least 2 AZs."
    )
    group, made = account.create("AWS::RDS::DBSubnetGroup", "Subnets", DBSubnetGroupDescription="d", SubnetIds=subnets)
    assert made.physical_id.startswith("shop-subnets-")
    account.delete(group)


def test_a_cluster_parameter_group_carries_its_parameters(account: Account, boto: Boto) -> None:
    group, made = account.create("AWS::RDS::DBClusterParameterGroup", Description="d", Family="aurora-mysql8.0",
                                 Parameters={"character_set_server": "utf8mb4"})  # fmt: skip
    live = boto("rds").describe_db_cluster_parameters(DBClusterParameterGroupName=made.physical_id)["Parameters"]
    assert {"character_set_server": "utf8mb4"}.items() <= {
        p["ParameterName"]: p["ParameterValue"] for p in live
    }.items()
    account.delete(group)


MANAGED: dict[str, Any] = {
    "Engine": "aurora-mysql",
    "MasterUsername": "admin",
    "ManageMasterUserPassword": True,
    "EnableHttpEndpoint": True,
    "DatabaseName": "app",
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 2},
}


@pytest.fixture
def aurora(boto: Boto, server: Server) -> Iterator[Account]:
    """An account whose cluster is the real server."""
    account = Account(boto, server)
    yield account
    for cluster in account.clusters.all():
        boto("rds").modify_db_cluster(DBClusterIdentifier=cluster.identifier, DeletionProtection=False)
        account.delete(Request("AWS::RDS::DBCluster", "Main", "Shop", STACK_ID, {}, physical_id=cluster.identifier))
    account.functions.close()
    switch_iam(server, on=True)  # as the session's servers have it


def test_a_cluster_is_a_server_its_managed_master_can_log_in_to(aurora: Account, server: Server) -> None:
    _, made = aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED)
    secret_arn = made.attributes["MasterUserSecret.SecretArn"]
    login = aurora.value(secret_arn)
    with server.connect(login["username"], login["password"]) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'app'")
        assert cursor.fetchone() == ("app",)
    cluster = aurora.clusters.get(made.attributes["DBClusterArn"])
    assert made.physical_id.startswith("shop-main-")
    assert (set(login), ":secret:rds!cluster-" in secret_arn) == ({"username", "password"}, True)
    assert (made.attributes["Endpoint.Address"], made.attributes["Endpoint.Port"]) == (server.host, str(server.port))
    assert cluster is not None
    assert (cluster.http_endpoint_enabled, cluster.scaling.min_acu, cluster.scaling.seconds) == (True, 0, 300)


def test_deleting_a_cluster_removes_its_data_its_users_and_its_secret(aurora: Account, server: Server) -> None:
    cluster, made = aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED)
    aurora.delete(cluster)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'app'")
        databases = cursor.fetchall()
        cursor.execute("SELECT User FROM mysql.user WHERE User = 'admin'")
        assert (list(databases), list(cursor.fetchall())) == ([], [])
    with pytest.raises(ServiceError, match="can't find the specified secret"):
        aurora.secret("DescribeSecret", made.attributes["MasterUserSecret.SecretArn"])
    assert aurora.clusters.all() == ()
    aurora.delete(cluster)


def test_users_of_iam_can_be_made_while_the_cluster_has_iam_authentication(
    aurora: Account, server: Server, with_iam_plugin: None
) -> None:
    def numbers(user: str) -> list[int]:
        """The error of making a user of IAM, and of logging in as it."""
        statement = f"CREATE USER `{user}` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL"
        return [error(server, statement), error(server, "SELECT 1", user=user)]

    cluster, _ = aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED)
    assert numbers("first") == [1524, 1045]
    cluster, _ = aurora.update(cluster, **MANAGED, EnableIAMDatabaseAuthentication=True)
    assert numbers("second") == [0, 1045]
    cluster, _ = aurora.update(cluster, **MANAGED)
    assert numbers("third") == [1524, 1045]
    aurora.delete(cluster)
    aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED, EnableIAMDatabaseAuthentication=True)
    assert numbers("fourth") == [0, 1045]


def error(server: Server, statement: str, *, user: str = "root") -> int:
    """The number of the error that a statement, or the login before it, ends in; 0 if all goes well."""
    try:
        with server.connect(user) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
    except pymysql.MySQLError as refusal:
        return int(refusal.args[0])
    return 0


def test_a_protected_cluster_is_not_deleted(aurora: Account) -> None:
    cluster, _ = aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED, DeletionProtection=True)
    reason = "Cannot delete protected Cluster, please disable deletion protection and try again."
    assert failure(aurora.delete, cluster) == reason
    cluster, _ = aurora.update(cluster, **MANAGED)
    aurora.delete(cluster)
    assert aurora.clusters.all() == ()


def test_a_cluster_with_an_instance_is_not_deleted_and_the_instance_answers_where_the_server_does(
    aurora: Account, server: Server
) -> None:
    cluster, made = aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED)
    instance, instance_made = aurora.create("AWS::RDS::DBInstance", "Writer", Engine="aurora-mysql",
                                            DBClusterIdentifier=made.physical_id,
                                            DBInstanceClass="db.serverless")  # fmt: skip
    reason = failure(aurora.delete, cluster)
    assert instance_made.attributes["Endpoint.Port"] == str(server.port)
    assert "still contains DB instances" in reason
    aurora.delete(instance)
    aurora.delete(cluster)


def test_an_updated_cluster_takes_its_new_capacities_and_its_new_password(aurora: Account, server: Server) -> None:
    properties = {key: value for key, value in MANAGED.items() if key != "ManageMasterUserPassword"}
    cluster, made = aurora.create("AWS::RDS::DBCluster", "Main", **properties, MasterUserPassword="first-password")
    changed = {**properties, "ServerlessV2ScalingConfiguration": {"MinCapacity": 1, "MaxCapacity": 4}}
    _, made = aurora.update(cluster, **changed, MasterUserPassword="second-password")
    server.connect("admin", "second-password").close()
    live = aurora.clusters.get(made.physical_id)
    assert live is not None
    assert live.scaling == Scaling(1, 4)
    assert "MasterUserSecret.SecretArn" not in made.attributes


def test_seconds_beside_a_minimum_above_0_are_refused_at_creation_and_in_an_update(aurora: Account) -> None:
    wrong = {"ServerlessV2ScalingConfiguration": {"MinCapacity": 1, "MaxCapacity": 4, "SecondsUntilAutoPause": 600}}
    said = "SecondsUntilAutoPause can only be specified when minimum capacity is 0."
    assert said in failure(aurora.create, "AWS::RDS::DBCluster", "Main", **MANAGED | wrong)
    cluster, _ = aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED)
    assert said in failure(aurora.update, cluster, **MANAGED | wrong)


def test_an_update_that_leaves_the_scaling_alone_keeps_what_a_schedule_has_set(aurora: Account) -> None:
    cluster, made = aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED)
    aurora.clusters.modify(made.physical_id, scaling=Scaling(1, 4))
    _, made = aurora.update(cluster, **MANAGED, BackupRetentionPeriod=14)
    assert aurora.clusters.all()[0].scaling == Scaling(1, 4)


def test_a_second_cluster_is_refused(aurora: Account) -> None:
    aurora.create("AWS::RDS::DBCluster", "Main", **MANAGED)
    reason = failure(aurora.create, "AWS::RDS::DBCluster", "Other", **MANAGED)
    assert reason == "The sandbox has one cluster, and there is one already."


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"Engine": "aurora-postgresql"}, "aurora-mysql only"),
        ({"EngineMode": "serverless"}, "engine mode serverless"),
        ({"EngineVersion": "8.0.mysql_aurora.3.99.9"}, "Cannot find version 8.0.mysql_aurora.3.99.9 for aurora-mysql"),
        ({"MasterUsername": "root"}, "another MasterUsername"),
        ({"MasterUserPassword": "long-enough"}, "either ManageMasterUserPassword or"),
        ({"ManageMasterUserPassword": False}, "either ManageMasterUserPassword or"),
        ({"ManageMasterUserPassword": False, "MasterUserPassword": "sl/ashes"}, "not a valid password"),
        ({"ManageMasterUserPassword": False, "MasterUserPassword": "short"}, "not a valid password"),
    ],
)
def test_a_cluster_the_sandbox_cannot_be_is_refused(account: Account, changed: dict[str, Any], part: str) -> None:
    assert part in failure(account.create, "AWS::RDS::DBCluster", "Main", **{**MANAGED, **changed})


# Secrets Manager

GENERATED: dict[str, Any] = {
    "Name": "/shop/database/app",
    "GenerateSecretString": {"SecretStringTemplate": '{"username": "app"}', "GenerateStringKey": "password"},
}


def test_a_secrets_value_is_generated_once_and_again_only_when_its_rule_changes(account: Account) -> None:
    secret, made = account.create("AWS::SecretsManager::Secret", **GENERATED)
    first = account.value(made.physical_id)
    secret, _ = account.update(secret, **GENERATED, Description="renamed")
    second = account.value(made.physical_id)
    longer = {**GENERATED["GenerateSecretString"], "PasswordLength": 40}
    account.update(secret, **{**GENERATED, "GenerateSecretString": longer})
    third = account.value(made.physical_id)
    assert (first["username"], len(first["password"]), second) == ("app", 32, first)
    assert (third["username"], len(third["password"])) == ("app", 40)


def test_a_secret_without_a_name_gets_one_and_the_stacks_tags(account: Account) -> None:
    _, made = account.create("AWS::SecretsManager::Secret", SecretString="x", Tags=[{"Key": "mine", "Value": "1"}])
    described = account.secret("DescribeSecret", made.physical_id)
    assert described["Name"].startswith("Shop-Thing-")
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]} == {"team": "a", "mine": "1"}


def test_an_update_removes_the_templates_tag_and_keeps_the_one_somebody_else_set(account: Account) -> None:
    own = {"Tags": [{"Key": "mine", "Value": "1"}]}
    secret, made = account.create("AWS::SecretsManager::Secret", **GENERATED, **own)
    foreign = {"SecretId": made.physical_id, "Tags": [{"Key": "theirs", "Value": "2"}]}
    account.secrets.handle("TagResource", foreign, Caller("AKIATEST"))
    account.update(secret, **GENERATED)
    tags = account.secret("DescribeSecret", made.physical_id)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a", "theirs": "2"}


def test_a_deleted_secrets_name_is_free_at_once(account: Account) -> None:
    secret, made = account.create("AWS::SecretsManager::Secret", **GENERATED)
    taken = failure(account.create, "AWS::SecretsManager::Secret", **GENERATED)
    account.delete(secret)
    _, again = account.create("AWS::SecretsManager::Secret", **GENERATED)
    assert taken == "The operation failed because the secret /shop/database/app already exists."
    assert again.physical_id != made.physical_id


@pytest.mark.parametrize(
    "rules",
    [
        {"SecretStringTemplate": "{}"},
        {"SecretStringTemplate": "[]", "GenerateStringKey": "password"},
        {"PasswordLength": 1},
    ],
)
def test_a_rule_that_cannot_make_a_password_is_refused(account: Account, rules: dict[str, Any]) -> None:
    assert failure(account.create, "AWS::SecretsManager::Secret", GenerateSecretString=rules)


@pytest.mark.parametrize("by_arn", [True, False])
def test_an_attachment_adds_how_to_connect_and_its_removal_takes_that_out(account: Account, by_arn: bool) -> None:
    cluster_arn = account.add_cluster()
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    before = account.value(secret.physical_id)
    attachment, made = account.create(
        "AWS::SecretsManager::SecretTargetAttachment",
        SecretId=secret.physical_id,
        TargetId=cluster_arn if by_arn else "main",
        TargetType="AWS::RDS::DBCluster",
    )
    added = {"engine": "mysql", "host": "127.0.0.1", "port": 3307, "dbClusterIdentifier": "main"}
    assert (made.physical_id, account.value(secret.physical_id)) == (secret.physical_id, {**before, **added})
    account.delete(attachment)
    assert account.value(secret.physical_id) == before


def test_a_secret_has_one_attachment(account: Account) -> None:
    target = {"TargetId": account.add_cluster(), "TargetType": "AWS::RDS::DBCluster"}
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    kind = "AWS::SecretsManager::SecretTargetAttachment"
    attachment, _ = account.create(kind, SecretId=secret.physical_id, **target)
    second = failure(account.create, kind, "Second", SecretId=secret.physical_id, **target)
    account.delete(attachment)
    account.create(kind, "Second", SecretId=secret.physical_id, **target)
    assert second.endswith("already exists.")


def test_what_an_attachment_wrote_stays_when_its_stack_lets_it_go_and_another_may_attach_the_secret(
    account: Account,
) -> None:
    target = {"TargetId": account.add_cluster(), "TargetType": "AWS::RDS::DBCluster"}
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    kind = "AWS::SecretsManager::SecretTargetAttachment"
    attachment, _ = account.create(kind, SecretId=secret.physical_id, **target)
    before = account.value(secret.physical_id)
    released = account.types[kind]
    assert isinstance(released, Releasable)
    released.release(attachment)
    assert account.value(secret.physical_id) == before
    account.create(kind, "Second", SecretId=secret.physical_id, **target)
    assert account.value(secret.physical_id) == before


def test_a_wait_condition_handle_is_a_url_and_nothing_else(account: Account) -> None:
    handle, made = account.create("AWS::CloudFormation::WaitConditionHandle")
    assert made.physical_id.startswith("https://")
    assert account.update(handle)[1] == made
    account.delete(handle)


def test_a_secret_is_imported_by_its_arn_alone(account: Account) -> None:
    request, made = account.create("AWS::SecretsManager::Secret", **GENERATED)
    kind = account.types["AWS::SecretsManager::Secret"]
    assert isinstance(kind, Importable)
    assert kind.found(replace(request, physical_id=made.physical_id)) == made
    assert kind.found(replace(request, physical_id=GENERATED["Name"])) is None
    assert kind.found(replace(request, physical_id=made.physical_id + "x")) is None


def test_a_secret_that_is_not_json_and_a_cluster_that_is_not_there_are_not_attached(account: Account) -> None:
    kind, target = "AWS::SecretsManager::SecretTargetAttachment", account.add_cluster()
    _, secret = account.create("AWS::SecretsManager::Secret", SecretString="plain")
    properties = {"SecretId": secret.physical_id, "TargetType": "AWS::RDS::DBCluster"}
    assert "must be a JSON object" in failure(account.create, kind, **properties, TargetId=target)
    assert failure(account.create, kind, **properties, TargetId="other") == "DBCluster other not found."


def test_removing_an_attachment_of_a_secret_that_is_gone_succeeds(account: Account) -> None:
    target = {"TargetId": account.add_cluster(), "TargetType": "AWS::RDS::DBCluster"}
    secret, made = account.create("AWS::SecretsManager::Secret", **GENERATED)
    attachment, _ = account.create("AWS::SecretsManager::SecretTargetAttachment", SecretId=made.physical_id, **target)
    account.delete(secret)
    account.delete(attachment)


def rotating_function(account: Account) -> str:
    """The ARN of a function that Secrets Manager may call; it fails every step but testSecret."""
    account.create("AWS::IAM::Role", "Role", RoleName="rotation", AssumeRolePolicyDocument=TRUST)
    code = "def handler(event, context):\n    print(event['Step'])\n    assert event['Step'] == 'testSecret'"
    _, function = account.create("AWS::Lambda::Function", "Rotation", FunctionName="rotation", Handler="index.handler",
                                 Runtime="python3.13", Role=f"arn:aws:iam::{ACCOUNT}:role/rotation",
                                 Code={"ZipFile": code})  # fmt: skip
    account.create("AWS::Lambda::Permission", FunctionName="rotation", Action="lambda:InvokeFunction",
                   Principal="secretsmanager.amazonaws.com")  # fmt: skip
    function_arn: str = function.attributes["Arn"]
    return function_arn


@pytest.mark.parametrize(
    ("how", "step"),
    [
        ({}, "createSecret"),
        ({"RotateImmediatelyOnUpdate": True}, "createSecret"),
        ({"RotateImmediatelyOnUpdate": False}, "testSecret"),
    ],
)
def test_a_rotation_schedule_rotates_at_once_unless_told_to_test_only(
    account: Account, how: dict[str, Any], step: str
) -> None:
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    _, made = account.create("AWS::SecretsManager::RotationSchedule", SecretId=secret.physical_id, **how,
                             RotationLambdaARN=rotating_function(account),
                             RotationRules={"AutomaticallyAfterDays": 30})  # fmt: skip
    outcome = account.secrets.rotation_outcome(secret.physical_id)
    assert outcome is not None
    assert (made.physical_id, outcome.step) == (secret.physical_id, step)
    assert account.functions.logs("rotation").split("\n")[0] == step


def test_removing_a_rotation_schedule_cancels_rotation_and_a_secret_has_one_schedule(account: Account) -> None:
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    kind, properties = (
        "AWS::SecretsManager::RotationSchedule",
        {
            "SecretId": secret.physical_id,
            "RotationLambdaARN": rotating_function(account),
            "RotateImmediatelyOnUpdate": False,
        },
    )
    schedule, _ = account.create(kind, **properties)
    account.secrets.rotation_outcome(secret.physical_id)
    second = failure(account.create, kind, **properties)
    account.delete(schedule)
    assert second.endswith("already exists.")
    assert account.secret("DescribeSecret", secret.physical_id)["RotationEnabled"] is False


def test_a_function_without_a_permission_is_not_taken_for_rotation(account: Account) -> None:
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"
    reason = failure(account.create, "AWS::SecretsManager::RotationSchedule", SecretId=secret.physical_id,
                     RotationLambdaARN=function_arn)  # fmt: skip
    assert reason.startswith("Secrets Manager cannot invoke the specified Lambda function.")


def test_a_hosted_rotation_function_needs_its_transform(account: Account) -> None:
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    reason = failure(account.create, "AWS::SecretsManager::RotationSchedule", SecretId=secret.physical_id,
                     HostedRotationLambda={"RotationType": "MySQLSingleUser"})  # fmt: skip
    assert reason == "A HostedRotationLambda needs Transform: AWS::SecretsManager-2024-09-16."


def test_a_resource_policy_is_kept_with_its_secret_until_removed(account: Account) -> None:
    _, secret = account.create("AWS::SecretsManager::Secret", **GENERATED)
    policy, _ = account.create("AWS::SecretsManager::ResourcePolicy", SecretId=secret.physical_id, ResourcePolicy=ALLOW)
    kept = json.loads(account.secret("GetResourcePolicy", secret.physical_id)["ResourcePolicy"])
    account.delete(policy)
    assert (kept, account.secret("GetResourcePolicy", secret.physical_id).get("ResourcePolicy")) == (ALLOW, None)


# Lambda


def function_properties(account: Account, **changed: Any) -> dict[str, Any]:
    account.create("AWS::IAM::Role", "Role", RoleName="provider", AssumeRolePolicyDocument=TRUST)
    role = f"arn:aws:iam::{ACCOUNT}:role/provider"
    properties = {"Handler": "index.handler", "Runtime": "python3.13", "Role": role, "Code": {"ZipFile": HANDLER}}
    return {**properties, **changed}


def test_a_function_runs_the_code_of_the_template_with_its_environment(account: Account) -> None:
    code = "import os\ndef handler(event, context):\n    return [os.environ['CLUSTER'], event]"
    environment = {"Variables": {"CLUSTER": "main"}}
    properties = function_properties(account, Code={"ZipFile": code}, Environment=environment)
    function, made = account.create("AWS::Lambda::Function", "Provider", **properties)
    result = account.functions.invoke(made.attributes["Arn"], {"n": 1})
    account.update(function, **{**properties, "Code": {"ZipFile": HANDLER}})
    updated = account.functions.invoke(made.physical_id, {"n": 2})
    account.delete(function)
    assert (result, updated, account.functions.get(made.physical_id)) == (["main", {"n": 1}], {"n": 2}, None)
    assert made.attributes["Arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{made.physical_id}"


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"Runtime": "nodejs24.x"}, "Python only, not in nodejs24.x"),
        ({"Role": f"arn:aws:iam::{ACCOUNT}:role/missing"}, "cannot be assumed by Lambda"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "Reserved keys used in this request: AWS_REGION"),
    ],
)
def test_a_function_that_lambda_or_the_sandbox_would_not_take_is_refused(
    account: Account, changed: dict[str, Any], part: str
) -> None:
    assert part in failure(account.create, "AWS::Lambda::Function", **function_properties(account, **changed))


def test_the_name_of_a_function_has_64_characters_at_most(account: Account) -> None:
    properties = function_properties(account)
    _, made = account.create("AWS::Lambda::Function", "Fits", FunctionName="f" * 64, **properties)
    assert made.physical_id == "f" * 64
    assert failure(account.create, "AWS::Lambda::Function", "Long", FunctionName="f" * 65, **properties) == (
        f"1 validation error detected: Value '{'f' * 65}' at 'functionName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )


def zipped(**modules: str) -> bytes:
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, text in modules.items():
            archive.writestr(f"shop/{name}.py", text)
    return written.getvalue()


def test_a_function_runs_a_module_of_a_package_in_a_bucket(account: Account) -> None:
    """As it is there: without the module cfnresponse, which only code in a template gets."""
    code = zipped(
        provider="from shop.words import HELLO\ndef handler(event, context):\n    return HELLO", words="HELLO = 'hello'"
    )
    s3 = account.boto("s3")
    s3.create_bucket(Bucket="builds", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="builds", Key="provider.zip", Body=code)
    place = {"S3Bucket": "builds", "S3Key": "provider.zip"}
    properties = function_properties(account)
    function, made = account.create(
        "AWS::Lambda::Function", **properties | {"Code": place, "Handler": "shop.provider.handler"}
    )
    api = Lambda(account.functions, s3=lambda: s3, region=REGION)

    def sha256() -> str:
        found = api.handle("GetFunctionConfiguration", {"FunctionName": made.attributes["Arn"]}, Caller("x"))
        return str(found["CodeSha256"])

    assert account.functions.invoke(made.physical_id, {}) == "hello"
    assert sha256() == base64.b64encode(hashlib.sha256(code).digest()).decode()
    account.update(function, **properties)
    of_the_template = sha256()
    assert account.functions.invoke(made.physical_id, {"n": 1}) == {"n": 1}
    assert of_the_template == base64.b64encode(hashlib.sha256(inline(HANDLER)).digest()).decode()
    api.handle("UpdateFunctionCode", {"FunctionName": made.physical_id, **place}, Caller("x"))
    assert sha256() == base64.b64encode(hashlib.sha256(code).digest()).decode()
    with pytest.raises(ServiceError, match=r"^ResourceNotFoundException: Function not found: other$"):
        api.handle("GetFunctionConfiguration", {"FunctionName": "other"}, Caller("x"))


GET_OBJECT = "Error occurred while GetObject. S3 Error Code: "


@pytest.mark.parametrize(
    ("bucket", "key", "said"),
    [
        ("builds", "none.zip", f"{GET_OBJECT}NoSuchKey. S3 Error Message: The specified key does not exist."),
        ("none", "good.zip", f"{GET_OBJECT}NoSuchBucket. S3 Error Message: The specified bucket does not exist"),
        ("elsewhere", "good.zip", f"{GET_OBJECT}PermanentRedirect. S3 Error Message: The bucket is in this region: "
         "us-west-2. Please use this region to retry the request"),
        ("builds", "text.zip", "Could not unzip uploaded file. Please check your file, then try to upload again."),
    ],
)  # fmt: skip
def test_code_that_lambda_cannot_take_from_a_bucket_is_refused(
    account: Account, bucket: str, key: str, said: str
) -> None:
    s3 = account.boto("s3")
    s3.create_bucket(Bucket="builds", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="builds", Key="text.zip", Body=b"text")
    clients_of("us-west-2")("s3").create_bucket(
        Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    properties = function_properties(account, Code={"S3Bucket": bucket, "S3Key": key})
    assert failure(account.create, "AWS::Lambda::Function", **properties) == said


def test_a_role_that_does_not_trust_lambda_is_refused(account: Account) -> None:
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"Service": "scheduler.amazonaws.com"}}]}  # fmt: skip
    account.create("AWS::IAM::Role", RoleName="other", AssumeRolePolicyDocument=trust)
    properties = function_properties(account, Role=f"arn:aws:iam::{ACCOUNT}:role/other")
    reason = "The role defined for the function cannot be assumed by Lambda."
    assert failure(account.create, "AWS::Lambda::Function", **properties) == reason


def test_a_permission_lasts_until_it_is_removed(account: Account) -> None:
    _, function = account.create("AWS::Lambda::Function", **function_properties(account))
    permission, _ = account.create("AWS::Lambda::Permission", FunctionName=function.physical_id,
                                   Action="lambda:InvokeFunction", Principal="events.amazonaws.com")  # fmt: skip
    before = account.functions.allows(function.physical_id, "events.amazonaws.com")
    account.delete(permission)
    assert (before, account.functions.allows(function.physical_id, "events.amazonaws.com")) == (True, False)


def test_a_permission_needs_its_function(account: Account) -> None:
    reason = failure(account.create, "AWS::Lambda::Permission", FunctionName="none", Action="lambda:InvokeFunction",
                     Principal="events.amazonaws.com")  # fmt: skip
    assert reason == "Function not found: none"


def test_an_event_invoke_config_limits_the_retries_of_its_function(account: Account) -> None:
    code = "def handler(event, context):\n    1 / 0"
    _, function = account.create(
        "AWS::Lambda::Function", **function_properties(account, Code={"ZipFile": code}, FunctionName="f")
    )
    config, _ = account.create("AWS::Lambda::EventInvokeConfig", FunctionName=function.physical_id,
                               Qualifier="$LATEST", MaximumRetryAttempts=0)  # fmt: skip
    before = account.functions.retries("f")
    account.delete(config)
    assert (before, account.functions.retries("f")) == (0, 2)


def test_concurrency_is_reserved_as_long_as_a_hundred_are_left_to_other_functions(account: Account) -> None:
    reserved = function_properties(account, FunctionName="f", ReservedConcurrentExecutions=900)
    function, _ = account.create("AWS::Lambda::Function", **reserved)
    assert account.functions.unreserved() == 100
    one = {**reserved, "FunctionName": "g", "ReservedConcurrentExecutions": 1}
    reason = failure(account.create, "AWS::Lambda::Function", **one)
    assert reason == (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [100]."
    )
    account.update(function, **{**reserved, "ReservedConcurrentExecutions": 899})
    account.create("AWS::Lambda::Function", **one)
    assert account.functions.unreserved() == 100


# IAM


def test_a_role_has_exactly_the_templates_policies_after_an_update(account: Account, boto: Boto) -> None:
    _, basic = account.create("AWS::IAM::ManagedPolicy", PolicyDocument=ALLOW)
    policies = [{"PolicyName": name, "PolicyDocument": ALLOW} for name in ("a", "b")]
    role, made = account.create("AWS::IAM::Role", RoleName="r", AssumeRolePolicyDocument=TRUST, Policies=policies,
                                ManagedPolicyArns=[basic.physical_id])  # fmt: skip
    boto("iam").put_role_policy(RoleName="r", PolicyName="other", PolicyDocument=json.dumps(ALLOW))
    account.update(role, RoleName="r", AssumeRolePolicyDocument=TRUST, Policies=policies[1:])
    assert made.attributes["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/r"
    assert boto("iam").list_role_policies(RoleName="r")["PolicyNames"] == ["b", "other"]
    assert boto("iam").list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []
    account.delete(role)
    account.delete(role)
    assert boto("iam").list_roles()["Roles"] == []


def test_a_role_half_made_is_named_in_the_failure_so_that_a_rollback_finds_it(account: Account) -> None:
    with pytest.raises(ResourceFailed, match="does not exist") as raised:
        account.create("AWS::IAM::Role", RoleName="r", AssumeRolePolicyDocument=TRUST,
                       ManagedPolicyArns=["arn:aws:iam::aws:policy/NoSuch"])  # fmt: skip
    assert raised.value.physical_id == "r"


def test_a_policy_of_aws_itself_can_be_attached_and_allows_what_it_says(account: Account, boto: Boto) -> None:
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    role, made = account.create("AWS::IAM::Role", AssumeRolePolicyDocument=TRUST, ManagedPolicyArns=[basic])
    statements = Policies(lambda: boto("iam")).of(made.attributes["Arn"])
    account.delete(role)
    assert decide(statements, Need("logs:PutLogEvents", "*")) is None
    assert decide(statements, Need("rds:DescribeDBClusters", "*")) is not None


def test_a_policy_moves_with_the_roles_it_names(account: Account, boto: Boto) -> None:
    for name in ("one", "two"):
        account.create("AWS::IAM::Role", RoleName=name, AssumeRolePolicyDocument=TRUST)

    def placed() -> list[list[str]]:
        return [boto("iam").list_role_policies(RoleName=name)["PolicyNames"] for name in ("one", "two")]

    policy, _ = account.create("AWS::IAM::Policy", PolicyName="p", PolicyDocument=ALLOW, Roles=["one"])
    before = placed()
    policy, _ = account.update(policy, PolicyName="p", PolicyDocument=ALLOW, Roles=["two"])
    moved = placed()
    account.delete(policy)
    assert (before, moved, placed()) == ([["p"], []], [[], ["p"]], [[], []])


def test_a_managed_policy_can_be_updated_many_times_and_deleted_while_attached(account: Account, boto: Boto) -> None:
    account.create("AWS::IAM::Role", RoleName="r", AssumeRolePolicyDocument=TRUST)
    properties = {"ManagedPolicyName": "m", "PolicyDocument": ALLOW, "Roles": ["r"]}
    policy, made = account.create("AWS::IAM::ManagedPolicy", **properties)
    for _ in range(6):  # IAM keeps five versions
        policy, _ = account.update(policy, **properties)
    attached = boto("iam").list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    account.delete(policy)
    assert made.physical_id == f"arn:aws:iam::{ACCOUNT}:policy/m"
    assert [policy["PolicyName"] for policy in attached] == ["m"]
    assert boto("iam").list_policies(Scope="Local")["Policies"] == []


# Scheduler, SQS, CloudWatch, Logs, SSM


def test_a_schedule_lives_in_its_group(account: Account, boto: Boto) -> None:
    group, group_made = account.create("AWS::Scheduler::ScheduleGroup", "Group", Name="hours")
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:rds:modifyDBCluster", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"}
    properties = {"Name": "wake", "GroupName": "hours", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target,
                  "ScheduleExpressionTimezone": "Europe/Berlin"}  # fmt: skip
    schedule, made = account.create("AWS::Scheduler::Schedule", **properties, ScheduleExpression="cron(0 7 * * ? *)")
    schedule, _ = account.update(schedule, **properties, ScheduleExpression="cron(0 8 * * ? *)")
    live = boto("scheduler").get_schedule(Name="wake", GroupName="hours")
    assert (live["ScheduleExpression"], live["Arn"]) == ("cron(0 8 * * ? *)", made.attributes["Arn"])
    assert boto("scheduler").get_schedule_group(Name="hours")["Arn"] == group_made.attributes["Arn"]
    for resource in (schedule, schedule, group):
        account.delete(resource)
    assert boto("scheduler").list_schedules()["Schedules"] == []


def test_a_queues_settings_are_text_and_its_ref_is_the_url(account: Account, boto: Boto) -> None:
    properties = {"QueueName": "dead", "MessageRetentionPeriod": 1209600, "SqsManagedSseEnabled": True}
    queue, made = account.create("AWS::SQS::Queue", **properties)
    account.update(queue, **{**properties, "MessageRetentionPeriod": 60})
    live = boto("sqs").get_queue_attributes(QueueUrl=made.physical_id, AttributeNames=["All"])["Attributes"]
    account.delete(queue)
    account.delete(queue)
    assert (live["MessageRetentionPeriod"], live["QueueArn"]) == ("60", made.attributes["Arn"])
    assert made.attributes["QueueName"] == "dead"


def test_a_fifo_queue_without_a_name_gets_one_that_ends_so(account: Account) -> None:
    queue, made = account.create("AWS::SQS::Queue", FifoQueue=True)
    account.delete(queue)
    assert made.attributes["QueueName"].endswith(".fifo")


def test_an_alarm_is_put_and_taken_away(account: Account, boto: Boto) -> None:
    properties = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "MetricName": "m",
                  "Namespace": "n", "Period": 60, "Statistic": "Sum"}  # fmt: skip
    alarm, made = account.create("AWS::CloudWatch::Alarm", **properties, Threshold=0)
    account.update(alarm, **properties, Threshold=5)
    live = boto("cloudwatch").describe_alarms(AlarmNames=[made.physical_id])["MetricAlarms"][0]
    account.delete(alarm)
    assert (live["Threshold"], live["AlarmArn"]) == (5, made.attributes["Arn"])
    assert boto("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_a_log_groups_retention_can_be_set_and_taken_away(account: Account, boto: Boto) -> None:
    name = "/aws/lambda/provider"
    group, made = account.create("AWS::Logs::LogGroup", LogGroupName=name, RetentionInDays=30)
    before = boto("logs").describe_log_groups()["logGroups"][0]
    account.update(group, LogGroupName=name)
    after = boto("logs").describe_log_groups()["logGroups"][0]
    account.delete(group)
    assert (before["retentionInDays"], after.get("retentionInDays")) == (30, None)
    assert (made.attributes["Arn"], boto("logs").describe_log_groups()["logGroups"]) == (before["arn"], [])


def test_a_parameters_value_is_replaced_by_an_update(account: Account, boto: Boto) -> None:
    parameter, _ = account.create("AWS::SSM::Parameter", Name="/shop/arn", Type="String", Value="one")
    _, made = account.update(parameter, Name="/shop/arn", Type="String", Value="two")
    live = boto("ssm").get_parameter(Name="/shop/arn")["Parameter"]["Value"]
    account.delete(parameter)
    account.delete(parameter)
    assert (live, made.attributes["Value"]) == ("two", "two")


def test_what_aws_refuses_fails_with_its_message(account: Account) -> None:
    account.create("AWS::Logs::LogGroup", LogGroupName="/a")
    reason = failure(account.create, "AWS::Logs::LogGroup", LogGroupName="/a")
    assert reason == "The specified log group already exists"


def test_a_parameter_of_the_wrong_type_fails_rather_than_ends_in_a_traceback(account: Account) -> None:
    assert failure(account.create, "AWS::EC2::VPC", CidrBlock=10) == (
        "Properties validation failed for resource Thing with message:\n"
        "#/CidrBlock: expected type: String, found: Integer"
    )
