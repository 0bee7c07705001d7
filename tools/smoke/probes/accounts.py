"""Users and roles as MySQL on Aurora takes them."""

from __future__ import annotations

from typing import Any

from aurora_tenants.lambdas.password import hashes_of
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from tools.smoke.probe import Probe
from tools.smoke.statements import account, database, each, not_refused, problems, sql, value
from tools.smoke.world import World

Json = Any
SECTION = "Roles, options and users of IAM"
_DATA_API = "MySQL and the Data API"


def _tls(world: World) -> Json:
    with account(world, "smoke_tls", "REQUIRE SSL") as secret:
        where = "FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()"
        return {
            "login": sql(world, "SELECT CURRENT_USER()", secret=secret),
            "cipher": sql(world, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", secret=secret),
            "host": sql(world, f"SELECT SUBSTRING_INDEX(HOST, ':', 1) {where}", secret=secret),
        }


def _expect_tls(answer: Json) -> str:
    if found := problems([answer["login"], answer["cipher"]]):
        return found
    if value(answer["login"]) != "smoke_tls@%":
        return f"the session is {value(answer['login'])}"
    cipher = answer["cipher"]["records"][0][1].get("stringValue")
    return "" if cipher else "the connection is not encrypted"


def _dual_passwords(world: World) -> Json:
    """As a rotation does it, with the hash of the plugin that the server gives to users."""
    first, second = world.password(), world.password()
    user = "smoke_dual"
    with account(world, user, password=first) as old:
        new = world.make_secret(user, second)
        plugin = sql(world, f"SELECT CONVERT(plugin USING utf8mb4) FROM mysql.user WHERE User = '{user}'")
        name = value(plugin)
        its = hashes_of(user, second)[name]
        retained = sql(world, f"ALTER USER `{user}` IDENTIFIED WITH `{name}` AS {its} RETAIN CURRENT PASSWORD")
        both = [sql(world, "SELECT 1", secret=secret) for secret in (old, new)]
        discarded = sql(world, f"ALTER USER `{user}` DISCARD OLD PASSWORD")
        return {
            "plugin": plugin,
            "retain": retained,
            "old_beside_new": both[0],
            "new": both[1],
            "discard": discarded,
            "old_afterwards": sql(world, "SELECT 1", secret=old),
            "new_afterwards": sql(world, "SELECT 1", secret=new),
        }


def _expect_dual_passwords(answer: Json) -> str:
    worked = [answer[key] for key in answer if key != "old_afterwards"]
    if not problems(worked) and value(answer["plugin"]) not in PASSWORD_PLUGINS:
        return f"the plugin is {value(answer['plugin'])}"
    return problems(worked) or not_refused(answer["old_afterwards"], 1045, "Access denied for user")


def _role(world: World) -> Json:
    """As the provider makes one."""
    name = database(world)
    role = "smoke_role"
    with account(world, "smoke_member") as secret:
        made = each(
            world,
            f"DROP USER IF EXISTS {role}",
            f"CREATE USER {role} ACCOUNT LOCK PASSWORD EXPIRE",
            f"GRANT SELECT ON {name}.* TO {role}",
            f"GRANT {role} TO smoke_member",
            f"SET DEFAULT ROLE {role} TO smoke_member",
        )
        seen = {
            "made": made,
            "current_role": sql(world, "SELECT CURRENT_ROLE()", secret=secret),
            "databases": sql(world, f"SHOW DATABASES LIKE '{name}'", secret=secret),
        }
    sql(world, f"DROP USER IF EXISTS {role}")
    return seen


def _expect_role(answer: Json) -> str:
    if found := problems([*answer["made"], answer["current_role"], answer["databases"]]):
        return found
    active = value(answer["current_role"])
    if "smoke_role" not in active:
        return f"the role is not active: {active}"
    return "" if answer["databases"]["records"] else "the member does not see the database"


def _create_role(world: World) -> Json:
    answer = sql(world, "CREATE ROLE smoke_plain_role")
    sql(world, "DROP USER IF EXISTS smoke_plain_role")
    return answer


def _expect_create_role(answer: Json) -> str:
    return "" if "error" not in answer else not_refused(answer, 1295, "not supported in the prepared statement")


def _rename(world: World) -> Json:
    name, password = database(world), world.password()
    with account(world, "smoke_renamed", password=password):
        made = each(
            world,
            "DROP USER IF EXISTS smoke_role_of_renamed",
            "CREATE USER smoke_role_of_renamed ACCOUNT LOCK PASSWORD EXPIRE",
            f"GRANT SELECT ON {name}.* TO smoke_renamed",
            "GRANT smoke_role_of_renamed TO smoke_renamed",
            "SET DEFAULT ROLE smoke_role_of_renamed TO smoke_renamed",
            "RENAME USER smoke_renamed TO smoke_renamed@'10.%'",
            "RENAME USER smoke_renamed@'10.%' TO smoke_renamed_again",
        )
        login = world.make_secret("smoke_renamed_again", password)
        seen = {
            "made": made,
            "login": sql(world, "SELECT CURRENT_USER()", secret=login),
            "current_role": sql(world, "SELECT CURRENT_ROLE()", secret=login),
            "grants": sql(world, "SHOW GRANTS", secret=login),
        }
    each(world, "DROP USER IF EXISTS smoke_renamed_again", "DROP USER IF EXISTS smoke_role_of_renamed")
    return seen


def _expect_rename(answer: Json) -> str:
    if found := problems([*answer["made"], answer["login"], answer["current_role"], answer["grants"]]):
        return found
    if value(answer["login"]) != "smoke_renamed_again@%":
        return f"the session is {value(answer['login'])}"
    if "smoke_role_of_renamed" not in value(answer["current_role"]):
        return "the default role is gone"
    grants = str(answer["grants"]["records"])
    return "" if "SELECT ON" in grants else f"the grants are {grants}"


PROBES = (
    Probe(
        "login-over-tls",
        _DATA_API,
        "The Data API connects over TLS, so that a user with `require: SSL` can use it, and from a host that only `%` "
        "is certain to match.",
        "Such a user gets 1045 and its rotation fails: remove `require` from users of the Data API.",
        "`examples/service.py` with the `env` of a user that has `require: SSL`",
        "smoke_tls@% over TLS",
        _tls,
        _expect_tls,
    ),
    Probe(
        "dual-passwords",
        _DATA_API,
        "The master user may give a user a second password (`RETAIN CURRENT PASSWORD`), as the hash that its plugin "
        "stores (`AS 0x…`), with which the old one works until `DISCARD OLD PASSWORD`.",
        "No user is made, and every rotation fails at setSecret, with MySQL's sentence; or no new password logs in.",
        "`aws secretsmanager rotate-secret` of a tenant's secret",
        "both log in, then the new one alone",
        _dual_passwords,
        _expect_dual_passwords,
    ),
    Probe(
        "role-made-as-user",
        SECTION,
        "A role can be created by `CREATE USER … ACCOUNT LOCK PASSWORD EXPIRE`, granted, and active in sessions of the "
        "Data API by `SET DEFAULT ROLE`.",
        "`apply` fails with MySQL's sentence, or the user lacks the role's privileges.",
        "`examples/service.py` as a user that has its privileges only through a role",
        "the role is active, and shows its database",
        _role,
        _expect_role,
    ),
    Probe(
        "create-role",
        SECTION,
        "`CREATE ROLE` is not needed; if the Data API prepares statements, it is refused (1295).",
        "nothing",
        "`aws rds-data execute-statement --sql 'CREATE ROLE r'`",
        "made, or refused with 1295",
        _create_role,
        _expect_create_role,
    ),
    Probe(
        "rename-user",
        SECTION,
        "The master user may run `RENAME USER`, which keeps password, grants and default roles.",
        "Another `host` fails with MySQL's sentence, and the user stays as it was.",
        "change the `host` of a user that has a role",
        "the password, the grant and the role still hold",
        _rename,
        _expect_rename,
    ),
)
