"""Properties of custom resources, as CloudFormation sends them, and the state that they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from aurora_tenants.mysql.grants import Grant, Scope, role_scope
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import IAM_PLUGIN, Options, Require
from aurora_tenants.mysql.properties import may_wait, wanted_database, wanted_role, wanted_user
from aurora_tenants.mysql.state import Database, Server, State, User

SERVER = Server("8.0.42", True, "caching_sha2_password")
FOLDING = SERVER._replace(lower_case_names=True)
APP = Account("app")
READER = Account("reader")


def test_a_user_without_anything_is_an_account_everywhere():
    assert wanted_user({}, "app", SERVER) == State(users={APP: User(APP)})


def test_every_property_of_a_user_says_what_it_says():
    properties = {
        "Hosts": ["%", "10.%"],
        "Require": {"Subject": "/CN=a", "Issuer": "/CN=b", "Cipher": "c"},
        "MaxQueriesPerHour": "1",
        "MaxUpdatesPerHour": "2",
        "MaxConnectionsPerHour": "3",
        "MaxUserConnections": "4294967295",
        "Locked": "true",
        "PasswordExpireAfterDays": "0",
        "PasswordHistory": "5",
        "PasswordReuseAfterDays": "65535",
        "PasswordRequireCurrent": "false",
        "Plugin": "sha256_password",
        "Comment": "it's",
        "Roles": [{"Role": "reader", "AdminOption": "true"}, {"Role": "AWS_LAMBDA_ACCESS"}],
        "DefaultRoles": ["reader"],
    }
    options = Options(
        *(Require("SPECIFIED", "/CN=a", "/CN=b", "c"), 1, 2, 3, 4_294_967_295, True, 0, 5, 65_535, False),
        plugin="sha256_password",
        comment="it's",
    )
    accounts = (APP, Account("app", "10.%"))
    roles = [(READER, "MEMBER"), (READER, "ADMIN OPTION"), (Account("AWS_LAMBDA_ACCESS"), "MEMBER")]
    assert wanted_user(properties, "app", SERVER) == State(
        users={account: User(account, None, options, frozenset({READER})) for account in accounts},
        grants=frozenset(Grant(of, role_scope(role), privilege) for of in accounts for role, privilege in roles),
    )


def test_all_roles_are_default_roles_unless_some_are_named():
    roles = {"Roles": [{"Role": "reader"}]}
    found = [wanted_user(roles | rest, "app", SERVER).users[APP] for rest in ({}, {"DefaultRoles": []})]
    assert [user.default_roles for user in found] == [{READER}, frozenset()]


def test_a_user_of_iam_needs_tls_unless_it_says_otherwise():
    found = [wanted_user({"Auth": "iam"} | rest, "app", SERVER).users[APP] for rest in ({}, {"Require": "X509"})]
    assert [user.options for user in found] == [
        Options(require=Require("SSL"), plugin=IAM_PLUGIN),
        Options(require=Require("X509"), plugin=IAM_PLUGIN),
    ]


def test_a_role_is_an_account_that_nobody_logs_in_to():
    properties = {"Name": "reader", "Comment": "reads", "Privileges": [{"Permission": "SELECT", "Database": "shop"}]}
    assert wanted_role(properties, SERVER) == State(
        users={READER: User(READER, options=Options(is_locked=True, comment="reads"), is_role=True)},
        grants=frozenset({Grant(READER, Scope("DATABASE", "shop"), "SELECT")}),
    )


def test_a_database_may_leave_its_character_set_open():
    named = {"Name": "shop", "Charset": "utf8", "Collation": "utf8_bin"}
    assert wanted_database({"Name": "shop"}, SERVER) == Database("shop")
    assert wanted_database(named, SERVER) == Database("shop", "utf8", "utf8_bin")


def test_names_are_asked_for_as_the_server_stores_them():
    entry = {"Permission": ["SELECT"], "Database": "Shop", "Table": "Orders", "Columns": ["Id"]}
    (grant,) = wanted_user({"Privileges": [entry]}, "app", FOLDING).grants
    assert grant.scope == Scope("COLUMN", "shop", "orders", "Id")
    assert wanted_database({"Name": "Shop"}, FOLDING) == Database("shop")


@pytest.mark.parametrize(
    ("entry", "scope", "privileges"),
    [
        ({"Permission": "PROCESS", "Database": "*"}, Scope("GLOBAL"), {"PROCESS"}),
        ({"Permission": ["FLUSH_STATUS"], "Database": "*"}, Scope("DYNAMIC", name="FLUSH_STATUS"), {"FLUSH_STATUS"}),
        (
            {"Permission": "ALL", "Database": "shop", "Procedure": "Report"},
            Scope("PROCEDURE", "shop", "report"),
            {"EXECUTE", "ALTER ROUTINE"},
        ),
        (
            {"Permission": "USAGE", "Database": "shop", "Function": "f", "GrantOption": "true"},
            Scope("FUNCTION", "shop", "f"),
            {"GRANT OPTION"},
        ),
    ],
)
def test_every_level_can_be_asked_for(entry: dict[str, Any], scope: Scope, privileges: set[str]):
    found = wanted_user({"Privileges": [entry]}, "app", SERVER).grants
    assert {(grant.scope, grant.privilege) for grant in found} == {(scope, privilege) for privilege in privileges}


SELECT = {"Permission": "SELECT", "Database": "shop"}


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        (
            {"Hosts": ["Shop.example"]},
            "'Shop.example' cannot be a host: use 1 to 255 characters of a-z 0-9 . _ % : / -",
        ),
        ({"Hosts": "%"}, "Hosts must be a list"),
        ({"Auth": "ldap"}, "Auth must be password or iam, not 'ldap'"),
        ({"Auth": "iam", "Plugin": "sha256_password"}, "Plugin must be one of"),
        ({"Plugin": "auth_socket"}, "Plugin must be one of"),
        ({"Require": {"Subject": ""}}, "Require must be NONE, SSL, X509, or"),
        ({"Require": {"Common": "x"}}, "Require must be NONE, SSL, X509, or"),
        ({"MaxUserConnections": "4294967296"}, "MaxUserConnections must be a number from 0 to 4294967295"),
        ({"PasswordHistory": "-1"}, "PasswordHistory must be a number from 0 to 65535, not '-1'"),
        ({"Roles": ["reader"]}, "Roles must be a list of entries that hold Role and AdminOption"),
        ({"Roles": [{"Role": "rds_superuser_role"}]}, "cannot be the name of a role"),
        ({"Roles": [{"Role": "reader"}], "DefaultRoles": ["writer"]}, "DefaultRoles names a role that is not in Roles"),
        ({"Privileges": [SELECT | {"Table": ""}]}, "Privileges must be a list of entries that hold"),
        ({"Privileges": [SELECT | {"Column": ["id"]}]}, "Privileges must be a list of entries that hold"),
        ({"Privileges": [SELECT | {"Database": "mysql"}]}, "mysql cannot be the name of a database"),
        ({"Privileges": [SELECT | {"Database": "shop%"}]}, "'shop%' cannot be the name of a database"),
        ({"Privileges": [SELECT | {"Database": "*"}]}, "SELECT cannot be granted to a tenant on the whole server"),
        ({"Privileges": [{"Permission": "ALL", "Database": "*"}]}, "ALL is not a privilege"),
        ({"Privileges": [{"Permission": "SYSTEM_USER", "Database": "*"}]}, "SYSTEM_USER is not a privilege"),
        ({"Privileges": [{"Permission": "CREATE USER", "Database": "*"}]}, "CREATE USER cannot be granted to a tenant"),
        ({"Privileges": [SELECT | {"Table": "t", "Procedure": "p"}]}, "name one of them"),
        ({"Privileges": [SELECT | {"WhenMissing": "wait"}]}, "WhenMissing must be fail or skip, not 'wait'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(properties: dict[str, Any], sentence: str):
    with pytest.raises(ValueError) as refused:
        wanted_user(properties, "app", SERVER)
    assert sentence in str(refused.value)


SKIPPED = SELECT | {"Table": "t", "WhenMissing": "skip"}


@pytest.mark.parametrize(
    ("entries", "waiting"),
    [
        ([SKIPPED], {("t", "", "SELECT")}),
        ([SKIPPED, SELECT], {("t", "", "SELECT")}),  # what is on the database is another grant
        ([SKIPPED, SELECT | {"Table": "t", "WhenMissing": "fail"}], set()),
        ([SKIPPED, SELECT | {"Table": "t", "Columns": ["Id"]}], set()),  # which the table's would stand for
        ([SKIPPED, SELECT | {"Table": "u"}], {("t", "", "SELECT")}),
        ([SKIPPED | {"Columns": ["Id", "B"]}, SELECT | {"Table": "t", "Columns": ["id"]}], {("t", "b", "SELECT")}),
        ([SKIPPED | {"GrantOption": "true"}], {("t", "", "SELECT"), ("t", "", "GRANT OPTION")}),
        ([SKIPPED | {"GrantOption": "true"}, SELECT | {"Table": "t", "GrantOption": "true"}], set()),
    ],
)
def test_only_what_no_other_entry_asks_for_may_wait(entries: list[Any], waiting: set[Any]):
    properties = {"Privileges": entries, "Hosts": ["%", "10.%"]}
    found = may_wait(properties, wanted_user(properties, "app", SERVER), SERVER)
    assert {grant.account.host for grant in found} == ({"%", "10.%"} if waiting else set())
    assert {(grant.scope.name, grant.scope.column, grant.privilege) for grant in found} == waiting


@pytest.mark.parametrize("name", ["", "root", "a b", "x" * 33, "rdsadmin", "AWS_LAMBDA_ACCESS"])
def test_a_role_has_a_name_that_a_tenant_may_use(name: str):
    with pytest.raises(ValueError, match="cannot be the name of a role"):
        wanted_role({"Name": name}, SERVER)


def test_the_inspector_may_reach_what_no_tenant_may():
    entry = {"Permission": "SELECT", "Database": "mysql", "Table": "db"}
    (grant,) = wanted_user({"Privileges": [entry]}, "app", SERVER, may_reach_all=True).grants
    assert grant.scope == Scope("TABLE", "mysql", "db")
