"""Whether the tables, columns and routines that a file names are there, and how much is in a database.

information_schema shows a session what it has rights on, and the inspector has none on any tenant's database; inside a
function that runs as its definer it shows everything. So a function of the shared stack answers, about nothing but what
it is asked by name, and the inspector alone may execute it.

    asked       [["TABLE", "shop", "orders"], ["COLUMN", "shop", "orders", "id"], ["DATABASE", "old"]]
    answered    {"1": [1], "2": [0], "3": [31, 12400, 220200960]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from aurora_tenants.mysql.grants import Grant, Scope, row_scope
from aurora_tenants.mysql.names import key
from aurora_tenants.mysql.owners import OWNERS, defined
from aurora_tenants.mysql.properties import folded
from aurora_tenants.mysql.state import Contents

OBJECTS = "objects_1"
LEVELS = ("TABLE", "COLUMN", "PROCEDURE", "FUNCTION")
# Of what is asked at once: a statement of the Data API has 65,536 characters, two of them for each of these bytes.
_MOST_BYTES = 30_000


class Asked(NamedTuple):
    """The grants for which something has to be there, and the databases to measure, as the server stores names."""

    grants: frozenset[Grant] = frozenset()
    databases: frozenset[str] = frozenset()


NOTHING = Asked()


class Page(NamedTuple):
    """As much as can be asked in one statement. expression: in SQL. about: what is asked, in its order."""

    expression: str
    about: tuple[Scope, ...]


class Answer(NamedTuple):
    """missing: what is not there of what was asked. contents: by database."""

    missing: frozenset[Scope] = frozenset()
    contents: Mapping[str, Contents] = MappingProxyType({})


def create_objects() -> str:
    """The statement that creates the function, which must not be there yet (1304). See accounts.create_function.

    Names are compared as MySQL does: those of columns and routines whatever their case, those of tables as the server
    stores them (test_what_a_file_names_is_found_as_mysql_finds_it). Rows and bytes are InnoDB's estimates.
    """
    utf8 = "VARCHAR(64) CHARACTER SET utf8mb3"

    def count(table: str, where: str) -> str:
        return f"JSON_ARRAY((SELECT COUNT(*) FROM information_schema.{table} WHERE {where}))"

    in_table = "TABLE_SCHEMA = db AND TABLE_NAME = name"
    size = "JSON_ARRAY(COUNT(*), SUM(TABLE_ROWS), SUM(DATA_LENGTH + INDEX_LENGTH))"
    return defined(
        OBJECTS,
        "(SELECT JSON_OBJECTAGG(i, CASE level"
        f" WHEN 'TABLE' THEN {count('TABLES', in_table)}"
        f" WHEN 'COLUMN' THEN {count('COLUMNS', f'{in_table} AND COLUMN_NAME = part')}"
        f" WHEN 'DATABASE' THEN (SELECT {size} FROM information_schema.TABLES WHERE TABLE_SCHEMA = db"
        " AND TABLE_TYPE = 'BASE TABLE')"
        f" ELSE {count('ROUTINES', 'ROUTINE_SCHEMA = db AND ROUTINE_NAME = part AND ROUTINE_TYPE = level')} END)"
        f" FROM JSON_TABLE(asked, '$[*]' COLUMNS (i FOR ORDINALITY, level {utf8} PATH '$[0]',"
        f" db {utf8} COLLATE utf8mb3_bin PATH '$[1]', name {utf8} COLLATE utf8mb3_bin PATH '$[2]',"
        f" part {utf8} PATH '$[3]')) AS asked_for)",
        "asked JSON",
    )


def sought(grants: Iterable[Grant], held: Iterable[Grant]) -> frozenset[Scope]:
    """What has to be there so that these can be granted beside those that are held, columns in lower case.

    MySQL keeps a grant whose table is dropped, and nobody grants it again.
    """
    there = frozenset(held)
    left = frozenset(grants) - there  # mostly none: nothing has to be folded then
    scopes = {grant.scope for grant in folded(left) - folded(there)} if left else set[Scope]()
    return frozenset(scopes.union(map(row_scope, scopes)))


def pages(scopes: Iterable[Scope], databases: Iterable[str]) -> Iterator[Page]:
    """What is asked, in as few statements as it takes; none where there is nothing to ask."""
    about: list[Scope] = []
    texts: list[str] = []
    size = 0
    for scope in (*sorted(scopes), *(Scope("DATABASE", name) for name in sorted(databases))):
        # A routine's name is compared as a column's is.
        part = scope.column or scope.name
        text = json.dumps([scope.level, scope.database, scope.name, part], ensure_ascii=False, separators=(",", ":"))
        if size + len(text.encode()) > _MOST_BYTES:
            yield _page(texts, about)
            about, texts, size = [], [], 0
        about.append(scope)
        texts.append(text)
        size += len(text.encode()) + 1
    if about:
        yield _page(texts, about)


def _page(texts: list[str], about: list[Scope]) -> Page:
    asked = f"[{','.join(texts)}]"
    return Page(f"{OWNERS}.{OBJECTS}({key(asked)})", tuple(about))


def answer(answered: Iterable[tuple[Page, str]]) -> Answer:
    """What the function says: of each page, the text of its JSON."""
    found = {
        scope: counts
        for page, text in answered
        for scope, (_, counts) in zip(page.about, sorted(_numbered(text)), strict=True)
    }
    missing = frozenset(scope for scope, counts in found.items() if scope.level in LEVELS and not counts[0])
    sizes = {scope.database: counts for scope, counts in found.items() if scope.level == "DATABASE"}
    contents = {name: Contents(*(int(count or 0) for count in counts)) for name, counts in sizes.items()}
    return Answer(missing, contents)


def _numbered(text: str) -> Iterator[tuple[int, list[int | None]]]:
    return ((int(number), counts) for number, counts in json.loads(text).items())
