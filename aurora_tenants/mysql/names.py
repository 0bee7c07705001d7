"""Accounts, identifiers and literals, and the only place that quotes them.

The quoting works in every sql_mode: identifiers and accounts go into backticks, where nothing but a backtick needs
escaping; literals double their quote and may not hold a backslash, because NO_BACKSLASH_ESCAPES changes its meaning.

    identifier("shop-dev")                  `shop-dev`
    str(Account("shop", "%"))               `shop`@`%`
    pattern("shop_dev", partial_revokes=False)   shop\\_dev
"""

from __future__ import annotations

from typing import NamedTuple

RESERVED_DATABASES = frozenset(
    ("mysql", "sys", "information_schema", "performance_schema", "innodb", "tmp", "aurora_tenants")
)


# No name under .invalid is ever anybody's (RFC 2606): the hosts of accounts that are still being made.
NOWHERE = "aurora-tenants.invalid"


class Account(NamedTuple):
    """A MySQL account. user: case-sensitive. host: lower case, as the server stores it."""

    user: str
    host: str = "%"

    def __str__(self) -> str:
        return f"{identifier(self.user)}@{identifier(self.host)}"

    @property
    def entry(self) -> str:
        """The account as the table of owners has it: `shop@%`. No host contains an @."""
        return f"{self.user}@{self.host}"


def is_nowhere(host: str) -> bool:
    """Whether no client can come from there, because only accounts that are being made have such a host."""
    return host.endswith(NOWHERE)


def account_of(entry: str) -> Account:
    """The account of an entry in the table of owners."""
    user, _, host = entry.rpartition("@")
    return Account(user, host)


def identifier(name: str) -> str:
    """The name in backticks, for wherever MySQL takes an identifier or one half of an account.

    Raises ValueError for a NUL, which no identifier may hold.
    """
    if "\0" in name:
        raise ValueError("a MySQL identifier cannot hold a NUL character")
    return "`" + name.replace("`", "``") + "`"


def literal(value: str) -> str:
    """The value as a string literal for statements that take no parameter (CREATE USER, ALTER USER, …).

    Raises ValueError, without showing the value, for a backslash or a control character.
    """
    if "\\" in value or min(value, default=" ") < " ":
        raise ValueError("a literal cannot hold a backslash or a control character")
    return "'" + value.replace("'", "''") + "'"


def key(value: str) -> str:
    """Any string as a hexadecimal literal, for comparisons in SELECT."""
    return "_utf8mb4 X'" + value.encode().hex() + "'"


def pattern(database: str, *, partial_revokes: bool) -> str:
    """How GRANT must spell a database so that it means this one database and no other.

    A database name in GRANT is a LIKE pattern, in which `_` stands for any character. Only on a server with
    partial_revokes is it literal; there an escaped name matches nothing at all.
    """
    if partial_revokes:
        return database
    return database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def unescaped(spelling: str) -> str:
    """The database that a stored spelling was probably meant for: shop_dev for `shop\\_dev` and `shop_dev` alike."""
    return spelling.replace("\\_", "_").replace("\\%", "%").replace("\\\\", "\\")


def is_reserved_database(name: str) -> bool:
    """Whether the server or this product keeps a database of this name for itself."""
    return name.lower() in RESERVED_DATABASES


def is_aws_role(name: str) -> bool:
    """Whether this is one of the roles with which Aurora lets users call other services: AWS_LAMBDA_ACCESS, ….

    Source: "Role-based privilege model", Amazon Aurora User Guide.
    """
    return name.startswith("AWS_") and name.endswith("_ACCESS") and name.replace("_", "").isalnum()


def is_reserved_user(name: str) -> bool:
    """Whether the server, RDS or this product keeps a user of this name for itself.

    Source: "Master user account privileges" and "Role-based privilege model", Amazon Aurora User Guide.
    """
    lower = name.lower()
    return lower in ("", "root") or lower.startswith(("mysql.", "rds", "aws_", "aurora_tenants"))
