"""The changes that turn one state of a server into another, in order.

    changes(desired, live, server=Server("8.0.42", True, "caching_sha2_password"))
    Change("create", "database shop", "CREATE DATABASE `shop`"), Change("create", "user shop", …), Change("grant", …)

Nothing is ever dropped and created again: databases and accounts are altered in place, an account whose host changed is
renamed, and privileges are granted before others are revoked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain, count, takewhile
from typing import NamedTuple

from aurora_tenants.mysql.grants import (
    MEMBER,
    Grant,
    Scope,
    Statement,
    as_stored,
    is_revocable,
    revocable,
    role_scope,
    statements,
)
from aurora_tenants.mysql.hashing import HIDDEN, Hashes
from aurora_tenants.mysql.names import NOWHERE, Account, identifier, literal, pattern, unescaped
from aurora_tenants.mysql.options import IAM_PLUGIN, PASSWORD_PLUGINS, Options, clauses
from aurora_tenants.mysql.owners import Owner, attribute_of, forget_owner, record_owner, record_shares
from aurora_tenants.mysql.passwords import identified
from aurora_tenants.mysql.state import Database, Server, State, User


class Change(NamedTuple):
    """One statement. subject: "user shop".

    action: record, create, alter, share, withdraw, rename, grant, set, revoke, drop or release.

    why: empty where the statement explains itself. grants: those that a GRANT gives or a REVOKE removes.
    """

    action: str
    subject: str
    statement: str
    why: str = ""
    grants: tuple[Grant, ...] = ()


def changes(desired: State, live: State, *, server: Server, password: Hashes = HIDDEN) -> tuple[Change, ...]:
    """The statements after which everything desired holds, in the order in which to run them.

    Create, rename, alter; grant, set default roles, drop accounts at other hosts; revoke, and what is granted late.

    Only databases and users of `desired` are compared. Nothing that only `live` has is dropped here, except accounts
    that a desired user's resource had before at other hosts, or under another name; but what a desired user holds
    beyond `desired` is revoked.
    password: for users that are created or get another plugin.
    """
    renamed = moves(desired, live)
    surplus, live = _surplus(desired, live), _renamed(live, {old: new for new, old in renamed.items()})
    temporary = _temporary(desired, live)
    desired = _renamed(desired, temporary)
    users = sorted(desired.users.values(), key=lambda user: (not user.is_role, user.account))
    difference = _difference(desired, live)
    of_each = [_privileges(user, live.users.get(user.account), *difference[user.account], server) for user in users]
    # Everybody is granted before anything is revoked: a right may move from an account to a role, and between roles.
    granted, roles, revoked = ([change for phases in of_each for change in phases[phase]] for phase in range(3))
    in_order = chain(
        *(_database(desired.databases[name], live, server) for name in sorted(desired.databases)),
        *(_account(user, renamed.get(user.account), live, server, password) for user in users),
        # What is granted on a database may hide what a less exact row gives (see _shadowed), also a role's to its
        # members, so it comes last, and roles go first.
        sorted(granted, key=lambda change: change.grants[0].scope.level == "DATABASE"),
        roles,
        *(_into_place(desired.users[temporary[account]], account) for account in sorted(temporary)),
        # An account that goes may have its rights from a role that is about to lose them, so it goes first.
        *(removal(live.users[account]) for account in surplus if account not in renamed.values()),
        revoked,
    )
    final = {stand_in: account for account, stand_in in temporary.items()}
    return tuple(_shown_for(final, change) if final else change for change in in_order)


def _difference(desired: State, live: State) -> dict[Account, tuple[set[Grant], set[Grant]]]:
    """What to grant to each desired account, and what to revoke from it."""
    difference: dict[Account, tuple[set[Grant], set[Grant]]] = {account: (set(), set()) for account in desired.users}
    wanted = as_stored(desired.grants, live.grants)
    held = revocable(live.grants, wanted)
    for grant in wanted - held:
        difference[grant.account][0].add(grant)
    for grant in held - wanted:
        if grant.account in difference and is_revocable(grant):
            difference[grant.account][1].add(grant)
            if grant.privilege == "REFERENCES" and grant not in live.grants:
                # See revocable: only REFERENCES cannot be revoked from a table that has it on columns alone (1147).
                difference[grant.account][0].add(grant)
    for to_grant, to_revoke in difference.values():
        shadowed = _shadowed(to_grant, to_revoke, live.grants) - wanted
        to_grant |= shadowed
        to_revoke |= shadowed
    return difference


def _shadowed(to_grant: Collection[Grant], to_revoke: Collection[Grant], live: Collection[Grant]) -> frozenset[Grant]:
    """What is to be revoked from a database in its old spelling, as grants on the new spelling.

    Of two rows that match, MySQL looks only at the more exact one; so the new row must hold all of the old one for as
    long as both exist (test_no_right_that_both_states_hold_is_ever_missing).
    """
    held = {grant.holding for grant in live}
    new = {grant.scope for grant in to_grant if grant.scope.level == "DATABASE" and grant.holding not in held}
    return frozenset(
        grant._replace(scope=scope)
        for grant in to_revoke
        for scope in new
        if grant.scope.level == "DATABASE" and unescaped(grant.scope.database) == unescaped(scope.database)
    )


def subject(account: Account) -> str:
    """What an account is called in texts: the host only where it is not `%`."""
    return f"user {account.user}" if account.host == "%" else f"user {account.user}@{account.host}"


def for_people(why: str) -> str:
    """What only plans say: tools/flatten.py leaves it out of the functions' code in cfn/shared.yml."""
    return why


def title(user: User) -> str:
    """What a user or a role is called in texts: "user shop", "role reader"."""
    return subject(user.account).replace("user", "role", 1) if user.is_role else subject(user.account)


def removal(user: User, why: str = "") -> Iterator[Change]:
    """The changes by which an owner gives up an account: it is dropped, or released when it was adopted."""
    about, entry = subject(user.account), user.account.entry
    if user.owner and user.owner.adopted:
        released = record_owner("users", entry, user.owner._replace(released=True))
        yield Change("release", about, released, for_people("it was adopted, so it is kept"))
    else:
        yield Change("drop", about, drop_user(user.account), why)
        yield Change("record", about, forget_owner("users", entry))


def moves(desired: State, live: State) -> dict[Account, Account]:
    """For new accounts, the live one to rename: of the same resource, at a host or with a name that is not desired."""
    free = {account: _resource(live.users[account]) for account in _surplus(desired, live)}
    renamed: dict[Account, Account] = {}
    for hosts_differ in (False, True) if free else ():
        for account in sorted(desired.users.keys() - live.users.keys() - renamed.keys()):
            resource = _resource(desired.users[account])
            for old in free:
                if free[old] == resource and (hosts_differ or old.host == account.host):
                    renamed[account] = old
                    del free[old]
                    break
    return renamed


def _resource(user: User) -> tuple[str, str] | None:
    return user.owner.identity if user.owner else None


def _surplus(desired: State, live: State) -> list[Account]:
    """Accounts of the resources of desired users, at hosts or with names that are not desired."""
    resources = {_resource(user) for user in desired.users.values()} - {None}
    return [
        account
        for account, user in sorted(live.users.items())
        if account not in desired.users and user.owner and not user.owner.released and _resource(user) in resources
    ]


def _temporary(desired: State, live: State) -> dict[Account, Account]:
    """For each new account of a user that has others already: the account to make at first, at a host no client has.

    From its first moment a new account may take over logins that went to another one so far. They must not find it
    without its roles and privileges (test_no_right_that_both_states_hold_is_ever_missing).
    """
    names = {account.user for account in live.users}
    numbers, temporary = count(1), dict[Account, Account]()
    for account in sorted(desired.users.keys() - live.users.keys()):
        if account.user in names:
            # One that is there is gone on with only if it is this resource's: somebody else may know its password.
            stand_ins = (Account(account.user, f"{number}.{NOWHERE}") for number in numbers)
            owner = desired.users[account].owner
            temporary[account] = next(it for it in stand_ins if _is_own_or_new(live.users.get(it), owner))
    return temporary


def _is_own_or_new(known: User | None, owner: Owner | None) -> bool:
    before = known.owner if known else None
    is_own = before is not None and owner is not None and before.identity == owner.identity and before.is_of(owner)
    return known is None or is_own


def _into_place(temporary: User, account: Account) -> Iterator[Change]:
    about, owner = subject(account), temporary.owner
    if owner:
        yield Change("record", about, record_owner("users", account.entry, owner))
    why = for_people("so that nobody logs in to it before it is complete")
    yield Change("rename", about, f"RENAME USER {temporary.account} TO {account}", why)
    if owner:
        yield Change("record", about, forget_owner("users", temporary.account.entry))


def _shown_for(final: Mapping[Account, Account], change: Change) -> Change:
    """A change of a temporary account, as people see it: about the account that it becomes in the end."""
    subjects = {subject(temporary): subject(account) for temporary, account in final.items()}
    grants = tuple(grant._replace(account=final.get(grant.account, grant.account)) for grant in change.grants)
    return change._replace(subject=subjects.get(change.subject, change.subject), grants=grants)


def _renamed(state: State, names: Mapping[Account, Account]) -> State:
    """The state once these accounts are renamed."""
    if not names:
        return state
    users = (user._replace(account=names.get(account, account)) for account, user in state.users.items())
    grants = (grant._replace(account=names.get(grant.account, grant.account)) for grant in state.grants)
    return State(state.databases, {user.account: user for user in users}, frozenset(grants))


def _database(desired: Database, live: State, server: Server) -> Iterator[Change]:
    """The owner is recorded before the database is made: a crash in between leaves no database without an owner."""
    known = live.databases.get(desired.name)
    about = f"database {desired.name}"
    if desired.owner and (known is None or desired.owner != known.owner):
        yield Change("record", about, record_owner("databases", desired.name, desired.owner))
    options = _character_set(desired)
    if known is None:
        why = for_people(
            "" if options or not server.charset else f"with the server's {server.charset}, {server.collation}"
        )
        yield Change("create", about, f"CREATE DATABASE {identifier(desired.name)}{options}", why)
    elif _differs(desired.charset, known.charset) or _differs(desired.collation, known.collation):
        why = for_people(
            f"from {known.charset}, {known.collation}; existing tables keep the character set and collation they have"
        )
        yield Change("alter", about, f"ALTER DATABASE {identifier(desired.name)}{options}", why)
    yield from _shares(desired, known)


def _shares(desired: Database, known: Database | None) -> Iterator[Change]:
    """With which stacks a database is shared from now on, and with which not any more, such as the one that had it."""
    about, before = f"database {desired.name}", known.shared_with if known else frozenset[str]()
    if desired.owner and known and known.owner:
        before |= {known.owner.giver or known.owner.stack} - {desired.owner.stack} - known.withdrawn_from
    if gone := before - desired.shared_with:
        why = for_people(
            f"not shared any more with {', '.join(sorted(gone))}, whose rights here end with its next deployment"
        )
        yield Change("withdraw", about, record_shares(desired.name, gone, withdrawn=True), why)
    if new := desired.shared_with - (known.shared_with if known else frozenset()):
        why = for_people(f"shared with {', '.join(sorted(new))}")
        yield Change("share", about, record_shares(desired.name, new, withdrawn=False), why)


def _character_set(database: Database) -> str:
    charset = f" CHARACTER SET {literal(database.charset)}" if database.charset else ""
    return charset + (f" COLLATE {literal(database.collation)}" if database.collation else "")


def _differs(desired: str | None, live: str | None) -> bool:
    return desired is not None and canonical(desired) != live


def canonical(name: str) -> str:
    """A character set or collation as the server lists it; utf8 is an old name of utf8mb3."""
    lower = name.lower()
    return "utf8mb3" + lower[4:] if lower == "utf8" or lower.startswith("utf8_") else lower


def _account(desired: User, old: Account | None, live: State, server: Server, password: Hashes) -> Iterator[Change]:
    """old: the account that becomes this one by renaming; live has the new name already."""
    account, known = desired.account, live.users.get(desired.account)
    about = subject(account)
    if desired.owner and (known is None or old or desired.owner != known.owner):
        yield Change("record", about, record_owner("users", account.entry, desired.owner))
    if known is None:
        yield Change("create", about, _create_user(desired, server, password))
        if desired.options.comment:
            yield Change("alter", about, f"ALTER USER {account} COMMENT {literal(desired.options.comment)}")
        return
    if old:
        yield Change("rename", about, f"RENAME USER {old} TO {account}", "it keeps its password and its privileges")
        yield Change("record", about, forget_owner("users", old.entry))
    yield from _altered(desired, known, server, password)


def _altered(desired: User, known: User, server: Server, password: Hashes) -> Iterator[Change]:
    account, options = desired.account, desired.options
    if options.expire_after_days is None and known.options.expire_after_days:
        # ALTER USER from an interval to DEFAULT changes the table only: 9.7.4 goes on with the interval
        # (test_a_password_that_need_not_be_changed_any_more_does_not_expire).
        why = for_people("MySQL forgets an interval only this way")
        yield Change("alter", subject(account), f"ALTER USER {account} PASSWORD EXPIRE NEVER", why)
    plugin = _new_plugin(desired, known, server)
    altered = (identified(plugin, password) if plugin else "") + clauses(options, known.options)
    if options.comment is not None and options.comment != (known.options.comment or ""):
        altered += f" COMMENT {literal(options.comment)}"
    if altered:
        yield Change(
            "alter", subject(account), f"ALTER USER {account}{altered}", for_people(_plugin_why(plugin, known))
        )


def _create_user(desired: User, server: Server, password: Hashes) -> str:
    """For a role, too: the Data API may prepare statements, and CREATE ROLE cannot be prepared.

    A role is a locked account without a password, and can be created as one.
    """
    how = " PASSWORD EXPIRE" if desired.is_role else ""
    first = "" if desired.is_role else identified(desired.options.plugin or server.plugin, password)
    attribute = f" ATTRIBUTE {literal(attribute_of(desired.owner))}" if desired.owner else ""
    return f"CREATE USER {desired.account}{first}{clauses(desired.options, Options())}{how}{attribute}"


def _new_plugin(desired: User, known: User, server: Server) -> str:
    """The plugin to change to; empty to keep it. If none is asked for, any plugin with a password will do."""
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
        return "its passwords stop working; it logs in with IAM tokens instead"
    if known.options.plugin == IAM_PLUGIN:
        return "IAM tokens stop working; it logs in with the secret's password instead"
    return f"it had {known.options.plugin}; the secret's password keeps working, an older one beside it stops"


def _privileges(
    desired: User, known: User | None, to_grant: Collection[Grant], to_revoke: Collection[Grant], server: Server
) -> tuple[list[Change], list[Change], list[Change]]:
    """The GRANTs, the default roles, and the REVOKEs together with what is granted late.

    REVOKE also removes a role from the default roles, so they are set again when a role had to be revoked for the sake
    of its ADMIN OPTION (test_admin_option_that_is_taken_away_leaves_the_default_role).
    """
    about = subject(desired.account)
    restricted = {restriction.database for restriction in known.restrictions} if known else set()
    ordered = statements(to_grant, to_revoke, restricted=restricted)
    early = tuple(takewhile(lambda statement: statement.sql.startswith("GRANT "), ordered))
    gone = {grant.scope for grant in to_revoke if grant.privilege == MEMBER}
    left = {role for role in (known.default_roles if known else ()) if role_scope(role) not in gone}
    roles = Change("set", about, set_default_roles(desired))
    default_scopes = {role_scope(role) for role in desired.default_roles}
    revoked: list[Change] = []
    for statement in ordered[len(early) :]:
        change = _change_of(statement, about, server)
        revoked.append(change)
        if change.action == "grant" and change.grants[0].scope in default_scopes:
            revoked.append(roles)
    granted = [_change_of(statement, about, server) for statement in early]
    return granted, [roles] if desired.default_roles != left else [], revoked


def _change_of(statement: Statement, about: str, server: Server) -> Change:
    action, scope = statement.sql.split(" ", 1)[0].lower(), statement.grants[0].scope
    is_of_database = action == "revoke" and scope.level == "DATABASE"
    why = for_people(_spelling_why(scope, server) if is_of_database else "")
    return Change(action, about, statement.sql, why, statement.grants)


def _spelling_why(scope: Scope, server: Server) -> str:
    """The reason for a REVOKE that only corrects how a database was spelled; empty for any other."""
    if scope.database == pattern(unescaped(scope.database), partial_revokes=server.partial_revokes):
        return ""
    effect = "matches no database" if server.partial_revokes else "also matches other databases"
    return f"spelled {scope.database}, it {effect}"


def set_default_roles(user: User) -> str:
    """The statement that sets the roles with which every session of an account begins."""
    return f"SET DEFAULT ROLE {', '.join(map(str, sorted(user.default_roles))) or 'NONE'} TO {user.account}"


def drop_user(account: Account) -> str:
    """The statement that drops an account with its grants, if it still exists."""
    return f"DROP USER IF EXISTS {account}"


def lock_user(account: Account) -> str:
    """The statement after which nobody can log in to an account, if it still exists."""
    return f"ALTER USER IF EXISTS {account} ACCOUNT LOCK"


def drop_database(name: str) -> str:
    """The statement that drops a database and every table in it."""
    return f"DROP DATABASE {identifier(name)}"
