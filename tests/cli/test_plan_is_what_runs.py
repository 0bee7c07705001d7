"""What a plan shows is what the provider runs, statement by statement, as the server's own log tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import CommandLine
from tests.cloud import Cloud

pytestmark = pytest.mark.usefixtures("clean")

# What only looks, and what every event does before its work.
_READS = re.compile(
    r"(SELECT|SHOW|SET (?!DEFAULT ROLE)|BEGIN|COMMIT|ROLLBACK|USE|GET DIAGNOSTICS|CREATE DATABASE IF NOT)"
)

FIRST = """
  shop:
    databases: {shop: {}, shop-old: {on_remove: drop}}
    roles:
      shop-reader:
        comment: reads
        privileges: [{permission: SELECT, database: shop}]
      shop-writer: {privileges: [{permission: INSERT, database: shop}]}
    users:
      shop:
        roles: [{role: shop-reader, admin_option: true}, shop-writer, AWS_LAMBDA_ACCESS]
        default_roles: [shop-reader]
        privileges:
          - {permission: ALL, database: shop, grant_option: true}
          - {permission: [PROCESS, APPLICATION_PASSWORD_ADMIN], database: "*"}
      shop-app: {host: ["%", "10.1.%"], privileges: [{permission: SELECT, database: shop}]}
      shop-job: {host: "%", privileges: [{permission: SELECT, database: shop}]}
      shop-iam: {auth: iam, privileges: [{permission: SELECT, database: shop}]}
"""
SECOND = """
  shop:
    databases: {shop: {charset: latin1}}
    roles:
      shop-reader:
        comment: reads again
        privileges: [{permission: SHOW VIEW, database: shop}]
    users:
      shop:
        roles: [shop-reader]
        locked: true
        comment: locked
        require: X509
        privileges:
          - {permission: [SELECT, INSERT], database: shop}
          - {permission: PROCESS, database: "*"}
      shop-app: {host: ["10.2.%", "10.1.%", "10.3.%"], privileges: [{permission: INSERT, database: shop}]}
      shop-job: {host: ["%", "10.1.%"], privileges: [{permission: SELECT, database: shop}]}
      shop-iam: {max_user_connections: 5, privileges: [{permission: SELECT, database: shop}]}
"""
THIRD = """
  shop:
    databases: {shop: {charset: latin1}}
    roles: {shop-reader: {adopt: true}}
    users:
      shop-app: {host: "%", plugin: sha256_password}
      shop-iam: {auth: iam}
      legacy: {adopt: true, host: ["%", "10.1.%"], roles: [shop-reader]}
      bare: {adopt: true}
"""
BEHIND_OUR_BACK = (
    "GRANT DROP ON shop.* TO `shop-app`",
    "ALTER USER `shop-app` REQUIRE SSL ACCOUNT LOCK",
    "ALTER USER `shop-app` IDENTIFIED WITH sha256_password BY ''",
    "ALTER USER `shop-reader` ACCOUNT UNLOCK",
    "REVOKE `shop-reader` FROM legacy",
    "GRANT `shop-reader` TO `shop-iam` WITH ADMIN OPTION",
    "DROP USER bare",
    "ALTER DATABASE shop CHARACTER SET utf8mb4",
)


@contextmanager
def logged(cloud: Cloud) -> Iterator[list[str]]:
    """What the cluster's master writes meanwhile, without passwords and ids of stacks."""
    found: list[str] = []
    cloud.sql("SET GLOBAL log_output = 'TABLE'", "SET GLOBAL log_raw = ON", "TRUNCATE mysql.general_log")
    cloud.sql("SET GLOBAL general_log = ON")
    try:
        yield found
    finally:
        cloud.sql("SET GLOBAL general_log = OFF", "SET GLOBAL log_raw = OFF")
    rows = cloud.sql(
        "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log"
        " WHERE command_type IN ('Query', 'Execute') AND user_host LIKE 'admin%' ORDER BY event_time"
    )
    found += [_bare(str(text)) for (text,) in rows if not _READS.match(str(text))]


def _bare(statement: str) -> str:
    statement = re.sub(r"AS 0x[0-9a-f]+", "AS '***'", statement.removeprefix("INSERT").removeprefix("REPLACE"))
    return re.sub(r"'(ID|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})'\)", "'')", statement)


def _of(statement: str) -> str:
    """The name of the thing a statement is about. Resources are served side by side, each in its own order."""
    found = re.search(r"(?:TO|FROM|USER|EXISTS|VALUES|name =|DATABASE) [(`']+([\w-]+)", statement)
    assert found, statement
    about = re.search(r"(?:TO|FROM) `([\w-]+)`@", statement)
    return about[1] if about else found[1]


def _by_thing(statements: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for statement in statements:
        found.setdefault(_of(statement), []).append(statement)
    return found


def applied(run: CommandLine, cloud: Cloud, *options: str) -> int:
    """Applies, and compares what ran with what was planned; the number of statements."""
    planned = json.loads(run("aurora-tenants plan --output json").out)
    assert planned["problems"] == []
    with logged(cloud) as ran:
        assert run(" ".join(("aurora-tenants apply --yes", *options))).code == 0
    shown = [_bare(change["sql"]) for tenant in planned["tenants"] for change in tenant["changes"]]
    assert _by_thing(ran) == _by_thing(shown)
    again = run("aurora-tenants plan --detailed-exitcode")
    assert again.code == 0, again
    return len(ran)


def test_every_kind_of_change(run: CommandLine, cloud: Cloud):
    run.file(FIRST)
    applied(run, cloud, "--allow-access shop")
    run.file(SECOND)
    applied(run, cloud, "--allow-drop shop-old")
    cloud.sql(
        *("CREATE USER legacy IDENTIFIED BY 'old' REQUIRE SSL", "CREATE USER legacy@`10.1.%` IDENTIFIED BY 'old'"),
        *(
            "CREATE USER bare IDENTIFIED BY 'old'",
            "GRANT SELECT ON *.* TO bare",
            "CREATE DATABASE theirs",
            "GRANT ALL ON theirs.* TO legacy",
        ),
    )
    run.file(THIRD)
    applied(run, cloud)
    cloud.sql(*BEHIND_OUR_BACK)
    assert applied(run, cloud) >= len(BEHIND_OUR_BACK)
    run.file("  other:\n    databases: {other: {}}\n")
    applied(run, cloud, "--allow-mass-removal")
