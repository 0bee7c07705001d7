"""Roles of the file: what they mean, to whom they can be granted, and which names they cannot have."""

from __future__ import annotations

import pymysql
import pytest

from aurora_sandbox.mysqld import Server
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import Privilege, RoleGrant, Tenant, TenantDatabase, TenantRole, TenantUser
from tests.mysql_server import execute_as
from tests.tenants_file import HEAD, fixes, problems, tenants, told


def granting(roles: str, more: str = "") -> str:
    """A tenant with the roles reader and writer, whose user is granted these, in line 6."""
    return f"  a:\n    roles: {{reader: , writer: }}\n    users: {{a: {{roles: {roles}{more}}}}}\n"


# What a file means


def test_roles_are_read_with_their_stage_filled_in():
    body = """
  shop:
    stages: [dev, prod]
    databases: {"shop-{stage}": }
    roles:
      reader-{stage}:
        comment: reads {stage}
        adopt: true
        privileges:
        - {permission: SELECT, database: "shop-{stage}"}
        - {permission: PROCESS, database: "*"}
      writer-{stage}:
    users:
      shop-{stage}:
        roles: ["reader-{stage}", {role: "writer-{stage}", admin_option: true}, AWS_LAMBDA_ACCESS]
        default_roles: ["reader-{stage}", AWS_LAMBDA_ACCESS]
"""

    def shop(stage: str) -> Tenant:
        shop, reader, writer = f"shop-{stage}", f"reader-{stage}", f"writer-{stage}"
        privileges = (Privilege(("SELECT",), shop), Privilege(("PROCESS",), "*"))
        roles = (TenantRole(reader, privileges, comment=f"reads {stage}", adopt=True), TenantRole(writer))
        granted = (RoleGrant(reader), RoleGrant(writer, admin_option=True), RoleGrant("AWS_LAMBDA_ACCESS"))
        user = TenantUser(shop, roles=granted, default_roles=(reader, "AWS_LAMBDA_ACCESS"))
        return Tenant(shop, (TenantDatabase(shop),), (user,), roles)

    assert tenants(body) == (shop("dev"), shop("prod"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *[("", None), (", default_roles: ALL", None), (", default_roles: all", None)],
        *[(", default_roles: NONE", ()), (", default_roles: none", ()), (", default_roles: []", ())],
        *[(", default_roles: [reader]", ("reader",))],
    ],
)
def test_every_role_is_active_unless_something_else_is_said(written: str, meant: tuple[str, ...] | None):
    assert tenants(granting("[reader, writer]", written))[0].users[0].default_roles == meant


def test_a_role_may_have_the_very_privileges_of_its_user():
    entry = "privileges: [{permission: SELECT, database: a}]"
    body = f"  a: {{databases: {{a: }}, roles: {{r: {{{entry}}}}}, users: {{a: {{roles: [r], {entry}}}}}}}"
    (tenant,) = tenants(body)
    assert tenant.roles[0].privileges == tenant.users[0].privileges == (Privilege(("SELECT",), "a"),)


def test_a_role_may_have_32_characters():
    assert tenants(f"  a: {{roles: {{{'r' * 32}: }}}}")[0].roles == (TenantRole("r" * 32),)


# What is wrong with one


def test_a_role_of_another_tenant_names_both_places():
    body = "  shop: {roles: {reader: }}\n  billing: {users: {bill: {roles: [{role: reader}]}}}\n"
    assert problems(HEAD + body) == [
        Problem(
            "role-of-another-tenant",
            "role reader belongs to tenant shop",
            "it is declared at f:4:18, and a role can be granted to users of its own tenant only",
            "declare a role of tenant billing with the same privileges",
            Location("f", 5, 43),
            "tenant billing, user bill",
        )
    ]


def test_a_role_of_two_tenants_names_both_places():
    body = "  shop: {roles: {reader: }}\n  billing: {roles: {reader: }}\n"
    assert problems(HEAD + body) == [
        Problem(
            "duplicate-role",
            "role reader is declared twice, by tenant shop and tenant billing",
            "it is already declared at f:4:18, and a role belongs to one tenant",
            "remove it here",
            Location("f", 5, 21),
            "tenant billing, role reader",
        )
    ]


@pytest.mark.parametrize(
    ("body", "owner", "place", "where", "tenant"),
    [
        ("  shop: {users: {app: }, roles: {app: }}\n", "shop", "f:4:18", Location("f", 4, 34), "shop"),
        (
            "  shop: {roles: {app: }}\n  b: {users: {app: {host: '10.%'}}}\n",
            "b",
            "f:5:15",
            Location("f", 4, 18),
            "shop",
        ),
        ("  shop: {roles: {app: }}\n  b: {stages: [x], users: {app: }}", "b-x", "f:5:28", Location("f", 4, 18), "shop"),
    ],
)
def test_a_role_that_has_the_name_of_a_user_names_both_places(
    body: str, owner: str, place: str, where: Location, tenant: str
):
    assert problems(HEAD + body) == [
        Problem(
            "role-is-user",
            f"app is a role here and a user of tenant {owner}",
            f"the user is declared at {place}, and to MySQL a role is a user as well",
            "rename one of them, for example app-role",
            where,
            f"tenant {tenant}, role app",
        )
    ]


@pytest.mark.parametrize(
    ("body", "expected", "fix"),
    [
        (granting("»reader"), "wrong-type: roles is text", "for example roles: [shop-reader, AWS_LAMBDA_ACCESS]"),
        (granting("[»5]"), "wrong-type: entry 1 of roles is the number 5", 'quote it: "5"'),
        (granting("[»'']"), "empty-value: entry 1 of roles is empty", "fill it in or remove it"),
        (granting("[»{}]"), "missing-key: role is missing", "add role: shop-reader"),
        (granting("[»[reader]]"), "wrong-type: entry 1 of roles is a list", "for example - shop-reader"),
        (granting("[{role: »''}]"), "empty-value: role is empty", "fill it in or remove it"),
        (granting("[{role: »1}]"), "wrong-type: role is the number 1", 'quote it: "1"'),
        (
            granting("[{role: reader, admin_option: »yes}]"),
            "wrong-type: admin_option is text",
            "for example admin_option: true",
        ),
        (
            granting("[{role: reader, »grant_option: true}]"),
            "unknown-key: unknown key grant_option",
            "did you mean admin_option?",
        ),
        (granting("[»raeder]"), "unknown-role: role raeder is not declared", "did you mean reader?"),
        (
            granting("[{role: »x, admin_option: true}]"),
            "unknown-role: role x is not declared",
            "declare it: roles: {x: {}}",
        ),
        (
            granting("[»a]"),
            "unknown-role: role a is not declared",
            "declare a role with these privileges, and grant that",
        ),
        (
            granting("[»aws_lambda_access]"),
            "unknown-role: role aws_lambda_access is not declared",
            "did you mean AWS_LAMBDA_ACCESS?",
        ),
        (
            granting("[»rds_superuser_role]"),
            "unknown-role: role rds_superuser_role is not declared",
            "remove it",
        ),
        (granting("[reader, »reader]"), "duplicate-role: role reader appears twice", "remove one of them"),
        (
            granting("[reader, {role: »reader, admin_option: true}]"),
            "duplicate-role: role reader appears twice",
            "remove one of them",
        ),
        (
            granting("[»'reader-{stage}']"),
            "no-stages: {stage} is used, but tenant a has no stages",
            "add stages: [dev, prod] to the tenant, or write the name without it",
        ),
        (
            granting("[reader]", ", default_roles: »reader"),
            "wrong-value: default_roles is reader",
            "write [reader], ALL or NONE",
        ),
        (
            granting("[reader]", ", default_roles: »''"),
            "empty-value: default_roles is empty",
            "fill it in or remove it",
        ),
        (
            granting("[reader]", ", default_roles: »true"),
            "wrong-type: default_roles is the YAML boolean true",
            'quote it: "true"',
        ),
        (
            granting("[reader]", ", default_roles: [»writer]"),
            "default-role-not-granted: default role writer is not one of the user's roles",
            "add writer to roles, or remove it",
        ),
        (
            granting("[reader]", ", default_roles: [»raeder]"),
            "default-role-not-granted: default role raeder is not one of the user's roles",
            "did you mean reader?",
        ),
        (
            granting("[reader]", ", default_roles: [reader, »reader]"),
            "duplicate-role: default role reader appears twice",
            "remove one of them",
        ),
        (
            "  a: {roles: {r: {privileges: [{permission: SELECT, database: »x}]}}}",
            "unknown-database: database x is not declared",
            "declare it: databases: {x: {}}",
        ),
    ],
)
def test_what_cannot_be_is_one_problem(body: str, expected: str, fix: str):
    assert (told(body), fixes(body)) == ([expected], [fix])


def test_a_role_meets_the_rules_for_databases_of_others_too():
    body = """  shop: {databases: {shop: }}
  billing: {roles: {r: {privileges: [{permission: SELECT, database: »shop}]}}}
"""
    assert told(body) == ["database-of-another-tenant: database shop belongs to tenant shop"]
    assert [problem.context for problem in problems((HEAD + body).replace("»", ""))] == [
        "tenant billing, role r, privilege 1"
    ]


def test_an_unknown_key_of_a_role_is_told_with_the_role():
    (problem,) = problems(HEAD + "  a: {roles: {r: {rotate_after_days: 1}}}")
    assert (problem.what, problem.context) == ("unknown key rotate_after_days", "tenant a, role r")


# What a server does, which is why there are these rules


def test_a_role_is_an_account_like_any_other(server: Server):
    """So a role and a user of one name would be one account."""
    execute = execute_as(server)
    execute("CREATE ROLE `role-and-user`")
    with pytest.raises(pymysql.MySQLError) as refused:
        execute("CREATE USER `role-and-user` IDENTIFIED BY 'x'")
    assert refused.value.args[0] == 1396


@pytest.mark.parametrize("name", ["ALL", "NONE", "DEFAULT", "EXECUTE", "event_scheduler", "PUBLIC", "-", "0", "$"])
def test_mysql_keeps_no_name_of_a_role_for_itself(name: str, server: Server):
    execute = execute_as(server)
    execute("CREATE USER IF NOT EXISTS `named-strangely` IDENTIFIED BY 'x'")
    execute(f"CREATE USER `{name}` ACCOUNT LOCK PASSWORD EXPIRE")
    execute(f"GRANT `{name}`@`%` TO `named-strangely`")
    execute(f"SET DEFAULT ROLE `{name}`@`%` TO `named-strangely`")
    default = execute("SELECT default_role_user FROM mysql.default_roles WHERE user = 'named-strangely'")
    assert default == [(name,)]
    assert tenants(f"  a: {{roles: {{{name!r}: }}}}")[0].roles == (TenantRole(name),)
    execute(f"DROP USER `{name}`")
