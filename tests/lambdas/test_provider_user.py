"""Custom::DatabaseUser for real: stacks deployed with the code that stands in cfn/shared.yml, and MySQL afterwards."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas import request
from aurora_tenants.lambdas import user as provider_user
from aurora_tenants.lambdas.statement import run
from aurora_tenants.mysql.dataapi import DataApi
from aurora_tenants.mysql.owners import Owner, record_owner
from tests.lambdas.world import (
    BOTH,
    PREFIX,
    World,
    after,
    assert_silent,
    database,
    failing,
    fresh,
    on,
    ref,
    secret,
    until,
    user,
)
from tests.mysql_server import hashes

RULE = "use 1 to 32 characters of A-Z a-z 0-9 _ $ -"
ENTRIES = (
    "Privileges must be a list of entries that hold Columns, Database, Function, GrantOption, Permission, Procedure,"
    " Table, WhenMissing, none of them empty"
)
OTHER_SECRET = "another secret needs another user name"


def everything(name: str, to: str) -> set[str]:
    return {f"GRANT ALL PRIVILEGES ON `{name}`.* TO `{to}`@`%`"}


@pytest.fixture
def shop(world: World) -> str:
    """A database with rows that belongs to nobody."""
    world.make_database(name := fresh("shop"))
    return name


# What it makes


@BOTH
def test_user_is_made_with_its_secrets_password_and_exactly_its_privileges(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-its")
    ended = world.deploy(stack, {"App": user(arn, on(shop))}, {"Secret": ref("App")})
    assert (ended.status, ended.outputs) == ("CREATE_COMPLETE", {"Secret": arn})
    assert (world.takes(name, "hush-its"), world.grants(name)) == (True, everything(shop, name))
    assert world.user_owner(name) == (stack, "App", f"{PREFIX}{name}", 0, 0)


def test_privileges_converge_in_place(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop, ["SELECT", "insert"]), on(shop, "UPDATE", Table="t"))})
    columns = on(shop, "UPDATE", Table="t", Columns=["id"])
    ended = world.deploy(stack, {"App": user(arn, on(shop, "SELECT, DELETE", GrantOption=True), columns)})
    assert ended.status == "UPDATE_COMPLETE"
    assert world.grants(name) == {
        f"GRANT SELECT, DELETE ON `{shop}`.* TO `{name}`@`%` WITH GRANT OPTION",
        f"GRANT UPDATE (`id`) ON `{shop}`.`t` TO `{name}`@`%`",
    }


def test_right_that_is_kept_is_never_away(world: World, shop: str) -> None:
    """A connection that was open before goes on reading while the user's rights change."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-kept")
    world.deploy(stack, {"App": user(arn, on(shop))})
    world.begin(stack, {"App": user(arn, on(shop, "SELECT"))})
    with world.sandbox.mysql.connect(name, "hush-kept") as connection, connection.cursor() as cursor:

        def reads() -> bool:
            cursor.execute(f"SELECT COUNT(*) FROM `{shop}`.t")
            return world.status(stack) == "UPDATE_COMPLETE"

        until(reads)
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}


def test_column_that_was_granted_in_capitals_is_revoked(world: World, shop: str) -> None:
    """MySQL reads columns in any case and revokes them only in that of the grant: a stack would be stuck with it."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn)})
    world.sql(f"GRANT UPDATE (ID), INSERT (ID) ON `{shop}`.t TO `{name}`")
    kept = user(arn, on(shop, "INSERT", Table="t", Columns=["Id"]))
    assert world.deploy(stack, {"App": kept}).status == "UPDATE_COMPLETE"
    assert world.grants(name) == {f"GRANT INSERT (`ID`) ON `{shop}`.`t` TO `{name}`@`%`"}
    assert world.deploy(stack, {"App": user(arn)}).status == "UPDATE_COMPLETE"
    assert world.grants(name) == set()


def test_hand_made_changes_are_taken_back(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop, "SELECT"))})
    world.sql(f"REVOKE SELECT ON `{shop}`.* FROM `{name}`", f"GRANT DROP ON `{shop}`.* TO `{name}`")
    world.sql(f"GRANT SELECT ON mysql.* TO `{name}`", f"GRANT PROCESS ON *.* TO `{name}`")
    assert world.deploy(stack, {"App": user(arn, on(shop, "SELECT"), Revision="2")}).status == "UPDATE_COMPLETE"
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}


def test_user_that_somebody_dropped_is_made_again(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-again")
    world.deploy(stack, {"App": user(arn, on(shop))})
    world.sql(f"DROP USER `{name}`")
    assert world.deploy(stack, {"App": user(arn, on(shop), Revision="2")}).status == "UPDATE_COMPLETE"
    assert (world.takes(name, "hush-again"), world.grants(name)) == (True, everything(shop, name))


def test_user_that_somebody_made_again_is_still_the_stacks(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-ours")
    world.deploy(stack, {"App": user(arn, on(shop))})
    world.sql(f"DROP USER `{name}`", f"CREATE USER `{name}` IDENTIFIED BY 'hush-theirs'")
    assert world.deploy(stack, {"App": user(arn, on(shop), Revision="2")}).status == "UPDATE_COMPLETE"
    assert (world.takes(name, "hush-ours"), world.takes(name, "hush-theirs")) == (True, False)
    assert world.grants(name) == everything(shop, name)


def test_user_that_lost_its_entry_is_adopted_in_place(world: World, shop: str) -> None:
    """Refused, it would refuse the rollback to its old properties too, and the stack would be stuck."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn)})
    world.sql(f"DELETE FROM aurora_tenants.users WHERE name = '{name}@%'")
    assert world.deploy(stack, {"App": user(arn, on(shop))}).status == "UPDATE_COMPLETE"
    assert (world.user_owner(name)[3], world.grants(name)) == (1, everything(shop, name))


def test_entry_is_out_of_the_users_own_reach(world: World) -> None:
    """A user may change its own ATTRIBUTE, which therefore must not say whose it is."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn)})
    with world.sandbox.mysql.connect(name, "hush-0") as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER USER `{name}` IDENTIFIED BY 'hush-0' ATTRIBUTE '{{\"aurora_tenants\": null}}'")
    assert world.deploy(stack, {"App": user(arn, Revision="2")}).status == "UPDATE_COMPLETE"
    world.delete(stack)
    assert not world.has_user(name)


def test_removed_user_is_dropped_and_the_database_is_not(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    world.deploy(stack, {"App": user(world.secret(name), on(shop))})
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_user(name), world.rows(shop)) == (False, 2)


def test_user_is_dropped_when_its_secret_is_gone(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop))})
    world.secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert not world.has_user(name)


def test_password_with_quotes_is_taken_as_it_is(world: World) -> None:
    name, password = fresh("app"), "hush'\"`; -- :name ? %s ünï€\U0001f600"
    assert world.deploy(fresh("stack"), {"App": user(world.secret(name, password))}).status == "CREATE_COMPLETE"
    assert world.takes(name, password)


# What it refuses


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("it's", f'"it\'s" cannot be the name of a user: {RULE}'),
        ("`x`", f"'`x`' cannot be the name of a user: {RULE}"),
        ("a" * 33, f"'{'a' * 33}' cannot be the name of a user: {RULE}"),
        ("", f"'' cannot be the name of a user: {RULE}"),
        ("app@%", f"'app@%' cannot be the name of a user: {RULE}"),
        ("root", "root cannot be the name of a user: it is reserved"),
        ("rdsadmin", "rdsadmin cannot be the name of a user: it is reserved"),
        ("RDS_superuser_role", "RDS_superuser_role cannot be the name of a user: it is reserved"),
        ("AWS_LAMBDA_ACCESS", "AWS_LAMBDA_ACCESS cannot be the name of a user: it is reserved"),
        ("aurora_tenants_inspector", "aurora_tenants_inspector cannot be the name of a user: it is reserved"),
        ("admin", "user admin is the cluster's master user and cannot be a tenant's"),
    ],
)
def test_user_name_that_cannot_be_is_refused(world: World, name: str, reason: str) -> None:
    arn = world.secret(name, name=f"{PREFIX}{fresh('odd')}")
    ended = world.deploy(fresh("stack"), {"App": user(arn, Adopt=True)})
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"App": reason})


@pytest.mark.parametrize(
    "value",
    [
        {"SecretString": "hush-no-json"},
        {"SecretString": "[]"},
        {"SecretString": "7"},
        {"SecretString": '{"username": "hush"}'},
        {"SecretString": '{"username": "app", "password": null}'},
        {"SecretString": '{"username": "app", "password": ""}'},
        {"SecretString": '{"username": ["app"], "password": "hush"}'},
        {"SecretBinary": b'{"username": "app", "password": "hush"}'},
    ],
)
def test_secret_that_is_no_login_is_told_without_its_value(world: World, value: dict[str, Any]) -> None:
    arn = world.secret_of(f"{PREFIX}{fresh('odd')}", **value)
    ended = world.deploy(fresh("stack"), {"App": user(arn)})
    reason = f"secret {arn} is not JSON with a username and a password"
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"App": reason})


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("hush\0", "contains a NUL or half a character; change it to one without"),
        ("hush\ud800", "contains a NUL or half a character; change it to one without"),
        ("hush" + "ü" * 127, "has 258 bytes; change it to one of 1 to 256"),
    ],
)
def test_password_that_no_client_can_log_in_with_is_told_by_its_secret(
    world: World, password: str, reason: str
) -> None:
    arn = world.secret(fresh("app"), password)
    assert world.deploy(fresh("stack"), {"App": user(arn)}).failures == {
        "App": f"the password in secret {arn} {reason}"
    }


@pytest.mark.parametrize("password", ["hush\\'\"`;\n\x01", "hush ünï 漢字 \U0001f600", "h", "h" * 256])
def test_password_may_be_any_text_that_a_client_can_send(world: World, master: DataApi, password: str) -> None:
    name = fresh("app")
    arn = world.secret(name, password)
    assert world.deploy(fresh("stack"), {"App": user(arn)}).failures == {}
    login = DataApi(master.client, master.cluster_arn, arn)
    assert login.execute("SELECT CURRENT_USER() AS c00") == [(f"{name}@%",)]


def test_secret_that_is_not_there_is_a_sentence(world: World) -> None:
    ended = world.deploy(fresh("stack"), {"App": user(f"{PREFIX}nowhere")})
    assert (ended.status, list(ended.failures)) == ("ROLLBACK_COMPLETE", ["App"])
    assert ended.failures["App"].endswith("Secrets Manager can't find the specified secret.")


def test_secret_outside_the_prefix_may_not_be_read(world: World) -> None:
    arn = world.secret(fresh("app"), name=f"/elsewhere/{fresh('app')}")
    ended = world.deploy(fresh("stack"), {"App": user(arn)})
    assert ended.status == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: secretsmanager:GetSecretValue" in ended.failures["App"]


@pytest.mark.parametrize("secret_id", ["", "x" * 3000, ["a"], "é\"'`\\"])
def test_secret_id_that_cannot_be_is_a_failure_that_rolls_back(world: World, secret_id: Any) -> None:
    ended = world.deploy(fresh("stack"), {"App": user(secret_id)})
    assert (ended.status, list(ended.failures)) == ("ROLLBACK_COMPLETE", ["App"])
    assert not ended.failures["App"].startswith("the provider failed")


@pytest.mark.parametrize(
    ("privileges", "reason"),
    [
        ("ALL", "Privileges must be a list"),
        ({"Permission": "ALL", "Database": "shop"}, "Privileges must be a list"),
        (["ALL"], ENTRIES),
        ([[{"Permission": "ALL"}]], ENTRIES),
        ([{"Permission": "SELECT", "Database": "shop", "Colums": ["id"]}], ENTRIES),
        ([{"Permission": "SELECT", "Database": "shop", "Table": ""}], ENTRIES),
        ([{"Permission": "SELECT", "Database": "shop", "Table": "t", "Columns": []}], ENTRIES),
        ([on("shop", "SELEC")], "SELEC is not a privilege that can be granted on a database"),
        ([on("shop", 7)], "7 is not a privilege that can be granted on a database"),
        ([on("shop", "SELECT,")], "an empty name is not a privilege that can be granted on a database"),
        ([on("shop", [["SELECT"]])], "['SELECT'] is not a privilege that can be granted on a database"),
        ([on("shop", "SUPER")], "SUPER is not a privilege that can be granted on a database"),
        (
            [on("shop", "ALL ON *.* TO x; --")],
            "ALL ON *.* TO X; -- is not a privilege that can be granted on a database",
        ),
        ([on("shop", "ALL", Table="t", Columns=["id"])], "ALL is not a privilege that can be granted on a column"),
        ([on("shop", "SELECT", Columns=["id"])], "columns need the name of one table"),
        ([on("*")], "ALL is not a privilege that can be granted on the whole server"),
        ([on("*", "CREATE USER")], "CREATE USER cannot be granted to a tenant on the whole server"),
        ([on("*", "PROCESS", GrantOption=True)], "GRANT OPTION cannot be granted on the whole server"),
        ([on("shop%")], "'shop%' cannot be the name of a database: use 1 to 64 characters of A-Z a-z 0-9 _ $ -"),
        ([{"Permission": "ALL"}], "'' cannot be the name of a database: use 1 to 64 characters of A-Z a-z 0-9 _ $ -"),
        ([on("mysql", "SELECT")], "mysql cannot be the name of a database: it is reserved"),
        ([on("SYS", "SELECT")], "SYS cannot be the name of a database: it is reserved"),
        ([on("aurora_tenants")], "aurora_tenants cannot be the name of a database: it is reserved"),
        ([on("shop", "SELECT", Table="no`where")], "Table 'shop.no`where' doesn't exist"),
    ],
)
def test_privileges_that_cannot_be_are_refused_and_leave_no_user(world: World, privileges: Any, reason: str) -> None:
    name = fresh("app")
    resource = user(world.secret(name))
    resource["Properties"]["Privileges"] = privileges
    ended = world.deploy(fresh("stack"), {"App": resource})
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"App": reason})
    assert not world.has_user(name)


def test_inspector_alone_reads_the_servers_own_tables(world: World) -> None:
    outputs = world.cloudformation.describe_stacks(StackName="shared-global")["Stacks"][0]["Outputs"]
    assert {entry["OutputValue"] for entry in outputs if entry["OutputKey"] == "InspectorProblem"} == {"none"}
    to = "TO `aurora_tenants_inspector`@`%`"
    of_mysql = ("columns_priv", "db", "default_roles", "global_grants", "procs_priv", "role_edges", "tables_priv")
    assert world.grants("aurora_tenants_inspector") == {
        f"GRANT SHOW DATABASES ON *.* {to}",
        f"GRANT SELECT ON `aurora_tenants`.* {to}",
        *(f"GRANT EXECUTE ON FUNCTION `aurora_tenants`.`{name}_1` {to}" for name in ("connections", "objects")),
        *(f"GRANT SELECT ON `mysql`.`{table}` {to}" for table in of_mysql),
    }


@pytest.mark.parametrize("text", ["Access denied, hush-1", "PUT http://127.0.0.1/_sandbox/cfn-response/x"])
def test_check_of_every_operation_finds_what_must_not_come_out(text: str) -> None:
    with pytest.raises(AssertionError, match=r"hush-1|cfn-response"):
        assert_silent(text)


def test_refusals_that_are_only_reported_fit_into_the_answer(world: World, shop: str) -> None:
    name = fresh("app")
    missing = [on(shop, "SELECT", Table=f"missing-{number}-{'ü' * 40}") for number in range(60)]
    resource = user(world.secret(name), on(shop, "SELECT"), *missing, OnRefusal="report")
    ended = world.deploy(fresh("stack"), {"App": resource}, {"Refused": {"Fn::GetAtt": ["App", "Refused"]}})
    assert ended.status == "CREATE_COMPLETE", ended.failures
    assert ended.outputs["Refused"].startswith(f"Table '{shop}.missing-0-")
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}


@pytest.mark.parametrize("plugin", ["caching_sha2_password", "mysql_native_password"])
def test_syntax_error_that_quotes_a_hash_is_not_passed_on(master: DataApi, plugin: str) -> None:
    """MySQL quotes the first 80 characters after the mistake, so only a part."""
    statement = f"CREATE USER x IDENTIFIED WITH {plugin} SYNTAX AS {hashes('hush')[plugin]}"
    with pytest.raises(DatabaseError, match=hashes("hush")[plugin][:60]) as spoken:
        master.execute(statement)
    assert spoken.value.number == 1064
    with pytest.raises(DatabaseError, match=r"^MySQL refused a statement with the hash of a password \(1064\)$"):
        run(master.execute, statement)


# What existed before


def test_existing_user_is_refused_and_survives_the_rollback(world: World, shop: str) -> None:
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'", f"GRANT SELECT ON `{shop}`.* TO `{name}`")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), on(shop))})
    reason = f"user {name} exists already and belongs to nobody; set adopt: true to take it over as it is"
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"App": reason})
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-0")) == (True, False)
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}


def test_adopted_user_keeps_its_password_beside_the_secrets(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'", f"GRANT ALL ON `{shop}`.* TO `{name}`")
    world.sql(f"GRANT SELECT (Host) ON mysql.user TO `{name}`", f"GRANT AWS_LAMBDA_ACCESS TO `{name}`")
    world.sql(f"GRANT SELECT, CREATE USER ON *.* TO `{name}`", f"GRANT EXECUTE ON sys.* TO `{name}`")
    arn = world.secret(name, "hush-new")
    ended = world.deploy(stack, {"App": user(arn, on(shop, "SELECT"), Adopt=True)})
    assert (ended.status, ended.failures) == ("CREATE_COMPLETE", {})
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-new")) == (True, True)
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}
    assert world.user_owner(name) == (stack, "App", f"{PREFIX}{name}", 1, 0)


def test_adopted_user_with_a_plugin_of_its_own_keeps_it(world: World) -> None:
    """MySQL keeps no password beside one of another plugin (3894)."""
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED WITH sha256_password BY 'hush-old'")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name, "hush-new"), Adopt=True)})
    assert (ended.status, ended.failures) == ("CREATE_COMPLETE", {})
    assert world.sql(f"SELECT plugin FROM mysql.user WHERE User = '{name}'") == [("sha256_password",)]


def test_adopted_user_is_let_go_of_and_never_dropped(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old' ATTRIBUTE '{{\"team\": \"shop\"}}'")
    world.deploy(stack, {"App": user(world.secret(name), on(shop), Adopt=True)})
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.takes(name, "hush-0"), world.user_owner(name)[3:]) == (True, (1, 1))
    attribute = world.sql(f"SELECT ATTRIBUTE FROM information_schema.USER_ATTRIBUTES WHERE USER = '{name}'")
    assert json.loads(attribute[0][0]) == {"team": "shop"}


def test_another_stack_has_to_adopt_a_user_that_was_let_go_of(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, Adopt=True)})
    world.delete(stack)
    ended = world.deploy(fresh("stack"), {"App": user(arn, on(shop))})
    reason = f"user {name} was kept when stack {stack}, resource App let go of it; "
    assert ended.failures == {"App": reason + "set adopt: true to take it over as it is"}
    assert world.deploy(fresh("stack"), {"App": user(arn, on(shop), Adopt=True)}).status == "CREATE_COMPLETE"


def test_adoption_that_is_tried_again_with_a_new_secret_keeps_the_old_password(world: World, shop: str) -> None:
    """Of the passwords beside the current one MySQL keeps one: it must be the one that the user came with."""
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'")
    first = world.secret(name, "hush-1")
    adopted = {"App": user(first, on(shop), Adopt=True)}
    world.deploy(fresh("stack"), {**adopted, "Bad": failing("App")})
    world.secrets.delete_secret(SecretId=first, ForceDeleteWithoutRecovery=True)
    second = world.secret(name, "hush-2")
    assert world.deploy(fresh("stack"), {"App": user(second, on(shop), Adopt=True)}).status == "CREATE_COMPLETE"
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-2")) == (True, True)


def test_adoption_that_died_before_the_password_keeps_the_old_one(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'")
    world.sql(record_owner("users", f"{name}@%", Owner(stack, "App", f"{PREFIX}{name}", adopted=True)))
    resource = user(world.secret(name, "hush-new"), on(shop), Adopt=True)
    assert world.deploy(stack, {"App": resource}).status == "CREATE_COMPLETE"
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-new")) == (True, True)


def test_user_without_a_password_is_not_adopted_and_keeps_its_rights(world: World, shop: str) -> None:
    """There is no password that could go on beside the secret's; that must be known before anything is revoked."""
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}`", f"GRANT ALL ON `{shop}`.* TO `{name}`")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), on(shop, "SELECT"), Adopt=True)})
    reason = f"Empty password can not be retained as second password for user '{name}'@'%'."
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"App": reason})
    assert (world.grants(name), world.user_owner(name)) == (everything(shop, name), None)


def test_user_with_more_rights_than_the_master_is_not_adopted_and_keeps_them_all(world: World, shop: str) -> None:
    """What was revoked before the right that the master cannot revoke comes back."""
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'", f"GRANT ALL ON `{shop}`.* TO `{name}`")
    world.sql(f"GRANT SUPER, SELECT ON *.* TO `{name}`")
    before = world.grants(name)
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), on(shop, "SELECT"), Adopt=True)})
    denied = "Access denied for user 'admin'@'%' (using password: YES) (1045)"
    reason = f"{denied}: the cluster's master user does not hold this itself, so it cannot grant or revoke it"
    assert (ended.status, ended.failures) == ("ROLLBACK_COMPLETE", {"App": reason})
    assert (world.takes(name, "hush-old"), world.takes(name, "hush-0")) == (True, False)
    assert (world.grants(name), world.user_owner(name)) == (before, None)


def test_failed_adoption_leaves_the_user_to_nobody(world: World, shop: str) -> None:
    """Or nobody else could ever adopt it: the stack that failed is gone, and never lets go of anything."""
    name = fresh("legacy")
    world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-old'", f"GRANT SELECT ON `{shop}`.* TO `{name}`")
    missing = on(shop, "SELECT", Table="missing")
    ended = world.deploy(fresh("stack"), {"App": user(world.secret(name), missing, Adopt=True)})
    assert ended.failures == {"App": f"Table '{shop}.missing' doesn't exist"}
    assert (world.takes(name, "hush-old"), world.user_owner(name)) == (True, None)
    assert world.grants(name) == {f"GRANT SELECT ON `{shop}`.* TO `{name}`@`%`"}


def test_two_stacks_cannot_own_one_user(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-first")
    world.deploy(stack, {"App": user(arn, on(shop))})
    other = world.secret(name, "hush-second", name=f"{PREFIX}{fresh('thief')}")
    for adopt in (False, True):
        for secret_id in (arn, other):
            ended = world.deploy(fresh("stack"), {"App": user(secret_id, Adopt=adopt)})
            assert ended.failures == {"App": f"user {name} belongs to stack {stack}, resource App"}
    assert (world.takes(name, "hush-first"), world.takes(name, "hush-second")) == (True, False)
    assert world.grants(name) == everything(shop, name)


def test_of_two_stacks_that_ask_at_once_one_has_the_user(world: World) -> None:
    for _ in range(3):
        name, stacks = fresh("app"), [fresh("stack") for _ in range(3)]
        secrets = [world.secret(name, f"hush-{stack}", name=f"{PREFIX}{stack}") for stack in stacks]
        for stack, arn in zip(stacks, secrets, strict=True):
            world.begin(stack, {"App": user(arn)})
        ended = {stack: world.ended(stack) for stack in stacks}
        (winner,) = [stack for stack in stacks if ended[stack].status == "CREATE_COMPLETE"]
        reason = f"user {name} belongs to stack {winner}, resource App"
        assert [each.failures for each in ended.values() if each.failures] == [{"App": reason}] * 2
        assert [stack for stack in stacks if world.takes(name, f"hush-{stack}")] == [winner]


def test_two_resources_of_a_stack_cannot_own_one_user(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop))})
    ended = world.deploy(stack, {"App": user(arn, on(shop)), "Twin": user(arn)})
    assert ended.failures == {"Twin": f"user {name} belongs to stack {stack}, resource App"}
    assert (ended.status, world.grants(name)) == ("UPDATE_ROLLBACK_COMPLETE", everything(shop, name))


def test_accounts_of_the_same_name_on_other_hosts_need_adopt_and_are_left_alone(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    world.sql(f"CREATE USER `{name}`@`10.0.0.1`", f"GRANT ALL ON `{shop}`.* TO `{name}`@`10.0.0.1`")
    arn = world.secret(name)
    reason = (
        f"there is a user {name}@10.0.0.1 already, which belongs to nobody: what it may do would apply to this user,"
        " too; drop it, or set adopt: true"
    )
    assert world.deploy(fresh("stack"), {"App": user(arn, on(shop, "SELECT"))}).failures == {"App": reason}
    assert world.entries(name) == {}
    assert world.deploy(stack, {"App": user(arn, on(shop, "SELECT"), Adopt=True)}).status == "CREATE_COMPLETE"
    world.delete(stack)
    assert world.sql(f"SELECT Host FROM mysql.user WHERE User = '{name}'") == [("10.0.0.1",)]


# Passwords


@pytest.mark.parametrize("password", ["hush-0", "hush'\"`ü"])
def test_password_that_works_is_not_touched(world: World, shop: str, password: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, password)
    world.deploy(stack, {"App": user(arn)})
    before = world.hash(name)
    assert world.deploy(stack, {"App": user(arn, on(shop))}).status == "UPDATE_COMPLETE"
    assert world.hash(name) == before


def test_password_that_does_not_work_is_set_and_the_other_ends(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name, "hush-secret")
    world.deploy(stack, {"App": user(arn)})
    world.sql(f"ALTER USER `{name}` IDENTIFIED BY 'hush-by-hand'")
    assert world.deploy(stack, {"App": user(arn, Revision="2")}).status == "UPDATE_COMPLETE"
    assert (world.takes(name, "hush-secret"), world.takes(name, "hush-by-hand")) == (True, False)


def test_plugin_is_the_one_the_server_offers(world: World) -> None:
    name = fresh("app")
    world.sql("SET GLOBAL authentication_policy = 'sha256_password'")
    try:
        assert world.deploy(fresh("stack"), {"App": user(world.secret(name))}).status == "CREATE_COMPLETE"
    finally:
        world.sql("SET GLOBAL authentication_policy = DEFAULT")
    assert world.sql(f"SELECT plugin FROM mysql.user WHERE User = '{name}'") == [("sha256_password",)]


# Another name, another secret


def test_rename_makes_the_new_user_and_drops_the_old(world: World, shop: str) -> None:
    stack, old, new = fresh("stack"), fresh("app"), fresh("app")
    world.deploy(stack, {"Secret": secret(old, old), "App": user(ref("Secret"), on(shop))})
    ended = world.deploy(stack, {"Secret": secret(new, new), "App": user(ref("Secret"), on(shop))})
    assert (ended.status, ended.failures) == ("UPDATE_COMPLETE", {})
    assert (world.has_user(old), world.grants(new)) == (False, everything(shop, new))
    assert world.takes(new, "hush-stack")


@pytest.mark.parametrize("changed", ["app-by-hand", "root", "no name"])
@pytest.mark.parametrize("adopted", [False, True], ids=["made", "adopted"])
def test_user_name_that_changes_in_the_secret_is_put_back(world: World, shop: str, adopted: bool, changed: str) -> None:
    """A user that the name by hand would make has none of the first one's clients."""
    stack, name = fresh("stack"), fresh("app")
    if adopted:
        world.sql(f"CREATE USER `{name}` IDENTIFIED BY 'hush-0'")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop), Adopt=adopted)})
    by_hand = {"username": changed, "password": "hush-1", "port": 3306}
    world.secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(by_hand))
    ended = world.deploy(stack, {"App": user(arn, on(shop), Adopt=adopted, Revision="2")}, {"Id": ref("App")})
    assert (ended.status, ended.outputs) == ("UPDATE_COMPLETE", {"Id": arn})
    text = world.secrets.get_secret_value(SecretId=arn)["SecretString"]
    assert json.loads(text) == by_hand | {"username": name}
    assert (world.takes(name, "hush-1"), world.grants(name)) == (True, everything(shop, name))
    assert (world.has_user("app-by-hand"), world.user_owner(name)[3]) == (False, adopted)


def test_the_name_in_a_secret_is_written_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in world.sandbox.environment.items():
        monkeypatch.setenv(variable, value)
    name, other = fresh("app"), fresh("app")
    held = {"username": name, "password": "hush-new", "port": 3306, "note": "é"}
    arn = world.secret_of(f"{PREFIX}{name}", SecretString=json.dumps(held))
    read_before = request.Secret(arn, f"{PREFIX}{name}", name, hashes("hush-old"))
    written = request.with_user(read_before, other)
    now = json.loads(world.secrets.get_secret_value(SecretId=arn)["SecretString"])
    assert now == held | {"username": other}
    assert (written.arn, written.name, written.user) == (arn, f"{PREFIX}{name}", other)
    assert written.password["mysql_native_password"] == hashes("hush-new")["mysql_native_password"]


def test_secret_is_the_same_by_its_name_and_by_its_arn(world: World, shop: str) -> None:
    """Another id for the same user would make CloudFormation delete the user as replaced."""
    stack, name = fresh("stack"), fresh("app")
    arn = world.secret(name)
    world.deploy(stack, {"App": user(f"{PREFIX}{name}", on(shop))})
    assert world.deploy(stack, {"App": user(arn, on(shop))}).status == "UPDATE_COMPLETE"
    assert world.grants(name) == everything(shop, name)
    world.delete(stack)
    assert not world.has_user(name)


def test_another_secret_for_the_same_user_is_refused(either_world: World) -> None:
    """The same account under two ids: a rollback that deletes the new id would drop the account."""
    world = either_world
    stack, name = fresh("stack"), fresh("app")
    world.make_database(shop := fresh("shop"))
    old, new = world.secret(name, "hush-old"), world.secret(name, "hush-new", name=f"{PREFIX}{fresh('other')}")
    world.deploy(stack, {"App": user(old, on(shop))})
    ended = world.deploy(stack, {"App": user(new, on(shop), Adopt=True)})
    reason = f"user {name} was created from secret {PREFIX}{name}; {OTHER_SECRET}"
    assert (ended.status, ended.failures) == ("UPDATE_ROLLBACK_COMPLETE", {"App": reason})
    assert (world.takes(name, "hush-old"), world.grants(name)) == (True, everything(shop, name))


def test_move_to_another_resource_needs_adopt_and_survives_a_rollback(either_world: World) -> None:
    world = either_world
    stack, name = fresh("stack"), fresh("app")
    world.make_database(shop := fresh("shop"))
    arn = world.secret(name)
    world.deploy(stack, {"App": user(arn, on(shop))})
    moved = user(arn, on(shop), Adopt=True)
    ended = world.deploy(stack, {"Other": moved, "Bad": failing("Other")})
    assert ended.status == "UPDATE_ROLLBACK_COMPLETE"
    assert (world.takes(name, "hush-0"), world.grants(name)) == (True, everything(shop, name))
    assert world.deploy(stack, {"App": user(arn, on(shop), Revision="2")}).status == "UPDATE_COMPLETE"


# Events that come twice, late or into a crash


def test_every_event_may_come_twice(world: World, shop: str) -> None:
    stack, first, second = fresh("stack"), fresh("app"), fresh("app")
    legacy = fresh("legacy")
    world.sql(f"CREATE USER `{legacy}` IDENTIFIED BY 'hush-old'")
    old, new, adopted = world.secret(first), world.secret(second), user(world.secret(legacy), Adopt=True)
    world.fault("twice")
    try:
        created = world.deploy(stack, {"App": user(old, on(shop)), "Legacy": adopted})
        assert (created.status, world.takes(legacy, "hush-old")) == ("CREATE_COMPLETE", True)
        assert world.deploy(stack, {"App": user(new, on(shop)), "Legacy": adopted}).status == "UPDATE_COMPLETE"
        assert (world.has_user(first), world.grants(second)) == (False, everything(shop, second))
        assert world.delete(stack).status == "DELETE_COMPLETE"
    finally:
        world.fault(None)
    assert (world.has_user(second), world.takes(legacy, "hush-old")) == (False, True)


def test_crash_is_repeated_by_lambda(world: World, shop: str) -> None:
    stack, name, crashes = fresh("stack"), fresh("app"), world.log().count("Runtime exited")
    arn = world.secret(name)
    world.fault("crash")
    try:
        world.begin(stack, {"App": user(arn, on(shop))})
        until(lambda: world.log().count("Runtime exited") > crashes)
    finally:
        world.fault(None)
    assert world.ended(stack).status == "CREATE_COMPLETE"
    assert world.grants(name) == everything(shop, name)


def half_made(world: World, stack: str, name: str) -> None:
    """A user that belongs to the resource already, as a provider that died after CREATE USER leaves it behind."""
    entry = record_owner("users", f"{name}@%", Owner(stack, "App", f"{PREFIX}{name}"))
    world.sql(entry, f"CREATE USER `{name}` IDENTIFIED BY 'hush-0'")


def test_create_goes_on_where_one_before_it_died(world: World, shop: str) -> None:
    stack, name = fresh("stack"), fresh("app")
    half_made(world, stack, name)
    assert world.deploy(stack, {"App": user(world.secret(name), on(shop))}).status == "CREATE_COMPLETE"
    assert world.grants(name) == everything(shop, name)


@pytest.mark.parametrize("before", ["INSERT INTO ", "CREATE USER ", "GRANT ", "REVOKE "])
def test_event_that_comes_twice_at_the_same_time_ends_as_one(
    world: World, master: DataApi, shop: str, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """Its twin is served just before a statement of its own: neither may undo the other, nor fail."""
    stack, name = fresh("stack"), fresh("app")
    if before == "REVOKE ":
        half_made(world, stack, name)
        world.sql(f"GRANT SELECT ON mysql.* TO `{name}`", f"GRANT DROP ON `{shop}`.t TO `{name}`")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "provider")
    event = {
        "StackId": f"arn:aws:cloudformation:eu-west-1:1:stack/{stack}/1",
        "LogicalResourceId": "App",
        "ResourceProperties": {"SecretId": f"{PREFIX}{name}", "Privileges": [on(shop)]},
    }
    world.consent(stack, {"App": {"Properties": event["ResourceProperties"]}})
    its_secret = request.Secret("arn", f"{PREFIX}{name}", name, hashes("hush-0"))
    twin = request.Request(event, master.execute, lambda _: master.execute, lambda _: its_secret, "arn", math.inf)
    twins = [twin]

    def execute(statement: str) -> list[Any]:
        if twins and statement.startswith(before):
            provider_user.serve_user(twins.pop())
        return master.execute(statement)

    assert provider_user.serve_user(twin._replace(execute=execute)).physical_id == "arn"
    assert twins == []
    assert (world.takes(name, "hush-0"), world.grants(name)) == (True, everything(shop, name))
    assert world.user_owner(name) == (stack, "App", f"{PREFIX}{name}", 0, 0)


def test_secret_that_was_made_again_under_its_name_is_the_same(world: World, shop: str) -> None:
    """Its ARN ends in other characters then; as another id it would make CloudFormation delete the user."""
    stack, name = fresh("stack"), fresh("app")
    first = world.secret(name, "hush-1")
    world.deploy(stack, {"App": user(f"{PREFIX}{name}", on(shop))})
    world.secrets.delete_secret(SecretId=first, ForceDeleteWithoutRecovery=True)
    world.secret(name, "hush-2")
    ended = world.deploy(stack, {"App": user(f"{PREFIX}{name}", on(shop), Revision="2")})
    assert ended.status == "UPDATE_COMPLETE"
    assert (world.takes(name, "hush-2"), world.grants(name)) == (True, everything(shop, name))


@pytest.mark.parametrize("as_v1", [False, True], ids=["v2", "v1"])
def test_every_event_is_served_while_a_paused_cluster_wakes_and_calls_are_throttled(world: World, as_v1: bool) -> None:
    names = [fresh("app") for _ in range(4)]
    made, old, new, gone = ({"App": user(world.secret(name)), "Db": database(name)} for name in names)
    created, updated, deleted = (fresh("stack") for _ in range(3))
    world.deploy(updated, old)
    world.deploy(deleted, gone)
    stack_id = world.cloudformation.describe_stacks(StackName=deleted)["Stacks"][0]["StackId"]
    world.pause(1.0, as_v1=as_v1)
    assert world.cluster_state() == "paused"
    world.throttle("rds-data", 2)
    world.begin(created, made)
    world.begin(updated, new)
    world.cloudformation.delete_stack(StackName=deleted)
    statuses = [world.ended(stack).status for stack in (created, updated, stack_id)]
    assert statuses == ["CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"]
    assert [world.has_user(name) for name in names] == [True, False, True, False]
    assert [world.owner(name)[3] for name in names] == [0, 1, 0, 1]


def test_database_and_its_user_go_in_the_right_order(world: World) -> None:
    stack, name = fresh("stack"), fresh("app")
    resources = {
        "Db": database(name, OnRemove="drop"),
        "Secret": secret(name, name),
        "App": after(user(ref("Secret"), on(ref("Db"))), "Db"),
    }
    assert world.deploy(stack, resources).status == "CREATE_COMPLETE"
    assert world.delete(stack).status == "DELETE_COMPLETE"
    assert (world.has_database(name), world.has_user(name)) == (False, False)
