"""Runs a statement that changes something, so that a refusal becomes a sentence without a password's hash in it."""

from __future__ import annotations

from aurora_tenants.errors import DatabaseError, Problem
from aurora_tenants.mysql.live import Execute
from aurora_tenants.mysql.options import IAM_PLUGIN

# What MySQL's own sentence does not say.
_MEANINGS = {
    1045: "the cluster's master user does not hold this itself, so it cannot grant or revoke it",
    1295: "the Data API cannot run this; run it with a MySQL client, then deploy again",
    1524: "this server does not have the plugin; remove Plugin, or name another one",
    3530: "only a role that is granted to a user can be one of its default roles",
}
# Exceptions of the Data API that may say what is wrong with a statement.
_QUOTING = ("BadRequestException", "ValidationException")
# Where the hash of a password begins in a statement (mysql/passwords.py).
_HASH = " AS 0x"
_IAM_IS_OFF = (
    "IAM users need EnableIAMDatabaseAuthentication: true on the cluster"
    " (aws rds modify-db-cluster --enable-iam-database-authentication)"
)


def _may_show(error: DatabaseError) -> bool:
    """Whether the text of an error may hold a part of the hash that its statement holds."""
    may_quote = error.number in (0, 1064) and (error.is_of_mysql or error.code in _QUOTING)
    return may_quote or "0x" in str(error)


def run(execute: Execute, statement: str) -> None:
    """Runs a statement. It may hold the hash of a password, from which a weak one can be guessed: no error shows it.

    A syntax error (1064) quotes the statement or any part of it; any error without a number may be one.
    """
    try:
        execute(statement)
    except DatabaseError as error:
        text = str(error)
        if _HASH in statement and _may_show(error):
            what = "MySQL refused {}" if error.is_of_mysql else "{} failed"
            text = f"{what.format('a statement with the hash of a password')} ({error.number or error.code})"
        elif error.number in _MEANINGS:
            is_off = error.number == 1524 and IAM_PLUGIN in text
            text = f"{text}: {_IAM_IS_OFF if is_off else _MEANINGS[error.number]}"
        else:
            raise
        raise DatabaseError(Problem("database-refused", text), number=error.number, code=error.code) from None
