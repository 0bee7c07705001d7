"""The commands about the shared stack: which stack they mean, and what stands against touching it."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from tests.cli.conftest import HEAD, CommandLine, Ended, Terminal
from tests.cloud import Cloud

NOTHING = "Nothing was changed.\n"
PARAMETERS = {
    "ClusterArn": "arn:aws:rds:eu-west-1:123456789012:cluster:one",
    "ClusterHost": "one.example",
    "ClusterResourceId": "cluster-ONE",
    "MasterSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:one-AbCdEf",
}
QUESTION = "Delete stack mine? The cluster, with every database in it, stays. Type yes to go on.\n"


def template(*, outputs: tuple[str, ...] = (), fails: bool = False, **parameters: str) -> dict[str, Any]:
    """A stack that could be a shared one, but for its cluster."""
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "test-shared"}}
    return {
        "Parameters": {name: {"Type": "String", "Default": value} for name, value in parameters.items()},
        # The name is taken when the second wants it.
        "Resources": {"Something": group, **({"Second": group | {"DependsOn": "Something"}} if fails else {})},
        **({"Outputs": {name: {"Value": "1"} for name in outputs}} if outputs else {}),
    }


def shared_template(**parameters: str) -> dict[str, Any]:
    return template(outputs=("ProviderVersion",), **PARAMETERS | parameters)


@pytest.fixture
def mine(cloud: Cloud, clean: None) -> None:
    """A shared stack named `mine`, which manages nothing."""
    assert cloud.deploy("mine", shared_template()) == "CREATE_COMPLETE"


COMMANDS = ("shared deploy --stack other", "shared delete --stack other --yes")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_stack_that_is_something_else_is_left_alone(run: CommandLine, cloud: Cloud, command: str):
    cloud.deploy("other", template(**PARAMETERS))
    ended = run(f"aurora-tenants {command}")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(
        "error: stack other is not a shared stack  [not-shared-stack]\n    why: it has no output ProviderVersion; "
    )
    assert ended.err.endswith(f"    fix: name another stack with --stack\n{NOTHING}")
    assert cloud.stacks() == {"other": "CREATE_COMPLETE"}


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_stack_of_a_tenant_is_left_alone(run: CommandLine, cloud: Cloud, command: str):
    cloud.deploy("other", shared_template(), Tags=[{"Key": "aurora-tenants:tenant", "Value": "shop"}])
    ended = run(f"aurora-tenants {command}")
    assert "    why: it is the stack of tenant shop; " in ended.err
    assert (ended.code, cloud.stacks()) == (1, {"other": "CREATE_COMPLETE"})


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_failed_stack_of_something_else_is_left_alone(run: CommandLine, cloud: Cloud, command: str):
    assert cloud.deploy("other", template(fails=True)) == "ROLLBACK_COMPLETE"
    ended = run(f"aurora-tenants {command}")
    assert "    why: it does not have the parameters of a shared stack; " in ended.err
    assert (ended.code, cloud.stacks()) == (1, {"other": "ROLLBACK_COMPLETE"})


@pytest.mark.usefixtures("clean")
def test_a_shared_stack_whose_creation_failed_can_be_deleted(run: CommandLine, cloud: Cloud):
    assert cloud.deploy("mine", template(fails=True, **PARAMETERS)) == "ROLLBACK_COMPLETE"
    ended = run("aurora-tenants shared delete --stack mine --yes")
    assert (ended.code, ended.out, cloud.stacks()) == (0, "Stack mine is deleted.\n", {})


def test_nothing_is_deleted_while_the_cluster_is_stopped(run: CommandLine, cloud: Cloud):
    rds = cloud.client("rds")
    name = rds.describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]
    rds.stop_db_cluster(DBClusterIdentifier=name)
    for options in ("", " --with-cluster"):
        ended = run(f"aurora-tenants shared delete --yes{options}")
        assert (ended.code, ended.err) == (
            1,
            f"error: cluster {name} is stopped  [cluster-not-available]\n"
            "    why: RDS deletes no cluster that is stopped, and the inspector's user could not be dropped\n"
            f"    fix: run: aws rds start-db-cluster --db-cluster-identifier {name}\nNothing was changed.\n",
        )
    rds.start_db_cluster(DBClusterIdentifier=name)


def test_a_protected_cluster_is_told_before_the_question(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert run("aurora-tenants shared delete --with-cluster") == Ended(
        1,
        "",
        "error: the cluster of stack shared-global-cluster is protected from deletion  [deletion-protected]\n"
        "    why: its parameter DeletionProtection is true; the deletion would fail halfway\n"
        "    fix: run: aurora-tenants shared deploy --stack shared-global --parameter DeletionProtection=false\n"
        f"{NOTHING}",
    )


@pytest.mark.usefixtures("mine")
def test_a_deletion_is_asked_for_and_done(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    ended = run("aurora-tenants shared delete --stack mine")
    assert ended == Ended(1, "", f"{QUESTION}error: not confirmed  [not-confirmed]\n{NOTHING}")
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    ended = run("aurora-tenants shared delete --stack mine")
    assert (ended.code, ended.out, cloud.stacks()) == (0, "Stack mine is deleted.\n", {})


@pytest.mark.usefixtures("mine")
def test_an_interrupt_at_the_question_changes_nothing(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    class Interrupted(Terminal):
        def readline(self, *_: Any) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupted())
    ended = run("aurora-tenants shared delete --stack mine")
    assert ended == Ended(130, "", f"{QUESTION}Interrupted. Nothing was changed.\n")
    assert cloud.stacks() == {"mine": "CREATE_COMPLETE"}


@pytest.mark.usefixtures("mine")
def test_an_interrupt_in_flight_says_what_goes_on(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            if "delete complete" in text:
                raise KeyboardInterrupt
            return super().write(text)

    monkeypatch.setattr(sys, "stderr", Interrupting())
    assert run("aurora-tenants shared delete --stack mine --yes").code == 130
    assert sys.stderr.getvalue() == (
        "Interrupted. What CloudFormation has begun, it finishes; plan shows what is left.\n"
    )
    assert cloud.settled("mine") == "gone"


TOO_LONG = (
    "    why: the function <stack>-database-secret-rotation would have 65 characters, and Lambda takes 64\n"
    "    fix: shorten it by 1 character, to 39 at most\n"
)


def test_a_name_that_leaves_no_room_for_the_functions_is_refused_before_aws_is_asked(run: CommandLine, cloud: Cloud):
    before = cloud.calls()
    name = "s" * 40
    assert run(f"aurora-tenants shared deploy --yes --stack {name}") == Ended(
        64, "", f"error: stack name {name} is 1 character too long  [name-too-long]\n{TOO_LONG}{NOTHING}"
    )
    run.file("  {}\n", head=HEAD.replace("shared-global", name))
    ended = run("aurora-tenants shared deploy --yes")
    assert (ended.code, TOO_LONG in ended.err) == (1, True)
    assert ended.err.startswith(f"tenants.yaml:2:18: error: stack name {name} is 1 character too long")
    assert cloud.calls() == before


@pytest.mark.parametrize("command", ["deploy", "status", "delete --yes"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shared_global", 'stack name shared_global contains "_"'),
        ("-shared", 'stack name -shared begins with "-"'),
        ("''", "this stack has no name"),
        ("s" * 129, "too long"),
    ],
)
def test_a_name_that_no_stack_can_have_is_refused_before_aws_is_asked(
    run: CommandLine, cloud: Cloud, command: str, name: str, said: str
):
    before = cloud.calls()
    ended = run(f"aurora-tenants shared {command} --stack={name}")
    assert (ended.code, ended.out, said in ended.err) == (64, "", True), ended
    assert cloud.calls() == before


@pytest.mark.usefixtures("clean")
def test_what_was_left_of_a_stack_with_a_longer_name_can_be_deleted(run: CommandLine, cloud: Cloud):
    name = "s" * 40
    assert cloud.deploy(name, template(fails=True, **PARAMETERS)) == "ROLLBACK_COMPLETE"
    ended = run(f"aurora-tenants shared delete --stack {name} --yes")
    assert (ended.code, cloud.stacks()) == (0, {}), ended


def test_deploying_again_promises_no_new_cluster(run: CommandLine):
    assert run("aurora-tenants shared deploy --yes") == Ended(
        0, "Stack shared-global is up to date: nothing was changed.\n", ""
    )


@pytest.mark.parametrize("command", ["deploy --parameter Nonsense=1", "status", "delete --yes"])
def test_the_file_names_the_stack(run: CommandLine, cloud: Cloud, clean: None, command: str):
    cloud.deploy("of-the-file", template())
    run.file("  {}\n", head=HEAD.replace("shared-global", "of-the-file"))
    ended = run(f"aurora-tenants shared {command}")
    assert "of-the-file" in ended.out + ended.err
    ended = run(f"aurora-tenants shared {command.removesuffix(' --yes')} --stack shared-global")
    assert "of-the-file" not in ended.out + ended.err


def test_the_file_names_the_region(run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(run.directory))
    assert "[no-region]" in run("aurora-tenants shared status").err
    run.file("  {}\n", head=HEAD.replace("shared-global", "shared-global, region: eu-west-1"))
    assert run("aurora-tenants shared status").code == 0


def test_a_file_that_is_asked_for_must_be_there(run: CommandLine):
    ended = run("aurora-tenants shared status --file nowhere.yaml --stack shared-global --region eu-west-1")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: nowhere.yaml does not exist  [file-not-found]\n")


def test_a_file_that_is_asked_for_must_be_valid(run: CommandLine):
    (run.directory / "other.yaml").write_text("tenants: 1\n")
    assert run("aurora-tenants shared status --file other.yaml").err.startswith("other.yaml:1:")


def test_a_failure_as_json_is_also_told_to_people(run: CommandLine):
    ended = run("aurora-tenants shared status --stack nowhere --output json")
    assert (ended.code, json.loads(ended.out)) == (
        1,
        {
            "version": 1,
            "problems": [
                {
                    "code": "no-shared-stack",
                    "what": "there is no stack nowhere",
                    "why": "",
                    "fix": "name one of the shared stacks of this account and region: shared-global; "
                    "or look in another region",
                    "context": "",
                    "where": None,
                }
            ],
        },
    )
    assert ended.err.startswith("error: there is no stack nowhere  [no-shared-stack]\n")
