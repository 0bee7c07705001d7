"""What the Data API makes of values and of MySQL's errors."""

from __future__ import annotations

import json
import re
from typing import Any

from tools.smoke.probe import Probe
from tools.smoke.statements import account, database, each, problems, sql, value
from tools.smoke.world import World

Json = Any
SECTION = "MySQL and the Data API"
_ENDS = r"; Error code: {}; SQLState: \w{{5}}\Z"


def _literals(world: World) -> Json:
    select = "SELECT 'a:b' AS a, '::1' AS b, ':name' AS c"
    return {"json": sql(world, select, as_json=True), "typed": sql(world, select)}


def _expect_literals(answer: Json) -> str:
    if found := problems([answer["json"], answer["typed"]]):
        return found
    wanted = ["a:b", "::1", ":name"]
    typed = [cell["stringValue"] for cell in answer["typed"]["records"][0]]
    [record] = json.loads(answer["json"]["formatted"])
    return (
        "" if typed == [record[key] for key in "abc"] == wanted else f"the literals came back as {typed} and {record}"
    )


def _attribute(world: World) -> Json:
    with account(world, "smoke_attribute", 'ATTRIBUTE \'{"a": "b:c"}\''):
        where = "FROM information_schema.USER_ATTRIBUTES WHERE USER = 'smoke_attribute'"
        return sql(world, f"SELECT CAST(ATTRIBUTE AS CHAR) AS a {where}")


def _expect_attribute(answer: Json) -> str:
    if found := problems([answer]):
        return found
    seen = json.loads(value(answer))
    return "" if seen.get("a") == "b:c" else f"the attribute is {seen}"


def _syntax_error(world: World) -> Json:
    return sql(world, "SELEC")


def _expect_syntax_error(answer: Json) -> str:
    return _ends(answer, 1064)


def _existing_function(world: World) -> Json:
    name = f"{database(world)}.one"
    sql(world, f"DROP FUNCTION IF EXISTS {name}")
    create = f"CREATE FUNCTION {name}() RETURNS INT DETERMINISTIC RETURN 1"
    first, second = sql(world, create), sql(world, create)
    return {"first": first, "second": second}


def _expect_existing_function(answer: Json) -> str:
    return problems([answer["first"]]) or _ends(answer["second"], 1304)


def _refused_login(world: World) -> Json:
    with account(world, "smoke_login"):
        return sql(world, "SELECT 1", secret=world.make_secret("smoke_login", world.password()))


def _expect_refused_login(answer: Json) -> str:
    if "error" not in answer:
        return "MySQL accepted a wrong password"
    message = answer["error"]["message"]
    is_known = re.search(r"\b1045\b", message) or "Access denied for user" in message
    return "" if is_known else f"it was refused with {answer['error']['code']}: {message}"


def _ends(answer: Json, number: int) -> str:
    if "error" not in answer:
        return f"it was not refused ({number})"
    code, message = answer["error"]["code"], answer["error"]["message"]
    if code != "DatabaseErrorException":
        return f"the exception is {code}: {message}"
    return "" if re.search(_ENDS.format(number), message) else f"the text is: {message}"


def _binary_text(world: World) -> Json:
    selects = {
        "plain": "SELECT 'a' COLLATE utf8mb4_bin AS a",
        "converted": "SELECT CONVERT('a' COLLATE utf8mb4_bin USING utf8mb4) AS a",
        "column": "SELECT User AS a FROM mysql.user WHERE User = 'rds_superuser_role'",
        "converted_column": "SELECT CONVERT(User USING utf8mb4) AS a FROM mysql.user WHERE User = 'rds_superuser_role'",
    }
    return {
        name: {"json": sql(world, select, as_json=True), "typed": sql(world, select)}
        for name, select in selects.items()
    }


def _expect_binary_text(answer: Json) -> str:
    for name, wanted in (
        ("converted", "a"),
        ("converted_column", "rds_superuser_role"),
        ("plain", "a"),
        ("column", "rds_superuser_role"),
    ):
        both = answer[name]
        if found := problems([both["json"], both["typed"]]):
            return found
        typed, record = both["typed"]["records"][0][0], json.loads(both["json"]["formatted"])[0]["a"]
        if typed != {"stringValue": wanted} or record != wanted:
            return f"{name.replace('_', ' ')}: {typed} and {json.dumps(record)}"
    return ""


def _order(world: World) -> Json:
    return sql(world, "SELECT 1 z, 2 a", as_json=True)


def _expect_order(answer: Json) -> str:
    keys = [*json.loads(answer["formatted"])[0]]
    return "" if keys == ["z", "a"] else f"the keys came as {', '.join(keys)}"


def _show(world: World) -> Json:
    return each(world, "SHOW GLOBAL VARIABLES WHERE Variable_name = 'version'", "SHOW DATABASES LIKE 'mysql'")


def _variables(world: World) -> Json:
    where = "FROM performance_schema.global_variables WHERE VARIABLE_NAME IN ('version', 'lower_case_table_names')"
    return each(world, f"SELECT VARIABLE_NAME, VARIABLE_VALUE {where}")


def _expect_show(answer: Json) -> str:
    if found := problems(answer):
        return found
    empty = [each["sql"] for each in answer if not each["records"]]
    return f"no rows: {', '.join(empty)}" if empty else ""


PROBES = (
    Probe(
        "literals-with-colons",
        SECTION,
        "The Data API accepts inline, quoted literals that contain colons, and takes none of them for a parameter.",
        "`apply` fails with a syntax error in the provider's sentence.",
        "`aws rds-data execute-statement --sql \"SELECT ':name'\"`",
        "a:b, ::1 and :name, unchanged",
        _literals,
        _expect_literals,
    ),
    Probe(
        "attribute",
        SECTION,
        "`ATTRIBUTE` of CREATE USER is available to the master user of Aurora 3, through the Data API, with colons "
        'inside its literal (`ATTRIBUTE \'{"a": "b"}\'`).',
        "Every tenant fails with MySQL's sentence.",
        "`aurora-tenants apply` with one tenant",
        "the attribute, read back",
        _attribute,
        _expect_attribute,
    ),
    Probe(
        "error-text",
        SECTION,
        "The text of MySQL's errors ends in `Error code: N; SQLState: S` on Serverless v2.",
        "nothing: the number is read in other forms, too, and what depends on it is looked for where there is none.",
        "`aws rds-data execute-statement --sql 'SELEC'`",
        "DatabaseErrorException: …; Error code: 1064; SQLState: …",
        _syntax_error,
        _expect_syntax_error,
    ),
    Probe(
        "existing-function",
        SECTION,
        "The same holds for 1304, with which MySQL refuses a function that exists already.",
        "nothing, as above.",
        "`CREATE FUNCTION` twice",
        "DatabaseErrorException: …; Error code: 1304; SQLState: …",
        _existing_function,
        _expect_existing_function,
    ),
    Probe(
        "refused-login",
        SECTION,
        'A login that MySQL refuses comes as an error with number 1045 or the words "Access denied for user".',
        "The password of an existing user is not set again after somebody has changed it.",
        "change a user's password by hand, then apply",
        "1045, or: Access denied for user",
        _refused_login,
        _expect_refused_login,
    ),
    Probe(
        "text-of-binary-collations",
        SECTION,
        "What `CONVERT(… USING utf8mb4)` gives comes as text, and that of a `_bin` collation, which most columns of "
        "the grant tables have, does so even without it.",
        "If the first is not so, names read as nonsense, and `plan` shows it at once; if the second, nothing: every "
        "column is converted.",
        "`aws rds-data execute-statement --format-records-as JSON --sql \"SELECT 'a' COLLATE utf8mb4_bin\"`",
        "the same text, typed and in JSON",
        _binary_text,
        _expect_binary_text,
    ),
    Probe(
        "json-column-order",
        SECTION,
        "`formatRecordsAs=JSON` keeps the order of columns.",
        "nothing: columns are named so that they sort as they are read.",
        "`aws rds-data execute-statement --format-records-as JSON --sql 'SELECT 1 z, 2 a'`",
        "z before a, as selected",
        _order,
        _expect_order,
    ),
    Probe(
        "show-statements",
        SECTION,
        "SHOW returns typed rows through the Data API, above all SHOW GLOBAL VARIABLES.",
        "Every plan fails while it reads the server's variables.",
        "`aws rds-data execute-statement --sql 'SHOW GLOBAL VARIABLES'`",
        "rows of SHOW GLOBAL VARIABLES and SHOW DATABASES",
        _show,
        _expect_show,
    ),
    Probe(
        "variables-as-a-table",
        SECTION,
        "The master user may read `performance_schema.global_variables`, and it has rows also where "
        "performance_schema is off.",
        "Every event of the provider fails while it reads the server's variables.",
        "`aws rds-data execute-statement --sql 'SELECT * FROM performance_schema.global_variables'`",
        "rows of the two variables that are asked for",
        _variables,
        _expect_show,
    ),
)
