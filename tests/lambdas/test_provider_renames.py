"""Users that get another name, for real: UserName and RenamedFrom, the accounts and the name in the secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boto3
import pymysql
import pytest
from botocore.exceptions import ClientError

from aurora_tenants.lambdas import accounts
from aurora_tenants.lambdas.request import Secret
from aurora_tenants.lambdas.user import serve_user
from aurora_tenants.mysql.options import IAM_PLUGIN
from aurora_tenants.mysql.owners import Owner
from tests.lambdas.test_lost_answers import EITHER_WAY, Losing, each
from tests.lambdas.test_provider_events import Asking, asking, killed_after
from tests.lambdas.world import (
    ONCE,
    PREFIX,
    PROVIDER,
    SHARED,
    World,
    failing,
    fresh,
    iam_user,
    on,
    role,
    until,
    user,
)
from tests.mysql_server import hashes

pytestmark = ONCE
__all__ = ["asking"]

HOSTS = ["%", "10.0.0.1"]


class Login:
    """A user of a stack with two accounts, a role and two passwords, on a database that belongs to nobody."""

    def __init__(self, world: World) -> None:
        self.world, self.stack = world, fresh("stack")
        self.old, self.new, self.reader, self.shop = (fresh(what) for what in ("old", "new", "reader", "shop"))
        world.make_database(self.shop)
        held = {"username": self.old, "password": "hush-0", "port": 3306, "note": "é"}
        self.arn = world.secret_of(f"{PREFIX}{self.old}", SecretString=json.dumps(held))
        assert self.deploy() == {}
        for host in HOSTS:
            world.sql(f"ALTER USER `{self.old}`@`{host}` IDENTIFIED BY 'hush-1' RETAIN CURRENT PASSWORD")
        self.put(password="hush-1")

    def deploy(self, *more: dict[str, Any], name: str = "", came_from: str = "", **properties: Any) -> dict[str, str]:
        """What failed. name, came_from: UserName and RenamedFrom."""
        asked = {"Hosts": HOSTS, "Roles": [{"Role": self.reader}], "Comment": "ours", **properties}
        asked |= {"UserName": name} if name else {}
        asked |= {"RenamedFrom": came_from} if came_from else {}
        app = {**user(self.arn, asked.pop("On", on(self.shop)), **asked), "DependsOn": ["Reader"]}
        resources = {"Reader": role(self.reader, on(self.shop, "SELECT")), "App": app}
        return dict(self.world.deploy(self.stack, resources | dict(*more)).failures)

    def rename(self, *more: dict[str, Any], **properties: Any) -> dict[str, str]:
        return self.deploy(*more, name=self.new, came_from=self.old, **properties)

    def value(self) -> dict[str, Any]:
        """What is in the secret."""
        return dict(json.loads(self.world.secrets.get_secret_value(SecretId=self.arn)["SecretString"]))

    def put(self, **other: Any) -> None:
        self.world.secrets.put_secret_value(SecretId=self.arn, SecretString=json.dumps(self.value() | other))

    def seen(self, name: str) -> tuple[Any, ...]:
        """All that is to stay as it is, whatever the name, with what the secret says of everything but that."""
        world, what = self.world, "Host, HEX(authentication_string), User_attributes"
        passwords = world.sql(f"SELECT {what} FROM mysql.user WHERE User = '{name}' ORDER BY Host")
        accounts = {
            host: it._replace(account=it.account._replace(user="")) for host, it in world.accounts(name).items()
        }
        rights = [row[0] for host in accounts for row in world.sql(f"SHOW GRANTS FOR `{name}`@`{host}`")]
        secret = {key: value for key, value in self.value().items() if key != "username"}
        return passwords, accounts, [it.replace(name, "") for it in rights], world.entries(name), secret

    def is_called(self, name: str, *, before: tuple[Any, ...]) -> bool:
        other = ({self.old, self.new} - {name}).pop()
        assert (self.value()["username"], self.seen(name)) == (name, before)
        assert (self.world.has_user(other), self.world.entries(other)) == (False, {})
        return self.world.takes(name, "hush-0") and self.world.takes(name, "hush-1")


@pytest.fixture
def app(world: World) -> Login:
    return Login(world)


def test_a_user_gets_another_name_and_keeps_everything_else(app: Login) -> None:
    world, before, arn = app.world, app.seen(app.old), app.world.physical_id(app.stack, "App")
    assert arn == app.arn
    with world.sandbox.mysql.connect(app.old, b"hush-1") as open_before, open_before.cursor() as cursor:
        cursor.execute(f"USE `{app.shop}`")
        assert app.rename() == {}
        # MySQL looks up the rest by the name with which the connection logged in, and that is gone.
        cursor.execute("SELECT COUNT(*) FROM t")
        assert cursor.fetchall() == ((2,),)
        with pytest.raises(pymysql.OperationalError, match="denied"):
            cursor.execute(f"USE `{app.shop}`")
    assert app.is_called(app.new, before=before)
    assert not world.takes(app.old, "hush-1")
    assert world.entries(app.new) == dict.fromkeys(HOSTS, Owner(app.stack, "App", f"{PREFIX}{app.old}"))
    assert world.physical_id(app.stack, "App") == arn
    # Whatever comes next: the same once more, twice; the word taken out; what is new is granted to the new name.
    world.fault("twice")
    assert app.rename(Revision="2") == {}
    world.fault(None)
    assert app.deploy(name=app.new, Revision="3") == {}
    assert app.is_called(app.new, before=before)
    assert app.deploy(name=app.new, On=on(app.shop, "INSERT")) == {}
    assert f"GRANT INSERT ON `{app.shop}`.* TO `{app.new}`@`%`" in world.grants(app.new)
    assert world.delete(app.stack).status == "DELETE_COMPLETE"
    assert (world.has_user(app.new), world.entries(app.new), world.entries(app.old)) == (False, {}, {})


def test_a_rename_is_rolled_back(either_world: World) -> None:
    app = Login(either_world)
    before = app.seen(app.old)
    bad = {"Bad": failing("App")}
    assert app.rename(bad).keys() == {"Bad"}
    assert app.world.status(app.stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert app.is_called(app.old, before=before)
    # An event that cannot be done leaves the name as it was by itself.
    missing = app.rename(On=on(app.shop, "SELECT", Table="missing"))
    assert missing == {"App": f"Table '{app.shop}.missing' doesn't exist"}
    assert app.is_called(app.old, before=before)
    # The way back from a second name, too.
    assert app.rename() == {}
    third = fresh("third")
    assert app.deploy(bad, name=third, came_from=app.new).keys() == {"Bad"}
    assert app.is_called(app.new, before=before)
    assert app.deploy(name=third, came_from=app.new) == {}
    assert app.deploy(name=app.old, came_from=third) == {}
    assert app.is_called(app.old, before=before)
    assert not app.world.has_user(third)


def test_hosts_change_with_the_name(app: Login) -> None:
    passwords = app.seen(app.old)[0]
    assert app.rename(Hosts=["%", "10.0.0.2", "10.0.0.3"]) == {}
    assert app.world.accounts(app.new).keys() == app.world.entries(app.new).keys() == {"%", "10.0.0.2", "10.0.0.3"}
    now = {host: password for host, password, _ in app.seen(app.new)[0]}
    assert (now["%"], now["10.0.0.2"]) == (passwords[0][1], passwords[1][1])
    assert (app.world.has_user(app.old), app.world.takes(app.new, "hush-1")) == (False, True)


def test_what_cannot_be_is_a_sentence_and_changes_nothing(app: Login) -> None:
    world, before, taken, others = app.world, app.seen(app.old), fresh("taken"), fresh("others")
    world.sql(f"CREATE USER `{taken}` IDENTIFIED BY 'hush-theirs'", f"CREATE USER `{others}`@`192.168.1.1`")
    theirs = fresh("stack")
    world.deploy(theirs, {"App": user(world.secret(owned := fresh("owned")), Hosts=["10.%"])})
    needs = f"secret {PREFIX}{app.old} is of user {app.old}: UserName {app.new} needs RenamedFrom: {app.old}, or"
    for name, came_from, adopt, sentence in (
        (app.new, "", False, needs),
        (app.new, fresh("wrong"), False, needs),
        (taken, app.old, False, f"user {app.old} cannot be renamed: there is a user {taken} already"),
        (taken, app.old, True, f"user {app.old} cannot be renamed: there is a user {taken} already"),
        (others, app.old, True, f"user {app.old} cannot be renamed: there is a user {others}@192.168.1.1 already"),
        (owned, app.old, False, f"user {app.old} cannot be renamed: there is a user {owned}@10.% already"),
        ("rdsadmin", app.old, False, "rdsadmin cannot be the name of a user: it is reserved"),
        ("admin", app.old, False, "user admin is the cluster's master user and cannot be a tenant's"),
        ("a" * 33, app.old, False, f"'{'a' * 33}' cannot be the name of a user: use 1 to 32 characters"),
        (app.reader, app.old, False, f"user {app.old} cannot be renamed: there is a user {app.reader} already"),
    ):
        refused = app.deploy(name=name, came_from=came_from, **({"Adopt": True} if adopt else {}))
        assert refused["App"].startswith(sentence), name
    assert app.is_called(app.old, before=before)
    assert (world.takes(taken, "hush-theirs"), world.entries(taken)) == (True, {})


def test_what_runs_as_a_user_keeps_its_name(app: Login) -> None:
    app.world.sql(f"CREATE DEFINER=`{app.old}`@`10.0.0.1` VIEW `{app.shop}`.v AS SELECT 1")
    before = app.seen(app.old)
    refused = app.rename()["App"]
    said = f"user {app.old}@10.0.0.1 cannot be renamed: 1 views, routines, triggers or events run as it"
    assert (refused.startswith(said), app.is_called(app.old, before=before)) == (True, True)


def test_no_account_of_another_stack_gets_another_name(app: Login) -> None:
    """Whoever can make secrets can make one that names a neighbour's user."""
    world, before, evil, name = app.world, app.seen(app.old), fresh("evil"), fresh("x")
    theirs = world.secret(app.old, "hush-evil", name=f"{PREFIX}{fresh('evil')}")
    asked = user(theirs, UserName=name, RenamedFrom=app.old)
    assert world.deploy(evil, {"App": asked}, consent=False).failures == {}
    assert (app.is_called(app.old, before=before), world.takes(name, "hush-evil")) == (True, True)
    ended = world.deploy(evil, {"App": user(theirs, UserName=app.old, RenamedFrom=name)}, consent=False)
    assert ended.failures["App"].startswith(f"user {name} cannot be renamed: there is a user {app.old} already")
    world.delete(evil)
    assert app.is_called(app.old, before=before)


def test_a_rotation_that_began_before_makes_way_for_the_next(app: Login) -> None:
    world, secrets, function = app.world, app.world.secrets, f"{SHARED}-database-secret-rotation"
    lambdas = f"arn:aws:lambda:eu-west-1:123456789012:function:{function}"

    def rotate() -> str:
        answer = secrets.rotate_secret(SecretId=app.arn, RotationLambdaARN=lambdas)
        return str(answer["VersionId"])

    def stages(token: str) -> list[str]:
        return list(secrets.describe_secret(SecretId=app.arn)["VersionIdsToStages"].get(token, ()))

    world.events_meet(function, "crash")
    token = rotate()
    stored = json.dumps(app.value() | {"password": "hush-2"})
    secrets.put_secret_value(
        SecretId=app.arn, ClientRequestToken=token, SecretString=stored, VersionStages=["AWSPENDING"]
    )
    assert app.rename() == {}
    world.events_meet(function, None)
    with suppress(secrets.exceptions.InvalidRequestException):  # the one before is tried again
        rotate()
    until(lambda: stages(token) == [])
    after = rotate()
    until(lambda: "AWSCURRENT" in stages(after))
    assert app.value()["username"] == app.new
    assert (world.takes(app.new, app.value()["password"]), world.takes(app.new, "hush-1")) == (True, True)


# Users of IAM


def test_a_user_of_iam_gets_another_name(world: World, with_iam_plugin: None) -> None:
    stack, shop = fresh("stack"), fresh("shop")
    world.iam(on=True)
    world.make_database(shop)
    first, second, third = (fresh(what) for what in ("first", "second", "third"))

    def deploy(name: str, came_from: str = "", *, fails: bool = False) -> dict[str, str]:
        more = {"RenamedFrom": came_from} if came_from else {}
        resources = {"App": iam_user(name, on(shop, "SELECT"), **more)}
        return dict(world.deploy(stack, resources | ({"Bad": failing("App")} if fails else {})).failures)

    assert deploy(first) == {}
    world.sql(f'ALTER USER `{first}` ATTRIBUTE \'{{"made": "before"}}\'')
    assert deploy(second, first, fails=True).keys() == {"Bad"}
    assert (world.has_user(second), world.entries(first)) == (False, {"%": Owner(stack, "App")})
    assert deploy(second, first) == {}
    assert (world.has_user(first), world.entries(second)) == (False, {"%": Owner(stack, "App")})
    made = f"SELECT User_attributes->>'$.metadata.made' FROM mysql.user WHERE User = '{second}'"
    assert world.sql(made) == [("before",)]
    assert world.options(second).plugin == IAM_PLUGIN
    assert deploy(third, second, fails=True).keys() == {"Bad"}
    assert deploy(second) == {}
    assert world.physical_id(stack, "App") == f"iam:{first}"
    assert (world.entries(second), world.entries(third)) == ({"%": Owner(stack, "App")}, {})
    # Without the word another name is another user, as ever.
    assert deploy(third) == {}
    assert (world.has_user(second), world.has_user(third)) == (False, True)
    assert deploy(first, third) == {}
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert [world.has_user(name) for name in (first, second, third)] == [False, False, False]


# Interrupted


@pytest.fixture
def in_sandbox(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the code itself asks of AWS goes to the sandbox."""
    for variable, value in {**world.sandbox.environment, "AWS_LAMBDA_FUNCTION_NAME": PROVIDER}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


class Asked:
    """The same user's events in this process, each with what is in the secret by then."""

    def __init__(self, world: World, asking: Asking) -> None:
        self.world, self._asking, self.stack = world, asking, fresh("stack")
        self.old, self.new = fresh("old"), fresh("new")
        self.arn = world.secret(self.old)
        serve_user(self.request({"Hosts": HOSTS}, {}, is_new=True))

    def request(self, properties: dict[str, Any], before: dict[str, Any], *, is_new: bool = False) -> Any:
        request = self._asking(self.stack, self.arn, self.old, "" if is_new else self.arn, **properties)
        value = json.loads(self.world.secrets.get_secret_value(SecretId=self.arn)["SecretString"])
        secret = Secret(self.arn, f"{PREFIX}{self.old}", value["username"], hashes(value["password"]))
        event = {**request.event, "OldResourceProperties": before}
        return request._replace(event=event, secret=lambda _: secret)

    def renames(self) -> Any:
        return self.request(self.renamed, {"Hosts": HOSTS})

    def goes_back(self) -> Any:
        return self.request({"Hosts": HOSTS}, self.renamed)

    @property
    def renamed(self) -> dict[str, Any]:
        return {"Hosts": HOSTS, "UserName": self.new, "RenamedFrom": self.old}

    def is_called(self, name: str) -> bool:
        other = ({self.old, self.new} - {name}).pop()
        world, value = self.world, json.loads(self.world.secrets.get_secret_value(SecretId=self.arn)["SecretString"])
        assert (world.has_user(other), world.entries(other)) == (False, {})
        assert world.entries(name).keys() == world.accounts(name).keys() == {*HOSTS}
        return value == {"username": name, "password": "hush-0"} and world.takes(name, "hush-0")


@pytest.mark.usefixtures("in_sandbox")
@pytest.mark.parametrize("last", ["INSERT INTO ", "RENAME USER ", "DELETE FROM "])
def test_what_was_killed_half_way_is_gone_on_with_or_taken_back(world: World, asking: Asking, last: str) -> None:
    for goes_back in (False, True):
        app = Asked(world, asking)
        request = app.renames()
        with pytest.raises(KeyboardInterrupt):
            serve_user(request._replace(execute=killed_after(request.execute, last)))
        serve_user(app.goes_back() if goes_back else app.renames())
        assert app.is_called(app.old if goes_back else app.new)


@pytest.mark.usefixtures("in_sandbox")
@EITHER_WAY
def test_any_answer_is_lost(world: World, asking: Asking, ran: bool) -> None:
    def lost_in(way: Callable[[Asked], Any], *, is_back: bool) -> Callable[[int], int]:
        def served(lost: int) -> int:
            app = Asked(world, asking)
            if is_back:
                serve_user(app.renames())
            request = way(app)
            losing = Losing(request.execute, lost, ran=ran)
            assert serve_user(request._replace(execute=losing)).physical_id == app.arn
            assert app.is_called(app.old if is_back else app.new)
            return len(losing.statements)

        return served

    each(lost_in(Asked.renames, is_back=False))
    each(lost_in(Asked.goes_back, is_back=True))


@pytest.mark.usefixtures("in_sandbox")
def test_a_secret_that_cannot_be_written_leaves_the_name_as_it_is(
    world: World, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets Manager is asked by a stand-in once: the sandbox has no way to refuse this to the provider alone."""
    app, written = Asked(world, asking), accounts.with_user

    def refuse_first(secret: Secret, name: str) -> Secret:
        if name == app.new:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutSecretValue")
        return written(secret, name)

    monkeypatch.setattr(accounts, "with_user", refuse_first)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        serve_user(app.renames())
    assert app.is_called(app.old)
