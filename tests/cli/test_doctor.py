"""Doctor in worlds that are broken: each is told by its own problem with a fix, and by no other.

Worlds are made in the sandbox through AWS's APIs. What it cannot be made to answer (a clock or a key that AWS refuses,
a region with two zones, a quota that is nearly met) is either answered by a server of the test's own, in AWS's words,
or is left to tests/doctor, where the facts are as AWS documents them.
"""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from aurora_sandbox import lifecycle
from tests.cli.conftest import CommandLine
from tests.cli.test_policies import role_of
from tests.cli.test_shared import PARAMETERS, shared_template, template
from tests.cloud import PROVIDER, SHARED, Cloud
from tests.endpoint import Endpoint, endpoint_of, environment, set_environment, until

SHOP = "  shop:\n    databases: {shop: {}}\n    users:\n      shop: {privileges: [{permission: ALL, database: shop}]}\n"
READS = ("Describe", "Get", "List", "Simulate", "Validate")

Check = dict[str, str]
Examine = Callable[..., tuple[int, list[Check]]]


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cloud" in request.fixturenames:
        request.getfixturevalue("cloud").clean()


@pytest.fixture
def examine(run: CommandLine) -> Examine:
    """Runs doctor and gives its exit code and checks."""

    def examined(options: str = "") -> tuple[int, list[Check]]:
        ended = run(f"aurora-tenants doctor {options} --output json")
        assert ended.err == ""
        report = json.loads(ended.out)
        assert report["format_version"] == 1
        assert report["has_problems"] is (ended.code == 1)
        return ended.code, report["checks"]

    return examined


def bad(checks: list[Check], result: str = "problem") -> dict[str, list[str]]:
    """What was found by the checks with this result; each must have a fix."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if check["result"] == result:
            assert check["fix"], check
            found.setdefault(check["check"], []).append(check["found"])
    return found


def only_problem(code: int, checks: list[Check]) -> Check:
    """The one problem, with no warning beside it."""
    assert code == 1
    (problem,) = (check for check in checks if check["result"] == "problem")
    assert problem["fix"]
    assert bad(checks, "warning") == {}
    return problem


def result_of(checks: list[Check], name: str) -> str:
    (found,) = {check["result"] for check in checks if check["check"] == name}
    return found


# Worlds in order


@contextmanager
def empty(directory: Path) -> Iterator[Endpoint]:
    """A sandbox with nothing in it."""
    state = directory / "sandbox"
    running = lifecycle.up(mysqld=None, partial_revokes=True, tell=lambda _: None, directory=state)
    try:
        yield endpoint_of(running, lifecycle.environment(running))
    finally:
        lifecycle.down(directory=state)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with empty(tmp_path_factory.mktemp("bare")) as running:
        yield running


@pytest.fixture
def in_bare(bare: Endpoint, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> Examine:
    set_environment(monkeypatch, bare.environment)
    return examine


def test_nothing_is_wrong_with_an_empty_account(in_bare: Examine, run: CommandLine):
    run.file(SHOP)
    code, checks = in_bare()
    assert (code, bad(checks), bad(checks, "warning")) == (0, {}, {})
    assert result_of(checks, "zones") == result_of(checks, "engine") == result_of(checks, "may-deploy-shared") == "ok"
    assert result_of(checks, "may-plan") == result_of(checks, "functions") == "not-checked"


def test_nothing_is_wrong_with_what_is_deployed(examine: Examine, run: CommandLine):
    run.file(SHOP)
    assert run("aurora-tenants apply --yes").code == 0
    code, checks = examine()
    assert (code, bad(checks), bad(checks, "warning")) == (0, {}, {})
    skipped = {check["check"] for check in checks if check["result"] == "not-checked"}
    assert skipped == {"zones", "vpc-quota", "role-quota", "cluster"}


def documented() -> set[str]:
    """The operations that docs/doctor.md lists."""
    text = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text().partition("## What it calls")[2]
    return {name for line in text.split("```")[1].strip().split("\n") for name in line.partition(":")[2].split()}


def test_only_calls_that_change_nothing_are_made(
    examine: Examine, cloud: Cloud, bare: Endpoint, run: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    """Those of the sandbox's own services are counted there; a hook sees all, before they are sent."""
    run.file(SHOP)
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    made, make = list[Any](), boto3.Session.client

    def client(self: boto3.Session, name: str, **options: Any) -> Any:
        def note(model: Any, params: Any, **_: Any) -> None:
            made.append((name, model.name, params["body"]))

        seen = make(self, name, **options)
        seen.meta.events.register("before-call", note)
        return seen

    before = cloud.calls()
    monkeypatch.setattr(boto3.Session, "client", client)
    assert examine(f"--cluster {cluster}")[0] == 0
    counted = {name.partition(":")[2] for name in cloud.calls() - before}
    set_environment(monkeypatch, bare.environment)
    assert examine()[0] == 0
    asked = [json.loads(body)["sql"] for service, _, body in made if service == "rds-data"]
    assert asked == ["SELECT 1"]
    operations = {operation for service, operation, _ in made if service != "rds-data"}
    assert [operation for operation in operations if not operation.startswith(READS)] == []
    assert counted - operations == {"ExecuteStatement"}
    # The caller here is no session of a role, whose path would have to be read.
    assert (operations - documented(), documented() - operations) == ({"GetCallerIdentity"}, {"GetRole"})


def test_text_says_a_line_for_each_check_and_a_total(in_bare: Examine, run: CommandLine):
    run.file("")
    ended = run("aurora-tenants doctor --no-color --stack " + "s" * 40)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[-1].startswith("2 problems, 0 warnings, ")
    assert f"problem      names              stack name {'s' * 40} is 1 character too long" in lines
    at = next(number for number, line in enumerate(lines) if line.startswith("problem      names"))
    assert [line.strip().partition(":")[0] for line in lines[at + 1 : at + 3]] == ["why", "fix"]


# Before AWS is asked


def test_world_1_there_are_no_credentials(examine: Examine, run: CommandLine, monkeypatch: pytest.MonkeyPatch):
    run.file(SHOP)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    code, checks = examine()
    assert only_problem(code, checks)["check"] == "credentials"
    rest = {check["check"]: check["result"] for check in checks} | {"credentials": "problem"}
    ok = {name for name, result in rest.items() if result == "ok"}
    assert ok == {"file", "names"}
    assert set(rest.values()) == {"ok", "problem", "not-checked"}


def test_world_2_there_is_no_region(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    problem = only_problem(*examine())
    assert (problem["check"], "--region" in problem["fix"]) == ("credentials", True)


def test_world_3_nothing_listens_where_aws_should_be(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    problem = only_problem(*examine())
    assert problem["check"] == "credentials"
    assert "Could not connect to the endpoint URL" in problem["found"]


class Refusing(BaseHTTPRequestHandler):
    """Refuses every call as STS does. The sandbox verifies no signature's time."""

    code, message, ahead = "", "", timedelta()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = (
            f"<ErrorResponse><Error><Code>{self.code}</Code><Message>{self.message}</Message></Error></ErrorResponse>"
        )
        self.send_response_only(403)
        self.send_header("Date", format_datetime(datetime.now(UTC) + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def refusing(code: str, message: str, *, ahead: timedelta = timedelta()) -> Iterator[str]:
    handler = type("Handler", (Refusing,), {"code": code, "message": message, "ahead": ahead})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_world_4_the_key_is_wrong(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    with refusing("InvalidClientTokenId", "The security token included in the request is invalid.") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        problem = only_problem(*examine())
    assert problem["check"] == "credentials"
    assert problem["found"] == "could not use the AWS credentials: the AWS credentials are wrong"


def test_world_5_the_clock_is_wrong(examine: Examine, monkeypatch: pytest.MonkeyPatch):
    """AWS refuses the signature then, and calls it wrong: the clock is told, and not the key."""
    said = "Signature expired: 20261127T055715Z is now earlier than 20261127T060215Z (20261127T060715Z - 5 min.)"
    with refusing("SignatureDoesNotMatch", said, ahead=timedelta(minutes=10)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        problem = only_problem(*examine())
    assert (problem["check"], problem["found"]) == ("clock", "this machine's clock is 10 min behind AWS's")


def test_a_sandbox_whose_clock_was_moved_is_a_warning(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with empty(tmp_path) as moved:  # for good: a clock cannot be moved back
        set_environment(monkeypatch, moved.environment)
        moved.post("clock", {"to": "+10h"})
        code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    assert bad(checks, "warning") == {"clock": ["this machine's clock is 10 h 0 min behind AWS's"]}


# The file and the names


def test_world_6_the_file_is_invalid_and_the_rest_is_checked(examine: Examine, run: CommandLine):
    run.file("  shop: {databases: {shop_%: {}}, owner: me}\n")
    code, checks = examine("tenants.yaml")
    problem = only_problem(code, checks)
    assert problem["found"].startswith("tenants.yaml has 2 problems; the first: ")
    assert problem["fix"] == "run: aurora-tenants validate --file tenants.yaml"
    assert result_of(checks, "data-api") == "ok"
    assert result_of(checks, "tenant-templates") == "not-checked"


def test_a_file_that_is_not_there_is_a_problem_only_if_it_was_named(examine: Examine):
    assert examine()[0] == 0
    assert only_problem(*examine("other.yaml"))["found"] == "other.yaml does not exist"


def test_world_7_the_stacks_name_is_too_long(in_bare: Examine):
    assert in_bare("--stack " + "s" * 39)[0] == 0
    problem = only_problem(*in_bare("--stack " + "s" * 40))
    assert (problem["check"], problem["fix"]) == ("names", "shorten it by 1 character, to 39 at most")


# What is deployed


def test_world_8_the_data_api_is_off_and_the_fix_switches_it_on(examine: Examine, cloud: Cloud):
    rds = cloud.client("rds")
    arn = rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    rds.disable_http_endpoint(ResourceArn=arn)
    code, checks = examine()
    problem = only_problem(code, checks)
    assert problem["check"] == "shared-cluster"
    assert result_of(checks, "data-api") == "not-checked"
    aws, service, command, option, value = shlex.split(problem["fix"].removeprefix("run: "))
    assert (aws, service, command, option) == ("aws", "rds", "enable-http-endpoint", "--resource-arn")
    rds.enable_http_endpoint(ResourceArn=value)
    assert examine()[0] == 0


def test_world_9_a_function_was_deleted(examine: Examine, cloud: Cloud):
    """Here the stack's outputs name a function that was never there: no call deletes one in the sandbox yet."""
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    secret = cloud.client("secretsmanager").describe_secret(SecretId=f"/{SHARED}/database/aurora_tenants_inspector")
    mine = shared_template()
    outputs = {
        "ProviderVersion": "2",
        "DatabaseServer": cluster,
        "InspectorSecret": secret["ARN"],
        "DatabaseServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:gone",
        "DatabaseSecretRotationLambda": f"arn:aws:lambda:eu-west-1:123456789012:function:{PROVIDER}",
    }
    mine["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
    assert cloud.deploy("mine", mine) == "CREATE_COMPLETE"
    code, checks = examine("--stack mine")
    assert (code, bad(checks)) == (1, {"functions": ["function gone is not there"]})
    # Its template is another's.
    assert bad(checks, "warning").keys() == {"shared-stack"}


def test_world_10_the_first_deployment_was_rolled_back(in_bare: Examine, bare: Endpoint):
    failing = template(fails=True, **PARAMETERS)
    assert bare.deploy("half", failing) == "ROLLBACK_COMPLETE"
    problem = only_problem(*in_bare("--stack half"))
    assert problem["check"] == "shared-stack"
    assert problem["fix"].startswith(
        "run: aurora-tenants shared delete --stack half, then aurora-tenants shared deploy"
    )


def test_world_11_the_stack_is_something_else(examine: Examine, cloud: Cloud):
    cloud.deploy("other", template())
    assert only_problem(*examine("--stack other"))["found"] == "stack other is not a shared stack"


def test_world_12_the_shared_stack_is_too_old(examine: Examine, cloud: Cloud):
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    old = shared_template() | {"Outputs": {"ProviderVersion": {"Value": "1"}, "DatabaseServer": {"Value": cluster}}}
    assert cloud.deploy("old", old) == "CREATE_COMPLETE"
    problem = only_problem(*examine("--stack old"))
    assert (problem["check"], "shared deploy --stack old" in problem["fix"]) == ("shared-stack", True)


def test_world_13_the_inspector_cannot_log_in(examine: Examine, cloud: Cloud):
    cloud.sql("ALTER USER aurora_tenants_inspector ACCOUNT LOCK")
    try:
        problem = only_problem(*examine())
    finally:
        cloud.sql("ALTER USER aurora_tenants_inspector ACCOUNT UNLOCK")
    assert problem["check"] == "data-api"


def test_lost_events_are_a_warning(examine: Examine, cloud: Cloud):
    stack = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]
    url = next(it["OutputValue"] for it in stack["Outputs"] if it["OutputKey"] == "PauseScheduleDeadLetters")
    sqs = cloud.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    try:
        code, checks = examine()
    finally:
        sqs.purge_queue(QueueUrl=url)
    assert (code, [*bad(checks, "warning")]) == (0, ["lost-events"])


def test_a_paused_cluster_is_left_asleep(examine: Examine, cloud: Cloud):
    cloud.post("pause", {"seconds": 0})
    before = cloud.calls()["rds-data:ExecuteStatement"]
    code, checks = examine()
    assert (code, result_of(checks, "data-api")) == (0, "not-checked")
    assert cloud.calls()["rds-data:ExecuteStatement"] == before
    cluster = cloud.client("rds").describe_db_clusters()["DBClusters"][0]
    with environment(cloud.environment):
        data = boto3.client("rds-data")
    call: Mapping[str, str] = {
        "resourceArn": cluster["DBClusterArn"],
        "secretArn": cluster["MasterUserSecret"]["SecretArn"],
        "sql": "SELECT 1",
    }

    def answers() -> bool:
        try:
            data.execute_statement(**call)
        except data.exceptions.DatabaseResumingException:
            return False
        return True

    until(answers)


def test_a_tenants_stack_that_failed_is_a_warning(examine: Examine, cloud: Cloud):
    tags = [
        {"Key": "aurora-tenants:cluster", "Value": SHARED},
        {"Key": "aurora-tenants:tenant", "Value": "shop"},
    ]
    cloud.deploy(f"{SHARED}-shop", template(fails=True), Tags=tags)
    code, checks = examine()
    assert (code, bad(checks, "warning")) == (
        0,
        {"tenant-stacks": ["1 of 1 tenant stacks: shop (ROLLBACK_COMPLETE)"]},
    )


def test_a_throttled_call_costs_one_line(examine: Examine, cloud: Cloud):
    cloud.throttle("cloudformation", "DescribeAccountLimits", 3)
    cloud.throttle("lambda", "GetFunctionConfiguration", 3)
    code, checks = examine()
    assert (code, [*bad(checks, "warning")]) == (0, ["functions"])
    (quota,) = (check["found"] for check in checks if check["check"] == "stack-quota")
    assert "AWS's default: the account's own could not be read" in quota


# A cluster of one's own


def test_world_14_a_cluster_of_an_old_version_is_unfit(examine: Examine, cloud: Cloud):
    """moto's cluster: only RDS's description of one counts here."""
    rds = cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="legacy",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.04.1",
        MasterUsername="admin",
        MasterUserPassword="only-for-this-test",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 1},
    )
    try:
        rds.create_db_instance(
            DBInstanceIdentifier="legacy-1",
            DBClusterIdentifier="legacy",
            DBInstanceClass="db.t3.medium",
            Engine="aurora-mysql",
        )
        code, checks = examine("--cluster legacy")
    finally:
        rds.delete_db_instance(DBInstanceIdentifier="legacy-1")
        rds.delete_db_cluster(DBClusterIdentifier="legacy", SkipFinalSnapshot=True)
    assert (code, bad(checks)) == (
        1,
        {
            "cluster": [
                "cluster legacy has engine version 8.0.mysql_aurora.3.04.1",
                "the Data API of cluster legacy is off",
                "the writer legacy-1 of cluster legacy is a db.t3.medium",
                "the master user's password of cluster legacy is not kept in Secrets Manager by RDS",
            ]
        },
    )
    assert bad(checks, "warning") == {"cluster": ["cluster legacy has no IAM authentication"]}


# Permissions


@dataclass(frozen=True)
class Keys:
    """Access keys by the name of the role that they are of."""

    keys: Mapping[str, str]
    patch: pytest.MonkeyPatch

    def __call__(self, role: str) -> None:
        self.patch.setenv("AWS_ACCESS_KEY_ID", self.keys[role])


def policy(*actions: str) -> dict[str, Any]:
    document = {"Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}], "Version": "2012-10-17"}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}


EVERYTHING_READ = (
    *("cloudformation:Describe*", "cloudformation:Get*", "cloudformation:List*", "cloudformation:ValidateTemplate"),
    *("cloudwatch:Get*", "ec2:Describe*", "iam:Get*", "iam:Simulate*", "lambda:Get*", "rds:Describe*"),
    *("secretsmanager:DescribeSecret", "servicequotas:Get*", "sqs:Get*", "scheduler:Get*", "scheduler:List*"),
)
WRITES = ("cloudformation:*", "iam:PassRole", "rds:*", "scheduler:*", "secretsmanager:*", "lambda:*", "iam:*", "logs:*")
WRITES += ("sqs:*", "ec2:*")


@pytest.fixture
def act_as(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, run: CommandLine) -> Keys:
    """Roles that may read everything but MySQL; may do nothing; and may plan, as a pull request does."""
    shared = cloud.client("cloudformation").describe_stacks(StackName=SHARED)["Stacks"][0]["Outputs"]
    plan = next(it["OutputValue"] for it in shared if it["OutputKey"] == "PlanPolicy")
    resources = {"NoMysql": policy(*EVERYTHING_READ, *WRITES), "Simulates": policy("iam:SimulatePrincipalPolicy")}
    resources |= role_of("Reader", [{"Ref": "NoMysql"}]) | role_of("Nobody", [])  # type: ignore[list-item]
    resources |= role_of("Plan", [plan]) | role_of("Planner", [plan, {"Ref": "Simulates"}])  # type: ignore[list-item]
    names = ("Reader", "Nobody", "Plan", "Planner")
    outputs = {name: {"Value": {"Fn::GetAtt": [name, "Key"]}} for name in names}
    body = {"Resources": resources, "Outputs": outputs}
    assert cloud.deploy("ci", body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    told = cloud.client("cloudformation").describe_stacks(StackName="ci")["Stacks"][0]["Outputs"]
    return Keys({it["OutputKey"]: it["OutputValue"] for it in told}, monkeypatch)


def test_world_15_the_data_api_is_denied(examine: Examine, act_as: Keys):
    """The denied call itself is a warning, and what it means to plans is the problem."""
    act_as("Reader")
    code, checks = examine()
    assert code == 1
    (missing,) = bad(checks)["may-plan"]
    assert missing.startswith("plan needs what the caller may not do: rds-data:ExecuteStatement on arn:aws:rds:")
    assert bad(checks).keys() == {"may-plan"}
    assert bad(checks, "warning").keys() == {"data-api"}


def test_world_16_the_caller_may_do_nothing(examine: Examine, act_as: Keys):
    """Nobody is told of what cannot be looked at that it is broken; each line names the action that is missing."""
    act_as("Nobody")
    code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    denied = {check["check"]: check["fix"] for check in checks if check["result"] == "warning"}
    assert denied["may-plan"] == "allow iam:SimulatePrincipalPolicy and iam:GetRole"
    assert denied["shared-template"] == "allow cloudformation:ValidateTemplate"
    assert denied["engine"] == "allow rds:DescribeDBEngineVersions"
    assert "shared-stack" in denied
    assert result_of(checks, "credentials") == "ok"


def test_a_pull_request_may_plan_and_not_apply(examine: Examine, act_as: Keys):
    act_as("Planner")
    code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    assert result_of(checks, "may-plan") == "ok"
    assert {"may-apply", "may-deploy-shared"} <= bad(checks, "warning").keys()


def test_without_simulation_a_pull_request_learns_that_mysql_answers(examine: Examine, act_as: Keys):
    act_as("Plan")
    code, checks = examine()
    assert (code, bad(checks)) == (0, {})
    assert result_of(checks, "may-plan") == "warning"
    assert result_of(checks, "data-api") == result_of(checks, "inspector-secret") == "ok"


def test_world_17_a_caller_without_permissions_would_deploy_first(
    in_bare: Examine, bare: Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    resources = {"Looks": policy(*EVERYTHING_READ), **role_of("Reader", [{"Ref": "Looks"}])}  # type: ignore[list-item]
    outputs = {"Key": {"Value": {"Fn::GetAtt": ["Reader", "Key"]}}}
    body = {"Resources": resources, "Outputs": outputs}
    assert bare.deploy("ci", body, Capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"
    (key,) = bare.client("cloudformation").describe_stacks(StackName="ci")["Stacks"][0]["Outputs"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["OutputValue"])
    code, checks = in_bare()
    assert code == 1
    (missing,) = bad(checks)["may-deploy-shared"]
    assert (
        "cloudformation:CreateChangeSet on arn:aws:cloudformation:eu-west-1:123456789012:stack/shared-global/x"
        in missing
    )
    assert bad(checks).keys() == {"may-deploy-shared"}
