"""Whether all that is desired is there already, seen by comparing values: most of a cluster is as it should be. Pure.

It says so only where that is certain, and then `changes` has nothing to do, nor have passwords to be set
(test_where_it_is_said_to_hold_nothing_differs). Whatever is odd, though it may need no change, is left to these.
"""

from __future__ import annotations

from operator import attrgetter

from aurora_tenants.mysql.changes import canonical
from aurora_tenants.mysql.grants import as_stored, normalise
from aurora_tenants.mysql.options import PASSWORD_PLUGINS, Options
from aurora_tenants.mysql.owners import Owner
from aurora_tenants.mysql.state import Database, State, User

# All but those that None leaves as they are, or as good as they are.
_options = attrgetter(*(name for name in Options._fields if name not in ("plugin", "comment")))


def holds(desired: State, live: State) -> bool:
    """Whether certainly nothing has to be changed, neither for all of it nor for any of its resources."""
    databases, users = live.databases, live.users
    return (
        all(name in databases and _is_database(it, databases[name]) for name, it in desired.databases.items())
        and all(account in users and _is_user(it, users[account]) for account, it in desired.users.items())
        and (not desired.users or (not _has_others(desired, live) and _has_grants(desired, live)))
    )


def _is_database(desired: Database, known: Database) -> bool:
    return (
        _is_owner(desired.owner, known.owner)
        and desired.shared_with == known.shared_with
        and (desired.charset is None or canonical(desired.charset) == known.charset)
        and (desired.collation is None or canonical(desired.collation) == known.collation)
    )


def _is_owner(desired: Owner | None, known: Owner | None) -> bool:
    return desired == known and not (known and known.released)


def _is_user(desired: User, known: User) -> bool:
    """Also that its password is of use: one that has none, or an expired one, is given the secret's."""
    wanted, options = desired.options, known.options
    kept = (None, *PASSWORD_PLUGINS) if wanted.plugin is None else (wanted.plugin,)
    return (
        _is_owner(desired.owner, known.owner)
        and desired.is_role == known.is_role
        and desired.default_roles == known.default_roles
        and bool(_options(wanted) == _options(options))
        and (wanted.comment is None or wanted.comment == (options.comment or ""))
        and (desired.is_role or (options.plugin in kept and not known.has_no_password and not known.is_expired))
    )


def _has_others(desired: State, live: State) -> bool:
    """Whether there are accounts of the same resources at other hosts, or with other names."""
    if live.users.keys() == desired.users.keys():
        return False
    resources = {user.owner.identity for user in desired.users.values() if user.owner}
    others = (user.owner for account, user in live.users.items() if account not in desired.users)
    return any(owner and owner.identity in resources for owner in others)


def _has_grants(desired: State, live: State) -> bool:
    """Whether the accounts hold exactly what is desired, each column in one spelling, and nothing of it twice."""
    held = live.grants
    if live.users.keys() != desired.users.keys():
        held = frozenset(grant for grant in held if grant.account in desired.users)
    if held != desired.grants:
        return False
    columns = frozenset(grant for grant in held if grant.scope.column)
    return not columns or (as_stored(columns, columns) == columns and normalise(held) == held)
