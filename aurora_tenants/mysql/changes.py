"""The ordered changes that lead from one state of a server to another.

    changes(desired, live, server=Server("8.0.42", True, "caching_sha2_password"))
    Change("create", "database shop", "CREATE DATABASE `shop`"), Change("create", "user shop", …), Change("grant", …)

Nothing is ever dropped and made again: databases and accounts are altered in place, an account whose host changed is
renamed, and what is granted comes before what is revoked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import takewhile
from typing import NamedTuple

from aurora_tenants.mysql.grants import MEMBER, Grant, Statement, as_stored, revocable, role_scope, statements
from aurora_tenants.mysql.names import Account, identifier, literal, pattern, unescaped
from aurora_tenants.mysql.options import IAM_PLUGIN, PASSWORD_PLUGINS, Options, clauses
from aurora_tenants.mysql.owners import attribute_of, forget_owner, record_owner
from aurora_tenants.mysql.state import Database, Server, State, User

HIDDEN = "***"
# No name under .invalid is ever anybody's (RFC 2606).
NOWHERE = "aurora-tenants.invalid"


class Change(NamedTuple):
    """One statement. action: record, create, alter, rename, grant, set, revoke, drop or release. subject: "user shop".

    why: said only when the statement alone would not explain itself. grants: those a GRANT or REVOKE is about.
    """

    action: str
    subject: str
    statement: str
    why: str = ""
    grants: tuple[Grant, ...] = ()


def changes(desired: State, live: State, *, server: Server, password: str = HIDDEN) -> tuple[Change, ...]:
    """What to run, in this order, so that everything desired holds.

    Create, rename, alter; grant, set default roles, drop accounts at other hosts; revoke, and what is granted late.

    Only databases and users of `desired` are compared. Nothing that only `live` has is dropped here, except accounts at
    hosts that a desired user's resource had and has no more; but what a desired user holds beyond `desired` is revoked.
    password: for users that are created or get another plugin.
    """
    renamed = moves(desired, live)
    surplus, live = _surplus(desired, live), _moved(live, {old: new for new, old in renamed.items()})
    aside = _aside(desired, live)
    made = _moved(desired, aside)
    users = sorted(made.users.values(), key=lambda user: (not user.is_role, user.account))
    # Everybody is granted before anything is revoked: a right may move from an account to a role, and between roles.
    todo = _difference(made, live)
    rights = [_rights(user, live.users.get(user.account), *todo[user.account], server) for user in users]
    granted, roles, revoked = ([change for of_user in rights for change in of_user[phase]] for phase in range(3))
    in_order = (
        *(change for name in sorted(desired.databases) for change in _database(desired.databases[name], live, server)),
        *(change for user in users for change in _account(user, renamed, live, server, password)),
        # What is granted on a database may hide what a less exact row gives (see _shadowed), also a role's to its
        # members, so it comes last, and roles go first.
        *sorted(granted, key=lambda change: change.grants[0].scope.level == "DATABASE"),
        *roles,
        *(change for account in sorted(aside) for change in _into_place(desired.users[account], aside[account])),
        # An account that goes may have its rights from a role that is about to lose them, so it goes first.
        *(change for account in surplus if account not in renamed.values() for change in removal(live.users[account])),
        *revoked,
    )
    return tuple(_said_of({new: old for old, new in aside.items()}, change) for change in in_order)


def _difference(desired: State, live: State) -> dict[Account, tuple[set[Grant], set[Grant]]]:
    """What to grant to each desired account, and what to revoke from it."""
    todo: dict[Account, tuple[set[Grant], set[Grant]]] = {account: (set(), set()) for account in desired.users}
    wanted = as_stored(desired.grants, live.grants)
    held = revocable(live.grants, wanted)
    for grant in wanted - held:
        todo[grant.account][0].add(grant)
    for grant in held - wanted:
        if grant.account in todo:
            todo[grant.account][1].add(grant)
            if grant.privilege == "REFERENCES" and grant not in live.grants:
                # See revocable: this one alone cannot be revoked from a table that has it on columns only (1147).
                todo[grant.account][0].add(grant)
    for to_grant, to_revoke in todo.values():
        shadowed = _shadowed(to_grant, to_revoke, live.grants) - wanted
        to_grant |= shadowed
        to_revoke |= shadowed
    return todo


def _shadowed(to_grant: Collection[Grant], to_revoke: Collection[Grant], live: Collection[Grant]) -> frozenset[Grant]:
    """What a database's other spelling gives today, said of the spelling that is granted now.

    Of two rows that match, MySQL looks at the more exact one alone; so the new row must hold all of the old one for as
    long as both are there (test_no_right_that_both_states_hold_is_ever_missing).
    """
    there = {grant.row for grant in live}
    new = {grant.scope for grant in to_grant if grant.scope.level == "DATABASE" and grant.row not in there}
    return frozenset(
        grant._replace(scope=scope)
        for grant in to_revoke
        for scope in new
        if grant.scope.level == "DATABASE" and unescaped(grant.scope.database) == unescaped(scope.database)
    )


def subject(account: Account) -> str:
    """How people say an account: the host only where it is not `%`."""
    return f"user {account.user}" if account.host == "%" else f"user {account.user}@{account.host}"


def title(user: User) -> str:
    """How people say an account, which may be a role: "user shop", "role reader"."""
    return subject(user.account).replace("user", "role", 1) if user.is_role else subject(user.account)


def removal(user: User, why: str = "") -> Iterator[Change]:
    """What becomes of an account that its owner gives up: dropped, or released when it was adopted."""
    about, entry = subject(user.account), user.account.entry
    if user.owner and user.owner.adopted:
        released = record_owner("users", entry, user.owner._replace(released=True))
        yield Change("release", about, released, "it was adopted, so it is kept")
    else:
        yield Change("drop", about, drop_user(user.account), why)
        yield Change("record", about, forget_owner("users", entry))


def moves(desired: State, live: State) -> dict[Account, Account]:
    """Which account takes the place of which: the hosts of one user that are new, of those that it has no more."""
    free = _surplus(desired, live)
    found: dict[Account, Account] = {}
    for account in sorted(desired.users.keys() - live.users.keys()):
        old = next((it for it in free if it.user == account.user and it not in found.values()), None)
        if old:
            found[account] = old
    return found


def _surplus(desired: State, live: State) -> list[Account]:
    """Accounts of desired users' names and resources at hosts that are not desired."""
    names = {(account.user, user.owner.identity) for account, user in desired.users.items() if user.owner}
    return [
        account
        for account, user in sorted(live.users.items())
        if account not in desired.users
        and user.owner
        and not user.owner.released
        and (account.user, user.owner.identity) in names
    ]


def _aside(desired: State, live: State) -> dict[Account, Account]:
    """Another host, that no client has, for each new account of a user that already logs in somewhere.

    From its first moment such an account may take over logins from the one they went to so far, which must not meet it
    without its roles and its rights (test_no_right_that_both_states_hold_is_ever_missing).
    """
    names = {account.user for account in live.users}
    new = (account for account in sorted(desired.users.keys() - live.users.keys()) if account.user in names)
    return {account: Account(account.user, f"{number}.{NOWHERE}") for number, account in enumerate(new, 1)}


def _into_place(user: User, aside: Account) -> Iterator[Change]:
    about = subject(user.account)
    if user.owner:
        yield Change("record", about, record_owner("users", user.account.entry, user.owner))
    yield Change(
        "rename", about, f"RENAME USER {aside} TO {user.account}", "no login has met it before it was complete"
    )
    if user.owner:
        yield Change("record", about, forget_owner("users", aside.entry))


def _said_of(accounts: Mapping[Account, Account], change: Change) -> Change:
    """A change as it is said of the account that another one stands for."""
    abouts = {subject(account): subject(of) for account, of in accounts.items()}
    grants = tuple(grant._replace(account=accounts.get(grant.account, grant.account)) for grant in change.grants)
    return change._replace(subject=abouts.get(change.subject, change.subject), grants=grants)


def _moved(state: State, new_of: Mapping[Account, Account]) -> State:
    """The state once these accounts are renamed."""
    if not new_of:
        return state
    users = {
        new_of.get(account, account): user._replace(account=new_of.get(account, account))
        for account, user in state.users.items()
    }
    grants = (grant._replace(account=new_of.get(grant.account, grant.account)) for grant in state.grants)
    return State(state.databases, users, frozenset(grants))


def _database(desired: Database, live: State, server: Server) -> Iterable[Change]:
    """The owner is recorded before the database is made: a crash in between then leaves nothing that is nobody's."""
    known = live.databases.get(desired.name)
    about = f"database {desired.name}"
    if desired.owner and (known is None or desired.owner != known.owner):
        yield Change("record", about, record_owner("databases", desired.name, desired.owner))
    options = _character_set(desired)
    if known is None:
        why = "" if options or not server.charset else f"with the server's {server.charset}, {server.collation}"
        yield Change("create", about, f"CREATE DATABASE {identifier(desired.name)}{options}", why)
    elif _differs(desired.charset, known.charset) or _differs(desired.collation, known.collation):
        why = f"from {known.charset}, {known.collation}; existing tables keep the character set and collation they have"
        yield Change("alter", about, f"ALTER DATABASE {identifier(desired.name)}{options}", why)


def _character_set(database: Database) -> str:
    charset = f" CHARACTER SET {literal(database.charset)}" if database.charset else ""
    return charset + (f" COLLATE {literal(database.collation)}" if database.collation else "")


def _differs(desired: str | None, live: str | None) -> bool:
    return desired is not None and canonical(desired) != live


def canonical(name: str) -> str:
    """A character set or collation as the server lists it; utf8 is an old name of utf8mb3."""
    lower = name.lower()
    return "utf8mb3" + lower[4:] if lower == "utf8" or lower.startswith("utf8_") else lower


def _account(
    desired: User, renamed: Mapping[Account, Account], live: State, server: Server, password: str
) -> Iterable[Change]:
    """live: with the accounts renamed."""
    account, known = desired.account, live.users.get(desired.account)
    about, old = subject(account), renamed.get(account)
    if desired.owner and (known is None or old or desired.owner != known.owner):
        yield Change("record", about, record_owner("users", account.entry, desired.owner))
    if known is None:
        yield Change("create", about, _create_user(desired, server, password))
        if desired.options.comment:
            yield Change("alter", about, f"ALTER USER {account} COMMENT {literal(desired.options.comment)}")
        return
    if old:
        yield Change("rename", about, f"RENAME USER {old} TO {account}", "its password and its rights go with it")
        yield Change("record", about, forget_owner("users", old.entry))
    if desired.options.expire_after_days is None and known.options.expire_after_days:
        # From an interval to DEFAULT, 9.7.4 writes its table and goes on with the interval
        # (test_a_password_that_need_not_be_changed_any_more_does_not_expire).
        why = "MySQL forgets an interval only this way"
        yield Change("alter", about, f"ALTER USER {account} PASSWORD EXPIRE NEVER", why)
    plugin = _new_plugin(desired, known, server)
    what = identified(plugin, password) if plugin else ""
    what += clauses(desired.options, known.options)
    if desired.options.comment is not None and desired.options.comment != (known.options.comment or ""):
        what += f" COMMENT {literal(desired.options.comment)}"
    if what:
        yield Change("alter", about, f"ALTER USER {account}{what}", _plugin_why(plugin, known))


def _create_user(desired: User, server: Server, password: str) -> str:
    """CREATE ROLE cannot be prepared, as the Data API may do; a locked account with no password is the same thing."""
    how = " PASSWORD EXPIRE" if desired.is_role else ""
    first = "" if desired.is_role else identified(desired.options.plugin or server.plugin, password)
    attribute = f" ATTRIBUTE {literal(attribute_of(desired.owner))}" if desired.owner else ""
    return f"CREATE USER {desired.account}{first}{clauses(desired.options, Options())}{how}{attribute}"


def _new_plugin(desired: User, known: User, server: Server) -> str:
    """The plugin to change to; empty to stay. Without a wish, every plugin that takes a password will do."""
    if desired.is_role:
        return ""
    wanted = desired.options.plugin
    if wanted is None and known.options.plugin not in (None, *PASSWORD_PLUGINS):
        wanted = server.plugin
    return wanted if wanted and wanted != known.options.plugin else ""


def _plugin_why(plugin: str, known: User) -> str:
    if not plugin:
        return ""
    if plugin == IAM_PLUGIN:
        return "its passwords end; who connects with an IAM token may go on"
    if known.options.plugin == IAM_PLUGIN:
        return "tokens of IAM end; who connects with the secret's password may go on"
    return f"it had {known.options.plugin}; the secret's password stays, an older one beside it ends"


def _rights(
    desired: User, known: User | None, to_grant: Collection[Grant], to_revoke: Collection[Grant], server: Server
) -> tuple[list[Change], list[Change], list[Change]]:
    """What is granted, the default roles, and what is revoked, with what is granted late.

    REVOKE takes a role out of the default roles too, so one that is granted again for the sake of its ADMIN OPTION is
    set again (test_admin_option_that_is_taken_away_leaves_the_default_role).
    """
    about = subject(desired.account)
    restricted = {restriction.database for restriction in known.restrictions} if known else set()
    ordered = statements(to_grant, to_revoke, restricted=restricted)
    early = tuple(takewhile(lambda statement: statement.sql.startswith("GRANT "), ordered))
    gone = {grant.scope for grant in to_revoke if grant.privilege == MEMBER}
    left = {role for role in (known.default_roles if known else ()) if role_scope(role) not in gone}
    roles = Change("set", about, set_default_roles(desired))
    rest: list[Change] = []
    for statement in ordered[len(early) :]:
        rest.append(_right(about, statement, server))
        is_again = statement.sql.startswith("GRANT ")
        if is_again and statement.grants[0].scope in {role_scope(role) for role in desired.default_roles}:
            rest.append(roles)
    granted = [_right(about, statement, server) for statement in early]
    return granted, [roles] if desired.default_roles != left else [], rest


def _right(about: str, statement: Statement, server: Server) -> Change:
    action = statement.sql.split(" ", 1)[0].lower()
    return Change(action, about, statement.sql, _why(statement, server), statement.grants)


def _why(statement: Statement, server: Server) -> str:
    """The reason for a REVOKE that only corrects how a database was spelled."""
    scope = statement.grants[0].scope
    if scope.level != "DATABASE" or not statement.sql.startswith("REVOKE "):
        return ""
    if scope.database == pattern(unescaped(scope.database), partial_revokes=server.partial_revokes):
        return ""
    effect = "matches no database" if server.partial_revokes else "also matches other databases"
    return f"spelled {scope.database}, it {effect}"


def set_default_roles(user: User) -> str:
    """The statement that says with which roles every session of an account begins."""
    return f"SET DEFAULT ROLE {', '.join(map(str, sorted(user.default_roles))) or 'NONE'} TO {user.account}"


def identified(plugin: str, password: str) -> str:
    """The clause that sets a password. The plugin is always named: the server's default is not the same everywhere."""
    if plugin == IAM_PLUGIN:
        return f" IDENTIFIED WITH {identifier(plugin)} AS 'RDS'"
    return f" IDENTIFIED WITH {identifier(plugin)} BY {literal(password)}"


def set_password(account: Account, plugin: str, password: str, *, retain: bool) -> str:
    """The statement that gives an account this password; with retain, the one it had goes on working beside it."""
    return f"ALTER USER {account}{identified(plugin, password)}{' RETAIN CURRENT PASSWORD' if retain else ''}"


def set_password_again(user: User, password: str, *, retain: bool) -> tuple[str, str]:
    """The statements that do so although the account may have had this password, which its history refuses (3638).

    The first leaves the account without a history, which forgets what was in it; the second brings its rules back.
    """
    without = user.options._replace(history=0, reuse_after_days=0)
    first = set_password(user.account, str(user.options.plugin), password, retain=retain)
    return first + clauses(without, user.options), f"ALTER USER {user.account}{clauses(user.options, without)}"


def drop_user(account: Account) -> str:
    """The statement that drops an account, its grants with it; somebody may have done so already."""
    return f"DROP USER IF EXISTS {account}"


def drop_database(name: str) -> str:
    """The statement that drops a database and every table in it."""
    return f"DROP DATABASE {identifier(name)}"
