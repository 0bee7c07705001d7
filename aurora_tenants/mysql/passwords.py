"""The clause and the statement that give an account a password, always as its hash.

set_password(Account("shop"), "caching_sha2_password", hashed("…", "…"), retain=True)
"ALTER USER `shop`@`%` IDENTIFIED WITH `caching_sha2_password` AS 0x… RETAIN CURRENT PASSWORD"

MySQL checks no hash against an account's password history, but notes it there
(test_a_password_of_the_history_is_set_again_and_noted_there).
"""

from __future__ import annotations

from aurora_tenants.mysql.hashing import Hashes
from aurora_tenants.mysql.names import Account, identifier
from aurora_tenants.mysql.options import IAM_PLUGIN


def identified(plugin: str, password: Hashes) -> str:
    """The clause that sets a password. The plugin is always named: the server's default is not the same everywhere."""
    how = "'RDS'" if plugin == IAM_PLUGIN else password[plugin]
    return f" IDENTIFIED WITH {identifier(plugin)} AS {how}"


def set_password(account: Account, plugin: str, password: Hashes, *, retain: bool) -> str:
    """The statement that gives an account this password; with retain, the one it had keeps working, too."""
    return f"ALTER USER {account}{identified(plugin, password)}{' RETAIN CURRENT PASSWORD' if retain else ''}"


def discard_old_password(account: Account) -> str:
    """The statement after which an account has its current password alone; it changes nothing where there is no other.

    (test_an_old_password_is_discarded_whether_there_is_one_or_not)
    """
    return f"ALTER USER {account} DISCARD OLD PASSWORD"
