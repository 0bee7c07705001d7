"""Secrets with a KMS key of their own: who can read and write them, and what is said of a key that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from aurora_sandbox import mysqld, policies
from aurora_sandbox.policies import Need
from aurora_sandbox.server import Sandbox
from tests.endpoint import until
from tests.rds_account import WANTED, Account, emptied, refused

ROOT = {"AWS": "arn:aws:iam::123456789012:root"}
ROLE = "arn:aws:iam::123456789012:role/reader"
OWNER = "arn:aws:iam::123456789012:user/sandbox"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
VIA = {"StringEquals": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}}
NOT_ALLOWED = ("AccessDeniedException", "Access to KMS is not allowed")
NAMED = {"DBClusterIdentifier": "legacy"}
MANAGED = {"MasterUserPassword": None, "ManageMasterUserPassword": True}
TRUST = {
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]
}
READER = """\
import boto3

def handler(event, context):
    try:
        if "resourceArn" in event:
            boto3.client("rds-data").execute_statement(**event)
        else:
            boto3.client("secretsmanager").get_secret_value(**event)
    except Exception as error:
        return str(error)
    return "ok"
"""


@pytest.fixture(scope="module")
def empty(mysqld_binary: mysqld.Binary) -> Iterator[Sandbox]:
    """A sandbox of its own: there is one server, and other tests' stacks have it."""
    with Sandbox.start(binary=mysqld_binary, time_scale=100.0) as running:
        yield running


@pytest.fixture
def account(empty: Sandbox) -> Iterator[Account]:
    with emptied(empty) as account:
        yield account


def new_key(account: Account, *statements: dict[str, Any]) -> str:
    """The ARN of a key with this policy, or with the one that a key has at first."""
    given = {"Policy": policy(*statements)} if statements else {}
    arn: str = account.client("kms").create_key(**given)["KeyMetadata"]["Arn"]
    return arn


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(principal: Any, action: Any = "kms:*", **others: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **others}


def keyed(account: Account, key: str) -> str:
    """The ARN of the secret `by-hand`, of the user `boss`, with this key."""
    value = json.dumps({"username": "boss", "password": "only-for-this-test"})
    arn: str = account.secrets.create_secret(Name="by-hand", SecretString=value, KmsKeyId=key)["ARN"]
    return arn


# Pure


@pytest.mark.parametrize(
    ("own", "statements", "expected"),
    [
        ([allow("")], [allow(ROOT)], True),
        ([], [allow(ROOT)], False),
        ([allow("")], [allow({"AWS": "123456789012"})], True),
        ([], [allow({"AWS": ROLE})], True),
        ([], [allow("*")], True),
        ([], [allow({"AWS": "*"}, Condition=VIA)], True),
        ([], [allow({"AWS": ROLE}, "kms:Encrypt")], False),
        ([], [allow({"AWS": ROLE}, Condition={"StringEquals": {"kms:ViaService": "s3.amazonaws.com"}})], False),
        ([], [allow({"AWS": ROLE}, Condition={"StringEquals": {"kms:GrantIsForAWSResource": "true"}})], False),
        ([allow("")], [allow({"AWS": ROLE.replace("reader", "other")})], False),
        ([allow("")], [allow({"Service": "secretsmanager.amazonaws.com"})], False),
        ([allow("")], [], False),
        ([allow("")], [allow(ROOT), {**allow({"AWS": ROLE}), "Effect": "Deny"}], False),
        ([allow("")], [allow(ROOT), {**allow({"AWS": ROLE}, "kms:Encrypt"), "Effect": "Deny"}], True),
        ([{**allow(""), "Effect": "Deny"}], [allow({"AWS": ROLE})], False),
        (None, [allow(ROOT)], True),
        (None, [allow({"AWS": ROLE.replace("reader", "other")})], False),
    ],
)
def test_both_policies_decide_who_may_use_a_key(
    own: list[dict[str, Any]] | None, statements: list[dict[str, Any]], expected: bool
):
    need = Need("kms:Decrypt", KEY, {"kms:viaservice": "secretsmanager.eu-west-1.amazonaws.com"})
    found = policies.may_use_key(policy(*statements), own, need, [ROLE], account="123456789012")
    assert found is expected


# In the account


def test_aws_manages_the_keys_whose_alias_begins_with_aws(account: Account):
    kms = account.client("kms")
    managers = [
        kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"]
        for key in ("alias/aws/secretsmanager", "alias/aws/rds", new_key(account))
    ]
    assert managers == ["AWS", "AWS", "CUSTOMER"]


def test_the_owner_reads_what_the_keys_policy_leaves_to_the_account(account: Account):
    key = new_key(account)
    secret = keyed(account, key)
    assert "only-for-this-test" in account.secrets.get_secret_value(SecretId=secret)["SecretString"]
    assert account.run(account.create(), secret, "SELECT 1") == [[{"longValue": 1}]]
    account.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy(allow({"AWS": ROLE})))
    assert refused(account.secrets.get_secret_value, SecretId=secret) == NOT_ALLOWED
    assert refused(account.secrets.put_secret_value, SecretId=secret, SecretString="{}") == NOT_ALLOWED
    batch = account.secrets.batch_get_secret_value(SecretIdList=[secret])
    assert (batch["SecretValues"], [error["Message"] for error in batch["Errors"]]) == ([], [NOT_ALLOWED[1]])
    call = {"resourceArn": account.described()["DBClusterArn"], "secretArn": secret, "sql": "SELECT 1"}
    code, why = refused(account.data.execute_statement, **call)
    assert (code, why.endswith(": Access to KMS is not allowed")) == ("SecretsErrorException", True)
    assert account.secrets.describe_secret(SecretId=secret)["KmsKeyId"] == key
    account.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy(allow({"AWS": OWNER})))
    assert account.data.execute_statement(**call)["records"] == [[{"longValue": 1}]]


def test_a_key_that_is_not_enabled_or_not_there_encrypts_and_decrypts_nothing(account: Account):
    kms, key = account.client("kms"), new_key(account)
    secret = keyed(account, key)
    kms.disable_key(KeyId=key.rpartition("/")[2])
    code, why = refused(account.secrets.get_secret_value, SecretId=secret)
    assert (code, why.startswith(f"Secrets Manager can't decrypt the secret value: {key} is disabled. (")) == (
        *("DecryptionFailure", True),
    )
    code, why = refused(account.secrets.put_secret_value, SecretId=secret, SecretString="{}")
    assert (code, "can't encrypt the secret value: " in why) == ("EncryptionFailure", True)
    kms.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=7)
    assert f"{key} is pending deletion." in refused(account.secrets.get_secret_value, SecretId=secret)[1]
    code, why = refused(account.secrets.update_secret, SecretId=secret, KmsKeyId="alias/none")
    assert (code, f"{key} is pending deletion." in why) == ("DecryptionFailure", True)
    code, why = refused(account.secrets.create_secret, Name="other", SecretString="{}", KmsKeyId="alias/none")
    assert (code, "Key 'alias/none' does not exist" in why) == ("EncryptionFailure", True)
    assert account.secrets.describe_secret(SecretId=secret)["KmsKeyId"] == key


def test_a_function_needs_kms_decrypt_to_read_a_secret_and_to_log_in_with_it(account: Account):
    key = new_key(account)
    secret, cluster = keyed(account, key), account.create()
    rights = {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "rds-data:*"], "Resource": "*"}
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": "reader",
                "AssumeRolePolicyDocument": TRUST,
                "Policies": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17", "Statement": [rights]}}],
            },
        },
        "Reader": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "reader",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": READER},
            },
        },
    }
    cloudformation, functions, iam = (account.client(name) for name in ("cloudformation", "lambda", "iam"))
    cloudformation.create_stack(
        StackName="reader",
        TemplateBody=json.dumps({"Resources": resources}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    until(lambda: cloudformation.describe_stacks(StackName="reader")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
    read, login = {"SecretId": secret}, {"resourceArn": cluster["DBClusterArn"], "secretArn": secret, "sql": "SELECT 1"}

    def told(event: dict[str, str]) -> str:
        answer: str = json.loads(functions.invoke(FunctionName="reader", Payload=json.dumps(event))["Payload"].read())
        return answer

    def grant(condition: dict[str, Any]) -> None:
        statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key, "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="reader", PolicyName="key", PolicyDocument=document)

    without = told(read), told(login)
    assert [answer.endswith("Access to KMS is not allowed") for answer in without] == [True, True]
    assert "(AccessDeniedException)" in without[0]
    assert "(SecretsErrorException)" in without[1]
    grant({"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}})
    assert told(read).endswith("Access to KMS is not allowed")
    grant(VIA)
    assert (told(read), told(login)) == ("ok", "ok")
    account.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy(allow({"AWS": OWNER})))
    assert told(read).endswith("Access to KMS is not allowed")
    cloudformation.delete_stack(StackName="reader")


# The master secret


def test_a_master_secret_has_the_key_that_was_given_or_that_of_aws(account: Account):
    default = account.client("kms").describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]["Arn"]
    secret = account.create(**MANAGED)["MasterUserSecret"]
    assert (secret["KmsKeyId"], secret["SecretStatus"]) == (default, "active")
    assert "KmsKeyId" not in account.secrets.describe_secret(SecretId=secret["SecretArn"])
    account.rds.modify_db_cluster(**NAMED, ManageMasterUserPassword=False, MasterUserPassword="of-my-own")
    key = new_key(account)
    account.client("kms").create_alias(AliasName="alias/mine", TargetKeyId=key)
    account.rds.modify_db_cluster(**NAMED, ManageMasterUserPassword=True, MasterUserSecretKmsKeyId="alias/mine")
    cluster = account.described()
    secret = cluster["MasterUserSecret"]
    assert (secret["KmsKeyId"], account.secrets.describe_secret(SecretId=secret["SecretArn"])["KmsKeyId"]) == (key, key)
    assert account.run(cluster, secret["SecretArn"], "SELECT 1") == [[{"longValue": 1}]]


def test_a_rotation_gives_the_master_another_password_at_once(account: Account):
    cluster = account.create(**MANAGED)
    arn = cluster["MasterUserSecret"]["SecretArn"]
    before = account.secrets.get_secret_value(SecretId=arn)
    account.rds.modify_db_cluster(**NAMED, RotateMasterUserPassword=True, ApplyImmediately=True)
    after = account.secrets.get_secret_value(SecretId=arn)
    assert after["SecretString"] != before["SecretString"]
    stages = account.secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    assert stages == {after["VersionId"]: ["AWSCURRENT"], before["VersionId"]: ["AWSPREVIOUS"]}
    assert account.described()["MasterUserSecret"]["SecretArn"] == arn
    assert account.run(cluster, arn, "SELECT 1") == [[{"longValue": 1}]]
    old = account.secrets.create_secret(Name="by-hand", SecretString=before["SecretString"])["ARN"]
    call = {"resourceArn": cluster["DBClusterArn"], "secretArn": old, "sql": "SELECT 1"}
    assert "1045" in refused(account.data.execute_statement, **call)[1]


@pytest.mark.parametrize(
    ("is_managed", "change", "words"),
    [
        (True, {"RotateMasterUserPassword": True}, "You must apply the change immediately"),
        (False, {"RotateMasterUserPassword": True, "ApplyImmediately": True}, "only while it is managed"),
        (False, {"MasterUserSecretKmsKeyId": "alias/aws/rds"}, "only when you turn on ManageMasterUserPassword"),
        (
            True,
            {"ManageMasterUserPassword": True, "MasterUserSecretKmsKeyId": "alias/aws/rds"},
            "only when you turn on ManageMasterUserPassword",
        ),
    ],
)
def test_what_the_reference_does_not_allow_together_is_refused(
    account: Account, is_managed: bool, change: dict[str, Any], words: str
):
    account.create(**(MANAGED if is_managed else {}))
    before = account.described().get("MasterUserSecret")
    code, why = refused(account.rds.modify_db_cluster, **NAMED, **change)
    assert (code, words in why) == ("InvalidParameterCombination", True)
    assert account.described().get("MasterUserSecret") == before


def test_no_cluster_gets_a_key_that_nobody_can_use(account: Account):
    kms = account.client("kms")
    disabled, locked = new_key(account), new_key(account, allow({"AWS": ROLE}))
    kms.disable_key(KeyId=disabled.rpartition("/")[2])
    wanted = {name: value for name, value in {**WANTED, **MANAGED}.items() if value is not None}
    names = ("MasterUserSecretKmsKeyId", "KmsKeyId")
    for name, key in product(names, (disabled, locked, "alias/none")):
        assert refused(account.rds.create_db_cluster, **wanted, **{name: key}) == (
            "KMSKeyNotAccessibleFault",
            f"The specified KMS key [{key}] does not exist, is not enabled or you do not have permissions to access "
            "it.",
        )
    assert account.rds.describe_db_clusters()["DBClusters"] == []
    code, why = refused(account.rds.create_db_cluster, **WANTED, MasterUserSecretKmsKeyId="alias/aws/rds")
    assert (code, "MasterUserSecretKmsKeyId" in why) == ("InvalidParameterCombination", True)


def test_a_stack_gives_the_master_secret_its_key_and_moves_it_to_no_other(account: Account):
    cloudformation, key = account.client("cloudformation"), new_key(account)
    properties = {
        "DBClusterIdentifier": "legacy",
        "Engine": "aurora-mysql",
        "MasterUsername": "boss",
        "ManageMasterUserPassword": True,
        "MasterUserSecret": {"KmsKeyId": key},
    }

    def ended(call: Any) -> str:
        template = {"Resources": {"Cluster": {"Type": "AWS::RDS::DBCluster", "Properties": properties}}}
        call(StackName="keyed", TemplateBody=json.dumps(template))
        status = lambda: str(cloudformation.describe_stacks(StackName="keyed")["Stacks"][0]["StackStatus"])  # noqa: E731
        return until(lambda: status() if not status().endswith("IN_PROGRESS") else None)

    properties["KmsKeyId"] = "alias/none"
    assert ended(cloudformation.create_stack) == "ROLLBACK_COMPLETE"
    cloudformation.delete_stack(StackName="keyed")
    until(lambda: "keyed" not in {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]})
    properties["KmsKeyId"] = key
    assert ended(cloudformation.create_stack) == "CREATE_COMPLETE"
    assert account.described()["MasterUserSecret"]["KmsKeyId"] == key
    properties["MasterUserSecret"] = {"KmsKeyId": new_key(account)}
    assert ended(cloudformation.update_stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert account.described()["MasterUserSecret"]["KmsKeyId"] == key
    cloudformation.delete_stack(StackName="keyed")
    until(lambda: not account.rds.describe_db_clusters()["DBClusters"])
