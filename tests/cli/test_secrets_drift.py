"""Somebody changes secrets and rotations by hand: a plan shows it, one apply heals it, and the next plan is empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_sandbox import mysqld
from aurora_tenants.aws import healing
from tests.cli.conftest import CommandLine, command_line
from tests.cloud import ROTATION, SHARED, Cloud, deployed
from tests.endpoint import until

TENANTS = """
  shop:
    databases: {shop: {}}
    users:
      app: {privileges: [{permission: ALL, database: shop}]}
      report: {rotate_after_days: 7, privileges: [{permission: SELECT, database: shop}]}
      fixed: {rotate_after_days: 0, privileges: [{permission: SELECT, database: shop}]}
      far: {host: 10.0.0.0/255.0.0.0, privileges: [{permission: SELECT, database: shop}]}
      token: {auth: iam, privileges: [{permission: SELECT, database: shop}]}
"""
STACK = f"{SHARED}-shop"
SECRET = f"/{SHARED}/database/"
OTHER_FUNCTION = "other-rotation"


@pytest.fixture(scope="module")
def cloud(mysqld_binary: mysqld.Binary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Not the session's: its clock is moved, and never back."""
    with deployed(tmp_path_factory.mktemp("secrets")) as running:
        yield running


@pytest.fixture
def shop(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """The tenant is deployed once: every test leaves it healed."""
    monkeypatch.setattr(healing, "_POLL_SECONDS", 0.02)
    run = command_line(cloud, tmp_path, monkeypatch, capsys)
    run.file(TENANTS)
    if STACK not in cloud.stacks():
        ended = run("aurora-tenants apply --yes")
        assert ended.code == 0, ended
    return run


class Hand:
    """What somebody does to the secret of a user."""

    def __init__(self, cloud: Cloud, user: str) -> None:
        self.cloud, self.name, self._client = cloud, f"{SECRET}{user}", cloud.client("secretsmanager")

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._client, operation)(SecretId=self.name, **parameters)
        return answer

    @property
    def value(self) -> dict[str, Any]:
        return dict(json.loads(self("get_secret_value")["SecretString"]))

    def put(self, **fields: Any) -> None:
        """Writes these fields; None takes one out."""
        value = {key: field for key, field in {**self.value, **fields}.items() if field is not None}
        self("put_secret_value", SecretString=json.dumps(value))

    def delete(self, **options: Any) -> None:
        self("delete_secret", **options)

    def delete_at_once(self) -> None:
        self.delete(ForceDeleteWithoutRecovery=True)

    def make(self, value: str) -> None:
        self._client.create_secret(Name=self.name, SecretString=value)

    def schedule(self, **rules: Any) -> None:
        self("rotate_secret", RotateImmediately=False, **rules)
        until(lambda: not self.is_pending())

    def is_pending(self) -> bool:
        stages = self("describe_secret").get("VersionIdsToStages", {})
        return any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages.values())

    def take_pending_back(self) -> None:
        """As somebody does who cleans up after a rotation that failed."""
        stages = self("describe_secret")["VersionIdsToStages"]
        (version,) = (version for version, labels in stages.items() if labels == ["AWSPENDING"])
        self("update_secret_version_stage", VersionStage="AWSPENDING", RemoveFromVersionId=version)

    def leave_pending(self) -> None:
        """As a rotation that failed."""
        self("put_secret_value", SecretString=json.dumps({**self.value, "password": "x"}), VersionStages=["AWSPENDING"])


def wait_days(cloud: Cloud, days: int) -> None:
    cloud.post("clock", {"to": f"+{days}d"})
    cloud.post("pause", {"seconds": 0.01})


def miss_a_rotation(cloud: Cloud) -> None:
    """That of report, which fails again and again in its window, is given up, and overdue."""
    cloud.fault(ROTATION, "crash")
    wait_days(cloud, 9)
    Hand(cloud, "report").take_pending_back()
    cloud.fault(ROTATION, None)


def secret_lines(run: CommandLine, options: str = "") -> list[str]:
    """`user app: rotation: off → every 30 days` for each line about a secret; the plan says in JSON just this."""
    planned = run(f"aurora-tenants plan --detailed-exitcode --output json {options}")
    assert planned.code in (0, 2), planned
    (tenant,) = json.loads(planned.out)["tenants"]
    if planned.code == 2:
        assert (tenant["action"], tenant["origin"]) == ("update", "drift")
    lines = secret_parts(tenant)
    text = " ".join(run(f"aurora-tenants plan {options}").out.split())
    assert all(line.split(": ", 1)[1] in text for line in lines), text
    return lines


def secret_parts(tenant: dict[str, Any]) -> list[str]:
    said = ((item["name"], each["what"]) for item in tenant["items"] for each in item["differences"])
    return [f"user {user}: {what}" for user, what in said if what.startswith(("secret: ", "rotation: ", "password: "))]


def assert_logs_in(cloud: Cloud, user: str, password: str | None = None) -> None:
    value = Hand(cloud, user).value
    cloud.connect(user, password or value["password"]).close()
    assert value["username"] == user
    assert {"engine", "host", "port", "dbClusterIdentifier"} <= value.keys()


def assert_healed(run: CommandLine, cloud: Cloud, lines: list[str], options: str = "") -> None:
    assert sorted(secret_lines(run, options)) == sorted(lines)
    applied = run(f"aurora-tenants apply --yes {options}")
    assert applied.code == 0, applied
    assert run("aurora-tenants plan --detailed-exitcode --logins").code == 0
    for user in ("app", "report", "fixed"):
        assert_logs_in(cloud, user)
    for user, days in (("app", 30), ("report", 7), ("fixed", None)):
        found = Hand(cloud, user)("describe_secret")
        assert (found.get("RotationEnabled", False), found["VersionIdsToStages"]) == (
            days is not None,
            found["VersionIdsToStages"],
        )
        if days:
            assert found["RotationRules"] == {"AutomaticallyAfterDays": days}
            assert found["RotationLambdaARN"].endswith(ROTATION)


def function_of_another(cloud: Cloud) -> str:
    """ARN of a function that Secrets Manager may invoke and that does nothing."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = {"Version": "2012-10-17", "Statement": [trust]}
    role = cloud.client("iam").create_role(RoleName=OTHER_FUNCTION, AssumeRolePolicyDocument=json.dumps(policy))
    template = {
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": OTHER_FUNCTION,
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Code": {"ZipFile": "def handler(event, context): pass"},
                    "Role": role["Role"]["Arn"],
                },
            },
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": {"Ref": "Function"},
                    "Principal": "secretsmanager.amazonaws.com",
                },
            },
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}}},
    }
    assert cloud.deploy("other", template) == "CREATE_COMPLETE"
    return str(
        cloud.client("cloudformation").describe_stacks(StackName="other")["Stacks"][0]["Outputs"][0]["OutputValue"]
    )


def every(hours: int) -> dict[str, Any]:
    return {"RotationRules": {"ScheduleExpression": f"rate({hours} hours)"}}


@pytest.mark.parametrize(
    ("user", "behind", "line"),
    [
        ("app", lambda hand: hand("cancel_rotate_secret"), "rotation: off → every 30 days"),
        (
            "report",
            lambda hand: hand.schedule(RotationRules={"AutomaticallyAfterDays": 90}),
            "rotation: every 90 days → every 7 days",
        ),
        ("report", lambda hand: hand.schedule(**every(12)), "rotation: rate(12 hours) → every 7 days"),
        (
            "fixed",
            lambda hand: hand.schedule(
                RotationLambdaARN=Hand(hand.cloud, "app")("describe_secret")["RotationLambdaARN"],
                RotationRules={"AutomaticallyAfterDays": 3},
            ),
            "rotation: every 3 days → off",
        ),
        ("app", lambda hand: hand.delete(RecoveryWindowInDays=7), "secret: waits for its deletion → restored"),
    ],
    ids=["cancelled", "other period", "other schedule", "on where it is off", "waits for deletion"],
)
def test_what_lists_show_is_healed(
    shop: CommandLine, cloud: Cloud, user: str, behind: Callable[[Hand], None], line: str
):
    behind(Hand(cloud, user))
    assert_healed(shop, cloud, [f"user {user}: {line}"])


def test_a_rotation_by_another_function_is_taken_back(shop: CommandLine, cloud: Cloud):
    Hand(cloud, "app").schedule(RotationLambdaARN=function_of_another(cloud))
    line = f"user app: rotation: every 30 days by {OTHER_FUNCTION} → every 30 days by {ROTATION}"
    assert_healed(shop, cloud, [line])


def test_a_rotation_that_is_due_comes_at_once(shop: CommandLine, cloud: Cloud):
    before = Hand(cloud, "report").value["password"]
    miss_a_rotation(cloud)
    (line,) = secret_lines(shop)
    assert line.startswith("user report: rotation: due since 20")
    assert_healed(shop, cloud, [line])
    assert Hand(cloud, "report").value["password"] != before
    cloud.connect("report", before).close()  # the dual password


def test_a_rotation_that_fails_is_told_and_the_next_apply_begins_it_again(
    shop: CommandLine, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    miss_a_rotation(cloud)
    cloud.fault(ROTATION, "crash")
    with monkeypatch.context() as patch:
        patch.setattr(healing, "_MOST_SECONDS", 0.5)
        failed = shop("aurora-tenants apply --yes")
    cloud.fault(ROTATION, None)
    assert (failed.code, "[rotation-stuck]" in failed.err) == (1, True), failed
    assert f"look at the log of function {ROTATION}, then run the same again" in failed.err
    (line,) = secret_lines(shop)
    assert line.startswith("user report: rotation: due since 20")
    assert_healed(shop, cloud, [line])


def test_a_rotation_that_is_stuck_is_begun_again(shop: CommandLine, cloud: Cloud):
    hand = Hand(cloud, "app")
    hand.leave_pending()
    assert secret_lines(shop) == []  # it may be under way
    wait_days(cloud, 2)
    (line,) = secret_lines(shop)
    assert line.startswith("user app: rotation: failed, and stuck since 20")
    assert_healed(shop, cloud, [line])
    assert not hand.is_pending()


def test_a_rotation_that_was_cancelled_half_way_is_turned_on_again(shop: CommandLine, cloud: Cloud):
    hand = Hand(cloud, "app")
    hand.leave_pending()
    hand("cancel_rotate_secret")
    assert_healed(shop, cloud, ["user app: rotation: off → every 30 days"])


GONE = "secret: gone → made again, with another ARN and another password"


def test_a_secret_that_is_gone_is_made_again(shop: CommandLine, cloud: Cloud):
    hand = Hand(cloud, "app")
    before, password = hand("describe_secret")["ARN"], hand.value["password"]
    hand.delete_at_once()
    assert_healed(shop, cloud, [f"user app: {GONE}"])
    assert hand("describe_secret")["ARN"] != before
    assert hand.value["password"] != password
    cloud.connect("app", password).close()  # a service that has the one before is not shut out


def test_another_secret_of_the_name_makes_room(shop: CommandLine, cloud: Cloud):
    hand = Hand(cloud, "app")
    hand.delete_at_once()
    hand.make("{}")
    line = "secret: another one has its name → that one is deleted, and it is made again with another password"
    assert_healed(shop, cloud, [f"user app: {line}"])


@pytest.mark.parametrize(
    ("behind", "line"),
    [
        (lambda hand: hand.put(password="another"), "password: MySQL refuses it → set in MySQL again"),
        (
            lambda hand: hand.put(username="root"),
            "secret: username missing or wrong → made again, with another password",
        ),
        (
            lambda hand: hand("put_secret_value", SecretString="no JSON"),
            "secret: username and password missing or wrong → made again, with another password",
        ),
        (lambda hand: hand.put(host=None, port=1), "secret: host and port missing or wrong → written again"),
    ],
    ids=["another password", "another username", "no JSON", "fields"],
)
def test_what_logins_show_is_healed_with_them(
    shop: CommandLine, cloud: Cloud, behind: Callable[[Hand], None], line: str
):
    behind(Hand(cloud, "app"))
    assert secret_lines(shop) == []
    assert_healed(shop, cloud, [f"user app: {line}"], "--logins")


def test_a_password_that_was_changed_in_mysql_is_set_again(shop: CommandLine, cloud: Cloud):
    cloud.sql("ALTER USER report IDENTIFIED BY 'another'")
    assert_healed(shop, cloud, ["user report: password: MySQL refuses it → set in MySQL again"], "--logins")


def test_several_things_at_once_are_healed_by_one_apply(shop: CommandLine, cloud: Cloud):
    Hand(cloud, "app").delete_at_once()
    Hand(cloud, "report")("cancel_rotate_secret")
    Hand(cloud, "fixed").put(host="elsewhere")
    Hand(cloud, "far").delete(RecoveryWindowInDays=30)
    cloud.sql("REVOKE SELECT ON shop.* FROM fixed")
    lines = [
        f"user app: {GONE}",
        "user report: rotation: off → every 7 days",
        "user fixed: secret: host missing or wrong → written again",
        "user far: secret: waits for its deletion → restored",
    ]
    assert_healed(shop, cloud, lines, "--logins")


def test_logins_that_tell_nothing_are_counted(shop: CommandLine):
    planned = shop("aurora-tenants plan --logins")
    assert "3 of 4 logins were tried; a refusal would mean nothing for 1 whose host may not be the Data API's" in (
        " ".join(planned.out.split())
    )


def test_no_value_of_a_secret_is_ever_printed(shop: CommandLine, cloud: Cloud):
    Hand(cloud, "app").put(password="hunter2hunter2", host="h1dden")
    for line in ("plan --logins", "plan --logins --output json", "apply --yes --logins"):
        shop(f"aurora-tenants {line}")
    values = {str(value["password"]) for value in map(json.loads, cloud.secrets().values()) if "password" in value}
    assert not [value for value in (*values, "hunter2hunter2", "h1dden") if value in shop.printed]


def test_a_plan_asks_a_page_for_each_hundred_secrets_and_looks_again_at_what_differs(shop: CommandLine, cloud: Cloud):
    secrets = cloud.client("secretsmanager")
    made = [f"{SECRET}more{number}" for number in range(100)]
    for name in (*made, f"/{SHARED}-two/database/app"):
        secrets.create_secret(Name=name, SecretString="{}")
    before = cloud.calls()
    assert shop("aurora-tenants plan --detailed-exitcode").code == 0
    assert (cloud.calls() - before)["secretsmanager:ListSecrets"] == 2
    for name in made:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    before = cloud.calls()
    assert shop("aurora-tenants plan --detailed-exitcode").code == 0
    asked = cloud.calls() - before
    assert (asked["secretsmanager:ListSecrets"], asked["secretsmanager:DescribeSecret"]) == (1, 0)
    Hand(cloud, "app")("cancel_rotate_secret")
    before = cloud.calls()
    assert shop("aurora-tenants plan --detailed-exitcode").code == 2
    asked = cloud.calls() - before
    assert (asked["secretsmanager:ListSecrets"], asked["secretsmanager:DescribeSecret"]) == (1, 1)
    assert shop("aurora-tenants apply --yes").code == 0


def test_another_period_in_the_file_is_no_drift(shop: CommandLine, cloud: Cloud):
    shop.file(TENANTS.replace("rotate_after_days: 7", "rotate_after_days: 14"))
    planned = json.loads(shop("aurora-tenants plan --output json").out)["tenants"][0]
    assert (planned["action"], planned["origin"], planned["items"][0]["origins"]) == ("update", "file", ["file"])
    Hand(cloud, "app")("cancel_rotate_secret")
    planned = json.loads(shop("aurora-tenants plan --output json").out)["tenants"][0]
    assert "user app: rotation: off → every 30 days" in secret_parts(planned)
    assert {item["name"]: item["origins"] for item in planned["items"]} == {"app": ["drift"], "report": ["file"]}
    assert shop("aurora-tenants apply --yes").code == 0
    assert shop("aurora-tenants plan --detailed-exitcode").code == 0
    assert Hand(cloud, "report")("describe_secret")["RotationRules"] == {"AutomaticallyAfterDays": 14}
    shop.file(TENANTS)
    assert shop("aurora-tenants apply --yes").code == 0


def test_one_apply_gets_out_of_a_rollback_that_a_missing_secret_has_broken(shop: CommandLine, cloud: Cloud):
    """The secret is deleted, and then a change of its user fails, and so does undoing it."""
    Hand(cloud, "app").delete_at_once()
    cloudformation = cloud.client("cloudformation")
    template = cloudformation.get_template(StackName=STACK)["TemplateBody"]
    template["Resources"]["UserApp"]["Properties"]["MaxUserConnections"] = 5
    template["Resources"]["SecretApp"]["Properties"]["Description"] = "another"
    template["Resources"]["RotationApp"]["Properties"]["RotationRules"] = {"AutomaticallyAfterDays": 31}
    cloudformation.update_stack(StackName=STACK, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    assert cloud.settled(STACK) == "UPDATE_ROLLBACK_FAILED"
    assert_healed(shop, cloud, [f"user app: {GONE}"])
    assert cloud.stacks()[STACK] == "UPDATE_COMPLETE"


def test_a_window_that_somebody_changed_comes_back(shop: CommandLine, cloud: Cloud):
    shop.file(TENANTS.replace("app: {", 'app: {rotate_window: "SUN 02:00-05:00", '))
    planned = json.loads(shop("aurora-tenants plan --output json").out)["tenants"][0]
    words = "on the first SUN of every month, 02:00-05:00 UTC"
    assert [(it["name"], it["text"]) for it in planned["items"]] == [("app", f"rotates: every 30 days → {words}")]
    assert shop("aurora-tenants apply --yes").code == 0
    assert shop("aurora-tenants plan --detailed-exitcode").code == 0
    by_hand = Hand(cloud, "app")
    wanted = {"ScheduleExpression": "cron(0 2 ? * SUN#1 *)", "Duration": "3h"}
    assert by_hand("describe_secret")["RotationRules"].items() >= wanted.items()
    by_hand("rotate_secret", RotationRules={**wanted, "Duration": "6h"}, RotateImmediately=False)
    until(lambda: "AWSPENDING" not in str(by_hand("describe_secret")["VersionIdsToStages"]))
    planned = json.loads(shop("aurora-tenants plan --output json").out)["tenants"][0]
    assert secret_parts(planned) == [f"user app: rotation: {words[:-9]}08:00 UTC → {words}"]
    assert shop("aurora-tenants apply --yes").code == 0
    assert by_hand("describe_secret")["RotationRules"]["Duration"] == "3h"
    shop.file(TENANTS)
    assert shop("aurora-tenants apply --yes").code == 0
