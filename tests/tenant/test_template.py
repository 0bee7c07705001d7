"""A tenant's template: its bytes, what stands in it, and what cfn-lint and CloudFormation's limits say of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.errors import InvalidFile
from aurora_tenants.model import (
    Capacity,
    Cluster,
    PauseSchedule,
    Privilege,
    RoleGrant,
    RotateWindow,
    Tenant,
    TenantDatabase,
    TenantRole,
    TenantUser,
    Window,
)
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import Options, Require
from aurora_tenants.mysql.properties import wanted_database, wanted_role, wanted_user
from aurora_tenants.naming import DIGEST, logical_id
from aurora_tenants.revision import counter_of, plain
from aurora_tenants.stack import MAX_TEMPLATE_BYTES
from aurora_tenants.tenant.template import allowing_drops, template
from tests.goldens import golden
from tests.test_naming import NAMES
from tests.values import CLUSTER, SERVER, SHOP, tenant

EXAMPLE = Path(__file__).parents[2] / "examples" / "tenants.yaml"
# Databases, and users of passwords with nothing said of their accounts: a template that many have deployed.
EVERYTHING = Tenant(
    "shop-dev",
    (
        TenantDatabase("shop-dev", "utf8mb4", "utf8mb4_bin", on_remove="drop", adopt=True, shared_with=("billing",)),
        TenantDatabase("Shop_$2"),
        TenantDatabase("server"),
    ),
    (
        TenantUser(
            "shop-dev",
            (
                Privilege(("ALL",), "shop-dev", grant_option=True),
                Privilege(("SELECT", "UPDATE"), "Shop_$2", table="orders", columns=("id", "country")),
                Privilege(("SELECT",), "another-tenants"),
            ),
            adopt=True,
            rotate_after_days=90,
        ),
        TenantUser("for_ever", rotate_after_days=0),
    ),
)
# Every property of roles, accounts and privileges beyond tables, each in a value of its own.
ACCOUNTS = Tenant(
    "bank",
    (TenantDatabase("bank"), TenantDatabase("audit")),
    (
        TenantUser(
            "bank",
            (
                Privilege(("EXECUTE",), "bank", procedure="monthly_report"),
                Privilege(("ALL",), "bank", grant_option=True, function="net_price"),
            ),
            hosts=("10.0.0.0/16", "app.example.com"),
            options=Options(
                Require("SPECIFIED", "/CN=client", "/CN=authority", "TLS_AES_256_GCM_SHA384"),
                max_queries_per_hour=1,
                max_updates_per_hour=2,
                max_connections_per_hour=3,
                max_user_connections=4,
                is_locked=True,
                expire_after_days=90,
                history=0,
                reuse_after_days=365,
                require_current=False,
                plugin="caching_sha2_password",
                comment="the bank's own",
            ),
            roles=(RoleGrant("reader"), RoleGrant("Writer_2", admin_option=True), RoleGrant("AWS_LAMBDA_ACCESS")),
            default_roles=("reader",),
        ),
        TenantUser(
            "bank-watch",
            (Privilege(("PROCESS", "FLUSH_STATUS"), "*"),),
            adopt=True,
            rotate_after_days=0,
            options=Options(Require("SSL")),
            auth="iam",
            roles=(RoleGrant("reader"),),
            default_roles=(),
        ),
        TenantUser("bank-nobody", rotate_after_days=0, options=Options(Require("X509")), auth="iam"),
    ),
    (
        TenantRole("reader", (Privilege(("SELECT",), "audit"),), comment="reads", adopt=True),
        TenantRole("Writer_2"),
    ),
)


def body(it: Tenant) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(template(CLUSTER, it).text())
    return made


def of_type(it: Tenant, kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in body(it)["Resources"].items() if resource["Type"] == kind}


# Bytes


def test_the_whole_template():
    text = template(Cluster("shared-global"), EVERYTHING).text()
    assert text == golden("template.json", text)


def test_the_whole_template_of_roles_and_accounts():
    text = template(Cluster("shared-global"), ACCOUNTS).text()
    assert text == golden("template_accounts.json", text)


def test_what_mysql_does_anyway_stands_in_no_template():
    """So who says less, or the default in so many words, has the template that was deployed before there was more."""
    said = """
  shop:
    databases: {shop: }
    roles:
    users:
      shop:
        host: ["%"]
        auth: password
        require: NONE
        max_queries_per_hour: 0
        max_updates_per_hour: 0
        max_connections_per_hour: 0
        max_user_connections: 0
        locked: false
        roles: []
        default_roles: ALL
        privileges: [{permission: ALL, database: shop}]
"""
    (shop,) = config.parse(f"version: 1\ncluster: {{stack: s}}\ntenants:\n{said}", "f").tenants
    assert template(CLUSTER, shop) == template(CLUSTER, SHOP)


@pytest.mark.parametrize("it", [SHOP, EVERYTHING, ACCOUNTS], ids=["plain", "everything", "accounts"])
def test_the_same_tenant_gives_the_same_bytes(it: Tenant):
    assert template(CLUSTER, it) == template(Cluster("shared", region="eu-west-1"), replace(it))


@pytest.mark.parametrize(
    "other",
    [
        tenant("shop", on_remove="drop"),
        tenant("shop", adopt=True),
        replace(SHOP, name="shop2"),
        replace(SHOP, databases=(*SHOP.databases, TenantDatabase("more"))),
        replace(SHOP, databases=(replace(SHOP.databases[0], charset="utf8mb4"),)),
        replace(SHOP, databases=(replace(SHOP.databases[0], collation="utf8mb4_bin"),)),
        replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=31),)),
        replace(SHOP, users=(replace(SHOP.users[0], rotate_after_days=0),)),
        replace(SHOP, users=(replace(SHOP.users[0], privileges=()),)),
        replace(SHOP, users=(replace(SHOP.users[0], privileges=(Privilege(("ALL",), "shop", grant_option=True),)),)),
        replace(SHOP, users=(replace(SHOP.users[0], privileges=(Privilege(("ALL",), "shop", table="t"),)),)),
    ],
    ids=str,
)
def test_every_change_of_a_tenant_changes_the_digest(other: Tenant):
    assert template(CLUSTER, other).digest != template(CLUSTER, SHOP).digest


def _with_user(**changed: Any) -> Tenant:
    return replace(ACCOUNTS, users=(replace(ACCOUNTS.users[0], **changed), *ACCOUNTS.users[1:]))


@pytest.mark.parametrize(
    "other",
    [
        _with_user(hosts=("10.0.0.0/16",)),
        _with_user(auth="iam"),
        _with_user(roles=()),
        _with_user(roles=(RoleGrant("reader"), RoleGrant("Writer_2"), RoleGrant("AWS_LAMBDA_ACCESS"))),
        _with_user(default_roles=None),
        _with_user(default_roles=()),
        *(_with_user(options=ACCOUNTS.users[0].options._replace(**{name: None})) for name in ("plugin", "comment")),
        *(
            _with_user(options=ACCOUNTS.users[0].options._replace(**{name: other}))
            for name, other in [
                ("require", Require("SSL")),
                ("require", Require("SPECIFIED", "/CN=client")),
                *((f"max_{what}", 9) for what in ("queries_per_hour", "updates_per_hour", "connections_per_hour")),
                *(("max_user_connections", 9), ("is_locked", False), ("expire_after_days", 0), ("history", None)),
                *(("reuse_after_days", 0), ("require_current", None), ("require_current", True)),
            ]
        ),
        _with_user(privileges=(Privilege(("EXECUTE",), "bank", function="monthly_report"),)),
        replace(ACCOUNTS, roles=ACCOUNTS.roles[:1]),
        replace(ACCOUNTS, roles=(replace(ACCOUNTS.roles[0], comment=None), ACCOUNTS.roles[1])),
        replace(ACCOUNTS, roles=(replace(ACCOUNTS.roles[0], adopt=False), ACCOUNTS.roles[1])),
        replace(ACCOUNTS, roles=(replace(ACCOUNTS.roles[0], privileges=()), ACCOUNTS.roles[1])),
    ],
    ids=str,
)
def test_every_change_of_an_account_changes_the_digest(other: Tenant):
    assert template(CLUSTER, other).digest != template(CLUSTER, ACCOUNTS).digest


def test_another_cluster_changes_the_digest():
    assert template(Cluster("other"), SHOP).digest != template(CLUSTER, SHOP).digest


def test_a_shared_database_names_the_stacks_that_it_is_shared_with():
    shared = replace(SHOP, databases=(replace(SHOP.databases[0], shared_with=("billing", "accounts")),))
    properties = template(CLUSTER, shared).resources["DatabaseShop"]["Properties"]
    assert properties["SharedWith"] == ["shared-accounts", "shared-billing"]
    assert "SharedWith" not in template(CLUSTER, SHOP).resources["DatabaseShop"]["Properties"]


def test_a_password_is_32_letters_and_digits_made_by_secrets_manager():
    (secret,) = of_type(SHOP, "AWS::SecretsManager::Secret").values()
    assert secret["Properties"]["GenerateSecretString"] == {
        "SecretStringTemplate": '{"username": "shop"}',
        "GenerateStringKey": "password",
        "PasswordLength": 32,
        "ExcludePunctuation": True,
    }


def test_a_rotation_waits_for_the_user_and_never_starts_with_an_update():
    assert of_type(SHOP, "AWS::SecretsManager::RotationSchedule") == {
        "RotationShop": {
            "Type": "AWS::SecretsManager::RotationSchedule",
            "DependsOn": "UserShop",
            "Properties": {
                "SecretId": {"Ref": "SecretShop"},
                "RotationLambdaARN": {"Fn::ImportValue": "shared-database-secret-rotation-lambda"},
                "RotationRules": {"AutomaticallyAfterDays": 30},
                "RotateImmediatelyOnUpdate": False,
            },
        }
    }


def test_nought_days_mean_no_rotation():
    assert sorted(body(Tenant("shop", users=(TenantUser("shop", rotate_after_days=0),)))["Resources"]) == [
        "AttachmentShop",
        "SecretShop",
        "UserShop",
    ]


def test_a_user_comes_after_the_databases_of_its_own_tenant_that_it_reaches():
    users = of_type(EVERYTHING, "Custom::DatabaseUser")
    assert {name: user["DependsOn"] for name, user in users.items()} == {
        "UserShopDev": ["AttachmentShopDev", "DatabaseShopDev", logical_id("Database", "Shop_$2")],
        logical_id("User", "for_ever"): [logical_id("Attachment", "for_ever")],
    }


def test_a_user_comes_after_its_roles_and_whoever_reaches_a_database_after_that():
    """Of Aurora's own roles no template knows; who reaches the whole server reaches every database."""
    custom = of_type(ACCOUNTS, "Custom::DatabaseUser") | of_type(ACCOUNTS, "Custom::DatabaseRole")
    writer = logical_id("Role", "Writer_2")
    assert {name: it.get("DependsOn") for name, it in custom.items()} == {
        "RoleReader": ["DatabaseAudit"],
        writer: None,
        "UserBank": ["AttachmentBank", "DatabaseBank", "RoleReader", writer],
        "UserBankWatch": ["DatabaseBank", "DatabaseAudit", "RoleReader"],
        "UserBankNobody": None,
    }


def test_a_user_of_iam_has_no_secret_no_attachment_and_no_rotation():
    it = replace(ACCOUNTS, users=ACCOUNTS.users[1:])
    assert {resource["Type"] for resource in body(it)["Resources"].values()} == {
        "Custom::Database",
        "Custom::DatabaseRole",
        "Custom::DatabaseUser",
    }
    assert body(it)["Outputs"]["UserBankWatch"] == {
        "Value": "bank-watch",
        "Description": "Name of user bank-watch, who logs in by IAM",
        "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-UserBankWatch"}},
    }


def test_a_user_keeps_its_id_when_it_logs_in_another_way():
    """Another one would have the account dropped and made again."""
    by_password, by_iam = TenantUser("a_b"), TenantUser("a_b", rotate_after_days=0, auth="iam")
    (first,), (second,) = (of_type(Tenant("a", users=(it,)), "Custom::DatabaseUser") for it in (by_password, by_iam))
    assert first == second


def test_a_secret_is_told_by_itself():
    """A user that once logged in by IAM keeps the id it had then, which is no ARN."""
    assert body(SHOP)["Outputs"]["SecretShop"]["Value"] == {"Ref": "SecretShop"}


def test_every_custom_resource_gets_the_revision_and_a_timeout():
    custom = {
        logical_id: resource
        for it in (EVERYTHING, ACCOUNTS)
        for logical_id, resource in body(it)["Resources"].items()
        if resource["Type"].startswith("Custom::")
    }
    found = {name: (it["Properties"]["Revision"], it["Properties"]["ServiceTimeout"]) for name, it in custom.items()}
    assert found == {name: (counter_of(name), 600) for name in custom}
    assert len(found) == 12


def test_leave_to_drop_is_given_to_the_named_databases_alone():
    it = Tenant("shop", (TenantDatabase("a", on_remove="drop"), TenantDatabase("b", on_remove="drop")))
    before, after = body(it), allowing_drops(template(CLUSTER, it).body, ["b"]).body
    expected = before["Resources"]["DatabaseB"]["Properties"] | {"AllowDrop": "b"}
    assert after["Resources"]["DatabaseB"]["Properties"] == expected
    assert after["Resources"]["DatabaseA"] == before["Resources"]["DatabaseA"]


def test_twenty_five_users_with_rotation_fit_into_one_template():
    users = tuple(TenantUser(f"shop-user-{n}", (Privilege(("ALL",), "shop"),)) for n in range(25))
    text = template(CLUSTER, Tenant("shop", (TenantDatabase("shop"),), users)).text()
    assert len(text.encode()) <= MAX_TEMPLATE_BYTES


@given(st.lists(NAMES, unique=True, max_size=8), st.lists(NAMES, unique=True, max_size=8))
def test_a_template_is_never_longer_than_its_digest_lets_it_be(databases: list[str], users: list[str]):
    """Its size is measured only where that is above CloudFormation's limit. The digest is of the text it always was."""
    named = (TenantDatabase(name, on_remove="drop") for name in databases)
    it = template(CLUSTER, Tenant("shop", tuple(named), tuple(TenantUser(name) for name in users)))
    assert it.size_bytes() <= it.most_bytes
    outputs = {name: output for name, output in it.body["Outputs"].items() if name != DIGEST}
    text = json.dumps(plain({**it.body, "Outputs": outputs}), sort_keys=True)
    assert it.digest == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_cfn_lint_finds_nothing_to_say(tmp_path: Path):
    from cfnlint.api import lint_file
    from cfnlint.config import ManualArgs

    options = ManualArgs(regions=["eu-west-1"], include_checks=["W"])
    example, found = config.load(EXAMPLE), []
    for it in (*example.tenants, EVERYTHING, ACCOUNTS):
        file = tmp_path / f"{it.name}.json"
        file.write_text(template(example.cluster, it).text())
        found += lint_file(file, config=options)
    assert found == []


@given(NAMES)
@example("server")
def test_no_database_takes_the_place_of_another_output(name: str):
    outputs = body(Tenant("shop", (TenantDatabase(name, on_remove="drop"),)))["Outputs"]
    assert sorted(outputs) == sorted([logical_id("Database", name), "DropOnRemove", DIGEST])
    assert "DatabaseServer" not in outputs  # which it was called before


def test_an_output_that_another_stack_may_import_is_kept_as_it_was():
    before = template(CLUSTER, SHOP, keeps_server=True)
    outputs = dict(before.body["Outputs"])
    assert outputs.pop("DatabaseServer") == {
        "Value": {"Fn::ImportValue": "shared-database-server"},
        "Description": "ARN of the cluster",
        "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-DatabaseServer"}},
    }
    now = template(CLUSTER, SHOP)
    assert outputs.keys() == now.body["Outputs"].keys()
    assert before.digest != now.digest


# What the provider makes of it


def as_cloudformation_sends(value: Any) -> Any:
    """Every scalar becomes a string on its way to a custom resource."""
    if isinstance(value, dict):
        return {key: as_cloudformation_sends(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_cloudformation_sends(member) for member in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("user", ACCOUNTS.users, ids=lambda user: user.name)
def test_the_options_of_a_user_arrive_at_the_provider(user: TenantUser):
    sent = as_cloudformation_sends(body(ACCOUNTS)["Resources"][logical_id("User", user.name)]["Properties"])
    state = wanted_user(sent, user.name, SERVER)
    names = {grant.name for grant in user.roles} if user.default_roles is None else set(user.default_roles)
    plugin = "AWSAuthenticationPlugin" if user.auth == "iam" else user.options.plugin
    assert {account: (it.options, it.default_roles) for account, it in state.users.items()} == {
        Account(user.name, host): (user.options._replace(plugin=plugin), {Account(name) for name in names})
        for host in user.hosts
    }


def test_a_role_arrives_at_the_provider():
    sent = as_cloudformation_sends(body(ACCOUNTS)["Resources"]["RoleReader"]["Properties"])
    (role,) = wanted_role(sent, SERVER).users.values()
    assert (role.account, role.options.comment, role.is_role) == (Account("reader"), "reads", True)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBERS = st.sampled_from([-1, 0, 1, 65_535, 65_536, 2**32 - 1, 2**32])
PERMISSIONS = st.sampled_from(["SELECT", "ALL", "EXECUTE", "PROCESS", "FLUSH_STATUS", "FILE", "SYSTEM_USER"])
PRIVILEGES_OF_THE_FILE = st.fixed_dictionaries(
    {"permission": PERMISSIONS | st.lists(PERMISSIONS, min_size=1), "database": st.sampled_from(["shop", "*"])},
    optional={
        **dict.fromkeys(("table", "procedure", "function"), TEXTS),
        "columns": st.lists(TEXTS, min_size=1, max_size=2),
        "grant_option": st.booleans(),
    },
)
HOSTS = st.sampled_from(["%", "10.0.0.0/8", "10.0.0.1/8", "::1", "a.b", "A.b", "10.%", "x:1", "-"]) | TEXTS
USERS = st.fixed_dictionaries(
    {},
    optional={
        "host": HOSTS | st.lists(HOSTS, max_size=3),
        "auth": st.sampled_from(["iam", "password"]),
        "plugin": st.sampled_from(["caching_sha2_password", "SHA256_password", "auth_socket"]),
        "require": st.sampled_from(["NONE", "ssl", "X509", "TLS"])
        | st.dictionaries(st.sampled_from(["subject", "issuer", "cipher"]), TEXTS | TEXTS.map("/".__add__)),
        **dict.fromkeys([f"max_{what}" for what in ("queries_per_hour", "user_connections")], NUMBERS),
        **dict.fromkeys([f"password_{what}" for what in ("expire_after_days", "history", "reuse_after_days")], NUMBERS),
        "password_require_current": st.booleans(),
        "locked": st.booleans(),
        "comment": TEXTS,
        "roles": st.lists(st.sampled_from(["r", "AWS_LAMBDA_ACCESS", "shop", {"role": "r", "admin_option": True}])),
        "default_roles": st.sampled_from(["ALL", "none", ["r"], ["AWS_LAMBDA_ACCESS"]]),
        "privileges": st.lists(PRIVILEGES_OF_THE_FILE, max_size=2),
    },
)


@given(USERS)
def test_what_the_file_may_say_the_provider_understands(user: dict[str, Any]):
    """Whatever passes the rules is refused by nobody after them."""
    shop = {"databases": {"shop": {}}, "roles": {"r": {}}, "users": {"shop": user}}
    try:
        made = config.parse(json.dumps({"version": 1, "cluster": {"stack": "s"}, "tenants": {"shop": shop}}), "f")
    except InvalidFile:
        return
    resources = template(made.cluster, made.tenants[0]).resources
    for resource in resources.values():
        sent = as_cloudformation_sends(resource["Properties"])
        if resource["Type"] == "Custom::DatabaseUser":
            assert {account.host for account in wanted_user(sent, "shop", SERVER).users} == {
                *made.tenants[0].users[0].hosts
            }
        elif resource["Type"] == "Custom::DatabaseRole":
            wanted_role(sent, SERVER)
        elif resource["Type"] == "Custom::Database":
            wanted_database(sent, SERVER)


def rotation_of(user: TenantUser, cluster: Cluster = CLUSTER) -> dict[str, Any]:
    properties: dict[str, Any] = template(cluster, replace(SHOP, users=(user,))).resources["RotationShop"]["Properties"]
    return properties


def test_a_window_is_a_cron_expression_with_a_duration():
    user = TenantUser("shop", rotate_window=RotateWindow((6,), 120, 300, "UTC"))
    assert rotation_of(user)["RotationRules"] == {"ScheduleExpression": "cron(0 2 ? * SUN#1 *)", "Duration": "3h"}
    assert rotation_of(replace(user, rotate_window="any"))["RotationRules"] == {"AutomaticallyAfterDays": 30}


OFFICE = PauseSchedule("Europe/Berlin", (Window((0, 1), 420, 1020, Capacity(0.5, 4)),), Capacity(0, 2))


def test_only_with_a_schedule_on_which_the_cluster_pauses_is_a_template_another():
    user = TenantUser("shop")
    before = template(CLUSTER, replace(SHOP, users=(user,)))
    for schedule, is_same in ((replace(OFFICE, asleep=Capacity(0.5, 2)), True), (OFFICE, False)):
        made = template(replace(CLUSTER, pause_schedule=schedule), replace(SHOP, users=(user,)))
        assert (made.digest == before.digest) == is_same
    rules = rotation_of(user, replace(CLUSTER, pause_schedule=OFFICE))["RotationRules"]
    assert rules["Duration"] == "9h"
    never = TenantUser("shop", rotate_after_days=0)
    pausing = template(replace(CLUSTER, pause_schedule=OFFICE), replace(SHOP, users=(never,)))
    assert pausing.digest == template(CLUSTER, replace(SHOP, users=(never,))).digest


@pytest.mark.parametrize(
    ("rotation", "function"),
    [
        ("own", {"Fn::ImportValue": "shared-database-secret-rotation-lambda"}),
        ("hosted", {"Fn::ImportValue": "shared-hosted-rotation-lambda"}),
        ("arn:aws:lambda:eu-west-1:123456789012:function:theirs",) * 2,
    ],
)
def test_another_function_is_imported_or_named(rotation: str, function: object):
    assert rotation_of(TenantUser("shop", rotation=rotation))["RotationLambdaARN"] == function
