"""Failures are published to the shared stack's topic, and whoever subscribes to it is told of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from aurora_tenants.lambdas.password import FORCED
from tests.cli.conftest import CommandLine
from tests.cloud import ROTATION, SHARED, Cloud
from tests.endpoint import until

INSPECTOR = f"/{SHARED}/database/aurora_tenants_inspector"
Told = Callable[[Callable[[dict[str, Any]], bool]], dict[str, Any]]


@pytest.fixture(scope="module")
def topic(cloud: Cloud) -> str:
    (stack,) = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return str(outputs["Alarms"])


@pytest.fixture
def told(cloud: Cloud, topic: str) -> Iterator[Told]:
    """Waits for a message of the topic's, as a queue that subscribes to it gets it."""
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscribed = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    for alarm in alarms:  # another test's failure may be less than a minute ago
        state = {"AlarmName": alarm["AlarmName"], "StateValue": "OK", "StateReason": "the test begins"}
        cloud.client("cloudwatch").set_alarm_state(**state)
    seen: list[dict[str, Any]] = []

    def first(is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def looked() -> dict[str, Any] | None:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            seen.extend(json.loads(json.loads(each["Body"])["Message"]) for each in answer.get("Messages", ()))
            return next(filter(is_it, seen), None)

        return until(looked)

    yield first
    sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def failing(cloud: Cloud) -> Iterator[Callable[[], str]]:
    """Has a rotation of the inspector's secret fail, of which it gives the ARN; afterwards it is ended well."""
    secrets = cloud.client("secretsmanager")

    def fail() -> str:
        cloud.fault(ROTATION, "crash")
        # The clock of the sandbox may have been moved, and the secret rotated a moment ago.
        token = f"{FORCED}{uuid.uuid4()}"
        return str(secrets.rotate_secret(SecretId=INSPECTOR, ClientRequestToken=token)["ARN"])

    yield fail
    cloud.fault(ROTATION, None)

    def is_over() -> bool:
        with suppress(secrets.exceptions.InvalidRequestException):  # that one is taken up again
            if ["AWSPENDING"] not in secrets.describe_secret(SecretId=INSPECTOR)["VersionIdsToStages"].values():
                return True
            secrets.rotate_secret(SecretId=INSPECTOR)
        return False

    until(is_over)


def is_of_rotation(message: dict[str, Any]) -> bool:
    return bool(message.get("source") == "aws.secretsmanager")


def test_rotation_that_fails_sets_off_the_alarm_and_a_trail_names_its_secret(
    cloud: Cloud, told: Told, failing: Callable[[], str]
):
    trail, s3 = cloud.client("cloudtrail"), cloud.client("s3")
    failing()
    message = told(lambda it: "AlarmName" in it)
    said = (message["NewStateValue"], message["AlarmDescription"])
    assert said == ("ALARM", "A rotation failed. The log of its function says why.")
    where = {"LocationConstraint": s3.meta.region_name}
    s3.create_bucket(Bucket="of-the-trail", CreateBucketConfiguration=where)
    trail.create_trail(Name="trail", S3BucketName="of-the-trail")
    trail.start_logging(Name="trail")
    secret = failing_again(cloud)
    first = told(is_of_rotation)["detail"]  # and none of the rotation before there was a trail
    trail.delete_trail(Name="trail")
    assert (first["eventName"], first["additionalEventData"]) == ("RotationFailed", {"SecretId": secret})


def failing_again(cloud: Cloud) -> str:
    """The rotation that failed is taken up again, and fails again."""
    secrets = cloud.client("secretsmanager")

    def refused() -> bool:
        try:
            secrets.rotate_secret(SecretId=INSPECTOR)
        except secrets.exceptions.InvalidRequestException:
            return True
        return False

    until(refused)
    return str(secrets.describe_secret(SecretId=INSPECTOR)["ARN"])


def test_what_the_provider_refuses_is_told_with_its_sentence(run: CommandLine, cloud: Cloud, told: Told, clean: None):
    run.file("  shop: {databases: {shop_data: {}}}\n")
    cloud.sql("CREATE DATABASE shop_data")
    template = {"Resources": {"Shop": {"Type": "Custom::Database", "Properties": {"Name": "shop_data"}}}}
    token = {"Fn::ImportValue": f"{SHARED}-database-service-token"}
    template["Resources"]["Shop"]["Properties"]["ServiceToken"] = token  # type: ignore[index]
    cloud.deploy(f"{SHARED}-shop", template)
    event = told(lambda it: it.get("source") == "aws.cloudformation")
    assert event["detail-type"] == "CloudFormation Resource Status Change"
    assert event["detail"]["logical-resource-id"] == "Shop"
    details = event["detail"]["status-details"]
    assert details["status"] == "CREATE_FAILED"
    assert "shop_data" in details["status-reason"]
    cloud.sql("DROP DATABASE IF EXISTS shop_data")


MAIL = "ops@example.com"


def test_who_is_to_be_told_is_subscribed_once_and_stays_subscribed(run: CommandLine, cloud: Cloud, topic: str):
    assert (
        "Notified: nobody; run: aurora-tenants shared deploy --stack shared-global --notify MAIL"
        in run("aurora-tenants shared status").out.splitlines()
    )
    first = run(f"aurora-tenants shared deploy --yes --notify {MAIL} --notify {MAIL} --notify dev@example.com")
    assert first.code == 0, first.err
    assert first.err.count("gets a mail from AWS Notifications, and is told of failures once its link was opened") == 2
    again = run(f"aurora-tenants shared deploy --yes --notify {MAIL}")
    assert again.out == f"Stack {SHARED} is up to date: nothing was changed.\n"
    assert run("aurora-tenants shared deploy --yes").code == 0
    sns = cloud.client("sns")
    there = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert sorted(each["Endpoint"] for each in there) == ["dev@example.com", MAIL]
    said = run("aurora-tenants shared status").out
    assert "Notified: dev@example.com, ops@example.com" in said
    for each in there:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])


def test_plan_of_a_deployment_subscribes_nobody(run: CommandLine, cloud: Cloud, topic: str):
    ended = run(f"aurora-tenants shared deploy --plan --notify {MAIL}")
    assert f"{MAIL} would be subscribed to the alarms.\n" in ended.err
    assert cloud.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


@pytest.mark.parametrize("address", ["", "ops", "ops@", "@example.com", "ops @example.com", "a@b@c.de"])
def test_what_is_no_address_is_refused_before_aws_is_asked(run: CommandLine, address: str):
    ended = run(f"aurora-tenants shared deploy --yes --notify '{address}'")
    assert (ended.code, ended.out) == (64, "")
    assert "[invalid-address]" in ended.err
