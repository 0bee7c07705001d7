"""The whole sandbox through its one endpoint, by clients that know nothing of it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from aurora_sandbox.environment import of_command
from aurora_sandbox.keys import key_in
from aurora_sandbox.server import Sandbox
from tests import endpoint

Client = Callable[..., Any]

PROVIDER = """\
import json
import os

import boto3
import cfnresponse

data = boto3.client("rds-data")


def run(sql):
    data.execute_statement(resourceArn=os.environ["CLUSTER"], secretArn=os.environ["MASTER"], sql=sql)


def handler(event, context):
    try:
        name = event["ResourceProperties"]["Name"]
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=event["ResourceProperties"]["SecretId"])
        user = json.loads(secret["SecretString"])
        print(event["RequestType"], name, os.environ["AWS_ACCESS_KEY_ID"])
        if event["RequestType"] == "Delete":
            run(f"DROP DATABASE IF EXISTS `{name}`")
            run(f"DROP USER IF EXISTS `{user['username']}`")
        else:
            run(f"CREATE DATABASE IF NOT EXISTS `{name}`")
            run(f"CREATE USER `{user['username']}` IDENTIFIED BY '{user['password']}'")
            run(f"GRANT SELECT ON `{name}`.* TO `{user['username']}`")
        cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Host": user["host"]}, name)
    except Exception as error:
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, "none", reason=str(error))
"""

ASSUMED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def function(role: str, **environment: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Timeout": 30,
            "Role": {"Fn::GetAtt": [role, "Arn"]},
            "Code": {"ZipFile": PROVIDER},
            "Environment": {"Variables": environment},
        },
    }


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = [{"PolicyName": "all", "PolicyDocument": document}] if statements else []
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": ASSUMED_BY_LAMBDA, "Policies": policies},
    }


def allow(action: str, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


SECRET = {
    "Type": "AWS::SecretsManager::Secret",
    "Properties": {
        "GenerateSecretString": {
            "SecretStringTemplate": '{"username": "shop"}',
            "GenerateStringKey": "password",
            "ExcludePunctuation": True,
        }
    },
}
MASTER = {"Fn::GetAtt": ["Cluster", "MasterUserSecret.SecretArn"]}
CLUSTER = {"Fn::GetAtt": ["Cluster", "DBClusterArn"]}
WHOLE = {
    "Resources": {
        "Cluster": {
            "Type": "AWS::RDS::DBCluster",
            "Properties": {
                "Engine": "aurora-mysql",
                "MasterUsername": "admin",
                "ManageMasterUserPassword": True,
                "EnableHttpEndpoint": True,
                "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 2},
            },
        },
        "Secret": SECRET,
        "Attachment": {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {
                "SecretId": {"Ref": "Secret"},
                "TargetId": {"Ref": "Cluster"},
                "TargetType": "AWS::RDS::DBCluster",
            },
        },
        "Role": role(
            allow("rds-data:ExecuteStatement", CLUSTER),
            allow("secretsmanager:GetSecretValue", [MASTER, {"Ref": "Secret"}]),
        ),
        "Provider": function("Role", CLUSTER=CLUSTER, MASTER=MASTER),
        "Database": {
            "Type": "Custom::Database",
            "DependsOn": "Attachment",
            "Properties": {
                "ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]},
                "Name": "shop",
                "SecretId": {"Ref": "Secret"},
            },
        },
    },
    "Outputs": {
        "Cluster": {"Value": CLUSTER},
        "Secret": {"Value": {"Ref": "Secret"}},
        "Provider": {"Value": {"Ref": "Provider"}},
        "Host": {"Value": {"Fn::GetAtt": ["Database", "Host"]}},
    },
}


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Client:
    def make(service: str, region: str = "eu-west-1", access_key: str = "") -> Any:
        variables = sandbox.environment() | {"AWS_REGION": region}
        if access_key:
            variables["AWS_ACCESS_KEY_ID"] = access_key
        return endpoint.client(variables, service, config=Config(retries={"total_max_attempts": 1}))

    return make


def settled(cloudformation: Any, name: str, *, deadline_seconds: float = 20) -> dict[str, Any]:
    """The stack once no operation runs on it; asked for every 20 ms."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        assert time.monotonic() < deadline, stack["StackStatus"]
        time.sleep(0.02)


def deployed(cloudformation: Any, name: str, template: dict[str, Any]) -> dict[str, Any]:
    created = cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    return settled(cloudformation, created["StackId"])


def deleted(cloudformation: Any, stack: dict[str, Any]) -> str:
    cloudformation.delete_stack(StackName=stack["StackId"])
    return settled(cloudformation, stack["StackId"])["StackStatus"]


def ask(sandbox: Sandbox, method: str, path: str, document: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of one of the sandbox's own endpoints, asked by its owner."""
    key = key_in(sandbox.environment())
    assert key is not None
    connection = http.client.HTTPConnection(sandbox.endpoint_url.removeprefix("http://"), timeout=10)
    body = None if document is None else json.dumps(document)
    connection.request(method, f"/_sandbox/{path}", body, {"Authorization": key.basic, **headers})
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    connection.close()
    return status, json.loads(body) if answer.getheader("Content-Type") == "application/json" else body.decode()


@pytest.fixture(scope="module")
def whole(client: Client) -> Iterator[dict[str, Any]]:
    """A stack with a cluster, a user's secret, and a database that a Lambda made through the Data API."""
    cloudformation = client("cloudformation")
    stack = deployed(cloudformation, "whole", WHOLE)
    yield stack
    if "whole" in [each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]]:
        deleted(cloudformation, stack)


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_a_template_becomes_a_database_that_its_user_can_read(client: Client, whole: dict[str, Any]):
    assert whole["StackStatus"] == "CREATE_COMPLETE"
    found = client("rds-data").execute_statement(
        resourceArn=outputs(whole)["Cluster"],
        secretArn=outputs(whole)["Secret"],
        sql="SELECT CURRENT_USER(), SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop'",
    )
    assert found["records"] == [[{"stringValue": "shop@%"}, {"stringValue": "shop"}]]


def test_the_attachment_told_the_function_where_the_cluster_is(whole: dict[str, Any]):
    assert outputs(whole)["Host"] == "127.0.0.1"


def test_rds_describes_the_cluster_as_it_is(client: Client, sandbox: Sandbox, whole: dict[str, Any]):
    (cluster,) = client("rds").describe_db_clusters()["DBClusters"]
    kept = ("DBClusterArn", "Endpoint", "Port", "HttpEndpointEnabled", "ServerlessV2ScalingConfiguration")
    assert {name: cluster[name] for name in kept} == {
        "DBClusterArn": outputs(whole)["Cluster"],
        "Endpoint": "127.0.0.1",
        "Port": sandbox.mysql.port,
        "HttpEndpointEnabled": True,
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.0, "MaxCapacity": 2.0, "SecondsUntilAutoPause": 300},
    }
    assert client("secretsmanager").describe_secret(SecretId=cluster["MasterUserSecret"]["SecretArn"])


def test_modifying_the_cluster_changes_what_is_described(client: Client, whole: dict[str, Any]):
    rds, name = client("rds"), outputs(whole)["Cluster"].rpartition(":")[2]
    scaling = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
    modified = rds.modify_db_cluster(DBClusterIdentifier=name, ServerlessV2ScalingConfiguration=scaling)["DBCluster"]
    (described,) = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    assert modified["ServerlessV2ScalingConfiguration"] == scaling
    assert described["ServerlessV2ScalingConfiguration"] == scaling


def test_a_cluster_that_there_is_not_is_not_found(client: Client):
    with pytest.raises(ClientError, match="nope") as refused:
        client("rds").modify_db_cluster(DBClusterIdentifier="nope")
    assert refused.value.response["Error"]["Code"] == "DBClusterNotFoundFault"


@pytest.mark.parametrize("number", [19, 101])
def test_a_page_has_20_to_100_clusters(client: Client, number: int):
    with pytest.raises(ClientError, match=f"Invalid value {number} for MaxRecords. Must be between 20 and 100"):
        client("rds").describe_db_clusters(MaxRecords=number)


def test_the_status_names_what_there_is(sandbox: Sandbox, whole: dict[str, Any]):
    status, said = ask(sandbox, "GET", "status")
    assert status == 200
    assert said["cluster"] == {"arn": outputs(whole)["Cluster"], "state": "available"}
    assert {"name": "whole", "status": "CREATE_COMPLETE"} in said["stacks"]
    assert outputs(whole)["Provider"] in said["functions"]
    assert said["mysqld"] == {
        "host": "127.0.0.1",
        "port": sandbox.mysql.port,
        "socket": str(sandbox.mysql.socket),
        "version": sandbox.mysql.version,
    }


def test_every_statement_through_the_data_api_is_counted(client: Client, sandbox: Sandbox, whole: dict[str, Any]):
    before = ask(sandbox, "GET", "status")[1]["statements"]
    select(client, whole)
    select(client, whole)
    assert ask(sandbox, "GET", "status")[1]["statements"] == before + 2


def select(client: Client, stack: dict[str, Any]) -> Any:
    found = outputs(stack)
    return client("rds-data").execute_statement(
        resourceArn=found["Cluster"], secretArn=found["Secret"], sql="SELECT 1"
    )["records"]


def test_what_a_function_prints_can_be_read(sandbox: Sandbox, whole: dict[str, Any]):
    status, text = ask(sandbox, "GET", f"logs/{outputs(whole)['Provider']}")
    assert status == 200
    assert "Create shop" in text


def test_a_paused_cluster_resumes_and_then_answers(client: Client, sandbox: Sandbox, whole: dict[str, Any]):
    assert ask(sandbox, "POST", "pause", {"seconds": 0.2})[0] == 200
    with pytest.raises(ClientError, match="DatabaseResumingException"):
        select(client, whole)
    assert ask(sandbox, "GET", "status")[1]["cluster"]["state"] == "resuming"
    deadline = time.monotonic() + 5
    while ask(sandbox, "GET", "status")[1]["cluster"]["state"] != "available":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert select(client, whole) == [[{"longValue": 1}]]


def meet(sandbox: Sandbox, name: str, **fault: Any) -> None:
    """This fault of the Data API is on from now on."""
    assert ask(sandbox, "POST", "faults", {"set": {"name": name, "service": "rds-data", **fault}})[0] == 200


def test_a_throttled_api_refuses_as_many_calls_as_it_was_told(client: Client, sandbox: Sandbox, whole: dict[str, Any]):
    meet(sandbox, "throttle", operation="ExecuteStatement", times=1)
    with pytest.raises(ClientError, match="Rate exceeded"):
        select(client, whole)
    assert select(client, whole) == [[{"longValue": 1}]]


@pytest.mark.parametrize("ran", [True, False])
def test_a_connection_closes_instead_of_an_answer(client: Client, sandbox: Sandbox, whole: dict[str, Any], ran: bool):
    meet(sandbox, "drop-after" if ran else "drop-before", operation="ExecuteStatement", nth=2)
    before = ask(sandbox, "GET", "status")[1]["statements"]
    assert select(client, whole) == [[{"longValue": 1}]]
    with pytest.raises(ConnectionClosedError):
        select(client, whole)
    assert select(client, whole) == [[{"longValue": 1}]]
    assert ask(sandbox, "GET", "status")[1]["statements"] - before == 2 + ran


def test_a_connection_closes_in_the_middle_of_an_answer(client: Client, sandbox: Sandbox, whole: dict[str, Any]):
    """botocore takes what came for an answer without rows."""
    meet(sandbox, "drop-in-body", operation="ExecuteStatement", nth=1)
    with pytest.raises(KeyError, match="records"):
        select(client, whole)
    assert select(client, whole) == [[{"longValue": 1}]]


@pytest.mark.parametrize("status", ["500", "503"])
def test_a_proxy_answers_in_the_place_of_the_service(
    client: Client, sandbox: Sandbox, whole: dict[str, Any], status: str
):
    assert ask(sandbox, "POST", "faults", {"set": {"name": "early", "nth": 1, "answer": status}})[0] == 200
    with pytest.raises(ClientError) as caught:
        select(client, whole)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == int(status)
    assert select(client, whole) == [[{"longValue": 1}]]


def test_a_function_may_do_what_its_role_allows_and_nothing_else(client: Client, whole: dict[str, Any]):
    """The role lacks rds-data:ExecuteStatement, so the statement never reaches MySQL and the stack is rolled back."""
    template = {
        "Resources": {
            "Secret": WHOLE["Resources"]["Secret"],
            "Role": role(allow("secretsmanager:GetSecretValue", "*")),
            "Provider": function("Role", CLUSTER=outputs(whole)["Cluster"], MASTER=outputs(whole)["Secret"]),
            "Database": {
                "Type": "Custom::Database",
                "Properties": {
                    "ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]},
                    "Name": "forbidden",
                    "SecretId": {"Ref": "Secret"},
                },
            },
        }
    }
    cloudformation = client("cloudformation")
    stack = deployed(cloudformation, "forbidden", template)
    events = cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    reasons = [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert "is not authorized to perform: rds-data:ExecuteStatement on resource: " in reasons[-1]
    assert "/forbidden-" in reasons[-1]
    cloudformation.delete_stack(StackName=stack["StackId"])


def test_a_function_is_refused_by_other_services_too(client: Client, sandbox: Sandbox, whole: dict[str, Any]):
    """Even by those whose requests the sandbox cannot tell apart: nothing passes unchecked."""
    printed = ask(sandbox, "GET", f"logs/{outputs(whole)['Provider']}")[1]
    access_key = printed.partition("Create shop ")[2].split()[0]
    with pytest.raises(ClientError, match=r"AccessDenied\).*not authorized to perform: iam:ListRoles on resource: \*"):
        client("iam", access_key=access_key).list_roles()
    with pytest.raises(
        ClientError,
        match=r"AccessDenied.*not authorized to perform: lambda:GetFunction on resource: arn:.*:function:provider",
    ):
        client("lambda", access_key=access_key).get_function(FunctionName="provider")
    with pytest.raises(ClientError, match="cannot tell what a role must allow for this call to s3, so it refuses it"):
        client("s3", access_key=access_key).list_buckets()
    with pytest.raises(ClientError, match=r"UnauthorizedOperation\).*perform: ec2:DescribeVpcs on resource: \*"):
        client("ec2", access_key=access_key).describe_vpcs()
    caller = client("sts", access_key=access_key).get_caller_identity()["Arn"]
    assert caller.startswith("arn:aws:sts::123456789012:assumed-role/whole-Role-")
    assert caller.endswith(f"/{outputs(whole)['Provider']}")


def test_deleting_the_stack_lets_its_function_clear_up(client: Client, sandbox: Sandbox, whole: dict[str, Any]):
    """The last test of the stack: pytest keeps the order of the file."""
    assert deleted(client("cloudformation"), whole) == "DELETE_COMPLETE"
    assert client("rds").describe_db_clusters()["DBClusters"] == []
    with sandbox.mysql.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'shop'")
        assert cursor.fetchall() == ()


def test_who_am_i_is_answered(client: Client):
    caller = client("sts").get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == ("123456789012", "arn:aws:iam::123456789012:user/sandbox")


def test_who_am_i_is_answered_to_a_presigned_url(client: Client):
    with urllib.request.urlopen(client("sts").generate_presigned_url("get_caller_identity")) as answer:
        assert b"<Arn>arn:aws:iam::123456789012:user/sandbox</Arn>" in answer.read()


def test_a_role_that_the_owner_assumes_has_a_key_that_is_good_with_its_token(client: Client, sandbox: Sandbox):
    role = client("iam").create_role(
        RoleName=f"r-{uuid.uuid4()}", AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_LAMBDA)
    )
    made = client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="me")["Credentials"]
    assumed = sandbox.environment() | {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
    }
    for token in (None, "", made["SessionToken"][:-4]):
        with pytest.raises(ClientError, match="UnrecognizedClientException"):
            endpoint.client(assumed, "secretsmanager", aws_session_token=token).list_secrets()
    assert (
        "SecretList"
        in endpoint.client(assumed, "secretsmanager", aws_session_token=made["SessionToken"]).list_secrets()
    )


def test_a_role_that_the_owner_assumes_calls_by_its_own_name(client: Client, sandbox: Sandbox):
    name = f"r-{uuid.uuid4()}"
    document = json.dumps(ASSUMED_BY_LAMBDA)
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document, Path="/ci/")["Role"]["Arn"]
    made = client("sts").assume_role(RoleArn=role, RoleSessionName="me")
    assumed = sandbox.environment() | {
        "AWS_ACCESS_KEY_ID": made["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["Credentials"]["SecretAccessKey"],
    }
    sts = endpoint.client(assumed, "sts", aws_session_token=made["Credentials"]["SessionToken"])
    caller = sts.get_caller_identity()
    assert caller["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{name}/me"
    assert caller["UserId"].endswith(":me")


def test_the_key_that_moto_gives_to_everybody_is_good_for_nobody(client: Client, sandbox: Sandbox):
    made = client("sts").get_session_token()["Credentials"]
    session = sandbox.environment() | {"AWS_ACCESS_KEY_ID": made["AccessKeyId"]}
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        endpoint.client(session, "sts", aws_session_token=made["SessionToken"]).get_caller_identity()


def test_other_services_are_those_of_moto(client: Client):
    name = f"r-{uuid.uuid4()}"
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_LAMBDA))
    assert client("iam").get_role(RoleName=name)["Role"]["RoleName"] == name


def test_an_error_of_rds_keeps_its_code(client: Client):
    with pytest.raises(ClientError) as error:
        client("rds").describe_db_clusters(DBClusterIdentifier="none")
    assert error.value.response["Error"]["Code"] == "DBClusterNotFoundFault"


def test_another_region_than_the_sandboxs_is_refused(client: Client):
    with pytest.raises(ClientError, match="has one region, eu-west-1; this request was signed for us-east-1"):
        client("cloudformation", "us-east-1").describe_stacks()


def test_a_web_page_cannot_reach_the_sandboxs_own_endpoints(sandbox: Sandbox):
    """By a name that its owner lets resolve to 127.0.0.1, or by a form that a browser posts without asking."""
    refusals = [
        ask(sandbox, "POST", "shutdown", Host="evil.example"),
        ask(sandbox, "POST", "shutdown", Origin="https://evil.example"),
    ]
    assert refusals == [(403, {"error": "only programs on this machine may ask this"})] * 2


@pytest.mark.parametrize(
    ("method", "path", "document", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "status", {}, 404),
        ("POST", "faults", {"earthquake": {}}, 400),
        ("POST", "faults", {"set": []}, 400),
        ("POST", "faults", {"clear": {"name": "earthquake"}}, 400),
        ("POST", "faults", {"set": {"name": "crash-before", "function": "nobody"}}, 400),
        ("POST", "faults", {"set": {"name": "early", "answer": "nonsense"}}, 400),
        ("POST", "faults", {"stack": {"name": "nobody", "status": "UPDATE_FAILED"}}, 400),
        ("POST", "faults", [], 400),
        ("POST", "answers", {"error_numbers": "latin"}, 400),
        ("POST", "answers", {"colour": "blue"}, 400),
        ("POST", "pause", {"seconds": "long"}, 400),
    ],
)
def test_what_an_own_endpoint_cannot_use_is_said(sandbox: Sandbox, method: str, path: str, document: Any, status: int):
    answered, said = ask(sandbox, method, path, document)
    assert answered == status
    assert said["error"]


def aws(sandbox: Sandbox, *arguments: str) -> str:
    done = subprocess.run(
        ["aws", *arguments],
        env=of_command(os.environ, sandbox.environment()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def has_aws_cli() -> bool:
    found = shutil.which("aws")
    return found is not None and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_aws_cli(), reason="the AWS CLI is not installed")
def test_the_aws_command_line_deploys_a_template(client: Client, sandbox: Sandbox, tmp_path: Path):
    """Its own wait for a stack looks every 30 s, so the change set is executed in a step of its own."""
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"Resources": {"Secret": SECRET}}))
    deploy = ("cloudformation", "deploy", "--stack-name", "by-hand", "--template-file", str(template))
    assert "Changeset created successfully" in aws(sandbox, *deploy, "--no-execute-changeset")
    cloudformation = client("cloudformation")
    (change_set,) = cloudformation.list_change_sets(StackName="by-hand")["Summaries"]
    aws(sandbox, "cloudformation", "execute-change-set", "--change-set-name", change_set["ChangeSetId"])
    assert settled(cloudformation, "by-hand")["StackStatus"] == "CREATE_COMPLETE"
    assert "No changes to deploy. Stack by-hand is up to date" in aws(sandbox, *deploy, "--no-fail-on-empty-changeset")
    cloudformation.delete_stack(StackName="by-hand")
