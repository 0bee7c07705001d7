"""The statements that give an account a password, beside the one it has or in its place.

set_password(Account("shop"), "caching_sha2_password", "…", retain=True)
"ALTER USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` BY '…' RETAIN CURRENT PASSWORD"
"""

from __future__ import annotations

from aurora_tenants.mysql.names import Account, identifier, literal
from aurora_tenants.mysql.options import IAM_PLUGIN, clauses
from aurora_tenants.mysql.state import User


def identified(plugin: str, password: str) -> str:
    """The clause that sets a password. The plugin is always named: the server's default is not the same everywhere."""
    if plugin == IAM_PLUGIN:
        return f" IDENTIFIED WITH {identifier(plugin)} AS 'RDS'"
    return f" IDENTIFIED WITH {identifier(plugin)} BY {literal(password)}"


def set_password(account: Account, plugin: str, password: str, *, retain: bool) -> str:
    """The statement that gives an account this password; with retain, the one it had keeps working, too."""
    return f"ALTER USER {account}{identified(plugin, password)}{' RETAIN CURRENT PASSWORD' if retain else ''}"


def set_password_again(user: User, password: str, *, retain: bool) -> tuple[str, ...]:
    """The statements that set a password even where the account's password history refuses it (3638).

    The first ends the history, which forgets every password in it; the second restores its rules.
    """
    without = user.options._replace(history=0, reuse_after_days=0)
    first = set_password(user.account, str(user.options.plugin), password, retain=retain)
    return first + clauses(without, user.options), *restore_history(user)


def restore_history(user: User) -> tuple[str, ...]:
    """The statement that restores an account's rules for its password history; none for an account without any."""
    rules = clauses(user.options, user.options._replace(history=0, reuse_after_days=0))
    return (f"ALTER USER {user.account}{rules}",) if rules else ()
