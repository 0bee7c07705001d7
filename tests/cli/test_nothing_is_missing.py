"""What a plan says of each object is what CloudFormation and MySQL then really did: nothing is missing, or extra.

One change for every key of the file. What happened is told from outside: by MySQL's state before and after, and by the
templates and events of the stacks. The keys are taken from the schema, so that a new one fails until it has a change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from aurora_tenants import data
from aurora_tenants.mysql.live import read_state
from aurora_tenants.mysql.names import Account, unescaped
from aurora_tenants.mysql.options import IAM_PLUGIN, Options
from aurora_tenants.mysql.state import State
from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean")

DEFINITIONS = json.loads(data.text("tenants.schema.json"))["$defs"]


class Key(NamedTuple):
    """A key's two values as YAML, and how a plan calls the difference. fixed: what is the same before and after."""

    first: str
    second: str
    told: str
    fixed: str = "auth: iam"


def key(name: str, first: str, second: str, told: str = "", fixed: str = "auth: iam") -> tuple[str, Key]:
    return name, Key(f"{name}: {first}" if first else "", f"{name}: {second}" if second else "", told or name, fixed)


WITH_PASSWORD = "rotate_after_days: 0"
_SELECT = "{permission: SELECT, database: shop"

# The shared stack's own function, by its ARN: there is no other that CloudFormation may have a secret rotated by.
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:shared-global-database-secret-rotation"
# A user of its own for each key.
USER = dict(
    [
        key("host", "10.1.%", "[10.1.%, 10.2.%]"),
        key("auth", "iam", "password", fixed="require: SSL"),
        key("plugin", "caching_sha2_password", "sha256_password", fixed=WITH_PASSWORD),
        key("require", "X509", "SSL"),
        key("max_queries_per_hour", "5", "6"),
        key("max_updates_per_hour", "5", "6"),
        key("max_connections_per_hour", "5", "6"),
        key("max_user_connections", "5", "6"),
        key("locked", "true", "false"),
        key("password_expire_after_days", "5", "6", fixed=WITH_PASSWORD),
        key("password_history", "6", "5", fixed=WITH_PASSWORD),
        key("password_reuse_after_days", "6", "5", fixed=WITH_PASSWORD),
        key("password_require_current", "true", "false", fixed=WITH_PASSWORD),
        key("comment", "one", "two"),
        key("roles", "[reader]", "[reader, writer]", "role writer", fixed="auth: iam, default_roles: [reader]"),
        key("default_roles", "[reader]", "[]", "default roles", fixed="auth: iam, roles: [reader]"),
        key("privileges", "[]", f"[{_SELECT}}}]", "shop.*"),
        key("adopt", "false", "true", fixed=WITH_PASSWORD),
        key("rotate_after_days", "30", "7", "rotates", fixed="locked: false"),
        key("rotate_window", '"SUN 02:00-05:00"', '"SAT 02:00-05:00"', "rotates", fixed="locked: false"),
        key("rotation_lambda", "", f'"{FUNCTION}"', "rotated by", fixed="locked: false"),
        key("on_remove", "lock", "drop", fixed=WITH_PASSWORD),
    ]
)
# A user with one privilege for each.
PRIVILEGE = dict(
    [
        key("permission", "SELECT", "[SELECT, INSERT]", "shop.*", "database: shop"),
        key("database", "shop", "other", "other.*", "permission: SELECT"),
        key("table", "orders", "customers", "shop.customers", "permission: SELECT, database: shop"),
        key(
            "columns", "[id]", "[id, country]", "shop.customers", "permission: SELECT, database: shop, table: customers"
        ),
        key("procedure", "", "report", "procedure shop.report", "permission: EXECUTE, database: shop"),
        key("function", "", "rate", "function shop.rate", "permission: EXECUTE, database: shop"),
        key("grant_option", "false", "true", "shop.*", "permission: SELECT, database: shop"),
        key(
            "when_missing",
            "fail",
            "skip",
            "when_missing on shop.orders",
            "permission: SELECT, database: shop, table: orders",
        ),
    ]
)
ROLE_GRANT = dict(
    [
        key("role", "reader", "writer", "role writer", "admin_option: false"),
        key("admin_option", "false", "true", "role reader", "role: reader"),
    ]
)
ROLE = dict(
    [
        key("privileges", "[]", f"[{_SELECT}}}]", "shop.*", ""),
        key("comment", "one", "two", fixed=""),
        key("adopt", "false", "true", fixed=""),
    ]
)
DATABASE = dict(
    [
        key("charset", "latin1", "utf8mb4", fixed=""),
        key("collation", "utf8mb4_bin", "utf8mb4_0900_ai_ci", fixed=""),
        key("on_remove", "retain", "drop", fixed=""),
        key("adopt", "false", "true", fixed=""),
        key("shared_with", "[]", "[friend]", "shared with", ""),
    ]
)
TABLES = {"user": USER, "privilege": PRIVILEGE, "role_grant": ROLE_GRANT, "role": ROLE, "database": DATABASE}
# Keys that are about whole entries: in the file below they come, stay and go; in MOVED they go elsewhere.
# A tenant's window is that of its users.
ENTRIES = {"tenant": {"stages", "databases", "users", "roles", "rotate_window"}, "defaults": {*USER, *DATABASE}}
HERE = """
  giver:
    databases: {goods: {}}
    roles: {goods-reader: {privileges: [{permission: SELECT, database: goods}]}}
    users:
      goods: {rotate_after_days: 0, privileges: [{permission: ALL, database: goods}]}
      stays: {rotate_after_days: 0}
  before: {databases: {whole: {}}}
  taker: {users: {taker: {rotate_after_days: 0}}}
"""
THERE = """
  giver: {users: {remains: {renamed_from: stays, rotate_after_days: 0}}}
  after: {moved_from: before, databases: {whole: {}}}
  taker:
    databases: {goods: {moved_from: giver}}
    roles: {goods-reader: {moved_from: giver, privileges: [{permission: SELECT, database: goods}]}}
    users:
      goods: {moved_from: giver, rotate_after_days: 0, privileges: [{permission: ALL, database: goods}]}
      taker: {rotate_after_days: 0}
"""
MOVED = {"tenant": {"moved_from"}, "database": {"moved_from"}, "role": {"moved_from"}}
MOVED |= {"user": {"moved_from", "renamed_from"}}
# tests/cli/test_hosted_rotation.py and test_exports.py change them.
ELSEWHERE = {"user": {"rotation"}, "defaults": {"rotation", "outputs"}, "tenant": {"outputs"}}


def test_every_key_of_the_file_has_a_change():
    keys = {name: set(DEFINITIONS[name]["properties"]) for name in (*TABLES, *ENTRIES)}
    changes = {name: set(table) for name, table in TABLES.items()} | ENTRIES
    missing = {
        name: known - changes[name] - MOVED.get(name, set()) - ELSEWHERE.get(name, set())
        for name, known in keys.items()
    }
    assert {name: found for name, found in missing.items() if found} == {}


def file(number: int) -> str:
    """The file with the first or the second value of each key."""
    with_keys = [each for name, table in TABLES.items() for each in _entries(name, table, number)]
    of_kind = {kind: [text for its, text in with_keys if its == kind] for kind in ("databases", "users", "roles")}
    only = (
        {"databases": "gone: {on_remove: drop}", "users": "gone: {rotate_after_days: 0}", "roles": "gone-role: {}"},
        {"databases": "new: {}", "users": f"new: {{privileges: [{_SELECT}}}], require: SSL}}", "roles": "new-role: {}"},
    )[number]
    shop = {kind: [*texts, only[kind]] for kind, texts in of_kind.items()}
    shop["databases"] += ["shop: {}", "other: {}"]
    shop["roles"] += ["reader: {}", "writer: {}"]
    body = "".join(f"    {kind}:\n" + "".join(f"      {text}\n" for text in texts) for kind, texts in shop.items())
    stages = ("[a]", "[a, b]")[number]
    staged = f"  staged:\n    stages: {stages}\n    databases: {{'staged-{{stage}}': {{}}}}\n"
    return f"  shop:\n{body}{staged}  friend:\n    databases: {{friend: {{}}}}\n"


def _entries(name: str, table: Mapping[str, Key], number: int) -> Iterator[tuple[str, str]]:
    for its, change in table.items():
        if its in DEFINITIONS[name]["properties"]:
            inside = ", ".join(part for part in ((change.first, change.second)[number], change.fixed) if part)
            if name == "privilege":
                yield "users", f"p-{its}: {{auth: iam, privileges: [{{{inside}}}]}}"
            elif name == "role_grant":
                yield "users", f"g-{its}: {{auth: iam, roles: [{{{inside}}}]}}"
            else:
                yield f"{name}s", f"{name[0]}-{its}: {{{inside}}}"


Told = dict[tuple[str, str], set[str]]


def really_changed(before: State, after: State) -> Told:
    """What differs in MySQL, by kind and name, as a plan should call it: keys of the file, or what rights are on."""
    found: Told = {}

    def tell(kind: str, name: str, what: str) -> None:
        found.setdefault((kind, name), set()).add(what)

    for name in before.databases.keys() & after.databases.keys():
        old, new = before.databases[name], after.databases[name]
        if old.charset != new.charset:
            tell("database", name, "charset")
        if old.collation != new.collation and old.charset == new.charset:  # the collation goes with the character set
            tell("database", name, "collation")
        if old.shared_with != new.shared_with:
            tell("database", name, "shared with")
    for account in {*before.users, *after.users}:
        _account(before, after, account, tell)
    return found


def _account(before: State, after: State, account: Account, tell: Any) -> None:
    old, new = before.users.get(account), after.users.get(account)
    names = [{it.user for it in state.users} for state in (before, after)]
    kind = "role" if (new or old) and (new or old).is_role else "user"  # type: ignore[union-attr]
    if (old is None) != (new is None):
        if account.user in names[0] & names[1]:
            tell(kind, account.user, "host")
        return
    if old is None or new is None:
        return
    for option in Options._fields:
        if getattr(old.options, option) != getattr(new.options, option):
            is_auth = option == "plugin" and IAM_PLUGIN in (old.options.plugin, new.options.plugin)
            tell(kind, account.user, "auth" if is_auth else KEYS.get(option, option))
    grants = [{grant for grant in state.grants if grant.account == account} for state in (before, after)]
    for grant in grants[0] ^ grants[1]:
        tell(kind, account.user, _on(grant.scope))
    roles = [{grant.scope.role for grant in held if grant.scope.level == "ROLE"} for held in grants]
    if old.default_roles != new.default_roles and (old.default_roles, new.default_roles) != tuple(roles):
        tell(kind, account.user, "default roles")


KEYS = {
    "is_locked": "locked",
    "expire_after_days": "password_expire_after_days",
    "history": "password_history",
    "reuse_after_days": "password_reuse_after_days",
    "require_current": "password_require_current",
}


def _on(scope: Any) -> str:
    on_routine = f"{scope.level.lower()} {scope.database}.{scope.name}"
    return {
        "ROLE": f"role {scope.name}",
        "DATABASE": f"{unescaped(scope.database)}.*",
        "PROCEDURE": on_routine,
        "FUNCTION": on_routine,
    }.get(scope.level, f"{scope.database}.{scope.name}")


def deployed_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Told:
    """What differs between two templates of one stack and MySQL does not show, by kind and name."""
    found: Told = {}
    names = {
        f"{prefix}{logical_id.removeprefix('User')}": _name(each, template)
        for template in (before, after)
        for logical_id, each in template.items()
        if each["Type"] == "Custom::DatabaseUser"
        for prefix in ("Secret", "Rotation")
    }
    for logical_id in before.keys() & after.keys():
        old, new = before[logical_id], after[logical_id]
        kind = {"Custom::Database": "database", "Custom::DatabaseRole": "role"}.get(new["Type"], "user")
        changed = {key for key in CFN_ONLY if old["Properties"].get(key) != new["Properties"].get(key)}
        name = names.get(logical_id) or _name(new, after)
        for key in changed:
            found.setdefault((kind, name), set()).add(CFN_ONLY[key])
        skips = [_skipped(it["Properties"]) for it in (old, new)]
        for what in skips[0] ^ skips[1]:
            found.setdefault((kind, name), set()).add(f"when_missing on {what}")
    users = [
        {_name(each, it) for each in it.values() if each["Type"] == "Custom::DatabaseUser"} for it in (before, after)
    ]
    for logical_id in before.keys() ^ after.keys():
        if logical_id.startswith("Secret") and names[logical_id] in users[0] & users[1]:
            found.setdefault(("user", names[logical_id]), set()).add("secret")
    return found


CFN_ONLY = {"OnRemove": "on_remove", "Adopt": "adopt", "RotationRules": "rotates", "RotationLambdaARN": "rotated by"}


def _skipped(properties: Mapping[str, Any]) -> set[str]:
    privileges = properties.get("Privileges", ())
    return {f"{it['Database']}.{it['Table']}" for it in privileges if it.get("WhenMissing") == "skip"}


def _name(resource: Mapping[str, Any], resources: Mapping[str, Any]) -> str:
    properties = resource["Properties"]
    if "Ref" in (ref := properties.get("SecretId", {})):
        secret = resources[ref["Ref"]]["Properties"]
        return str(json.loads(secret["GenerateSecretString"]["SecretStringTemplate"])["username"])
    return str(properties.get("UserName") or properties.get("Name"))


def templates(cloud: Cloud) -> dict[str, Mapping[str, Any]]:
    """The resources of each tenant's stack."""
    client = cloud.client("cloudformation")
    return {
        name: json.loads(json.dumps(client.get_template(StackName=name)["TemplateBody"]))["Resources"]
        for name in cloud.stacks()
    }


def state(cloud: Cloud) -> State:
    return read_state(lambda sql: cloud.sql(sql))


def items(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for tenant in plan["tenants"] for item in tenant["items"] if item["text"]]


@pytest.mark.long
def test_the_plan_says_all_that_happens_and_nothing_else(run: CommandLine, cloud: Cloud):
    cloud.sql("CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT)")
    cloud.sql("CREATE TABLE shop.customers (id INT, country INT)")
    cloud.sql("CREATE PROCEDURE shop.report() SELECT 1", "CREATE FUNCTION shop.rate() RETURNS INT NO SQL RETURN 1")
    run.file(file(0).replace("shop: {}", "shop: {adopt: true}"))
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended.err
    before, deployed = state(cloud), templates(cloud)
    run.file(file(1).replace("shop: {}", "shop: {adopt: true}"))
    ended = run("aurora-tenants plan --output json")
    assert ended.code == 0, ended.err
    plan = json.loads(ended.out)
    told, events = items(plan), events_of(cloud)
    ended = run("aurora-tenants apply --yes --allow-drop gone")
    assert ended.code == 0, ended.err
    after, now = state(cloud), templates(cloud)

    expected = really_changed(before, after)
    for name in deployed:
        for thing, what in deployed_changed(deployed[name], now[name]).items():
            expected.setdefault(thing, set()).update(what)
    shown = {
        (it["kind"], it["name"]): {each["what"] for each in it["differences"] if each["old"] or each["new"]}
        for it in told
        if it["sign"] == "~"
    }
    assert shown == expected
    for name, table in TABLES.items():
        for its, change in table.items():
            if its in DEFINITIONS[name]["properties"]:
                prefix = {"privilege": "p", "role_grant": "g"}.get(name, name[0])
                kind = name if name in ("role", "database") else "user"
                assert change.told in shown[kind, f"{prefix}-{its}"], (name, its)
    assert_made_and_gone(told, before, after)
    assert_events(told, [event for event in events_of(cloud) if event not in events])


def assert_made_and_gone(told: list[dict[str, Any]], before: State, after: State) -> None:
    """What is new and what is gone is told as that, and with what it is like."""
    names = [
        {("database", name) for name in state.databases}
        | {("role" if user.is_role else "user", account.user) for account, user in state.users.items()}
        for state in (before, after)
    ]
    signs = {sign: {(it["kind"], it["name"]) for it in told if it["sign"] == sign} for sign in "+-"}
    assert (signs["+"], signs["-"]) == (names[1] - names[0], names[0] - names[1])
    text = {(it["kind"], it["name"]): it["text"] for it in told}
    assert text["user", "new"] == "SELECT on shop.*; require: SSL; secret, rotates every 30 days"
    assert text["database", "gone"] == "DROPPED: there is no table in it"
    assert text["user", "gone"] == "dropped, and its secret deleted"
    assert {("database", "staged-b"), ("role", "new-role")} <= signs["+"]


def events_of(cloud: Cloud) -> list[tuple[str, str, str, str]]:
    pages = cloud.client("cloudformation").get_paginator("describe_stack_events")
    return [
        (event["StackName"], event["EventId"], event["LogicalResourceId"], event["ResourceStatus"])
        for name in cloud.stacks()
        for page in pages.paginate(StackName=name)
        for event in page["StackEvents"]
    ]


def assert_events(told: list[dict[str, Any]], events: list[tuple[str, str, str, str]]) -> None:
    """Secrets and rotations are made, changed and deleted for the users of which that is told, and for no others."""
    done = {
        (logical_id, status)
        for _, _, logical_id, status in events
        if logical_id.startswith(("Secret", "Rotation")) and status.endswith("_COMPLETE")
    }
    assert done == {
        ("SecretNew", "CREATE_COMPLETE"),
        ("RotationNew", "CREATE_COMPLETE"),
        ("SecretUAuth", "CREATE_COMPLETE"),
        ("RotationUAuth", "CREATE_COMPLETE"),
        ("SecretGone", "DELETE_COMPLETE"),
        ("RotationURotateAfterDays" + hash_of(events, "RotationURotateAfterDays"), "UPDATE_COMPLETE"),
        ("RotationURotateWindow" + hash_of(events, "RotationURotateWindow"), "UPDATE_COMPLETE"),
    }
    assert {it["name"] for it in told if "secret" in it["text"] or "rotates" in it["text"]} == {
        "new",
        "gone",
        "u-auth",
        "u-rotate_after_days",
        "u-rotate_window",
        "u-rotation_lambda",  # by its name
    }


def hash_of(events: list[tuple[str, str, str, str]], begin: str) -> str:
    """What ends the id of a name that is no plain one."""
    (found,) = {logical_id for _, _, logical_id, _ in events if logical_id.startswith(begin)}
    return found.removeprefix(begin)


def test_what_the_plan_says_to_move_is_there_afterwards_as_it_was(run: CommandLine, cloud: Cloud):
    run.file(HERE)
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended.err
    cloud.sql("CREATE TABLE goods.marked (id INT)", "INSERT INTO goods.marked VALUES (7)")
    before, passwords = state(cloud), logins(cloud)
    run.file(THERE)
    ended = run("aurora-tenants plan --output json")
    assert ended.code == 0, ended.err
    told = {(it["kind"], it["name"], it["differences"][0]["what"]) for it in items(json.loads(ended.out))}
    here, there = "moves here from tenant {}, nothing is dropped", "moves to tenant {}, nothing is dropped"
    things = (("database", "goods"), ("role", "goods-reader"), ("user", "goods"))
    assert told == {
        *((*thing, here.format("giver")) for thing in things),
        *((*thing, there.format("taker")) for thing in things),
        ("database", "whole", here.format("before")),
        ("database", "whole", there.format("after")),
        ("user", "remains", "renamed from stays: password, secret and rights stay"),
    }
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended.err
    after = state(cloud)
    assert cloud.sql("SELECT id FROM goods.marked") == [(7,)]
    assert logins(cloud) == {name.replace("stays", "remains"): each for name, each in passwords.items()}
    assert really_changed(before, after) == {}
    assert run("aurora-tenants plan --detailed-exitcode").code == 0


def logins(cloud: Cloud) -> dict[str, Any]:
    """What each user logs in with."""
    return dict(cloud.sql("SELECT User, authentication_string FROM mysql.user WHERE User NOT LIKE 'mysql.%'"))
