"""A judge of what a server holds that shares no code with the product: it reads what SHOW says, by its own rules.

A right is (what it is on, database, name, column, privilege); the spelling of a column has no case. What a right should
be is worked out here too, from the properties of a custom resource, with lists written down from MySQL's manual.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# "Privileges Provided by MySQL", MySQL 8.4 Reference Manual.
ON_DATABASE = {
    *("ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "CREATE VIEW", "DELETE"),
    *("DROP", "EVENT", "EXECUTE", "INDEX", "INSERT", "LOCK TABLES", "REFERENCES", "SELECT", "SHOW VIEW", "TRIGGER"),
    "UPDATE",
}
ON_TABLE = ON_DATABASE - {
    *("ALTER ROUTINE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "EVENT", "EXECUTE", "LOCK TABLES"),
}
ON_COLUMN = {"SELECT", "INSERT", "UPDATE", "REFERENCES"}
ON_ROUTINE = {"EXECUTE", "ALTER ROUTINE"}
KNOWN = {"db": ON_DATABASE, "table": ON_TABLE, "column": ON_COLUMN, "PROCEDURE": ON_ROUTINE, "FUNCTION": ON_ROUTINE}
TAKES_NO_OPTION_OF_ITS_OWN = ("PROCESS", "REPLICATION CLIENT", "SHOW DATABASES")

Execute = Callable[[str], Sequence[Sequence[Any]]]
Right = tuple[str, str, str, str, str]
Account = tuple[str, str]

_NAME = r"`(?:[^`]|``)*`"
_LINE = re.compile(
    rf"GRANT (?P<privileges>.*) ON (?P<kind>PROCEDURE |FUNCTION )?(?P<db>{_NAME}|\*)\.(?P<on>{_NAME}|\*) TO "
)


def quoted(account: Account) -> str:
    return "@".join("`" + part.replace("`", "``") + "`" for part in account)


# What is there


def rights(execute: Execute, account: Account) -> set[Right]:
    """What SHOW GRANTS says, without column rights that their table has anyway. A partial revoke is not expected."""
    found: set[Right] = set()
    for (line,) in execute(f"SHOW GRANTS FOR {quoted(account)}"):
        if line.startswith("GRANT `"):
            found |= set(_roles(line))
            continue
        row = _LINE.match(line)
        assert row, line
        found |= _rights_of(row, may_pass_on=line.endswith(" WITH GRANT OPTION"))
    return _without_absorbed(found)


def _rights_of(row: re.Match[str], *, may_pass_on: bool) -> set[Right]:
    database, name = _bare(row["db"]), _bare(row["on"])
    kind = "*.*" if row["db"] == "*" else (row["kind"] or ("db" if row["on"] == "*" else "table")).strip()
    found: set[Right] = set()
    for listed in re.findall(rf"[A-Z_ ]+(?:\((?:{_NAME}(?:, )?)+\))?", row["privileges"]):
        privilege, _, columns = listed.strip().partition(" (")
        names = KNOWN[kind] if privilege == "ALL PRIVILEGES" else {privilege} - {"USAGE"}
        of = [_bare(column).lower() for column in re.findall(_NAME, columns)] or [""]
        found |= {("column" if column else kind, database, name, column, one) for one in names for column in of}
    if may_pass_on and kind == "*.*" and not found & {("*.*", "", "", "", it) for it in _statics(found)}:
        return found | {(*right[:4], f"{right[4]} WITH GRANT OPTION") for right in found}
    return found | ({(kind, database, name, "", "GRANT OPTION")} if may_pass_on else set())


def _statics(found: Iterable[Right]) -> set[str]:
    """Static privileges have no underscore in their name, dynamic ones do; `*.*` lists them on lines of their own."""
    return {right[4] for right in found if "_" not in right[4]}


def _roles(line: str) -> Iterable[Right]:
    listed = line.partition(" TO ")[0]
    for user, host in re.findall(rf"({_NAME})@({_NAME})", listed):
        yield ("role", _bare(host), _bare(user), "", "MEMBER")
        if line.endswith(" WITH ADMIN OPTION"):
            yield ("role", _bare(host), _bare(user), "", "ADMIN OPTION")


def _bare(name: str) -> str:
    return "" if name == "*" else name[1:-1].replace("``", "`")


def _without_absorbed(found: set[Right]) -> set[Right]:
    return {right for right in found if right[0] != "column" or ("table", *right[1:3], "", right[4]) not in found}


_OPTIONS = {
    "plugin": r"IDENTIFIED WITH '(\w+)'",
    "require": r" REQUIRE (NONE|SSL|X509|(?:(?:SUBJECT|ISSUER|CIPHER) '.*?'(?= ISSUER| CIPHER| WITH | PASSWORD ) ?)+)",
    "limits": r" WITH ((?:MAX_\w+ \d+ ?)+)",
    "expire": r" PASSWORD EXPIRE ?(DEFAULT|NEVER|INTERVAL \d+ DAY|)",
    "account": r" ACCOUNT (LOCK|UNLOCK)",
    "history": r" PASSWORD HISTORY (\w+)",
    "reuse": r" PASSWORD REUSE INTERVAL (\w+)",
    "current": r" PASSWORD REQUIRE CURRENT ?(DEFAULT|OPTIONAL|)",
}


def options(execute: Execute, account: Account) -> dict[str, str]:
    """What SHOW CREATE USER says; a comment is read where MySQL documents it, in information_schema."""
    execute("SET print_identified_with_as_hex = ON")
    ((line,),) = execute(f"SHOW CREATE USER {quoted(account)}")
    found = {name: match[1].strip() for name, it in _OPTIONS.items() if (match := re.search(it, line))}
    found["limits"] = " ".join(re.findall(r"MAX_\w+ [1-9]\d*", found.get("limits", "")))
    defaults = re.search(rf" DEFAULT ROLE ((?:{_NAME}@{_NAME},?)+)", line)
    found["default roles"] = ",".join(sorted(re.findall(rf"{_NAME}@{_NAME}", defaults[1]))) if defaults else ""
    user, host = (part.encode().hex() for part in account)
    where = f"CAST(USER AS BINARY) = X'{user}' AND HOST = CONVERT(X'{host}' USING ascii)"
    ((attribute,),) = execute(f"SELECT ATTRIBUTE FROM information_schema.USER_ATTRIBUTES WHERE {where}")
    found["comment"] = json.loads(attribute or "{}").get("comment", "")
    return found


# What should be there


def wanted_rights(properties: Mapping[str, Any], *, literal_names: bool) -> set[Right]:
    """What the properties of a user or a role ask for."""
    found: set[Right] = set()
    for role in properties.get("Roles", ()):
        found.add(("role", "%", role["Role"], "", "MEMBER"))
        if role.get("AdminOption") == "true":
            found.add(("role", "%", role["Role"], "", "ADMIN OPTION"))
    for entry in properties.get("Privileges", ()):
        found |= _wanted(entry, literal_names=literal_names)
    return _without_absorbed(found)


def _wanted(entry: Mapping[str, Any], *, literal_names: bool) -> set[Right]:
    database, table = entry["Database"], entry.get("Table", "*")
    routine = next((kind for kind in ("PROCEDURE", "FUNCTION") if kind.title() in entry), "")
    kind = routine or ("*.*" if database == "*" else "db" if table == "*" else "table")
    listed = [entry["Permission"]] if isinstance(entry["Permission"], str) else entry["Permission"]
    names = KNOWN[kind] if listed == ["ALL"] else {name.upper() for name in listed}
    stored = database if literal_names or kind != "db" else re.sub(r"([\\_%])", r"\\\1", database)
    stored = "" if kind == "*.*" else stored
    on = entry[routine.title()].lower() if routine else "" if table == "*" else table
    columns = [column.lower() for column in entry.get("Columns", ())]
    found = {("column" if column else kind, stored, on, column, name) for name in names for column in columns or [""]}
    return found | ({(kind, stored, on, "", "GRANT OPTION")} if entry.get("GrantOption") == "true" else set())


def wanted_options(properties: Mapping[str, Any], before: Mapping[str, str], *, plugin: str) -> dict[str, str]:
    """What SHOW CREATE USER should say. before: what it said; plugin: a new account's."""
    require = properties.get("Require", "NONE")
    if isinstance(require, Mapping):
        parts = ((part.upper(), require.get(part)) for part in ("Subject", "Issuer", "Cipher"))
        require = " ".join(f"{word} '{value}'" for word, value in parts if value)
    limits = ("MaxQueriesPerHour", "MaxUpdatesPerHour", "MaxConnectionsPerHour", "MaxUserConnections")
    words = ("MAX_QUERIES_PER_HOUR", "MAX_UPDATES_PER_HOUR", "MAX_CONNECTIONS_PER_HOUR", "MAX_USER_CONNECTIONS")
    written = [
        f"{word} {properties[it]}" for word, it in zip(words, limits, strict=True) if properties.get(it, "0") != "0"
    ]
    expire, reuse = properties.get("PasswordExpireAfterDays"), properties.get("PasswordReuseAfterDays")
    current = properties.get("PasswordRequireCurrent")
    granted = [role["Role"] for role in properties.get("Roles", ())]
    defaults = properties.get("DefaultRoles", granted)
    return {
        "plugin": properties.get("Plugin") or before.get("plugin", plugin),
        "require": require,
        "limits": " ".join(written),
        "expire": "DEFAULT" if expire is None else "NEVER" if expire == "0" else f"INTERVAL {expire} DAY",
        "account": "LOCK" if properties.get("Locked") == "true" else "UNLOCK",
        "history": properties.get("PasswordHistory", "DEFAULT"),
        "reuse": "DEFAULT" if reuse is None else reuse,
        "current": {None: "DEFAULT", "true": "", "false": "OPTIONAL"}[current],
        "default roles": ",".join(sorted(quoted((role, "%")) for role in defaults)),
        "comment": properties.get("Comment") or before.get("comment", ""),
    }
