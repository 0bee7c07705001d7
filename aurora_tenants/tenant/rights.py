"""Rights as people say them: by what they are on, and as they were and will be. Pure.

said(…)          ALL on shop.*; SELECT (country, id) on shop.customers; role reader; PROCESS on *.*
differences(…)   shop.*: SELECT → ALL
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from aurora_tenants.mysql.grants import (
    ADMIN_OPTION,
    GLOBAL_PRIVILEGES,
    GRANT_OPTION,
    MEMBER,
    PRIVILEGES,
    Grant,
    Scope,
    as_stored,
    is_revocable,
    revocable,
    row_scope,
)
from aurora_tenants.mysql.names import Account, pattern, unescaped
from aurora_tenants.mysql.state import Server

NONE = "none"
Mark = str  # "weaker", "wider", or nothing
Roles = Mapping[Account, Collection[Grant]]

_PLAIN = re.compile(r"[\w$.@%:/{}*=-]+", re.ASCII)
_ORDER = {privilege: place for place, privilege in enumerate(GLOBAL_PRIVILEGES)}
# Of a table's columns: where there are more, only those that differ are named.
_MOST_COLUMNS = 8
# ALL but so many is said as that.
_MOST_MISSING = 3


class Part(NamedTuple):
    """One difference, or one thing to say. old, new: as the file would say it; both empty where `what` says it all.

    mark: "weaker" or "wider" where less stands in the way afterwards; empty otherwise. is_record: it is about what this
    program writes down for itself.
    """

    what: str
    old: str = ""
    new: str = ""
    mark: Mark = ""
    is_record: bool = False

    def __str__(self) -> str:
        difference = f"{self.what}: {self.old} → {self.new}" if self.old or self.new else self.what
        return f"{difference} ({self.mark})" if self.mark else difference


class _Place(NamedTuple):
    """What rights are on. order: in which they are told; level: of MySQL."""

    order: int
    text: str
    level: str


# A privilege with the column that it is on; with an empty one, it is on the whole.
_Held = frozenset[tuple[str, str]]


def name(text: str) -> str:
    """A name as it is told: in backticks where it could be taken for something else."""
    return text if _PLAIN.fullmatch(text) else "`" + text.replace("`", "``") + "`"


def account_name(account: Account) -> str:
    """An account as it is told: its host only where it is not `%`."""
    return name(account.user) + ("" if account.host == "%" else f"@{name(account.host)}")


def said(grants: Iterable[Grant], server: Server) -> list[Part]:
    """What an account holds, one thing it is on after the other."""
    return [Part(_on(place, held)) for place, held in sorted(_by_place(grants, server, ()).items())]


def places(grants: Iterable[Grant], server: Server) -> list[str]:
    """What an account holds something on."""
    return [place.text for place in sorted(_by_place(grants, server, ()))]


def differences(desired: Collection[Grant], live: Collection[Grant], server: Server, roles: Roles) -> list[Part]:
    """What one account will hold that it does not now, and the other way round.

    roles: what each role of the tenant will hold: one that holds nothing new makes no access wider.
    """
    wanted = as_stored(desired, live)
    stuck = {grant for grant in live if not is_revocable(grant)} - wanted  # what nothing takes away
    held = revocable(live, wanted) - stuck
    named = {unescaped(grant.scope.database) for grant in wanted if grant.scope.level == "DATABASE"}
    new, old = _by_place(wanted, server, named), _by_place(held, server, named)
    gained = {_place(grant.scope, server, named) for grant in wanted - held if not _is_covered(grant, held, roles)}
    parts = [
        _difference(place, old.get(place, frozenset()), new.get(place, frozenset()), is_wider=place in gained)
        for place in sorted(old.keys() | new.keys())
        if old.get(place) != new.get(place)
    ]
    return parts + _spellings(wanted, held, server)


def _difference(place: _Place, old: _Held, new: _Held, *, is_wider: bool) -> Part:
    before, after = (_privileges(place.level, *pair) for pair in ((old, new), (new, old)))
    return Part(place.text, before or NONE, after or NONE, "wider" if is_wider else "")


def _spellings(wanted: Collection[Grant], held: Collection[Grant], server: Server) -> list[Part]:
    """The databases whose rights are kept, and only written in another way: as a name, not as a pattern of names."""
    new, old = _spelled(wanted), _spelled(held)
    parts = []
    for database in sorted(new.keys() & old.keys()):
        if old[database] - new[database]:
            before = "no database at all" if server.partial_revokes else "also databases with any other letter for _"
            parts.append(Part(f"rights on {name(database)}.* reach", before, "this database alone"))
    return parts


def _spelled(grants: Iterable[Grant]) -> dict[str, set[str]]:
    spelled: dict[str, set[str]] = {}
    for grant in grants:
        if grant.scope.level == "DATABASE":
            spelled.setdefault(unescaped(grant.scope.database), set()).add(grant.scope.database)
    return spelled


def _by_place(grants: Iterable[Grant], server: Server, named: Collection[str]) -> Mapping[_Place, _Held]:
    by_scope: dict[Scope, list[str]] = {}
    for _, scope, privilege in grants:
        by_scope.setdefault(scope, []).append(privilege)
    found: dict[_Place, set[tuple[str, str]]] = {}
    for scope, privileges in by_scope.items():
        if scope.level == "DYNAMIC":
            privileges = [f"GRANT OPTION of {scope.name}" if it == GRANT_OPTION else it for it in privileges]
        found.setdefault(_place(scope, server, named), set()).update((it, scope.column) for it in privileges)
    return {place: frozenset(held) for place, held in found.items()}


def _place(scope: Scope, server: Server, named: Collection[str]) -> _Place:
    if scope.level == "ROLE":
        return _Place(0, f"role {account_name(scope.role)}", "ROLE")
    if scope.level in ("GLOBAL", "DYNAMIC"):
        return _Place(4, "*.*", "GLOBAL")
    if scope.level == "DATABASE":
        plain = unescaped(scope.database)
        is_exact = scope.database == pattern(plain, partial_revokes=server.partial_revokes)
        if is_exact or plain in named:
            return _Place(1, f"{name(plain)}.*", "DATABASE")
        if server.partial_revokes:
            return _Place(1, f"{name(scope.database)}.* (no such database)", "DATABASE")
        return _Place(1, f"every database like {name(scope.database)}", "DATABASE")
    where = f"{name(scope.database)}.{name(scope.name)}"
    if scope.level in ("PROCEDURE", "FUNCTION"):
        return _Place(3, f"{scope.level.lower()} {where}", scope.level)
    return _Place(2, where, "TABLE")


def _on(place: _Place, held: _Held) -> str:
    if place.level == "ROLE":
        return place.text + (", to be granted on" if (ADMIN_OPTION, "") in held else "")
    return f"{_privileges(place.level, held, held) or 'nothing'} on {place.text}"


@lru_cache(maxsize=4096)
def _privileges(level: str, held: _Held, other: _Held) -> str:
    """`ALL`, `SELECT, INSERT (a, b)`; empty for nothing. other: what it is compared with."""
    if level == "ROLE":
        return "" if not held else "granted, to be granted on" if (ADMIN_OPTION, "") in held else "granted"
    whole = {privilege for privilege, column in held if not column} - {GRANT_OPTION}
    texts = [*_whole(level, whole), *_columns(held, other)]
    option = " with GRANT OPTION" if (GRANT_OPTION, "") in held else ""
    return ", ".join(texts) + option if texts else option and "GRANT OPTION alone"


def _whole(level: str, names: set[str]) -> list[str]:
    everything = PRIVILEGES[level]
    if level == "GLOBAL" or not names <= everything:
        return sorted(names, key=_by_order)
    missing = sorted(everything - names, key=_by_order)
    if not missing:
        return ["ALL"]
    if len(missing) <= _MOST_MISSING and len(names) > 2 * _MOST_MISSING:
        return [f"ALL but {' and '.join(missing)}"]
    return sorted(names, key=_by_order)


def _by_order(privilege: str) -> tuple[int, str]:
    return _ORDER.get(privilege, len(_ORDER)), privilege


def _columns(held: _Held, other: _Held) -> list[str]:
    texts = []
    for privilege in sorted({privilege for privilege, column in held if column}, key=_by_order):
        columns = sorted(column for its, column in held if its == privilege and column)
        text = ", ".join(map(name, columns))
        if len(columns) > _MOST_COLUMNS:
            only = [name(column) for column in columns if (privilege, column) not in other]
            some = only if 0 < len(only) < len(columns) else []
            text = f"{len(columns):,} columns" + (f", among them {', '.join(some)}" if some else "")
            text += f": {', '.join(map(name, columns))}" if len(only) == len(columns) else ""
        texts.append(f"{privilege} ({text})")
    return texts


def _is_covered(grant: Grant, held: Collection[Grant], roles: Roles) -> bool:
    """Whether an account can do the same already, by a right on something that holds this."""
    if grant in held:
        return True
    scope = grant.scope
    wider = [Scope("GLOBAL")]
    if scope.level in ("TABLE", "COLUMN", "PROCEDURE", "FUNCTION"):
        # Both spellings: which one the server takes for this database alone does not matter here.
        wider += [Scope("DATABASE", pattern(scope.database, partial_revokes=on)) for on in (True, False)]
    if scope.level == "DATABASE":
        wider += [Scope("DATABASE", spelled) for spelled in (unescaped(scope.database), scope.database)]
    if scope.level == "COLUMN":
        wider.append(row_scope(scope))
    if scope.level == "ROLE":
        of_role = [each._replace(account=grant.account) for each in roles.get(scope.role, ())]
        is_known = scope.role in roles and grant.privilege == MEMBER
        return is_known and all(_is_covered(each, held, {}) for each in of_role)
    return any(grant._replace(scope=each) in held for each in wider)
