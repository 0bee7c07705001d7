"""Events served in this process, on the sandbox's MySQL as its master: what a deployment cannot bring about."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.lambdas.user import delete_accounts, serve_user
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.grants import Grant
from aurora_tenants.mysql.live import Execute, Row, read_server, read_state, read_users
from aurora_tenants.mysql.options import IAM_PLUGIN, Options, Require
from tests.lambdas.world import PREFIX, PROVIDER, SHARED, World, fresh, on
from tests.mysql_server import hashes

LOST = Problem("database-refused", "the cluster is gone")
Asking = Callable[..., Request]


@pytest.fixture
def asking(world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch) -> Asking:
    """A request for a user: `asking(stack, arn, name, "id", Hosts=[…])`; without an id it is a Create."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", PROVIDER)

    def login(arn: str) -> Execute:
        return DataApi(master.client, master.cluster_arn, arn).execute

    def request(stack: str, arn: str, name: str, physical_id: str = "", **properties: Any) -> Request:
        event = {
            "RequestType": "Update" if physical_id else "Create",
            "ResourceType": "Custom::DatabaseUser",
            "StackId": f"arn:aws:cloudformation:eu-west-1:1:stack/{stack}/1",
            "LogicalResourceId": "App",
            "ResourceProperties": {"SecretId": arn, "Privileges": [], **properties},
            **({"PhysicalResourceId": physical_id} if physical_id else {}),
        }
        its = Secret(arn, f"{PREFIX}{name}", name, hashes("hush-0"))
        world.consent(stack, {"App": {"Properties": properties}})
        return Request(event, master.execute, login, lambda _: its, master.cluster_arn, math.inf)

    return request


def lost_after(execute: Execute, start: str, times: int = 1) -> Execute:
    """Runs statements until the given number of them begin like this; whatever comes after the last is lost, once."""
    seen = 0

    def lossy(statement: str) -> list[Row]:
        nonlocal seen
        if seen == times:
            seen += 1
            raise DatabaseError(LOST, code="InternalServerErrorException")
        seen += statement.startswith(start)
        return list(execute(statement))

    return lossy


IAM = {"Auth": "iam", "SecretId": ""}


@pytest.mark.parametrize("hosts", [["%"], ["%", "localhost"]], ids=str)
@pytest.mark.parametrize("lost", ["ALTER USER", "DROP USER"])
def test_change_to_iam_that_is_lost_half_way_never_leaves_an_account_without_a_password(
    world: World, asking: Asking, hosts: list[str], lost: str
) -> None:
    """Taken back without the secret, an account would come back with an empty password."""
    world.iam(on=True)
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    old = {"Hosts": [*hosts, "10.0.0.1"]}
    serve_user(asking(stack, arn, name, **old))
    changed = asking(stack, arn, name, arn, UserName=name, Hosts=hosts, **IAM)
    with pytest.raises(DatabaseError, match=r"^the cluster is gone$"):
        serve_user(changed._replace(execute=lost_after(changed.execute, lost)))
    assert not [host for host, account in world.accounts(name).items() if account.has_no_password]
    assert serve_user(asking(stack, arn, name, arn, **old)).physical_id == arn
    accounts = world.accounts(name)
    assert {host: account.options.plugin for host, account in accounts.items()} == dict.fromkeys(
        old["Hosts"], "caching_sha2_password"
    )
    assert not [host for host, account in accounts.items() if account.has_no_password]
    assert world.takes(name, "hush-0")
    assert serve_user(changed).physical_id == arn
    assert {account.options.plugin for account in world.accounts(name).values()} == {IAM_PLUGIN}
    delete_accounts(changed, arn)
    assert (world.has_user(name), world.entries(name)) == (False, {})


@pytest.mark.parametrize("lost", ["INSERT INTO ", "REPLACE INTO ", "CREATE USER ", "RENAME USER ", "GRANT ", "REVOKE "])
def test_update_goes_on_wherever_the_one_before_it_died(world: World, asking: Asking, lost: str) -> None:
    """Killed, it takes nothing back. The next event may be the same again, or the way back."""
    world.make_database(shop := fresh("shop"))
    for goes_back in (False, True):
        stack, name = fresh("stack"), fresh("app")
        arn = world.secret(name)
        old = asking(stack, arn, name, arn, Privileges=[on(shop, "SELECT, DROP")], Hosts=["%", "10.0.0.1"])
        new = asking(stack, arn, name, arn, Privileges=[on(shop, "SELECT")], Hosts=["localhost", "10.0.0.2", "%.x"])
        serve_user(old._replace(event={**old.event, "RequestType": "Create", "PhysicalResourceId": ""}))
        before = world.accounts(name)
        with pytest.raises(KeyboardInterrupt):
            serve_user(new._replace(execute=killed_after(new.execute, lost)))
        assert serve_user(old if goes_back else new).physical_id == arn
        if goes_back:
            assert world.accounts(name) == before
            assert len(world.grants(name)) == 1
        else:
            assert world.accounts(name).keys() == {"localhost", "10.0.0.2", "%.x"}
        assert world.entries(name).keys() == world.accounts(name).keys()
        assert not [host for host, owner in world.entries(name).items() if owner.adopted or owner.released]
        assert world.takes(name, "hush-0")
        delete_accounts(old, arn)
        assert (world.has_user(name), world.entries(name)) == (False, {})


def killed_after(execute: Execute, start: str) -> Execute:
    """Runs statements until one begins like this; then the function is killed, as far as it can tell."""
    is_over = False

    def mortal(statement: str) -> list[Row]:
        nonlocal is_over
        if is_over:
            raise KeyboardInterrupt
        is_over = statement.startswith(start)
        return list(execute(statement))

    return mortal


@pytest.mark.parametrize(
    "before", ["INSERT INTO ", "REPLACE INTO ", "CREATE USER ", "RENAME USER ", "GRANT ", "DELETE FROM ", "DROP USER "]
)
def test_events_with_hosts_may_come_twice_also_at_the_same_time(world: World, asking: Asking, before: str) -> None:
    """The twin is served just before a statement of its own, and once more when all is done."""
    world.make_database(shop := fresh("shop"))
    stack, name = fresh("stack"), fresh("app")
    arn, physical_id = world.secret(name), ""
    for hosts in (["%"], ["localhost"], ["localhost", "%.x"], ["10.0.0.1", "%.x", "%"], ["%"]):
        request = asking(stack, arn, name, physical_id, Privileges=[on(shop)], Hosts=hosts)
        twins = [request]

        def execute(statement: str, request: Request = request, twins: list[Request] = twins) -> list[Row]:
            if twins and statement.startswith(before):
                serve_user(twins.pop())
            return list(request.execute(statement))

        for served in (request._replace(execute=execute), request):
            assert serve_user(served).physical_id == arn
            assert (world.accounts(name).keys(), world.entries(name).keys()) == ({*hosts}, {*hosts})
            assert not [host for host, owner in world.entries(name).items() if owner.adopted or owner.released]
            assert {grant.account.host for grant in grants_of(world, name)} == {*hosts}
            assert hosts[0].startswith("10.") or world.takes(name, "hush-0")
        physical_id = arn
    for _ in range(2):
        delete_accounts(request, arn)
        assert (world.has_user(name), world.entries(name)) == (False, {})


def grants_of(world: World, name: str) -> frozenset[Grant]:
    return read_users(world.sql, name, has_owners=True)[1]


@pytest.mark.parametrize("number", [1, 2])
def test_of_two_stacks_that_take_a_name_at_once_only_one_has_it_at_any_host(
    world: World, asking: Asking, number: int
) -> None:
    """The rival is served just before the first entry is recorded, or just after: one of the two sees the other's."""
    rival, first, name = fresh("stack"), fresh("stack"), fresh("app")
    arn, other = world.secret(name), world.secret(name, "hush-other", name=f"{PREFIX}{fresh('other')}")
    rivals, statements = [asking(rival, other, name, Hosts=["10.0.0.1"])], 0
    request = asking(first, arn, name, Hosts=["%", "localhost"])

    def execute(statement: str) -> list[Row]:
        nonlocal statements
        statements += statement.startswith("INSERT INTO ")
        if rivals and statements == number:
            ask = rivals.pop()
            if number == 1:
                serve_user(ask)
            else:
                with pytest.raises(ValueError, match=rf"^user {name} belongs to stack {first}, resource App, and a"):
                    serve_user(ask)
        return list(request.execute(statement))

    if number == 1:
        with pytest.raises(ValueError, match=rf"^user {name}@10.0.0.1 belongs to stack {rival}, resource App, and"):
            serve_user(request._replace(execute=execute))
        assert world.accounts(name).keys() == world.entries(name).keys() == {"10.0.0.1"}
    else:
        serve_user(request._replace(execute=execute))
        assert world.accounts(name).keys() == world.entries(name).keys() == {"%", "localhost"}


@pytest.mark.parametrize("number", [1141, 1147, 1396, 1410, 1403, 3523, 3530])
def test_what_looks_like_a_race_and_is_none_is_tried_again_and_taken_back(
    world: World, asking: Asking, number: int
) -> None:
    """Back to what was there before the first attempt, not before the last."""
    world.make_database(shop := fresh("shop"))
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old' REQUIRE SSL", f"GRANT DROP ON `{shop}`.* TO `{name}`")
    before = (world.accounts(name), world.grants(name), world.hash(name))
    rights = [on(shop, "SELECT"), on(shop, "INSERT", Table="t")]
    request, attempts = asking(fresh("stack"), world.secret(name), name, Adopt="true", Privileges=rights), 0

    def execute(statement: str) -> list[Row]:
        nonlocal attempts
        if statement.startswith("GRANT INSERT"):
            attempts += 1
            raise DatabaseError(LOST, number=number)
        return list(request.execute(statement))

    with pytest.raises(DatabaseError, match="the cluster is gone"):
        serve_user(request._replace(execute=execute))
    assert attempts == 3
    assert (world.accounts(name), world.grants(name), world.hash(name)) == before
    assert world.entries(name) == {}


def test_account_whose_password_was_taken_away_gets_it_back(world: World, asking: Asking) -> None:
    """Also where no login can tell."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    serve_user(asking(stack, arn, name, Require="X509", Hosts=["%", "localhost"]))
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY ''", f"ALTER USER `{name}`@localhost IDENTIFIED BY ''")
    assert {account.has_no_password for account in world.accounts(name).values()} == {True}
    serve_user(asking(stack, arn, name, arn, Require="X509", Hosts=["%", "localhost"]))
    assert {account.has_no_password for account in world.accounts(name).values()} == {False}
    world.sql(f"ALTER USER `{name}`@localhost REQUIRE NONE")
    assert world.takes(name, "hush-0")


def test_password_that_was_made_to_expire_is_set_again_though_a_login_accepts_it(world: World, asking: Asking) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    serve_user(asking(stack, arn, name))
    world.sql(f"ALTER USER `{name}` PASSWORD EXPIRE")
    assert {account.is_expired for account in world.accounts(name).values()} == {True}
    serve_user(asking(stack, arn, name, arn))
    assert {account.is_expired for account in world.accounts(name).values()} == {False}
    assert world.takes(name, "hush-0")


@pytest.mark.parametrize("event", ["Create", "Update"])
def test_password_in_another_secret_reaches_accounts_whose_login_tells_nothing(
    world: World, asking: Asking, event: str
) -> None:
    """An entry that was made from nothing, as a user of IAM's is, and one that is made again."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    serve_user(asking(stack, arn, name, Require="X509"))
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY 'hush-other'")
    if event == "Update":
        world.sql(f"UPDATE aurora_tenants.users SET secret = '' WHERE name = '{name}@%'")
    serve_user(asking(stack, arn, name, arn if event == "Update" else "", Require="X509"))
    world.sql(f"ALTER USER `{name}` REQUIRE NONE")
    assert (world.takes(name, "hush-0"), world.takes(name, "hush-other")) == (True, False)


# The inspector


def inspector_of(world: World, master: DataApi) -> Execute:
    return DataApi(master.client, master.cluster_arn, f"{PREFIX}aurora_tenants_inspector").execute


def test_inspector_reads_what_root_reads_although_roles_are_mandatory(world: World, master: DataApi) -> None:
    """In a session with an active role MySQL would compare the columns of a grant with regard to case (1143)."""
    role, inspector = fresh("everybodys"), inspector_of(world, master)
    world.sql(f"CREATE ROLE `{role}`", f"GRANT SELECT (plugin) ON mysql.user TO `{role}`")
    world.sql(f"SET GLOBAL mandatory_roles = '`{role}`'", "SET GLOBAL activate_all_roles_on_login = ON")
    try:
        assert inspector("SELECT CURRENT_ROLE() AS role") == [(f"`{role}`@`%`",)]
        assert read_state(inspector) == read_state(world.sql)
        assert read_server(inspector) == read_server(world.sql)
    finally:
        world.sql("SET GLOBAL mandatory_roles = ''", "SET GLOBAL activate_all_roles_on_login = OFF")


def test_inspector_can_read_no_password_hash(world: World, master: DataApi) -> None:
    inspector = inspector_of(world, master)
    with pytest.raises(DatabaseError, match="SELECT command denied"):
        inspector("SELECT authentication_string AS hash FROM mysql.user")
    columns = "SELECT * FROM aurora_tenants.accounts WHERE User = 'admin'"
    hashed = world.hash("admin").decode("latin-1")
    assert not [cell for row in inspector(columns) for cell in row if hashed[8:] in str(cell)]


def test_views_and_functions_that_an_older_provider_lacks_are_made_when_the_inspector_is_served(
    world: World, asking: Asking
) -> None:
    name = "aurora_tenants_inspector"
    arn = str(world.secrets.describe_secret(SecretId=f"{PREFIX}{name}")["ARN"])
    password = asking(SHARED, arn, name)
    stack_id = world.cloudformation.describe_stacks(StackName=SHARED)["Stacks"][0]["StackId"]
    template = world.cloudformation.get_template(StackName=SHARED)["TemplateBody"]
    assert 'Revision: !Sub "5.${Repair}"' in str(template)
    view = world.sql("SHOW CREATE VIEW aurora_tenants.accounts")
    grants = world.grants(name)
    world.sql("CREATE OR REPLACE VIEW aurora_tenants.accounts AS SELECT 1 AS one")
    world.sql("DROP FUNCTION aurora_tenants.objects_1")
    assert world.grants(name) != grants
    request = password._replace(
        event={
            **password.event,
            "RequestType": "Update",
            "StackId": stack_id,
            "LogicalResourceId": "Inspector",
            "PhysicalResourceId": arn,
            # Whatever an event asks for, the inspector has what it has.
            "ResourceProperties": {
                "SecretId": arn,
                "Privileges": [{"Permission": "SELECT", "Database": "*"}],
                "Hosts": ["10.0.0.1"],
                "MaxUserConnections": "1",
            },
        }
    )
    serve_user(request)
    assert world.sql("SHOW CREATE VIEW aurora_tenants.accounts") == view
    assert (world.grants(name), world.accounts(name).keys()) == (grants, {"%"})
    assert world.options(name).max_user_connections == 0


def test_defaults_of_a_user_of_iam_ask_for_tls(world: World, asking: Asking) -> None:
    world.iam(on=True)
    for require in ("", "NONE", "X509"):
        stack, name = fresh("stack"), fresh("app")
        properties = {"UserName": name, **IAM, **({"Require": require} if require else {})}
        assert serve_user(asking(stack, "", name, **properties)).physical_id == f"iam:{name}"
        kind = {"": Require("SSL"), "NONE": Require(), "X509": Require("X509")}[require]
        assert world.options(name) == Options(require=kind, plugin=IAM_PLUGIN, comment="")
