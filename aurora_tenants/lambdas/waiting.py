"""Grants with WhenMissing: skip on tables, columns and routines that are not there yet: they wait, and fail nothing."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.statement import run
from aurora_tenants.mysql.changes import Change
from aurora_tenants.mysql.grants import Grant, statements
from aurora_tenants.mysql.live import Execute
from aurora_tenants.mysql.properties import folded

# There is no such column, table or routine.
_NO_COLUMN = 1054
_MISSING = (_NO_COLUMN, 1146, 1305)


def grant_the_rest(
    execute: Execute, change: Change, waits: AbstractSet[Grant], error: DatabaseError
) -> tuple[str, ...]:
    """Gives what it can of a GRANT that MySQL has refused with this error. Returns a sentence for each thing missing.

    waits: the grants that may wait, folded. Raises DatabaseError for one that may not, and for any other error.
    """
    grants = folded(change.grants)
    if change.action != "grant" or error.number not in _MISSING or grants.isdisjoint(waits):
        raise error
    if len(grants) == 1 or (grants <= waits and error.number != _NO_COLUMN):
        return (str(error),)
    told: list[str] = []
    # The account in the statement may be one that gets its name later.
    receiver = change.statement.rpartition(" TO ")[2].partition(" ")[0]
    for grant in sorted(change.grants):
        what, _, to = statements([grant], ())[0].sql.rpartition(" TO ")
        one = change._replace(statement=f"{what} TO {to.replace(str(grant.account), receiver)}", grants=(grant,))
        try:
            run(execute, one.statement)
        except DatabaseError as refusal:
            told += grant_the_rest(execute, one, waits, refusal)
    return tuple(dict.fromkeys(told))
