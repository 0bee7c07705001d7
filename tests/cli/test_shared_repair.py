"""`shared repair` brings back what somebody changed by hand; what says that something is broken names it as the fix.

The tests of this file share one sandbox, and each leaves it whole.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from tests.cli.conftest import CommandLine, Terminal, command_line
from tests.cloud import PROVIDER, ROTATION, SHARED, Cloud, deployed

INSPECTOR = "aurora_tenants_inspector"
SECRET = f"/{SHARED}/database/{INSPECTOR}"
FIX = f"    fix: run: aurora-tenants shared repair --stack {SHARED}\n"
REPAIRED = f"Stack {SHARED} is repaired: the inspector reads MySQL, and its functions run this program's code.\n"
TENANTS = """\
  shop:
    databases: {shop: {on_remove: drop}}
    roles: {shop_reader: {privileges: [{permission: SELECT, database: shop}]}}
    users: {shop: {privileges: [{permission: ALL, database: shop}]}}
  old:
    databases: {old: {adopt: true}}
    users: {old: {adopt: true, privileges: [{permission: ALL, database: old}]}}
"""
TAKEN = "somebody took rights from the inspector's user, or something out of the schema aurora_tenants"
DENIED = "somebody dropped the inspector's user, or changed its password without its secret"
OLD = ("CREATE DATABASE old", "CREATE TABLE old.t (a INT)", "CREATE USER old IDENTIFIED BY 'word-of-old'")
NOTHING = "No changes: MySQL and CloudFormation hold what the file says.\n"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with deployed(tmp_path_factory.mktemp("repair")) as cloud:
        cloud.sql(*OLD)
        yield cloud


@pytest.fixture
def run(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    run = command_line(cloud, tmp_path, monkeypatch, capsys)
    run.file(TENANTS)
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended.err
    return run


def entries(cloud: Cloud) -> dict[str, bool]:
    """What belongs to the tenants, by name, and whether it is said to be adopted."""
    rows = cloud.sql(
        "SELECT name, adopted FROM aurora_tenants.`databases` WHERE NOT released UNION ALL"
        f" SELECT name, adopted FROM aurora_tenants.users WHERE stack <> '{SHARED}' AND NOT released"
    )
    return {str(name): bool(adopted) for name, adopted in rows}


def grants(cloud: Cloud, user: str) -> list[str]:
    return sorted(str(grant) for (grant,) in cloud.sql(f"SHOW GRANTS FOR {user}"))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("DROP VIEW aurora_tenants.accounts", TAKEN),
        pytest.param("DROP VIEW aurora_tenants.definers", TAKEN, marks=pytest.mark.long),
        pytest.param("DROP FUNCTION aurora_tenants.definers_1", TAKEN, marks=pytest.mark.long),
        pytest.param("DROP TABLE aurora_tenants.users", TAKEN, marks=pytest.mark.long),
        ("DROP DATABASE aurora_tenants", TAKEN),
        (f"REVOKE SELECT ON mysql.db FROM {INSPECTOR}", TAKEN),
        (f"REVOKE SELECT ON aurora_tenants.* FROM {INSPECTOR}", TAKEN),
        (f"DROP USER {INSPECTOR}", DENIED),
        (f"ALTER USER {INSPECTOR} IDENTIFIED BY 'another-one'", DENIED),
        pytest.param(f"ALTER USER {INSPECTOR} ACCOUNT LOCK", DENIED, marks=pytest.mark.long),
    ],
)
def test_what_is_gone_in_mysql_is_named_and_comes_back(run: CommandLine, cloud: Cloud, damage: str, why: str):
    before = {user: grants(cloud, user) for user in (INSPECTOR, "shop", "old", "shop_reader")}
    cloud.sql(damage)
    for command in ("plan", "apply --yes"):
        ended = run(f"aurora-tenants {command}")
        assert ended.code == 1
        assert ended.err.endswith(f"{FIX}Nothing was changed.\n")
        assert why in ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out.startswith(REPAIRED)) == (0, True), ended.err
    assert f"Found: the inspector cannot read MySQL, {why}" in ended.err
    assert run("aurora-tenants plan").out.endswith(NOTHING)
    assert {user: grants(cloud, user) for user in before} == before


def test_entries_that_were_lost_come_back_as_adopted_and_nothing_becomes_droppable(run: CommandLine, cloud: Cloud):
    cloud.clean()
    cloud.sql(*OLD)
    assert run("aurora-tenants apply --yes").code == 0
    assert entries(cloud) == {"shop": False, "shop@%": False, "shop_reader@%": False, "old": True, "old@%": True}
    cloud.sql("DROP DATABASE aurora_tenants")
    ended = run("aurora-tenants shared repair --yes")
    assert ended.code == 0, ended.err
    assert entries(cloud) == {"shop": True, "shop@%": True, "shop_reader@%": True, "old": True, "old@%": True}
    assert "MySQL no longer says whose the databases and users of 2 tenants are.\n" in ended.out
    assert "    ~ record  database old: " in ended.out
    assert ended.out.endswith("2 tenants recorded again.\n")
    run.file("  unused: {databases: {unused: {}}}\n")
    removed = run("aurora-tenants apply --yes --allow-mass-removal --allow-drop shop")
    assert removed.code == 0, removed.err
    assert {name for (name,) in cloud.sql("SHOW DATABASES")} >= {"old", "shop"}
    assert cloud.sql("SELECT COUNT(*) FROM old.t") == [(0,)]
    assert {user for (user,) in cloud.sql("SELECT User FROM mysql.user")} >= {"old", "shop", "shop_reader"}
    cloud.connect("old", "word-of-old").close()
    cloud.clean()
    cloud.sql(*OLD)


def functions(cloud: Cloud) -> dict[str, str]:
    """The code of both functions, by its checksum."""
    client = cloud.client("lambda")
    return {name: client.get_function_configuration(FunctionName=name)["CodeSha256"] for name in (PROVIDER, ROTATION)}


IDLE = """\
import json, urllib.request
def provider(event, context):
    names = "StackId", "RequestId", "LogicalResourceId"
    answer = {name: event[name] for name in names} | {"Status": "SUCCESS", "PhysicalResourceId": "none", "Data": {}}
    body, url = json.dumps(answer).encode(), event["ResponseURL"]
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": ""}, method="PUT"))
rotation = provider
"""


def idle_code() -> bytes:
    """A zip whose functions answer that all is well, and do nothing."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("index.py", IDLE)
    return written.getvalue()


def test_a_functions_code_that_was_changed_comes_back(run: CommandLine, cloud: Cloud):
    for name in (PROVIDER, ROTATION):
        cloud.client("lambda").update_function_code(FunctionName=name, ZipFile=idle_code())
    changed = functions(cloud)
    run.file(f"{TENANTS}  more: {{databases: {{more: {{}}}}}}\n")
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, "error: applied, but MySQL still differs: more  [not-converged]\n" in ended.err) == (1, True)
    assert f"if it stays so, aurora-tenants shared repair --stack {SHARED}\n" in ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert "Nothing is seen to be broken. Code and privileges are set back all the same.\n" in ended.err
    assert f"First the code of {PROVIDER} and {ROTATION} is written again, then:\n" in ended.err
    assert not {*functions(cloud).values()} & {*changed.values()}
    assert run("aurora-tenants apply --yes").code == 0


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param((PROVIDER,), marks=pytest.mark.long),
        pytest.param((ROTATION,), marks=pytest.mark.long),
        (PROVIDER, ROTATION),
    ],
)
def test_a_function_that_is_gone_is_named_and_comes_back(run: CommandLine, cloud: Cloud, gone: tuple[str, ...]):
    for name in gone:
        cloud.client("lambda").delete_function(FunctionName=name)
    # Of a tenant that there was before, and whose database was kept.
    more = "  more:\n    databases: {more: {adopt: true}}\n"
    more += "    users: {more: {privileges: [{permission: ALL, database: more}]}}\n"
    run.file(f"{TENANTS}{more}")
    ended = run("aurora-tenants apply --yes")
    assert (
        ended.code,
        f"    fix: run: aurora-tenants shared repair --stack {SHARED}\n" in ended.err,
    ) == (
        1,
        True,
    ), ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    for name in gone:
        assert f"Found: function {name} is not there\n" in ended.err
    assert functions(cloud).keys() == {PROVIDER, ROTATION}
    assert run("aurora-tenants apply --yes").code == 0
    run.file(TENANTS)
    assert run("aurora-tenants apply --yes").code == 0


def test_rights_that_the_providers_role_has_lost_come_back(run: CommandLine, cloud: Cloud):
    resources = cloud.client("cloudformation").list_stack_resources(StackName=SHARED)["StackResourceSummaries"]
    ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    cloud.client("iam").detach_role_policy(RoleName=ids["ProviderRole"], PolicyArn=ids["DatabaseAccess"])
    run.file(f"{TENANTS}  other: {{databases: {{other: {{}}}}}}\n")
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, FIX in ended.err) == (1, True), ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert "  ~ change  ProviderRole  AWS::IAM::Role\n      ManagedPolicyArns: " in ended.err
    assert run("aurora-tenants apply --yes").code == 0


def test_a_secret_that_is_marked_for_deletion_is_restored(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    secrets = cloud.client("secretsmanager")
    secrets.delete_secret(SecretId=SECRET)
    ended = run("aurora-tenants plan --wait 0.1")
    assert (ended.code, ended.err.endswith(f"{FIX}Nothing was changed.\n")) == (1, True), ended.err
    ended = run("aurora-tenants shared repair --plan")
    assert f"Found: the inspector's secret {SECRET} is marked for deletion\n" in ended.err
    assert ended.err.endswith(
        "It is restored first; what else there is to do is seen after that. Nothing was changed.\n"
    )
    assert "DeletedDate" in secrets.describe_secret(SecretId=SECRET)
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    assert run("aurora-tenants shared repair").err.endswith(
        f"Restore secret {SECRET}? Type yes to go on.\nerror: not confirmed  [not-confirmed]\nNothing was changed.\n"
    )
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert run("aurora-tenants plan").out.endswith(NOTHING)


def test_a_secret_that_is_gone_is_made_again_with_another_password(run: CommandLine, cloud: Cloud):
    secrets = cloud.client("secretsmanager")
    before = json.loads(secrets.get_secret_value(SecretId=SECRET)["SecretString"])["password"]
    secrets.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    ended = run("aurora-tenants plan --wait 0.1")
    assert (ended.code, ended.err.endswith(f"{FIX}Nothing was changed.\n")) == (1, True), ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert re.search(rf"Found: the inspector's secret \S+{SECRET}\S+ is gone\n", ended.err)
    assert run("aurora-tenants plan").out.endswith(NOTHING)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        cloud.connect(INSPECTOR, before)


@pytest.mark.parametrize(
    "value",
    [
        "not JSON",
        pytest.param('{"username": "root", "password": "x"}', marks=pytest.mark.long),
        pytest.param(f'{{"username": "{INSPECTOR}"}}', marks=pytest.mark.long),
    ],
)
def test_a_secret_that_is_no_login_becomes_one(run: CommandLine, cloud: Cloud, value: str):
    secrets = cloud.client("secretsmanager")
    secrets.put_secret_value(SecretId=SECRET, SecretString=value)
    ended = run("aurora-tenants plan --wait 0.1")
    assert (ended.code, ended.err.endswith(f"{FIX}Nothing was changed.\n")) == (1, True), ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert run("aurora-tenants plan").out.endswith(NOTHING)


def test_a_rotation_that_does_not_end_and_one_that_was_switched_off_run_again(run: CommandLine, cloud: Cloud):
    secrets = cloud.client("secretsmanager")
    value = secrets.get_secret_value(SecretId=SECRET)["SecretString"]
    secrets.put_secret_value(SecretId=SECRET, SecretString=value, VersionStages=["AWSPENDING"])
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert f"Found: a version of the inspector's secret {SECRET} waits to become the current one\n" in ended.err
    secrets.cancel_rotate_secret(SecretId=SECRET)
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert f"Found: the inspector's secret {SECRET} is not rotated\n" in ended.err
    described = secrets.describe_secret(SecretId=SECRET)
    assert (described["RotationEnabled"], described["RotationRules"]["AutomaticallyAfterDays"]) == (True, 30)
    pending = [version for version, stages in described["VersionIdsToStages"].items() if "AWSPENDING" in stages]
    assert not [version for version in pending if "AWSCURRENT" not in described["VersionIdsToStages"][version]]


def test_privileges_that_the_inspector_should_not_have_are_taken_away(run: CommandLine, cloud: Cloud):
    before = grants(cloud, INSPECTOR)
    cloud.sql(f"GRANT SELECT, DELETE ON *.* TO {INSPECTOR}", f"GRANT ROLE_ADMIN ON *.* TO {INSPECTOR}")
    said = (
        f"user {INSPECTOR} has rights that no plan needs: ROLE_ADMIN on *.*, DELETE on *.*, SELECT on *.*;"
        f" run: aurora-tenants shared repair --stack {SHARED}  [inspector-rights]\n"
    )
    assert said in run("aurora-tenants plan").out
    ended = run("aurora-tenants validate --live")
    assert (ended.code, f"error: user {INSPECTOR} can get into databases " in ended.err) == (1, True), ended.err
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, grants(cloud, INSPECTOR)) == (0, before), ended.err


def test_a_plan_and_a_no_change_nothing(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    cloud.sql("DROP DATABASE aurora_tenants")
    before = functions(cloud)
    ended = run("aurora-tenants shared repair --plan")
    assert ended.code == 0
    assert "  ~ change  Inspector  Custom::DatabaseUser\n" in ended.out
    assert ended.err.endswith("Nothing was changed.\n")
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    ended = run("aurora-tenants shared repair")
    assert ended.err.endswith(
        f"Repair stack {SHARED}? Type yes to go on.\nerror: not confirmed  [not-confirmed]\nNothing was changed.\n"
    )
    assert (functions(cloud), cloud.sql("SHOW DATABASES LIKE 'aurora_tenants'")) == (before, [])
    summaries = cloud.client("cloudformation").list_change_sets(StackName=SHARED)["Summaries"]
    assert not [each for each in summaries if each["ExecutionStatus"] == "AVAILABLE"]
    assert run("aurora-tenants shared repair --yes").code == 0


def test_what_is_none_of_ours_is_not_repaired(run: CommandLine, cloud: Cloud):
    assert (
        "error: there is no stack shraed-global  [no-shared-stack]\n"
        in run("aurora-tenants shared repair --stack shraed-global").err
    )
    ended = run(f"aurora-tenants shared repair --stack {SHARED}-shop --yes")
    assert (ended.code, f"error: stack {SHARED}-shop is not a shared stack  [not-shared-stack]\n" in ended.err) == (
        1,
        True,
    )


def test_a_stack_whose_rollback_failed_is_repaired(run: CommandLine, cloud: Cloud):
    cloud.client("lambda").delete_function(FunctionName=PROVIDER)
    ended = run("aurora-tenants shared deploy --yes --parameter Repair=again")
    assert (ended.code, FIX in ended.err) == (1, True), ended.err
    stack = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    ended = run("aurora-tenants shared repair --yes")
    assert (ended.code, ended.out) == (0, REPAIRED), ended.err
    assert f"Found: stack {SHARED} is UPDATE_ROLLBACK_FAILED\n" in ended.err
    assert run("aurora-tenants plan").out.endswith(NOTHING)


def test_a_stack_that_is_no_tenants_and_has_lost_its_entries_is_named(run: CommandLine, cloud: Cloud):
    token = {"Fn::ImportValue": f"{SHARED}-database-service-token"}
    database = {"ServiceToken": token, "Name": "of_service", "Revision": "1"}
    service = {"Resources": {"Database": {"Type": "Custom::Database", "Properties": database}}}
    assert cloud.deploy("service", service) == "CREATE_COMPLETE"
    cloud.sql("DROP DATABASE aurora_tenants")
    ended = run("aurora-tenants shared repair --yes")
    assert (
        ended.code,
        "Notice: stack service uses the provider, and nothing in MySQL is said to be its" in ended.out,
    ) == (
        0,
        True,
    ), ended.err
    database["Revision"] = "2"
    cloud.client("cloudformation").update_stack(StackName="service", TemplateBody=json.dumps(service))
    assert cloud.settled("service") == "UPDATE_COMPLETE"
    assert cloud.sql("SELECT name, adopted FROM aurora_tenants.`databases` WHERE stack = 'service'") == [
        ("of_service", 1)
    ]
    assert "Notice: " not in run("aurora-tenants shared repair --yes").out
