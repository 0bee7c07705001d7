"""Nothing that a user can type, and no answer that AWS can give, ends in a traceback or leaves a doubt."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import HEAD, CommandLine, Ended
from tests.cloud import PROVIDER, Cloud

NOTHING = "Nothing was changed.\n"
SHOP = """\
  shop:
    databases: {shop: }
    users:
      shop: {privileges: [{permission: ALL, database: shop}]}
"""
# A stack of something else: resources, and outputs if it has any.
LOG_GROUP = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "of-somebody-else"}}


def other_stack(**outputs: str) -> dict[str, Any]:
    made: dict[str, Any] = {"Resources": {"Something": LOG_GROUP}}
    return made | ({"Outputs": {name: {"Value": value} for name, value in outputs.items()}} if outputs else {})


def told(run: CommandLine, line: str, code: int = 1) -> str:
    """Standard error of a command line that must end like this, with no result and no change."""
    ended = run(line)
    assert (ended.code, ended.out) == (code, ""), ended
    assert ended.err.endswith(NOTHING)
    return ended.err.removesuffix(NOTHING)


# The file


@pytest.mark.parametrize("command", ["validate", "plan", "apply --yes", "env shop"])
def test_a_file_that_is_not_there(run: CommandLine, command: str):
    err = told(run, f"aurora-tenants {command}")
    assert err.startswith("error: there is no file tenants.yaml  [") or "tenants.yaml" in err
    assert "fix: " in err


def test_a_file_that_is_a_directory(run: CommandLine):
    (run.directory / "tenants.yaml").mkdir()
    assert "tenants.yaml" in told(run, "aurora-tenants plan")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00", b"a: \xc3\x28", b"%YAML 9.9\n---\n", b"", b"[" * 3000])
def test_a_file_that_is_no_text(run: CommandLine, content: bytes):
    (run.directory / "tenants.yaml").write_bytes(content)
    assert told(run, "aurora-tenants plan").startswith("tenants.yaml")


@pytest.mark.parametrize(
    ("tenants", "place", "code", "words"),
    [
        ("  shop: {databases: [\n", "5:1", "invalid-yaml", ""),
        ("  shop:\n    databasse: {}\n", "5:5", "unknown-key", "fix: did you mean databases?"),
        (SHOP.replace("ALL", "SELEC"), "7:40", "unknown-privilege", "fix: did you mean SELECT?"),
        (SHOP.replace("{shop: }", '{"sh op": }'), "5:17", "invalid-name", "contains a space"),
        ("  a: {databases: {x: }}\n  b: {databases: {x: }}\n", "5:19", "", "tenants.yaml:4:19"),
        ("  a: {users: {x: }}\n  b: {users: {x: }}\n", "5:15", "", "tenants.yaml:4:15"),
        (SHOP.replace("database: shop}", "database: nowhere}"), "7:55", "", "nowhere"),
    ],
    ids=["yaml", "key", "privilege", "name", "database twice", "user twice", "database of nobody"],
)
def test_a_file_that_is_wrong_is_told_by_its_place(run: CommandLine, tenants: str, place: str, code: str, words: str):
    run.file(tenants)
    for command in ("validate", "plan", "apply --yes"):
        err = told(run, f"aurora-tenants {command}")
        assert err.startswith(f"tenants.yaml:{place}: error: ")
        assert code in err.splitlines()[0]
        assert words in err


# The way to AWS


@pytest.mark.parametrize("command", ["plan", "apply --yes", "env shop", "shared status"])
def test_no_credentials(run: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str):
    run.file(SHOP)
    without_credentials(monkeypatch, run.directory)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    err = told(run, f"aurora-tenants {command} --region eu-west-1")
    assert ": there are no AWS credentials  [no-credentials]\n" in err
    assert err.endswith("    fix: set AWS_PROFILE or pass --profile, or run `aws sso login`\n")


def without_credentials(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_no_region(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    without_credentials(monkeypatch, run.directory)
    assert told(run, "aurora-tenants plan") == (
        "error: could not use the AWS configuration: no AWS region is set  [no-region]\n"
        "    fix: pass --region, set AWS_REGION or AWS_DEFAULT_REGION, or write cluster.region into tenants.yaml\n"
    )


def test_a_profile_that_is_not_there(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    monkeypatch.setenv("HOME", str(run.directory))
    assert "[unknown-profile]" in told(run, "aurora-tenants plan --profile nonsense")


@pytest.mark.parametrize("region", ["'eu west'", "x/../y", "'{}'"])
def test_a_region_that_cannot_be_one(run: CommandLine, region: str):
    run.file(SHOP)
    assert told(run, f"aurora-tenants plan --region {region}").startswith(
        "error: could not use the AWS configuration: "
    )


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_no_url(run: CommandLine, monkeypatch: pytest.MonkeyPatch, url: str):
    run.file(SHOP)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert told(run, "aurora-tenants plan").startswith("error: could not ")


def test_a_configuration_file_that_is_broken(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    (run.directory / "config").write_text("[default\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(run.directory / "config"))
    assert told(run, "aurora-tenants plan").startswith("error: could not use the AWS configuration: ")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_endpoint_where_nothing_listens(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    from botocore.retries import standard

    run.file(SHOP)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port()}")
    # botocore waits up to 20 s between its ten attempts, and takes no clock.
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda self, context: 0.0)
    for command in ("plan", "apply --yes", "env shop", "shared status", "shared delete --yes"):
        err = told(run, f"aurora-tenants {command}")
        assert "[no-connection]\n    fix: check the network and the region's name\n" in err


def test_a_data_api_that_cannot_be_reached(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    """As in a region that has CloudFormation and no Data API, or behind a proxy that knows the one alone."""
    run.file(SHOP)
    monkeypatch.setenv("AWS_ENDPOINT_URL_RDS_DATA", f"http://127.0.0.1:{unused_port()}")
    err = told(run, "aurora-tenants plan --wait 0.1")
    assert err.startswith(
        "error: the cluster did not answer within N s  [database-not-ready]\n    why: Could not connect"
    )
    assert "\n    fix: check the network, and that the region has the Data API\n" in err


def test_a_secret_that_cannot_be_one(run: CommandLine):
    run.file(SHOP)
    err = told(run, "aurora-tenants plan --secret x")
    assert err.startswith("error: could not read MySQL: Parameter validation failed:")
    assert "[invalid-parameter]\n    fix: check what was given on the command line, such as an ARN\n" in err
    arn = f"arn:aws:secretsmanager:x:1:secret:{'y' * 30}"
    err = told(run, f"aurora-tenants plan --wait 0.1 --secret {arn}")
    assert err.startswith("error: the cluster did not answer within N s  [database-not-ready]\n    why: Error fetching")
    assert (
        f"fix: see that the secret exists and may be read: aws secretsmanager describe-secret --secret-id {arn}\n"
        in err
    )


# The shared stack


def test_a_shared_stack_that_is_not_there(run: CommandLine):
    run.file(SHOP, head=HEAD.replace("shared-global", "shraed-global"))
    for command in ("plan", "apply --yes"):
        assert told(run, f"aurora-tenants {command}") == (
            "error: there is no stack shraed-global  [no-shared-stack]\n"
            "    why: cluster.stack in tenants.yaml names it;"
            " it holds the functions that manage MySQL\n"
            "    fix: did you mean shared-global? shared stacks of this account and region: shared-global\n"
        )


@pytest.mark.usefixtures("clean")
def test_a_shared_stack_that_is_another_or_too_old(run: CommandLine, cloud: Cloud):
    run.file(SHOP, head=HEAD.replace("shared-global", "other"))
    cloud.deploy("other", other_stack())
    assert told(run, "aurora-tenants plan") == (
        "error: stack other is not a shared stack  [no-shared-stack]\n"
        "    why: it has no output DatabaseServer\n"
        "    fix: name the shared stack in cluster.stack of tenants.yaml\n"
    )
    cloud.clean()
    cloud.deploy("other", other_stack(DatabaseServer="arn:aws:rds:x", ProviderVersion="0"))
    assert told(run, "aurora-tenants plan") == (
        "error: stack other is too old: its provider has version 0  [old-shared-stack]\n"
        "    why: this program needs version 5\n"
        "    fix: run: aurora-tenants shared deploy --stack other\n"
    )
    cloud.clean()
    cloud.deploy("other", other_stack(DatabaseServer="not an ARN", ProviderVersion="5", InspectorSecret="none"))
    assert "could not read MySQL" in told(run, "aurora-tenants plan")
    cloud.clean()
    outputs = {"DatabaseServer": "arn:aws:rds:x", "ProviderVersion": "5", "InspectorProblem": "SELECT denied (1142)"}
    cloud.deploy("other", other_stack(**outputs))
    assert told(run, "aurora-tenants plan") == (
        "error: the inspector of stack other could not be made as it should be  [no-inspector]\n"
        "    why: SELECT denied (1142)\n"
        "    fix: when the cause is gone, run: aurora-tenants shared repair --stack other;"
        " or pass --secret with the ARN of a secret whose user may read the schema mysql\n"
    )


# What stands in the way


def planned_and_refused(run: CommandLine, *errors: str) -> None:
    """The plan shows these problems and fails; apply is refused with the same words."""
    planned = run("aurora-tenants plan")
    applied = run("aurora-tenants apply --yes")
    assert (planned.code, applied.code) == (1, 1)
    assert planned.out == applied.out
    assert applied.err == "".join(errors) + NOTHING
    for error in errors:
        assert f"  {error}" in planned.out


@pytest.mark.usefixtures("clean")
def test_a_database_and_a_user_that_belong_to_nobody(run: CommandLine, cloud: Cloud):
    cloud.sql("CREATE DATABASE shop", "CREATE USER shop IDENTIFIED BY 'before'")
    run.file(SHOP)
    planned_and_refused(
        run,
        *(
            f"error: {what} shop exists already and belongs to nobody; set adopt: true to take it over as it is"
            "  [exists-already]\n"
            "    tenant shop\n"
            "    why: what another owner made is never changed unless that is asked for\n"
            "    fix: add `adopt: true` to it in tenants.yaml, or choose another name\n"
            for what in ("database", "user")
        ),
    )
    assert cloud.stacks() == {}
    adopting = SHOP.replace("{shop: }", "{shop: {adopt: true}}").replace("shop: {priv", "shop: {adopt: true, priv")
    run.file(adopting)
    assert run("aurora-tenants apply --yes").code == 0
    run.file("  other: {databases: {other: }}\n")
    assert run("aurora-tenants apply --yes --allow-mass-removal").code == 0
    assert ("shop",) in cloud.sql("SHOW DATABASES")
    assert cloud.sql("SELECT User FROM mysql.user WHERE User = 'shop'") == [("shop",)]


@pytest.mark.usefixtures("clean")
def test_a_database_that_another_stack_owns(run: CommandLine, cloud: Cloud):
    run.file("  a: {databases: {shop: }}\n")
    assert run("aurora-tenants apply --yes").code == 0
    run.file("  a: {databases: {other: }}\n  b: {databases: {shop: {adopt: true}}}\n")
    planned_and_refused(
        run,
        "error: database shop belongs to stack shared-global-a, resource DatabaseShop  [owned-by-another-stack]\n"
        "    tenant b\n"
        "    why: what another owner made is never changed unless that is asked for\n"
        "    fix: remove it there first, or choose another name\n",
    )


@pytest.mark.usefixtures("clean")
def test_a_stack_of_the_tenants_name_that_is_somebody_elses(run: CommandLine, cloud: Cloud):
    cloud.deploy("shared-global-shop", other_stack())
    run.file(SHOP)
    planned_and_refused(
        run,
        "error: there is a stack shared-global-shop that is not tenant shop's  [stack-not-ours]\n"
        "    tenant shop\n"
        "    why: it does not have the tags aurora-tenants:cluster=shared-global and aurora-tenants:tenant=shop\n"
        "    fix: rename the tenant, or deploy that stack under another name; if it is the tenant's and somebody has"
        " taken its tags away: aws cloudformation update-stack --stack-name shared-global-shop --use-previous-template"
        " --parameters ParameterKey=Revision,UsePreviousValue=true --tags"
        " Key=aurora-tenants:cluster,Value=shared-global Key=aurora-tenants:tenant,Value=shop\n",
    )
    assert cloud.stacks() == {"shared-global-shop": "CREATE_COMPLETE"}


@pytest.mark.usefixtures("clean")
def test_a_stack_in_the_middle_of_something(run: CommandLine, cloud: Cloud):
    run.file(SHOP)
    cloud.fault(PROVIDER, "hang")
    try:
        tags = [
            {"Key": "aurora-tenants:cluster", "Value": "shared-global"},
            {"Key": "aurora-tenants:tenant", "Value": "shop"},
        ]
        token = {"Fn::ImportValue": "shared-global-database-service-token"}
        # Lambda repeats the event minutes later, in the middle of another test: it must not make anything then.
        properties = {"ServiceToken": token, "ServiceTimeout": 3, "Name": "mysql"}
        hanging = {"Type": "Custom::Database", "Properties": properties}
        cloud.client("cloudformation").create_stack(
            StackName="shared-global-shop", TemplateBody=json.dumps({"Resources": {"X": hanging}}), Tags=tags
        )
        assert run("aurora-tenants plan").code == 0
        ended = run("aurora-tenants apply --yes --wait 0")
        assert (ended.code, ended.err) == (
            1,
            "Waiting up to 0 s until operations have ended: shared-global-shop (CREATE_IN_PROGRESS).\n"
            "error: tenant shop was not applied: stack shared-global-shop is in the middle of an operation:"
            " CREATE_IN_PROGRESS  [stack-busy]\n"
            "    tenant shop\n"
            "    why: nothing is planned for it before\n"
            "    fix: when that has ended, apply it again; a longer --wait waits longer\n"
            "For what is left, when the cause is gone: aurora-tenants apply --tenant shop\n",
        )
    finally:
        cloud.fault(PROVIDER, None)


@pytest.mark.usefixtures("clean")
def test_a_first_change_set_that_nobody_executed_is_no_obstacle(run: CommandLine, cloud: Cloud):
    cloud.begin_change_set(
        "shared-global-shop",
        other_stack(),
        Tags=[
            {"Key": "aurora-tenants:cluster", "Value": "shared-global"},
            {"Key": "aurora-tenants:tenant", "Value": "shop"},
        ],
    )
    cloud.begin_change_set("shared-global-other", other_stack())
    run.file(SHOP + "  other: {databases: {other: }}\n")
    assert run("aurora-tenants apply --yes").code == 0
    assert cloud.stacks() == {"shared-global-shop": "CREATE_COMPLETE", "shared-global-other": "CREATE_COMPLETE"}


@pytest.mark.usefixtures("clean")
def test_a_tenant_whose_stack_was_never_begun_can_be_removed(run: CommandLine, cloud: Cloud):
    cloud.begin_change_set(
        "shared-global-shop",
        other_stack(),
        Tags=[
            {"Key": "aurora-tenants:cluster", "Value": "shared-global"},
            {"Key": "aurora-tenants:tenant", "Value": "shop"},
        ],
    )
    run.file("  other: {databases: {other: }}\n")
    assert run("aurora-tenants apply --yes --allow-mass-removal").code == 0
    assert cloud.stacks() == {"shared-global-other": "CREATE_COMPLETE"}


def test_a_tenant_without_anything_in_it(run: CommandLine):
    run.file("  empty: {}\n")
    planned_and_refused(
        run,
        "error: tenant empty has neither a database nor a user  [empty-tenant]\n"
        "    why: CloudFormation takes no stack without resources\n"
        "    fix: give it one, or take the tenant out of the file\n",
    )


@pytest.mark.usefixtures("clean")
def test_a_function_that_says_nothing_is_told_as_the_cause(run: CommandLine, cloud: Cloud):
    run.file(SHOP.replace("shop:", "mysql:", 1).replace("{shop: }", "{shop: {collation: nonsense_ci}}"))
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 1
    assert (
        "error: DatabaseShop: Unknown collation: 'nonsense_ci' (1273)  [stack-failed]\n"
        "    stack shared-global-mysql\n"
        "    why: stack shared-global-mysql was rolled back; the next apply creates it again\n"
    ) in ended.err
    assert NOTHING not in ended.err


# The command line


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("aurora-tenants paln", "error: No such command 'paln'."),
        ("aurora-tenants plan --nonsense", "error: No such option: --nonsense"),
        ("aurora-tenants plan more", "error: Got unexpected extra argument"),
        ("aurora-tenants plan --file", "error: Option '--file' requires an argument."),
        ("aurora-tenants env", "error: Missing argument"),
        ("aurora-tenants apply --parallel many", "error: Invalid value for '--parallel'"),
        ("aurora-tenants apply --parallel 0", "error: Invalid value for '--parallel'"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_usage(run: CommandLine, line: str, first: str):
    ended = run(line)
    assert ended.code == 64, ended
    assert ended.err.startswith(first)
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("plan --output xml", "error: --output cannot be xml  [unknown-output]\n    fix: use text, json or markdown\n"),
        ("plan --tenant shpo", "error: there is no tenant shpo  [unknown-tenant]\n    fix: did you mean shop?\n"),
        ("apply --yes --tenant ''", "error: there is no tenant   [unknown-tenant]\n    fix: known: shop\n"),
        ("env shpo", "error: there is no tenant shpo  [unknown-tenant]\n    fix: did you mean shop?\n"),
        ("env shop --user x", "error: tenant shop has no user x  [unknown-user]\n    fix: it has: shop\n"),
        ("env shop --database x", "error: tenant shop has no database x  [unknown-database]\n    fix: it has: shop\n"),
        (
            "env shop --format x",
            "error: --format cannot be x  [unknown-format]\n    fix: use shell, dotenv, json or url\n",
        ),
        (
            "shared deploy --parameter x",
            "error: --parameter x has no value  [invalid-parameter]\n    fix: write Name=Value\n",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_usage_too(run: CommandLine, line: str, problem: str):
    run.file(SHOP)
    assert run(f"aurora-tenants {line}") == Ended(64, "", problem + NOTHING)


def test_a_tenant_without_users_has_no_environment(run: CommandLine):
    run.file("  shop: {databases: {shop: }}\n")
    assert told(run, "aurora-tenants env shop", 64) == "error: tenant shop has no user  [no-user]\n"


def test_an_unknown_parameter_of_the_shared_stack(run: CommandLine, cloud: Cloud):
    ended = run("aurora-tenants shared deploy --parameter Nonsense=1")
    assert (ended.code, ended.out) == (1, "")
    assert "error: the shared stack has no parameter Nonsense  [unknown-parameter]\n" in ended.err
    assert ended.err.endswith(NOTHING)


# A process of its own


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aurora_tenants", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_a_terminal_that_cannot_show_a_name_is_no_bug(run: CommandLine):
    (run.directory / "tenänts.yaml").write_text(HEAD + SHOP)
    ended = process("validate", "--file", "tenänts.yaml", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        0,
        "ten\\xe4nts.yaml is valid: 1 tenant, 1 database, 1 user.\n",
        "",
    )
