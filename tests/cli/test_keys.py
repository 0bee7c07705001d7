"""A master secret with a KMS key of its own: the functions may use it, and one that nobody can use is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_tenants import data
from tests.cli.conftest import CommandLine, command_line
from tests.cli.test_cluster_states import INSTANCE, NAMED, TENANT, WANTED
from tests.cloud import SHARED, Cloud, empty

pytestmark = pytest.mark.long

DEPLOY = "aurora-tenants shared deploy --yes --cluster orders"
LEAVES = "Nothing was changed.\n"
NOT_ALLOWED = "Access to KMS is not allowed"
WHY = "    why: nobody can read the secret without it\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A sandbox with a cluster whose master secret RDS keeps, with a key of its own."""
    with empty(tmp_path_factory.mktemp("keys")) as cloud:
        key = new_key(cloud)
        cloud.client("rds").create_db_cluster(**WANTED, MasterUserSecretKmsKeyId=key)
        cloud.client("rds").create_db_instance(**INSTANCE)
        yield cloud


@pytest.fixture
def run(own: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(own, tmp_path, monkeypatch, capsys)


def new_key(cloud: Cloud) -> str:
    arn: str = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    return arn


def master(cloud: Cloud) -> dict[str, str]:
    found: dict[str, str] = cloud.client("rds").describe_db_clusters(**NAMED)["DBClusters"][0]["MasterUserSecret"]
    return found


def parameters_of(cloud: Cloud, stack: str) -> dict[str, str]:
    found = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in found}


@pytest.fixture(scope="module")
def keyed(own: Cloud) -> tuple[str, str]:
    """The key and name of a secret that was made by hand."""
    secrets, key = own.client("secretsmanager"), new_key(own)
    value = secrets.get_secret_value(SecretId=master(own)["SecretArn"])["SecretString"]
    secrets.create_secret(Name="mine", SecretString=value, KmsKeyId=key)
    return key, "mine"


# In this order: nothing is deployed at first.


def test_the_key_of_the_secret_that_rds_keeps_is_looked_at_too(run: CommandLine, own: Cloud):
    kms, key = own.client("kms"), master(own)["KmsKeyId"]
    kms.disable_key(KeyId=key.rpartition("/")[2])
    ended = run(DEPLOY)
    kms.enable_key(KeyId=key.rpartition("/")[2])
    assert (ended.code, own.stacks()) == (1, {})
    assert " of the master secret is Disabled  [no-key]\n" in ended.err


def test_a_key_that_nobody_can_use_is_refused(run: CommandLine, own: Cloud, keyed: tuple[str, str]):
    kms, (key, name) = own.client("kms"), keyed
    key_id = key.rpartition("/")[2]
    shown, enable = key.replace(key_id, "ID"), "aws kms enable-key --key-id ID"
    kms.disable_key(KeyId=key_id)
    ended = run(f"{DEPLOY} --master-secret {name}")
    assert (ended.code, ended.err) == (
        1,
        f"error: KMS key {shown} of the master secret is Disabled  [no-key]\n{WHY}"
        f"    fix: run: {enable}; or give the secret another key\n{LEAVES}",
    )
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    ended = run(f"{DEPLOY} --master-secret {name}")
    assert (ended.code, ended.err) == (
        1,
        f"error: KMS key {shown} of the master secret is PendingDeletion  [no-key]\n{WHY}"
        f"    fix: run: aws kms cancel-key-deletion --key-id ID, then: {enable}; or give the secret another key\n"
        f"{LEAVES}",
    )
    kms.cancel_key_deletion(KeyId=key_id)
    kms.enable_key(KeyId=key_id)
    assert own.stacks() == {}


def test_a_key_whose_policy_leaves_the_caller_out_is_refused(run: CommandLine, own: Cloud, keyed: tuple[str, str]):
    kms, (key, name) = own.client("kms"), keyed
    key_id = key.rpartition("/")[2]
    before = kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"]
    for_another = {"AWS": "arn:aws:iam::123456789012:role/another"}
    statement = {"Effect": "Allow", "Principal": for_another, "Action": "kms:*", "Resource": "*"}
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps({"Statement": [statement]}))
    ended = run(f"{DEPLOY} --master-secret {name}")
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=before)
    assert (ended.code, own.stacks()) == (1, {})
    assert f"error: could not read secret mine: {NOT_ALLOWED}" in ended.err
    assert f"kms:Decrypt on {key.replace(key_id, 'ID')} in your policies and in that key's own\n" in ended.err


def test_a_key_that_is_gone_is_refused(run: CommandLine, own: Cloud):
    gone = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000"
    # A secret outlives its key on AWS; here it gets the name of one that never was, while it has no value.
    own.client("secretsmanager").create_secret(Name="lost", KmsKeyId=gone)
    ended = run(f"{DEPLOY} --master-secret lost")
    assert (ended.code, ended.err) == (
        1,
        f"error: KMS key {gone.rpartition('/')[0]}/ID of the master secret does not exist  [no-key]\n{WHY}"
        f"    fix: make another secret, with another key, and name it with --master-secret\n{LEAVES}",
    )


def test_the_functions_may_decrypt_with_the_key_that_rds_was_given(run: CommandLine, own: Cloud):
    ended = run(DEPLOY)
    assert (ended.code, ended.out) == (0, f"Stack {SHARED} is deployed.\n"), ended.err
    assert parameters_of(own, SHARED)["MasterSecretKeyArn"] == master(own)["KmsKeyId"]
    run.file(TENANT)
    assert run("aurora-tenants apply --yes").code == 0


def test_a_rotation_of_the_master_password_goes_unnoticed(run: CommandLine, own: Cloud):
    before = own.master_password()
    own.client("rds").modify_db_cluster(**NAMED, RotateMasterUserPassword=True, ApplyImmediately=True)
    assert own.master_password() != before
    run.file("  {}\n")
    assert run("aurora-tenants apply --yes --allow-mass-removal --allow-drop shop").code == 0
    assert run("aurora-tenants shared deploy --yes").out == f"Stack {SHARED} is up to date: nothing was changed.\n"


@pytest.mark.parametrize("has_key", [False, True], ids=["without", "with"])
def test_without_the_statement_for_the_key_no_function_could_log_in(own: Cloud, has_key: bool):
    """The template itself, as any other tool would deploy it; its functions wait for 4 s only."""
    template, name = data.text("shared.yml").replace("Timeout: 300", "Timeout: 24"), f"plain-{has_key}".lower()
    values: dict[str, Any] = {
        **parameters_of(own, SHARED),
        "InspectorUser": f"aurora_tenants_inspector_00000{has_key:d}",
    }
    if not has_key:
        values["MasterSecretKeyArn"] = ""
    cloudformation = own.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM"],
        OnFailure="DO_NOTHING",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    )
    status = own.settled(name)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    outputs = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", ())
    said = [*(event.get("ResourceStatusReason", "") for event in events), *(each["OutputValue"] for each in outputs)]
    assert any("Access to KMS is not allowed" in text for text in said) is not has_key, said[1]
    assert status == "CREATE_COMPLETE" or not has_key, said[1]
