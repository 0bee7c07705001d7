"""Rotation for real: the functions and roles of the shared stack, Secrets Manager's steps, logins at a MySQL server."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pymysql
import pytest

from aurora_sandbox import mysqld
from aurora_sandbox.cloudformation.yaml import load
from aurora_sandbox.server import Sandbox
from aurora_tenants import data
from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas import rotation
from aurora_tenants.lambdas.password import FORCED, give_password
from aurora_tenants.mysql import dataapi
from aurora_tenants.mysql.options import IAM_PLUGIN
from tests.endpoint import Faulty, client, own
from tests.lambdas.world import BOTH, STARTED

SHARED = "shared-global"
PREFIX = f"/{SHARED}/database/"
# A service's stack as the article writes it, which rotates as soon as there is a schedule.
SERVICE = """
Resources:
  DatabaseUserSecret:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: !Sub '/shared-global/database/${AWS::StackName}'
      GenerateSecretString:
        SecretStringTemplate: !Sub '{"username": "${AWS::StackName}"}'
        GenerateStringKey: "password"
        ExcludeCharacters: '"@/\\'
  DatabaseUserSecretAttachment:
    Type: AWS::SecretsManager::SecretTargetAttachment
    Properties:
      SecretId: !Ref DatabaseUserSecret
      TargetId: !ImportValue 'shared-global-database-server'
      TargetType: AWS::RDS::DBCluster
  DatabaseUser:
    Type: Custom::DatabaseUser
    DependsOn: DatabaseUserSecretAttachment
    Properties:
      ServiceToken: !ImportValue 'shared-global-database-user-service-token'
      SecretId: !Ref DatabaseUserSecret
      Privileges: []
"""
SCHEDULE = """
  DatabaseUserSecretRotation:
    Type: AWS::SecretsManager::RotationSchedule
    DependsOn: DatabaseUser
    Properties:
      SecretId: !Ref DatabaseUserSecret
      RotationRules: {AutomaticallyAfterDays: 30}
      RotationLambdaARN: !ImportValue 'shared-global-database-secret-rotation-lambda'
"""


@dataclass(frozen=True, slots=True)
class World(Faulty):
    """A sandbox with the shared stack in it."""

    sandbox: Sandbox
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        return client(self.sandbox.environment(), service)

    @property
    def function(self) -> str:
        return self.outputs["DatabaseSecretRotationLambda"]

    def post(self, path: str, document: Mapping[str, Any]) -> None:
        own(self.sandbox.environment(), path, document)

    def log(self) -> str:
        """What the rotation function printed, and why it failed."""
        return own(self.sandbox.environment(), f"logs/{SHARED}-database-secret-rotation")

    def fault(self, kind: str | None) -> None:
        self.events_meet(f"{SHARED}-database-secret-rotation", kind)

    def deploy(self, name: str, template: str, **options: Any) -> dict[str, str]:
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(StackName=name, TemplateBody=template, **options)
        stack = until(lambda: settled(cloudformation.describe_stacks(StackName=name)["Stacks"][0]))
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def takes(self, user: str, password: str) -> bool:
        """Whether MySQL itself lets this user in."""
        try:
            self.sandbox.mysql.connect(user, password).close()
        except pymysql.OperationalError as error:
            assert error.args[0] == 1045, error
            return False
        return True


@dataclass(frozen=True, slots=True)
class Login:
    """A user that a stack of its own made, and its secret."""

    world: World
    user: str

    @property
    def secret_id(self) -> str:
        return f"{PREFIX}{self.user}"

    def password(self, stage: str = "AWSCURRENT") -> str:
        answer = self.world.client("secretsmanager").get_secret_value(SecretId=self.secret_id, VersionStage=stage)
        return str(json.loads(answer["SecretString"])["password"])

    def takes(self, password: str) -> bool:
        return self.world.takes(self.user, password)

    def begun(self, *, forced: bool = True) -> str:
        """The version of a rotation that Secrets Manager has begun and whose function crashed at once."""
        return begun(self.world, self.secret_id, forced=forced)

    def rotate(self) -> str:
        """The password that a whole rotation by the deployed function ends with, however soon after another."""
        secrets, token = self.world.client("secretsmanager"), f"{FORCED}{uuid.uuid4()}"
        secrets.rotate_secret(SecretId=self.secret_id, RotationLambdaARN=self.world.function, ClientRequestToken=token)
        until(lambda: is_current(secrets, self.secret_id, token))
        return self.password()


def until(condition: Callable[[], Any], *, seconds: float = 30) -> Any:
    """What the condition gives, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition does not come true"
        time.sleep(0.02)
    return value


def settled(stack: dict[str, Any]) -> dict[str, Any] | None:
    return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack


def is_current(secrets: Any, secret_id: str, token: str) -> bool:
    stages = secrets.describe_secret(SecretId=secret_id)["VersionIdsToStages"]
    return "AWSCURRENT" in stages.get(token, ())


def begun(world: World, secret_id: str, *, forced: bool = True) -> str:
    world.fault("crash")
    before = world.log()
    token = f"{FORCED if forced else ''}{uuid.uuid4()}"
    world.client("secretsmanager").rotate_secret(
        SecretId=secret_id, RotationLambdaARN=world.function, ClientRequestToken=token
    )
    until(lambda: world.log() != before)
    world.fault(None)
    return token


@pytest.fixture(scope="module")
def world(mysqld_binary: mysqld.Binary) -> Iterator[World]:
    with Sandbox.start(binary=mysqld_binary, time_scale=100.0) as sandbox:
        empty = World(sandbox, {})
        parameters = [{"ParameterKey": "DeletionProtection", "ParameterValue": "false"}]
        made = empty.deploy(f"{SHARED}-cluster", data.text("cluster.yml"), Parameters=parameters)
        text = data.text("shared.yml")
        names = made.keys() & load(text)["Parameters"].keys()
        parameters = [{"ParameterKey": name, "ParameterValue": made[name]} for name in names]
        outputs = empty.deploy(SHARED, text, Capabilities=["CAPABILITY_IAM"], Parameters=parameters)
        world = World(sandbox, outputs)
        STARTED.append(world.post)
        yield world
        STARTED.remove(world.post)


@pytest.fixture
def login(world: World) -> Login:
    name = f"service-{uuid.uuid4().hex[:8]}"
    world.deploy(name, SERVICE)
    return Login(world, name)


@dataclass(frozen=True, slots=True)
class Context:
    seconds: float = 120

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


Step = Callable[..., Any]


@pytest.fixture
def step(world: World, monkeypatch: pytest.MonkeyPatch) -> Step:
    """Runs one step in this process, with everything allowed: what is refused here, the code itself refuses."""
    cluster = world.client("rds").describe_db_clusters()["DBClusters"][0]
    environment = {
        **world.sandbox.environment(),
        "CLUSTER_ARN": world.outputs["DatabaseServer"],
        "MASTER_SECRET_ARN": cluster["MasterUserSecret"]["SecretArn"],
        "SECRET_PREFIX": PREFIX,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def run(name: str, secret_id: str, token: str, *, seconds: float = 120) -> Any:
        event = {"Step": name, "SecretId": secret_id, "ClientRequestToken": token, "RotationToken": "unused"}
        return rotation.handler(event, Context(seconds))

    return run


def tried(world: World) -> list[str]:
    """Names of the secrets that rotations try passwords through, as far as they are still there."""
    names = (secret["Name"] for secret in world.client("secretsmanager").list_secrets()["SecretList"])
    return [name for name in names if name.startswith(f"{PREFIX}rotation-test/")]


@BOTH
def test_new_password_and_the_one_before_it_log_in(login: Login) -> None:
    first = login.password()
    second = login.rotate()
    assert (login.takes(first), login.takes(second)) == (True, True)
    third = login.rotate()
    assert [login.takes(password) for password in (first, second, third)] == [False, True, True]
    assert tried(login.world) == []


def test_secret_keeps_everything_but_its_password(login: Login) -> None:
    secrets = login.world.client("secretsmanager")
    before = json.loads(secrets.get_secret_value(SecretId=login.secret_id)["SecretString"])
    password = login.rotate()
    after = json.loads(secrets.get_secret_value(SecretId=login.secret_id)["SecretString"])
    assert after == before | {"password": password}
    assert len(password) == 32
    assert password.isalnum()


def test_every_step_may_run_twice(login: Login) -> None:
    first = login.password()
    login.world.fault("twice")
    try:
        second = login.rotate()
    finally:
        login.world.fault(None)
    assert (login.takes(first), login.takes(second)) == (True, True)


def test_function_that_died_after_the_password_was_set_goes_on_later(login: Login, step: Step) -> None:
    """A second ALTER USER would keep the new password as the old one, and lock out whoever still has the real one."""
    first, token = login.password(), login.begun()
    step("createSecret", login.secret_id, token)
    step("setSecret", login.secret_id, token)
    secrets = login.world.client("secretsmanager")
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="previous rotation"):
        secrets.rotate_secret(SecretId=login.secret_id)
    until(lambda: is_current(secrets, login.secret_id, token))
    assert (login.takes(first), login.takes(login.password())) == (True, True)
    assert first != login.password()


def test_current_version_needs_nothing_more(login: Login, step: Step) -> None:
    password = login.rotate()
    stages = login.world.client("secretsmanager").describe_secret(SecretId=login.secret_id)["VersionIdsToStages"]
    token = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
    for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        step(name, login.secret_id, token)
    assert login.password() == password


def test_articles_schedule_rotates_when_it_is_made(world: World) -> None:
    login = Login(world, f"service-{uuid.uuid4().hex[:8]}")
    world.deploy(login.user, SERVICE + SCHEDULE)
    secrets = world.client("secretsmanager")
    until(lambda: "LastRotatedDate" in secrets.describe_secret(SecretId=login.secret_id))
    assert (login.takes(login.password("AWSPREVIOUS")), login.takes(login.password())) == (True, True)


def test_trial_of_a_schedule_passes_with_the_current_password(world: World) -> None:
    """Without RotateImmediatelyOnUpdate, Secrets Manager runs testSecret alone, with a copy of the current version."""
    login = Login(world, f"service-{uuid.uuid4().hex[:8]}")
    world.deploy(login.user, SERVICE)
    password = login.password()
    token = str(uuid.uuid4())
    secrets = world.client("secretsmanager")
    secrets.rotate_secret(
        SecretId=login.secret_id,
        RotationLambdaARN=world.function,
        RotateImmediately=False,
        RotationRules={"AutomaticallyAfterDays": 30},
        ClientRequestToken=token,
    )
    until(lambda: token not in secrets.describe_secret(SecretId=login.secret_id)["VersionIdsToStages"])
    arn = secrets.describe_secret(SecretId=login.secret_id)["ARN"]
    assert login.password() == password
    assert [line for line in world.log().splitlines() if arn in line] == [f"testSecret of {arn}, version {token}"]


def test_secret_outside_the_prefix_is_refused(world: World, step: Step) -> None:
    name = f"/elsewhere/{uuid.uuid4().hex}"
    value = json.dumps({"username": "aurora_tenants_inspector", "password": "x"})
    world.client("secretsmanager").create_secret(Name=name, SecretString=value)
    token = begun(world, name)
    with pytest.raises(ValueError, match=f"name begins with {PREFIX}, not {name}$"):
        step("createSecret", name, token)


@pytest.mark.parametrize("owner", ["another stack's", "nobody's", "the cluster's"])
def test_account_of_another_secret_keeps_its_password(owner: str, login: Login, world: World, step: Step) -> None:
    """Whoever may write a secret under the prefix could otherwise choose a password for any account."""
    user, password = login.user, login.password()
    if owner == "nobody's":
        user, password = f"free-{uuid.uuid4().hex[:8]}", "secret"
        with world.sandbox.mysql.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER `{user}` IDENTIFIED BY '{password}'")
    elif owner == "the cluster's":
        user = "admin"
    name = f"{PREFIX}thief-{uuid.uuid4().hex}"
    value = json.dumps({"username": user, "password": "unknown"})
    world.client("secretsmanager").create_secret(Name=name, SecretString=value)
    token = begun(world, name)
    step("createSecret", name, token)
    with pytest.raises(ValueError, match=f"^MySQL has no user {user} whose password comes from secret {name}$"):
        step("setSecret", name, token)
    secret = world.client("secretsmanager").get_secret_value(SecretId=name, VersionStage="AWSPENDING")
    assert not world.takes(user, json.loads(secret["SecretString"])["password"])
    assert owner == "the cluster's" or world.takes(user, password)


def test_user_that_is_gone_is_a_sentence(login: Login, step: Step) -> None:
    token = login.begun()
    step("createSecret", login.secret_id, token)
    with login.world.sandbox.mysql.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP USER `{login.user}`")
    with pytest.raises(ValueError, match=f"^MySQL has no user {login.user} whose password comes from secret"):
        step("setSecret", login.secret_id, token)
    with pytest.raises(ValueError, match=f"^MySQL does not accept the new password of user {login.user}$"):
        step("testSecret", login.secret_id, token)


@pytest.mark.parametrize("name", ["setSecret", "testSecret"])
def test_new_version_cannot_name_another_user(name: str, login: Login, world: World, step: Step) -> None:
    victim = Login(world, f"service-{uuid.uuid4().hex[:8]}")
    world.deploy(victim.user, SERVICE)
    token = login.begun()
    world.client("secretsmanager").put_secret_value(
        SecretId=login.secret_id,
        ClientRequestToken=token,
        SecretString=json.dumps({"username": victim.user, "password": "mine"}),
        VersionStages=["AWSPENDING"],
    )
    with pytest.raises(ValueError, match=f"^the new version of secret {login.secret_id} names a different user"):
        step(name, login.secret_id, token)
    assert not victim.takes("mine")


def test_secret_that_is_no_login_is_told_without_its_value(login: Login, step: Step) -> None:
    token = login.begun()
    world = login.world
    world.client("secretsmanager").put_secret_value(SecretId=login.secret_id, SecretString='{"password": "hush-hush"')
    with pytest.raises(ValueError, match="is not JSON with a username and a password") as refused:
        step("createSecret", login.secret_id, token)
    assert "hush" not in str(refused.value)


def test_rotation_that_is_off_or_unknown_is_refused(login: Login, step: Step) -> None:
    login.rotate()
    with pytest.raises(ValueError, match=r"is not being rotated$"):
        step("createSecret", login.secret_id, str(uuid.uuid4()))
    login.world.client("secretsmanager").cancel_rotate_secret(SecretId=login.secret_id)
    with pytest.raises(ValueError, match=r"^rotation of secret .* is off$"):
        step("createSecret", login.secret_id, str(uuid.uuid4()))


def test_rotation_that_secrets_manager_says_nothing_of_is_not_off(login: Login, step: Step) -> None:
    """Of a secret that was never to be rotated it says nothing, and nothing promises that it does of others."""
    secrets, token = login.world.client("secretsmanager"), str(uuid.uuid4())
    new = json.loads(secrets.get_secret_value(SecretId=login.secret_id)["SecretString"]) | {"password": "Hearsay2"}
    secrets.put_secret_value(
        SecretId=login.secret_id,
        ClientRequestToken=token,
        SecretString=json.dumps(new),
        VersionStages=["AWSPENDING"],
    )
    assert "RotationEnabled" not in secrets.describe_secret(SecretId=login.secret_id)
    for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        step(name, login.secret_id, token)
    assert (login.password(), login.takes("Hearsay2")) == ("Hearsay2", True)


@pytest.mark.parametrize(("password", "why"), [("", "has 0 bytes"), ("hush\0", "contains a NUL")])
def test_new_password_that_no_client_can_log_in_with_changes_nothing(
    login: Login, step: Step, password: str, why: str
) -> None:
    """Whoever may write the secret has put it there."""
    token = login.begun()
    login.world.client("secretsmanager").put_secret_value(
        SecretId=login.secret_id,
        ClientRequestToken=token,
        SecretString=json.dumps({"username": login.user, "password": password}),
        VersionStages=["AWSPENDING"],
    )
    with pytest.raises(ValueError, match=f"^the password in secret {login.secret_id} {why}") as told:
        step("setSecret", login.secret_id, token)
    assert "hush" not in str(told.value)
    assert login.takes(login.password())


def test_refusal_of_mysql_is_told_in_its_own_words(login: Login, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    token = login.begun()
    step("createSecret", login.secret_id, token)
    its = rotation.read_users

    def dropped(*args: Any, **options: Any) -> Any:
        users = its(*args, **options)
        by_hand(login, "RENAME USER `{name}` TO `{name}`@`10.0.0.1`")  # just after it was read
        return users

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "read_users", dropped)
        with pytest.raises(DatabaseError, match=r"^Operation ALTER USER failed for '\w+(-\w+)*'@'%'"):
            step("setSecret", login.secret_id, token)


def test_paused_cluster_is_waited_for_as_long_as_the_function_lives(login: Login, step: Step) -> None:
    token = login.begun()
    step("createSecret", login.secret_id, token)
    login.world.post("pause", {"seconds": 4})
    with pytest.raises(DatabaseError, match=r"^the cluster did not answer within 1 s: "):
        step("setSecret", login.secret_id, token, seconds=61)
    assert tried(login.world) == []
    step("setSecret", login.secret_id, token)
    assert (login.takes(login.password()), login.takes(login.password("AWSPENDING"))) == (True, True)


@pytest.mark.parametrize("as_v1", [False, True], ids=["v2", "v1"])
def test_cluster_that_pauses_before_every_statement_is_waited_for(
    login: Login, step: Step, monkeypatch: pytest.MonkeyPatch, as_v1: bool
) -> None:
    monkeypatch.setattr(dataapi, "_POLL_SECONDS", 0.03)
    first, token = login.password(), login.begun()
    login.world.post("pause", {"seconds": 0.01, "as_v1": as_v1, "every_calls": 1})
    for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        step(name, login.secret_id, token)
    login.world.post("pause", {"seconds": 0, "as_v1": False})
    assert (login.takes(first), login.takes(login.password())) == (True, True)
    assert login.password() != first


def test_secret_that_is_not_everywhere_yet_is_tried_again(login: Login, step: Step) -> None:
    """On AWS the Data API may not find one that was just made."""
    first, token = login.password(), login.begun()
    login.world.early(every=2, answer="SecretsErrorException")
    for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        step(name, login.secret_id, token)
    login.world.early(0)
    assert (login.takes(first), login.takes(login.password())) == (True, True)
    assert login.password() != first
    assert tried(login.world) == []


def test_log_holds_no_password(login: Login, step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    token = login.begun()
    for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        step(name, login.secret_id, token)
    said = capsys.readouterr()
    steps = ("createSecret", "setSecret", "testSecret", "finishSecret")
    expected = [f"{name} of {login.secret_id}, version {token}" for name in steps]
    assert (said.out.splitlines(), said.err) == (expected, "")


# Ten minutes between two rotations


def test_another_rotation_within_ten_minutes_is_put_off(login: Login, step: Step) -> None:
    """The password before the current one would end, which a pool may hold that reads the secret every ten minutes."""
    first, second = login.password(), login.rotate()
    token = login.begun(forced=False)
    with pytest.raises(ValueError, match=r"another rotation before \d\d:\d\d:\d\d UTC would end the one before it"):
        step("createSecret", login.secret_id, token)
    assert (login.takes(first), login.takes(second)) == (True, True)
    stages = login.world.client("secretsmanager").describe_secret(SecretId=login.secret_id)["VersionIdsToStages"]
    assert stages[token] == ["AWSPENDING"]  # so Secrets Manager goes on with it later
    login.world.post("clock", {"to": "+10m1s"})
    for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        step(name, login.secret_id, token)
    assert [login.takes(each) for each in (first, second, login.password())] == [False, True, True]


def test_first_rotation_of_a_new_user_is_not_put_off(login: Login, step: Step) -> None:
    """Its attachment has written another version, with the same password."""
    token = login.begun(forced=False)
    step("createSecret", login.secret_id, token)
    assert login.password("AWSPENDING") != login.password()


@pytest.mark.parametrize("is_login", [True, False])
def test_rotation_after_somebody_has_written_the_secret_is_put_off(login: Login, step: Step, is_login: bool) -> None:
    """Where it was a login before: only then somebody may hold its password."""
    secrets, before = login.world.client("secretsmanager"), login.password()
    if not is_login:
        secrets.put_secret_value(SecretId=login.secret_id, SecretString="{}")
    value = json.dumps({"username": login.user, "password": "Byhand0"})
    secrets.put_secret_value(SecretId=login.secret_id, SecretString=value)
    token = login.begun(forced=False)
    if is_login:
        with pytest.raises(ValueError, match="has changed a moment ago"):
            step("createSecret", login.secret_id, token)
        login.world.post("clock", {"to": "+10m1s"})
    for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        step(name, login.secret_id, token)
    assert [login.takes(each) for each in (before, "Byhand0", login.password())] == [False, True, True]


# A password that somebody has changed in MySQL


def test_rotation_heals_a_password_that_was_changed_in_mysql(login: Login) -> None:
    """Afterwards the secret's new password logs in, and the one that readers have had from it all along."""
    of_secret = login.password()
    by_hand(login, "ALTER USER `{name}` IDENTIFIED BY 'theirs'")
    assert (login.takes("theirs"), login.takes(of_secret)) == (True, False)
    new = login.rotate()
    assert [login.takes(each) for each in ("theirs", of_secret, new)] == [False, True, True]


# What `aurora-tenants rotate` asks of it


def asked(step: Step, name: str, login: Login) -> Any:
    return step(name, login.secret_id, str(uuid.uuid4()))


def test_it_says_which_versions_log_in_and_nothing_of_what_they_are(login: Login, step: Step) -> None:
    assert asked(step, "checkLogin", login) == {"connections": 0, "AWSCURRENT": True, "AWSPENDING": False}
    token = login.begun()
    assert asked(step, "checkLogin", login) == {"connections": 0, "AWSCURRENT": True, "AWSPENDING": False}
    step("createSecret", login.secret_id, token)
    assert asked(step, "checkLogin", login) == {"connections": 0, "AWSCURRENT": True, "AWSPENDING": False}
    step("setSecret", login.secret_id, token)
    with login.world.sandbox.mysql.connect(login.user, login.password()):
        assert asked(step, "checkLogin", login) == {"connections": 1, "AWSCURRENT": True, "AWSPENDING": True}
    by_hand(login, "ALTER USER `{name}` DISCARD OLD PASSWORD")
    assert asked(step, "checkLogin", login) == {"connections": 0, "AWSCURRENT": False, "AWSPENDING": True}
    assert tried(login.world) == []


def test_it_does_not_say_of_a_login_that_shows_nothing_that_it_fails(world: World, step: Step) -> None:
    login = made(world, Require="X509")
    assert asked(step, "checkLogin", login) == {"connections": 0, "AWSCURRENT": None, "AWSPENDING": False}


def test_version_of_another_user_is_none_that_logs_in(login: Login, world: World, step: Step) -> None:
    victim = Login(world, f"service-{uuid.uuid4().hex[:8]}")
    world.deploy(victim.user, SERVICE)
    value = json.dumps({"username": victim.user, "password": victim.password()})
    world.client("secretsmanager").put_secret_value(
        SecretId=login.secret_id,
        ClientRequestToken=login.begun(),
        SecretString=value,
        VersionStages=["AWSPENDING"],
    )
    assert asked(step, "checkLogin", login)["AWSPENDING"] is False


@pytest.mark.parametrize("properties", [{}, {"Require": "X509"}, {"Hosts": ["%", "localhost"]}], ids=str)
def test_old_password_ends_when_it_is_discarded(world: World, step: Step, properties: dict[str, Any]) -> None:
    login = made(world, **properties)
    first, second = login.password(), login.rotate()
    asked(step, "discardOld", login)
    asked(step, "discardOld", login)
    by_hand(login, "ALTER USER `{name}` REQUIRE NONE")
    assert (login.takes(first), login.takes(second)) == (False, True)


def test_discarding_keeps_the_secrets_password_whichever_of_the_two_it_is(login: Login, step: Step) -> None:
    """As a rotation that was cancelled leaves it: the account's first password is the one that waited."""
    current, token = login.password(), login.begun()
    step("createSecret", login.secret_id, token)
    step("setSecret", login.secret_id, token)
    waited = login.password("AWSPENDING")
    with pytest.raises(ValueError, match=f"^a rotation of secret {login.secret_id} is under way$"):
        asked(step, "discardOld", login)
    login.world.client("secretsmanager").update_secret_version_stage(
        SecretId=login.secret_id, VersionStage="AWSPENDING", RemoveFromVersionId=token
    )
    asked(step, "discardOld", login)
    assert (login.takes(current), login.takes(waited)) == (True, False)


@pytest.mark.parametrize("name", ["checkLogin", "discardOld"])
def test_it_is_asked_of_no_other_secret_and_of_nobody_elses_account(
    login: Login, world: World, step: Step, name: str
) -> None:
    elsewhere, thief = f"/elsewhere/{uuid.uuid4().hex}", f"{PREFIX}thief-{uuid.uuid4().hex}"
    for each in (elsewhere, thief):
        value = json.dumps({"username": login.user, "password": "mine"})
        world.client("secretsmanager").create_secret(Name=each, SecretString=value)
    with pytest.raises(ValueError, match=f"name begins with {PREFIX}, not {elsewhere}$"):
        step(name, elsewhere, str(uuid.uuid4()))
    with pytest.raises(ValueError, match=f"^MySQL has no user {login.user} whose password comes from secret {thief}$"):
        step(name, thief, str(uuid.uuid4()))
    assert (login.takes("mine"), login.takes(login.password())) == (False, True)


def test_log_says_which_step_failed_and_why(login: Login, step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    token = login.begun()
    step("createSecret", login.secret_id, token)
    by_hand(login, "DROP USER `{name}`")
    with pytest.raises(ValueError, match=r"^MySQL has no user"):
        step("setSecret", login.secret_id, token)
    why = f"MySQL has no user {login.user} whose password comes from secret {login.secret_id}"
    expected = f"setSecret of {login.secret_id}, version {token} failed: {why}"
    assert capsys.readouterr().out.splitlines()[-1] == expected


# Users with options


def made(world: World, **properties: Any) -> Login:
    """A service's user with these options."""
    login = Login(world, f"service-{uuid.uuid4().hex[:8]}")
    more = "".join(f"      {name}: {json.dumps(value)}\n" for name, value in properties.items())
    world.deploy(login.user, SERVICE + more)
    return login


def by_hand(login: Login, *statements: str) -> None:
    with login.world.sandbox.mysql.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(name=login.user))


# What stands between the password and a login, and the statement that takes it away again.
IN_THE_WAY = {
    "nothing": ({}, ""),
    "several hosts": ({"Hosts": ["%", "localhost", "10.0.0.1"]}, "DROP USER `{name}`@localhost"),
    "no host that it comes from": ({"Hosts": ["10.0.0.1"]}, "RENAME USER `{name}`@`10.0.0.1` TO `{name}`"),
    "TLS": ({"Require": "SSL"}, "ALTER USER `{name}` REQUIRE NONE"),
    "a certificate": ({"Require": "X509"}, "ALTER USER `{name}` REQUIRE NONE"),
    "a lock": ({"Locked": True}, "ALTER USER `{name}` ACCOUNT UNLOCK"),
    "another plugin": ({"Plugin": "sha256_password"}, ""),
    "a history": ({"PasswordHistory": 5, "PasswordReuseAfterDays": 365}, ""),
    "a limit": ({"MaxConnectionsPerHour": 1}, "ALTER USER `{name}` WITH MAX_CONNECTIONS_PER_HOUR 0"),
}


@pytest.mark.parametrize("is_twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("case", IN_THE_WAY)
def test_both_passwords_log_in_whatever_stands_in_the_way(world: World, case: str, is_twice: bool) -> None:
    properties, away = IN_THE_WAY[case]
    login = made(world, **properties)
    world.fault("twice" if is_twice else None)
    try:
        login.rotate()
        second = login.password()
        third = login.rotate()
    finally:
        world.fault(None)
    if away:
        by_hand(login, away)
    assert (login.takes(second), login.takes(third)) == (True, True)
    assert tried(world) == []


def test_password_that_has_expired_is_rotated(login: Login) -> None:
    by_hand(login, "ALTER USER `{name}` PASSWORD EXPIRE")
    first = login.password()
    assert (login.takes(login.rotate()), login.takes(first)) == (True, True)


def test_history_of_an_account_is_what_it_was_after_a_rotation(world: World) -> None:
    login = made(world, PasswordHistory=5, PasswordReuseAfterDays=365)
    password = login.rotate()
    what = "SELECT Password_reuse_history, Password_reuse_time FROM mysql.user WHERE User = %s"
    with world.sandbox.mysql.connect() as connection, connection.cursor() as cursor:
        cursor.execute(what, (login.user,))
        assert cursor.fetchall() == ((5, 365),)
        with pytest.raises(pymysql.OperationalError, match="password history policy"):
            cursor.execute(f"ALTER USER `{login.user}` IDENTIFIED BY '{password}'")


@pytest.mark.parametrize("properties", [{}, {"PasswordHistory": 5}, {"Require": "X509"}], ids=str)
def test_rotation_after_one_that_was_cancelled_keeps_the_current_password(
    world: World, step: Step, properties: dict[str, Any]
) -> None:
    """The account has the cancelled one's password then; retaining that would end the one that readers hold."""
    login, secrets = made(world, **properties), world.client("secretsmanager")
    login.rotate()
    current, cancelled = login.password(), login.begun()
    step("createSecret", login.secret_id, cancelled)
    step("setSecret", login.secret_id, cancelled)
    secrets.cancel_rotate_secret(SecretId=login.secret_id)
    secrets.update_secret_version_stage(
        SecretId=login.secret_id, VersionStage="AWSPENDING", RemoveFromVersionId=cancelled
    )
    token = login.begun()
    for name in ("createSecret", "setSecret", "setSecret", "testSecret"):
        step(name, login.secret_id, token)
    by_hand(login, "ALTER USER `{name}` REQUIRE NONE")
    assert (login.takes(current), login.takes(login.password("AWSPENDING"))) == (True, True)


def test_rotation_that_died_between_two_hosts_goes_on(
    world: World, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = made(world, Hosts=["%", "localhost"])
    first, token = login.password(), login.begun()
    step("createSecret", login.secret_id, token)
    calls = 0

    def dying(*args: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise DatabaseError(Problem("database-refused", "the cluster is gone"), code="InternalServerErrorException")
        give_password(*args, **options)

    with monkeypatch.context() as patch:  # nothing else dies in the middle of a step
        patch.setattr(rotation, "give_password", dying)
        with pytest.raises(DatabaseError, match=r"^the cluster is gone$"):
            step("setSecret", login.secret_id, token)
    step("setSecret", login.secret_id, token)
    step("testSecret", login.secret_id, token)
    second = login.password("AWSPENDING")
    assert (login.takes(first), login.takes(second)) == (True, True)
    by_hand(login, "DROP USER `{name}`@localhost")
    assert (login.takes(first), login.takes(second)) == (True, True)


def test_account_of_the_same_name_that_is_not_the_secrets_keeps_its_password(world: World) -> None:
    """MySQL takes it for the login that a rotation tries, whose refusal therefore says nothing."""
    login = made(world)
    by_hand(login, "CREATE USER `{name}`@localhost IDENTIFIED BY 'theirs'")
    first, second = login.password(), login.rotate()
    assert (login.takes("theirs"), login.takes(second)) == (True, False)
    by_hand(login, "DROP USER `{name}`@localhost")
    assert (login.takes(first), login.takes(second)) == (True, True)


def test_account_that_its_stack_let_go_of_keeps_its_password(login: Login, step: Step) -> None:
    first, token = login.password(), login.begun()
    step("createSecret", login.secret_id, token)
    by_hand(login, "UPDATE aurora_tenants.users SET released = 1 WHERE name = '{name}@%'")
    with pytest.raises(ValueError, match=f"^MySQL has no user {login.user} whose password comes from"):
        step("setSecret", login.secret_id, token)
    assert (login.takes(first), login.takes(login.password("AWSPENDING"))) == (True, False)


def test_user_of_iam_has_no_password_to_rotate(login: Login, step: Step) -> None:
    try:
        by_hand(login, f"CREATE USER `{{name}}-iam` IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS'")
    except pymysql.OperationalError as error:
        assert error.args[0] == 1524, error
        pytest.skip("this server has no plugin for users of IAM")
    token = login.begun()
    step("createSecret", login.secret_id, token)
    by_hand(login, f"ALTER USER `{{name}}` IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS'")
    with pytest.raises(ValueError, match=f"^MySQL has no user {login.user} whose password comes from"):
        step("setSecret", login.secret_id, token)
