"""What the pause schedule's commands need of AWS: the rights of the shared stack's policies, and few calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aurora_sandbox import policies
from tests.cli.conftest import CommandLine
from tests.cli.pause_schedule.conftest import CLEAR, SET, SHOP, STACK, listening, move_to, set_to, wake
from tests.cloud import SHARED, Cloud


class Policy:
    """Lets only those calls pass that a role with these policies of the shared stack may make.

    The sandbox lets everybody who is no function do everything, so they are applied here, before a call is sent.
    """

    def __init__(self, cloud: Cloud, *names: str) -> None:
        outputs = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
        arns = {it["OutputKey"]: it["OutputValue"] for it in outputs}
        self.cloudformation = cloud.client("cloudformation")
        self.arns, self.used, client = arns, set[str](), cloud.client("iam")
        self.statements = []
        for name in names:
            version = client.get_policy(PolicyArn=arns[name])["Policy"]["DefaultVersionId"]
            found = client.get_policy_version(PolicyArn=arns[name], VersionId=version)["PolicyVersion"]["Document"]
            self.statements += found["Statement"]

    def check(self, params: dict[str, Any], *, model: Any, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        service = "monitoring" if service == "cloudwatch" else service
        for need in self.needs(service, operation, params):
            self.used.add(need.action)
            if why := policies.decide(self.statements, need):
                said = {"Error": {"Code": "AccessDenied", "Message": f"{need.action} on {need.resource} {why}"}}
                raise ClientError(said, operation)

    def needs(self, service: str, operation: str, params: dict[str, Any]) -> Iterator[policies.Need]:
        def arn_prefix(service: str) -> str:
            return f"arn:aws:{service}:eu-west-1:123456789012:"

        if operation in ("GetSchedule",):
            yield policies.Need(
                f"scheduler:{operation}", f"{arn_prefix('scheduler')}schedule/{params['GroupName']}/{params['Name']}"
            )
        elif service == "sqs":
            yield policies.Need(f"sqs:{operation}", f"{arn_prefix('sqs')}{params['QueueUrl'].rpartition('/')[2]}")
        elif service == "monitoring":
            yield policies.Need(f"cloudwatch:{operation}", "*")
        else:
            yield from policies.needs(
                service, operation, params, arn_prefix=arn_prefix, secret=lambda _: None, stack=self.facts
            )

    def facts(self, name: str) -> policies.StackFacts | None:
        stacks = self.cloudformation.describe_stacks()["Stacks"]
        found = next((it for it in stacks if name in (it["StackName"], it["StackId"])), None)
        return policies.StackFacts({tag["Key"]: tag["Value"] for tag in found["Tags"]}) if found else None


def test_plan_and_show_need_the_plan_policy_and_no_more(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    run.file(SHOP)
    set_to(run)
    wake(cloud)
    policy = Policy(cloud, "PlanPolicy")
    with listening(monkeypatch, "provide-client-params.*.*", policy.check):
        assert run("aurora-tenants plan --no-wake").code == 0
        assert run("aurora-tenants pause-schedule show").code == 0
        ended = run(SET.replace("17:00", "18:00"))
    assert (ended.code, "[access-denied]" in ended.err) == (1, True)
    assert {"scheduler:ListSchedules", "scheduler:GetSchedule", "sqs:GetQueueAttributes"} < policy.used
    assert {"rds:DescribeDBClusters", "cloudwatch:GetMetricData"} < policy.used


def test_set_apply_and_clear_need_both_policies_and_no_more(
    run: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    run.file(SHOP)
    move_to(cloud, 1, 12)
    wake(cloud)
    policy = Policy(cloud, "PlanPolicy", "ApplyPolicy")
    with listening(monkeypatch, "provide-client-params.*.*", policy.check):
        set_to(run)
        cloud.client("scheduler").delete_schedule(GroupName=STACK, Name="awake-MON-FRI-0700-r1")
        for line in ("aurora-tenants apply --yes", CLEAR.replace("stay", "asleep")):
            ended = run(line)
            assert ended.code == 0, ended
    assert {"rds:ModifyDBCluster", "iam:PassRole", "cloudformation:ExecuteChangeSet"} < policy.used


def test_a_plan_with_a_schedule_asks_a_few_calls_more_and_no_more_for_more_tenants(run: CommandLine, cloud: Cloud):
    run.file("  {}\n")
    set_to(run)
    wake(cloud)
    head = (run.directory / "tenants.yaml").read_text().partition("  {}\n")[0]

    def asked(tenants: str, head: str) -> Counter[str]:
        run.file(tenants, head=head)
        before = cloud.calls()
        assert run("aurora-tenants plan").code == 0
        return cloud.calls() - before

    one = asked(SHOP, head)
    assert one == asked("".join(SHOP.replace("shop", f"t{number}") for number in range(5)), head)
    assert one == {
        "sts:GetCallerIdentity": 1,
        "cloudformation:DescribeStacks": 2,
        "rds-data:ExecuteStatement": 11,
        "secretsmanager:ListSecrets": 1,
        "rds:DescribeDBClusters": 1,
        "rds:DescribeDBInstances": 1,
        "scheduler:ListSchedules": 1,
        "scheduler:GetSchedule": 2,
    }
