"""What a user or a role may be granted: which permissions MySQL has, and on what each can be granted.

level      named by                             permissions
GLOBAL     database: "*"                        the few that reach no other tenant: grants.TENANT_GLOBAL
DATABASE   database                             18 and ALL
TABLE      database, table                      12 and ALL
COLUMN     database, table, columns             SELECT, INSERT, UPDATE, REFERENCES
PROCEDURE  database, procedure                  EXECUTE, ALTER ROUTINE and ALL; FUNCTION likewise
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from unicodedata import category

from aurora_tenants.config.declared import DeclaredTenant, Placed
from aurora_tenants.config.reading import text_or_texts, texts
from aurora_tenants.config.server_privileges import NEVER, ON_DATABASES
from aurora_tenants.config.wording import (
    Fault,
    PlacedFault,
    at,
    did_you_mean,
    dynamic_reference,
    listed,
    named_character,
    repeated,
    shown,
    too_long,
)
from aurora_tenants.errors import Problem
from aurora_tenants.model import WHOLE_SERVER, Privilege
from aurora_tenants.mysql.grants import GRANT_OPTION, PRIVILEGES, TENANT_GLOBAL, privilege_names

_LEVELS = {
    "GLOBAL": "the whole server",
    "DATABASE": "a database",
    "TABLE": "a table",
    "COLUMN": "columns",
    "PROCEDURE": "a procedure",
    "FUNCTION": "a function",
}
_KNOWN = {**PRIVILEGES, "GLOBAL": TENANT_GLOBAL}
_LONGEST_IDENTIFIER = 64
_ON_THE_SERVER = "it applies to the whole server, so it would reach every tenant"
_ROUTINES = ("procedure", "function")
_FIX_LEVEL = {
    ("TABLE", "DATABASE"): "remove it, or remove table to grant it on the whole database",
    ("COLUMN", "TABLE"): "remove it, or remove columns to grant it on the whole table",
    ("COLUMN", "DATABASE"): "remove it, or remove table and columns to grant it on the whole database",
}


def problems(tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every entry of `privileges` that MySQL cannot grant, or that no tenant may have."""
    for tenant in tenants:
        for grantee in tenant.grantees:
            for privilege in grantee.privileges:
                yield from (tenant.problem(path, fault) for path, fault in _faults(privilege))


def _faults(privilege: Placed[Privilege]) -> Iterator[PlacedFault]:
    conflicts, level = list(_conflicts(privilege)), _level(privilege.value)
    yield from (((*privilege.path, key), fault) for key, fault in conflicts)
    if not conflicts:  # otherwise it is unknown what the permissions are meant to be on
        for path, text in text_or_texts(privilege.body, "permission", privilege.path):
            yield from at(path, _permissions(text, level, privilege.value.permissions))
        if level == "GLOBAL" and privilege.value.grant_option:
            yield (*privilege.path, "grant_option"), _never(GRANT_OPTION, "grant_option", NEVER[GRANT_OPTION])
    for key, name in (("table", privilege.value.table), *((key, getattr(privilege.value, key)) for key in _ROUTINES)):
        if name and (faults := _object(key, name)):
            yield from at((*privilege.path, key), faults)
    yield from _columns(privilege)
    if not conflicts and level in ("GLOBAL", "DATABASE") and privilege.body.get("when_missing"):
        why = f"a privilege on {_LEVELS[level]} is granted whether there is anything in it or not"
        fix = "remove it, or add table, procedure or function"
        fault = "nothing-to-wait-for", "when_missing is set for what cannot be missing", why, fix
        yield (*privilege.path, "when_missing"), fault


def _level(privilege: Privilege) -> str:
    if privilege.database == WHOLE_SERVER:
        return "GLOBAL"
    if privilege.procedure or privilege.function:
        return "PROCEDURE" if privilege.procedure else "FUNCTION"
    if privilege.columns:
        return "COLUMN"
    return "DATABASE" if privilege.table == "*" else "TABLE"


def _conflicts(privilege: Placed[Privilege]) -> Iterator[tuple[str, Fault]]:
    """Keys that cannot be combined, each with the key to remove."""
    value, body = privilege.value, privilege.body
    if not (value.database == WHOLE_SERVER or value.procedure or value.function):
        return
    named = [key for key in ("table", "columns", *_ROUTINES) if body.get(key) and (key, body[key]) != ("table", "*")]
    if value.database == WHOLE_SERVER:
        for key in named:
            what = f'{key} cannot be combined with database "*"'
            fix = f"write the name of the database, or remove {key}"
            yield key, ("scope-conflict", what, '"*" is the whole server, with everything on it', fix)
    else:
        routine = next(key for key in _ROUTINES if body.get(key))
        for key in (key for key in (*named, *(["table"] if body.get("table") == "*" else [])) if key != routine):
            fix = f"remove {key}, or write a separate entry for it"
            why = "each entry is for a database, a table, columns of a table, a procedure or a function"
            yield key, ("scope-conflict", f"{key} cannot be combined with {routine}", why, fix)


@lru_cache
def _permissions(text: str, level: str, of_entry: tuple[str, ...]) -> tuple[Fault, ...]:
    """What is wrong with the permissions in a text; most are the same in many entries. of_entry: all that it has."""
    each = zip(text.split(","), privilege_names(text), strict=True)
    return tuple(
        fault for written, name in each for fault in _permission(name, shown(written.strip()), level, of_entry)
    )


def _permission(name: str, written: str, level: str, of_entry: tuple[str, ...]) -> Iterator[Fault]:
    """What is wrong with one permission. name: as MySQL spells it. written: as the file does."""
    if name == "ALL":
        yield from _all(level, of_entry)
    elif not name:
        why = "each permission is the name of a MySQL privilege"
        yield "empty-value", "a permission is empty", why, "fill it in or remove it"
    elif name == "USAGE":
        yield "usage-privilege", "USAGE grants nothing", "it is MySQL's name for no privilege at all", "remove it"
    elif name.removeprefix("WITH ") == GRANT_OPTION and level != "GLOBAL":
        why = "it is not granted by itself, but applies to all permissions of the entry"
        fix = "write grant_option: true in the entry instead"
        yield "grant-option", f"{GRANT_OPTION} is not a permission here", why, fix
    elif name not in _KNOWN[level]:
        yield _not_on(level, name.removeprefix("WITH "), written)


def _all(level: str, of_entry: tuple[str, ...]) -> Iterator[Fault]:
    if level == "GLOBAL":
        why = "it includes CREATE USER, FILE, SUPER and every right on every tenant's data"
        fix = f"write the name of the database, or choose from {listed(sorted(TENANT_GLOBAL))}"
        yield "global-privilege", "ALL cannot be granted on the whole server", why, fix
    elif level == "COLUMN":
        fix = f"choose from {', '.join(sorted(PRIVILEGES[level]))}"
        why = "MySQL has ALL for databases, tables and routines only"
        yield "privilege-level", "ALL cannot be granted on columns", why, fix
    elif len(of_entry) > 1:
        what = "ALL is combined with other permissions"
        yield "all-with-others", what, "ALL includes them already", "write ALL alone"


def _not_on(level: str, name: str, written: str) -> Fault:
    if level == "GLOBAL" and name in ON_DATABASES:
        fix = 'write the name of the database instead of "*"'
        return _never(name, written, ON_DATABASES[name], where=" on the whole server", fix=fix)
    elsewhere = [other for other in _LEVELS if name in _KNOWN[other]]
    if elsewhere:
        what = f"{written} cannot be granted on {_LEVELS[level]}"
        why = f"MySQL grants it only on {listed([_LEVELS[other] for other in elsewhere])}"
        wider = next((other for other in ("TABLE", "DATABASE") if other in elsewhere), "")
        fix = _FIX_LEVEL.get((level, wider), "remove it, or grant it in a separate entry")
        if elsewhere == ["GLOBAL"]:
            fix = 'grant it in a separate entry with database: "*"'
        return "privilege-level", what, why, fix
    if name in NEVER or name.endswith("_ADMIN"):
        return _never(name, written, NEVER.get(name, ""))
    fix = did_you_mean(name, {"ALL", *_KNOWN[level]}, "remove it")
    why = f"MySQL has no privilege of this name on {_LEVELS[level]}"
    return "unknown-privilege", f"unknown privilege {written}", why, fix


def _never(name: str, written: str, does: str, *, where: str = " to a tenant", fix: str = "remove it") -> Fault:
    """A permission that no tenant is granted, and what it would allow."""
    why = f"it would let the tenant {does}" if does else _ON_THE_SERVER
    return "global-privilege", f"{written} cannot be granted{where}", why, fix


@lru_cache(maxsize=1024)
def _object(noun: str, name: str) -> tuple[Fault, ...]:
    """What is wrong with the name of a table or a routine. Tenants that are alike have tables of the same names."""
    return tuple(_object_faults(noun, name))


def _object_faults(noun: str, name: str) -> Iterator[Fault]:
    if name == "*" and noun == "table":
        return
    if "*" in name or "%" in name:
        instead = f'write {noun}: "*"' if noun == "table" else f"remove {noun} to grant on the whole database"
        why = f"MySQL grants on one {noun} or on a whole database, never on a pattern"
        yield f"{noun}-wildcard", f"{noun} {shown(name)} is a pattern", why, f"list each {noun}, or {instead}"
        return
    if noun in _ROUTINES and not name.isascii():
        why = "MySQL stores such a grant under a garbled name, and cannot revoke it once its grants are loaded again"
        fix = f"give the {noun} a name of ASCII characters, or grant on the whole database"
        yield "routine-not-ascii", f"nothing can be granted on {noun} {shown(name)}: its name is not ASCII", why, fix
        return
    yield from _identifier(noun, name)


def _columns(privilege: Placed[Privilege]) -> Iterator[PlacedFault]:
    value = privilege.value
    if not value.columns:
        return
    if value.table == "*" and not (value.procedure or value.function or value.database == WHOLE_SERVER):
        why = "a privilege on columns is for one table"
        fix = "add table: with its name, or remove columns"
        yield (*privilege.path, "columns"), ("columns-without-table", "columns are listed without a table", why, fix)
    columns = list(texts(privilege.body, "columns", privilege.path))
    for path, column in columns:
        yield from at(path, _identifier("column", column))
        if column == "*":
            why, fix = "MySQL grants on named columns, never on a pattern", "remove columns to grant on the whole table"
            yield path, ("column-wildcard", "column * is a pattern", why, fix)
    why = "MySQL ignores the case of column names"
    yield from repeated("column", columns, identity=str.lower, why=why)


def _identifier(noun: str, name: str) -> Iterator[Fault]:
    """What is wrong with a name in the database; it is quoted, so it may contain nearly everything."""
    yield from dynamic_reference(noun, name)
    wrong = next((c for c in name if c == "`" or category(c) == "Cc" or c > "\uffff"), None)
    if wrong:
        what = f"{noun} name {shown(name)} contains {named_character(wrong)}"
        why = f"a {noun} name here cannot contain backticks, control characters or characters above U+FFFF"
        yield "invalid-name", what, why, f"choose another {noun}"
    if name.endswith(" "):
        why = "MySQL allows no names that end with a space"
        yield "invalid-name", f"{noun} name {shown(name)} ends with a space", why, "remove the space"
    yield from too_long(f"{noun} name", name, _LONGEST_IDENTIFIER)
