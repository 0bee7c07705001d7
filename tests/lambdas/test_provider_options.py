"""Options of users, for real: every one made, drifted by hand, brought back and taken away, always in place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aurora_tenants.lambdas.request import Request, Secret
from aurora_tenants.lambdas.user import serve_user
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.options import Options, Require
from tests.lambdas.world import PREFIX, World, after, fresh, on, role, user
from tests.mysql_server import hashes

PLUGIN = "caching_sha2_password"
DEFAULTS = Options(plugin=PLUGIN, comment="")
CERTIFICATE = {"Subject": "/CN=shop's", "Issuer": "/CN=ca", "Cipher": "TLS_AES_256_GCM_SHA384"}

Case = tuple[dict[str, Any], dict[str, Any], str]
# Properties, what they make of the account, and the statement that changes just that by hand.
OPTIONS: dict[str, Case] = {
    "SSL": ({"Require": "SSL"}, {"require": Require("SSL")}, "REQUIRE NONE"),
    "X509": ({"Require": "X509"}, {"require": Require("X509")}, "REQUIRE SSL"),
    "a certificate": (
        {"Require": CERTIFICATE},
        {"require": Require("SPECIFIED", *CERTIFICATE.values())},
        "REQUIRE SUBJECT '/CN=other'",
    ),
    "queries": ({"MaxQueriesPerHour": 5000}, {"max_queries_per_hour": 5000}, "WITH MAX_QUERIES_PER_HOUR 7000"),
    "updates": ({"MaxUpdatesPerHour": 6000}, {"max_updates_per_hour": 6000}, "WITH MAX_UPDATES_PER_HOUR 0"),
    "connections": (
        {"MaxConnectionsPerHour": 2**32 - 1},
        {"max_connections_per_hour": 2**32 - 1},
        "WITH MAX_CONNECTIONS_PER_HOUR 4000",
    ),
    "connections at once": ({"MaxUserConnections": 20}, {"max_user_connections": 20}, "WITH MAX_USER_CONNECTIONS 30"),
    "locked": ({"Locked": True}, {"is_locked": True}, "ACCOUNT UNLOCK"),
    "expiry": ({"PasswordExpireAfterDays": 90}, {"expire_after_days": 90}, "PASSWORD EXPIRE NEVER"),
    "no expiry": ({"PasswordExpireAfterDays": 0}, {"expire_after_days": 0}, "PASSWORD EXPIRE INTERVAL 3 DAY"),
    "history": ({"PasswordHistory": 5}, {"history": 5}, "PASSWORD HISTORY DEFAULT"),
    "reuse": ({"PasswordReuseAfterDays": 365}, {"reuse_after_days": 365}, "PASSWORD REUSE INTERVAL 1 DAY"),
    "current": ({"PasswordRequireCurrent": True}, {"require_current": True}, "PASSWORD REQUIRE CURRENT OPTIONAL"),
    "not current": ({"PasswordRequireCurrent": False}, {"require_current": False}, "PASSWORD REQUIRE CURRENT"),
    "everything": (
        {"Require": "SSL", "MaxUserConnections": 9, "PasswordHistory": 2, "PasswordReuseAfterDays": 3, "Locked": True},
        {
            "require": Require("SSL"),
            "max_user_connections": 9,
            "history": 2,
            "reuse_after_days": 3,
            "is_locked": True,
        },
        "REQUIRE NONE WITH MAX_USER_CONNECTIONS 0 PASSWORD HISTORY 0 ACCOUNT UNLOCK",
    ),
}


@pytest.fixture
def shop(world: World) -> str:
    """A database with rows that belongs to nobody."""
    world.make_database(name := fresh("shop"))
    return name


@pytest.mark.parametrize("case", OPTIONS)
def test_option_is_made_brought_back_and_taken_away_in_place(world: World, shop: str, case: str) -> None:
    properties, expected, by_hand = OPTIONS[case]
    stack, name = fresh("stack"), fresh("app")
    arn, wanted = world.secret(name), DEFAULTS._replace(**expected)
    ended = world.deploy(stack, {"App": user(arn, on(shop), **properties)})
    assert (ended.failures, world.options(name)) == ({}, wanted)
    before = world.hash(name)
    world.sql(f"ALTER USER `{name}` {by_hand}")
    assert world.options(name) != wanted
    world.deploy(stack, {"App": user(arn, on(shop), Revision="2", **properties)})
    assert world.options(name) == wanted
    ended = world.deploy(stack, {"App": user(arn, on(shop))})
    assert (ended.failures, world.options(name)) == ({}, DEFAULTS)
    ended = world.deploy(stack, {"App": user(arn, on(shop), **properties)})
    assert (ended.failures, world.options(name)) == ({}, wanted)
    assert (world.hash(name), len(world.grants(name))) == (before, 1)
    world.delete(stack)
    assert not world.has_user(name)


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (
            {"Require": "TLS"},
            "Require must be NONE, SSL, X509, or any of Subject, Issuer and Cipher of a client's certificate",
        ),
        ({"Require": {"Subjekt": "/CN=x"}}, "Require must be NONE, SSL, X509, or any of Subject, Issuer and Cipher"),
        ({"Require": {"Subject": "back\\slash"}}, "a literal cannot hold a backslash or a control character"),
        ({"MaxUserConnections": -1}, "MaxUserConnections must be a number from 0 to 4294967295, not '-1'"),
        ({"MaxQueriesPerHour": 2**32}, "MaxQueriesPerHour must be a number from 0 to 4294967295, not '4294967296'"),
        ({"PasswordHistory": "many"}, "PasswordHistory must be a number from 0 to 65535, not 'many'"),
        (
            {"Plugin": "mysql_clear_password"},
            "Plugin must be one of caching_sha2_password, mysql_native_password, sha256",
        ),
        ({"Comment": "two\nlines"}, "a literal cannot hold a backslash or a control character"),
        ({"Hosts": ["`x`"]}, "'`x`' cannot be a host: use 1 to 255 characters of a-z 0-9 . _ % : / -"),
        ({"Hosts": "10.0.0.1"}, "Hosts must be a list"),
        ({"Auth": "kerberos"}, "Auth must be password or iam, not 'kerberos'"),
        ({"Roles": ["reader"]}, "Roles must be a list of entries that hold Role and AdminOption"),
        ({"Roles": [{"Role": "rds_superuser_role"}]}, "rds_superuser_role cannot be the name of a role"),
        ({"Roles": [{"Role": "nowhere"}]}, "there is no role nowhere to grant: create it first"),
        ({"Roles": [{"Role": "AWS_TELEPORT_ACCESS"}]}, "there is no role AWS_TELEPORT_ACCESS to grant: this version"),
        (
            {"SecretId": ""},
            "SecretId is missing: it names the secret with the user's name and password; only a user with Auth: iam",
        ),
        (
            {"Privileges": [{"Permission": "SELECT", "Database": "a", "Table": "b", "Columns": "id"}]},
            "Columns must be a list",
        ),
        ({"DefaultRoles": ["reader"]}, "DefaultRoles names a role that is not in Roles"),
    ],
)
def test_options_that_cannot_be_are_refused_and_leave_no_user(
    world: World, properties: dict[str, Any], reason: str
) -> None:
    name = fresh("app")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), **properties)})
    assert (ended.status, list(ended.failures)) == ("ROLLBACK_COMPLETE", ["App"])
    assert ended.failures["App"].startswith(reason)
    assert (world.has_user(name), world.entries(name)) == (False, {})


def test_comment_is_kept_until_the_template_has_another(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, Comment="it's the shop's")})
    assert world.options(name).comment == "it's the shop's"
    world.deploy(stack, {"App": user(arn)})
    assert world.options(name).comment == "it's the shop's"
    world.deploy(stack, {"App": user(arn, Comment="another")})
    assert world.options(name).comment == "another"


def test_another_plugin_comes_with_the_secrets_password(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-kept")
    world.deploy(stack, {"App": user(arn, on(shop))})
    grants = world.grants(name)
    for properties, plugin in (
        ({"Plugin": "sha256_password"}, "sha256_password"),
        ({}, "sha256_password"),  # left as it is
        ({"Plugin": PLUGIN}, PLUGIN),
    ):
        assert world.deploy(stack, {"App": user(arn, on(shop), **properties, Revision=plugin)}).failures == {}
        assert (world.options(name).plugin, world.takes(name, "hush-kept")) == (plugin, True)
    assert world.grants(name) == grants


def test_plugin_that_the_server_does_not_have_leaves_a_new_user_unmade_and_an_old_one_as_it_was(
    world: World, shop: str
) -> None:
    """mysql_native_password is gone since MySQL 9.0."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    reason = (
        "Plugin 'mysql_native_password' is not loaded (1524): this server does not have the plugin;"
        " remove Plugin, or name another one"
    )
    native = user(arn, on(shop), Plugin="mysql_native_password")
    assert world.deploy(fresh("stack"), {"App": native}).failures == {"App": reason}
    assert (world.has_user(name), world.entries(name)) == (False, {})
    world.deploy(stack, {"App": user(arn, on(shop, "SELECT"), MaxUserConnections=5)})
    before = (world.accounts(name), world.grants(name), world.hash(name))
    assert world.deploy(stack, {"App": native}).failures == {"App": reason}
    assert (world.accounts(name), world.grants(name), world.hash(name)) == before


# Passwords whose login tells nothing, or something else


def test_password_of_a_locked_user_that_was_changed_by_hand_is_set_again(world: World) -> None:
    """MySQL tells a locked account (3118) only to who knows its password; to everybody else it says 1045."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-secret")
    world.deploy(stack, {"App": user(arn, Locked=True)})
    before = world.hash(name)
    world.deploy(stack, {"App": user(arn, Locked=True, Revision="2")})
    assert world.hash(name) == before
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY 'hush-by-hand'")
    world.deploy(stack, {"App": user(arn, Locked=True, Revision="3")})
    world.sql(f"ALTER USER `{name}` ACCOUNT UNLOCK")
    assert (world.takes(name, "hush-secret"), world.takes(name, "hush-by-hand")) == (True, False)


def test_password_that_has_expired_is_not_touched(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn)})
    world.sql(f"ALTER USER `{name}` PASSWORD EXPIRE")
    before = world.hash(name)
    assert world.deploy(stack, {"App": user(arn, Revision="2")}).status == "UPDATE_COMPLETE"
    assert world.hash(name) == before


def test_password_that_needs_tls_is_tried_with_it(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-secret")
    world.deploy(stack, {"App": user(arn, Require="SSL")})
    before = world.hash(name)
    world.deploy(stack, {"App": user(arn, Require="SSL", Revision="2")})
    assert world.hash(name) == before
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY 'hush-by-hand'")
    world.deploy(stack, {"App": user(arn, Require="SSL", Revision="3")})
    assert (world.takes(name, "hush-secret", tls=True), world.takes(name, "hush-secret")) == (True, False)


def test_password_that_needs_a_certificate_is_set_once_and_left_alone(world: World) -> None:
    """Its login is denied whatever the password is; set at every event, it would end a password that was retained."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, Require="X509")})
    before = world.hash(name)
    assert world.deploy(stack, {"App": user(arn, Require="X509", Revision="2")}).status == "UPDATE_COMPLETE"
    assert world.hash(name) == before


def test_adopted_user_that_needs_a_certificate_gets_the_secrets_password_beside_its_own(world: World) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old' REQUIRE X509")
    arn = world.secret(name, "hush-new")
    assert world.deploy(stack, {"App": user(arn, Adopt=True, Require="X509")}).failures == {}
    assert world.deploy(stack, {"App": user(arn, Adopt=True, Require="X509", Revision="2")}).failures == {}
    world.sql(f"ALTER USER `{name}` REQUIRE NONE")
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-new")) == (True, True)


def test_adopted_user_that_needed_a_certificate_gets_the_secrets_password(world: World) -> None:
    """It is asked by a login once nothing but the password can stand in its way."""
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old' REQUIRE X509")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name, "hush-new"), Adopt=True)})
    assert (ended.failures, world.options(name).require) == ({}, Require())
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-new")) == (True, True)


@pytest.mark.parametrize("require", ["NONE", "X509"])
def test_create_that_comes_twice_is_not_stopped_by_a_password_history(
    world: World, master: DataApi, monkeypatch: pytest.MonkeyPatch, require: str
) -> None:
    """MySQL refuses a password that the account has had, the one it has among them (3638)."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "provider")
    name = fresh("app")
    arn = world.secret(name)
    rules = {"PasswordHistory": "5", "PasswordReuseAfterDays": "365", "Require": require}
    request = Request(
        {
            "RequestType": "Create",
            "StackId": f"arn:aws:cloudformation:eu-west-1:1:stack/{fresh('stack')}/1",
            "LogicalResourceId": "App",
            "ResourceProperties": {"SecretId": arn, "Privileges": [], **rules},
        },
        master.execute,
        lambda arn: DataApi(master.client, master.cluster_arn, arn).execute,
        lambda _: Secret(arn, f"{PREFIX}{name}", name, hashes("hush-0")),
        master.cluster_arn,
        math.inf,
    )
    for _ in range(3):
        assert serve_user(request).physical_id == arn
        assert (world.options(name).history, world.options(name).reuse_after_days) == (5, 365)
    # A password that the account has had, and another after it.
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY 'hush-other' REQUIRE NONE")
    serve_user(request)
    world.sql(f"ALTER USER `{name}` REQUIRE NONE")
    assert (world.takes(name, "hush-0"), world.takes(name, "hush-other")) == (True, False)
    assert (world.options(name).history, world.options(name).reuse_after_days) == (5, 365)


# Failures in the middle

LEGACY = (
    "REQUIRE SSL WITH MAX_USER_CONNECTIONS 7 MAX_QUERIES_PER_HOUR 800 PASSWORD EXPIRE INTERVAL 30 DAY"
    " PASSWORD HISTORY 3 PASSWORD REUSE INTERVAL 4 DAY COMMENT 'theirs'"
)


def legacy(world: World, shop: str) -> tuple[str, str]:
    """A user of nobody's with options, a role that is its default, and rights; the user's name and the role's."""
    name, reader = fresh("legacy"), fresh("reader")
    world.sql(
        f"CREATE USER `{name}` IDENTIFIED WITH sha256_password BY 'hush-old' {LEGACY}",
        f"CREATE ROLE `{reader}`",
        f"GRANT SELECT ON `{shop}`.* TO `{name}`",
        f"GRANT `{reader}` TO `{name}` WITH ADMIN OPTION",
        f"SET DEFAULT ROLE `{reader}` TO `{name}`",
    )
    return name, reader


@pytest.mark.parametrize("properties", [{}, {"Plugin": PLUGIN}, {"Hosts": ["%", "10.0.0.1"]}], ids=str)
def test_adoption_that_fails_puts_everything_back(world: World, shop: str, properties: dict[str, Any]) -> None:
    name, _ = legacy(world, shop)
    before = (world.accounts(name), world.grants(name), world.hash(name))
    missing = on(shop, "SELECT", Table="missing")
    resource = user(world.secret(name), missing, Adopt=True, MaxUserConnections=1, Comment="ours", **properties)
    ended = world.deploy(fresh("stack"), {"App": resource})
    assert ended.failures == {"App": f"Table '{shop}.missing' doesn't exist"}
    assert (world.accounts(name), world.grants(name), world.hash(name)) == before
    assert world.entries(name) == {}


def test_adoption_takes_what_the_template_does_not_say_away(world: World, shop: str) -> None:
    name, _ = legacy(world, shop)
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), on(shop, "INSERT"), Adopt=True)})
    assert (ended.failures, world.options(name)) == ({}, DEFAULTS._replace(plugin="sha256_password", comment="theirs"))
    assert world.accounts(name)["%"].default_roles == frozenset()
    assert world.grants(name) == {f"GRANT INSERT ON `{shop}`.* TO `{name}`@`%`"}
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-0")) == (True, True)


def test_update_that_fails_in_the_middle_leaves_the_user_as_it_was(world: World, shop: str) -> None:
    stack, name, reader = fresh("stack"), fresh("app"), fresh("reader")
    of_reader = {"Reader": role(reader)}
    arn = world.secret(name)
    rights = [on(shop, "SELECT")]
    app = user(arn, *rights, Roles=[{"Role": reader}], MaxUserConnections=5, Require="SSL")
    world.deploy(stack, {**of_reader, "App": after(app, "Reader")})
    before = (world.accounts(name), world.grants(name), world.hash(name), world.entries(name))
    rights = [on(shop, "INSERT"), on(shop, "SELECT", Table="missing")]
    ended = world.deploy(stack, {**of_reader, "App": user(arn, *rights, Plugin="sha256_password", Locked=True)})
    assert ended.failures == {"App": f"Table '{shop}.missing' doesn't exist"}
    assert (world.accounts(name), world.grants(name), world.hash(name), world.entries(name)) == before
