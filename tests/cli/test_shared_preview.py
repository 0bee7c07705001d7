"""`shared deploy` shows what it would do, asks, and leaves nothing behind where the answer is no."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import HEAD, CommandLine, Terminal
from tests.cloud import CLUSTER, PROVIDER, SHARED, Cloud

READER = "aurora-tenants shared deploy --parameter ReaderInstances=1"
SHOWN = (
    f"stack {CLUSTER}  (1 resource)\n  + create  Reader1  AWS::RDS::DBInstance\n"
    "A month: $0.00 to $408.80 for 0 to 2 ACU on 2 instances, before $0.00 to $204.40."
    " Storage, I/O and load are left out.\n"
)
LEAVES = "Nothing was changed.\n"


def change_sets(cloud: Cloud) -> list[str]:
    """Those of the program that wait to be executed, of both stacks."""
    cloudformation = cloud.client("cloudformation")
    found = [cloudformation.list_change_sets(StackName=name)["Summaries"] for name in (SHARED, CLUSTER)]
    waiting = [item["ChangeSetName"] for items in found for item in items if item["ExecutionStatus"] == "AVAILABLE"]
    return [name for name in waiting if name.startswith("aurora-tenants-")]


def instances(cloud: Cloud) -> int:
    return len(cloud.client("rds").describe_db_instances()["DBInstances"])


def test_nothing_to_do_is_not_asked_about(run: CommandLine):
    ended = run("aurora-tenants shared deploy --plan --detailed-exitcode")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"Stack {SHARED} is up to date.\n"


def test_a_plan_shows_each_resource_and_changes_nothing(run: CommandLine, cloud: Cloud):
    for options, code in (("", 0), (" --detailed-exitcode", 2)):
        ended = run(f"{READER} --plan{options}")
        assert (ended.code, ended.out) == (code, SHOWN)
        assert ended.err.endswith(LEAVES)
    assert (change_sets(cloud), instances(cloud)) == ([], 1)


def test_a_plan_for_a_program_has_the_values_of_properties(run: CommandLine, cloud: Cloud):
    ended = run("aurora-tenants shared deploy --plan --output json --parameter BackupRetentionPeriod=8")
    shown = json.loads(ended.out)
    assert (shown["account"], shown["region"], shown["is_deployed"]) == ("123456789012", "eu-west-1", False)
    assert shown["stacks"] == [
        {
            "stack": CLUSTER,
            "is_new": False,
            "changes": [
                {
                    "resource": "DatabaseServer",
                    "type": "AWS::RDS::DBCluster",
                    "action": "change",
                    "interrupts": False,
                    "loses_data": False,
                    "keeps": "",
                    "properties": [
                        {"name": "BackupRetentionPeriod", "before": "7", "after": "8", "recreation": "Never"}
                    ],
                }
            ],
        }
    ]
    assert change_sets(cloud) == []


def test_without_a_terminal_it_is_refused(run: CommandLine, cloud: Cloud):
    ended = run(READER)
    assert (ended.code, "fix: pass --yes\n" in ended.err) == (1, True)
    assert (change_sets(cloud), instances(cloud)) == ([], 1)


def test_a_no_leaves_no_change_set(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    ended = run(READER)
    assert ended.err.endswith(
        f"{SHOWN}Deploy stack {CLUSTER}? Type yes to go on.\nerror: not confirmed  [not-confirmed]\n{LEAVES}"
    )
    assert (ended.code, change_sets(cloud), instances(cloud)) == (1, [], 1)


def test_an_interrupt_at_the_question_leaves_no_change_set(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    class Interrupted(Terminal):
        def readline(self, *_: object) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupted())
    ended = run(READER)
    assert (ended.code, ended.err.endswith("Interrupted. Nothing was changed.\n")) == (130, True)
    assert change_sets(cloud) == []


def test_a_yes_is_done_and_taken_back_again(run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    assert run(READER).out == f"Stack {SHARED} is deployed.\n"
    assert instances(cloud) == 2
    ended = run("aurora-tenants shared deploy --yes --parameter ReaderInstances=0")
    assert (ended.code, instances(cloud)) == (0, 1)
    assert "  - delete  Reader1  AWS::RDS::DBInstance  (Delete)\n" in ended.err


def test_what_loses_data_needs_a_flag_of_its_own(run: CommandLine, cloud: Cloud):
    ended = run("aurora-tenants shared deploy --yes --parameter KmsKeyId=alias/other")
    assert ended.code == 1
    assert "! replace DatabaseServer  AWS::RDS::DBCluster  loses data  (ReplaceAndSnapshot)\n" in ended.err
    assert ended.err.endswith(
        f"error: DatabaseServer of stack {CLUSTER} would be replaced  [data-lost]\n"
        "    why: it is an AWS::RDS::DBCluster, and what it holds is not carried over\n"
        f"    fix: take back what causes it, or allow it: --allow-replace DatabaseServer\n{LEAVES}"
    )
    assert change_sets(cloud) == []
    allowed = run("aurora-tenants shared deploy --plan --parameter KmsKeyId=alias/other --allow-replace DatabaseServer")
    assert (allowed.code, "error" in allowed.err) == (0, False)


def test_a_version_that_restarts_the_cluster_is_marked(run: CommandLine):
    ended = run("aurora-tenants shared deploy --plan --parameter EngineVersion=8.0.mysql_aurora.3.11.1")
    assert "DatabaseServer  AWS::RDS::DBCluster  interrupts\n" in ended.out
    assert "EngineVersion: 8.0.mysql_aurora.3.10.6 -> 8.0.mysql_aurora.3.11.1\n" in ended.out


# A first deployment


SECOND = "second"
INSPECTOR = f"aurora_tenants_inspector_{hashlib.sha256(SECOND.encode()).hexdigest()[:6]}"
HERE = f"aurora-tenants shared deploy --stack {SECOND}"


@pytest.fixture
def identifier(cloud: Cloud, clean: None) -> Iterator[str]:
    """Of the sandbox's cluster. What `second` makes is gone afterwards."""
    yield cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]


def test_without_a_word_of_the_cluster_it_is_refused_with_both_ways(run: CommandLine, cloud: Cloud, identifier: str):
    ended = run(f"{HERE} --yes")
    assert ended.err == (
        "error: which cluster the shared stack is for was not said  [no-cluster-chosen]\n"
        f"    why: the region's Aurora MySQL clusters: {identifier}\n"
        f"    fix: pass --cluster NAME for one that there is, or --new-cluster to have one made\n{LEAVES}"
    )
    assert (ended.code, cloud.stacks()) == (1, {})


def test_at_a_terminal_it_lists_the_clusters_and_asks(
    run: CommandLine, cloud: Cloud, identifier: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", Terminal("nowhere\n"))
    ended = run(HERE)
    assert ended.err == (
        f"Which cluster is the shared stack for?\n  {identifier}\n  new, to have one made\n"
        f"error: there is no cluster nowhere  [no-cluster-chosen]\n    fix: name one of the list, or new\n{LEAVES}"
    )
    monkeypatch.setattr(sys, "stdin", Terminal(f"{identifier}\nno\n"))
    ended = run(HERE)
    assert f"stack {SECOND}  (new, 23 resources)\n" in ended.err
    assert ended.err.endswith(f"error: not confirmed  [not-confirmed]\n{LEAVES}")
    assert cloud.stacks() == {}


def test_a_plan_of_a_new_one_leaves_no_stack(run: CommandLine, cloud: Cloud, identifier: str):
    ended = run(f"{HERE} --cluster {identifier} --plan --detailed-exitcode")
    assert (ended.code, ended.out.startswith(f"stack {SECOND}  (new, 23 resources)\n")) == (2, True)
    assert cloud.settled(SECOND) == "gone"


def test_a_failed_first_deployment_leaves_what_it_made_and_can_be_tried_again(
    run: CommandLine, cloud: Cloud, identifier: str
):
    schedules, group = cloud.client("scheduler"), f"{SECOND}-pause-schedule"
    schedules.create_schedule_group(Name=group)
    ended = run(f"{HERE} --cluster {identifier} --yes")
    assert (ended.code, cloud.stacks()) == (1, {SECOND: "CREATE_FAILED"}), ended.err
    assert "error: PauseScheduleGroup: " in ended.err
    made = cloud.client("cloudformation").list_stack_resources(StackName=SECOND)["StackResourceSummaries"]
    assert "PauseScheduleGroup" in {each["LogicalResourceId"] for each in made}
    schedules.delete_schedule_group(Name=group)
    ended = run(f"{HERE} --yes")
    failed = f"Stack {SECOND} is CREATE_FAILED: its creation failed at PauseScheduleGroup: "
    assert (failed in ended.err, "It is deleted and made again; it holds no data.\n" in ended.err) == (True, True)
    assert (ended.code, cloud.stacks()) == (0, {SECOND: "CREATE_COMPLETE"}), ended.err


def test_a_second_one_for_a_cluster_has_an_inspector_of_its_own(run: CommandLine, cloud: Cloud, identifier: str):
    before = cloud.sql("SELECT * FROM aurora_tenants.users WHERE stack = 'shared-global'")
    ended = run(f"{HERE} --cluster {identifier} --yes")
    assert (
        "Stack shared-global is for this cluster, too. What belongs to it and its tenants is never touched.\n"
        in ended.err
    )
    assert (ended.code, ended.out) == (0, f"Stack {SECOND} is deployed.\n"), ended.err
    assert cloud.sql("SELECT * FROM aurora_tenants.users WHERE stack = 'shared-global'") == before
    ((user,),) = cloud.sql(f"SELECT name FROM aurora_tenants.users WHERE stack = '{SECOND}'")
    assert user == f"{INSPECTOR}@%"
    run.file("  {}\n", head=HEAD.replace("shared-global", SECOND))
    assert run("aurora-tenants plan --allow-mass-removal").code == 0
    assert run("aurora-tenants shared delete --yes").code == 0
    assert cloud.sql("SELECT * FROM aurora_tenants.users WHERE stack = 'shared-global'") == before


def test_one_that_was_rolled_back_is_made_again(run: CommandLine, cloud: Cloud, identifier: str):
    parameters = {
        "ClusterArn": f"arn:aws:rds:eu-west-1:123456789012:cluster:{identifier}",
        "ClusterHost": "one",
        "ClusterResourceId": "cluster-ONE",
        "MasterSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-AbCdEf",
    }
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/aws/lambda/{PROVIDER}"}}
    template = {
        "Parameters": {name: {"Type": "String", "Default": value} for name, value in parameters.items()},
        "Resources": {"Taken": group},
    }
    assert cloud.deploy(SECOND, template) == "ROLLBACK_COMPLETE"
    ended = run(f"{HERE} --plan")
    assert f"Stack {SECOND} is ROLLBACK_COMPLETE: its creation failed at Taken: " in ended.err
    assert "It is deleted and made again; it holds no data.\n" in ended.err
    assert (ended.code, f"stack {SECOND}  (new, 23 resources)\n" in ended.out) == (0, True)
    assert cloud.stacks() == {SECOND: "ROLLBACK_COMPLETE"}
    assert "create complete: DatabaseProvider" in run(f"{HERE} --yes").err
