"""The server's variables, and what the master user may make on it."""

from __future__ import annotations

from typing import Any

from tools.smoke.probe import Probe
from tools.smoke.statements import database, problems, sql, value
from tools.smoke.world import World

Json = Any
SECTION = "MySQL and the Data API"
_VARIABLES = (
    *("version", "aurora_version", "partial_revokes", "authentication_policy", "default_authentication_plugin"),
    *("lower_case_table_names", "activate_all_roles_on_login", "log_bin", "log_bin_trust_function_creators"),
    *("require_secure_transport", "sql_mode"),
)


def variables(world: World) -> Json:
    """Each of them, or how it was refused: a version does not have them all."""
    return world.once("variables", lambda: {name: sql(world, f"SELECT @@{name}") for name in _VARIABLES})


def _expect_variables(answer: Json) -> str:
    policy, plugin = (answer[name] for name in ("authentication_policy", "default_authentication_plugin"))
    if "error" in policy and "error" in plugin:
        return "neither @@authentication_policy nor @@default_authentication_plugin can be read"
    logs = value(answer["log_bin"])
    return "" if logs in (0, False) else f"@@log_bin is {logs}"


def _partial_revokes(world: World) -> Json:
    return variables(world)["partial_revokes"]


def _expect_partial_revokes(answer: Json) -> str:
    seen = value(answer)
    return "" if seen in (0, 1) else f"@@partial_revokes is {seen}"


def _inspector_problem(world: World) -> Json:
    return {"InspectorProblem": world.outputs().get("InspectorProblem", "there is no such output")}


def _expect_inspector_problem(answer: Json) -> str:
    said = answer["InspectorProblem"]
    return "" if said in ("", "none") else f"the shared stack says: {said}"


def _views(world: World) -> Json:
    secret = world.outputs()["InspectorSecret"]
    count = "SELECT COUNT(*) FROM aurora_tenants.accounts"
    hashes = "SELECT COUNT(*) FROM mysql.user"
    return {"view": sql(world, count, secret=secret), "table": sql(world, hashes, secret=secret)}


def _expect_views(answer: Json) -> str:
    if found := problems([answer["view"]]):
        return found
    if value(answer["view"]) < 2:
        return f"the view shows {value(answer['view'])} accounts"
    return "" if "error" in answer["table"] else "the inspector reads mysql.user, where the hashes are"


def _function(world: World) -> Json:
    where = "WHERE ROUTINE_SCHEMA = 'aurora_tenants' AND ROUTINE_TYPE = 'FUNCTION'"
    name = database(world)
    sql(world, f"CREATE OR REPLACE VIEW {name}.seen AS SELECT 1 AS one")
    inspector = world.outputs()["InspectorSecret"]
    definers = "SELECT CAST(SUM(Objects) AS SIGNED) FROM aurora_tenants.definers"
    return {
        "functions": sql(world, f"SELECT COUNT(*) FROM information_schema.ROUTINES {where}"),
        "definers": sql(world, definers, secret=inspector),
    }


def _expect_function(answer: Json) -> str:
    if found := problems([answer["functions"], answer["definers"]]):
        return found
    if not value(answer["functions"]):
        return "the function is not there"
    return "" if value(answer["definers"]) else "the inspector sees no view of another account"


def _connections(world: World) -> Json:
    inspector = world.outputs()["InspectorSecret"]
    counted = "SELECT JSON_LENGTH(aurora_tenants.connections_1(), '$[0]')"
    started = "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime'"
    return {
        "all": sql(world, "SELECT COUNT(*) FROM information_schema.PROCESSLIST"),
        "counted": sql(world, counted, secret=inspector),
        "uptime": sql(world, started, secret=inspector),
    }


def _expect_connections(answer: Json) -> str:
    if found := problems([answer["all"], answer["counted"], answer["uptime"]]):
        return found
    everything, counted = value(answer["all"]), value(answer["counted"])
    # Between the two statements some may come or go; the inspector alone would see one.
    return "" if 2 * counted >= everything else f"the inspector counts {counted} of {everything} connections"


def _view_and_function(world: World) -> Json:
    name = database(world)
    sql(world, f"DROP FUNCTION IF EXISTS {name}.two")
    made = [
        sql(world, f"CREATE OR REPLACE SQL SECURITY DEFINER VIEW {name}.v AS SELECT User FROM mysql.user"),
        sql(world, f"CREATE FUNCTION {name}.two() RETURNS INT READS SQL DATA SQL SECURITY DEFINER RETURN 2"),
        sql(world, f"SELECT {name}.two()"),
    ]
    return dict(zip(("view", "function", "call"), made, strict=True))


def _expect_view_and_function(answer: Json) -> str:
    if found := problems([*answer.values()]):
        return found
    return "" if value(answer["call"]) == 2 else f"the function gives {value(answer['call'])}"


def _alter_database(world: World) -> Json:
    name = database(world)
    altered = sql(world, f"ALTER DATABASE {name} CHARACTER SET latin1")
    where = f"WHERE SCHEMA_NAME = '{name}'"
    read = sql(world, f"SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA {where}")
    sql(world, f"ALTER DATABASE {name} CHARACTER SET utf8mb4")
    return {"altered": altered, "charset": read}


def _expect_alter_database(answer: Json) -> str:
    if found := problems([answer["altered"], answer["charset"]]):
        return found
    return "" if value(answer["charset"]) == "latin1" else f"the charset is {value(answer['charset'])}"


def _mapping(world: World) -> Json:
    """The function's state: CloudFormation has taken its code from the mapping, and Lambda has made it."""
    facts = world.client("lambda").get_function_configuration(FunctionName=f"{world.name}-database-provider")
    resource = world.aws().cloudformation.describe_stack_resource(
        StackName=world.name, LogicalResourceId="DatabaseProvider"
    )["StackResourceDetail"]
    return {"status": resource["ResourceStatus"], "state": facts.get("State"), "bytes": facts["CodeSize"]}


def _expect_mapping(answer: Json) -> str:
    if not answer["status"].endswith("_COMPLETE") or answer["state"] != "Active":
        return f"the function is {answer['status']} and {answer['state']}"
    return "" if answer["bytes"] > 10_000 else f"the function has only {answer['bytes']} bytes"


PROBES = (
    Probe(
        "partial-revokes",
        SECTION,
        "`@@partial_revokes` on Aurora 3 and 8.4: read by every plan; both values are supported.",
        "nothing",
        "`server.partial_revokes` in `plan --output json`",
        "0 or 1",
        _partial_revokes,
        _expect_partial_revokes,
    ),
    Probe(
        "server-variables",
        SECTION,
        "One of `authentication_policy` and `default_authentication_plugin` says which plugin new users get, and no "
        "binary log is written unless somebody turns it on.",
        "A user's plugin is not compared; with a binary log, see `definers-function`.",
        "`aws rds-data execute-statement --sql 'SELECT @@authentication_policy, @@log_bin'`",
        "a plugin, and @@log_bin 0",
        variables,
        _expect_variables,
    ),
    Probe(
        "inspector-grants",
        SECTION,
        "The master user may grant SELECT on single tables of the schema `mysql` and on the views of `aurora_tenants`.",
        "The shared stack still deploys; its output `InspectorProblem` says why, and so do `shared deploy` and `plan`.",
        "`aurora-tenants shared deploy`, then `shared status`",
        "InspectorProblem is none",
        _inspector_problem,
        _expect_inspector_problem,
    ),
    Probe(
        "definer-views",
        SECTION,
        "A view with SQL SECURITY DEFINER that the master user creates can read `mysql.user`, though the master has "
        "its privileges through a role.",
        "`shared deploy` and `plan` say MySQL's sentence, or `plan` fails (1356).",
        "`aurora-tenants shared deploy`, then `aurora-tenants plan`",
        "the inspector reads the view, and not mysql.user",
        _views,
        _expect_views,
    ),
    Probe(
        "definers-function",
        SECTION,
        "The master user may create the functions that count which objects run as an account, and look for what the "
        "file names (1419 forbids it where a binary log is written and `log_bin_trust_function_creators` is off).",
        "Plans warn of fewer views and routines that lose their definer, and do not see which tables are missing.",
        "a plan that drops a user that has a view, for the line `careful:`",
        "the function is there, and shows a view of the master's",
        _function,
        _expect_function,
    ),
    Probe(
        "connections-function",
        SECTION,
        "A function that runs as the master user sees all connections in `information_schema.PROCESSLIST`, and the "
        "logins in `performance_schema.users`; everybody reads `performance_schema.global_status`.",
        "`status` says that only a newer shared stack tells whose the connections are, or counts too few.",
        "`aurora-tenants status --tenant NAME` while a service is connected",
        "the inspector counts the connections that the master sees",
        _connections,
        _expect_connections,
    ),
    Probe(
        "view-and-function",
        SECTION,
        "CREATE VIEW and CREATE FUNCTION go through the Data API.",
        "`shared deploy` and `plan` say error 1295.",
        "`aurora-tenants shared deploy`",
        "both are made, and the function gives 2",
        _view_and_function,
        _expect_view_and_function,
    ),
    Probe(
        "alter-database",
        SECTION,
        "`ALTER DATABASE` through the Data API (MySQL cannot prepare it).",
        "A changed charset or collation fails with error 1295.",
        "change `charset` of a database",
        "the charset is latin1",
        _alter_database,
        _expect_alter_database,
    ),
    Probe(
        "code-from-mapping",
        SECTION,
        "`ZipFile` may come from a mapping (`Fn::FindInMap`), as cfn-lint accepts.",
        "`shared deploy` fails before anything is created.",
        "`aurora-tenants shared deploy`",
        "CREATE_COMPLETE, Active",
        _mapping,
        _expect_mapping,
    ),
)
