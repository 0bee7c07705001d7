"""What MySQL's own tables know of accounts, without password hashes, as two views that the inspector may read.

The views run with the rights of the cluster's master user, who created them. So a reader needs no privilege on
`mysql.user`, where the hashes are, nor on any tenant's database.

    aurora_tenants.accounts    User Host Facts Cipher Issuer Subject Comment Restrictions
    aurora_tenants.definers    Definer Objects: how many views, routines, triggers and events run as this account
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aurora_tenants.mysql.grants import GLOBAL_PRIVILEGES, GRANT_OPTION
from aurora_tenants.mysql.names import Account
from aurora_tenants.mysql.options import LONGEST_TEXT, PASSWORD_PLUGINS, Kind, Options, Require
from aurora_tenants.mysql.owners import OWNERS, Owner, defined
from aurora_tenants.mysql.state import Restriction, User

# MySQL names a column of mysql.user and mysql.db after the privilege, with these exceptions.
_COLUMNS = {
    "CREATE TEMPORARY TABLES": "Create_tmp_table",
    "SHOW DATABASES": "Show_db",
    "REPLICATION SLAVE": "Repl_slave",
    "REPLICATION CLIENT": "Repl_client",
    GRANT_OPTION: "Grant",
}
GLOBAL_FLAGS = (*GLOBAL_PRIVILEGES, GRANT_OPTION)
# The longest comment a file may give an account; one character more is read, so that a longer one is seen to differ.
LONGEST_COMMENT = 255


def flags(privileges: Sequence[str]) -> str:
    """An expression that gives one Y or N for each privilege."""
    return "CONCAT(" + ", ".join(f"{_COLUMNS.get(name, name.replace(' ', '_'))}_priv" for name in privileges) + ")"


def _attribute(path: str) -> str:
    return f"COALESCE(JSON_UNQUOTE(JSON_EXTRACT(User_attributes, '$.{path}')), '')"


def _start(column: str) -> str:
    return f"LEFT(CONVERT({column} USING utf8mb4), {LONGEST_TEXT + 1})"


# Facts are packed into one column: every answer repeats the name of every column in every row.
_FACTS = (
    *(flags(GLOBAL_FLAGS), "plugin", "ssl_type", "max_questions", "max_updates", "max_connections"),
    *("max_user_connections", "account_locked", "password_expired", "IF(authentication_string = '', 'Y', 'N')"),
    *("COALESCE(password_lifetime, '')", "COALESCE(Password_reuse_history, '')"),
    *("COALESCE(Password_reuse_time, '')", "COALESCE(Password_require_current, '')"),
)
ACCOUNT_COLUMNS = ("User", "Host", "Facts", "Cipher", "Issuer", "Subject", "Comment", "Restrictions")
ACCOUNTS = (
    f"SELECT User, Host, CONCAT_WS(',', {', '.join(_FACTS)}) AS Facts,"
    f" {_start('ssl_cipher')} AS Cipher, {_start('x509_issuer')} AS Issuer, {_start('x509_subject')} AS Subject,"
    f" LEFT({_attribute('metadata.comment')}, {LONGEST_COMMENT + 1})"
    f" AS Comment, {_attribute('Restrictions')} AS Restrictions FROM mysql.user"
)
FUNCTION = "definers_1"
_DEFINED = (("VIEWS", "TABLE"), ("ROUTINES", "ROUTINE"), ("TRIGGERS", "TRIGGER"), ("EVENTS", "EVENT"))
DEFINERS = (
    "SELECT DEFINER AS Definer, COUNT(*) AS Objects FROM ("
    + " UNION ALL ".join(
        f"SELECT CONVERT(DEFINER USING utf8mb4) COLLATE utf8mb4_bin AS DEFINER FROM information_schema.{table}"
        f" WHERE {kind}_SCHEMA NOT IN ('mysql', 'sys', '{OWNERS}')"
        for table, kind in _DEFINED
    )
    + ") AS objects GROUP BY DEFINER"
)


def create_views() -> tuple[str, ...]:
    """The statements that create the views; the cluster's master user has to run them."""
    return _view("accounts", ACCOUNTS), _view("definers", DEFINERS)


def create_function() -> str:
    """The statement that creates the function that sees all definers, which must not be there yet (1304).

    information_schema goes by the rights of the session, even inside a view that runs as its definer, but not inside a
    function (test_the_inspector_reads_what_root_reads). A server refuses it when it writes a binary log and
    log_bin_trust_function_creators is OFF (1419).
    """
    return defined(
        FUNCTION,
        f"(SELECT COALESCE(JSON_ARRAYAGG(JSON_ARRAY(Definer, Objects)), JSON_ARRAY()) FROM ({DEFINERS}) AS definers)",
    )


def show_definers() -> str:
    """The statement after which the view of definers shows all of them to every reader; it needs the function."""
    rows = "'$[*]' COLUMNS (Definer VARCHAR(320) COLLATE utf8mb4_bin PATH '$[0]', Objects BIGINT PATH '$[1]')"
    return _view("definers", f"SELECT Definer, Objects FROM JSON_TABLE({OWNERS}.{FUNCTION}(), {rows}) AS definers")


def _view(name: str, select: str) -> str:
    return f"CREATE OR REPLACE SQL SECURITY DEFINER VIEW {OWNERS}.{name} AS {select}"


def user_of(row: Sequence[Any], owners: Mapping[str, Owner]) -> tuple[User, str]:
    """The account in a row of the view, without its default roles, and its Y or N for each of GLOBAL_FLAGS.

    owners: by `user@host`.
    """
    name, host, facts, cipher, issuer, subject, comment, restrictions = map(str, row)
    global_flags, plugin, tls, *limits, locked, expired, is_empty, lifetime, history, reuse, current = facts.split(",")
    queries, updates, connections, at_once = map(int, limits)
    account = Account(name, host)
    kinds: dict[str, Kind] = {"ANY": "SSL", "X509": "X509", "SPECIFIED": "SPECIFIED"}
    has_no_password = is_empty == "Y" and plugin in PASSWORD_PLUGINS
    options = Options(
        require=Require(kinds.get(tls, "NONE"), subject, issuer, cipher),
        max_queries_per_hour=queries,
        max_updates_per_hour=updates,
        max_connections_per_hour=connections,
        max_user_connections=at_once,
        is_locked=locked == "Y",
        expire_after_days=int(lifetime) if lifetime else None,
        history=int(history) if history else None,
        reuse_after_days=int(reuse) if reuse else None,
        require_current=current == "Y" if current else None,
        plugin=plugin,
        comment=comment,
    )
    is_role = has_no_password and locked == "Y" and expired == "Y"
    # [{"Database": "mysql", "Privileges": ["INSERT", …]}]
    entries = json.loads(restrictions) if restrictions else []
    restricted = tuple(Restriction(entry["Database"], frozenset(entry["Privileges"])) for entry in entries)
    owner = owners.get(account.entry)
    is_expired = expired == "Y" and plugin in PASSWORD_PLUGINS and not is_role
    user = User(account, owner, options, frozenset(), is_role, has_no_password, restricted, is_expired=is_expired)
    return user, global_flags
