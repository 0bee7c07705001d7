"""A team comes over from the article's own shared stack by the commands and diffs of docs/from-the-article.md."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from aurora_sandbox.cloudformation.yaml import load
from aurora_tenants.mysql.live import Row
from aurora_tenants.tenant.rotation import new_version
from tests.article import OLD, PARTS, SERVICE, patched, shared_stack, upload_rotation
from tests.cli.conftest import CommandLine, command_line
from tests.cloud import Cloud, empty
from tests.endpoint import Endpoint, until

DOCUMENT = (Path(__file__).parents[2] / "docs" / "from-the-article.md").read_text()
DIFFS = re.findall(r"```diff\n(.*?)```", DOCUMENT, re.DOTALL)
NEW = "tenants-global"
SERVICES = ("shop", "stock")
# Those that do what the document warns of.
HASTY, BACK = "hasty", "back"
BEFORE = SERVICE.read_text()
FIRST = patched(BEFORE, DIFFS[0])
SECOND = patched(FIRST, DIFFS[1])
THIRD = patched(SECOND, DIFFS[2])
HEAD = f"version: 1\ncluster: {{stack: {NEW}}}\ntenants:\n"
TENANTS = """\
  wiki:
    databases: {wiki: {}}
    users:
      wiki: {privileges: [{permission: ALL, database: wiki}]}
"""
WORD_FOR_WORD = {
    "network": "4ab29702c8467372828780128745d41173a0fde12624cbd254618cf74b516968",
    "cluster": "34aa9da9a31d7843de874166395e394f1bf7d882af36fc1dba474a78c0b72788",
    "rotation": "9b3ea5af4098e9673b7109a5137fbe4e5290892c8a25b7ef5a021a059a279fb9",
    "database": "32ff086397704825dae14ad8ab07b405c6b94187ad88582455355fbef0bcd3ea",
    "user": "e8f4ac38fea009fb6d1c3d422bc9633945c4100910b228d0b675d65076fce3e0",
}


class Team:
    """The team's account. passwords: what each service's clients have used since before anything was changed."""

    def __init__(self, cloud: Cloud) -> None:
        # A Cloud takes the stack shared-global for ours.
        self.cloud = Endpoint(cloud.endpoint_url, cloud.environment, cloud.port, cloud.socket)
        self.passwords: dict[str, str] = {}
        self.rows: dict[str, list[Row]] = {}

    def deploy(self, stack: str, template: str) -> str:
        """Creates or updates a stack; the status it ends with."""
        cloudformation = self.cloud.client("cloudformation")
        call = cloudformation.update_stack if stack in self.cloud.stacks() else cloudformation.create_stack
        call(StackName=stack, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
        return self.cloud.settled(stack)

    def begin(self, service: str) -> None:
        """A service of 2020: with rows, and clients that know its password. Its first rotation is over."""
        assert self.deploy(service, BEFORE) == "CREATE_COMPLETE"
        self.await_first_rotation(service)
        self.passwords[service] = self.password(OLD, service)
        with self.cloud.connect(service, self.passwords[service]) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE `{service}`.orders (id INT PRIMARY KEY, word TEXT)")
            cursor.execute(f"INSERT INTO `{service}`.orders VALUES (1, 'first'), (2, '{service}')")
        self.rows[service] = self.cloud.sql(f"SELECT * FROM `{service}`.orders")

    def await_first_rotation(self, user: str) -> None:
        until(lambda: "LastRotatedDate" in self.described(OLD, user) and not self.is_rotating(OLD, user))

    def described(self, stack: str, service: str) -> dict[str, Any]:
        secrets = self.cloud.client("secretsmanager")
        found: dict[str, Any] = secrets.describe_secret(SecretId=f"/{stack}/database/{service}")
        return found

    def is_rotating(self, stack: str, service: str) -> bool:
        stages = self.described(stack, service)["VersionIdsToStages"].values()
        return any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages)

    def password(self, stack: str, service: str) -> str:
        text = self.cloud.client("secretsmanager").get_secret_value(SecretId=f"/{stack}/database/{service}")
        return str(json.loads(text["SecretString"])["password"])

    def rotate(self, stack: str, user: str) -> None:
        """Rotates now, however soon after another, and waits until that is over."""
        secrets, name = self.cloud.client("secretsmanager"), f"/{stack}/database/{user}"
        until(lambda: not self.is_rotating(stack, user))
        version = new_version(is_forced=True)
        secrets.rotate_secret(SecretId=name, ClientRequestToken=version)
        until(lambda: secrets.get_secret_value(SecretId=name)["VersionId"] == version)

    def reads(self, service: str, password: str) -> list[Row]:
        """What a client sees that logs in with this password. Raises pymysql.OperationalError."""
        with self.cloud.connect(service, password) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM `{service}`.orders")
            return list(cursor.fetchall())

    def assert_as_before(self, *services: str) -> None:
        """Whoever logs in with the password of before sees every row, and the user's rights are as they were."""
        for service in services or self.passwords:
            assert self.reads(service, self.passwords[service]) == self.rows[service], service
            assert self.cloud.sql(f"SHOW GRANTS FOR `{service}`") == [
                (f"GRANT USAGE ON *.* TO `{service}`@`%`",),
                (f"GRANT ALL PRIVILEGES ON `{service}`.* TO `{service}`@`%`",),
            ]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The account as the team left it in 2020, but for the cluster's Serverless v2.

    Its users were made by MySQL 5.7, which had no partial revokes. With them the article's REVOKE ALL fails (3879).
    """
    with empty(tmp_path_factory.mktemp("team"), partial_revokes=False) as cloud:
        upload_rotation(cloud)
        it = Team(cloud)
        assert it.deploy(OLD, json.dumps(shared_stack())) == "CREATE_COMPLETE"
        it.await_first_rotation("root")  # the functions log in with it, and while it is rotated they cannot
        for service in (*SERVICES, HASTY, BACK):
            it.begin(service)
        yield it


@pytest.fixture
def run(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(team.cloud, tmp_path, monkeypatch, capsys)


def has_database(team: Team, name: str) -> bool:
    return (name,) in team.cloud.sql("SHOW DATABASES")


def reasons(team: Team, stack: str) -> str:
    """Everything that was told of a stack."""
    events = team.cloud.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return "\n".join(event.get("ResourceStatusReason", "") for event in events)


def command(beginning: str, **values: str) -> str:
    """The document's command that begins so, with values for its variables."""
    [line] = [line for line in DOCUMENT.splitlines() if line.startswith(f"aurora-tenants {beginning}")]
    for name, value in values.items():
        line = line.replace(f"${name}", value)
    assert "$" not in line
    return line


@pytest.mark.parametrize("part", PARTS, ids=lambda path: path.stem)
def test_the_text_of_its_shared_stack_is_the_articles_word_for_word(part: Path):
    assert hashlib.sha256(part.read_bytes()).hexdigest() == WORD_FOR_WORD[part.stem]


# In this order, as the document has it.


def test_the_old_stack_is_never_taken_for_ours(team: Team, run: CommandLine):
    before = team.cloud.client("cloudformation").get_template(StackName=OLD)["TemplateBody"]
    ended = run("aurora-tenants shared deploy --yes --new-cluster")
    assert ended.code == 1
    assert f"error: stack {OLD} is not a shared stack" in ended.err
    assert team.cloud.client("cloudformation").get_template(StackName=OLD)["TemplateBody"] == before
    team.assert_as_before()


def test_ours_is_deployed_beside_it(team: Team, run: CommandLine):
    exports = team.cloud.client("cloudformation").list_exports()["Exports"]
    [cluster] = [it["Value"] for it in exports if it["Name"] == "shared-global-database-server"]
    ended = run(command("shared deploy --stack tenants-global", CLUSTER=cluster) + " --yes")
    assert (ended.code, ended.out) == (0, f"Stack {NEW} is deployed.\n"), ended.err
    team.assert_as_before()


def test_it_can_be_deleted_again_and_deployed_again(team: Team, run: CommandLine):
    line = re.search(r"`(aurora-tenants shared delete [^`]*)`", DOCUMENT)
    assert line
    assert run(f"{line[1]} --yes").code == 0
    team.assert_as_before()
    test_ours_is_deployed_beside_it(team, run)


def test_the_second_deployment_without_the_first_loses_the_database(team: Team):
    """Why there is a first one. The article's function does as it is told."""
    assert team.deploy(HASTY, SECOND) == "UPDATE_COMPLETE"
    assert not has_database(team, HASTY)
    del team.passwords[HASTY]
    team.assert_as_before()


def test_a_service_token_under_the_old_name_is_refused(team: Team):
    same_names = FIRST.replace("shared-global-database-service-token", f"{NEW}-database-service-token")
    assert team.deploy(BACK, same_names) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Modifying service token is not allowed." in reasons(team, BACK)
    team.assert_as_before()


def test_without_adopt_nothing_is_taken_and_nothing_changes(team: Team):
    assert team.deploy(BACK, FIRST) == "UPDATE_COMPLETE"
    team.assert_as_before()
    assert team.deploy(BACK, SECOND.replace("      Adopt: true\n", "")) == "UPDATE_ROLLBACK_COMPLETE"
    assert "exists already" in reasons(team, BACK)
    team.assert_as_before()


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("/tenants-global/database/", "/elsewhere/database/", "is not authorized to perform: secretsmanager"),
        # The rotation is the last one: by then database and user are adopted.
        (
            "{AutomaticallyAfterDays: 30}",
            "{AutomaticallyAfterDays: 2000}",
            "failed to create: [TenantUserSecretRotation]",
        ),
    ],
)
def test_a_second_deployment_that_fails_gives_back_what_it_adopted(right: str, wrong: str, reason: str, team: Team):
    assert team.deploy(BACK, SECOND.replace(right, wrong)) == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in reasons(team, BACK)
    team.assert_as_before()


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_comes_over_with_its_rows_and_its_password(service: str, team: Team):
    assert team.deploy(service, FIRST) == "UPDATE_COMPLETE"
    template = team.cloud.client("cloudformation").get_template(StackName=service)["TemplateBody"]
    assert len(re.findall(r"DeletionPolicy\W+Retain", template)) == 4
    assert not team.described(OLD, service).get("RotationEnabled")
    team.assert_as_before()

    assert team.deploy(service, SECOND) == "UPDATE_COMPLETE"
    team.assert_as_before()
    assert team.reads(service, team.password(NEW, service)) == team.rows[service]
    assert team.password(OLD, service) == team.passwords[service] != team.password(NEW, service)


def test_the_old_functions_cannot_go_while_a_service_imports_them(team: Team):
    assert team.deploy(OLD, json.dumps(without_functions())) == "UPDATE_ROLLBACK_COMPLETE"
    assert "shared-global-database-service-token" in reasons(team, OLD)
    team.assert_as_before()


def back() -> str:
    """The template without what begins with Tenant."""
    resources = re.split(r"^(?=  \w)", SECOND, flags=re.MULTILINE)
    return "".join(part for part in resources if not part.startswith("  Tenant"))


def test_there_is_a_way_back_also_after_a_rotation_and_over_again(team: Team):
    assert team.deploy(BACK, SECOND) == "UPDATE_COMPLETE"
    assert team.deploy(BACK, back()) == "UPDATE_COMPLETE"
    team.assert_as_before()

    assert team.deploy(BACK, SECOND) == "UPDATE_COMPLETE"
    team.assert_as_before()
    team.rotate(NEW, BACK)
    with pytest.raises(pymysql.OperationalError, match="1045"):
        team.reads(BACK, team.passwords[BACK])
    secrets = team.cloud.client("secretsmanager")
    text = secrets.get_secret_value(SecretId=f"/{NEW}/database/{BACK}")["SecretString"]
    secrets.put_secret_value(SecretId=f"/{OLD}/database/{BACK}", SecretString=text)
    team.passwords[BACK] = team.password(OLD, BACK)
    team.assert_as_before()
    assert team.deploy(BACK, back()) == "UPDATE_COMPLETE"
    team.assert_as_before()


def test_whoever_gives_it_back_to_the_old_functions_loses_the_database(team: Team):
    """Why the way back is another: Create fails because there is a database, and so it is sent a Delete."""
    assert team.deploy(BACK, BEFORE) == "UPDATE_ROLLBACK_COMPLETE"
    assert not has_database(team, BACK)
    del team.passwords[BACK]
    team.assert_as_before()


def test_rotation_by_ours_leaves_everybody_in(team: Team):
    service, other = SERVICES
    between = team.password(NEW, service)
    team.rotate(NEW, service)
    for password in (between, team.password(NEW, service)):
        assert team.reads(service, password) == team.rows[service]
    team.assert_as_before(other)
    team.passwords[service] = team.password(NEW, service)


def test_the_masters_own_rotation_goes_on_and_ours_go_on_with_it(team: Team, run: CommandLine):
    before = team.password(OLD, "root")
    team.rotate(OLD, "root")
    assert team.password(OLD, "root") != before
    run.file(TENANTS, head=HEAD)
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, ended.out.splitlines()[-1]) == (
        0,
        "Applied: 1 of 1 tenants. MySQL holds what the file says of them.",
    ), ended.err
    assert run("aurora-tenants plan --detailed-exitcode").code == 0
    assert run("aurora-tenants validate --live").code == 0
    team.assert_as_before()


@pytest.mark.parametrize("service", SERVICES)
def test_the_old_secret_leaves_the_stack_and_stays(service: str, team: Team):
    old, new = team.password(OLD, service), team.password(NEW, service)
    assert team.deploy(service, THIRD) == "UPDATE_COMPLETE"
    assert (team.password(OLD, service), team.password(NEW, service)) == (old, new)
    team.assert_as_before()


def without_functions() -> dict[str, Any]:
    """The old shared stack's template of the end."""
    template = shared_stack()
    for name in ("DatabaseResourceLambda", "DatabaseUserResourceLambda", "DatabaseAccessPolicy"):
        assert f"`{name}`" in DOCUMENT
        del template["Resources"][name]
    for name in ("DatabaseServiceToken", "DatabaseUserServiceToken"):
        assert f"`{name}`" in DOCUMENT
        del template["Outputs"][name]
    text = PARTS[1].read_text()
    guarded = load(patched(text, DIFFS[3]))["Resources"]["DatabaseServer"]
    server = template["Resources"]["DatabaseServer"]
    server["Properties"]["DeletionProtection"] = guarded["Properties"]["DeletionProtection"]
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        server[policy] = guarded[policy]
    return template


def test_at_last_the_old_functions_go_and_the_cluster_stays(team: Team, run: CommandLine):
    for stack in (HASTY, BACK):  # whose databases are lost
        team.cloud.client("cloudformation").delete_stack(StackName=stack)
        assert team.cloud.settled(stack) == "gone"
    cluster = team.cloud.client("rds").describe_db_clusters()["DBClusters"][0]
    assert team.deploy(OLD, json.dumps(without_functions())) == "UPDATE_COMPLETE"
    functions = {it["FunctionName"] for it in team.cloud.client("lambda").list_functions()["Functions"]}
    assert functions == {
        "shared-global-database-secret-rotation",
        f"{NEW}-database-provider",
        f"{NEW}-database-secret-rotation",
    }
    after = team.cloud.client("rds").describe_db_clusters()["DBClusters"][0]
    assert (after["DBClusterArn"], after["DeletionProtection"]) == (cluster["DBClusterArn"], True)
    team.assert_as_before()
    for service in SERVICES:
        team.rotate(NEW, service)
        assert team.reads(service, team.password(NEW, service)) == team.rows[service]
    team.rotate(OLD, "root")
    run.file(TENANTS, head=HEAD)
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


def test_the_stack_of_a_service_can_be_deleted_and_its_database_is_kept(team: Team):
    """What was adopted is never dropped."""
    service, _ = SERVICES
    password = team.password(NEW, service)
    team.cloud.client("cloudformation").delete_stack(StackName=service)
    assert team.cloud.settled(service) == "gone"
    assert team.reads(service, password) == team.rows[service]
