"""Users that log in with tokens of IAM."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

import pymysql

from tools.smoke import deployment
from tools.smoke.probe import NotRun, Probe
from tools.smoke.statements import account, problems, sql, value
from tools.smoke.world import World

Json = Any
SECTION = "Roles, options and users of IAM"
_PLUGIN = "AWSAuthenticationPlugin"
_CONNECT_SECONDS = 5


def _plugin(world: World) -> Json:
    user = "smoke_iam"
    sql(world, f"DROP USER IF EXISTS {user}")
    made = sql(world, f"CREATE USER {user} IDENTIFIED WITH {_PLUGIN} AS 'RDS' REQUIRE SSL")
    shown = sql(world, f"SELECT CONVERT(plugin USING utf8mb4) FROM mysql.user WHERE User = '{user}'")
    sql(world, f"DROP USER IF EXISTS {user}")
    with account(world, "smoke_to_iam"):
        altered = sql(world, f"ALTER USER smoke_to_iam IDENTIFIED WITH {_PLUGIN} AS 'RDS'")
    return {"create": made, "plugin": shown, "alter": altered}


def _expect_plugin(answer: Json) -> str:
    if found := problems([*answer.values()]):
        return found
    return "" if value(answer["plugin"]) == _PLUGIN else f"the plugin is {value(answer['plugin'])}"


def _token_login(world: World) -> Json:
    if world.is_sandbox:
        raise NotRun("nobody can log in with the sandbox's stand-in for AWSAuthenticationPlugin")
    outputs = world.outputs()
    host, port = outputs["DatabaseHost"], int(outputs["DatabasePort"])
    _need_network(host, port)
    user = "smoke_token"
    sql(world, f"DROP USER IF EXISTS {user}")
    made = sql(world, f"CREATE USER {user} IDENTIFIED WITH {_PLUGIN} AS 'RDS' REQUIRE SSL")
    token = world.client("rds").generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    world.secret_values.add(token)
    try:
        return {"create": made, "login": _login(host, port, user, token)}
    finally:
        sql(world, f"DROP USER IF EXISTS {user}")


def _need_network(host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        why = "this machine is not in the cluster's network, whose security group lets clients of its VPC in alone"
        raise NotRun(f"{host}:{port} does not answer ({error}): {why}") from error


def _login(host: str, port: int, user: str, token: str) -> Mapping[str, str]:
    # The certificate is RDS's own authority's, which no system knows; what counts here is who is let in.
    tls = {"check_hostname": False, "verify_mode": "none"}
    try:
        connection = pymysql.connect(host=host, port=port, user=user, password=token, ssl=tls)
    except pymysql.MySQLError as error:
        return {"error": str(error)}
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        row = cursor.fetchone()
    return {"user": str(row[0]) if row else ""}


def _expect_token_login(answer: Json) -> str:
    if found := problems([answer["create"]]):
        return found
    said = answer["login"]
    return "" if said.get("user") == "smoke_token@%" else f"the login ended with {json.dumps(said)}"


def _there_and_back(world: World) -> Json:
    user = deployment.CHANGING_USER

    def plugin() -> Json:
        return sql(world, f"SELECT CONVERT(plugin USING utf8mb4) FROM mysql.user WHERE User = '{user}'")

    deployment.need_tenants(world)
    before = plugin()
    to_iam = deployment.apply(world, auth="auth: iam, ")
    between = plugin()
    back = deployment.apply(world)
    after = plugin()
    failed = next((it for it in (to_iam, back) if it.code), None)
    return {
        "exits": [to_iam.code, back.code],
        "plugins": [before, between, after],
        "text": (failed.out + failed.err)[-2000:] if failed else "",
    }


def _expect_there_and_back(answer: Json) -> str:
    if answer["exits"] != [0, 0]:
        return f"the applies exit {answer['exits']}: {answer['text']}"
    before, between, after = (value(each) for each in answer["plugins"])
    if between != _PLUGIN:
        return f"with auth: iam the plugin is {between}"
    return "" if before == after != _PLUGIN else f"the plugin was {before} and is {after}"


PROBES = (
    Probe(
        "iam-plugin",
        SECTION,
        "`AWSAuthenticationPlugin` works with CREATE USER and ALTER USER.",
        "`apply` fails with MySQL's sentence.",
        "`auth: iam`, then apply",
        "made and altered",
        _plugin,
        _expect_plugin,
    ),
    Probe(
        "iam-token",
        SECTION,
        "The user of `auth: iam` that `env` names can log in with a token.",
        "The service cannot log in.",
        "`auth: iam`, then a driver with the token of `aws rds generate-db-auth-token`, from a machine in the VPC",
        "a session of that user",
        _token_login,
        _expect_token_login,
        takes_seconds=10,
    ),
    Probe(
        "password-to-iam-and-back",
        SECTION,
        "A user may change from a password to IAM and back in place.",
        "`apply` fails with MySQL's sentence, and the user stays as it was.",
        "add `auth: iam` to a user, apply, remove it, apply",
        "the plugin changes, and changes back",
        _there_and_back,
        _expect_there_and_back,
        takes_seconds=180,
        needs=("tenant-by-service-role",),
    ),
)
