"""The passwords of a user's accounts: whether MySQL accepts one, and setting another.

A login through the Data API shows whether MySQL accepts one. MySQL chooses the account for it by the host that the Data
API comes from, which nobody knows; so a refusal means a wrong password only if every account of the user would let that
login in (`login_is_conclusive`). Where it is not conclusive, a password is set whenever there is a reason to.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta
from hashlib import sha256

from aurora_tenants.errors import DatabaseError
from aurora_tenants.lambdas.statement import run
from aurora_tenants.mysql.hashing import Hashes, hashed
from aurora_tenants.mysql.live import Execute, select
from aurora_tenants.mysql.names import Account, key
from aurora_tenants.mysql.options import PASSWORD_PLUGINS
from aurora_tenants.mysql.passwords import discard_old_password, set_password
from aurora_tenants.mysql.state import User

# Answers to a login whose password was right: an expired one (1820, 1862), too many connections (1203, 1226), a locked
# account (3118; see test_password_of_a_locked_user_that_was_changed_by_hand_is_set_again).
_ACCEPTED = (1203, 1226, 1820, 1862, 3118)
# How the token of a rotation begins that is to begin whatever readers may hold. The caller of RotateSecret chooses it.
FORCED = "forced-"
# How long whoever reads a secret may keep what was read.
READERS_KEEP = timedelta(minutes=10)
# So many random bytes are 20 letters, digits, `-` and `_`.
_SALT_BYTES = 15


def hashes_of(secret: str, password: str, version: str = "") -> Hashes:
    """What a statement may hold of a password, with a new salt: made once, so that a repeated statement is the same.

    version: what no other value of a secret has. With it the salt is always the same, so that `has_password` knows it.
    Raises ValueError, which names the secret and does not show the password, for one that no client can log in with.
    """
    salt = sha256(version.encode()).hexdigest()[:20] if version else secrets.token_urlsafe(_SALT_BYTES)
    try:
        return hashed(password, salt)
    except ValueError as error:
        raise ValueError(f"the password in secret {secret} {error}") from None


def accepts_login(execute: Execute) -> bool:
    """Whether MySQL accepts the password that `execute` logs in with. Raises DatabaseError for any other failure."""
    try:
        execute(select(("1",), "FROM DUAL"))
    except DatabaseError as error:
        if error.number in _ACCEPTED:
            return True
        if error.number == 1045 or "Access denied for user" in str(error):
            return False
        raise
    return True


def login_is_conclusive(users: Collection[User]) -> bool:
    """Whether a refused login means a wrong password. users: every account of one name, all with one password."""
    return any(user.account.host == "%" for user in users) and all(
        user.options.require.kind in ("NONE", "SSL") for user in users
    )


def give_password(execute: Execute, user: User, password: Hashes, *, retain: bool) -> None:
    """Sets a password, even one that the account has had before. retain: the current one keeps working beside it.

    user: as it is in MySQL now.
    """
    run(execute, set_password(user.account, str(user.options.plugin), password, retain=retain))


def give_only_password(execute: Execute, user: User, password: Hashes) -> None:
    """Sets a password, and ends the one that is kept beside it. The first is what the account has in between, too."""
    give_password(execute, user, password, retain=False)
    run(execute, discard_old_password(user.account))


def connections_of(execute: Execute, name: str) -> int:
    """How many connections there are of a user, whatever account each is of."""
    rows = execute(select(("COUNT(*)",), f"FROM information_schema.PROCESSLIST WHERE USER = {key(name)}"))
    return int(str(rows[0][0]))


def has_password(execute: Execute, user: User, password: Hashes) -> bool:
    """Whether this is what MySQL stores for an account, salt and all; the same password with another salt is not."""
    stored = bytes.fromhex(password[str(user.options.plugin)].removeprefix("0x"))
    return _digest(execute, user.account, "authentication_string") == sha256(stored).hexdigest()


def _digest(execute: Execute, account: Account, what: str) -> str:
    """A digest of what MySQL stores of an account, such as a hash; empty for nothing."""
    where = f"User = {key(account.user)} AND Host = {key(account.host)}"
    rows = execute(select((f"COALESCE(SHA2({what}, 256), '')",), f"FROM mysql.user WHERE {where}"))
    return str(rows[0][0]) if rows else ""


def retains(execute: Execute, user: User, known: User, sent: dict[Account, str | None], *, was_nobodys: bool) -> bool:
    """Whether an adopted account keeps the password that it has beside the secret's.

    If that was retained before, retaining again would replace it with the secret's own: by an adoption that was begun,
    or by a statement of this event whose answer was lost, which shows in the second password. An account without a
    password cannot be adopted (3878): it could not log in any more. One that has lost its password since gets the
    secret's alone.

    was_nobodys: it had no owner before this event. sent: what this event has sent so far, see accounts._Before; what is
    sent now is noted there.
    """
    if not (user.owner and user.owner.adopted):
        return False
    if known.has_no_password:
        return was_nobodys
    second = second_password(execute, user.account)
    if user.account in sent:
        return sent[user.account] == second
    retain = was_nobodys or not second
    sent[user.account] = second if retain else None
    return retain


def second_password(execute: Execute, account: Account) -> str:
    """A digest of the password that an account has beside its current one; empty for none."""
    return _digest(execute, account, "User_attributes->>'$.additional_password'")


def accounts_of(users: Collection[User], secret: str) -> list[User]:
    """Those of a user's accounts whose password comes from this secret; not those that log in with IAM tokens."""
    with_password = [user for user in users if user.options.plugin in PASSWORD_PLUGINS]
    return [user for user in with_password if user.owner and user.owner.secret == secret and not user.owner.released]
