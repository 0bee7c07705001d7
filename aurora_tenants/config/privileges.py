"""What a user may be granted: which permissions there are, on what each can be granted, which tables and columns."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category

from aurora_tenants.config.declared import DeclaredTenant, Placed, described, permissions, texts
from aurora_tenants.config.wording import Fault, KeyPath, counted, did_you_mean, escaped, listed, shown
from aurora_tenants.config.yaml_file import Document
from aurora_tenants.errors import Problem
from aurora_tenants.model import Privilege
from aurora_tenants.mysql.grants import GRANT_OPTION, PRIVILEGES, privilege_names

_LEVELS = {"DATABASE": "a database", "TABLE": "a table", "COLUMN": "columns"}
_LONGEST_IDENTIFIER = 64
_ON_THE_SERVER = "it is one on the whole server, where it would reach every tenant"
_FIX_LEVEL = {
    ("TABLE", "DATABASE"): "take it out, or take out table and grant it on the whole database",
    ("COLUMN", "TABLE"): "take it out, or take out columns and grant it on the whole table",
    ("COLUMN", "DATABASE"): "take it out, or take out table and columns and grant it on the whole database",
}


def problems(document: Document, tenants: tuple[DeclaredTenant, ...]) -> Iterator[Problem]:
    """Every entry of `privileges` that asks for something MySQL has not, or not there."""
    for tenant in tenants:
        for user in tenant.users:
            for privilege in user.privileges:
                for path, fault in _faults(privilege):
                    yield Problem(*fault, document.value(path), described(tenant, user, privilege.path))


def _faults(privilege: Placed[Privilege]) -> Iterator[tuple[KeyPath, Fault]]:
    level = _level(privilege.value)
    for path, text in permissions(privilege.body, privilege.path):
        for written, name in zip(text.split(","), privilege_names(text), strict=True):
            yield from ((path, fault) for fault in _permission(name, shown(written.strip()), level, privilege.value))
    yield from (((*privilege.path, "table"), fault) for fault in _table(privilege.value.table))
    yield from _columns(privilege)


def _level(privilege: Privilege) -> str:
    if privilege.columns:
        return "COLUMN"
    return "DATABASE" if privilege.table == "*" else "TABLE"


def _permission(name: str, written: str, level: str, privilege: Privilege) -> Iterator[Fault]:
    """What is wrong with one permission. name: as MySQL spells it. written: as the file does."""
    if name == "ALL":
        yield from _all(level, privilege)
    elif not name:
        yield "empty-value", "a permission is empty", "each names one privilege of MySQL", "fill it in or take it out"
    elif name == "USAGE":
        yield "usage-privilege", "USAGE grants nothing", "it is MySQL's word for no privilege at all", "leave it out"
    elif name.removeprefix("WITH ") == GRANT_OPTION:
        why = "it is not granted by itself but goes with the other permissions of the entry"
        yield (
            "grant-option",
            f"{GRANT_OPTION} is not a permission here",
            why,
            "write grant_option: true beside permission",
        )
    elif name not in PRIVILEGES[level]:
        yield _not_on(level, name, written)


def _all(level: str, privilege: Privilege) -> Iterator[Fault]:
    if level == "COLUMN":
        fix = f"list what is meant: {', '.join(sorted(PRIVILEGES[level]))}"
        yield "privilege-level", "ALL cannot be granted on columns", "MySQL has ALL on databases and tables", fix
    elif len(privilege.permissions) > 1:
        yield "all-with-others", "ALL stands beside other permissions", "ALL holds them already", "write ALL alone"


def _not_on(level: str, name: str, written: str) -> Fault:
    elsewhere = [other for other in _LEVELS if name in PRIVILEGES[other]]
    if elsewhere:
        what = f"{written} cannot be granted on {_LEVELS[level]}"
        why = f"MySQL has it on {listed([_LEVELS[other] for other in elsewhere])}"
        return "privilege-level", what, why, _FIX_LEVEL[level, elsewhere[-1]]
    if name in PRIVILEGES["GLOBAL"] or name.endswith("_ADMIN"):
        return "global-privilege", f"{written} cannot be granted to a tenant", _ON_THE_SERVER, "take it out"
    fix = did_you_mean(name, {"ALL", *PRIVILEGES[level]}, "take it out")
    why = f"MySQL has no privilege of this name on {_LEVELS[level]}"
    return "unknown-privilege", f"unknown privilege {written}", why, fix


def _table(name: str) -> Iterator[Fault]:
    if name == "*":
        return
    if "*" in name or "%" in name:
        why = "MySQL grants on one table or on a whole database, never on a pattern of tables"
        yield "table-wildcard", f"table {shown(name)} is a pattern", why, 'list each table, or write table: "*"'
        return
    yield from _identifier("table", name)


def _columns(privilege: Placed[Privilege]) -> Iterator[tuple[KeyPath, Fault]]:
    if not privilege.value.columns:
        return
    if privilege.value.table == "*":
        why = "columns are of one table"
        fix = "add table: and its name, or take columns out"
        yield (*privilege.path, "columns"), ("columns-without-table", "columns are named, but no table", why, fix)
    seen: set[str] = set()
    for path, column in texts(privilege.body, "columns", privilege.path):
        yield from ((path, fault) for fault in _identifier("column", column))
        if column == "*":
            fix = "take columns out, which grants on the whole table"
            yield path, ("column-wildcard", "column * is a pattern", "MySQL grants on columns one by one", fix)
        if column.lower() in seen:
            why = "MySQL takes column names without regard to case"
            yield path, ("duplicate-column", f"column {shown(column)} is here twice", why, "take one of them out")
        seen.add(column.lower())


def _identifier(noun: str, name: str) -> Iterator[Fault]:
    """What is wrong with the name of a table or a column, which are quoted and so may hold nearly everything."""
    wrong = next((c for c in name if c == "`" or category(c) == "Cc" or c > "\uffff"), None)
    if wrong:
        character = f'"{wrong}"' if wrong == "`" else escaped(wrong)
        why = f"a {noun} name here holds no backtick, no control character and nothing above U+FFFF"
        yield "invalid-name", f"{noun} name {shown(name)} holds {character}", why, f"name another {noun}"
    if name.endswith(" "):
        why = "MySQL has no names that end with a blank"
        yield "invalid-name", f"{noun} name {shown(name)} ends with a blank", why, "take the blank out"
    excess = len(name) - _LONGEST_IDENTIFIER
    if excess > 0:
        what = f"{noun} name {shown(name)} is {counted(excess, 'character')} too long"
        yield (
            "name-too-long",
            what,
            f"MySQL's names have at most {_LONGEST_IDENTIFIER} characters",
            f"correct the {noun}",
        )
