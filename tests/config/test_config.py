"""What tenants.yaml means, and every rule that says what is wrong with one."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from aurora_tenants import config
from aurora_tenants.errors import Location, Problem
from aurora_tenants.model import Cluster, Configuration, Ignore, Privilege, Tenant, TenantDatabase, TenantUser
from aurora_tenants.mysql.grants import PRIVILEGES
from tests.tenants_file import HEAD, MARK, fixes, granting, problems, tenants, told

# What a file means


def test_stages_become_tenants_with_the_stage_filled_in_everywhere():
    body = """
  shop:
    stages: [dev, prod]
    databases:
      shop-{stage}: {shared_with: ["bill-{stage}"], charset: UTF8MB4, on_remove: drop}
    users:
      shop-{stage}:
        rotate_after_days: 0
        privileges:
          - {permission: ALL, database: "shop-{stage}", grant_option: true}
          - {permission: [select, "Create  View"], database: "shop-{stage}", table: "orders_{stage}"}
          - {permission: "SELECT, UPDATE", database: "shop-{stage}", table: customers, columns: [id, country]}
  bill: {stages: [dev, prod]}
"""

    def shop(stage: str) -> Tenant:
        database = f"shop-{stage}"
        owned = TenantDatabase(database, "utf8mb4", on_remove="drop", shared_with=(f"bill-{stage}",))
        privileges = (
            Privilege(("ALL",), database, grant_option=True),
            Privilege(("SELECT", "CREATE VIEW"), database, table=f"orders_{stage}"),
            Privilege(("SELECT", "UPDATE"), database, table="customers", columns=("id", "country")),
        )
        return Tenant(database, (owned,), (TenantUser(database, privileges, rotate_after_days=0),))

    assert tenants(body) == (shop("dev"), shop("prod"), Tenant("bill-dev"), Tenant("bill-prod"))


def test_defaults_hold_where_nothing_else_is_said():
    text = """
version: 1
cluster: {stack: shared, region: eu-west-1}
defaults: {rotate_after_days: 7, on_remove: drop}
ignore: {users: [legacy_*], databases: ["old?"]}
tenants:
  shop:
    databases: {a: {}, b: {on_remove: retain}}
    users: {a: {}, b: {rotate_after_days: 1000}}
"""
    shop = Tenant(
        "shop",
        (TenantDatabase("a", on_remove="drop"), TenantDatabase("b", on_remove="retain")),
        (TenantUser("a", rotate_after_days=7), TenantUser("b", rotate_after_days=1000)),
    )
    cluster, ignore = Cluster("shared", "eu-west-1"), Ignore(("legacy_*",), ("old?",))
    assert config.parse(text, "f") == Configuration(cluster, (shop,), ignore)


def test_a_body_with_nothing_in_it_is_an_empty_one():
    body = "  a:\n  b:\n    databases:\n    users:\n  c: {databases: {c: }, users: {c: {privileges: }}}\n"
    c = Tenant("c", (TenantDatabase("c"),), (TenantUser("c"),))
    assert tenants(body) == (Tenant("a"), Tenant("b"), c)


@pytest.mark.parametrize(
    ("written", "charset", "collation"),
    [
        ("charset: utf8", "utf8mb3", None),
        ("charset: UTF8, collation: UTF8_BIN", "utf8mb3", "utf8mb3_bin"),
        ("collation: utf8_general_ci", None, "utf8mb3_general_ci"),
        ("charset: utf8mb4, collation: utf8mb4_0900_ai_ci", "utf8mb4", "utf8mb4_0900_ai_ci"),
        ("charset: binary, collation: binary", "binary", "binary"),
    ],
)
def test_utf8_is_the_old_word_for_utf8mb3(written: str, charset: str, collation: str):
    assert tenants(f"  a: {{databases: {{a: {{{written}}}}}}}") == (
        Tenant("a", (TenantDatabase("a", charset, collation),)),
    )


def test_every_value_knows_its_place():
    body = """  shop:
    stages: [dev, prod]
    databases: {"shop-{stage}": {}}
    roles:
      reader-{stage}:
        privileges:
        - permission: SELECT
          database: shop-{stage}
    users:
      shop-{stage}:
        roles: ["reader-{stage}", {role: AWS_LAMBDA_ACCESS}]
        privileges: [{permission: ALL, database: "shop-{stage}"}, {permission: PROCESS, database: "*"}]
"""
    for tenant in tenants(body):
        (database,), (role,), (user,) = tenant.databases, tenant.roles, tenant.users
        values = [database, role, *role.privileges, user, *user.roles, *user.privileges]
        assert [str(value.where) for value in values] == [
            *("f:6:17", "f:8:7", "f:10:11", "f:13:7"),
            *("f:14:17", "f:14:35", "f:15:22", "f:15:67"),
        ]


def test_a_place_makes_no_difference_between_values():
    """Plans compare values; a line that moved changes nothing."""
    assert tenants("\n\n  a: {databases: {a: }}") == tenants("  a: {databases: {a: }}")


def test_a_file_without_tenants_is_valid():
    assert config.parse("version: 1\ncluster: {stack: s}\ntenants: {}", "f") == Configuration(Cluster("s"), ())


def test_a_tenant_with_stages_stands_for_all_of_them_in_shared_with():
    body = """
  shop: {databases: {shop: {shared_with: [billing, audit-prod]}}}
  billing: {stages: [dev, prod]}
  audit: {stages: [dev, prod]}
"""
    assert tenants(body)[0].databases[0].shared_with == ("billing-dev", "billing-prod", "audit-prod")


def test_anchors_aliases_and_merge_keys_are_read_as_if_written_out():
    body = """
  a:
    databases:
      a: &usual {charset: &charset latin1, adopt: true}
      b: {<<: *usual, charset: *charset}
      c: {<<: [*usual, {on_remove: drop}], adopt: false}
"""
    a, b = TenantDatabase("a", "latin1", adopt=True), TenantDatabase("b", "latin1", adopt=True)
    c = TenantDatabase("c", "latin1", on_remove="drop")
    assert tenants(body) == (Tenant("a", (a, b, c)),)


def test_the_example_is_valid():
    example = Path(__file__).parents[2] / "examples" / "tenants.yaml"
    assert [tenant.name for tenant in config.load(example).tenants] == ["shop-dev", "shop-prod", "billing"]


def test_the_garbage_collector_runs_again_afterwards_as_before():
    config.parse(HEAD + "  a:", "f")
    assert gc.isenabled()
    problems("[")
    assert gc.isenabled()
    gc.disable()
    try:
        config.parse(HEAD + "  a:", "f")
        assert not gc.isenabled()
    finally:
        gc.enable()


# Whole problems


def test_an_unknown_privilege_is_told_as_the_design_promises():
    body = """  shop:
    stages: [dev, prod]
    databases: {"shop-{stage}": {}}
    users:
      shop-{stage}-report: {privileges: [{permission: SELEC, database: "shop-{stage}", table: orders}]}
"""
    assert problems(HEAD + body) == [
        Problem(
            "unknown-privilege",
            "unknown privilege SELEC",
            "MySQL has no privilege of this name on a table",
            "did you mean SELECT?",
            Location("f", 8, 55),
            "tenant shop-dev, user shop-dev-report, privilege 1",
        )
    ]


def test_a_grant_on_a_database_of_another_tenant_names_both_places():
    body = """  shop:
    databases: {shop: {shared_with: [audit]}}
  audit: {}
  billing:
    users:
      bill: {privileges: [{permission: SELECT, database: shop}]}
"""
    assert problems(HEAD + body) == [
        Problem(
            "database-of-another-tenant",
            "database shop belongs to tenant shop",
            "it is declared at f:5:17, where it is not shared with billing",
            "add billing to its shared_with there, or remove this privilege",
            Location("f", 9, 58),
            "tenant billing, user bill, privilege 1",
        )
    ]


def test_a_database_of_two_tenants_names_both_places():
    body = (
        "  shop: {databases: {shop: , Shop: }}\n  billing: {databases: {shop: }, users: {a: }}\n  c: {users: {a: }}\n"
    )
    assert problems(HEAD + body) == [
        Problem(
            "names-differ-by-case",
            "the databases Shop and shop differ only in upper and lower case",
            "the other is at f:4:22; a server with lower_case_table_names set takes them as one",
            "rename one of them",
            Location("f", 4, 30),
            "tenant shop, database Shop",
        ),
        Problem(
            "duplicate-database",
            "database shop is declared twice, by tenant shop and tenant billing",
            "it is already declared at f:4:22, and a database belongs to one tenant",
            "remove it here, and add billing to its shared_with there",
            Location("f", 5, 25),
            "tenant billing, database shop",
        ),
        Problem(
            "duplicate-user",
            "user a is declared twice, by tenant billing and tenant c",
            "it is already declared at f:5:42, and a user belongs to one tenant",
            "remove it here",
            Location("f", 6, 15),
            "tenant c, user a",
        ),
    ]


def test_two_tenants_of_one_name_are_one_problem_that_names_both_places():
    body = "  shop-dev: {databases: {shop: }}\n  shop: {stages: [dev], databases: {shop: }}\n"
    assert problems(HEAD + body) == [
        Problem(
            "duplicate-tenant",
            "there are two tenants shop-dev",
            "stage dev of tenant shop has the same name as tenant shop-dev at f:4:3",
            "rename one of them or its stage",
            Location("f", 5, 3),
            "tenant shop-dev",
        )
    ]


def test_a_name_without_its_stage_is_told_once_however_many_stages_there_are():
    body = """  shop:
    stages: [dev, test, prod]
    databases: {shop: }
    users: {app: {privileges: [{permission: ALL, database: shop}]}}
"""
    belongs = "each stage is a tenant of its own, and a {} belongs to one tenant"
    assert problems(HEAD + body) == [
        Problem(
            "name-without-stage",
            f"{noun} {name} would belong to every stage of shop",
            belongs.format(noun),
            f"write {name}-{{stage}}",
            Location("f", line, column),
            f"tenant shop-dev, {noun} {name}",
        )
        for noun, name, line, column in [("database", "shop", 6, 17), ("user", "app", 7, 13)]
    ]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file():
    text = """\
version: 2
cluster: {stak: shared}
defaults: {rotate_after_days: 1001, on_remove: dropp}
tenants:
  Shop:
    databases: {mysql: , a: }
    databases: {b: }
    users:
      yes:
        privileges: [{permission: true, database: nowhere, tabel: x}, {database: a}, SELECT]
        adopt: 1
"""
    assert [(f"{p.where.line}:{p.where.column}", p.code, p.what, p.fix) for p in problems(text) if p.where] == [
        ("1:10", "wrong-value", "version is 2", "write version: 1"),
        ("2:11", "unknown-key", "unknown key stak", "did you mean stack?"),
        ("3:31", "wrong-value", "rotate_after_days is 1001", "write a number from 0 to 1000"),
        ("3:48", "wrong-value", "on_remove is dropp", "did you mean drop?"),
        ("5:3", "invalid-name", 'tenant name Shop begins with "S"', "for example shop"),
        ("6:17", "reserved-name", "database mysql is reserved", "choose another name"),
        ("7:5", "duplicate-key", "the key databases appears twice", "remove one of them, or rename it"),
        ("10:35", "wrong-type", "permission is the YAML boolean true", 'quote it: "true"'),
        ("10:51", "unknown-database", "database nowhere is not declared", "declare it: databases: {nowhere: {}}"),
        ("10:60", "unknown-key", "unknown key tabel", "did you mean table?"),
        ("10:71", "missing-key", "permission is missing", "add permission: SELECT"),
        (
            *("10:86", "wrong-type", "entry 3 of privileges is text"),
            "for example - {permission: SELECT, database: shop}",
        ),
        ("11:16", "wrong-type", "adopt is the number 1", "for example adopt: true"),
    ]


# Shape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", ["1:1 wrong-type: the file is a list"]),
        ("tenants", ["1:1 wrong-type: the file is text"]),
        ("{}", [f"1:1 missing-key: {key} is missing" for key in ("version", "cluster", "tenants")]),
        ("version: '1'\ncluster: {stack: s}\ntenants: {}", ["1:10 wrong-value: version is 1"]),
        ("version: 1\ncluster:\ntenants:", ["2:1 wrong-type: cluster is empty", "3:1 wrong-type: tenants is empty"]),
        ("version: 1\ncluster: {stack: ''}\ntenants: {}", ["2:18 empty-value: stack is empty"]),
        ("version: 1\ncluster: {}\ntenants: {}", ["2:1 missing-key: stack is missing"]),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, expected: list[str]):
    assert [f"{p.where.line}:{p.where.column} {p.code}: {p.what}" for p in problems(text) if p.where] == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("  a: »5", "wrong-type: a is the number 5"),
        ("  a: {stages: »[]}", "empty-value: stages is empty"),
        ("  a: {stages: »dev, databases: {'a-{stage}': }}", "wrong-type: stages is text"),
        ("  a: {stages: [»1]}", "wrong-type: entry 1 of stages is the number 1"),
        ("  a: {databases: {a: {adopt: »yes}}}", "wrong-type: adopt is text"),
        ("  a: {databases: {a: {shared_with: »a}}}", "wrong-type: shared_with is text"),
        ("  a: {users: {a: {rotate_after_days: »-1}}}", "wrong-value: rotate_after_days is -1"),
        ("  a: {users: {a: {rotate_after_days: »1.5}}}", "wrong-type: rotate_after_days is the number 1.5"),
        ("  a: {users: {a: {privileges: »{}}}}", "wrong-type: privileges is a mapping"),
        ("  a: {users: {a: {»hosts: '%'}}}", "unknown-key: unknown key hosts"),
        ("  a: {roles: {a: {»host: '%'}}}", "unknown-key: unknown key host"),
        ("  a: {roles: »[a]}", "wrong-type: roles is a list"),
        ("  a: {»pause_schedule: {}}", "unknown-key: unknown key pause_schedule"),
        (granting("{permission: EXECUTE, database: app, »routine: p}"), "unknown-key: unknown key routine"),
        (granting("{permission: EXECUTE, database: app, procedure: »''}"), "empty-value: procedure is empty"),
        (granting("{permission: EXECUTE, database: app, function: »7}"), "wrong-type: function is the number 7"),
        (granting("{permission: »[], database: app}"), "empty-value: permission is empty"),
        (granting("{»permission: , database: app}"), "wrong-type: permission is empty"),
        (granting("{permission: SELECT, database: »''}"), "empty-value: database is empty"),
        (granting("{permission: SELECT, database: app, table: »2024}"), "wrong-type: table is the number 2024"),
        (granting("{permission: SELECT, database: app, table: t, columns: »id}"), "wrong-type: columns is text"),
        (
            granting("{permission: SELECT, database: app, table: t, columns: [»1]}"),
            "wrong-type: entry 1 of columns is the number 1",
        ),
    ],
)
def test_a_value_of_another_shape_is_one_problem(body: str, expected: str):
    assert told(body) == [expected]


def test_a_number_where_a_name_belongs_is_to_be_quoted_as_it_is_written():
    assert fixes(granting("{permission: SELECT, database: app, table: 0x1F}")) == ['quote it: "0x1F"']


# Names


@pytest.mark.parametrize(
    ("body", "expected", "fix"),
    [
        ("  »sh_op: ", 'invalid-name: tenant name sh_op contains "_"', "for example sh-op"),
        ("  »1a: ", 'invalid-name: tenant name 1a begins with "1"', "choose another name"),
        ("  »'shop-{stage}': ", 'invalid-name: tenant name shop-{stage} contains "{"', "for example shop"),
        ("  a: {stages: [»Dev]}", 'invalid-name: stage name Dev begins with "D"', "for example dev"),
        ("  a: {stages: [x, »x]}", "duplicate-stage: stage x appears twice", "remove one of them"),
        ("  a: {databases: {»'': }}", "invalid-name: this database has no name", "give it a name"),
        ("  a: {databases: {»my db: }}", "invalid-name: database name my db contains a space", "for example my-db"),
        ("  a: {databases: {»Café: }}", 'invalid-name: database name Café contains "é"', "for example Cafe"),
        ("  a: {databases: {»a%: }}", 'invalid-name: database name a% contains "%"', "for example a-"),
        (
            "  a: {databases: {»" + "x" * 65 + ": }}",
            f"name-too-long: database name {'x' * 57}... is 1 character too long",
            "shorten it by 1 character",
        ),
        (
            "  a: {databases: {x" + "-" * 47 + "x" * 16 + ": , »y" + "-" * 48 + "y" * 15 + ": }}",
            f"name-too-long: database name y{'-' * 48}{'y' * 8}... has too many - and $",
            "replace some of them with _, or shorten it",
        ),
        (
            "  a: {stages: [production], users: {»'" + "x" * 30 + "-{stage}': }}",
            f"name-too-long: user name {'x' * 30}-production is 9 characters too long",
            "shorten it by 9 characters",
        ),
        ("  a: {databases: {»INNODB: }}", "reserved-name: database INNODB is reserved", "choose another name"),
        ("  a: {users: {»rds-app: }}", "reserved-name: user rds-app is reserved", "choose another name"),
        (
            "  a: {users: {»aurora_tenants_inspector: }}",
            "reserved-name: user aurora_tenants_inspector is reserved",
            "choose another name",
        ),
        (
            "  a: {databases: {a: {charset: utf8, collation: »utf8mb4_bin}}}",
            "wrong-collation: collation utf8mb4_bin is not one of charset utf8mb3",
            "remove one of the two",
        ),
        ("  a: {roles: {»Café: }}", 'invalid-name: role name Café contains "é"', "for example Cafe"),
        ("  a: {roles: {»'': }}", "invalid-name: this role has no name", "give it a name"),
        (
            "  a: {stages: [production], roles: {»'" + "x" * 22 + "-{stage}': }}",
            f"name-too-long: role name {'x' * 22}-production is 1 character too long",
            "shorten it by 1 character",
        ),
        (
            "  a: {roles: {»rds_superuser_role: }}",
            "reserved-name: role rds_superuser_role is reserved",
            "choose another name",
        ),
        (
            "  a: {roles: {»AWS_LAMBDA_ACCESS: }}",
            "reserved-name: role AWS_LAMBDA_ACCESS is reserved",
            "grant Aurora's own role to a user instead: roles: [AWS_LAMBDA_ACCESS]",
        ),
        (
            "  a: {stages: [x, y], roles: {»reader: }}",
            "name-without-stage: role reader would belong to every stage of a",
            "write reader-{stage}",
        ),
        (
            "  a: {databases: {a: {charset: utf8mb4, collation: »latin1_bin}}}",
            "wrong-collation: collation latin1_bin is not one of charset utf8mb4",
            "remove one of the two",
        ),
        (
            "  a: {databases: {a: {charset: »'a;'}}}",
            'invalid-name: charset name a; contains ";"',
            "choose another name",
        ),
    ],
)
def test_a_name_that_cannot_be_used_is_told_with_the_reason(body: str, expected: str, fix: str):
    assert (told(body), fixes(body)) == ([expected], [fix])


@pytest.mark.parametrize("name", ["a" * 64, "A_$-9", "-", "0a"])
def test_a_database_may_have_every_name_of_the_allowed_characters(name: str):
    assert tenants(f"  a: {{databases: {{{name}: }}}}") == (Tenant("a", (TenantDatabase(name),)),)


def test_the_stack_of_a_tenant_has_to_fit_into_128_characters():
    body = f"  {'t' * 88}: \n  »{'u' * 89}: \n  »v: {{stages: [{'w' * 87}]}}\n"
    text = (HEAD + body).replace("shared", "s" * 39)
    found = [(problem.where, problem.what, problem.fix) for problem in problems(text.replace(MARK, ""))]
    assert found == [
        (Location("f", 5, 3), f"tenant name {'u' * 57}... is 1 character too long", "shorten it by 1 character"),
        (Location("f", 6, 3), f"tenant name v-{'w' * 55}... is 1 character too long", "shorten it by 1 character"),
    ]


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ("{stack: shared_global}", 'stack name shared_global contains "_"'),
        (f"{{stack: {'s' * 40}}}", f"stack name {'s' * 40} is 1 character too long"),
        (f"{{stack: {'s' * 129}}}", f"stack name {'s' * 57}... is 90 characters too long"),
        ("{stack: s, region: Ireland}", "Ireland is not the name of a region"),
        ('{stack: s, account: "1234-5678-9012"}', "1234-5678-9012 is not the number of an account"),
        ('{stack: s, account: "12345678901"}', "12345678901 is not the number of an account"),
        ('{stack: s, account: ""}', "account is empty"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_problem(cluster: str, expected: str):
    text = f"version: 1\ncluster: {cluster}\ntenants: {{a: }}"
    assert [problem.what for problem in problems(text)] == [expected]


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("012345678901", 'quote all 12 digits: "012345678901"'),
        ("12345678901", 'quote all 12 digits: "012345678901"'),
        ("123456789012", 'quote all 12 digits: "123456789012"'),
        ("1.5", "write its 12 digits in quotes"),
    ],
)
def test_an_account_that_is_a_number_is_told_what_becomes_of_its_zeros(written: str, fix: str):
    (problem,) = problems(f"version: 1\ncluster: {{stack: s, account: {written}}}\ntenants: {{a: }}")
    assert (problem.code, problem.where, problem.fix) == ("wrong-type", Location("f", 2, 30), fix)
    assert problem.why == "it must be text: as a number, zeros at its beginning are lost"


def test_an_account_is_12_digits_at_its_place():
    cluster = config.parse('version: 1\ncluster: {stack: s, account: "012345678901"}\ntenants: {a: }', "f").cluster
    assert (cluster.account, cluster.account_where) == ("012345678901", Location("f", 2, 30))


@pytest.mark.parametrize(
    ("tenants", "name"),
    [
        ("  »cluster: ", "cluster"),
        ("  »pause-schedule: ", "pause-schedule"),
        ("  »pause: {stages: [dev, schedule]}", "pause-schedule"),
    ],
)
def test_a_tenant_is_not_called_as_a_part_of_the_shared_stack(tenants: str, name: str):
    (problem,) = problems(HEAD + tenants.replace(MARK, ""))
    assert (problem.code, problem.what) == ("reserved-name", f"tenant name {name} is reserved")
    assert problem.where == Location("f", 4, 3)


def test_a_tenant_called_cluster_has_another_name_with_its_stages():
    tenants = config.parse(HEAD + "  cluster: {stages: [dev, prod]}", "f").tenants
    assert [tenant.name for tenant in tenants] == ["cluster-dev", "cluster-prod"]


def test_a_shared_stack_is_called_so_that_its_functions_can_be_called_after_it():
    assert config.parse((HEAD + "  a: {}\n").replace("shared", "s" * 39), "f").cluster == Cluster("s" * 39)
    text = (HEAD + "  a: {}\n").replace("shared", "s" * 43)
    assert problems(text) == [
        Problem(
            "name-too-long",
            f"stack name {'s' * 43} is 4 characters too long",
            "the function <stack>-database-secret-rotation would have 68 characters, and Lambda takes 64",
            "shorten it by 4 characters, to 39 at most",
            Location("f", 2, 18),
            "cluster",
        )
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("  a: {databases: {»'a-{stage}': }}", ["no-stages: {stage} is used, but tenant a has no stages"]),
        ("  a: {stages: [x], databases: {»'a-{stgae}': }}", ["unknown-placeholder: unknown placeholder {stgae}"]),
        (
            "  a: {databases: {a: {shared_with: [»'b-{stage}', »'{c}']}}}",
            [
                "no-stages: {stage} is used, but tenant a has no stages",
                "unknown-placeholder: unknown placeholder {c}",
            ],
        ),
        (
            granting("{permission: SELECT, database: »'app-{x}', table: »'t-{stage}'}"),
            [
                "unknown-placeholder: unknown placeholder {x}",
                "no-stages: {stage} is used, but tenant app has no stages",
            ],
        ),
    ],
)
def test_a_placeholder_that_stands_for_nothing_is_one_problem(body: str, expected: list[str]):
    assert told(body) == expected


def test_one_stage_alone_may_leave_its_name_out():
    assert tenants("  a: {stages: [x], databases: {a: }}") == (Tenant("a-x", (TenantDatabase("a"),)),)


def test_one_database_may_not_be_written_in_two_ways():
    body = "  a: {stages: [x], databases: {'a-{stage}': , »a-x: }}"
    assert told(body) == ["duplicate-database: database a-x is declared twice, by tenant a-x"]
    assert fixes(body) == ["remove it here"]


# Whose database


def test_a_database_nobody_declares_cannot_be_granted_on():
    body = granting("{permission: ALL, database: »ap}")
    assert (told(body), fixes(body)) == (["unknown-database: database ap is not declared"], ["did you mean app?"])


@pytest.mark.parametrize("pattern", ["app%", "app*"])
def test_a_database_is_never_a_pattern(pattern: str):
    why = "privileges can be granted on databases of this file only, one by one and never by a pattern"
    assert [p.why for p in problems(HEAD + granting(f"{{permission: ALL, database: '{pattern}'}}"))] == [why]


def test_a_database_can_be_shared_with_tenants_of_the_file_only():
    body = "  shop: {databases: {shop: {shared_with: [»biling]}}}\n  billing: \n"
    assert (told(body), fixes(body)) == (["unknown-tenant: there is no tenant biling"], ["did you mean billing?"])


def test_a_thousand_wrong_names_are_all_told():
    user = "  t{0}: {{users: {{u{0}: {{privileges: [{{permission: ALL, database: d{0}}}]}}}}}}\n"
    assert len(problems(HEAD + "".join(user.format(number) for number in range(1000)))) == 1000


# Privileges


@pytest.mark.parametrize("level", ["DATABASE", "TABLE", "COLUMN"])
def test_every_privilege_of_a_level_is_accepted_there(level: str):
    scope = {"DATABASE": "", "TABLE": ", table: t", "COLUMN": ", table: t, columns: [c]"}[level]
    names = sorted(PRIVILEGES[level])
    body = granting(f"{{permission: [{', '.join(names)}], database: app{scope}}}")
    assert tenants(body)[0].users[0].privileges[0].permissions == tuple(names)


_ON_A_COLUMN = "table: t, columns: [c], permission: »"


@pytest.mark.parametrize(
    ("entry", "expected", "fix"),
    [
        ("permission: »SELCT", "unknown-privilege: unknown privilege SELCT", "did you mean SELECT?"),
        ("permission: »create_view", "unknown-privilege: unknown privilege create_view", "did you mean CREATE VIEW?"),
        ("permission: »X", "unknown-privilege: unknown privilege X", "remove it"),
        ("permission: »''", "empty-value: a permission is empty", "fill it in or remove it"),
        ("permission: [SELECT, »usage]", "usage-privilege: USAGE grants nothing", "remove it"),
        (
            "permission: »'grant  option'",
            "grant-option: GRANT OPTION is not a permission here",
            "write grant_option: true in the entry instead",
        ),
        ("permission: »super", "global-privilege: super cannot be granted to a tenant", "remove it"),
        ("permission: »ROLE_ADMIN", "global-privilege: ROLE_ADMIN cannot be granted to a tenant", "remove it"),
        ("permission: [SELECT, »all]", "all-with-others: ALL is combined with other permissions", "write ALL alone"),
        (
            "table: t, permission: »LOCK TABLES",
            "privilege-level: LOCK TABLES cannot be granted on a table",
            "remove it, or remove table to grant it on the whole database",
        ),
        (
            _ON_A_COLUMN + "LOCK TABLES",
            "privilege-level: LOCK TABLES cannot be granted on columns",
            "remove it, or remove table and columns to grant it on the whole database",
        ),
        (
            _ON_A_COLUMN + "DELETE",
            "privilege-level: DELETE cannot be granted on columns",
            "remove it, or remove columns to grant it on the whole table",
        ),
        (
            _ON_A_COLUMN + "ALL PRIVILEGES",
            "privilege-level: ALL cannot be granted on columns",
            "choose from INSERT, REFERENCES, SELECT, UPDATE",
        ),
        (
            "permission: SELECT, columns: »[c]",
            "columns-without-table: columns are listed without a table",
            "add table: with its name, or remove columns",
        ),
        (
            "permission: SELECT, table: '*', columns: »[c]",
            "columns-without-table: columns are listed without a table",
            "add table: with its name, or remove columns",
        ),
        (
            "permission: SELECT, table: »ord*",
            "table-wildcard: table ord* is a pattern",
            'list each table, or write table: "*"',
        ),
        (
            "permission: SELECT, table: »'%'",
            "table-wildcard: table % is a pattern",
            'list each table, or write table: "*"',
        ),
        ("permission: SELECT, table: »'a`b'", 'invalid-name: table name a`b contains "`"', "choose another table"),
        (
            'permission: SELECT, table: »"a\\x07"',
            "invalid-name: table name a<U+0007> contains U+0007",
            "choose another table",
        ),
        (
            "permission: SELECT, table: »'a '",
            "invalid-name: table name a  ends with a space",
            "remove the space",
        ),
        ("permission: SELECT, table: »😀", 'invalid-name: table name 😀 contains "😀"', "choose another table"),
        (
            f"permission: SELECT, table: »{'t' * 65}",
            f"name-too-long: table name {'t' * 57}... is 1 character too long",
            "shorten it by 1 character",
        ),
        (
            "permission: SELECT, table: t, columns: [a, »A]",
            "duplicate-column: column A appears twice",
            "remove one of them",
        ),
        (
            "permission: SELECT, table: t, columns: [»'*']",
            "column-wildcard: column * is a pattern",
            "remove columns to grant on the whole table",
        ),
    ],
)
def test_what_cannot_be_granted_is_one_problem(entry: str, expected: str, fix: str):
    body = granting(f"{{{entry}, database: app}}")
    assert (told(body), fixes(body)) == ([expected], [fix])


@pytest.mark.parametrize("name", ["with blank", "ünï.cödé", "from", "it's", '"', "\\", "a\u3000b", "t" * 64])
def test_a_table_may_be_called_nearly_anything(name: str):
    entry = {"permission": "SELECT", "database": "app", "table": name}
    assert tenants(granting(json.dumps(entry)))[0].users[0].privileges == (Privilege(("SELECT",), "app", name),)


def test_the_same_privilege_twice_is_no_problem():
    body = granting("{permission: [SELECT, select], database: app}, {permission: SELECT, database: app}")
    privileges = (Privilege(("SELECT",), "app"), Privilege(("SELECT",), "app"))
    assert tenants(body)[0].users[0].privileges == privileges
