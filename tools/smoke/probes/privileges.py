"""What the master user of Aurora may grant and revoke."""

from __future__ import annotations

import re
from typing import Any

from aurora_tenants.mysql.grants import TENANT_GLOBAL
from tools.smoke import deployment
from tools.smoke.probe import NotRun, Probe
from tools.smoke.probes.server import variables
from tools.smoke.statements import account, database, each, not_refused, problems, sql, value
from tools.smoke.world import World

Json = Any
SECTION = "Roles, options and users of IAM"
_AWS_ROLES = tuple(
    f"AWS_{service}_ACCESS" for service in ("BEDROCK", "COMPREHEND", "LAMBDA", "LOAD_S3", "SAGEMAKER", "SELECT_S3")
)
_SUPERUSER_ROLE = "rds_superuser_role"


def _aws_roles(world: World) -> Json:
    with account(world, "smoke_aws_roles") as secret:
        granted = {role: sql(world, f"GRANT {role} TO smoke_aws_roles") for role in _AWS_ROLES}
        return {**granted, "grants": sql(world, "SHOW GRANTS", secret=secret)}


def _expect_aws_roles(answer: Json) -> str:
    if refused := [role for role in _AWS_ROLES if "error" in answer[role]]:
        return f"refused: {', '.join(refused)}: {answer[refused[0]]['error']['message']}"
    shown = str(answer["grants"]["records"])
    missing = [role for role in _AWS_ROLES if role not in shown]
    return f"not held after the GRANT: {', '.join(missing)}" if missing else ""


def _of_master(world: World) -> Json:
    return {
        "engine": world.describe_cluster()["DBClusters"][0]["EngineVersion"],
        "user": sql(world, "SELECT CURRENT_USER()"),
        "own": sql(world, "SHOW GRANTS FOR CURRENT_USER()"),
        "role": sql(world, f"SHOW GRANTS FOR {_SUPERUSER_ROLE}"),
        "known": sql(world, "SELECT DISTINCT PRIV FROM mysql.global_grants ORDER BY PRIV"),
    }


def _expect_of_master(answer: Json) -> str:
    if found := problems([answer["own"], answer["role"], answer["known"]]):
        return found
    texts = [row[0]["stringValue"] for name in ("own", "role") for row in answer[name]["records"]]
    server_wide = [text for text in texts if " ON *.* " in text and text.endswith("WITH GRANT OPTION")]
    held = {name.strip() for text in server_wide for name in re.sub(r"^GRANT | ON .*", "", text).split(",")}
    known = {row[0]["stringValue"] for row in answer["known"]["records"]}
    static = {"PROCESS", "REPLICATION CLIENT", "SHOW DATABASES"}
    # A dynamic privilege that nobody on the server holds may be one that this version does not have.
    wanted = {name for name in TENANT_GLOBAL if name in static or name in known}
    if answer["engine"].startswith("8.0."):
        wanted -= {"OPTIMIZE_LOCAL_TABLE"}  # Aurora's master has it from 8.4 on
    missing = sorted(wanted - held)
    return f"not held with GRANT OPTION: {', '.join(missing)}" if missing else ""


_SERVER_WIDE = ', {permission: [PROCESS, APPLICATION_PASSWORD_ADMIN], database: "*"}'


def _restricted(world: World) -> Json:
    """Privileges on the whole server are given and taken away through a plan, which then finds nothing left to do."""
    given = deployment.apply(world, f"--allow-access {deployment.CHANGING_USER}", server=_SERVER_WIDE)
    after_given = world.run("plan --detailed-exitcode")
    user = deployment.CHANGING_USER
    row = sql(
        world,
        "SELECT CAST(User_attributes->'$.Restrictions' AS CHAR) AS r, Process_priv AS p FROM mysql.user"
        f" WHERE User = '{user}'",
    )
    taken = deployment.apply(world)
    after_taken = world.run("plan --detailed-exitcode")
    exits = {
        "apply": given.code,
        "plan": after_given.code,
        "apply_without": taken.code,
        "plan_without": after_taken.code,
    }
    first = next((it for it in (given, after_given, taken, after_taken) if it.code), None)
    return {"exits": exits, "restrictions": row, "text": (first.out + first.err)[-2000:] if first else ""}


def _expect_restricted(answer: Json) -> str:
    if failed := [f"{command.replace('_', ' ')} exits {code}" for command, code in answer["exits"].items() if code]:
        return f"{', '.join(failed)}: {answer['text']}"
    if found := problems([answer["restrictions"]]):
        return found
    return "" if answer["restrictions"]["records"][0][1] == {"stringValue": "Y"} else "PROCESS was not granted"


def _revoke_dynamic(world: World) -> Json:
    with account(world, "smoke_dynamic"):
        made = sql(world, "GRANT ROLE_ADMIN, XA_RECOVER_ADMIN ON *.* TO smoke_dynamic")
        return {
            "partial_revokes": variables(world)["partial_revokes"],
            "granted": made,
            "alone": sql(world, "REVOKE ROLE_ADMIN ON *.* FROM smoke_dynamic"),
            "with_reload": sql(world, "REVOKE RELOAD, XA_RECOVER_ADMIN ON *.* FROM smoke_dynamic"),
            "all": sql(world, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM smoke_dynamic"),
        }


def _expect_revoke_dynamic(answer: Json) -> str:
    if found := problems([answer["granted"], answer["with_reload"]]):
        return found
    if not value(answer["partial_revokes"]):
        return problems([answer["alone"]])
    words = "Access denied for AuthId"
    return not_refused(answer["alone"], 3879, words) or not_refused(answer["all"], 3879, words)


def _in_part(world: World) -> Json:
    """A privilege on the server that was revoked for one database; then another account of that name is changed."""
    name = database(world)
    with account(world, "smoke_part"):
        statements = (
            "GRANT EVENT ON *.* TO smoke_part",
            f"REVOKE EVENT ON {name}.* FROM smoke_part",
            f"GRANT EVENT ON {name}.* TO smoke_part",
        )
        made = each(world, *statements)
        shown = sql(world, "SHOW GRANTS FOR smoke_part")
    return {"partial_revokes": variables(world)["partial_revokes"], "made": made, "grants": shown}


def _expect_in_part(answer: Json) -> str:
    if not value(answer["partial_revokes"]):
        first, second, third = answer["made"]
        return problems([first, third]) or not_refused(second, 1141, "There is no such grant defined")
    first, second, third = answer["made"]
    if found := problems([first, second, answer["grants"]]):
        return found
    if "error" in third:
        return not_refused(third, 3901, "restriction")
    grants = [row[0]["stringValue"] for row in answer["grants"]["records"]]
    on_database = [text for text in grants if "smoke_probe" in text]
    return f"the GRANT did not only lift the restriction: {on_database}" if on_database else ""


def _non_ascii(world: World) -> Json:
    if world.is_sandbox:
        raise NotRun("MySQL 9.7, which the sandbox may run on, stores such a name encoded twice; Aurora has MySQL 8")
    name = database(world)
    with account(world, "smoke_routine"):
        sql(world, f"DROP FUNCTION IF EXISTS {name}.`größe`")
        made = sql(world, f"CREATE FUNCTION {name}.`größe`() RETURNS INT DETERMINISTIC RETURN 1")
        granted = sql(world, f"GRANT EXECUTE ON FUNCTION {name}.`größe` TO smoke_routine")
        where = "FROM mysql.procs_priv WHERE User = 'smoke_routine'"
        read = sql(world, f"SELECT HEX(CONVERT(Routine_name USING utf8mb4)) AS r {where}")
        revoked = sql(world, f"REVOKE EXECUTE ON FUNCTION {name}.`größe` FROM smoke_routine")
        left = sql(world, f"SELECT COUNT(*) {where}")
    return {"made": made, "granted": granted, "hex": read, "revoked": revoked, "left": left}


def _expect_non_ascii(answer: Json) -> str:
    if found := problems([*answer.values()]):
        return found
    if value(answer["hex"]) != "größe".encode().hex().upper():
        return f"the routine's name is stored as {value(answer['hex'])}"
    return "" if value(answer["left"]) == 0 else "the grant is still there after the REVOKE"


PROBES = (
    Probe(
        "aws-roles",
        SECTION,
        "The master user may grant the `AWS_…_ACCESS` roles.",
        "`apply` fails with MySQL's sentence.",
        "`roles: [AWS_LAMBDA_ACCESS]`",
        "all six are granted",
        _aws_roles,
        _expect_aws_roles,
    ),
    Probe(
        "grants-of-master",
        SECTION,
        "The master user holds, with GRANT OPTION, every privilege that a tenant may have on the whole server, as far "
        "as the version has it.",
        "`apply` fails, and says that the master does not hold it.",
        'a privilege with `database: "*"`',
        "PROCESS, SHOW DATABASES and the others WITH GRANT OPTION",
        _of_master,
        _expect_of_master,
    ),
    Probe(
        "restricted-grants",
        SECTION,
        "The master user is restricted on the schema `mysql` (`partial_revokes`), and plans ignore the part of it that "
        "MySQL passes on to an account.",
        "`plan` shows changes right after an `apply`.",
        "give PROCESS on the whole server to a user, apply, plan",
        "no changes after each apply",
        _restricted,
        _expect_restricted,
        takes_seconds=240,
        needs=("tenant-by-service-role",),
    ),
    Probe(
        "revoked-dynamic-privilege",
        SECTION,
        "With such a restriction a dynamic privilege can only be revoked together with RELOAD (3879).",
        "`apply` fails with 3879.",
        "give APPLICATION_PASSWORD_ADMIN, apply, remove it, apply",
        "3879 alone, and revoked with RELOAD",
        _revoke_dynamic,
        _expect_revoke_dynamic,
    ),
    Probe(
        "revoked-in-part",
        SECTION,
        "With partial revokes, GRANT on a database that a privilege was revoked for only lifts that restriction, or is "
        "refused (3901).",
        "A plan needs two applies to settle.",
        "`GRANT EVENT ON *.*`, `REVOKE EVENT ON db.*`, `GRANT EVENT ON db.*`, `SHOW GRANTS`",
        "no grant on the database, or 3901",
        _in_part,
        _expect_in_part,
    ),
    Probe(
        "non-ascii-routine",
        SECTION,
        "A routine whose name is not ASCII can be granted and revoked, and the grant tables have its name.",
        "Such a grant is shown as drift by every plan, or cannot be taken away.",
        "`GRANT EXECUTE ON FUNCTION` of one, then `REVOKE`",
        "its name in UTF-8, and gone after the REVOKE",
        _non_ascii,
        _expect_non_ascii,
    ),
)
