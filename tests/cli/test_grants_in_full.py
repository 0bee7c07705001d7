"""Every level, role and option of the file, through the whole of it: validate, plan, apply, drift, removal."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean")

DATABASE = """
  shop:
    databases: {shop: {charset: utf8}}
"""
EVERYTHING = """
  shop:
    databases: {shop: {charset: utf8}}
    roles:
      shop-reader:
        comment: reads orders
        privileges:
          - {permission: SELECT, database: shop, table: orders}
      shop-caller:
        privileges:
          - {permission: EXECUTE, database: shop, procedure: Monthly}
          - {permission: ALL, database: shop, function: vat}
    users:
      shop:
        host: ["%", "10.192.%"]
        require: SSL
        max_queries_per_hour: 1000
        max_user_connections: 20
        password_expire_after_days: 90
        password_history: 3
        password_reuse_after_days: 0
        password_require_current: true
        comment: the shop's own
        roles: [{role: shop-reader, admin_option: true}, shop-caller, AWS_LAMBDA_ACCESS]
        default_roles: [shop-reader]
        privileges:
          - {permission: ALL, database: shop, grant_option: true}
          - {permission: [PROCESS, APPLICATION_PASSWORD_ADMIN], database: "*"}
      shop-strict:
        host: 10.192.0.0/255.255.0.0
        require: {subject: /C=DE/O=shop, cipher: TLS_AES_256_GCM_SHA384}
        locked: true
        roles: [shop-reader]
        default_roles: NONE
      shop-iam:
        auth: iam
        privileges:
          - {permission: SELECT, database: shop, table: customers, columns: [id, Country]}
"""
OBJECTS = (
    "CREATE TABLE IF NOT EXISTS shop.orders (id INT)",
    "CREATE TABLE IF NOT EXISTS shop.customers (id INT, Country CHAR(2))",
    "DROP PROCEDURE IF EXISTS shop.monthly",
    "CREATE PROCEDURE shop.Monthly() SELECT 1",
    "DROP FUNCTION IF EXISTS shop.vat",
    "CREATE FUNCTION shop.vat() RETURNS INT DETERMINISTIC RETURN 19",
)

# Both accounts get PROCESS.
WATCHING = "--allow-access shop --allow-access shop@10.192.%"


@pytest.fixture
def everything(run: CommandLine, cloud: Cloud) -> CommandLine:
    run.file(DATABASE)
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql(*OBJECTS)
    run.file(EVERYTHING)
    refused = run("aurora-tenants apply --yes")
    assert refused.code == 1 and refused.err.count("[shows-statements]") == 2, refused
    ended = run(f"aurora-tenants apply --yes {WATCHING}")
    assert ended.code == 0, ended
    return run


def grants(cloud: Cloud, account: str) -> set[str]:
    return {str(line) for (line,) in cloud.sql(f"SHOW GRANTS FOR {account}")}


def test_all_of_it_is_there_as_the_server_itself_tells_and_a_plan_is_empty_afterwards(
    everything: CommandLine, cloud: Cloud
):
    planned = everything("aurora-tenants plan --detailed-exitcode")
    assert planned.code == 0, planned
    for host in ("%", "10.192.%"):
        assert grants(cloud, f"shop@`{host}`") == {
            f"GRANT PROCESS ON *.* TO `shop`@`{host}`",
            f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO `shop`@`{host}`",
            f"GRANT ALL PRIVILEGES ON `shop`.* TO `shop`@`{host}` WITH GRANT OPTION",
            f"GRANT `shop-reader`@`%` TO `shop`@`{host}` WITH ADMIN OPTION",
            f"GRANT `AWS_LAMBDA_ACCESS`@`%`,`shop-caller`@`%` TO `shop`@`{host}`",
        }
    assert grants(cloud, "`shop-reader`") == {
        "GRANT USAGE ON *.* TO `shop-reader`@`%`",
        "GRANT SELECT ON `shop`.`orders` TO `shop-reader`@`%`",
    }
    assert grants(cloud, "`shop-caller`") == {
        "GRANT USAGE ON *.* TO `shop-caller`@`%`",
        "GRANT EXECUTE ON PROCEDURE `shop`.`monthly` TO `shop-caller`@`%`",
        "GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `shop`.`vat` TO `shop-caller`@`%`",
    }
    assert grants(cloud, "`shop-iam`") == {
        "GRANT USAGE ON *.* TO `shop-iam`@`%`",
        "GRANT SELECT (`Country`, `id`) ON `shop`.`customers` TO `shop-iam`@`%`",
    }
    what = (
        "plugin, ssl_type, max_questions, max_user_connections, account_locked, password_lifetime,"
        " Password_reuse_history, Password_reuse_time, Password_require_current"
    )
    rows = cloud.sql(f"SELECT User, Host, {what} FROM mysql.user WHERE User LIKE 'shop%' ORDER BY User, Host")
    plugin = "caching_sha2_password"
    assert rows == [
        ("shop", "%", plugin, "ANY", 1000, 20, "N", 90, 3, 0, "Y"),
        ("shop", "10.192.%", plugin, "ANY", 1000, 20, "N", 90, 3, 0, "Y"),
        ("shop-caller", "%", plugin, "", 0, 0, "Y", None, None, None, None),
        ("shop-iam", "%", "AWSAuthenticationPlugin", "ANY", 0, 0, "N", None, None, None, None),
        ("shop-reader", "%", plugin, "", 0, 0, "Y", None, None, None, None),
        ("shop-strict", "10.192.0.0/255.255.0.0", plugin, "SPECIFIED", 0, 0, "Y", None, None, None, None),
    ]
    assert cloud.sql("SELECT USER, DEFAULT_ROLE_USER FROM mysql.default_roles WHERE USER LIKE 'shop%'") == [
        ("shop", "shop-reader"),
        ("shop", "shop-reader"),
    ]
    assert [name for name in sorted(cloud.secrets()) if name.startswith("/")] == [
        f"/shared-global/database/{name}" for name in ("aurora_tenants_inspector", "shop", "shop-strict")
    ]


BEHIND_OUR_BACK = (
    "ALTER USER shop REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 1",
    "ALTER USER shop PASSWORD EXPIRE NEVER PASSWORD HISTORY DEFAULT COMMENT 'x'",
    "ALTER USER `shop-strict`@`10.192.0.0/255.255.0.0` ACCOUNT UNLOCK",
    "ALTER USER `shop-reader` ACCOUNT UNLOCK",
    "REVOKE `shop-caller` FROM shop",
    "SET DEFAULT ROLE ALL TO shop",
    "REVOKE EXECUTE ON PROCEDURE shop.monthly FROM `shop-caller`",
    "REVOKE PROCESS ON *.* FROM shop",
)
HEALING = {
    "ALTER USER `shop`@`%` REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 1000 PASSWORD EXPIRE INTERVAL 90 DAY"
    " PASSWORD HISTORY 3 COMMENT 'the shop''s own'",
    "ALTER USER `shop-strict`@`10.192.0.0/255.255.0.0` ACCOUNT LOCK",
    "ALTER USER `shop-reader`@`%` ACCOUNT LOCK",
    "GRANT `shop-caller`@`%` TO `shop`@`%`",
    "SET DEFAULT ROLE `shop-reader`@`%` TO `shop`@`%`",
    "GRANT EXECUTE ON PROCEDURE `shop`.`monthly` TO `shop-caller`@`%`",
    "GRANT PROCESS ON *.* TO `shop`@`%`",
}


def test_drift_of_every_kind_is_told_with_its_line_and_healed(everything: CommandLine, cloud: Cloud):
    cloud.sql(*BEHIND_OUR_BACK)
    made = json.loads(everything("aurora-tenants plan --output json").out)
    (tenant,) = made["tenants"]
    assert (tenant["action"], tenant["origin"]) == ("update", "drift")
    assert {change["sql"] for change in tenant["changes"]} == HEALING
    assert {tuple(change["origins"]) for change in tenant["changes"]} == {("drift",)}
    lines = (everything.directory / "tenants.yaml").read_text().splitlines()
    where = {change["sql"]: lines[change["where"][0]["line"] - 1].strip() for change in tenant["changes"]}
    assert where["GRANT PROCESS ON *.* TO `shop`@`%`"].startswith("- {permission: [PROCESS,")
    assert where["ALTER USER `shop-reader`@`%` ACCOUNT LOCK"] == "shop-reader:"
    assert where["GRANT `shop-caller`@`%` TO `shop`@`%`"].startswith("roles: [")
    assert everything(f"aurora-tenants apply --yes {WATCHING}").code == 0
    assert everything("aurora-tenants plan --detailed-exitcode").code == 0


def test_the_plan_in_words_with_its_rules(everything: CommandLine, cloud: Cloud):
    cloud.sql("REVOKE PROCESS ON *.* FROM shop")
    lines = (everything.directory / "tenants.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "PROCESS" in text)
    ended = everything("aurora-tenants plan --explain")
    assert (
        f"  tenants.yaml:{line}\n"
        "      GRANT PROCESS ON *.* TO `shop`@`%`;\n"
        "        rule: what the file asks for is granted again after somebody revoked it\n"
    ) in ended.out


def test_what_is_taken_out_of_the_file_goes_and_nothing_is_made_again(everything: CommandLine, cloud: Cloud):
    """The account that moves to another host keeps its password: it is renamed."""
    before = cloud.sql("SELECT Host, authentication_string FROM mysql.user WHERE User = 'shop' ORDER BY Host")
    everything.file("""
  shop:
    databases: {shop: {charset: utf8mb4, collation: utf8mb4_bin}}
    users:
      shop:
        host: ["%", "10.193.%"]
        privileges:
          - {permission: SELECT, database: shop}
""")
    planned = everything("aurora-tenants plan --sql")
    assert "RENAME USER `shop`@`10.192.%` TO `shop`@`10.193.%`" in planned.out
    assert "from utf8mb3, utf8mb3_general_ci; existing tables keep the character set and collation they have" in (
        planned.out
    )
    applied = everything("aurora-tenants apply --yes")
    assert applied.code == 0, applied
    after = cloud.sql("SELECT Host, authentication_string FROM mysql.user WHERE User = 'shop' ORDER BY Host")
    assert [text for _, text in after] == [text for _, text in before]
    assert [host for host, _ in after] == ["%", "10.193.%"]
    assert cloud.sql("SELECT User FROM mysql.user WHERE User LIKE 'shop-%'") == []
    assert grants(cloud, "shop@`10.193.%`") == {
        "GRANT USAGE ON *.* TO `shop`@`10.193.%`",
        "GRANT SELECT ON `shop`.* TO `shop`@`10.193.%`",
    }
    assert cloud.sql("SELECT name FROM aurora_tenants.users WHERE name LIKE 'shop%' ORDER BY name") == [
        ("shop@%",),
        ("shop@10.193.%",),
    ]


def test_a_user_changes_to_iam_and_back_and_stays_the_same_account(run: CommandLine, cloud: Cloud):
    def file(auth: str) -> None:
        run.file(f"""
  shop:
    databases: {{shop: {{}}}}
    users:
      shop: {{auth: {auth}, privileges: [{{permission: ALL, database: shop}}]}}
""")

    def apply() -> None:
        ended = run("aurora-tenants apply --yes")
        assert ended.code == 0, ended
        assert run("aurora-tenants plan --detailed-exitcode").code == 0

    file("password")
    apply()
    cloud.sql("CREATE VIEW shop.v AS SELECT 1 AS one", "GRANT SELECT ON shop.v TO shop")
    file("iam")
    apply()
    assert "/shared-global/database/shop" not in cloud.secrets()
    assert cloud.sql("SELECT plugin FROM mysql.user WHERE User = 'shop'") == [("AWSAuthenticationPlugin",)]
    env = run("aurora-tenants env shop")
    assert env.code == 0 and "DATABASE_SECRET" not in env.out
    file("password")
    apply()
    password = json.loads(cloud.secrets()["/shared-global/database/shop"])["password"]
    cloud.connect("shop", password).close()
    assert "GRANT ALL PRIVILEGES ON `shop`.* TO `shop`@`%`" in grants(cloud, "shop")


# Who can get in


def test_a_stranger_who_can_get_in_is_a_danger_and_fails_a_live_validation(run: CommandLine, cloud: Cloud):
    run.file(DATABASE)
    assert run("aurora-tenants apply --yes").code == 0
    alone = run("aurora-tenants validate --live")
    assert (alone.code, alone.out.splitlines()[-1]) == (
        0,
        "Nobody can get into a tenant's database without belonging there.",
    )
    cloud.sql("CREATE USER stranger", "GRANT SELECT ON shop.* TO stranger")
    told = "user stranger can get into database shop of tenant shop  [breach]"
    planned = run("aurora-tenants plan --detailed-exitcode")
    assert planned.code == 0 and f"danger: {told}" in planned.out
    assert "fix: REVOKE SELECT ON `shop`.* FROM `stranger`@`%`" in planned.out
    ended = run("aurora-tenants validate --live")
    assert ended.code == 1 and f"error: {told}" in ended.err
    data = json.loads(run("aurora-tenants validate --live --output json").out)
    assert [problem["code"] for problem in data["problems"]] == ["breach"]
    run.file(DATABASE, head="version: 1\ncluster: {stack: shared-global}\nignore: {users: [stranger]}\ntenants:\n")
    ended = run("aurora-tenants validate --live")
    assert ended.code == 0
    assert ended.out.endswith(
        "without belonging there, apart from accounts that ignore.users names:"
        " 1 of them can get into 1 database of 1 tenant: shop.\n"
    )
    data = json.loads(run("aurora-tenants validate --live --output json").out)
    assert data["ignored"] == ["stranger@%"]


def test_a_new_database_that_old_rights_would_open_is_not_made_unasked(run: CommandLine, cloud: Cloud):
    cloud.sql("CREATE USER stranger", "GRANT SELECT ON shop.* TO stranger")
    run.file(DATABASE)
    refused = run("aurora-tenants apply --yes")
    assert refused.code == 1
    assert (
        "after this apply, user stranger could get into database shop of tenant shop  [opens-database]" in refused.err
    )
    assert refused.err.endswith("Nothing was changed.\n")
    assert cloud.stacks() == {}
    assert run("aurora-tenants apply --yes --allow-access stranger@%").code == 0


# No lost access


class Client:
    """Asks as a user, with one login that stays and with a new one for every question, until it is stopped."""

    def __init__(self, cloud: Cloud, user: str, statement: str) -> None:
        password = json.loads(cloud.secrets()[f"/shared-global/database/{user}"])["password"]
        self._login: Any = lambda: pymysql.connect(
            host="127.0.0.1", port=cloud.port, user=user, password=password, autocommit=True
        )
        self._statement = statement
        self._stop = threading.Event()
        self.answers = 0
        self.errors: list[str] = []

    def __enter__(self) -> Client:
        self._threads = [threading.Thread(target=self._stay), threading.Thread(target=self._come)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, connection: Any) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(self._statement)
            self.answers += 1
        except pymysql.MySQLError as error:
            self.errors.append(str(error))

    def _stay(self) -> None:
        with self._login() as connection:
            while not self._stop.is_set():
                self._ask(connection)

    def _come(self) -> None:
        while not self._stop.is_set():
            try:
                with self._login() as connection:
                    self._ask(connection)
            except pymysql.MySQLError as error:
                self.errors.append(str(error))
            time.sleep(0.005)


STEPS = [
    "privileges: [{permission: [SELECT, INSERT], database: shop}]",
    "privileges: [{permission: ALL, database: shop, grant_option: true}]",
    "privileges: [{permission: [SELECT], database: shop}], require: SSL, max_user_connections: 100",
    "privileges: [{permission: [SELECT], database: shop, table: orders}], plugin: sha256_password",
    "privileges: [{permission: [SELECT], database: shop, table: orders}], host: ['%', 10.%], password_history: 2",
    "privileges: [{permission: [SELECT], database: shop}], host: ['%', 11.%], comment: renamed",
    "privileges: [{permission: [SELECT, PROCESS], database: shop}]",
]


def test_a_right_that_every_state_holds_never_pauses_during_an_apply(run: CommandLine, cloud: Cloud):
    def file(step: str) -> None:
        run.file(f"\n  shop:\n    databases: {{shop: {{}}}}\n    users:\n      shop: {{{step}}}\n")

    file(STEPS[0])
    assert run("aurora-tenants apply --yes").code == 0
    cloud.sql("CREATE TABLE shop.orders (id INT)")
    with Client(cloud, "shop", "SELECT COUNT(*) FROM shop.orders") as client:
        for step in STEPS[1:-1]:
            file(step)
            ended = run("aurora-tenants apply --yes")
            assert ended.code == 0, ended
    assert client.errors == []
    assert client.answers > 100


def test_a_file_that_cannot_be_used_changes_nothing(run: CommandLine, cloud: Cloud):
    run.file(f"\n  shop:\n    databases: {{shop: {{}}}}\n    users:\n      shop: {{{STEPS[-1]}}}\n")
    ended = run("aurora-tenants apply --yes")
    assert (ended.code, ended.err.endswith("Nothing was changed.\n"), cloud.stacks()) == (1, True, {})


@pytest.fixture
def mandatory(cloud: Cloud) -> Iterator[None]:
    cloud.sql("CREATE ROLE everybody", "SET GLOBAL mandatory_roles = 'everybody'")
    yield
    cloud.sql("SET GLOBAL mandatory_roles = ''", "DROP ROLE everybody")


def test_roles_that_everybody_has_do_not_blind_the_inspector(run: CommandLine, cloud: Cloud, mandatory: None):
    run.file(DATABASE)
    ended = run("aurora-tenants apply --yes")
    assert ended.code == 0, ended
    cloud.sql("GRANT SELECT ON shop.* TO everybody", "CREATE USER stranger")
    told = run("aurora-tenants validate --live")
    assert told.code == 1
    assert "user stranger can get into database shop of tenant shop" in told.err
